"""A set of intervals that is kept disjoint, held to a set of moments."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from attribution.core.timeline.intervals import IntervalSet

#: Moments are even, so that two neighbouring ones share none.
INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda i: (2 * i[0], 2 * (i[0] + i[1]))))


def made_of(intervals):
    made = IntervalSet()
    for start, end in intervals:
        made.add(start, end)
    return made


def joined(intervals):
    found = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


@given(INTERVALS, st.integers(0, 80), st.integers(0, 20))
def test_intervals_that_share_a_moment_are_one_whatever_their_order(intervals, low, length):
    made, expected, high = made_of(intervals), joined(intervals), low + length
    assert [*made] == expected
    assert len(made) == len(expected)
    assert made.touch(low, high) == any(start <= high and end >= low for start, end in expected)
    assert made.first(ending_from=low) == next((one for one in expected if one[1] >= low), None)
    assert made.last(starting_by=low) == next((one for one in reversed(expected) if one[0] <= low), None)
    assert [*made.since(low)] == [one for one in expected if one[1] >= low]
    gaps = [(before[1], here[0]) for before, here in pairwise(expected)]
    assert [*made.gaps(low, high)] == [gap for gap in gaps if gap[0] <= high and gap[1] >= low]


@given(INTERVALS, st.integers(0, 80))
def test_what_ended_before_is_forgotten_and_what_reaches_the_moment_stays_whole(intervals, before):
    made = made_of(intervals)
    made.forget(before)
    assert [*made] == [one for one in joined(intervals) if one[1] >= before]
