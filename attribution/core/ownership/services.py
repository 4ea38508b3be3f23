"""Which service an answer names if the heartbeats of one range do not all name the same service.

Most ranges name one service throughout, and this module has nothing of them. If a range names several services, or one
service at times only, the heartbeats around the asked moment decide. These heartbeats are known whenever a flow is
released, and are kept until no flow asks for them. So the answer does not depend on what is already known or forgotten
of a long range.

Example: the heartbeats of range 4 name service 0 from 0 to 10 µs, and service 1 from 20 to 30 µs.

>>> services = Services.of(np.array([4, 4]), np.array([0, 1], np.int32), np.array([0, 20]), np.array([10, 30]))
>>> services.named(np.array([4, 4, 4]), x=np.array([5, 5, 12]), y=np.array([9, 20, 18])).tolist()
[0, -1, -1]
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.arrays import NONE, numbers_between, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64


@dataclass(frozen=True)
class Services:
    """The named services of the ranges that are not uniform.

    A *pair* is a range and one service that it names. Pairs are ordered by range.

    Attributes:
        pair_range: range of each pair.
        pair_service: service of each pair.
        times: all first and last moments of the pairs' heartbeats, distinct and in order, µs.
        began: `pair * step + position in times` of each heartbeat's start, in order; step is `len(times) + 1`.
        ended: the same of each heartbeat's end.
    """

    pair_range: Int64
    pair_service: Int32
    times: Int64
    began: Int64
    ended: Int64

    @classmethod
    def of(cls, ranges: Int64, service: Int32, start: Int64, end: Int64) -> "Services":
        """The services of heartbeats that name one, with the range of each; in any order."""
        order = np.lexsort((service, ranges))
        ranges, service, start, end = ranges[order], service[order], start[order], end[order]
        first = starts_of_runs(ranges, service) if len(ranges) else np.zeros(0, np.bool_)
        pair = np.cumsum(first) - 1
        times = np.unique(np.concatenate([start, end]))
        step = np.int64(len(times) + 1)
        return cls(
            pair_range=ranges[first],
            pair_service=service[first],
            times=times,
            began=np.sort(pair * step + np.searchsorted(times, start)),
            ended=np.sort(pair * step + np.searchsorted(times, end)),
        )

    def named(self, ranges: Int64, x: Int64, y: Int64) -> Int32:
        """The one service that heartbeats of each range that touch [x, y] name; `NONE` where none or several."""
        low, high = (np.searchsorted(self.pair_range, ranges, side=side) for side in ("left", "right"))
        row, pair = numbers_between(low, high)
        touching = self._touching(pair, x[row], y[row])
        row, pair = row[touching], pair[touching]
        service = np.full(len(ranges), NONE)
        service[row] = self.pair_service[pair]
        return np.where(np.bincount(row, minlength=len(ranges)) == 1, service, NONE)

    def _touching(self, pair: Int64, x: Int64, y: Int64) -> Bool:
        """Whether a heartbeat of each pair touches [x, y]: more began by y than ended before x."""
        base = pair * np.int64(len(self.times) + 1)
        by_y = np.searchsorted(self.began, base + np.searchsorted(self.times, y, side="right"), side="left")
        before_x = np.searchsorted(self.ended, base + np.searchsorted(self.times, x, side="left"), side="left")
        return np.asarray(by_y > before_x)
