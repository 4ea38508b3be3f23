"""Segments: each key's time cut where what the evidence says changes, with what lies ahead of each cut.

Built by one sort of all boundaries and a running sum over them. Ranges and pieces of one workload never overlap on a
key, so where exactly one of them is open the running sum of their numbers *is* its number: no search is needed to
know the owner of a segment.
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.arrays import (
    NEVER_AFTER,
    NEVER_BEFORE,
    last_at_or_before,
    next_start,
    order_by,
    running_max,
    starts_of_runs,
)
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.ownership.ranges import Evidence

_NOBODY, _DISPUTED = -1, -2


@dataclass(frozen=True)
class Segments:
    """Every key's time, cut; the first segment of a key begins before all time.

    Attributes:
        offset: first segment of each group, shifted by one: group -1 is a key on which nothing was ever seen.
        time: first microsecond of each segment.
        owner: the range whose workload holds the key undisputed in this segment and without a hole; else -1.
        run_end: last microsecond up to which that goes on; before all time where there is no owner.
        piece_end: last microsecond of the piece that covers the segment; before all time where none does.
        conflict_at: first moment from which on an interval that begins in this segment touches two workloads.
        pieces: number of pieces, over all keys in order, up to those that begin with this segment.
        toucher: workload of the first range that an interval from here on touches; -1 nobody, -2 several at once.
        touch_at: when that is.
    """

    offset: Int64
    time: Int64
    owner: Int32
    run_end: Int64
    piece_end: Int64
    conflict_at: Int64
    pieces: Int64
    toucher: Int32
    touch_at: Int64

    def find(self, group: Int32, time: Int64) -> Int64:
        """The segment of each key that holds each moment."""
        low = self.offset.take(group + 1)
        length = self.offset.take(group + 2) - low
        return last_at_or_before(self.time, low, length, time)

    def only_touching(self, group: Int32, a: Int64, b: Int64) -> Int32:
        """The one workload whose ranges touch each [a, b]; -1 where none does, -2 where several do."""
        at = self.find(group, a)
        touched = np.where(self.touch_at[at] <= b, self.toucher[at], np.int32(_NOBODY))
        return np.where(self.conflict_at[at] <= b, np.int32(_DISPUTED), touched)


def cut(evidence: Evidence) -> Segments:
    """The segments of all keys."""
    group, time = _boundaries(evidence)
    order = order_by(group, time)
    group, time = group[order], time[order]
    begin = np.flatnonzero(starts_of_runs(group, time))
    group, time = group[begin], time[begin]
    opened = _Opened(evidence, order, begin)

    new_key = starts_of_runs(group)
    ranges, owner = opened.ranges()
    holder = np.append(evidence.ranges.workload, np.int32(_NOBODY))[owner]
    holder[ranges > 1] = _DISPUTED
    piece = np.where(ranges == 1, opened.pieces(), -1)
    owner = np.where(opened.holes() == 0, owner, -1)
    toucher, touch_at, conflict_at = _touches(holder, group, time)
    return Segments(
        offset=np.append(np.flatnonzero(new_key), len(time)),
        time=time,
        owner=owner.astype(np.int32),
        run_end=_reach(owner, new_key, time),
        piece_end=_reach(piece, new_key, time),
        conflict_at=conflict_at,
        pieces=opened.pieces_begun(),
        toucher=toucher,
        touch_at=touch_at,
    )


def _boundaries(evidence: Evidence) -> tuple[Int64, Int64]:
    """Group (shifted by one) and time of all boundaries: of keys, pieces (starts, ends) and holes (starts, ends)."""
    pieces, holes = evidence.pieces, evidence.holes
    of_hole = evidence.ranges.group[holes.range] + 1
    keys = np.arange(evidence.keys.groups + 1, dtype=np.int64)
    # Only just before all evidence, so that (group, time) still sorts as one number.
    before_all = np.full(len(keys), int(pieces.start.min(initial=NEVER_AFTER)) - 1, np.int64)
    return (
        np.concatenate([keys, pieces.group + 1, pieces.group + 1, of_hole, of_hole]),
        np.concatenate([before_all, pieces.start, pieces.end + 1, holes.start, holes.end + 1]),
    )


class _Opened:
    """How much of each kind is open in each segment, by running sums over what the boundaries open and close."""

    def __init__(self, evidence: Evidence, order: Int64, begin: Int64) -> None:
        self._evidence, self._order = evidence, order
        self._last = np.append(begin[1:], len(order)) - 1
        pieces = evidence.pieces
        size = len(pieces.start)
        self._number = np.arange(1, size + 1, dtype=np.int64)
        self._opens = starts_of_runs(pieces.range)
        self._closes = np.append(self._opens[1:], True) if size else self._opens

    def _sum(self, at_start: Int64, at_end: Int64, at_hole: int = 0) -> Int64:
        keys = np.zeros(self._evidence.keys.groups + 1, np.int64)
        hole = np.full(len(self._evidence.holes.start), at_hole, np.int64)
        change = np.concatenate([keys, at_start, -at_end, hole, -hole])
        return np.cumsum(change.take(self._order)).take(self._last)

    def _the_one(self, opens: Bool, closes: Bool, number: Int64) -> tuple[Int64, Int64]:
        """How many are open, and the number of the one; -1 where not exactly one is."""
        count = self._sum(opens.astype(np.int64), closes.astype(np.int64))
        total = self._sum(opens * number, closes * number)
        return count, np.where(count == 1, total - 1, -1)

    def ranges(self) -> tuple[Int64, Int64]:
        """Ranges open, and the number of the one."""
        return self._the_one(self._opens, self._closes, self._evidence.pieces.range + 1)

    def pieces(self) -> Int64:
        """The piece that is open where exactly one is; -1 elsewhere."""
        every = np.ones(len(self._number), np.bool_)
        return self._the_one(every, every, self._number)[1]

    def holes(self) -> Int64:
        """Holes open."""
        if len(self._evidence.holes.start) == 0:
            return np.zeros(len(self._last), np.int64)
        nothing = np.zeros(len(self._evidence.pieces.start), np.int64)
        return self._sum(nothing, nothing, at_hole=1)

    def pieces_begun(self) -> Int64:
        """Pieces begun so far, over all keys in order."""
        ones = np.ones(len(self._evidence.pieces.start), np.int64)
        return self._sum(ones, np.zeros_like(ones))


def _reach(owner: Int64, new_key: Bool, time: Int64) -> Int64:
    """Last microsecond up to which the same owner goes on; before all time where there is none (-1)."""
    following = next_start(new_key | starts_of_runs(owner), len(owner))
    closing = np.append(time, NEVER_AFTER)
    return np.where(owner >= 0, closing[following] - 1, NEVER_BEFORE)


def _touches(holder: Int32, group: Int64, time: Int64) -> tuple[Int32, Int64, Int64]:
    """For each segment the first workload at or after it, when that is, and when a second one is touched."""
    is_held = holder != _NOBODY
    held = np.flatnonzero(is_held)
    who, when, where = holder[held], time[held], group[held]
    change = starts_of_runs(who, where) if len(held) else np.zeros(0, np.bool_)
    following = next_start(change, len(held))
    same_key = np.append(where, -1)[following] == where
    second = np.where(same_key, np.append(when, NEVER_AFTER)[following], NEVER_AFTER)
    second = np.where(who == _DISPUTED, when, second)

    ahead = np.cumsum(is_held) - is_held
    same_key = np.append(where, -1)[ahead] == group
    return (
        np.where(same_key, np.append(who, np.int32(_NOBODY))[ahead], np.int32(_NOBODY)).astype(np.int32),
        np.where(same_key, np.append(when, NEVER_AFTER)[ahead], NEVER_AFTER),
        np.where(same_key, np.append(second, NEVER_AFTER)[ahead], NEVER_AFTER),
    )


@dataclass(frozen=True)
class Ahead:
    """The pieces in (key, time) order, with what is seen from each: backwards its past, forwards who comes next.

    Attributes:
        offset: first piece of each group, shifted by one as in `Segments`.
        piece: number of the piece in `Evidence.pieces`.
        start: its start, µs.
        end: its end, µs.
        latest_end: largest end of the key's pieces up to this one.
        workload: its workload.
        other_at: start of the key's next piece that belongs to another workload.

    `piece`, `start`, `latest_end` and `other_at` have one entry more, which stands for no piece.
    """

    offset: Int64
    piece: Int64
    start: Int64
    end: Int64
    latest_end: Int64
    other_at: Int64

    def next_start(self, group: Int32, known: Int64) -> Int64:
        """Start of the key's first piece after the `known` ones; after all time where there is none."""
        return np.where(known < self.offset[group + 2], self.start[known], NEVER_AFTER)

    def last_end(self, group: Int32, known: Int64) -> Int64:
        """Latest end of the key's pieces among the `known` ones; before all time where there is none."""
        return np.where(known > self.offset[group + 1], self.latest_end[known - 1], NEVER_BEFORE)

    def only_newcomer(self, group: Int32, known: Int64, until: Int64) -> tuple[Int64, Bool]:
        """The key's first piece after the `known` ones, and whether its workload alone appears up to `until`."""
        alone = self.next_start(group, known) <= until
        alone &= self.other_at[known] > until
        return self.piece[known], alone

    def end_of_last(self, known: Int64) -> Int64:
        """End of the last of the `known` pieces; the caller knows that the key has one."""
        return self.end[known - 1]


def look_ahead(evidence: Evidence) -> Ahead:
    """The pieces of all keys in (key, time) order."""
    pieces = evidence.pieces
    order = order_by(pieces.group, pieces.start)
    group, start, workload = pieces.group[order], pieces.start[order], pieces.workload[order]
    following = next_start(starts_of_runs(group, workload), len(order))
    same_key = np.append(group, -1)[following] == group
    return Ahead(
        offset=np.searchsorted(group + 1, np.arange(evidence.keys.groups + 2)),
        piece=np.append(order, -1),
        start=np.append(start, NEVER_AFTER),
        end=pieces.end[order],
        latest_end=np.append(running_max(pieces.end[order], group), NEVER_BEFORE),
        other_at=np.append(np.where(same_key, np.append(start, NEVER_AFTER)[following], NEVER_AFTER), NEVER_BEFORE),
    )
