"""gzip and zstd content as a stream of bytes, recognised by magic bytes; what comes before damage is never lost."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import pyarrow as pa

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
#: Frames that carry no data and may stand before the first real one (RFC 8878, 3.1.2): 0x184D2A50 to 0x184D2A5F.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"

#: Times that content may have been compressed, one after the other.
_LAYERS = 2
_CHUNK = 1 << 20
_COMPRESSED_CHUNK = 256 << 10
_SMALL_STEP = 512
#: No UTF-8 text and no whole JSON or log line ends in this byte, so it shows where a failed read stopped.
_UNWRITTEN = b"\xff"

#: Reads up to so many bytes; fewer only at the end, where it returns `b""`.
Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Damage:
    """Why a source ended before its end: the reason of a reject, and what was found."""

    reason: Literal["truncated", "corrupt", "unreadable"]
    found: str


class DamagedError(Exception):
    """Raised inside this package after the last good bytes; `Input` turns it into its `damage`."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.found)
        self.damage = damage


class _Inflate(Protocol):
    """What `zlib.decompressobj` gives, whose type has no public name."""

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...

    def copy(self) -> Self: ...


def decompressed(read: Read, *, layers: int = _LAYERS) -> Iterator[bytes]:
    """The content in chunks of at most about 1 MiB: decompressed where it is gzip or zstd, as it is otherwise.

    Args:
        read: reads the content.
        layers: how often content may have been compressed. Firehose compresses what CloudWatch has compressed.

    Raises:
        DamagedError: the content is truncated, corrupt or unreadable; everything before was yielded.
    """
    first = _read(read, _COMPRESSED_CHUNK)
    if layers and is_compressed(first):
        chunks = _gunzip(first, read) if first.startswith(GZIP_MAGIC) else _unzstd(first, read)
        inside = next(chunks, b"")
        if is_compressed(inside):
            yield from decompressed(_Chunks(inside, chunks).read, layers=layers - 1)
        else:
            yield inside
            yield from chunks
        return
    while first:
        yield first
        first = _read(read, _CHUNK)


class _Chunks:
    """Chunks of bytes, read as a file is."""

    def __init__(self, first: bytes, following: Iterator[bytes]) -> None:
        self._pending, self._following = first, following

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end."""
        while not self._pending and (chunk := next(self._following, None)) is not None:
            self._pending = chunk
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken


def is_compressed(first: bytes) -> bool:
    """Whether content that starts so is gzip or zstd."""
    return first.startswith((GZIP_MAGIC, ZSTD_MAGIC)) or (first[1:4] == _ZSTD_SKIPPABLE and first[0] >> 4 == 5)


def _read(read: Read, size: int) -> bytes:
    try:
        return read(size)
    except OSError as error:
        raise DamagedError(Damage("unreadable", f"reading failed: {error.strerror or error}")) from None


def _gunzip(chunk: bytes, read: Read) -> Iterator[bytes]:
    """All members of a gzip stream; zeros may pad it, as tape and some copy programs leave them."""
    while chunk:
        if not chunk.startswith(GZIP_MAGIC[: len(chunk)]):
            raise DamagedError(Damage("corrupt", "the gzip data is followed by bytes that are none"))
        inflate = zlib.decompressobj(wbits=31)
        while not inflate.eof:
            chunk = chunk or _read(read, _COMPRESSED_CHUNK)
            if not chunk:
                raise DamagedError(Damage("truncated", "the gzip data ends in the middle: the file is incomplete"))
            before = inflate.copy()
            try:
                content = inflate.decompress(chunk, _CHUNK)
            except zlib.error as error:
                yield from _until_error(before, chunk)
                raise DamagedError(Damage("corrupt", f"the gzip data is damaged: {error}")) from None
            if content:
                yield content
            chunk = inflate.unconsumed_tail
        chunk = inflate.unused_data.lstrip(b"\0")
        while not chunk and (more := _read(read, _COMPRESSED_CHUNK)):
            chunk = more.lstrip(b"\0")


def _until_error(inflate: _Inflate, chunk: bytes) -> Iterator[bytes]:
    """What a chunk that fails holds before its error: the call that fails keeps to itself what it had decompressed."""
    for step in (_SMALL_STEP, 1):
        while True:
            before = inflate.copy()
            try:
                content = inflate.decompress(chunk, step)
            except zlib.error:
                break
            yield content
            chunk = inflate.unconsumed_tail
        inflate = before


def _unzstd(first: bytes, read: Read) -> Iterator[bytes]:
    """All frames of a zstd stream.

    Arrow's stream reports truncation by failing the read that meets it, though it has filled a part of the buffer by
    then. The buffer is therefore set to a byte that ends no line, which shows how far it came.
    """
    stream = pa.CompressedInputStream(pa.PythonFile(_Rejoined(first, read), mode="r"), "zstd")
    while True:
        buffer = bytearray(_UNWRITTEN * _CHUNK)
        try:
            count = stream.readinto(buffer)
        except DamagedError:
            yield bytes(buffer.rstrip(_UNWRITTEN))
            raise
        except OSError as error:
            yield bytes(buffer.rstrip(_UNWRITTEN))
            if "truncated" in str(error).lower():
                found = "the zstd data ends in the middle: the file is incomplete"
                raise DamagedError(Damage("truncated", found)) from None
            raise DamagedError(Damage("corrupt", f"the zstd data is damaged: {error}")) from None
        if not count:
            return
        yield bytes(memoryview(buffer)[:count])


class _Rejoined:
    """A readable file object of bytes already read and the rest, for `pyarrow.PythonFile`."""

    closed = False

    def __init__(self, first: bytes, read: Read) -> None:
        self._first = first
        self._read = read

    def read(self, size: int) -> bytes:
        if self._first:
            taken, self._first = self._first[:size], self._first[size:]
            return taken
        return _read(self._read, min(size, _COMPRESSED_CHUNK))

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to close: the owner of the file closes it."""
