"""Flows span by span of time, read no further and put aside no more than the order of the files asks for."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import HOUR
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.replay.flow_order import FlowOrder
from attribution.schema import TIMESTAMP

SPANS = (2 * HOUR, 3 * HOUR, 7 * HOUR, NEVER_AFTER)


def batch(starts):
    return pa.record_batch({"start": pa.array(starts, pa.int64()).cast(TIMESTAMP)})


def starts_of(batches):
    return [value for one in batches for value in one.column("start").cast(pa.int64()).to_pylist()]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("in_order", [True, False])
def test_each_flow_is_given_once_and_in_its_span(tmp_path, in_order, known):
    moments = np.random.default_rng(3).integers(0, 9 * HOUR, 500)
    if in_order:
        moments.sort()
    parts = [moments[at : at + 20] for at in range(0, 500, 20)]
    told = [(len(part), int(part.min()) if known else NEVER_BEFORE) for part in parts]
    order = FlowOrder(map(batch, parts), told, tmp_path / "aside")
    after = 0
    for moment in SPANS:
        expected = sorted(value for value in moments.tolist() if after <= value < moment)
        assert sorted(starts_of(order.before(moment))) == expected
        after = moment
    order.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_order_is_read_no_further_than_the_span(tmp_path):
    read = []

    def batches():
        for hour in range(6):
            read.append(hour)
            yield batch([hour * HOUR + 1, hour * HOUR + HOUR // 2])

    order = FlowOrder(batches(), [(2, hour * HOUR + 1) for hour in range(6)], tmp_path / "aside")
    assert starts_of(order.before(2 * HOUR)) == [1, HOUR // 2, HOUR + 1, HOUR + HOUR // 2]
    assert read == [0, 1]


def test_rows_that_are_rejected_on_the_way_make_no_flow_late(tmp_path):
    given = [batch([1]), batch([2, HOUR + 1]), batch([HOUR - 1]), batch([5 * HOUR])]
    told = [(3, 1), (2, 2), (2, HOUR - 1), (1, 5 * HOUR)]
    order = FlowOrder(iter(given), told, tmp_path / "aside")
    assert starts_of(order.before(HOUR)) == [1, 2, HOUR - 1]
    assert starts_of(order.before(NEVER_AFTER)) == [HOUR + 1, 5 * HOUR]
