"""A set of 64-bit numbers, each with a moment, to which whole columns are added at a time."""

import numpy as np

from attribution.core.columnar.types import Bool, Int32, Int64, UInt64

#: In a slot: it is free. The number 0 is kept as 1.
_FREE = np.uint64(0)
_SMALLEST_BITS = 10
#: Numbers that are added at a time: their slots stay in the processor's cache meanwhile.
_AT_A_TIME = 1 << 13


class NumberSet:
    """Numbers that are spread evenly, such as hashes, each with the moment at which it was added.

    A hash table with open addressing and linear probing, at most half full: each step looks at one slot for all numbers
    that have not found their place. A number takes 24 to 48 bytes.

    >>> known = NumberSet()
    >>> known.add(np.array([7, 9, 7], np.uint64), 1).tolist(), known.add(np.array([9, 8], np.uint64), 2).tolist()
    ([True, True, False], [False, True])
    >>> known.forget(2)
    >>> [part.tolist() for part in known.items]
    [[8], [2]]
    """

    def __init__(self) -> None:
        self._clear(_SMALLEST_BITS)

    def _clear(self, bits: int) -> None:
        self._bits = bits
        self._slots = np.zeros(1 << bits, np.uint64)
        self._moments = np.zeros(1 << bits, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def items(self) -> tuple[UInt64, Int32]:
        """The numbers, in any order, and the moment of each."""
        taken = np.flatnonzero(self._slots != _FREE)
        return self._slots[taken], self._moments[taken]

    def add(self, numbers: UInt64, moments: Int32 | int) -> Bool:
        """Add numbers, and say which are new: not in the set, and not among those before it in the column.

        Args:
            numbers: any numbers; those that are in the set already keep their moment.
            moments: when each was added, any int32; or one moment for all.
        """
        bits = (2 * (self._count + len(numbers)) - 1).bit_length()
        if bits > self._bits:
            self._fill(bits, *self.items)
        stamps = np.broadcast_to(np.asarray(moments, np.int32), len(numbers))
        return self._added(np.maximum(numbers, np.uint64(1)), stamps)

    def has(self, numbers: UInt64) -> Bool:
        """Which numbers are in the set."""
        kept = np.maximum(numbers, np.uint64(1))
        found = np.zeros(len(kept), np.bool_)
        row, slot = np.arange(len(kept)), self._first_slot(kept)
        while len(row):
            there = self._slots[slot]
            found[row] = there == kept[row]
            looks_on = (there != _FREE) & ~found[row]
            row, slot = row[looks_on], (slot[looks_on] + 1) & (len(self._slots) - 1)
        return found

    def _added(self, kept: UInt64, stamps: Int32) -> Bool:
        """Add numbers for which there is room; which are new."""
        new = np.zeros(len(kept), np.bool_)
        for begin in range(0, len(kept), _AT_A_TIME):
            some = slice(begin, begin + _AT_A_TIME)
            self._add(kept[some], stamps[some], new[some])
        return new

    def _add(self, kept: UInt64, stamps: Int32, new: Bool) -> None:
        """Add numbers, and mark in `new` those that are."""
        row, slot, number = np.arange(len(kept), dtype=np.int32), self._first_slot(kept), kept
        while len(row):
            free = self._slots[slot] == _FREE
            self._claim(row[free], slot[free], kept, stamps, new)
            # Where an equal number stands now, the number was known, or is new this moment: the row has its answer.
            looks_on = self._slots[slot] != number
            row, slot, number = row[looks_on], (slot[looks_on] + 1) & (len(self._slots) - 1), number[looks_on]

    def _claim(self, row: Int32, slot: Int64, kept: UInt64, stamps: Int32, new: Bool) -> None:
        """Write numbers to free slots, at each slot that of the first row that wants it."""
        # Of several writes to one place the last one holds.
        self._moments[slot[::-1]] = row[::-1]
        first = self._moments[slot] == row
        row, slot = row[first], slot[first]
        self._slots[slot], self._moments[slot] = kept[row], stamps[row]
        new[row] = True
        self._count += len(row)

    def _first_slot(self, kept: UInt64) -> Int64:
        return (kept >> np.uint64(64 - self._bits)).astype(np.int64)

    def forget(self, before: int) -> None:
        """Take out the numbers that were added before a moment."""
        numbers, moments = self.items
        self._keep(numbers, moments, moments >= before)

    def discard(self, numbers: UInt64) -> None:
        """Take out these numbers, whether they are in the set or not."""
        known, moments = self.items
        self._keep(known, moments, ~np.isin(known, np.maximum(numbers, np.uint64(1))))

    def _keep(self, numbers: UInt64, moments: Int32, rows: Bool) -> None:
        """Keep some of `items`."""
        if not rows.all():
            self._fill(_SMALLEST_BITS, numbers[rows], moments[rows])

    def _fill(self, bits: int, numbers: UInt64, moments: Int32) -> None:
        """Start again with these distinct numbers, in a table of 2 to the power of `bits` slots or more."""
        self._clear(max(bits, (2 * len(numbers) - 1).bit_length()))
        for begin in range(0, len(numbers), _AT_A_TIME):
            number, moment = numbers[begin : begin + _AT_A_TIME], moments[begin : begin + _AT_A_TIME]
            slot = self._first_slot(number)
            while len(number):
                free = self._slots[slot] == _FREE
                self._slots[slot[free]] = number[free]
                placed = self._slots[slot] == number
                self._moments[slot[placed]] = moment[placed]
                number, moment = number[~placed], moment[~placed]
                slot = (slot[~placed] + 1) & (len(self._slots) - 1)
        self._count = len(numbers)
