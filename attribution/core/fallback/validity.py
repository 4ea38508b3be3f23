"""Configuration that is in force from then to then: time cut into epochs in which nothing of it changes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, alike_rows, microseconds
from attribution.core.columnar.types import Bool, Int64


def in_force(records: Any, *, alike: tuple[str, ...]) -> tuple[Int64, Int64]:
    """From when to when (µs, closed) each record is in force: the earliest end of those that are alike in `alike`.

    A record is ended by one like it with an end, so that a stream can say so; a record without a start always was.

    Args:
        records: canonical Arrow table with nullable `start` and `end`.
        alike: the names of the columns, `start` among them, that make two records the same but for their end.
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


def _moments(column: Any, null: int) -> Int64:
    column = column.combine_chunks()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    found = np.full(len(column), null, np.int64)
    found[known] = microseconds(column.drop_null())
    return found


class Epochs:
    """Time cut wherever one of many records begins or ends to be in force; epochs are numbered from 0 on."""

    def __init__(self, start: Int64, end: Int64) -> None:
        self._start, self._end = start, end
        cuts = np.unique(np.concatenate([start, end[end < NEVER_AFTER] + 1]))
        self._cuts = cuts[cuts > NEVER_BEFORE]

    def of(self, moments: Int64) -> Int64:
        """The epoch of each moment (µs)."""
        return np.searchsorted(self._cuts, moments, side="right")

    def begin(self, epoch: int) -> int:
        """First moment (µs) of an epoch."""
        return int(self._cuts[epoch - 1]) if epoch else NEVER_BEFORE

    def current(self, epoch: int) -> Bool:
        """Which records are in force in an epoch."""
        begin = self.begin(epoch)
        found: Bool = (self._start <= begin) & (begin <= self._end)
        return found

    def ended(self, epoch: int) -> Bool:
        """Which records were in force before an epoch, and are no longer."""
        over: Bool = (self._end < self.begin(epoch)) & (self._start <= self._end)
        return over

    def each(self, a: Int64, b: Int64) -> Iterator[tuple[int, Int64]]:
        """Each epoch that some of the intervals [a, b] touch, with the rows of those."""
        first, last = self.of(a), self.of(b)
        if len(first) == 0:
            return
        for epoch in range(int(first.min()), int(last.max()) + 1):
            rows = np.flatnonzero((first <= epoch) & (epoch <= last))
            if len(rows):
                yield epoch, rows
