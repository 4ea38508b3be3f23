"""Blocks: the ports of an address, cut wherever a range of ports that somebody was seen to hold begins or ends.

All ports of a block have the same evidence of ranges, so that a block is a key, and few of them serve many ports.
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.addressing.sockets import split_ranges, split_sockets
from attribution.core.columnar.arrays import order_by, starts_of_runs
from attribution.core.columnar.types import Bool, Int64, Ints

#: Ports, with one more that stands for the end.
_PORT_BITS = 17
_PROTOCOLS = 256


@dataclass(frozen=True)
class Blocks:
    """Keys of ranges of ports, numbered: first the blocks, then the ranges that are not one block of their own.

    The evidence of a block answers for its ports; that of a range by itself is what becomes an ownership range.

    Attributes:
        cut: sorted `line << 17 | port` of the first port of each block, and of the first port behind the last block of
            a line; a line is a protocol of an address.
        own: for each block the number of the range that it is, alone; -1 where there is none.
        range_address: address of each range, sorted by it and the range.
        range_socket: the range, as of `held_sockets`.
        lone: for each range the number of its key.
        keys: number of keys.
    """

    cut: Int64
    own: Int64
    range_address: Int64
    range_socket: Int64
    lone: Int64
    keys: int

    def __len__(self) -> int:
        return self.keys

    @classmethod
    def of(cls, address: Int64, socket: Int64) -> "Blocks":
        """The blocks of ranges of ports, in any order and repeated."""
        order = order_by(address, socket)
        first = order[starts_of_runs(address[order], socket[order])] if len(order) else order
        address, socket = address[first], socket[first]
        begin, end = _points(address, socket)
        cut = np.unique(np.concatenate([begin, end]))
        low, high = np.searchsorted(cut, begin), np.searchsorted(cut, end)
        depth = np.cumsum(np.bincount(low, minlength=len(cut)) - np.bincount(high, minlength=len(cut)))
        alone = (high - low == 1) & (depth[low] == 1)
        own = np.full(len(cut), -1, np.int64)
        own[low[alone]] = np.flatnonzero(alone)
        lone = np.where(alone, low, len(cut) + np.cumsum(~alone) - 1)
        return cls(cut, own, address, socket, lone, len(cut) + int((~alone).sum()))

    def expand(self, address: Int64, socket: Int64) -> tuple[Int64, Int64]:
        """The keys that each range is evidence for: (row, number of the key), in any order."""
        begin, end = _points(address, socket)
        low = np.searchsorted(self.cut, begin)
        size = np.searchsorted(self.cut, end) - low
        row = np.repeat(np.arange(len(address)), size)
        block = np.arange(len(row)) - np.repeat(np.cumsum(size) - size - low, size)
        key = self.lone[self._range(address, socket)]
        other = np.flatnonzero(key >= len(self.cut))
        return np.concatenate([row, other]), np.concatenate([block, key[other]])

    def find(self, address: Ints, socket: Ints) -> Int64:
        """The block that holds each single socket; -1 where none does."""
        protocol, port = split_sockets(socket.astype(np.int64))
        point = _point(address, protocol, port)
        at = np.searchsorted(self.cut, point, side="right") - 1
        inside = (at >= 0) & (socket >= 0)
        inside &= self.cut[at] >> _PORT_BITS == point >> _PORT_BITS if len(self.cut) else False
        return np.where(inside, at, -1)

    def stated(self, key: Int64) -> tuple[Int64, Int64, Bool]:
        """Address and range of each key that is one range by itself, and whether it is."""
        of_key = np.append(self.own, np.zeros(self.keys - len(self.cut), np.int64))
        apart = self.lone >= len(self.cut)
        of_key[self.lone[apart]] = np.flatnonzero(apart)
        found = of_key[key]
        address, socket = np.append(self.range_address, -1), np.append(self.range_socket, -1)
        return address[found], socket[found], found >= 0

    def _range(self, address: Int64, socket: Int64) -> Int64:
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
