"""Segments: the time of each key, cut wherever what the evidence says changes, with what lies ahead of each cut.

Built by one sort of all boundaries and a running sum over them. Ranges of one workload never overlap on a key, and its
pieces never do. So where exactly one range is open, the running sum of the open ranges' numbers *is* its number: no
search is needed to know the owner of a segment.

Example: on one address, workload 0 is seen from 0 to 10 µs, and workload 1 from 30 to 40 µs. The segments begin before
all time (here at -1), at 0, at 11, at 30 and at 41. An interval that begins at 0 touches workload 1 if it ends at 30 or
later; one that begins at 30 touches nobody else.

>>> import pyarrow as pa
>>> from attribution.config import Settings
>>> from attribution.core.ownership.heartbeats import Heartbeats
>>> from attribution.core.ownership.ranges import build_ranges
>>> from attribution.schema import arrow_schema
>>> rows = [
...     {"address": "10.0.0.1", "workload": "a", "start": 0, "end": 10},
...     {"address": "10.0.0.1", "workload": "b", "start": 30, "end": 40},
... ]
>>> heartbeats = Heartbeats.of(pa.Table.from_pylist(rows, schema=arrow_schema("heartbeat")))
>>> segments = build_segments(build_ranges(heartbeats, Settings(clock_tolerance=1, max_gap=5, hold=6, retention=99)))
>>> here = segments.offset[1]  # the segments before belong to no key
>>> segments.time[here:].tolist()
[-1, 0, 11, 30, 41]
>>> segments.owner[here:].tolist()
[-1, 0, -1, 1, -1]
>>> segments.run_end[here:][[1, 3]].tolist()
[10, 40]
>>> segments.conflict_at[here:][:2].tolist(), bool(segments.conflict_at[here:][3] == NEVER_AFTER)
([30, 30], True)
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.arrays import (
    NEVER_AFTER,
    NEVER_BEFORE,
    NONE,
    SEVERAL,
    last_at_or_before,
    next_start,
    order_by,
    starts_of_runs,
)
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.ownership.ranges import RangeTables


@dataclass(frozen=True)
class Segments:
    """The segments of all keys, by key and time; the first segment of a key begins before all time.

    Attributes:
        offset: first segment of each group, shifted by one: group -1 is a key on which nothing was ever seen.
        time: first microsecond of each segment.
        owner: the range whose workload holds the key in this segment, undisputed and without a hole; else `NONE`.
        run_end: last microsecond up to which the same owner goes on; before all time where there is no owner.
        piece_end: last microsecond of the piece that covers the segment; before all time where no piece does.
        conflict_at: first end with which an interval that begins in this segment touches two workloads.
        pieces: number of pieces, over all keys in order, up to those that begin with this segment.
        toucher: workload that an interval from here on touches first; `NONE` for nobody, `SEVERAL` for two at once.
        touch_at: first end with which an interval that begins in this segment touches that workload.
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
        """The one workload whose ranges touch each [a, b]; `NONE` where none does, `SEVERAL` where several do."""
        at = self.find(group, a)
        touched = np.where(self.touch_at[at] <= b, self.toucher[at], NONE)
        return np.where(self.conflict_at[at] <= b, SEVERAL, touched)


def build_segments(tables: RangeTables) -> Segments:
    """The segments of all keys."""
    group, time = _boundaries(tables)
    order = order_by(group, time)
    group, time = group[order], time[order]
    begin = np.flatnonzero(starts_of_runs(group, time))
    group, time = group[begin], time[begin]
    open_now = _Open(tables, order, begin)

    new_key = starts_of_runs(group)
    ranges, owner = open_now.ranges()
    holder = np.append(tables.ranges.workload, NONE)[owner]
    holder[ranges > 1] = SEVERAL
    piece = np.where(ranges == 1, open_now.pieces(), NONE)
    owner = np.where(open_now.holes() == 0, owner, NONE)
    toucher, touch_at, conflict_at = _touches(holder, group, time)
    return Segments(
        offset=np.append(np.flatnonzero(new_key), len(time)),
        time=time,
        owner=owner.astype(np.int32),
        run_end=_reach(owner, new_key, time),
        piece_end=_reach(piece, new_key, time),
        conflict_at=conflict_at,
        pieces=open_now.pieces_begun(),
        toucher=toucher,
        touch_at=touch_at,
    )


