"""Columnar primitives, held to plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.columnar.arrays import order_by


def in_order(columns):
    """The rows as tuples, in the order that is to be tested."""
    order = order_by(*(np.array(column, np.int64) for column in columns))
    return [tuple(column[row] for column in columns) for row in order.tolist()]


# Several of these together do not fit 63 bits; the widest do not even with the ranks of a few rows.
SPANS = (3, 1 << 20, 1 << 45, 1 << 61)


@given(st.data(), st.lists(st.sampled_from(SPANS), min_size=1, max_size=4), st.integers(0, 30))
def test_rows_are_in_the_order_of_their_columns_whatever_these_span(data, spans, rows):
    columns = [
        data.draw(st.lists(st.integers(-span, span), min_size=rows, max_size=rows), label=f"within {span}")
        for span in spans
    ]
    assert in_order(columns) == sorted(zip(*columns, strict=True))


@pytest.mark.parametrize("span", SPANS)
def test_narrow_numbers_do_not_wrap_around(span):
    group = np.array([2_000_000_000, 1, 2_000_000_000, 1], np.int32)
    time = np.array([span, span, -span, -span], np.int64)
    assert order_by(group, time).tolist() == [3, 1, 2, 0]
