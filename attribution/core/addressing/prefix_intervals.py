"""Nested prefixes, flattened into disjoint intervals that have one owner each.

Example: in a space of 8 bits, prefix 0 is all of it (length 0), and prefix 1 the upper half (length 1). Prefix 2 has
the 16 values from 160 on (length 4). Longer prefixes lie on top of shorter prefixes.

>>> begin, offset, owner = flatten(
...     group=np.zeros(3, np.int64),
...     start=np.array([0, 128, 160], np.uint64),
...     length=np.array([0, 1, 4]),
...     owner=np.array([0, 1, 2], np.int32),
...     base=np.array([-1], np.int32),
...     width=8,
... )
>>> begin.tolist(), owner.tolist()
([0, 128, 160, 176], [0, 1, 2, 1])
"""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.arrays import NONE, last_at_or_before, numbers_between, starts_of_runs
from attribution.core.columnar.types import Int32, Int64, UInt64

#: Bits of half an IPv6 address, the widest space.
HALF_WIDTH = 64
#: In the place of an owner, less the number of a block: the block is shared, so that its intervals must be searched.
_SHARED = np.int32(-3)


@dataclass(frozen=True)
class Intervals:
    """Disjoint intervals without gaps between them: where each begins, and whose it is. The first begins at 0."""

    start: UInt64
    owner: Int32

    def find_among(self, position: Int64, length: Int64, value: UInt64) -> Int32:
        """Owner of each value, which lies in one of `length` intervals from `position` on: a short search for each."""
        return self.owner[last_at_or_before(self.start, position, length, value)]


@dataclass(frozen=True)
class LeadingBits:
    """The intervals of one space behind a table of the leading bits.

    Attributes:
        intervals: the intervals.
        shift: how many bits are not leading.
        block: owner of the values with the same leading bits; where there are several, `_SHARED` less a number.
        position: the first interval of the shared block of each number.
        length: how many intervals that block has.
    """

    intervals: Intervals
    shift: np.uint64
    block: Int32
    position: Int64
    length: Int64

    @classmethod
    def of(cls, start: UInt64, length: Int64, owner: Int32, width: int) -> "LeadingBits":
        """The table for prefixes of a space of `width` bits, each of which occurs once.

        It has a few blocks for each interval, so that few blocks are shared, but at most 2**24 blocks of 4 bytes.
        """
        one_space = np.zeros(len(start), np.int64)
        begin, _, whose = flatten(one_space, start, length, owner, base=np.array([NONE]), width=width)
        bits = min(max(len(begin).bit_length() + 3, 16), 24)
        shift = np.uint64(width - bits)
        in_block = (begin >> shift).astype(np.int64)
        inside = (begin & np.uint64((1 << (width - bits)) - 1)) != 0
        # A block belongs to the last interval that begins at or before it ...
        block = np.repeat(whose, np.diff(in_block + inside, append=1 << bits))
        # ... and is shared where another interval begins inside it.
        later = np.flatnonzero(inside)
        first = later[starts_of_runs(in_block[later])] if len(later) else later
        block[in_block[first]] = _SHARED - np.arange(len(first), dtype=np.int32)
        stop = np.searchsorted(in_block, in_block[first], side="right")
        return cls(Intervals(begin, whose), shift, block, first - 1, stop - first + 1)

    def find(self, value: UInt64) -> Int32:
        """Owner of each value."""
        owner: Int32 = self.block[value >> self.shift]
        rows = np.flatnonzero(owner <= _SHARED)
        if len(rows):
            number = _SHARED - owner[rows]
            owner[rows] = self.intervals.find_among(self.position[number], self.length[number], value[rows])
        return owner


@dataclass(frozen=True)
class Halves:
    """Intervals of IPv6: of the first 64 bits, and of the last 64 bits where prefixes longer than /64 share the first.

    Attributes:
        first: intervals of the first half, from the prefixes up to /64.
        under: first halves of the longer prefixes, sorted.
        offset: for each of `under` where its intervals begin among `last`, and one past the end.
        last: intervals of the last half, for one of `under` after the other.
    """

    first: LeadingBits
    under: UInt64
    offset: Int64
    last: Intervals

    @classmethod
    def of(cls, high: UInt64, low: UInt64, length: Int64, owner: Int32) -> "Halves":
        """The intervals of prefixes, by the halves of their first address and their lengths; each occurs once."""
        short = length <= HALF_WIDTH
        first = LeadingBits.of(high[short], length[short], owner[short], HALF_WIDTH)
        under, group = np.unique(high[~short], return_inverse=True)
        begin, offset, whose = flatten(
            group.astype(np.int64, copy=False),
            low[~short],
            length[~short] - HALF_WIDTH,
            owner[~short],
            base=first.find(under),
            width=HALF_WIDTH,
        )
        return cls(first, under, offset, Intervals(begin, whose))

    def find(self, high: UInt64, low: UInt64) -> Int32:
        """Owner of each address."""
        owner = self.first.find(high)
        if len(self.under) == 0:
            return owner
        at = np.minimum(np.searchsorted(self.under, high), len(self.under) - 1)
        rows = np.flatnonzero(self.under[at] == high)
        at, value = at[rows], low[rows]
        begin = self.offset[at]
        owner[rows] = self.last.find_among(begin, self.offset[at + 1] - begin, value)
        return owner


def leading_ones(length: Int64) -> UInt64:
    """The first `length` of 64 bits set."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    rest = (HALF_WIDTH - length).astype(np.uint64)
    return np.where(rest == HALF_WIDTH, np.uint64(0), ones << np.minimum(rest, np.uint64(63)))


def flatten(
    group: Int64, start: UInt64, length: Int64, owner: Int32, *, base: Int32, width: int
) -> tuple[UInt64, Int64, Int32]:
    """Nested prefixes as disjoint intervals, for many spaces of `width` bits at once.

    Every space is cut wherever a prefix begins or ends. Then the prefixes are painted over the cuts, short prefixes
    before long prefixes. Prefixes of one length never overlap, so all prefixes of one length are painted at once.

    Args:
        group: number of the space that each prefix is in.
        start: first value of each prefix.
        length: number of leading bits that are fixed.
        owner: whose the prefix is.
        base: owner of each space where no prefix is.
        width: bits of a value.

    Returns:
        Begin of each interval, in the order of the spaces; where each space begins among them, and one past the end;
        owner of each interval.
    """
    spaces = np.arange(len(base), dtype=np.int64)
    last = start | (~leading_ones(length + (HALF_WIDTH - width)))
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
    for same_length in np.unique(length):
        rows = np.flatnonzero(length == same_length)
        row, painted = numbers_between(opens[rows], closes[rows])
        whose[painted] = owner[rows][row]

    kept = starts_of_runs(space, whose) if len(space) else np.zeros(0, np.bool_)
    return value[kept], np.searchsorted(space[kept], np.append(spaces, len(base))), whose[kept]
