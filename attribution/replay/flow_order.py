"""Flows by the time at which they start, though they are read in the order of their files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.config import HOUR
from attribution.core.columnar.arrays import NEVER_AFTER, microseconds
from attribution.lake.partitions import by_hour
from attribution.lake.spool import Buckets


class FlowOrder:
    """Gives batches of flows span by span of time; only what is read before its time is put aside.

    Files in order of time, or nearly so, are read through once, as far as each span needs.

    Args:
        batches: the flows as record batches.
        starts: for all of them in this order (rows, a moment in µs before which none of these starts).
        folder: where what is put aside goes, by the hour.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], starts: list[tuple[int, int]], folder: Path) -> None:
        self._batches = batches
        self._aside = Buckets(folder)
        self._rows = 0
        self._ends = np.cumsum([rows for rows, _ in starts], dtype=np.int64)
        earliest = np.array([*(start for _, start in starts), NEVER_AFTER], np.int64)
        self._earliest_from = np.minimum.accumulate(earliest[::-1])[::-1]

    def before(self, moment: int) -> Iterator[pa.RecordBatch]:
        """The flows that start before a moment (µs) and were not yet given; the moment is a whole hour, or never."""
        for hour in sorted(hour for hour in self._aside.rows if hour * HOUR < moment):
            yield from self._aside.drain(hour)
        while moment == NEVER_AFTER or self._not_before() < moment:
            batch = next(self._batches, None)
            if batch is None:
                return
            self._rows += batch.num_rows
            later = microseconds(batch.column("start")) >= moment
            if later.any():
                for hour, rows in by_hour(batch.filter(pa.array(later))):
                    self._aside.add(hour, rows)
                batch = batch.filter(pa.array(~later))
            if batch.num_rows:
                yield batch

    def _not_before(self) -> int:
        """A moment before which nothing starts that is still to be read."""
        return int(self._earliest_from[np.searchsorted(self._ends, self._rows, side="right")])

    def close(self) -> None:
        """Remove what was put aside."""
        self._aside.close()
