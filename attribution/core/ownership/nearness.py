"""How far a moment is from what was seen of a workload on a key."""

import numpy as np

from attribution.core.columnar.arrays import starts_of_runs
from attribution.core.columnar.types import Int32, Int64
from attribution.core.ownership.ranges import Evidence
from attribution.core.ownership.segments import last_at_or_before


class Nearness:
    """The pieces of each range's workload on the range's key, which stand together and in order of time."""

    def __init__(self, evidence: Evidence) -> None:
        pieces = evidence.pieces
        self._start, self._end = pieces.start, pieces.end
        if len(pieces.start):
            first = starts_of_runs(pieces.group, pieces.workload)
            edges = np.append(np.flatnonzero(first), len(first))
            run = (np.cumsum(first) - 1)[starts_of_runs(pieces.range)]
            self._low, self._length = edges[run], np.diff(edges)[run]

    def distance(self, ranges: Int32, time: Int64) -> Int64:
        """Time between each moment and the nearest piece of the range's workload on its key; 0 where one covers it."""
        low, length = self._low[ranges], self._length[ranges]
        before = last_at_or_before(self._start, low, length, time)
        after = np.minimum(before + 1, low + length - 1)
        return np.minimum(self._away(before, time), self._away(after, time))

    def _away(self, piece: Int64, time: Int64) -> Int64:
        return np.maximum(np.maximum(self._start[piece] - time, time - self._end[piece]), 0)
