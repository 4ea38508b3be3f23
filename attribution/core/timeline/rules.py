"""The rules of attribution for one question about one key, on tracks; the table of `docs/design.md`, row by row.

The columnar index (`core.ownership.index`) answers the same for batches. Here the evidence is named as well, so that
an answer can be explained.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from attribution.config import Settings
from attribution.core.addressing.sockets import PortRange, Socket
from attribution.core.timeline.tracks import Extent, Span, Track

#: What a piece of evidence is about: a socket, a range of ports, or the whole address.
Held = Socket | PortRange | None


@dataclass(frozen=True)
class Step:
    """One key that was asked, and what it says by itself; `unknown` where nothing counts for it."""

    socket: Held
    reason: str


@dataclass(frozen=True)
class Claim:
    """One range as evidence: who was seen, from when to when.

    Attributes:
        socket: the socket, or range of ports, that it is about; None for the whole address.
        workload: who.
        service: the one service that the heartbeats of the range name; None where they name none or several.
        start: first moment seen, µs.
        end: last moment seen, µs.
    """

    socket: Held
    workload: str
    service: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """What the evidence says to one question, and which evidence that is.

    Attributes:
        workload: who is named; None where nobody is.
        service: its service.
        reason: `covered`, `bridged`, `within`, `conflict`, `gap`, `shared`, `unknown` or `too_old`.
        distance: µs between the flow's start and the nearest piece of the workload; None where nobody is named, and
            where only stored ranges are known and the moment lies in one whose pieces are not.
        socket: what the evidence that was asked is about; None where it was that of the whole address.
        evidence: the ranges that decided, in order of time: those that touch the asked interval, in `within` the one
            that was seen, in `shared` those of single sockets, by socket.
        alternatives: who else has counting evidence on the key, each with the range nearest to the asked interval,
            nearest first.
        holes: the holes that touch the asked interval, where these are why nobody is named.
        steps: the keys that were asked, in order.
    """

    workload: str | None
    service: str | None
    reason: str
    distance: int | None
    socket: Held
    evidence: tuple[Claim, ...] = ()
    alternatives: tuple[Claim, ...] = ()
    holes: tuple[Span, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Question:
    """One side of one flow: the flow's times and the asked interval, all µs.

    Attributes:
        start: start of the flow.
        end: end of the flow.
        connection: whether it is a connection; a window otherwise.
        settings: the settings that it is asked under.
    """

    start: int
    end: int
    connection: bool
    settings: Settings

    @property
    def a(self) -> int:
        """Start of the asked interval."""
        return self.start - self.settings.clock_tolerance

    @property
    def b(self) -> int:
        """End of the asked interval."""
        return (self.start if self.connection else self.end) + self.settings.clock_tolerance

    @property
    def oldest(self) -> int:
        """Evidence that ends before does not count."""
        return self.start - self.settings.retention

    @property
    def latest(self) -> int:
        """Evidence that starts after does not count."""
        return self.end + self.settings.hold


def counting(tracks: Iterable[Track], question: Question) -> list[Track]:
    """The tracks with evidence that counts, in no particular order."""
    oldest, latest = question.oldest, question.latest
    return [track for track in tracks if track.seen(oldest, latest)]


@dataclass(frozen=True)
class Key:
    """What is known of one key, as far as it counts for a question.

    Attributes:
        tracks: the tracks that count.
        socket: what the key is, for the answer.
        ephemeral: whether it is a socket that is given out per connection.
    """

    tracks: list[Track]
    socket: Held
    ephemeral: bool = False

    def touched_by(self, low: int, high: int) -> set[str]:
        """Whose ranges touch [low, high]."""
        return {track.workload for track in self.tracks if track.ranges(low, high)}


def decide_socket(exact: Key, ranged: Key, question: Question) -> Answer:
    """The answer for a socket of which there is evidence by itself, of ranges of ports that hold it, or both."""
    if not (exact.tracks and ranged.tracks):
        answer = decide(exact if exact.tracks else ranged, question)
        nothing = () if exact.tracks else (Step(exact.socket, "unknown"),)
        return replace(answer, steps=nothing + answer.steps)
    a, b = question.a, question.b
    answers = [decide(key, question) for key in (exact, ranged)]
    steps = tuple(step for answer in answers for step in answer.steps)
    for key, other, answer in zip((exact, ranged), (ranged, exact), answers, strict=True):
        around = question.settings.max_gap if answer.reason == "bridged" else 0
        alone = other.touched_by(a - around, b + around) <= {answer.workload}
        if answer.workload is not None and alone and (answer.reason != "within" or key.ephemeral):
            evidence, alternatives = _beside(other, question)
            return replace(
                answer,
                evidence=answer.evidence + evidence,
                alternatives=answer.alternatives + alternatives,
                steps=steps,
            )
    reason = "conflict" if len(exact.touched_by(a, b) | ranged.touched_by(a, b)) > 1 else "gap"
    holes = tuple(hole for answer in answers for hole in answer.holes)
    (evidence, alternatives), (more, others) = _beside(exact, question), _beside(ranged, question)
    return Answer(None, None, reason, None, exact.socket, evidence + more, alternatives + others, holes, steps)


def _beside(key: Key, question: Question) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The ranges of a key that touch the asked interval, and who else has evidence on it."""
    evidence = claims(key.socket, key.tracks, question)
    return tuple(evidence), _alternatives(key.tracks, evidence, question, socket=key.socket)


