"""Cuts the values of chosen fields out of JSON lines of known shapes, a block at a time. See `json_shapes`."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Int64, UInt64
from attribution.sources.json.shapes import SHORTEST_LINE, Path, Shape, Value

_WORD = 8
#: Shapes that are remembered, and new ones that are tried on a block.
_REMEMBERED = 16
_NEW_A_BLOCK = 4
#: Blocks for which cutting is not tried after one that was mostly left over.
_PAUSE = 16
#: A number of more digits does not fit 64 bits.
_LONGEST_INTEGER = 19
_LARGEST = np.uint64((1 << 63) - 1)
_INTEGER = "^-?(?:0|[1-9][0-9]*)$"
#: Numbers of JSON; integers too large for 64 bits are left to a parser, which makes text of them.
_NUMBER = r"^-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
_NULL = int.from_bytes(b"null", "little")

_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)
_HIGH_BITS = np.uint64(0x8080808080808080)


class ShapedLines:
    """Cuts chosen fields out of block after block; the shapes of lines are learned on the way."""

    def __init__(self, fields: Mapping[str, Path]) -> None:
        self._fields = dict(fields)
        self._shapes: list[Shape] = []
        self._pause = 0

    def read(self, block: bytes) -> tuple[list[tuple[dict[str, pa.Array], Int64]], Int64]:
        """Columns of the lines that could be cut, by shape, and the lines that could not.

        Args:
            block: whole lines of UTF-8; the last may lack its newline.

        Returns:
            (columns, 0-based lines) for each shape met, and the 0-based lines that are left, blank ones included. Text
            that is the same on all lines of a shape is dictionary-encoded, other text plain; numbers are numbers. What
            lines of a shape do not have, or have null for, is null.
        """
        block_lines = _BlockLines(block)
        left = block_lines.usable.copy()
        found: list[tuple[dict[str, pa.Array], Int64]] = []
        if self._pause:
            self._pause -= 1
            return found, np.arange(block_lines.count)
        for cut in self._cuts(block_lines, left):
            columns = cut.columns(self._fields)
            if columns is not None:
                found.append((columns, cut.rows))
        taken = np.zeros(block_lines.count, np.bool_)
        for _, rows in found:
            taken[rows] = True
        rest = np.flatnonzero(~taken)
        if 2 * len(rest) > block_lines.count:
            self.pause()
        return found, rest

    def pause(self) -> None:
        """Leave the next few blocks alone: cutting this one was no use."""
        self._pause = _PAUSE

    def _cuts(self, lines: "_BlockLines", left: Bool) -> Iterator["_Cut"]:
        """The lines of each shape; `left` marks those that none has taken yet."""
        for shape in tuple(self._shapes):
            cut = lines.cut(shape, left)
            if cut is not None:
                left[cut.rows] = False
                yield cut
        for _ in range(_NEW_A_BLOCK):
            if not left.any():
                return
            first = int(np.argmax(left))
            left[first] = False
            learned = Shape.of(lines.line(first))
            if learned is None or learned in self._shapes or len(self._shapes) >= _REMEMBERED:
                continue
            left[first] = True
            self._shapes.append(learned)
            cut = lines.cut(learned, left)
            left[first] = False
            if cut is not None:
                left[cut.rows] = False
                yield cut


class _BlockLines:
    """A block with the places of its lines and keys.

    Attributes:
        count: of lines.
        usable: which lines may be cut: long enough, and without a backslash.
        starts: first byte of each line.
        ends: behind the last byte of each line, without its newline.
        characters: the bytes of the block.
    """

    def __init__(self, block: bytes) -> None:
        self._block = block
        self.characters = characters = np.frombuffer(block, np.uint8)
        self._quote = characters == ord('"')
        self._keys = np.flatnonzero(self._quote[:-1] & (characters[1:] == ord(":")))
        newlines = np.flatnonzero(characters == ord("\n"))
        self.ends = newlines if block.endswith(b"\n") else np.append(newlines, len(block))
        self.count = len(self.ends)
        self.starts = np.zeros(self.count, np.int64)
        self.starts[1:] = self.ends[:-1] + 1
        # Numbers that are not aligned are picked one by one; bytes of no type are copied, a third faster.
        self._eights = np.ndarray((max(0, len(block) - _WORD + 1),), f"V{_WORD}", block, strides=(1,))
        self.usable: Bool = self.ends - self.starts >= SHORTEST_LINE
        if b"\\" in block:
            self.usable[np.searchsorted(self.ends, np.flatnonzero(characters == ord("\\")))] = False
        self._first_key, self._key_count = self._keys_of_lines()
        self._quotes_of_lines: Int64 | None = None

    def words(self, begin: Int64) -> UInt64:
        """The 8 bytes from each place on, as a number whose lowest byte is the first."""
        return self._eights[begin].view("<u8")

    def line(self, number: int) -> bytes:
        """The bytes of one line, without its newline."""
        return self._block[self.starts[number] : self.ends[number]]

    def cut(self, shape: Shape, left: Bool) -> "_Cut | None":
        """The lines among those left that have the shape; None where none has."""
        size = len(shape.values)
        rows = np.flatnonzero(left & (self._key_count == size))
        if not len(rows):
            return None
        if len(rows) * size == len(self._keys):
            keys = np.ascontiguousarray(self._keys.reshape(-1, size).T)
        else:
            keys = np.ascontiguousarray(self._keys[self._first_key[rows][:, None] + np.arange(size)].T)
        if any(key + value.start > len(self._block) for key, value in zip(keys[:, -1], shape.values, strict=True)):
            rows, keys = rows[:-1], keys[:, :-1]
        fits = self._fits(shape, rows, keys)
        if not fits.all():
            rows, keys = rows[fits], keys[:, fits]
        return _Cut(self, self._block, shape, rows, keys) if len(rows) else None

    def _fits(self, shape: Shape, rows: Int64, keys: Int64) -> Bool:
        """Which of the rows have the bytes of the shape at its places, given the ends of their keys."""
        fits = np.ones(len(rows), np.bool_)
        behind = self.starts[rows]
        for place, value in enumerate(shape.values):
            begin = keys[place] + (value.start - len(value.before))
            fits &= begin == behind if place == 0 or shape.values[place - 1].kind == "inner" else begin >= behind
            fits &= self.same(begin, value.before, at_start=place == 0)
            behind = keys[place] + value.start
        begin = self.ends[rows] - len(shape.after)
        fits &= begin == behind if shape.values[-1].kind == "inner" else begin >= behind
        fits &= self.same(begin, shape.after)
        if shape.quotes is not None:
            fits &= self._quotes(rows, shape.quotes)
        return fits

    def same(self, begin: Int64, expected: bytes, *, at_start: bool = False) -> Bool:
        """Whether `expected` stands at each place, compared by words; where shorter than one, by a part of a word."""
        length = len(expected)
        if length < _WORD:
            number = np.uint64(int.from_bytes(expected, "little"))
            spare = np.uint64(8 * (_WORD - length))
            if at_start:
                return (self.words(begin) << spare) == (number << spare)
            return (self.words(begin + (length - _WORD)) >> spare) == number
        same = self.words(begin) == _word(expected, 0)
        for offset in range(_WORD, length, _WORD):
            at = min(offset, length - _WORD)
            same &= self.words(begin + at) == _word(expected, at)
        return same

    def _quotes(self, rows: Int64, expected: int) -> Bool | bool:
        """Whether the rows have so many quotation marks; one more would be inside of what is taken for text."""
        if len(rows) == self.count and np.count_nonzero(self._quote) == expected * self.count:
            return True
        if self._quotes_of_lines is None:
            self._quotes_of_lines = np.add.reduceat(self._quote, self.starts, dtype=np.int64)
        return self._quotes_of_lines[rows] == expected

    def _keys_of_lines(self) -> tuple[Int64, Int64]:
        """Place of the first key of each line among all keys, and how many keys it has."""
        size = len(self._keys) // max(1, self.count)
        if size and len(self._keys) == size * self.count:
            keys = self._keys.reshape(-1, size)
            if (keys[:, 0] >= self.starts).all() and (keys[:, -1] < self.ends).all():
                return np.arange(self.count) * size, np.full(self.count, size)
        first = np.searchsorted(self._keys, self.starts)
        return first, np.diff(first, append=len(self._keys))


class _Cut:
    """Lines of one shape, with the ends of their keys."""

    def __init__(self, lines: _BlockLines, block: bytes, shape: Shape, rows: Int64, keys: Int64) -> None:
        self.rows = rows
        self._lines = lines
        self._block = block
        self._shape = shape
        self._keys = keys
        self._every_other: pa.Array | None = None

    def columns(self, fields: Mapping[str, Path]) -> dict[str, pa.Array] | None:
        """The chosen fields; None where one is an object or a list, or a number that is none."""
        places = {value.path: place for place, value in enumerate(self._shape.values)}
        columns = {}
        for name, path in fields.items():
            place = places.get(path)
            if place is None:
                columns[name] = pa.nulls(len(self.rows), pa.string())
                continue
            column = self._column(place, self._shape.values[place])
            if column is None:
                return None
            columns[name] = column
        return columns

    def _column(self, place: int, value: Value) -> pa.Array | None:
        last = place + 1 == len(self._shape.values)
        begin = self._keys[place] + value.start
        end = (self._lines.ends[self.rows] if last else self._keys[place + 1]) - value.end
        if value.kind == "text":
            return self._text(begin, end)
        return self._number(begin, end) if value.kind == "scalar" else None

    def _text(self, begin: Int64, end: Int64) -> pa.Array:
        sample = self._block[begin[0] : end[0]]
        if self._is_constant(begin, end, sample):
            codes = pa.array(np.zeros(len(begin), np.int32))
            return pa.DictionaryArray.from_arrays(codes, pa.array([sample.decode()], pa.string()))
        return self._slices(begin, end)

    def _is_constant(self, begin: Int64, end: Int64, sample: bytes) -> bool:
        if self._block[begin[-1] : end[-1]] != sample or len(begin) == 1:
            return False
        middle = len(begin) // 2
        if self._block[begin[middle] : end[middle]] != sample or ((end - begin) != len(sample)).any():
            return False
        return bool(self._lines.same(begin, sample).all())

    def _slices(self, begin: Int64, end: Int64) -> pa.Array:
        """Text between the places: every other piece of the block, when it is cut at all of them."""
        offsets = np.empty(2 * len(begin), np.int32)
        offsets[0::2], offsets[1::2] = begin, end
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._block)]
        pieces = pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
        if self._every_other is None:
            self._every_other = pa.array(np.arange(0, len(offsets), 2))
        return pieces.take(self._every_other)

    def _number(self, begin: Int64, end: Int64) -> pa.Array | None:
        """Integers, else doubles, else booleans, null for `null`; None where the values are of several types."""
        length = end - begin
        longest = int(length.max())
        if longest <= _LONGEST_INTEGER and int(length.min()) >= 1 and int(end.min()) >= 2 * _WORD:
            value, odd = self._digits(end, np.minimum(length, _WORD))
            if longest > _WORD:
                more = length > _WORD
                high, odd_high = self._digits(end - _WORD, np.clip(length - _WORD, 1, _WORD))
                value, odd = value + more * high * np.uint64(10**8), odd | (more & odd_high)
            if longest > 2 * _WORD:
                more = length > 2 * _WORD
                high, odd_high = self._digits(end - 2 * _WORD, np.clip(length - 2 * _WORD, 1, _WORD))
                value, odd = value + more * high * np.uint64(10**16), odd | (more & odd_high)
            odd |= (value > _LARGEST) | ((length > 1) & (self._lines.characters[begin] == ord("0")))
            numbers = value.view(np.int64)
            if not odd.any():
                return pa.array(numbers)
            null = odd & (length == len(b"null")) & (self._lines.words(end - _WORD) >> np.uint64(32) == _NULL)
            if not (odd & ~null).any():
                return pa.array(numbers, mask=null)
        return _parsed(self._slices(begin, end))

    def _digits(self, end: Int64, length: Int64) -> tuple[UInt64, Bool]:
        """Numbers of 1 to 8 digits that end at the places, and where something else than a digit stands.

        The eight bytes before each place are a word; what stands before the number is shifted out. Digits next to each
        other are then joined in pairs, fours and eights by a multiplication each.
        """
        spare = (np.uint64(8) * (np.uint64(_WORD) - length.astype(np.uint64))).astype(np.uint64)
        digits = ((self._lines.words(end - _WORD) ^ _ZEROS) >> spare) << spare
        odd = ((digits + _ABOVE_NINE) | digits) & _HIGH_BITS != 0
        pairs = (digits * np.uint64(10 * (1 << 8) + 1)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
        fours = (pairs * np.uint64(100 * (1 << 16) + 1)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
        return (fours * np.uint64(10_000 * (1 << 32) + 1)) >> np.uint64(32), odd


def _parsed(tokens: pa.Array) -> pa.Array | None:
    """JSON numbers or booleans from their text; None where the values are neither, or integers beyond 64 bits."""
    known = pc.if_else(pc.equal(tokens, pa.scalar("null", pa.string())), pa.scalar(None, pa.string()), tokens)
    if _all_match(known, _NUMBER):
        kind = pa.int64() if _all_match(known, _INTEGER) else pa.float64()
    elif _all_match(known, "^(?:true|false)$"):
        kind = pa.bool_()
    else:
        return None
    try:
        return known.cast(kind)
    except pa.ArrowInvalid:
        return None


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py() is not False


def _word(text: bytes, offset: int) -> np.uint64:
    return np.uint64(int.from_bytes(text[offset : offset + _WORD], "little"))
