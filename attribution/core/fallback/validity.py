"""Configuration that is in force for a time: time is cut into periods in which nothing of it changes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, alike_rows, microseconds
from attribution.core.columnar.types import Bool, Int64


def in_force(records: pa.Table, *, alike: tuple[str, ...]) -> tuple[Int64, Int64]:
    """From when to when (µs, closed) each record is in force.

    A stream ends a record without an end by another record that is alike but has an end: of alike records the earliest
    end counts. A record without a start was always in force.

    Args:
        records: canonical table with nullable `start` and `end`.
        alike: the names of the columns, `start` among them, in which two records agree that differ in their end only.
    """
    start, end = (
        _moments(records.column(name), null) for name, null in (("start", NEVER_BEFORE), ("end", NEVER_AFTER))
    )
    if records.num_rows == 0:
        return start, end
    same = alike_rows(records.select(alike))
    earliest = np.full(int(same.max()) + 1, NEVER_AFTER, np.int64)
    np.minimum.at(earliest, same, end)
    return start, earliest[same]


def _moments(column: pa.ChunkedArray, null: int) -> Int64:
    column = column.combine_chunks()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    found = np.full(len(column), null, np.int64)
    found[known] = microseconds(column.drop_null())
    return found


class ValidityPeriods:
    """Time, cut wherever one of many records begins or ceases to be in force; periods are numbered from 0 on.

    Example: one record is in force from 10 to 20 µs, and another from 15 µs on.

    >>> periods = ValidityPeriods(np.array([10, 15]), np.array([20, NEVER_AFTER]))
    >>> [periods.current(period).tolist() for period in range(4)]
    [[False, False], [True, False], [True, True], [False, True]]
    >>> periods.of(np.array([9, 10, 20, 21])).tolist()
    [0, 1, 2, 3]
    """

    def __init__(self, start: Int64, end: Int64) -> None:
        self._start, self._end = start, end
        cuts = np.unique(np.concatenate([start, end[end < NEVER_AFTER] + 1]))
        self._cuts = cuts[cuts > NEVER_BEFORE]

    def of(self, moments: Int64) -> Int64:
        """The period of each moment (µs)."""
        return np.searchsorted(self._cuts, moments, side="right")

    def begin(self, period: int) -> int:
        """First moment (µs) of a period."""
        return int(self._cuts[period - 1]) if period else NEVER_BEFORE

    def current(self, period: int) -> Bool:
        """Which records are in force in a period."""
        begin = self.begin(period)
        found: Bool = (self._start <= begin) & (begin <= self._end)
        return found

    def ended(self, period: int) -> Bool:
        """Which records were in force before a period, and are no longer."""
        over: Bool = (self._end < self.begin(period)) & (self._start <= self._end)
        return over

    def each(self, a: Int64, b: Int64) -> Iterator[tuple[int, Int64]]:
        """Each period that some of the intervals [a, b] touch, with the rows of these intervals."""
        first, last = self.of(a), self.of(b)
        if len(first) == 0:
            return
        for period in range(int(first.min()), int(last.max()) + 1):
            rows = np.flatnonzero((first <= period) & (period <= last))
            if len(rows):
                yield period, rows
