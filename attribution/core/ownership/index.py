"""The columnar index: a batch of questions about keys and intervals, answered from precomputed segments.

Each key's time is cut into **segments** wherever a piece, a range or a hole begins or ends, so that what the evidence
says is constant within a segment. What the rules need beyond the segment that `a` falls into is precomputed as a reach:
how far one owner goes on undisputed (`run_end`), how far its piece goes on (`piece_end`), from when on the interval
would touch two workloads (`conflict_at`). A question then costs one binary search and two comparisons; only what these
do not settle is looked at further.
"""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.columnar.arrays import last_at_or_before, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64, UInt8
from attribution.core.ownership.ranges import Evidence
from attribution.core.ownership.segments import Ahead, Segments, cut, look_ahead
from attribution.core.question import Question
from attribution.core.reasons import CODES

_BRIDGED, _CONFLICT, _COVERED = CODES["bridged"], CODES["conflict"], CODES["covered"]
_GAP, _UNKNOWN, _WITHIN = CODES["gap"], CODES["unknown"], CODES["within"]


#: What `EvidenceIndex.only_touching` gives where several workloads touch.
SEVERAL = -2


@dataclass(frozen=True)
class Answer:
    """What the evidence says to each question: the range that answers (-1: none), the reason's code, µs away."""

    range: Int32
    reason: UInt8
    distance: Int64


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


class EvidenceIndex:
    """Answers questions about keys from a digest of heartbeats; immutable once made."""

    def __init__(self, evidence: Evidence, settings: Settings) -> None:
        self.evidence = evidence
        self._settings = settings
        self._segments: Segments = cut(evidence)
        self._ahead: Ahead = look_ahead(evidence)
        self._nearness = Nearness(evidence)
        self._any_ephemeral = bool(evidence.keys.ephemeral.any())

    def ask(self, group: Int32, question: Question) -> Answer:
        """The answer of each question's key; group -1 (a key without evidence) is `unknown`."""
        segments = self._segments
        at = segments.find(group, question.a)
        answered = question.b <= segments.run_end.take(at)
        owner = np.where(answered, segments.owner.take(at), np.int32(-1))
        covered = question.b <= segments.piece_end.take(at)
        reason = np.where(covered, np.uint8(_COVERED), np.uint8(_BRIDGED))
        distance = np.zeros(len(group), np.int64)

        bridged = np.flatnonzero(answered & ~covered)
        if len(bridged):
            distance[bridged] = self._nearness.distance(owner[bridged], question.start[bridged])
        rest = np.flatnonzero(~answered)
        if len(rest):
            self._settle(rest, group[rest], at[rest], question.take(rest), Answer(owner, reason, distance))
        return Answer(owner, reason, distance)

    def counts(self, group: Int32, question: Question, *, within: int | None = None) -> Bool:
        """Whether each question's key has evidence that counts: not before retention, not after the hold.

        Args:
            group: the keys.
            question: the questions.
            within: in the place of retention, µs.
        """
        known = self._segments.pieces[self._segments.find(group, question.a)]
        return self._past(group, known, question, within) | self._coming(group, known, question)

    def _past(self, group: Int32, known: Int64, question: Question, within: int | None = None) -> Bool:
        within = self._settings.retention if within is None else within
        return self._ahead.last_end(group, known) >= question.start - within

    def _coming(self, group: Int32, known: Int64, question: Question) -> Bool:
        return self._ahead.next_start(group, known) <= question.end + self._settings.hold

    def _settle(self, rows: Int64, group: Int32, at: Int64, question: Question, answer: Answer) -> None:
        """Write the answers of the rows that no single owner settles: conflict, within, gap or unknown."""
        known = self._segments.pieces[at]
        conflict = self._segments.conflict_at[at] <= question.b
        reason = np.where(conflict, np.uint8(_CONFLICT), np.uint8(_GAP))
        answer.reason[rows] = reason
        ephemeral = self.evidence.keys.is_ephemeral(group) if self._any_ephemeral else np.zeros(len(group), np.bool_)
        inside = np.flatnonzero(ephemeral & ~conflict & question.connection)
        if len(inside):
            self._inside(rows[inside], group[inside], question.take(inside), answer)
        # Where somebody was seen before, it is a gap whatever comes; most rows end here.
        fresh = np.flatnonzero(~conflict & ~self._past(group, known, question))
        if len(fresh):
            self._newcomers(rows[fresh], group[fresh], known[fresh], question.take(fresh), answer)

    def _inside(self, rows: Int64, group: Int32, question: Question, answer: Answer) -> None:
        """Write the answers of the connections on ephemeral sockets during which one was surely seen."""
        owner = self._segments.owner[self._segments.find(group, question.b)]
        over = question.end - self._settings.clock_tolerance
        sure = np.flatnonzero((owner >= 0) & (self.evidence.ranges.start[owner] <= over))
        answer.reason[rows[sure]] = _WITHIN
        answer.range[rows[sure]] = owner[sure]
        answer.distance[rows[sure]] = self._nearness.distance(owner[sure], question.start[sure])

    def _newcomers(self, rows: Int64, group: Int32, known: Int64, question: Question, answer: Answer) -> None:
        """Write the answers of the rows whose key nobody was seen on before: within, gap or unknown."""
        coming = self._coming(group, known, question)
        answer.reason[rows[~coming]] = _UNKNOWN
        until = question.end - self._settings.clock_tolerance
        newcomer, alone = self._ahead.only_newcomer(group, known, until)
        within = np.flatnonzero(alone & question.connection & ~self.evidence.keys.is_ephemeral(group))
        within = within[self._seen_after(group[within], until[within], question.b[within])]
        if len(within):
            owner = self.evidence.pieces.range[newcomer[within]].astype(np.int32)
            answer.reason[rows[within]] = _WITHIN
            answer.range[rows[within]] = owner
            answer.distance[rows[within]] = self._nearness.distance(owner, question.start[within])

    def _seen_after(self, group: Int32, until: Int64, time: Int64) -> Bool:
        """Whether the key's last piece that begins by `until` ends at or after `time`."""
        begun = self._segments.pieces[self._segments.find(group, until)]
        return self._ahead.end_of_last(begun) >= time

    def only_touching(self, group: Int32, a: Int64, b: Int64) -> Int32:
        """The one workload whose ranges touch each [a, b]; -1 where none does, `SEVERAL` where several do."""
        return self._segments.only_touching(group, a, b)