def decide(key: Key, question: Question) -> Answer:
    """The answer of one key to one question."""
    answer = _decide(key, question)
    return replace(answer, steps=(Step(key.socket, answer.reason),))


def _decide(key: Key, question: Question) -> Answer:
    tracks, socket = key.tracks, key.socket
    if not tracks:
        return Answer(None, None, "unknown", None, socket)
    a, b = question.a, question.b
    touching = [track for track in tracks if track.ranges(a, b)]
    evidence = claims(socket, touching, question)
    if len(touching) > 1:
        return _unattributed("conflict", tracks, evidence, question, socket=socket)
    if key.ephemeral:
        return _of_ephemeral(touching, tracks, evidence, question, socket=socket)
    holes: tuple[Span, ...] = ()
    for own in touching:
        holes = tuple(gap for gap in own.gaps(a, b) if _is_hole(gap, own, tracks))
        reason = None if holes else _held(own, question)
        if reason is not None:
            return _named(own, reason, tracks, evidence, question, socket=socket)
    newcomer = _within(tracks, question)
    if newcomer is not None:
        first = _first(newcomer, question)
        evidence = [_claim(socket, newcomer, *found) for found in newcomer.ranges(first, first)]
        return _named(newcomer, "within", tracks, evidence, question, socket=socket)
    return _unattributed("gap", tracks, evidence, question, socket=socket, holes=holes)


def claims(socket: Held, tracks: Iterable[Track], question: Question) -> list[Claim]:
    """The ranges that touch the asked interval, in order of time."""
    a, b = question.a, question.b
    found = [_claim(socket, track, *one) for track in tracks if track.reaches(a, b) for one in track.ranges(a, b)]
    return sorted(found, key=lambda c: (c.start, c.end, c.workload))


def nearest_claims(socket: Held, tracks: Iterable[Track], question: Question) -> list[Claim]:
    """Of every track the range nearest to the asked interval, nearest first."""
    a, b = question.a, question.b
    found = [_claim(socket, track, *track.nearest(a, b)) for track in tracks]
    return sorted(found, key=lambda c: (max(c.start - b, a - c.end, 0), c.workload))


def _of_ephemeral(
    touching: list[Track], tracks: list[Track], evidence: list[Claim], question: Question, *, socket: Held
) -> Answer:
    """One at the most touches: it is named where it was seen all the time, or surely inside the connection."""
    a, b = question.a, question.b
    over = question.end - question.settings.clock_tolerance
    for own in touching:
        start, extent = own.ranges(a, b)[-1]
        covered = start <= a and extent.end >= b
        if covered or (question.connection and start <= over and extent.end >= b):
            reason = "covered" if covered else "within"
            service = own.service(max(a, start), b)
            alternatives = _alternatives(tracks, evidence, question, socket=socket)
            distance = _distance(own, question, joined=0)
            return Answer(own.workload, service, reason, distance, socket, tuple(evidence), alternatives)
    return _unattributed("gap", tracks, evidence, question, socket=socket)


