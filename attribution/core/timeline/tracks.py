"""What was seen of one workload on one key, kept in order while heartbeats come in any order.

`Spans` are the moments seen, `Track` adds the ranges and services that they make. Both are sorted lists: adding costs
O(log n), and joining is paid for by the heartbeats that are joined.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Any

from sortedcontainers import SortedDict, SortedList

Span = tuple[int, int]

_NEVER = 1 << 62


class Spans:
    """A set of closed intervals in µs, those that share a moment joined: disjoint, so sorted by start *and* by end."""

    def __init__(self, disjoint: Iterable[Span] = ()) -> None:
        self._spans: Any = SortedList(disjoint)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, start: int, end: int) -> None:
        """Put one interval in; what is there already changes nothing."""
        spans = self._spans
        if not spans or spans[-1][1] < start:
            spans.add((start, end))
            return
        first = self._ending_from(start)
        stop = spans.bisect_right((end, _NEVER))
        if first < stop:
            known = spans[first]
            if known[0] <= start and end <= known[1]:
                return
            start, end = min(start, known[0]), max(end, spans[stop - 1][1])
            del spans[first:stop]
        spans.add((start, end))

    def forget(self, before: int) -> None:
        """Drop the intervals that end before a moment; one that reaches it stays whole."""
        del self._spans[: self._ending_from(before)]

    def first(self, *, ending_from: int) -> Span | None:
        """The first interval that ends at or after a moment."""
        position = self._ending_from(ending_from)
        return self._spans[position] if position < len(self._spans) else None

    def since(self, moment: int) -> Iterator[Span]:
        """The intervals that end at or after a moment, in order."""
        return iter(self._spans.islice(self._ending_from(moment)))

    def last(self, *, starting_by: int) -> Span | None:
        """The last interval that starts at or before a moment."""
        position = self._spans.bisect_right((starting_by, _NEVER))
        return self._spans[position - 1] if position else None

    def touch(self, low: int, high: int) -> bool:
        """Whether any interval shares a moment with [low, high]."""
        found = self.last(starting_by=high)
        return found is not None and found[1] >= low

    def gaps(self, low: int, high: int) -> Iterator[Span]:
        """The gaps between neighbours, each from the last moment seen to the next one, that touch [low, high]."""
        position = max(self._spans.bisect_left((low,)), 1)
        for before, here in pairwise(self._spans.islice(position - 1)):
            if before[1] > high:
                return
            yield before[1], here[0]

    def _ending_from(self, moment: int) -> int:
        """Position of the first interval that ends at or after a moment."""
        position: int = self._spans.bisect_left((moment,))
        return position - 1 if position and self._spans[position - 1][1] >= moment else position


class Extent:
    """One range of a track: its last moment, and the longest gap that may be in it although it is in no list."""

    __slots__ = ("end", "unseen")

    def __init__(self, end: int, unseen: int) -> None:
        self.end = end
        self.unseen = unseen


class Track:
    """What was seen of one workload on one key: spans, ranges, services.

    Attributes:
        workload: whose it is.
        spans: when the workload was seen.
        earliest: first moment seen, or before it.
        latest: last moment seen, or after it.
        stored_holes: holes that are known from stored ranges, whoever made them.
    """

    def __init__(self, workload: str, *, max_gap: int) -> None:
        self.workload = workload
        self.spans = Spans()
        self.earliest, self.latest = _NEVER, -_NEVER
        self.stored_holes: set[Span] = set()
        self._max_gap = max_gap
        # While all heartbeats name the same service, its spans are those of the track itself.
        self._services: dict[str | None, Spans] = {}
        self._extents: Any = SortedDict()

    @classmethod
    def united(cls, tracks: "list[Track]") -> "Track":
        """A track of everything that some tracks of one workload know."""
        made = cls(tracks[0].workload, max_gap=tracks[0]._max_gap)  # noqa: SLF001 (its own class)
        for track in tracks:
            made._take(track)
        return made

    def _take(self, other: "Track") -> None:
        for service, spans in other._services.items():  # noqa: SLF001 (its own class)
            for start, end in spans:
                self.add(service, start, end)
        for start, extent in other.ranges():
            self._extend(start, extent.end, extent.unseen)
        self.stored_holes |= other.stored_holes

    def add(self, service: str | None, start: int, end: int, *, unseen: int = 0) -> None:
        """Put one heartbeat in, or an interval of which only the longest gap is known."""
        self.earliest, self.latest = min(self.earliest, start), max(self.latest, end)
        self._name(service, start, end)
        self.spans.add(start, end)
        self._extend(start, end, unseen)

    def _name(self, service: str | None, start: int, end: int) -> None:
        if not self._services:
            self._services[service] = self.spans
            return
        if service not in self._services:
            if len(self._services) == 1:
                (only,) = self._services
                self._services[only] = Spans(self.spans)
            self._services[service] = Spans()
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
        """Drop the heartbeats that end before a moment; say whether any are left."""
        self.spans.forget(before)
        for service, spans in list(self._services.items()):
            spans.forget(before)
            if not spans and len(self._services) > 1:
                del self._services[service]
        if len(self._services) == 1:
            (only,) = self._services
            self._services[only] = self.spans
        self.stored_holes = {hole for hole in self.stored_holes if hole[1] >= before}
        while self._extents and self._extents.peekitem(0)[1].end < before:
            self._extents.popitem(0)
        first = self.spans.first(ending_from=before)
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
        return self.reaches(low, high) and self.spans.touch(low, high)

    def ranges(self, low: int = -_NEVER, high: int = _NEVER) -> list[tuple[int, Extent]]:
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

    def gaps(self, low: int, high: int) -> list[Span]:
        """The gaps that ranges join over and that touch [low, high]."""
        return [gap for gap in self.spans.gaps(low, high) if gap[1] - gap[0] <= self._max_gap]

    def service(self, low: int, high: int) -> str | None:
        """The one service named by heartbeats that touch [low, high]; None where they name none or several."""
        named = {name for name, spans in self._services.items() if name is not None and spans.touch(low, high)}
        return named.pop() if len(named) == 1 else None


def touched_by_others(tracks: list[Track]) -> Callable[[str, Span], bool]:
    """A test whether anybody but a workload was seen in a closed gap; one sort of all spans serves all gaps.

    Of all spans that begin by the gap's end, only the one that reaches furthest matters, and if that is the workload's
    own, the one that reaches furthest of the others: these two are kept for each begin.
    """
    if len({track.workload for track in tracks}) < 2:
        return lambda _workload, _gap: False
    spans = sorted((start, end, track.workload) for track in tracks for start, end in track.spans)
    reached: list[tuple[int, str, int]] = []
    furthest, whose, of_others = -_NEVER, "", -_NEVER
    for _, end, workload in spans:
        if workload == whose:
            furthest = max(furthest, end)
        elif end > furthest:
            furthest, whose, of_others = end, workload, furthest
        else:
            of_others = max(of_others, end)
        reached.append((furthest, whose, of_others))

    def touched(workload: str, gap: Span) -> bool:
        position = bisect_right(spans, gap[1], key=itemgetter(0))
        if position == 0:
            return False
        furthest, whose, of_others = reached[position - 1]
        return (of_others if whose == workload else furthest) >= gap[0]

    return touched
