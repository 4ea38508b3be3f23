"""Longest prefix match for batches of addresses.

Nested prefixes are flattened once into disjoint intervals, so that a look-up is a search for the last interval that
begins at or before the address. A table of the leading bits answers most IPv4 look-ups without that search, as
DIR-24-8 does in routers (Gupta, Lin, McKeown: "Routing lookups in hardware at memory access speeds", INFOCOM 1998).
IPv6 is searched by its first 64 bits; only where prefixes longer than /64 lie under these is the rest looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.addresses import pack
from attribution.core.columnar.arrays import encode, recode, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64, UInt64

#: Owners that are no row: no prefix contains the address; the longest that does has two names; look further.
_NONE, _CONTESTED, _SHARED = np.int32(-1), np.int32(-2), np.int32(-3)
#: Rows looked up at a time: what is in between stays in the processor's cache, which is 2.5 times faster.
_CACHED_ROWS = 1 << 16
_IPV4_WIDTH, _HALF_WIDTH, _FULL_WIDTH = 32, 64, 128
_MAPPED_WIDTH = 96
_MAPPED = np.uint64(0xFFFF)
_IPV4_MASK = np.uint64(0xFFFFFFFF)
_EMPTY = pa.array([], pa.string())


class PrefixTable:
    """Finds the longest of many prefixes that contains each of a batch of addresses; immutable once made."""

    def __init__(self, labels: Any) -> None:
        """Flatten the prefixes of `labels`, a canonical Arrow batch or table of `schemas/label.avsc`.

        A prefix that occurs with two different services names nobody; the same service twice is one label, the first.

        Raises:
            ValueError: a prefix is none, or has host bits set.
        """
        self._empty = labels.num_rows == 0
        service, _ = encode(labels.column("service"))
        high, low, width = _packed(labels.column("prefix"))
        row = _distinct(high, low, width, service)
        high, low, width, owner = high[row.first], low[row.first], width[row.first], row.owner
        ipv4 = _is_ipv4(high, low) & (width >= _MAPPED_WIDTH)
        self._ipv4 = _Leading.of(low[ipv4] & _IPV4_MASK, width[ipv4] - _MAPPED_WIDTH, owner[ipv4], _IPV4_WIDTH)
        self._ipv6 = _Halves.of(high[~ipv4], low[~ipv4], width[~ipv4], owner[~ipv4])

    @classmethod
    def of_prefixes(cls, prefixes: Sequence[str]) -> "PrefixTable":
        """A table of bare prefixes, for `contains`; any text that `ipaddress.ip_network` takes.

        Raises:
            ValueError: a text is no prefix, or has host bits set.
        """
        canonical = pa.array([str(ip_network(prefix)) for prefix in prefixes], pa.string())
        return cls(pa.table({"prefix": canonical, "service": canonical}))

    def __bool__(self) -> bool:
        """Whether there is any prefix."""
        return not self._empty

    def match(self, addresses: Any) -> Int32:
        """Row of the label with the longest prefix that contains each address.

        -1 where no prefix does, and where the longest that does has two names.

        Args:
            addresses: Arrow array (chunked or not) of canonical text, dictionary-encoded or not. Nulls have no label.

        Raises:
            ValueError: a value is no address.
        """
        return np.maximum(self._owners_of_texts(addresses), _NONE)

    def match_packed(self, high: UInt64, low: UInt64) -> Int32:
        """`match` of addresses that `addresses.pack` has packed; as many rows as it is given."""
        return np.maximum(self._owners(high, low), _NONE)

    def contains(self, addresses: Any) -> Bool:
        """Whether any prefix, disputed or not, contains each address; a null is in none."""
        inside: Bool = self._owners_of_texts(addresses) != _NONE
        return inside

    def _owners_of_texts(self, addresses: Any) -> Int32:
        if self._empty:
            return np.full(len(addresses), _NONE)
        if pa.types.is_string(addresses.type) and not addresses.null_count:
            return self._owners(*pack(addresses))  # which costs less than to find the distinct ones
        codes, distinct = encode(addresses)
        return recode(codes, self._owners(*pack(distinct)))

    def _owners(self, high: UInt64, low: UInt64) -> Int32:
        owner = np.empty(len(high), np.int32)
        for begin in range(0, len(high), _CACHED_ROWS):
            rows = slice(begin, begin + _CACHED_ROWS)
            owner[rows] = self._owners_of_some(high[rows], low[rows])
        return owner

    def _owners_of_some(self, high: UInt64, low: UInt64) -> Int32:
        ipv4 = _is_ipv4(high, low)
        if ipv4.all():
            return self._ipv4.find(low & _IPV4_MASK)
        owner = np.empty(len(high), np.int32)
        owner[ipv4] = self._ipv4.find(low[ipv4] & _IPV4_MASK)
        owner[~ipv4] = self._ipv6.find(high[~ipv4], low[~ipv4])
        return owner


@dataclass(frozen=True)
class _Intervals:
    """Disjoint intervals without gaps between them: where each begins, and whose it is. The first begins at 0."""

    start: UInt64
    owner: Int32

    def find_among(self, position: Int64, length: Int64, value: UInt64) -> Int32:
        """Owner of each value, which lies in one of `length` intervals from `position` on: a short search for each."""
        for _ in range((int(length.max(initial=1)) - 1).bit_length()):
            half = length >> 1
            middle = position + half
            position = np.where(self.start[middle] <= value, middle, position)
            length = length - half
        return self.owner[position]


@dataclass(frozen=True)
class _Leading:
    """The intervals of one space behind a table of the leading bits.

    Attributes:
        intervals: the intervals.
        shift: how many bits are not leading.
        block: owner of the values with the same leading bits; where it is not one, `_SHARED` less a number.
        position: the first interval of the shared block of each number.
        length: how many intervals it has.
    """

    intervals: _Intervals
    shift: np.uint64
    block: Int32
    position: Int64
    length: Int64

    @classmethod
    def of(cls, start: UInt64, length: Int64, owner: Int32, width: int) -> "_Leading":
        """The table for prefixes of a space of `width` bits, each of which occurs once.

        It has a few blocks for each interval, so that few are shared, but at most 2**24 of 4 bytes.
        """
        one_space = np.zeros(len(start), np.int64)
        begin, _, whose = _flatten(one_space, start, length, owner, base=np.array([_NONE]), width=width)
        bits = min(max(len(begin).bit_length() + 3, 16), 24)
        shift = np.uint64(width - bits)
        in_block = (begin >> shift).astype(np.int64)
        inside = (begin & np.uint64((1 << (width - bits)) - 1)) != 0
        # A block belongs to the last interval that begins at or before it ...
        block = np.repeat(whose, np.diff(in_block + inside, append=1 << bits))
        # ... and is shared where another begins inside it.
        later = np.flatnonzero(inside)
        first = later[starts_of_runs(in_block[later])] if len(later) else later
        block[in_block[first]] = _SHARED - np.arange(len(first), dtype=np.int32)
        stop = np.searchsorted(in_block, in_block[first], side="right")
        return cls(_Intervals(begin, whose), shift, block, first - 1, stop - first + 1)

    def find(self, value: UInt64) -> Int32:
        """Owner of each value."""
        owner: Int32 = self.block[value >> self.shift]
        rows = np.flatnonzero(owner <= _SHARED)
        if len(rows):
            number = _SHARED - owner[rows]
            owner[rows] = self.intervals.find_among(self.position[number], self.length[number], value[rows])
        return owner


@dataclass(frozen=True)
class _Halves:
    """IPv6 intervals of the first 64 bits, and of the last 64 where longer prefixes lie under the same first ones.

    Attributes:
        first: the first half, from the prefixes up to /64.
        under: first halves of the longer prefixes, sorted.
        offset: where the intervals of each of `under` begin among `last`, and one past the end.
        last: intervals of the last half, for one of `under` after the other.
    """

    first: _Leading
    under: UInt64
    offset: Int64
    last: _Intervals

    @classmethod
    def of(cls, high: UInt64, low: UInt64, width: Int64, owner: Int32) -> "_Halves":
        short = width <= _HALF_WIDTH
        first = _Leading.of(high[short], width[short], owner[short], _HALF_WIDTH)
        under, group = np.unique(high[~short], return_inverse=True)
        begin, offset, whose = _flatten(
            group.astype(np.int64, copy=False),
            low[~short],
            width[~short] - _HALF_WIDTH,
            owner[~short],
            base=first.find(under),
            width=_HALF_WIDTH,
        )
        return cls(first, under, offset, _Intervals(begin, whose))

    def find(self, high: UInt64, low: UInt64) -> Int32:
        owner = self.first.find(high)
        if len(self.under) == 0:
            return owner
        at = np.minimum(np.searchsorted(self.under, high), len(self.under) - 1)
        rows = np.flatnonzero(self.under[at] == high)
        at, value = at[rows], low[rows]
        begin = self.offset[at]
        owner[rows] = self.last.find_among(begin, self.offset[at + 1] - begin, value)
        return owner


@dataclass(frozen=True)
class _Distinct:
    """Each prefix once: the first row that has it, and its owner (that row, or contested)."""

    first: Int64
    owner: Int32


def _distinct(high: UInt64, low: UInt64, width: Int64, service: Int32) -> _Distinct:
    order = np.lexsort((width, low, high))
    begin = np.flatnonzero(starts_of_runs(high[order], low[order], width[order])) if len(order) else order
    if len(begin) == 0:
        return _Distinct(order, order.astype(np.int32))
    named = service[order]
    disputed = np.minimum.reduceat(named, begin) != np.maximum.reduceat(named, begin)
    first = np.minimum.reduceat(order, begin)
    return _Distinct(first, np.where(disputed, _CONTESTED, first).astype(np.int32))


def _packed(prefixes: Any) -> tuple[UInt64, UInt64, Int64]:
    """First addresses as (high, low), IPv4 in ::ffff:0:0/96, and lengths out of 128."""
    if isinstance(prefixes, pa.ChunkedArray):
        prefixes = pa.concat_arrays([_EMPTY, *(chunk.cast(pa.string()) for chunk in prefixes.chunks)])
    prefixes = prefixes.cast(pa.string())
    parts = pc.split_pattern(prefixes, "/")
    begin = parts.offsets.to_numpy()
    texts = parts.flatten()
    host = texts.take(pa.array(begin[:-1]))
    high, low = pack(host)
    full = np.where(pc.match_substring(host, ":").to_numpy(zero_copy_only=False), _FULL_WIDTH, _IPV4_WIDTH)
    width = full.astype(np.int64)
    given = np.flatnonzero(np.diff(begin) > 1)
    width[given] = texts.take(pa.array(begin[given] + 1)).cast(pa.int64()).to_numpy()
    width += np.where(full == _IPV4_WIDTH, _MAPPED_WIDTH, 0)
    high_mask, low_mask = _mask(np.minimum(width, _HALF_WIDTH)), _mask(np.maximum(width - _HALF_WIDTH, 0))
    wrong = (width > _FULL_WIDTH) | (width < 0) | ((high & ~high_mask) != 0) | ((low & ~low_mask) != 0)
    if wrong.any():
        found = prefixes[int(np.argmax(wrong))].as_py()
        raise ValueError(f"cannot match addresses against {found!r}: it is no prefix; make it canonical first")
    return high, low, width


def _mask(width: Int64) -> UInt64:
    """The first `width` of 64 bits set."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    rest = (_HALF_WIDTH - width).astype(np.uint64)
    return np.where(rest == _HALF_WIDTH, np.uint64(0), ones << np.minimum(rest, np.uint64(63)))


