"""From a set of heartbeats to ownership ranges, pieces and holes, in columns; the definitions are in `docs/design.md`.

Example: workload `a` is seen from 0 to 10, from 120 to 130 and from 400 to 410 µs, and workload `b` from 60 to 70 µs.
With a `max_gap` of 180 µs the first two heartbeats of `a` are one range. While it lasts, `b` is seen, so the range has
a hole from 10 to 120 µs, and two pieces.

>>> import pyarrow as pa
>>> from attribution.schema import arrow_schema
>>> seen = [("a", 0, 10), ("b", 60, 70), ("a", 120, 130), ("a", 400, 410)]
>>> rows = [{"address": "10.0.0.1", "workload": who, "start": start, "end": end} for who, start, end in seen]
>>> heartbeats = Heartbeats.of(pa.Table.from_pylist(rows, schema=arrow_schema("heartbeat")))
>>> tables = build_ranges(heartbeats, Settings(clock_tolerance=1, max_gap=180, hold=200, retention=1000))
>>> [*zip(tables.ranges.workload.tolist(), tables.ranges.start.tolist(), tables.ranges.end.tolist())]
[(0, 0, 130), (0, 400, 410), (1, 60, 70)]
>>> [*zip(tables.pieces.range.tolist(), tables.pieces.start.tolist(), tables.pieces.end.tolist())]
[(0, 0, 10), (0, 120, 130), (1, 400, 410), (2, 60, 70)]
>>> [*zip(tables.holes.range.tolist(), tables.holes.start.tolist(), tables.holes.end.tolist())]
[(0, 10, 120)]
"""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.columnar.arrays import NONE, order_by, running_max, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.keys import Keys, build_keys
from attribution.core.ownership.services import Services


@dataclass(frozen=True)
class Ranges:
    """Ownership ranges, ordered by key, workload and time; times in µs.

    Attributes:
        group: key of each range.
        workload: workload of each range.
        service: the single service that its heartbeats name; `NONE` where they name none or several.
        uniform: whether all its heartbeats name that service, or none names any.
        start: first moment of each range.
        end: last moment of each range.
        longest_gap: longest gap between heartbeats that each range joins over.
    """

    group: Int64
    workload: Int32
    service: Int32
    uniform: Bool
    start: Int64
    end: Int64
    longest_gap: Int64


@dataclass(frozen=True)
class Pieces:
    """Pieces of ranges, in the order of the ranges; times in µs. `range` is the number of each piece's range."""

    group: Int64
    workload: Int32
    range: Int64
    start: Int64
    end: Int64


@dataclass(frozen=True)
class Holes:
    """Holes of ranges, in the order of the ranges: closed gaps in which another workload's heartbeat lies; µs."""

    range: Int64
    start: Int64
    end: Int64


@dataclass(frozen=True)
class RangeTables:
    """All that the rules need to know about a set of heartbeats."""

    keys: Keys
    ranges: Ranges
    pieces: Pieces
    holes: Holes
    services: Services


@dataclass(frozen=True)
class _Sightings:
    """What heartbeats say of keys, ordered by key, workload and start; one row for each key of each heartbeat.

    Attributes:
        group: the key.
        workload: the workload.
        service: its service; `NONE` where the heartbeat names none.
        start: start of the heartbeat, µs.
        end: end of the heartbeat, µs.
        last_seen: latest end of the workload's heartbeats on the key up to this row, µs.
        gap: time since the workload was last seen on the key, µs; 0 for its first heartbeat.
        first: whether this row is the first of its workload on the key.
    """

    group: Int64
    workload: Int32
    service: Int32
    start: Int64
    end: Int64
    last_seen: Int64
    gap: Int64
    first: Bool


def build_ranges(heartbeats: Heartbeats, settings: Settings) -> RangeTables:
    """Ranges, pieces and holes of a set of heartbeats, whatever their order and however often each is repeated."""
    keys, row, group, workload = build_keys(heartbeats, settings)
    seen = _sightings(heartbeats, row, group, workload)
    new_range = seen.first | (seen.gap > settings.max_gap)
    if keys.ephemeral.any():
        new_range |= (seen.gap > 0) & keys.is_ephemeral(seen.group)
    joined = np.where(new_range, 0, seen.gap)
    ranges, of_range = _ranges(seen, new_range, joined)
    naming = np.flatnonzero(~ranges.uniform[of_range] & (seen.service >= 0))
    services = Services.of(of_range[naming], seen.service[naming], seen.start[naming], seen.end[naming])
    hole = _holes(seen, joined, _overlapped(ranges)[of_range])
    at = np.flatnonzero(hole)
    holes = Holes(range=of_range[at], start=seen.last_seen[at - 1], end=seen.start[at])
    begin = np.flatnonzero(new_range | hole | (joined > settings.clock_tolerance))
    pieces = Pieces(
        group=seen.group[begin],
        workload=seen.workload[begin],
        range=of_range[begin],
        start=seen.start[begin],
        end=seen.last_seen[_last_rows(begin, len(of_range))],
    )
    return RangeTables(keys, ranges, pieces, holes, services)


