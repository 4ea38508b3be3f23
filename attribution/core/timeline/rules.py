"""The rules of attribution for one question about one key, on tracks; the table of `docs/design.md`, row by row.

The columnar index (`core.ownership.index`) answers the same for batches. Here the evidence is named as well, so that an
answer can be explained.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from attribution.core.timeline.answer import AskedInterval, AskedKey, Claim, ExplainedAnswer, Held
from attribution.core.timeline.intervals import Interval
from attribution.core.timeline.tracks import Extent, Track


@dataclass(frozen=True)
class Key:
    """What is known of one key, as far as it counts for a question.

    Attributes:
        tracks: the tracks that count.
        socket: what the key is, for the answer.
        ephemeral: whether it is a socket that is given out per connection.
        claim: `shown` if the key is the connections that were opened from the socket.
    """

    tracks: list[Track]
    socket: Held
    ephemeral: bool = False
    claim: str | None = None

    def touched_by(self, low: int, high: int) -> set[str]:
        """Whose ranges touch [low, high]."""
        return {track.workload for track in self.tracks if track.ranges(low, high)}


def counting(tracks: Iterable[Track], asked: AskedInterval) -> list[Track]:
    """The tracks with evidence that counts, in no particular order."""
    oldest, latest = asked.oldest, asked.latest
    return [track for track in tracks if track.seen(oldest, latest)]


def decide_socket(socket: Held, keys: list[Key], asked: AskedInterval) -> ExplainedAnswer:
    """The answer for a socket, by the keys that are about it and have evidence, in the order in which they answer."""
    nothing = () if (keys[0].socket, keys[0].claim) == (socket, None) else (AskedKey(socket, "unknown"),)
    if len(keys) == 1:
        answer = decide(keys[0], asked)
        return replace(answer, steps=nothing + answer.steps)
    a, b = asked.a, asked.b
    answers = [decide(key, asked) for key in keys]
    steps = nothing + tuple(step for answer in answers for step in answer.steps)
    for key, answer in zip(keys, answers, strict=True):
        around = asked.settings.max_gap if answer.reason == "bridged" else 0
        others = [other for other in keys if other is not key]
        if answer.workload is not None and _touching(others, a - around, b + around) <= {answer.workload}:
            evidence, alternatives = _beside(others, asked)
            return replace(
                answer,
                evidence=answer.evidence + evidence,
                alternatives=answer.alternatives + alternatives,
                steps=steps,
            )
    reason = "conflict" if len(_touching(keys, a, b)) > 1 else "gap"
    holes = tuple(hole for answer in answers for hole in answer.holes)
    evidence, alternatives = _beside(keys, asked)
    return ExplainedAnswer(None, None, reason, None, keys[0].socket, evidence, alternatives, holes, steps)


def decide(key: Key, asked: AskedInterval) -> ExplainedAnswer:
    """The answer of one key to one question."""
    answer = _decide(key, asked)
    return replace(answer, steps=(AskedKey(key.socket, answer.reason, key.claim),))


def claims(key: Key, tracks: Iterable[Track], asked: AskedInterval) -> list[Claim]:
    """The ranges of tracks of a key that touch the asked interval, in order of time."""
    a, b = asked.a, asked.b
    found = [_claim(key, track, *one) for track in tracks if track.reaches(a, b) for one in track.ranges(a, b)]
    return sorted(found, key=lambda c: (c.start, c.end, c.workload))


def nearest_claims(key: Key, tracks: Iterable[Track], asked: AskedInterval) -> list[Claim]:
    """Of every track the range nearest to the asked interval, nearest first."""
    a, b = asked.a, asked.b
    found = [_claim(key, track, *track.nearest(a, b)) for track in tracks]
    return sorted(found, key=lambda c: (max(c.start - b, a - c.end, 0), c.workload))


def _touching(keys: Iterable[Key], low: int, high: int) -> set[str]:
    """Whose ranges on these keys touch [low, high]."""
    return {workload for key in keys for workload in key.touched_by(low, high)}


def _beside(keys: Iterable[Key], asked: AskedInterval) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The ranges of keys that touch the asked interval, and who else has evidence on these keys."""
    evidence: list[Claim] = []
    alternatives: list[Claim] = []
    for key in keys:
        touching = claims(key, key.tracks, asked)
        evidence += touching
        alternatives += _alternatives(key, touching, asked)
    return tuple(evidence), tuple(alternatives)


def _decide(key: Key, asked: AskedInterval) -> ExplainedAnswer:
    tracks, socket = key.tracks, key.socket
    if not tracks:
        return ExplainedAnswer(None, None, "unknown", None, socket)
    a, b = asked.a, asked.b
    touching = [track for track in tracks if track.ranges(a, b)]
    evidence = claims(key, touching, asked)
    if len(touching) > 1:
        return _unattributed("conflict", key, evidence, asked)
    if key.ephemeral:
        return _ephemeral(touching, key, evidence, asked)
    holes: tuple[Interval, ...] = ()
    for own in touching:
        holes = tuple(gap for gap in own.gaps(a, b) if _is_hole(gap, own, tracks))
        reason = None if holes else _holding(own, asked)
        if reason is not None:
            return _named(own, reason, key, evidence, asked)
    newcomer = _within(tracks, asked) if socket is None else None
    if newcomer is not None:
        first = _first(newcomer, asked)
        evidence = [_claim(key, newcomer, *found) for found in newcomer.ranges(first, first)]
        return _named(newcomer, "within", key, evidence, asked)
    return _unattributed("gap", key, evidence, asked, holes=holes)


