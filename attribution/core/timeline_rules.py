"""The rules of attribution for one question about one key, on tracks; the table of `docs/design.md`, row by row.

The columnar index (`attribution.core.index`) answers the same for batches. Here the evidence is named as well, so that
an answer can be explained.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from attribution.config import Settings
from attribution.core.sockets import Socket
from attribution.core.tracks import Extent, Span, Track


@dataclass(frozen=True)
class Claim:
    """One range as evidence: who was seen, from when to when.

    Attributes:
        socket: the one that it is about; None for the whole address.
        workload: who.
        service: the one service that the heartbeats of the range name; None where they name none or several.
        start: first moment seen, µs.
        end: last moment seen, µs.
    """

    socket: Socket | None
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
        socket: the one whose evidence was asked; None where it was that of the whole address.
        evidence: the ranges that decided, in order of time: those that touch the asked interval, in `within` the one
            that was seen, in `shared` those of single sockets, by socket.
        alternatives: who else has counting evidence on the key, each with the range nearest to the asked interval,
            nearest first.
        holes: the holes that touch the asked interval, where these are why nobody is named.
    """

    workload: str | None
    service: str | None
    reason: str
    distance: int | None
    socket: Socket | None
    evidence: tuple[Claim, ...] = ()
    alternatives: tuple[Claim, ...] = ()
    holes: tuple[Span, ...] = ()


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


def decide(tracks: list[Track], question: Question, *, socket: Socket | None) -> Answer:
    """The answer of one key to one question.

    Args:
        tracks: the tracks of the key that count.
        question: what is asked.
        socket: that of the key, for the answer.
    """
    if not tracks:
        return Answer(None, None, "unknown", None, socket)
    a, b = question.a, question.b
    touching = [track for track in tracks if track.ranges(a, b)]
    evidence = claims(socket, touching, question)
    if len(touching) > 1:
        return _unattributed("conflict", tracks, evidence, question, socket=socket)
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


def claims(socket: Socket | None, tracks: Iterable[Track], question: Question) -> list[Claim]:
    """The ranges that touch the asked interval, in order of time."""
    a, b = question.a, question.b
    found = [_claim(socket, track, *one) for track in tracks if track.reaches(a, b) for one in track.ranges(a, b)]
    return sorted(found, key=lambda c: (c.start, c.end, c.workload))


def nearest_claims(socket: Socket | None, tracks: Iterable[Track], question: Question) -> list[Claim]:
    """Of every track the range nearest to the asked interval, nearest first."""
    a, b = question.a, question.b
    found = [_claim(socket, track, *track.nearest(a, b)) for track in tracks]
    return sorted(found, key=lambda c: (max(c.start - b, a - c.end, 0), c.workload))


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
    own: Track, reason: str, tracks: list[Track], evidence: list[Claim], question: Question, *, socket: Socket | None
) -> Answer:
    first = _first(own, question)
    low, high = (first, first) if reason == "within" else (question.a, question.b)
    gap = question.settings.max_gap
    return Answer(
        own.workload,
        own.service(low - gap, high + gap),
        reason,
        _distance(own, question),
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
    socket: Socket | None,
    holes: tuple[Span, ...] = (),
) -> Answer:
    alternatives = _alternatives(tracks, evidence, question, socket=socket)
    return Answer(None, None, reason, None, socket, tuple(evidence), alternatives, holes)


def _alternatives(
    tracks: list[Track], evidence: list[Claim], question: Question, *, socket: Socket | None
) -> tuple[Claim, ...]:
    shown = {claim.workload for claim in evidence}
    return tuple(nearest_claims(socket, (track for track in tracks if track.workload not in shown), question))


def _distance(own: Track, question: Question) -> int | None:
    """Time between the flow's start and the nearest piece of who is named; None where a stored range does not tell.

    Nobody is named across a hole, so a gap around the start is no hole; and what no longer counts is further away than
    what counts.
    """
    s, tolerance = question.start, question.settings.clock_tolerance
    before = own.spans.last(starting_by=s)
    after = own.spans.first(ending_from=s)
    if before is not None and before[1] >= s:
        unseen = max(extent.unseen for _, extent in own.ranges(s, s))
        return 0 if unseen <= tolerance else None
    if before is not None and after is not None and after[0] - before[1] <= tolerance:
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


def _claim(socket: Socket | None, track: Track, start: int, extent: Extent) -> Claim:
    return Claim(socket, track.workload, track.service(start, extent.end), start, extent.end)
