"""The columnar index: a batch of questions about keys and intervals, answered from precomputed segments.

The time of each key is cut into **segments** wherever a piece, a range or a hole begins or ends. So what the evidence
says is constant within a segment. A question finds the segment that `a` falls into by one binary search. What
the rules need beyond that segment is precomputed as a reach:

- `run_end`: how far one owner goes on undisputed;
- `piece_end`: how far its piece goes on;
- `conflict_at`: from which end on the interval touches two workloads.

Two comparisons with these settle most questions. Only the others are looked at further.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from attribution.config import Settings
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import NONE, last_at_or_before, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64, UInt8
from attribution.core.ownership.ordered_pieces import order_pieces
from attribution.core.ownership.ranges import RangeTables
from attribution.core.ownership.segments import build_segments
from attribution.core.question import Question
from attribution.core.reasons import CODES

_BRIDGED, _CONFLICT, _COVERED = CODES["bridged"], CODES["conflict"], CODES["covered"]
_GAP, _UNKNOWN, _WITHIN = CODES["gap"], CODES["unknown"], CODES["within"]


@dataclass(frozen=True)
class OwnerAnswers(AlignedColumns):
    """For each question the ownership range that answers it, and why.

    Attributes:
        range: number of the range; `NONE` where no range answers.
        reason: code of the reason (`reasons.CODES`).
        distance: µs between the flow's start and the nearest piece; 0 where no range answers.
    """

    range: Int32
    reason: UInt8
    distance: Int64

    @classmethod
    def unnamed(cls, reason: UInt8) -> Self:
        """Answers that name nobody, for these reasons."""
        return cls(np.full(len(reason), NONE), reason, np.zeros(len(reason), np.int64))


class RangeIndex:
    """Answers questions about keys from the ranges of heartbeats; immutable once made."""

    def __init__(self, tables: RangeTables, settings: Settings) -> None:
        self._tables, self._settings = tables, settings
        self._segments = build_segments(tables)
        self._pieces = order_pieces(tables)
        self._nearness = _Nearness(tables)
        self._any_ephemeral = bool(tables.keys.ephemeral.any())

    def ask(self, group: Int32, question: Question) -> OwnerAnswers:
        """The answer of each question's key; group -1 (a key without evidence) is `unknown`."""
        at = self._segments.find(group, question.a)
        answers = self._undisputed(at, question)
        rest = np.flatnonzero(answers.range < 0)
        if len(rest) == 0:
            return answers
        return answers.with_parts((rest, self._disputed(group[rest], at[rest], question.take(rest))))

    def counts(self, group: Int32, question: Question, *, within: int | None = None) -> Bool:
        """Whether each question's key has evidence that counts: not before retention, not after the hold.

        Args:
            group: the keys.
            question: the questions.
            within: in the place of retention, µs.
        """
        known = self._segments.pieces[self._segments.find(group, question.a)]
        return self._past(group, known, question, within) | self._coming(group, known, question)

    def only_touching(self, group: Int32, a: Int64, b: Int64) -> Int32:
        """The one workload whose ranges touch each [a, b]; `NONE` where none does, `SEVERAL` where several do."""
        return self._segments.only_touching(group, a, b)

    def _undisputed(self, at: Int64, question: Question) -> OwnerAnswers:
        """`covered` and `bridged`: the owner, where an interval lies in one owner's time; `NONE` elsewhere."""
        segments = self._segments
        owned = question.b <= segments.run_end.take(at)
        covered = question.b <= segments.piece_end.take(at)
        owner = np.where(owned, segments.owner.take(at), NONE)
        distance = np.zeros(len(at), np.int64)
        bridged = np.flatnonzero(owned & ~covered)
        if len(bridged):
            distance[bridged] = self._nearness.distance(owner[bridged], question.start[bridged])
        return OwnerAnswers(owner, np.where(covered, _COVERED, _BRIDGED), distance)

    def _disputed(self, group: Int32, at: Int64, question: Question) -> OwnerAnswers:
        """`conflict`, `within`, `gap` and `unknown`: the intervals that no single owner holds."""
        known = self._segments.pieces[at]
        conflict = self._segments.conflict_at[at] <= question.b
        answers = OwnerAnswers.unnamed(np.where(conflict, _CONFLICT, _GAP))
        if self._any_ephemeral:
            rows = np.flatnonzero(self._tables.keys.is_ephemeral(group) & ~conflict & question.connection)
            if len(rows):
                answers = answers.with_parts((rows, self._ephemeral(group[rows], question.take(rows))))
        # Where somebody was seen before, it is a gap whatever comes. Most rows end here.
        fresh = np.flatnonzero((answers.range < 0) & ~conflict & ~self._past(group, known, question))
        if len(fresh):
            answers = answers.with_parts((fresh, self._newcomers(group[fresh], known[fresh], question.take(fresh))))
        return answers

    def _ephemeral(self, group: Int32, question: Question) -> OwnerAnswers:
        """`within` for connections on ephemeral sockets during which one workload was surely seen; else `gap`."""
        owner = self._segments.owner[self._segments.find(group, question.b)]
        over = question.end - self._settings.clock_tolerance
        sure = (owner >= 0) & (self._tables.ranges.start[owner] <= over)
        return self._within(np.where(sure, owner, NONE), np.full(len(owner), _GAP), question)

    def _newcomers(self, group: Int32, known: Int64, question: Question) -> OwnerAnswers:
        """`within`, `gap` or `unknown` for keys on which nobody was seen before."""
        coming = self._coming(group, known, question)
        until = question.end - self._settings.clock_tolerance
        newcomer, alone = self._pieces.only_newcomer(group, known, until)
        alone &= question.connection & (group < self._tables.keys.addresses)
        rows = np.flatnonzero(alone)
        rows = rows[self._seen_after(group[rows], until[rows], question.b[rows])]
        owner = np.full(len(group), NONE)
        owner[rows] = self._tables.pieces.range[newcomer[rows]]
        return self._within(owner, np.where(coming, _GAP, _UNKNOWN), question)

    def _within(self, owner: Int32, otherwise: UInt8, question: Question) -> OwnerAnswers:
        """`within` where there is an owner; nobody elsewhere, for the reason `otherwise`."""
        named = owner >= 0
        rows = np.flatnonzero(named)
        distance = np.zeros(len(owner), np.int64)
        if len(rows):
            distance[rows] = self._nearness.distance(owner[rows], question.start[rows])
        return OwnerAnswers(owner, np.where(named, _WITHIN, otherwise), distance)

    def _past(self, group: Int32, known: Int64, question: Question, within: int | None = None) -> Bool:
        """Whether a piece that is known by the asked interval ended no more than `within` before the flow."""
        within = self._settings.retention if within is None else within
        return self._pieces.last_end(group, known) >= question.start - within

    def _coming(self, group: Int32, known: Int64, question: Question) -> Bool:
        """Whether a piece begins after the asked interval does, and no later than the hold allows."""
        return self._pieces.next_start(group, known) <= question.end + self._settings.hold

    def _seen_after(self, group: Int32, until: Int64, time: Int64) -> Bool:
        """Whether the key's last piece that begins by `until` ends at or after `time`."""
        begun = self._segments.pieces[self._segments.find(group, until)]
        return self._pieces.end_of_last(begun) >= time


class _Nearness:
    """How far a moment is from the pieces of a range's workload on the range's key.

    These pieces stand together in `RangeTables.pieces`, in order of time.
    """

    def __init__(self, tables: RangeTables) -> None:
        pieces = tables.pieces
        self._start, self._end = pieces.start, pieces.end
        if len(pieces.start):
            first = starts_of_runs(pieces.group, pieces.workload)
            edges = np.append(np.flatnonzero(first), len(first))
            run = (np.cumsum(first) - 1)[starts_of_runs(pieces.range)]
            self._low, self._length = edges[run], np.diff(edges)[run]

    def distance(self, ranges: Int32, time: Int64) -> Int64:
        """Time (µs) between each moment and the nearest piece of the range's workload; 0 where a piece covers it."""
        low, length = self._low[ranges], self._length[ranges]
        before = last_at_or_before(self._start, low, length, time)
        after = np.minimum(before + 1, low + length - 1)
        return np.minimum(self._away(before, time), self._away(after, time))

    def _away(self, piece: Int64, time: Int64) -> Int64:
        return np.maximum(np.maximum(self._start[piece] - time, time - self._end[piece]), 0)
