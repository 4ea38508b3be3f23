"""Columnar primitives, held to plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.columnar.arrays import last_at_or_before, numbers_between, order_by


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


@given(st.lists(st.lists(st.integers(0, 20), min_size=1), min_size=1, max_size=6), st.integers(-1, 21))
def test_the_last_time_at_or_before_is_found_in_each_slice(slices, asked):
    slices = [sorted(times) for times in slices]
    length = np.array([len(times) for times in slices])
    low = np.cumsum(length) - length
    times = np.concatenate(slices).astype(np.int64)
    found = last_at_or_before(times, low, length, np.full(len(slices), asked))
    expected = [begin + max(sum(t <= asked for t in times) - 1, 0) for begin, times in zip(low, slices, strict=True)]
    assert found.tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=8))
def test_the_numbers_of_each_interval_are_listed_in_turn(intervals):
    first = np.array([begin for begin, _ in intervals], np.int64)
    interval, number = numbers_between(first, first + np.array([size for _, size in intervals], np.int64))
    expected = [(row, n) for row, (begin, size) in enumerate(intervals) for n in range(begin, begin + size)]
    assert [*zip(interval.tolist(), number.tolist(), strict=True)] == expected