def _sightings(heartbeats: Heartbeats, row: Int64, group: Int64, workload: Int32) -> _Sightings:
    start = heartbeats.start[row]
    participant = group * np.int64(len(heartbeats.workloads) + 1) + workload
    order = order_by(participant, start)
    row, start, first = row[order], start[order], starts_of_runs(participant[order])
    end = heartbeats.end[row]
    last_seen = running_max(end, np.cumsum(first) - 1)
    gap = np.zeros(len(start), np.int64)
    gap[1:] = np.where(first[1:], 0, np.maximum(start[1:] - last_seen[:-1], 0))
    return _Sightings(group[order], workload[order], heartbeats.service[row], start, end, last_seen, gap, first)


def _ranges(seen: _Sightings, new_range: Bool, joined: Int64) -> tuple[Ranges, Int64]:
    """The ranges, and the number of each row's range; `joined` is the gap (µs) that each row joins over."""
    begin, of_range = np.flatnonzero(new_range), np.cumsum(new_range) - 1
    if len(begin) == 0:
        nothing = np.zeros(0, np.int64)
        named = seen.service
        return Ranges(seen.group, seen.workload, named, named >= 0, nothing, nothing, nothing), of_range
    largest = np.maximum.reduceat(seen.service, begin)
    unnamed = np.int32(np.iinfo(np.int32).max)
    smallest = np.minimum.reduceat(np.where(seen.service < 0, unnamed, seen.service), begin)
    ranges = Ranges(
        group=seen.group[begin],
        workload=seen.workload[begin],
        service=np.where(largest == smallest, largest, NONE),
        uniform=largest == np.minimum.reduceat(seen.service, begin),
        start=seen.start[begin],
        end=seen.last_seen[_last_rows(begin, len(of_range))],
        longest_gap=np.maximum.reduceat(joined, begin),
    )
    return ranges, of_range


def _last_rows(begin: Int64, rows: int) -> Int64:
    """The last row of each run, by the first rows of all runs."""
    return np.append(begin[1:], rows) - 1 if len(begin) else begin


def _overlapped(ranges: Ranges) -> Bool:
    """Which ranges share a moment with another range of their key; only these can have holes."""
    order = order_by(ranges.group, ranges.start)
    group, start, end = ranges.group[order], ranges.start[order], ranges.end[order]
    same = ~starts_of_runs(group)
    shared = np.zeros(len(order), np.bool_)
    reach = running_max(end, np.cumsum(~same) - 1)
    shared[1:] |= same[1:] & (start[1:] <= reach[:-1])
    shared[:-1] |= same[1:] & (start[1:] <= end[:-1])
    overlapped = np.zeros(len(order), np.bool_)
    overlapped[order] = shared
    return overlapped


def _holes(seen: _Sightings, joined: Int64, overlapped: Bool) -> Bool:
    """Which rows have a hole before them.

    Args:
        seen: the rows.
        joined: the gap (µs) that each row joins over.
        overlapped: whether the row's range shares a moment with another range of its key. Who touches a gap of a range
            shares a moment with that range, so only these rows decide.
    """
    suspects = np.flatnonzero((joined > 0) & overlapped)
    hole = np.zeros(len(joined), np.bool_)
    if len(suspects):
        hole[suspects] = _holds_another(seen, suspects, np.flatnonzero(overlapped))
    return hole


def _holds_another(seen: _Sightings, suspects: Int64, rows: Int64) -> Bool:
    """For each suspect row whether a heartbeat of another workload touches the closed gap before it.

    In a gap [x, y], x is the latest moment before y at which the row's own workload was seen. So these touch the gap:

    - another workload that begins before y, if it is seen after x;
    - another workload that begins before y and ends at x;
    - another workload that begins at y.

    Args:
        seen: all rows.
        suspects: rows that do not touch what was seen of their workload before them.
        rows: at least the rows of the suspects' ranges, and of the ranges that share a moment with these.
    """
    rows = rows[order_by(seen.group[rows], seen.start[rows])]
    group, own, end = seen.group[rows], seen.workload[rows], seen.end[rows]
    first = starts_of_runs(group)
    reach = running_max(end, np.cumsum(first) - 1)
    # The rows that reach as far as any before them: who they are, and whether two or more workloads reach equally far.
    furthest = end == reach
    top = np.flatnonzero(furthest)
    level = starts_of_runs(group[top], reach[top])
    changes = np.cumsum(~level & np.append(False, own[top][1:] != own[top][:-1]))
    several = changes > changes[level][np.cumsum(level) - 1]

    moment = first | starts_of_runs(seen.start[rows])
    begin = np.flatnonzero(moment)
    together = np.maximum.reduceat(own, begin) != np.minimum.reduceat(own, begin)
    place = np.empty(len(seen.group), np.int64)
    place[rows] = np.arange(len(rows))
    of_moment = (np.cumsum(moment) - 1)[place[suspects]]
    before = begin[of_moment] - 1
    x = seen.last_seen[suspects - 1]
    last = (np.cumsum(furthest) - 1)[before]
    equal = (reach[before] == x) & (several[last] | (own[top[last]] != seen.workload[suspects]))
    return together[of_moment] | (reach[before] > x) | equal
