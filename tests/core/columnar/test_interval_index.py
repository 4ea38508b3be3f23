"""Which names touch an interval, held to a loop over all intervals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.columnar.interval_index import LISTED, Candidates, IntervalIndex

INTERVALS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 100), st.integers(0, 40)), max_size=200
)
QUESTIONS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 120), st.integers(0, 30)), min_size=1, max_size=10)


def index_of(intervals):
    # One interval for each key, so that every key has some.
    key, name, start, length = zip(*intervals, *((key, 99, 500, 0) for key in range(3)), strict=True)
    begin = np.array(start, np.int64)
    return IntervalIndex.of(np.array(key), np.array(name, np.int32), begin, begin + np.array(length))


@given(INTERVALS, QUESTIONS, st.integers(0, 20))
def test_the_candidates_are_the_names_that_touch(intervals, questions, more):
    key, a, length = (np.array(column, np.int64) for column in zip(*questions, strict=True))
    index = index_of(intervals).longer(more)
    found = Candidates.united([index.touching(np.arange(len(key)), key, a, a + length, rows=len(key))], len(key))
    for row, (asked, low, size) in enumerate(questions):
        names = {
            name
            for of_key, name, start, lasts in intervals
            if of_key == asked and start <= low + size and start + lasts + more >= low
        }
        if found.count[row] <= LISTED:
            assert found.name[found.row == row].tolist() == sorted(names)
            assert found.count[row] == len(names)
        else:
            assert not (found.row == row).any()
        assert found.only[row] == (names.pop() if len(names) == 1 and found.count[row] == 1 else -1)