def _boundaries(tables: RangeTables) -> tuple[Int64, Int64]:
    """Group (shifted by one) and time of all boundaries: of keys, pieces (starts, ends) and holes (starts, ends)."""
    pieces, holes = tables.pieces, tables.holes
    of_hole = tables.ranges.group[holes.range] + 1
    keys = np.arange(tables.keys.groups + 1, dtype=np.int64)
    # Just before all evidence, and no earlier, so that (group, time) still sorts as one number.
    before_all = np.full(len(keys), int(pieces.start.min(initial=NEVER_AFTER)) - 1, np.int64)
    return (
        np.concatenate([keys, pieces.group + 1, pieces.group + 1, of_hole, of_hole]),
        np.concatenate([before_all, pieces.start, pieces.end + 1, holes.start, holes.end + 1]),
    )


class _Open:
    """How many ranges, pieces and holes are open in each segment, by running sums over what the boundaries change."""

    def __init__(self, tables: RangeTables, order: Int64, begin: Int64) -> None:
        """Boundaries as of `_boundaries`, in this order; `begin` has the first boundary of each segment."""
        self._tables, self._order = tables, order
        self._last = np.append(begin[1:], len(order)) - 1
        self._opens = starts_of_runs(tables.pieces.range)
        self._closes = np.append(self._opens[1:], True) if len(self._opens) else self._opens

    def ranges(self) -> tuple[Int64, Int64]:
        """Number of open ranges, and which range is open where exactly one is; `NONE` elsewhere."""
        return self._only(self._opens, self._closes, self._tables.pieces.range + 1)

    def pieces(self) -> Int64:
        """The piece that is open where exactly one is; `NONE` elsewhere."""
        every = np.ones(len(self._opens), np.bool_)
        return self._only(every, every, np.arange(1, len(every) + 1, dtype=np.int64))[1]

    def holes(self) -> Int64:
        """Number of open holes."""
        if len(self._tables.holes.start) == 0:
            return np.zeros(len(self._last), np.int64)
        nothing = np.zeros(len(self._opens), np.int64)
        return self._sum(nothing, nothing, at_hole=1)

    def pieces_begun(self) -> Int64:
        """Number of pieces that have begun so far, over all keys in order."""
        ones = np.ones(len(self._opens), np.int64)
        return self._sum(ones, np.zeros_like(ones))

    def _only(self, opens: Bool, closes: Bool, number: Int64) -> tuple[Int64, Int64]:
        """How many are open, and the number less one of what is open where exactly one is; `NONE` elsewhere."""
        count = self._sum(opens.astype(np.int64), closes.astype(np.int64))
        total = self._sum(opens * number, closes * number)
        return count, np.where(count == 1, total - 1, NONE)

    def _sum(self, at_start: Int64, at_end: Int64, at_hole: int = 0) -> Int64:
        """Running sum at the end of each segment of what pieces add at their start, and take at their end."""
        keys = np.zeros(self._tables.keys.groups + 1, np.int64)
        hole = np.full(len(self._tables.holes.start), at_hole, np.int64)
        change = np.concatenate([keys, at_start, -at_end, hole, -hole])
        return np.cumsum(change.take(self._order)).take(self._last)


def _reach(owner: Int64, new_key: Bool, time: Int64) -> Int64:
    """Last microsecond up to which the same owner goes on; before all time where there is no owner."""
    following = next_start(new_key | starts_of_runs(owner), len(owner))
    closing = np.append(time, NEVER_AFTER)
    return np.where(owner >= 0, closing[following] - 1, NEVER_BEFORE)


def _touches(holder: Int32, group: Int64, time: Int64) -> tuple[Int32, Int64, Int64]:
    """For each segment: the first workload from there on, when it is there, and when a second workload is, too."""
    is_held = holder != NONE
    held = np.flatnonzero(is_held)
    who, when, where = holder[held], time[held], group[held]
    change = starts_of_runs(who, where) if len(held) else np.zeros(0, np.bool_)
    following = next_start(change, len(held))
    same_key = np.append(where, -1)[following] == where
    second = np.where(same_key, np.append(when, NEVER_AFTER)[following], NEVER_AFTER)
    second = np.where(who == SEVERAL, when, second)

    ahead = np.cumsum(is_held) - is_held
    same_key = np.append(where, -1)[ahead] == group
    return (
        np.where(same_key, np.append(who, NONE)[ahead], NONE).astype(np.int32),
        np.where(same_key, np.append(when, NEVER_AFTER)[ahead], NEVER_AFTER),
        np.where(same_key, np.append(second, NEVER_AFTER)[ahead], NEVER_AFTER),
    )
