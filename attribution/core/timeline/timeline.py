"""The mutable view on ownership: one timeline a place, which takes heartbeats in any order and answers at once.

For explanations of single flows and addresses. The columnar index answers batches. Both follow the same rules and are
held to the same oracle. Adding costs O(log n), and asking O(w log n) for w workloads seen on the key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from sortedcontainers import SortedDict

from attribution.config import Settings
from attribution.core.addressing.sockets import PortRange, Socket
from attribution.core.timeline.answer import AskedInterval, AskedKey, ExplainedAnswer, Held
from attribution.core.timeline.intervals import NEVER, Interval, IntervalSet
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
    claim: str | None = None


#: A key of a timeline: what its evidence is about, and the claim of its ranges.
_Key: TypeAlias = tuple[Held, str | None]

#: Claims that count only if explicit evidence comes before them, and the claim of their ranges.
_OPEN = {"accepted": None, "opened": "shown"}


class Timeline:
    """Who was seen on one address of one network, and who held it at a moment.

    A pure function of the set of heartbeats added: neither their order nor repetition changes an answer.

    Args:
        settings: the settings of the rules.
        translated: whether the address is in one of `translated_prefixes`.
    """

    def __init__(self, settings: Settings, *, translated: bool = False) -> None:
        self._settings, self._translated = settings, translated
        # For each key the track of each workload; and when there was explicit evidence of ports, whoever held them.
        self._keys: dict[_Key, dict[str, Track]] = {}
        self._explicit = IntervalSet()
        self._forgotten = -NEVER
        # The claims that do not count yet, by their start.
        self._pending: SortedDict[int, list[_OpenClaim]] = SortedDict()

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
        - Evidence of a port counts as explicit, even if it is a claim. So the address may be held by port for up to
          `max_gap` longer.
        - Of ranges of ports that overlap and are not the same, it is not known who was seen in whose silence.
        """
        timeline = cls(settings, translated=translated)
        for one in ranges:
            edges = [one.start, *(moment for hole in one.holes for moment in hole), one.end]
            track = timeline._track((one.socket, one.claim), one.workload)
            track.stored_holes.update(one.holes)
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                track.add(one.service, start, end, unseen=one.longest_gap)
                timeline._see_port(one.socket, start, end)
        return timeline

    def add(
        self, socket: Held, workload: str, service: str | None, start: int, end: int, *, claim: str | None = None
    ) -> None:
        """Add one heartbeat; a socket of None is the whole address, times are µs.

        Args:
            socket: what it is about.
            workload: the workload.
            service: the service that it names.
            start: its first moment.
            end: its last moment.
            claim: what it claims, as the field of `schemas/heartbeat.avsc`; of a single socket only.

        Raises:
            ValueError: it ends before it starts.
        """
        if end < start:
            raise ValueError(f"cannot add a heartbeat of {workload!r}: it ends at {end}, before it starts at {start}")
        if claim not in _OPEN:
            self._track((socket, claim), workload).add(service, start, end)
            self._see_port(socket, start, end)
            return
        one = _OpenClaim((socket, _OPEN[claim]), workload, service, start, end)
        if self._explicit.touch(start - self._settings.max_gap, start):
            self._count(one)
        else:
            self._pending.setdefault(start, []).append(one)

    def ask(
        self, socket: Socket | None, start: int, end: int, *, basis: str = "connection", opened: bool | None = None
    ) -> ExplainedAnswer:
        """Who held the address, or its socket, for a flow from `start` to `end` (µs), by the key that the rules choose.

        Args:
            socket: None if the flow has no socket.
            start: start of the flow.
            end: end of the flow.
            basis: `connection` or `window`.
            opened: whether the side opened the connection; False if it accepted it, None if that is not known.
        """
        interval = AskedInterval(start, end, basis == "connection", self._settings, opened)
        if end - start > self._settings.retention:
            return ExplainedAnswer(None, None, "too_old", None, None)
        asked = () if socket is None else (AskedKey(socket, "unknown"),)
        whole = counting(self._keys.get((None, None), {}).values(), interval)
        if not self._is_held_by_port(interval):
            answer = decide(Key(whole, None), interval)
            return replace(answer, steps=asked + answer.steps)
        keys = [] if socket is None else self._about(socket, interval)
        return decide_socket(socket, keys, interval) if keys else self._shared(whole, asked, interval)

    def stands(self, start: int, end: int) -> bool:
        """Whether any heartbeat, of whatever socket, counts for a flow from `start` to `end` (µs)."""
        interval = AskedInterval(start, end, connection=True, settings=self._settings)
        whole = self._keys.get((None, None), {})
        return self._is_held_by_port(interval) or self._seen(whole, interval)

    def ranges(self) -> list[OwnershipRange]:
        """The ownership ranges of all keys, the whole address first, then by socket, claim, start and workload."""
        found = [one for key, tracks in self._keys.items() for one in _ranges(key, [*tracks.values()])]
        return sorted(found, key=lambda r: (r.socket or (), r.claim or "", r.start, r.workload))

    def forget(self, before: int) -> bool:
        """Drop heartbeats that end before a moment (µs), and say whether any are left.

        No answer changes for flows that start at or after `before` + `retention`.
        """
        kept = {}
        for key, tracks in self._keys.items():
            some = {workload: track for workload, track in tracks.items() if track.forget(before)}
            if some:
                kept[key] = some
        self._keys = kept
        # Whether a claim that is still to come counts, explicit evidence shortly before it decides.
        self._explicit.forget(before - self._settings.max_gap)
        self._forgotten = max(self._forgotten, before)
        pending = ((start, [one for one in some if one.end >= before]) for start, some in self._pending.items())
        self._pending = SortedDict({start: some for start, some in pending if some})
        return bool(kept) or bool(self._pending)

    def _is_held_by_port(self, asked: AskedInterval) -> bool:
        """Whether workloads hold the address by port for a flow."""
        if self._explicit.touch(max(asked.oldest, self._forgotten), asked.latest):
            return True
        return self._translated and any(self._seen(of, asked) for of in self._keys.values())

    @staticmethod
    def _seen(tracks: dict[str, Track], asked: AskedInterval) -> bool:
        return any(track.seen(asked.oldest, asked.latest) for track in tracks.values())

    def _is_ephemeral(self, key: _Key) -> bool:
        """Whether a key is a socket that is given out per connection."""
        socket, claim = key
        by_number = isinstance(socket, Socket) and socket.port in self._settings.ports_of_connections
        return isinstance(socket, Socket) and (claim == "shown" or self._translated or by_number)

    def _about(self, socket: Socket, interval: AskedInterval) -> list[Key]:
        """The keys that are about a socket and have evidence that counts, in the order in which they answer."""
        listening, connections = (socket, None), (socket, "shown")
        single = [connections] if interval.did_open and not self._is_ephemeral(listening) else [listening, connections]
        keys = [
            Key(counting(self._keys.get(key, {}).values(), interval), socket, self._is_ephemeral(key), key[1])
            for key in (single[:1] if interval.did_accept else single)
        ]
        return [key for key in (*keys, self._ranged(socket, interval)) if key.tracks]

    def _ranged(self, socket: Socket, interval: AskedInterval) -> Key:
        """The evidence of ranges of ports that hold a socket, as far as it counts: one track a workload."""
        holding = [held for held, _ in self._keys if isinstance(held, PortRange) and held.holds(socket)]
        tracks: dict[str, list[Track]] = {}
        for held in holding:
            for track in counting(self._keys[held, None].values(), interval):
                tracks.setdefault(track.workload, []).append(track)
        united = [some[0] if len(some) == 1 else Track.united(some) for some in tracks.values()]
        first = max((held.port for held in holding), default=socket.port)
        last = min((held.last_port for held in holding), default=socket.port)
        return Key(united, PortRange(socket.protocol, first, last))

    def _shared(self, whole: list[Track], asked: tuple[AskedKey, ...], interval: AskedInterval) -> ExplainedAnswer:
        """The answer where workloads hold the address by port, and of the flow's own socket nothing was seen."""
        keys = [
            Key([*tracks.values()], socket, claim=claim)
            for (socket, claim), tracks in self._keys.items()
            if socket is not None
        ]
        in_order = sorted(keys, key=lambda key: (tuple(key.socket or ()), key.claim or ""))
        evidence = [one for key in in_order for one in claims(key, key.tracks, interval)]
        alternatives = nearest_claims(Key(whole, None), whole, interval)
        steps = (*asked, AskedKey(None, "shared"))
        return ExplainedAnswer(None, None, "shared", None, None, tuple(evidence), tuple(alternatives), steps=steps)

    def _track(self, key: _Key, workload: str) -> Track:
        tracks = self._keys.setdefault(key, {})
        found = tracks.get(workload)
        if found is None:
            max_gap = 0 if self._is_ephemeral(key) else self._settings.max_gap
            found = tracks[workload] = Track(workload, max_gap=max_gap)
        return found

    def _see_port(self, socket: Held, start: int, end: int) -> None:
        """Note explicit evidence of a port; claims that begin in it, or shortly after, count from now on."""
        if socket is None:
            return
        self._explicit.add(start, end)
        for begun in [*self._pending.irange(start, end + self._settings.max_gap)]:
            for one in self._pending.pop(begun):
                self._count(one)

    def _count(self, one: "_OpenClaim") -> None:
        self._track(one.key, one.workload).add(one.service, one.start, one.end)


@dataclass(frozen=True)
class _OpenClaim:
    """A claim that counts only if explicit evidence comes shortly before it."""

    key: _Key
    workload: str
    service: str | None
    start: int
    end: int


def _ranges(key: _Key, tracks: list[Track]) -> Iterator[OwnershipRange]:
    contested = touched_by_others(tracks)
    for track in tracks:
        for start, extent in track.ranges():
            gaps = track.gaps(start + 1, extent.end - 1)
            holes = (gap for gap in gaps if gap in track.stored_holes or contested(track.workload, gap))
            longest = max((end - begin for begin, end in gaps), default=0)
            service = track.service(start, extent.end)
            longest = max(longest, extent.unseen)
            yield OwnershipRange(
                key[0], track.workload, service, start, extent.end, longest, tuple(holes), claim=key[1]
            )
