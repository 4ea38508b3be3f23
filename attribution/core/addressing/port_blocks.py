"""Port blocks: the ports of an address, cut wherever a range of ports that somebody was seen to hold begins or ends.

All ports of a block have the same evidence of ranges. So a block is a key, and a few blocks serve many ports.

Example: on address 0 somebody was seen to hold TCP ports 1000 to 1999, and somebody TCP ports 1500 to 2499.

>>> import pyarrow as pa
>>> from attribution.core.addressing.sockets import held_sockets, socket_numbers
>>> held = held_sockets(pa.table({"protocol": [6, 6], "port": [1000, 1500], "last_port": [1999, 2499]}))
>>> blocks = PortBlocks.of(np.array([0, 0]), held)
>>> (blocks.cut & 0x1FFFF).tolist()  # first ports of the blocks, and of what comes behind the last block
[1000, 1500, 2000, 2500]
>>> blocks.find(np.array([0, 0, 0]), socket_numbers(np.array([6, 6, 17]), np.array([1600, 80, 1600]))).tolist()
[1, -1, -1]

Both ranges are evidence for block 1. Neither range is a block by itself, so that each has a key of its own, too: 4, 5.

>>> [rows.tolist() for rows in blocks.expand(np.array([0, 0]), held)]
[[0, 0, 1, 1, 0, 1], [0, 1, 1, 2, 4, 5]]
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.addressing.sockets import split_ranges, split_sockets
from attribution.core.columnar.arrays import NONE, numbers_between, order_by, starts_of_runs
from attribution.core.columnar.types import Bool, Int64, Ints

#: Bits of a port, and of the number one past the last port.
_PORT_BITS = 17
_PROTOCOLS = 256


@dataclass(frozen=True)
class PortBlocks:
    """Keys of ranges of ports, numbered: first the blocks, then the ranges that are no block by themselves.

    The evidence of a block answers for the ports of the block. The evidence of a range by itself becomes an ownership
    range.

    Attributes:
        cut: sorted `line << 17 | port` of the first port of each block, and of the first port behind the last block of
            a line. A line is a protocol of an address.
        own: for each block the number of the range that has exactly its ports; `NONE` where there is none.
        range_address: address of each range; ranges are sorted by address, then by socket.
        range_socket: each range, as of `sockets.held_sockets`.
        key_of_range: for each range the number of its key.
        keys: number of keys.
    """

    cut: Int64
    own: Int64
    range_address: Int64
    range_socket: Int64
    key_of_range: Int64
    keys: int

    def __len__(self) -> int:
        return self.keys

    @classmethod
    def of(cls, address: Int64, socket: Int64) -> "PortBlocks":
        """The blocks of ranges of ports, in any order and perhaps repeated."""
        order = order_by(address, socket)
        first = order[starts_of_runs(address[order], socket[order])] if len(order) else order
        address, socket = address[first], socket[first]
        begin, end = _points(address, socket)
        cut = np.unique(np.concatenate([begin, end]))
        low, high = np.searchsorted(cut, begin), np.searchsorted(cut, end)
        depth = np.cumsum(np.bincount(low, minlength=len(cut)) - np.bincount(high, minlength=len(cut)))
        alone = (high - low == 1) & (depth[low] == 1)
        own = np.full(len(cut), NONE, np.int64)
        own[low[alone]] = np.flatnonzero(alone)
        key_of_range = np.where(alone, low, len(cut) + np.cumsum(~alone) - 1)
        return cls(cut, own, address, socket, key_of_range, len(cut) + int((~alone).sum()))

    def expand(self, address: Int64, socket: Int64) -> tuple[Int64, Int64]:
        """The keys that each range is evidence for: (row, number of the key), in any order."""
        begin, end = _points(address, socket)
        row, block = numbers_between(np.searchsorted(self.cut, begin), np.searchsorted(self.cut, end))
        key = self.key_of_range[self._number_of(address, socket)]
        other = np.flatnonzero(key >= len(self.cut))
        return np.concatenate([row, other]), np.concatenate([block, key[other]])

    def find(self, address: Ints, socket: Ints) -> Int64:
        """The block that holds each single socket; `NONE` where no block does."""
        protocol, port = split_sockets(socket.astype(np.int64))
        point = _point(address, protocol, port)
        at = np.searchsorted(self.cut, point, side="right") - 1
        inside = (at >= 0) & (socket >= 0)
        inside &= self.cut[at] >> _PORT_BITS == point >> _PORT_BITS if len(self.cut) else False
        return np.where(inside, at, NONE)

    def ranges_of(self, key: Int64) -> tuple[Int64, Int64, Bool]:
        """Address and range of each key that is exactly one range, and whether the key is."""
        of_key = np.append(self.own, np.zeros(self.keys - len(self.cut), np.int64))
        apart = self.key_of_range >= len(self.cut)
        of_key[self.key_of_range[apart]] = np.flatnonzero(apart)
        found = of_key[key]
        address, socket = (np.append(column, np.int64(NONE)) for column in (self.range_address, self.range_socket))
        return address[found], socket[found], found >= 0

    def _number_of(self, address: Int64, socket: Int64) -> Int64:
        """Number of each range."""
        both = np.concatenate([self.range_address, address]), np.concatenate([self.range_socket, socket])
        order = order_by(*both)
        number = np.empty(len(order), np.int64)
        number[order] = np.cumsum(starts_of_runs(both[0][order], both[1][order])) - 1 if len(order) else order
        return number[len(self.range_address) :]


def _points(address: Int64, socket: Int64) -> tuple[Int64, Int64]:
    """The points at which each range begins, and just behind its end."""
    first, last = split_ranges(socket)
    protocol, port = split_sockets(first)
    return _point(address, protocol, port), _point(address, protocol, last + 1)


def _point(address: Ints, protocol: Ints, port: Ints) -> Int64:
    line = address.astype(np.int64) * _PROTOCOLS + protocol
    return (line << _PORT_BITS) | port
