"""In which stretches of time there is something, in bounded memory."""

import numpy as np

from attribution.config import MINUTE, SECOND
from attribution.core.columnar.types import Int64

#: Stretches that are kept; where there are more, two become one.
_LIMIT = 1 << 16
#: Below so many busy stretches nothing is said about gaps.
_FEW = 20
#: A gap is so many times longer than what nineteen of twenty pauses are at the most, and at least ten minutes.
_TIMES_LONGER = 10
_SHORTEST_GAP = 10 * MINUTE


class BusyTimes:
    """Collects moments.

    Attributes:
        first, last: the earliest and the latest, microseconds; None without any.
    """

    def __init__(self) -> None:
        self._width = SECOND
        self._busy = np.zeros(0, np.int64)
        self.first: int | None = None
        self.last: int | None = None

    def add(self, moments: Int64) -> None:
        """Take moments, microseconds UTC."""
        if not len(moments):
            return
        first, last = int(moments.min()), int(moments.max())
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)
        self._busy = np.union1d(self._busy, moments // self._width)
        while len(self._busy) > _LIMIT:
            self._width *= 2
            self._busy = np.unique(self._busy // 2)

    def gaps(self) -> list[tuple[int, int]]:
        """Where there is nothing for far longer than usual: (from, to), microseconds, the longest first."""
        if len(self._busy) < _FEW:
            return []
        pause = np.diff(self._busy) * self._width
        least = max(_SHORTEST_GAP, _TIMES_LONGER * int(np.percentile(pause, 95)))
        found = [
            (int(self._busy[at] + 1) * self._width, int(self._busy[at + 1]) * self._width)
            for at in np.flatnonzero(pause >= least)
        ]
        return sorted(found, key=lambda gap: (gap[0] - gap[1], gap))

    def share_outside(self, first: int, last: int) -> float:
        """Share of the busy stretches that lie outside of a span of time; microseconds."""
        inside = (self._busy >= first // self._width) & (self._busy <= last // self._width)
        return 1 - float(inside.mean()) if len(inside) else 0.0
