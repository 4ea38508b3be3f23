"""From when to when records are in force, and the periods in which nothing of that changes."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.fallback.validity import ValidityPeriods, in_force
from attribution.schema import TIMESTAMP

RECORDS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=5)


def test_of_alike_records_the_earliest_end_counts_and_a_null_is_open():
    table = pa.table(
        {
            "rule": ["r", "r", "other", "r"],
            "start": pa.array([10, 10, None, 20], TIMESTAMP),
            "end": pa.array([None, 30, None, None], TIMESTAMP),
        }
    )
    start, end = in_force(table, alike=("rule", "start"))
    assert start.tolist() == [10, 10, NEVER_BEFORE, 20]
    assert end.tolist() == [30, 30, NEVER_AFTER, NEVER_AFTER]


@given(RECORDS, st.integers(0, 35), st.integers(0, 10))
def test_nothing_changes_within_a_period(records, a, length):
    start = np.array([begin for begin, _ in records], np.int64)
    end = start + np.array([lasts for _, lasts in records], np.int64)
    periods = ValidityPeriods(start, end)
    for moment in range(36):
        (period,) = periods.of(np.array([moment])).tolist()
        assert periods.begin(period) <= moment
        assert periods.current(period).tolist() == [s <= moment <= e for s, e in zip(start, end, strict=True)]
        assert periods.ended(period).tolist() == [bool(e < moment) for e in end]
    touched = {int(p) for p in periods.of(np.arange(a, a + length + 1))}
    asked = [(period, rows.tolist()) for period, rows in periods.each(np.array([a]), np.array([a + length]))]
    assert asked == [(period, [0]) for period in sorted(touched)]