def _is_ipv4(high: UInt64, low: UInt64) -> Bool:
    mapped: Bool = (high == 0) & ((low >> np.uint64(_IPV4_WIDTH)) == _MAPPED)
    return mapped


def _flatten(
    group: Int64, start: UInt64, length: Int64, owner: Int32, *, base: Int32, width: int
) -> tuple[UInt64, Int64, Int32]:
    """Nested prefixes as disjoint intervals, for many spaces of `width` bits at once.

    Every space is cut wherever a prefix begins or ends; then the prefixes are painted over the cuts, short before
    long. Prefixes of one length never overlap, so each length is painted in one go.

    Args:
        group: number of the space that each prefix is in.
        start: its first value.
        length: number of leading bits that are fixed.
        owner: whose it is.
        base: owner of each space where no prefix is.
        width: bits of a value.

    Returns:
        Begin of each interval, in the order of the spaces; where each space begins among them, and one past the end;
        owner of each.
    """
    spaces = np.arange(len(base), dtype=np.int64)
    last = start | (~_mask(length + (_HALF_WIDTH - width)))
    inner = np.flatnonzero(last != np.uint64((1 << width) - 1))
    space = np.concatenate([spaces, group, group[inner]])
    value = np.concatenate([np.zeros(len(base), np.uint64), start, last[inner] + np.uint64(1)])
    order = np.lexsort((value, space)) if len(base) > 1 else np.argsort(value, kind="stable")
    cut = starts_of_runs(space[order], value[order]) if len(order) else np.zeros(0, np.bool_)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(cut) - 1
    space, value = space[order][cut], value[order][cut]

    whose = base[space]
    opens = rank[len(base) : len(base) + len(group)]
    closes = np.append(rank[: len(base)], len(value))[group + 1]  # a prefix that ends with its space
    closes[inner] = rank[len(base) + len(group) :]
    for one in np.unique(length):
        rows = np.flatnonzero(length == one)
        count = closes[rows] - opens[rows]
        skipped = np.cumsum(count) - count
        painted = np.repeat(opens[rows] - skipped, count) + np.arange(int(count.sum()))
        whose[painted] = np.repeat(owner[rows], count)

    kept = starts_of_runs(space, whose) if len(space) else np.zeros(0, np.bool_)
    return value[kept], np.searchsorted(space[kept], np.append(spaces, len(base))), whose[kept]
