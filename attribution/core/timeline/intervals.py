"""A set of closed intervals, kept disjoint and in order while intervals come in any order."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeAlias

from sortedcontainers import SortedList

#: First and last moment, µs.
Interval: TypeAlias = tuple[int, int]

#: After every moment.
NEVER = 1 << 62


class IntervalSet:
    """Closed intervals in µs, joined where they share a moment, so that they are sorted by start *and* by end.

    Adding costs O(log n), and joining is paid for by the intervals that are joined.

    >>> seen = IntervalSet()
    >>> for start, end in [(10, 20), (40, 50), (15, 30)]:
    ...     seen.add(start, end)
    >>> [*seen], [*seen.gaps(25, 45)], seen.touch(31, 39)
    ([(10, 30), (40, 50)], [(30, 40)], False)
    """

    def __init__(self, disjoint: Iterable[Interval] = ()) -> None:
        self._intervals: SortedList[Interval] = SortedList(disjoint)

    def __iter__(self) -> Iterator[Interval]:
        return iter(self._intervals)

    def __len__(self) -> int:
        return len(self._intervals)

    def add(self, start: int, end: int) -> None:
        """Put one interval in; an interval that lies in another changes nothing."""
        intervals = self._intervals
        if not intervals or intervals[-1][1] < start:
            intervals.add((start, end))
            return
        first = self._ending_from(start)
        stop = intervals.bisect_right((end, NEVER))
        if first < stop:
            known = intervals[first]
            if known[0] <= start and end <= known[1]:
                return
            start, end = min(start, known[0]), max(end, intervals[stop - 1][1])
            del intervals[first:stop]
        intervals.add((start, end))

    def forget(self, before: int) -> None:
        """Drop the intervals that end before a moment; an interval that reaches the moment stays whole."""
        del self._intervals[: self._ending_from(before)]

    def first(self, *, ending_from: int) -> Interval | None:
        """The first interval that ends at or after a moment."""
        position = self._ending_from(ending_from)
        return self._intervals[position] if position < len(self._intervals) else None

    def since(self, moment: int) -> Iterator[Interval]:
        """The intervals that end at or after a moment, in order."""
        return iter(self._intervals.islice(self._ending_from(moment)))

    def last(self, *, starting_by: int) -> Interval | None:
        """The last interval that starts at or before a moment."""
        position = self._intervals.bisect_right((starting_by, NEVER))
        return self._intervals[position - 1] if position else None

    def touch(self, low: int, high: int) -> bool:
        """Whether any interval shares a moment with [low, high]."""
        found = self.last(starting_by=high)
        return found is not None and found[1] >= low

    def gaps(self, low: int, high: int) -> Iterator[Interval]:
        """The gaps between neighbours, from the last moment of one to the first of the next, that touch [low, high]."""
        position = max(self._intervals.bisect_left((low,)), 1)
        for before, here in pairwise(self._intervals.islice(position - 1)):
            if before[1] > high:
                return
            yield before[1], here[0]

    def _ending_from(self, moment: int) -> int:
        """Position of the first interval that ends at or after a moment."""
        position: int = self._intervals.bisect_left((moment,))
        return position - 1 if position and self._intervals[position - 1][1] >= moment else position