def _held(own: Track, question: Question) -> str | None:
    """`covered` or `bridged` where one range, whose holes do not touch it, covers all of the asked interval."""
    a, b, tolerance = question.a, question.b, question.settings.clock_tolerance
    start, extent = own.ranges(a, b)[0]
    if start > a or extent.end < b:
        return None
    open_gaps = (gap for gap in own.gaps(a, b) if gap[0] < b and gap[1] > a)
    joined = extent.unseen <= tolerance and all(gap[1] - gap[0] <= tolerance for gap in open_gaps)
    return "covered" if joined else "bridged"


def _within(tracks: list[Track], question: Question) -> Track | None:
    """Who alone was seen while the connection lasted, with nobody before."""
    tolerance = question.settings.clock_tolerance
    over = question.end - tolerance
    first = {track: _first(track, question) for track in tracks}
    if not question.connection or min(first.values()) <= question.a:
        return None
    seen = [track for track in tracks if first[track] <= over]
    if len(seen) != 1:
        return None
    sure = question.start + tolerance
    return seen[0] if _piece_reaches(seen[0], tracks, question, over=over, sure=sure) else None


def _piece_reaches(own: Track, tracks: list[Track], question: Question, *, over: int, sure: int) -> bool:
    """Whether a piece that starts by `over` ends at or after `sure`; the first one starts by then."""
    tolerance = question.settings.clock_tolerance
    (_, extent), *_ = own.ranges(_first(own, question), over)
    if extent.unseen > tolerance:
        # The pieces of a stored range are not known, but its last one ends with it.
        return sure <= extent.end <= over
    begun = reached = _first(own, question)
    for start, end in own.spans.since(question.oldest):
        gap = (reached, start)
        if start - reached > tolerance or (start > reached and _is_hole(gap, own, tracks)):
            begun = start
        if begun > over:
            return False
        reached = end
        if reached >= sure:
            return True
    return False


def _named(
    own: Track, reason: str, tracks: list[Track], evidence: list[Claim], question: Question, *, socket: Held
) -> Answer:
    first = _first(own, question)
    low, high = (first, first) if reason == "within" else (question.a, question.b)
    gap = question.settings.max_gap
    return Answer(
        own.workload,
        own.service(low - gap, high + gap),
        reason,
        _distance(own, question, joined=question.settings.clock_tolerance),
        socket,
        tuple(evidence),
        _alternatives(tracks, evidence, question, socket=socket),
    )


def _unattributed(
    reason: str,
    tracks: list[Track],
    evidence: list[Claim],
    question: Question,
    *,
    socket: Held,
    holes: tuple[Span, ...] = (),
) -> Answer:
    alternatives = _alternatives(tracks, evidence, question, socket=socket)
    return Answer(None, None, reason, None, socket, tuple(evidence), alternatives, holes)


def _alternatives(tracks: list[Track], evidence: list[Claim], question: Question, *, socket: Held) -> tuple[Claim, ...]:
    shown = {claim.workload for claim in evidence}
    return tuple(nearest_claims(socket, (track for track in tracks if track.workload not in shown), question))


def _distance(own: Track, question: Question, *, joined: int) -> int | None:
    """Time between the flow's start and the nearest piece of who is named; None where a stored range does not tell.

    Nobody is named across a hole, so a gap around the start is no hole; and what no longer counts is further away than
    what counts. Gaps of up to `joined` (µs) are none between pieces.
    """
    s = question.start
    before = own.spans.last(starting_by=s)
    after = own.spans.first(ending_from=s)
    if before is not None and before[1] >= s:
        unseen = max(extent.unseen for _, extent in own.ranges(s, s))
        return 0 if unseen <= joined else None
    if before is not None and after is not None and after[0] - before[1] <= joined:
        return 0
    back = [s - before[1]] if before is not None else []
    forth = [after[0] - s] if after is not None else []
    return min(back + forth)


def _is_hole(gap: Span, own: Track, tracks: list[Track]) -> bool:
    """Whether anybody else on the key was seen in the closed gap."""
    return gap in own.stored_holes or any(track is not own and track.seen(*gap) for track in tracks)


def _first(track: Track, question: Question) -> int:
    """Start of the first evidence of the track that counts."""
    first = track.spans.first(ending_from=question.oldest)
    if first is None:
        raise ValueError(f"{track.workload!r} was asked although none of its evidence counts")
    return first[0]


def _claim(socket: Held, track: Track, start: int, extent: Extent) -> Claim:
    return Claim(socket, track.workload, track.service(start, extent.end), start, extent.end)
