"""The mutable view on ownership: one timeline a place, which takes heartbeats in any order and answers at once.

For explanations of single flows and addresses. The columnar index answers batches. Both follow the same rules and are
held to the same oracle. Adding costs O(log n), and asking O(w log n) for w workloads seen on the key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from attribution.config import Settings
from attribution.core.addressing.sockets import PortRange, Socket
from attribution.core.timeline.answer import AskedInterval, AskedKey, ExplainedAnswer, Held
from attribution.core.timeline.intervals import Interval, IntervalSet
from attribution.core.timeline.rules import Key, claims, counting, decide, decide_socket, nearest_claims
from attribution.core.timeline.tracks import Track, touched_by_others


@dataclass(frozen=True)
class OwnershipRange:
    """One range of `schemas/ownership_range.avsc`, without its address; times in µs."""

    socket: Held
    workload: str
    service: str | None
    start: int
    end: int
    longest_gap: int
    holes: tuple[Interval, ...] = ()
    network: str | None = None


class Timeline:
    """Who was seen on one address of one network, and who held it at a moment.

    A pure function of the set of heartbeats added: neither their order nor repetition changes an answer.

    Args:
        settings: the settings of the rules.
        translated: whether the address is in one of `translated_prefixes`.
    """

    def __init__(self, settings: Settings, *, translated: bool = False) -> None:
        self._settings, self._translated = settings, translated
        # For each key the track of each workload; and when any port was seen, whoever held it.
        self._keys: dict[Held, dict[str, Track]] = {}
        self._single = IntervalSet()

    @classmethod
    def from_ranges(
        cls, ranges: Iterable[OwnershipRange], settings: Settings, *, translated: bool = False
    ) -> "Timeline":
        """A timeline of all stored ranges of an address, of all its sockets, made under the same `settings`.

        A stored range does not tell where in it the heartbeats are, only its holes and its longest gap. Nobody is named
        whom the heartbeats would not name. But answers differ in these ways:

        - The reason is `bridged` wherever the longest gap is longer than `clock_tolerance`; the distance is then None.
        - `within` is not given if it would need to know the pieces.
        - The service is that of the range, which is null if heartbeats anywhere in the range name several services.
        - If a port and a range of ports that holds it are both known, `covered` may become `gap`.
        - Of ranges of ports that overlap and are not the same, it is not known who was seen in whose silence.
        """
        timeline = cls(settings, translated=translated)
        for one in ranges:
            edges = [one.start, *(moment for hole in one.holes for moment in hole), one.end]
            track = timeline._track(one.socket, one.workload)
            track.stored_holes.update(one.holes)
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                timeline._put(track, one.socket, one.service, start, end, unseen=one.longest_gap)
        return timeline

    def add(self, socket: Held, workload: str, service: str | None, start: int, end: int) -> None:
        """Add one heartbeat; a socket of None is the whole address, times are µs.

        Raises:
            ValueError: it ends before it starts.
        """
        if end < start:
            raise ValueError(f"cannot add a heartbeat of {workload!r}: it ends at {end}, before it starts at {start}")
        self._put(self._track(socket, workload), socket, service, start, end)

    def ask(self, socket: Socket | None, start: int, end: int, *, basis: str = "connection") -> ExplainedAnswer:
        """Who held the address, or its socket, for a flow from `start` to `end` (µs), by the key that the rules choose.

        Args:
            socket: None if the flow has no socket.
            start: start of the flow.
            end: end of the flow.
            basis: `connection` or `window`.
        """
        interval = AskedInterval(start, end, basis == "connection", self._settings)
        if end - start > self._settings.retention:
            return ExplainedAnswer(None, None, "too_old", None, None)
        asked: tuple[AskedKey, ...] = ()
        if socket is not None:
            asked = (AskedKey(socket, "unknown"),)
            exact = Key(counting(self._keys.get(socket, {}).values(), interval), socket, self._is_ephemeral(socket))
            ranged = self._ranged(socket, interval)
            if exact.tracks or ranged.tracks:
                return decide_socket(exact, ranged, interval)
        whole = counting(self._keys.get(None, {}).values(), interval)
        if self._single.touch(interval.oldest, interval.latest) or (self._translated and whole):
            return self._shared(whole, asked, interval)
        answer = decide(Key(whole, None), interval)
        return replace(answer, steps=asked + answer.steps)

    def stands(self, start: int, end: int) -> bool:
        """Whether any heartbeat, of whatever socket, counts for a flow from `start` to `end` (µs)."""
        interval = AskedInterval(start, end, connection=True, settings=self._settings)
        return any(track.seen(interval.oldest, interval.latest) for of in self._keys.values() for track in of.values())

    def ranges(self) -> list[OwnershipRange]:
        """The ownership ranges of all keys, the whole address first, then by socket, start and workload."""
        found = [one for socket, tracks in self._keys.items() for one in _ranges(socket, [*tracks.values()])]
        return sorted(found, key=lambda r: (r.socket or (), r.start, r.workload))

    def forget(self, before: int) -> bool:
        """Drop heartbeats that end before a moment (µs), and say whether any are left.

        No answer changes for flows that start at or after `before` + `retention`.
        """
        kept = {}
        for socket, tracks in self._keys.items():
            some = {workload: track for workload, track in tracks.items() if track.forget(before)}
            if some:
                kept[socket] = some
        self._keys = kept
        self._single.forget(before)
        return bool(kept)

    def _is_ephemeral(self, key: Held) -> bool:
        """Whether a key is a socket that is given out per connection."""
        return isinstance(key, Socket) and (self._translated or key.port in self._settings.ports_of_connections)

    def _ranged(self, socket: Socket, interval: AskedInterval) -> Key:
        """The evidence of ranges of ports that hold a socket, as far as it counts: one track a workload."""
        holding: list[PortRange] = [key for key in self._keys if isinstance(key, PortRange) and key.holds(socket)]
        tracks: dict[str, list[Track]] = {}
        for key in holding:
            for track in counting(self._keys[key].values(), interval):
                tracks.setdefault(track.workload, []).append(track)
        united = [some[0] if len(some) == 1 else Track.united(some) for some in tracks.values()]
        first = max((key.port for key in holding), default=socket.port)
        last = min((key.last_port for key in holding), default=socket.port)
        return Key(united, PortRange(socket.protocol, first, last))

    def _shared(self, whole: list[Track], asked: tuple[AskedKey, ...], interval: AskedInterval) -> ExplainedAnswer:
        """The answer where workloads hold the address by port, and of the flow's own socket nothing was seen."""
        single = [(socket, tracks) for socket, tracks in self._keys.items() if socket is not None]
        evidence = [
            one
            for socket, tracks in sorted(single, key=lambda one: tuple(one[0]))
            for one in claims(socket, tracks.values(), interval)
        ]
        alternatives = nearest_claims(None, whole, interval)
        steps = (*asked, AskedKey(None, "shared"))
        return ExplainedAnswer(None, None, "shared", None, None, tuple(evidence), tuple(alternatives), steps=steps)

    def _track(self, socket: Held, workload: str) -> Track:
        tracks = self._keys.setdefault(socket, {})
        found = tracks.get(workload)
        if found is None:
            max_gap = 0 if self._is_ephemeral(socket) else self._settings.max_gap
            found = tracks[workload] = Track(workload, max_gap=max_gap)
        return found

    def _put(self, track: Track, socket: Held, service: str | None, start: int, end: int, *, unseen: int = 0) -> None:
        track.add(service, start, end, unseen=unseen)
        if socket is not None:
            self._single.add(start, end)


def _ranges(socket: Held, tracks: list[Track]) -> Iterator[OwnershipRange]:
    contested = touched_by_others(tracks)
    for track in tracks:
        for start, extent in track.ranges():
            gaps = track.gaps(start + 1, extent.end - 1)
            holes = (gap for gap in gaps if gap in track.stored_holes or contested(track.workload, gap))
            longest = max((end - begin for begin, end in gaps), default=0)
            service = track.service(start, extent.end)
            yield OwnershipRange(
                socket, track.workload, service, start, extent.end, max(longest, extent.unseen), tuple(holes)
            )