def _ephemeral(touching: list[Track], key: Key, evidence: list[Claim], asked: AskedInterval) -> ExplainedAnswer:
    """The answer of an ephemeral socket, which at most one workload touches.

    That workload is named if it was seen all the time, or surely inside the connection.
    """
    a, b = asked.a, asked.b
    over = asked.end - asked.settings.clock_tolerance
    for own in touching:
        start, extent = own.ranges(a, b)[-1]
        covered = start <= a and extent.end >= b
        if covered or (asked.connection and start <= over and extent.end >= b):
            reason = "covered" if covered else "within"
            service = own.service(max(a, start), b)
            alternatives = _alternatives(key, evidence, asked)
            distance = _distance(own, asked, joined=0)
            return ExplainedAnswer(own.workload, service, reason, distance, key.socket, tuple(evidence), alternatives)
    return _unattributed("gap", key, evidence, asked)


def _holding(own: Track, asked: AskedInterval) -> str | None:
    """`covered` or `bridged` if one range, whose holes do not touch it, covers all of the asked interval."""
    a, b, tolerance = asked.a, asked.b, asked.settings.clock_tolerance
    start, extent = own.ranges(a, b)[0]
    if start > a or extent.end < b:
        return None
    open_gaps = (gap for gap in own.gaps(a, b) if gap[0] < b and gap[1] > a)
    joined = extent.unseen <= tolerance and all(gap[1] - gap[0] <= tolerance for gap in open_gaps)
    return "covered" if joined else "bridged"


def _within(tracks: list[Track], asked: AskedInterval) -> Track | None:
    """Who alone was seen while the connection lasted, with nobody before."""
    tolerance = asked.settings.clock_tolerance
    over = asked.end - tolerance
    first = {track: _first(track, asked) for track in tracks}
    if not asked.connection or min(first.values()) <= asked.a:
        return None
    seen = [track for track in tracks if first[track] <= over]
    if len(seen) != 1:
        return None
    sure = asked.start + tolerance
    return seen[0] if _piece_reaches(seen[0], tracks, asked, over=over, sure=sure) else None


def _piece_reaches(own: Track, tracks: list[Track], asked: AskedInterval, *, over: int, sure: int) -> bool:
    """Whether a piece that starts by `over` ends at or after `sure`; the first piece starts by then."""
    tolerance = asked.settings.clock_tolerance
    (_, extent), *_ = own.ranges(_first(own, asked), over)
    if extent.unseen > tolerance:
        # The pieces of a stored range are not known, but its last piece ends with the range.
        return sure <= extent.end <= over
    begun = reached = _first(own, asked)
    for start, end in own.seen_intervals.since(asked.oldest):
        gap = (reached, start)
        if start - reached > tolerance or (start > reached and _is_hole(gap, own, tracks)):
            begun = start
        if begun > over:
            return False
        reached = end
        if reached >= sure:
            return True
    return False


def _named(own: Track, reason: str, key: Key, evidence: list[Claim], asked: AskedInterval) -> ExplainedAnswer:
    first = _first(own, asked)
    low, high = (first, first) if reason == "within" else (asked.a, asked.b)
    gap = asked.settings.max_gap
    return ExplainedAnswer(
        own.workload,
        own.service(low - gap, high + gap),
        reason,
        _distance(own, asked, joined=asked.settings.clock_tolerance),
        key.socket,
        tuple(evidence),
        _alternatives(key, evidence, asked),
    )


def _unattributed(
    reason: str, key: Key, evidence: list[Claim], asked: AskedInterval, *, holes: tuple[Interval, ...] = ()
) -> ExplainedAnswer:
    alternatives = _alternatives(key, evidence, asked)
    return ExplainedAnswer(None, None, reason, None, key.socket, tuple(evidence), alternatives, holes)


def _alternatives(key: Key, evidence: list[Claim], asked: AskedInterval) -> tuple[Claim, ...]:
    shown = {claim.workload for claim in evidence}
    return tuple(nearest_claims(key, (track for track in key.tracks if track.workload not in shown), asked))


def _distance(own: Track, asked: AskedInterval, *, joined: int) -> int | None:
    """Time between the flow's start and the nearest piece of the named workload; None if a stored range hides it.

    Nobody is named across a hole, so a gap around the start is no hole. Evidence that no longer counts is further away
    than evidence that counts, and does not matter. A gap of up to `joined` (µs) does not part two pieces.
    """
    s = asked.start
    before = own.seen_intervals.last(starting_by=s)
    after = own.seen_intervals.first(ending_from=s)
    if before is not None and before[1] >= s:
        unseen = max(extent.unseen for _, extent in own.ranges(s, s))
        return 0 if unseen <= joined else None
    if before is not None and after is not None and after[0] - before[1] <= joined:
        return 0
    back = [s - before[1]] if before is not None else []
    forth = [after[0] - s] if after is not None else []
    return min(back + forth)


def _is_hole(gap: Interval, own: Track, tracks: list[Track]) -> bool:
    """Whether anybody else on the key was seen in the closed gap."""
    return gap in own.stored_holes or any(track is not own and track.seen(*gap) for track in tracks)


def _first(track: Track, asked: AskedInterval) -> int:
    """Start of the first evidence of the track that counts."""
    first = track.seen_intervals.first(ending_from=asked.oldest)
    if first is None:
        raise ValueError(f"{track.workload!r} was asked although none of its evidence counts")
    return first[0]


def _claim(key: Key, track: Track, start: int, extent: Extent) -> Claim:
    return Claim(key.socket, track.workload, track.service(start, extent.end), start, extent.end, key.claim)
