"""From a set of heartbeats to pieces, ranges and holes, in columns.

The definitions are those of `docs/design.md`. A heartbeat of one socket is evidence twice: for its own key
(address, socket), and for the address being shared by port, whoever it names. One of a range of ports is evidence for
each block of them that it holds (`attribution.core.addressing.port_blocks`).
"""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.addressing.port_blocks import Blocks
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, ephemeral, translated
from attribution.core.columnar.arrays import order_by, running_max, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64, Ints
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.services import Services


@dataclass(frozen=True)
class Keys:
    """The keys with evidence, as groups: whole addresses, shared addresses, single sockets, blocks and ranges of ports.

    Attributes:
        addresses: number of addresses; group i is the whole address i.
        shared: the addresses with evidence of ports, and all translated ones, sorted; their groups say when any of it
            was seen.
        socket_keys: sorted `address * SOCKETS + socket` of the single sockets.
        ephemeral: which of these are given out per connection.
        blocks: the blocks that ranges of ports are cut into, and the ranges that are not a block by themselves.
    """

    addresses: int
    shared: Int64
    socket_keys: Int64
    ephemeral: Bool
    blocks: Blocks

    @property
    def first_socket(self) -> int:
        """Group of the first single socket."""
        return self.addresses + len(self.shared)

    @property
    def first_block(self) -> int:
        """Group of the first block."""
        return self.first_socket + len(self.socket_keys)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.first_block + len(self.blocks)

    def is_ephemeral(self, group: Ints) -> Bool:
        """Whether each group is a socket that is given out per connection."""
        found = np.zeros(len(group), np.bool_)
        single = np.flatnonzero((group >= self.first_socket) & (group < self.first_block))
        found[single] = self.ephemeral[group[single] - self.first_socket]
        return found


@dataclass(frozen=True)
class Ranges:
    """Ownership ranges, ordered by key, workload and time.

    `service` is -1 where none or several are named; a range is `uniform` where all its heartbeats name it or none does.
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
    """Pieces of ranges, in the order of the ranges: `range` says which one a piece belongs to."""

    group: Int64
    workload: Int32
    range: Int64
    start: Int64
    end: Int64


@dataclass(frozen=True)
class Holes:
    """Holes of ranges: the closed gap between two heartbeats in which another workload's heartbeat lies."""

    range: Int64
    start: Int64
    end: Int64


@dataclass(frozen=True)
class Evidence:
    """All that the rules need to know about a set of heartbeats."""

    keys: Keys
    ranges: Ranges
    pieces: Pieces
    holes: Holes
    services: Services


def digest(heartbeats: Heartbeats, settings: Settings) -> Evidence:
    """Pieces, ranges and holes of a set of heartbeats, whatever their order and however often each is repeated."""
    keys, row, group, workload = _keys(heartbeats, settings)
    start, end = heartbeats.start[row], heartbeats.end[row]
    participant = group * np.int64(len(heartbeats.workloads) + 1) + workload
    order = order_by(participant, start)
    group, workload, row = group[order], workload[order], row[order]
    start, end, participant = start[order], end[order], participant[order]

    first = starts_of_runs(participant)
    last_seen = running_max(end, np.cumsum(first) - 1)
    gap = np.zeros(len(start), np.int64)
    gap[1:] = np.where(first[1:], 0, np.maximum(start[1:] - last_seen[:-1], 0))
    new_range = first | (gap > settings.max_gap)
    if keys.ephemeral.any():
        new_range |= (gap > 0) & keys.is_ephemeral(group)
    gap[new_range] = 0
    service = heartbeats.service[row]
    ranges, of_range = _ranges(group, workload, start, last_seen, gap, new_range, service)
    naming = np.flatnonzero(~ranges.uniform[of_range] & (service >= 0))
    services = Services.of(of_range[naming], service[naming], start[naming], end[naming])

    # Who touches a gap of a range shares a moment with it, so only the rows of such ranges decide.
    overlapped = _overlapped(ranges)[of_range]
    suspects = np.flatnonzero((gap > 0) & overlapped)
    hole = np.zeros(len(start), np.bool_)
    if len(suspects):
        hole[suspects] = _holds_another(suspects, np.flatnonzero(overlapped), group, workload, start, end, last_seen)
    at = np.flatnonzero(hole)
    holes = Holes(range=of_range[at], start=last_seen[at - 1], end=start[at])

    new_piece = new_range | hole | (gap > settings.clock_tolerance)
    begin = np.flatnonzero(new_piece)
    finish = np.append(begin[1:], len(start)) - 1 if len(begin) else begin
    pieces = Pieces(group[begin], workload[begin], of_range[begin], start[begin], last_seen[finish])
    return Evidence(keys, ranges, pieces, holes, services)


