"""Longest prefix match for batches of addresses.

Nested prefixes are flattened once into disjoint intervals, so that a look-up is a search for the last interval that
begins at or before the address. A table of the leading bits answers most IPv4 look-ups without that search, as
DIR-24-8 does in routers. (Gupta, Lin, McKeown: "Routing lookups in hardware at memory access speeds", INFOCOM 1998.)
IPv6 is searched by its first 64 bits. The last 64 bits are looked at only where prefixes longer than /64 share the
first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.addresses import pack
from attribution.core.addressing.prefix_intervals import HALF_WIDTH, Halves, LeadingBits, leading_ones
from attribution.core.columnar.arrays import NONE, SEVERAL, encode, recode, starts_of_runs
from attribution.core.columnar.types import Bool, Int32, Int64, Records, Texts, UInt64

#: Rows looked up at a time: what is in between stays in the processor's cache, which is 2.5 times faster.
_CACHED_ROWS = 1 << 16
_IPV4_WIDTH, _FULL_WIDTH = 32, 128
_MAPPED_WIDTH = 96
_MAPPED = np.uint64(0xFFFF)
_IPV4_MASK = np.uint64(0xFFFFFFFF)
_EMPTY = pa.array([], pa.string())


class PrefixTable:
    """Finds the longest of many prefixes that contains each of a batch of addresses; immutable once made."""

    def __init__(self, labels: Records) -> None:
        """Flatten the prefixes of `labels`, canonical records of `schemas/label.avsc`.

        A prefix that occurs with two different services names nobody; the same service twice is one label, the first.

        Raises:
            ValueError: a text is no prefix, or has host bits set.
        """
        self._empty = labels.num_rows == 0
        service, _ = encode(labels.column("service"))
        high, low, width = _packed(labels.column("prefix"))
        row = _distinct(high, low, width, service)
        high, low, width, owner = high[row.first], low[row.first], width[row.first], row.owner
        ipv4 = _is_ipv4(high, low) & (width >= _MAPPED_WIDTH)
        self._ipv4 = LeadingBits.of(low[ipv4] & _IPV4_MASK, width[ipv4] - _MAPPED_WIDTH, owner[ipv4], _IPV4_WIDTH)
        self._ipv6 = Halves.of(high[~ipv4], low[~ipv4], width[~ipv4], owner[~ipv4])

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

    def match(self, addresses: Texts) -> Int32:
        """Row of the label with the longest prefix that contains each address.

        `NONE` where no prefix contains the address, and where the longest prefix that does has two names.

        Args:
            addresses: canonical text. Nulls have no label.

        Raises:
            ValueError: a value is no address.
        """
        return np.maximum(self._owners_of_texts(addresses), NONE)

    def match_packed(self, high: UInt64, low: UInt64) -> Int32:
        """`match` of addresses that `addresses.pack` has packed; as many rows as it is given."""
        return np.maximum(self._owners(high, low), NONE)

    def contains(self, addresses: Texts) -> Bool:
        """Whether any prefix, disputed or not, contains each address; a null is in none."""
        inside: Bool = self._owners_of_texts(addresses) != NONE
        return inside

    def _owners_of_texts(self, addresses: Texts) -> Int32:
        if self._empty:
            return np.full(len(addresses), NONE)
        if pa.types.is_string(addresses.type) and not addresses.null_count:
            return self._owners(*pack(addresses))  # which costs less than to find the distinct addresses
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
class _Distinct:
    """Each prefix once: the first row that has it, and its owner: that row, or `SEVERAL`."""

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
    return _Distinct(first, np.where(disputed, SEVERAL, first).astype(np.int32))


def _packed(prefixes: Texts) -> tuple[UInt64, UInt64, Int64]:
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
    high_mask, low_mask = leading_ones(np.minimum(width, HALF_WIDTH)), leading_ones(np.maximum(width - HALF_WIDTH, 0))
    wrong = (width > _FULL_WIDTH) | (width < 0) | ((high & ~high_mask) != 0) | ((low & ~low_mask) != 0)
    if wrong.any():
        found = prefixes[int(np.argmax(wrong))].as_py()
        raise ValueError(f"cannot match addresses against {found!r}: it is no prefix; make it canonical first")
    return high, low, width


def _is_ipv4(high: UInt64, low: UInt64) -> Bool:
    mapped: Bool = (high == 0) & ((low >> np.uint64(_IPV4_WIDTH)) == _MAPPED)
    return mapped
