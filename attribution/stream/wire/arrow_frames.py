"""The frames of an Arrow stream from a stranger, checked before Arrow reads what is in them.

Arrow's reader trusts the sizes that a stream claims. A buffer of a few bytes may say that it holds a terabyte once it
is decompressed. Dictionaries that are sent in pieces are joined before anybody can validate them. Neither can be
bounded from outside, so the sizes are added up here first, from the headers alone (flatbuffers, `Message.fbs` and
`Schema.fbs` of the Arrow columnar format).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from attribution.core.columnar.types import Int64

#: What every frame of a stream begins with.
CONTINUATION = b"\xff\xff\xff\xff"
#: Rows of all batches of a stream, and of each dictionary.
LARGEST_ROWS = 1 << 18
#: Bytes of all buffers of a stream, decompressed.
LARGEST_BYTES = 128 << 20

_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_PREFIX = 8
_ALIGNMENT = 8


class UnsoundError(Exception):
    """A Kafka value as a whole cannot be used.

    Attributes:
        reason: one of `attribution.stream.wire.dead_letters.REASONS`.
        found: what it was about.
    """

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(f"{reason}: {found}")
        self.reason = reason
        self.found = found


def check_frames(value: bytes) -> None:
    """Pass an Arrow stream whose frames lie within it and whose content is of bearable size once decompressed.

    Dictionaries are sent once and whole; what lies in the buffers is not looked at.

    Raises:
        UnsoundError: it is not such a stream.
    """
    sizes = _Sizes()
    try:
        for number, frame in enumerate(_frames(value)):
            if (number == 0) != (frame.kind == _SCHEMA):
                _fail(f"a schema must come first and once; frame {number} is of kind {frame.kind}")
            if frame.kind == _SCHEMA:
                if frame.header.integer(0, "<h", 0):
                    _fail("its numbers are big-endian")
            elif frame.kind == _DICTIONARY:
                sizes.add_dictionary(frame)
            elif frame.kind == _BATCH:
                sizes.add_batch(frame)
            else:
                _fail(f"frame {number} is of kind {frame.kind}, neither schema, dictionary nor batch")
    except (struct.error, ValueError) as error:
        _fail(f"its headers are broken: {error}")


def _fail(found: str) -> NoReturn:
    raise UnsoundError("not_arrow", found)


class _Table:
    """One flatbuffers table; every access is checked against the ends of the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._number("<i", at)
        self._size = self._number("<H", self._fields)

    def _number(self, kind: str, at: int) -> int:
        if at < 0:  # `struct` counts such places from the end
            raise struct.error("an offset leads out of the header")
        return int(struct.unpack_from(kind, self._data, at)[0])

    def _place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        offset = self._number("<H", self._fields + slot) if slot + 2 <= self._size else 0
        return self._at + offset if offset else None

    def integer(self, field: int, kind: str, default: int) -> int:
        """The number in a field, of a `struct` format."""
        place = self._place(field)
        return default if place is None else self._number(kind, place)

    def table(self, field: int) -> "_Table | None":
        """The table in a field."""
        place = self._place(field)
        return None if place is None else _Table(self._data, place + self._number("<I", place))

    def integers(self, field: int, *, each: int = 1) -> Int64:
        """The vector of 64-bit integers in a field, `each` of them to a row."""
        place = self._place(field)
        if place is None:
            return np.zeros((0, each), np.int64)
        place += self._number("<I", place)
        count = self._number("<I", place)
        return np.frombuffer(self._data, "<i8", each * count, place + 4).reshape(count, each)

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        """The outermost table of some data."""
        return cls(data, int(struct.unpack_from("<I", data)[0]))


@dataclass(frozen=True)
class _Frame:
    kind: int
    header: _Table
    body: memoryview


def _frames(value: bytes) -> Iterator[_Frame]:
    at = 0
    while at < len(value):
        mark, size = value[at : at + 4], value[at + 4 : at + _PREFIX]
        if mark != CONTINUATION or len(size) < 4:
            _fail(f"byte {at} starts no frame")
        length = int.from_bytes(size, "little")
        start = at + _PREFIX + length
        if length == 0:
            if start != len(value):
                _fail(f"{len(value) - start} bytes follow its end")
            return
        if start % _ALIGNMENT or start > len(value):
            _fail(f"the header at byte {at} claims {length} bytes")
        message = _Table.root(value[at + _PREFIX : start])
        body = message.integer(3, "<q", 0)
        header = message.table(2)
        if header is None or body < 0 or start + body > len(value):
            _fail(f"the frame at byte {at} claims a body of {body} bytes")
        at = start + body
        yield _Frame(message.integer(1, "<B", 0), header, memoryview(value)[start:at])


class _Sizes:
    """Adds up what a stream claims to hold."""

    def __init__(self) -> None:
        self._rows = 0
        self._bytes = 0
        self._dictionaries: set[int] = set()

    def add_dictionary(self, frame: _Frame) -> None:
        number, batch = frame.header.integer(0, "<q", 0), frame.header.table(1)
        if number in self._dictionaries or frame.header.integer(2, "<B", 0) or batch is None:
            _fail(f"dictionary {number} is not sent once and whole")
        self._dictionaries.add(number)
        self._within_rows(batch.integer(0, "<q", 0))
        self._add_buffers(batch, frame.body)

    def add_batch(self, frame: _Frame) -> None:
        rows = frame.header.integer(0, "<q", 0)
        self._within_rows(rows)
        self._rows += rows
        self._within_rows(self._rows)
        self._add_buffers(frame.header, frame.body)

    def _add_buffers(self, batch: _Table, body: memoryview) -> None:
        for rows, _ in batch.integers(1, each=2).tolist():
            self._within_rows(rows)
        buffers = batch.integers(2, each=2).tolist()
        of_views = batch.integers(4)[:, 0].tolist()
        if min(of_views, default=0) < 0 or sum(of_views) > len(buffers):
            _fail("columns of views claim more buffers than there are")
        compressed = batch.table(3) is not None
        for offset, length in buffers:
            if offset % _ALIGNMENT or not 0 <= offset <= offset + length <= len(body):
                _fail(f"a buffer of {length} bytes at {offset} leaves its frame")
            self._bytes += _decompressed(body[offset : offset + length]) if compressed and length else length
        if self._bytes > LARGEST_BYTES:
            raise UnsoundError("too_large", f"its buffers hold {self._bytes} bytes; {LARGEST_BYTES} are allowed")

    @staticmethod
    def _within_rows(rows: int) -> None:
        if rows < 0:
            _fail(f"it claims {rows} rows")
        if rows > LARGEST_ROWS:
            raise UnsoundError("too_large", f"it claims {rows} rows; {LARGEST_ROWS} are allowed")


def _decompressed(buffer: memoryview) -> int:
    """Bytes that a compressed buffer says it holds; -1 in its place says that it is not compressed."""
    (length,) = struct.unpack_from("<q", buffer)
    if length < -1:
        _fail(f"a buffer claims {length} bytes")
    return len(buffer) if length == -1 else int(length)