def _keys(heartbeats: Heartbeats, settings: Settings) -> tuple[Keys, Int64, Int64, Int32]:
    """The keys, and for each piece of evidence: its heartbeat's row, its key's group, the workload it speaks for."""
    addresses = len(heartbeats.addresses)
    address, socket = heartbeats.address.astype(np.int64), heartbeats.socket
    by_port = socket != ANY_SOCKET
    behind = translated(heartbeats.addresses, settings)
    on_shared = by_port | behind[address] if behind.any() else by_port
    if not on_shared.any():
        nothing = np.zeros(0, np.int64)
        keys = Keys(addresses, nothing, nothing, np.zeros(0, np.bool_), Blocks.of(nothing, nothing))
        return keys, np.arange(len(address)), address, heartbeats.workload
    sharing = np.flatnonzero(on_shared)
    shared, of_shared = np.unique(address[sharing], return_inverse=True)
    single = np.flatnonzero(by_port & (socket < SOCKETS))
    socket_keys, of_socket = np.unique(address[single] * SOCKETS + socket[single], return_inverse=True)
    per_connection = ephemeral(socket_keys % SOCKETS, behind[socket_keys // SOCKETS], settings)
    ranged = np.flatnonzero(socket >= SOCKETS)
    blocks = Blocks.of(address[ranged], socket[ranged])
    of_range, of_block = blocks.expand(address[ranged], socket[ranged])
    keys = Keys(addresses, shared, socket_keys, per_connection, blocks)
    whole = np.flatnonzero(~by_port)
    ranged = ranged[of_range]
    workload = heartbeats.workload
    return (
        keys,
        np.concatenate([whole, sharing, single, ranged]),
        np.concatenate(
            [address[whole], addresses + of_shared, keys.first_socket + of_socket, keys.first_block + of_block]
        ),
        # That an address is shared does not depend on who shares it: all speak for one.
        np.concatenate([workload[whole], np.zeros(len(sharing), np.int32), workload[single], workload[ranged]]),
    )


def _ranges(
    group: Int64,
    workload: Int32,
    start: Int64,
    last_seen: Int64,
    gap: Int64,
    new_range: Bool,
    service: Int32,
) -> tuple[Ranges, Int64]:
    """The ranges, and for each row the range that it belongs to."""
    begin = np.flatnonzero(new_range)
    of_range = np.cumsum(new_range) - 1
    if len(begin) == 0:
        empty = np.zeros(0, np.int64)
        return Ranges(group, workload, service, service >= 0, empty, empty, empty), of_range
    finish = np.append(begin[1:], len(start)) - 1
    largest = np.maximum.reduceat(service, begin)
    unnamed = np.int32(np.iinfo(np.int32).max)
    smallest = np.minimum.reduceat(np.where(service < 0, unnamed, service), begin)
    ranges = Ranges(
        group=group[begin],
        workload=workload[begin],
        service=np.where(largest == smallest, largest, np.int32(-1)),
        uniform=largest == np.minimum.reduceat(service, begin),
        start=start[begin],
        end=last_seen[finish],
        longest_gap=np.maximum.reduceat(gap, begin),
    )
    return ranges, of_range


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


def _holds_another(
    suspects: Int64, rows: Int64, group: Int64, workload: Int32, start: Int64, end: Int64, last_seen: Int64
) -> Bool:
    """For each suspect row whether a heartbeat of another workload touches the closed gap before it.

    Of the gap [x, y], x is the latest that the row's own workload was seen before y. So another one touches it that
    begins before y, if it is seen after x, or ends at x, too; and any other one that begins at y.

    Args:
        suspects: rows that do not touch what was seen of their workload before them.
        rows: at least the rows of the suspects' ranges, and of the ranges that share a moment with these.
        group: key of each row; rows are ordered by it, workload and start.
        workload: workload of each row.
        start: start of each row, µs.
        end: its end, µs.
        last_seen: latest end of its workload up to this row, µs.
    """
    rows = rows[order_by(group[rows], start[rows])]
    own, first = workload[rows], starts_of_runs(group[rows])
    reach = running_max(end[rows], np.cumsum(first) - 1)
    # The rows that reach as far as any before them: who they are, and whether as many as two reach equally far.
    furthest = end[rows] == reach
    top = np.flatnonzero(furthest)
    level = starts_of_runs(group[rows[top]], reach[top])
    changes = np.cumsum(~level & np.append(False, own[top][1:] != own[top][:-1]))
    several = changes > changes[level][np.cumsum(level) - 1]

    moment = first | starts_of_runs(start[rows])
    begin = np.flatnonzero(moment)
    together = np.maximum.reduceat(own, begin) != np.minimum.reduceat(own, begin)
    place = np.empty(len(group), np.int64)
    place[rows] = np.arange(len(rows))
    of_moment = (np.cumsum(moment) - 1)[place[suspects]]
    before = begin[of_moment] - 1
    x = last_seen[suspects - 1]
    last = (np.cumsum(furthest) - 1)[before]
    equal = (reach[before] == x) & (several[last] | (own[top[last]] != workload[suspects]))
    return together[of_moment] | (reach[before] > x) | equal
