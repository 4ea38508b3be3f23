"""What was seen of one workload on one key, kept in order while heartbeats come in any order."""

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter

from sortedcontainers import SortedDict

from attribution.core.timeline.intervals import NEVER, Interval, IntervalSet


class Extent:
    """One range of a track: its last moment, and the longest gap that may be in it although no interval shows it."""

    __slots__ = ("end", "unseen")

    def __init__(self, end: int, unseen: int) -> None:
        self.end = end
        self.unseen = unseen


class Track:
    """What was seen of one workload on one key: intervals, the ranges that they make, and services.

    Attributes:
        workload: the workload.
        seen_intervals: when the workload was seen.
        earliest: first moment seen, or before it, µs.
        latest: last moment seen, or after it, µs.
        stored_holes: holes that are known from stored ranges, whoever was seen in them.
    """

    def __init__(self, workload: str, *, max_gap: int) -> None:
        self.workload = workload
        self.seen_intervals = IntervalSet()
        self.earliest, self.latest = NEVER, -NEVER
        self.stored_holes: set[Interval] = set()
        self._max_gap = max_gap
        # While all heartbeats name the same service, its intervals are the track's own.
        self._services: dict[str | None, IntervalSet] = {}
        self._extents: SortedDict[int, Extent] = SortedDict()

    @classmethod
    def united(cls, tracks: "list[Track]") -> "Track":
        """A track of everything that some tracks of one workload know."""
        made = cls(tracks[0].workload, max_gap=tracks[0]._max_gap)  # noqa: SLF001 (its own class)
        for track in tracks:
            made._take(track)
        return made

    def _take(self, other: "Track") -> None:
        for service, intervals in other._services.items():  # noqa: SLF001 (its own class)
            for start, end in intervals:
                self.add(service, start, end)
        for start, extent in other.ranges():
            self._extend(start, extent.end, extent.unseen)
        self.stored_holes |= other.stored_holes

    def add(self, service: str | None, start: int, end: int, *, unseen: int = 0) -> None:
        """Put one heartbeat in, or an interval of which only the longest gap, `unseen`, is known."""
        self.earliest, self.latest = min(self.earliest, start), max(self.latest, end)
        self._name(service, start, end)
        self.seen_intervals.add(start, end)
        self._extend(start, end, unseen)

    def _name(self, service: str | None, start: int, end: int) -> None:
        if not self._services:
            self._services[service] = self.seen_intervals
            return
        if service not in self._services:
            if len(self._services) == 1:
                (only,) = self._services
                self._services[only] = IntervalSet(self.seen_intervals)
            self._services[service] = IntervalSet()
        if len(self._services) > 1:
            self._services[service].add(start, end)

    def _extend(self, start: int, end: int, unseen: int) -> None:
        extents = self._extents
        if extents:
            last_start, last = extents.peekitem(-1)
            if start >= last_start and start - last.end <= self._max_gap:
                last.end, last.unseen = max(last.end, end), max(last.unseen, unseen)
                return
        # From the last range that begins in reach of the end back to the first that ends in reach of the start.
        position = extents.bisect_right(end + self._max_gap)
        while position:
            position -= 1
            other_start, other = extents.peekitem(position)
            if other.end < start - self._max_gap:
                break
            start, end, unseen = min(start, other_start), max(end, other.end), max(unseen, other.unseen)
            del extents[other_start]
        extents[start] = Extent(end, unseen)

    def forget(self, before: int) -> bool:
        """Drop the heartbeats that end before a moment (µs); say whether any are left."""
        self.seen_intervals.forget(before)
        for service, intervals in list(self._services.items()):
            intervals.forget(before)
            if not intervals and len(self._services) > 1:
                del self._services[service]
        if len(self._services) == 1:
            (only,) = self._services
            self._services[only] = self.seen_intervals
        self.stored_holes = {hole for hole in self.stored_holes if hole[1] >= before}
        while self._extents and self._extents.peekitem(0)[1].end < before:
            self._extents.popitem(0)
        first = self.seen_intervals.first(ending_from=before)
        if first is None:
            return False
        _, extent = self._extents.popitem(0)
        self._extents[first[0]] = extent
        self.earliest = first[0]
        return True

    def reaches(self, low: int, high: int) -> bool:
        """Whether [low, high] touches the time from the first to the last moment seen; false settles most questions."""
        return self.earliest <= high and self.latest >= low

    def seen(self, low: int, high: int) -> bool:
        """Whether the workload was seen in [low, high]."""
        return self.reaches(low, high) and self.seen_intervals.touch(low, high)

    def ranges(self, low: int = -NEVER, high: int = NEVER) -> list[tuple[int, Extent]]:
        """Start and extent of the ranges that touch [low, high], in order."""
        found = []
        position = self._extents.bisect_right(high)
        while position:
            position -= 1
            start, extent = self._extents.peekitem(position)
            if extent.end < low:
                break
            found.append((start, extent))
        return found[::-1]

    def nearest(self, low: int, high: int) -> tuple[int, Extent]:
        """The range that is nearest to [low, high]; of two as near, the earlier one."""
        position = self._extents.bisect_right(high)
        around: list[tuple[int, Extent]]
        around = [self._extents.peekitem(p) for p in (position - 1, position) if 0 <= p < len(self._extents)]
        return min(around, key=lambda item: max(item[0] - high, low - item[1].end, 0))

    def gaps(self, low: int, high: int) -> list[Interval]:
        """The gaps that ranges join over and that touch [low, high]."""
        return [gap for gap in self.seen_intervals.gaps(low, high) if gap[1] - gap[0] <= self._max_gap]

    def service(self, low: int, high: int) -> str | None:
        """The one service named by heartbeats that touch [low, high]; None where they name none or several."""
        named = {name for name, intervals in self._services.items() if name is not None and intervals.touch(low, high)}
        return named.pop() if len(named) == 1 else None


def touched_by_others(tracks: list[Track]) -> Callable[[str, Interval], bool]:
    """A test whether anybody but a workload was seen in a closed gap; one sort of all intervals serves all gaps.

    Of all intervals that begin by the gap's end, only the furthest-reaching interval matters. If that interval is the
    workload's own, the furthest interval of the others matters. These two are kept for each begin.
    """
    if len({track.workload for track in tracks}) < 2:
        return lambda _workload, _gap: False
    intervals = sorted((start, end, track.workload) for track in tracks for start, end in track.seen_intervals)
    reached: list[tuple[int, str, int]] = []
    furthest, whose, of_others = -NEVER, "", -NEVER
    for _, end, workload in intervals:
        if workload == whose:
            furthest = max(furthest, end)
        elif end > furthest:
            furthest, whose, of_others = end, workload, furthest
        else:
            of_others = max(of_others, end)
        reached.append((furthest, whose, of_others))

    def touched(workload: str, gap: Interval) -> bool:
        position = bisect_right(intervals, gap[1], key=itemgetter(0))
        if position == 0:
            return False
        furthest, whose, of_others = reached[position - 1]
        return (of_others if whose == workload else furthest) >= gap[0]

    return touched
