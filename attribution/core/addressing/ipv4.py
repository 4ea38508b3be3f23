"""Plain IPv4 text to numbers, and from numbers to places in a table, without a dictionary: the common case, made cheap.

Example: two addresses as numbers, and their places in a list of three.

>>> numbers = parse(pa.array(["10.0.0.1", "192.0.2.7"]))
>>> [hex(number) for number in numbers]
['0xa000001', '0xc0000207']
>>> Numbering(np.array([0x0A000001, 0x0A000002, 0xC0000207], np.uint32)).find(numbers).tolist()
[0, 2]
"""

import threading

import numpy as np
import pyarrow as pa

from attribution.core.columnar.arrays import text_blocks
from attribution.core.columnar.types import Int32, Int64, UInt8, UInt16, UInt32, UInt64

_DOT, _ZERO = ord("."), ord("0")
_OCTETS = 4
#: Rows parsed at a time: what is in between stays in the processor's cache.
_CACHED_ROWS = 1 << 14
#: Knuth's multiplicative hash: 2^32 divided by the golden ratio.
_GOLDEN = np.uint32(2654435769)
_EMPTY = np.uint64(0xFFFFFFFF)
#: Columns of which a thread remembers the numbers: the two ends of a batch of flows.
_KEPT = 2


class _Parsed(threading.local):
    """The columns that a thread parsed last, by where their bytes are.

    Several parts of the program ask for the columns of one batch, one after the other. A column is kept with its
    numbers, so that its place in memory stays its own.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[tuple[int, ...], pa.StringArray, UInt32 | None]] = []

    @staticmethod
    def _place(texts: pa.StringArray) -> tuple[int, ...]:
        _, offsets, data = texts.buffers()
        return (offsets.address if offsets else 0, data.address if data else 0, texts.offset, len(texts))

    def of(self, texts: pa.StringArray) -> UInt32 | None:
        """What `_parse` makes of a column; a new column takes the place of the oldest."""
        place = self._place(texts)
        for known, _, numbers in self._kept:
            if known == place:
                return numbers
        made = _parse(texts)
        if made is not None:
            made.flags.writeable = False  # many callers share it
        self._kept = [(place, texts, made), *self._kept[: _KEPT - 1]]
        return made


_parsed = _Parsed()


def parse(texts: pa.Array) -> UInt32 | None:
    """Every row's address as a number, if *all* rows are canonical dotted IPv4; else None.

    Works on the bytes of all rows at once. Each row must have three dots, and else only digits. Every octet must have
    one to three digits without a leading zero, and be at most 255.

    Args:
        texts: a column; anything but plain text without nulls gives None.
    """
    if not pa.types.is_string(texts.type) or texts.null_count:
        return None
    return _parsed.of(texts)


def _parse(texts: pa.StringArray) -> UInt32 | None:
    packed = np.zeros(len(texts), np.uint32)
    for begin, characters, bounds in text_blocks(texts, _CACHED_ROWS):
        numbers = _parse_some(characters, bounds)
        if numbers is None:
            return None
        packed[begin : begin + _CACHED_ROWS] = numbers
    return packed


def _parse_some(characters: UInt8, bounds: Int64) -> UInt32 | None:
    """The addresses between neighbouring bounds as numbers; None if a text is no address."""
    size = len(bounds) - 1
    digit = characters - np.uint8(_ZERO)
    dots = np.flatnonzero(characters == _DOT)
    if len(dots) != size * (_OCTETS - 1) or len(dots) + np.count_nonzero(digit <= 9) != len(digit):
        return None
    dots = np.ascontiguousarray(dots.reshape(size, _OCTETS - 1).T)
    if (dots[0] < bounds[:-1]).any() or (dots[-1] >= bounds[1:]).any():
        return None
    begins, ends = [bounds[:-1], *(dots + 1)], [*dots, bounds[1:]]
    packed = np.zeros(size, np.uint32)
    for begin, end in zip(begins, ends, strict=True):
        octet = _octet(digit, begin, end)
        if octet is None:
            return None
        packed = (packed << np.uint32(8)) | octet
    return packed


def _octet(digit: UInt8, begin: Int64, end: Int64) -> UInt16 | None:
    """Value of the digits in each [begin, end); None if any value is no octet."""
    length = end - begin
    if length.min() < 1 or length.max() > 3:
        return None
    two, three = length > 1, length > 2
    value = digit.take(end - 1).astype(np.uint16)
    value += two * digit.take(end - 2, mode="wrap") * np.uint16(10)
    value += three * digit.take(end - 3, mode="wrap") * np.uint16(100)
    leading_zero = (two & (value < 10)) | (three & (value < 100))
    return None if leading_zero.any() or value.max() > 255 else value


class Numbering:
    """Finds IPv4 numbers in a fixed list: a hash table with open addressing, probed a batch at a time."""

    def __init__(self, numbers: UInt32) -> None:
        """Number the distinct `numbers` by their place in the list."""
        bits = max(4, (4 * len(numbers)).bit_length())
        self._shift = np.uint32(32 - bits) if bits < 32 else np.uint32(0)
        self._mask = np.int64((1 << bits) - 1)
        self._table = np.full(1 << bits, _EMPTY, np.uint64)
        entry = (numbers.astype(np.uint64) << np.uint64(32)) | np.arange(len(numbers), dtype=np.uint64)
        slot = self._slot(numbers)
        while len(entry):
            free = self._table[slot] == _EMPTY
            self._table[slot[free]] = entry[free]
            left = self._table[slot] != entry
            entry, slot = entry[left], (slot[left] + 1) & self._mask

    def _slot(self, numbers: UInt32) -> Int64:
        return ((numbers * _GOLDEN) >> self._shift).astype(np.int64) & self._mask

    def find(self, numbers: UInt32) -> Int32:
        """Place of each number in the list; `NONE` where the list does not have it."""
        slot = self._slot(numbers)
        entry = self._table.take(slot)
        found = _place(entry, numbers)
        rows = np.flatnonzero((found < 0) & (entry != _EMPTY))
        while len(rows):
            slot_left = (slot[rows] + 1) & self._mask
            slot[rows] = slot_left
            entry = self._table[slot_left]
            found[rows] = _place(entry, numbers[rows])
            rows = rows[(found[rows] < 0) & (entry != _EMPTY)]
        return found


def _place(entry: UInt64, numbers: UInt32) -> Int32:
    """The place in each table entry that belongs to the number; `NONE` for other entries."""
    mine = (entry >> np.uint64(32)).astype(np.uint32) == numbers
    # The number in an empty entry is 0. Only its place tells the entry from that of 0.0.0.0.
    return np.where(mine, entry.astype(np.uint32), np.uint32(0xFFFFFFFF)).view(np.int32)
