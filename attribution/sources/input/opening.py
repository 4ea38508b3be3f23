"""Opened inputs: files and standard input, decompressed, read once front to back."""

import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

import numpy as np

from attribution.errors import SourceError
from attribution.sources.input.decompression import Damage, DamagedError, decompressed, is_compressed
from attribution.sources.input.paths import expand, name_of, unreadable

#: How much `head` shows of a source.
HEAD_BYTES = 64 << 10
#: How much is looked at if nothing is told by the head, as where the first record of a wrapping is longer.
_LONG_HEAD_BYTES = 4 << 20
#: No log writes such lines; without a bound, a file of another kind would be read into memory whole. So many blanks
#: before the first line are kept, too.
_LONGEST_LINE = 64 << 20
_SHOWN = 200
_NEWLINE = ord("\n")
_PIECE_BYTES = 128 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPOOLED_IN_MEMORY = 32 << 20


def open_inputs(
    paths: Iterable[str | Path], *, order: Callable[[str], tuple[tuple[str, int], ...]] | None = None
) -> Iterator["OpenInput"]:
    """The inputs that `paths` name, one at a time, each closed when the next is asked for.

    Args:
        paths: files, folders (searched to the bottom, in name order), glob patterns, and `-` for standard input. A file
            that is named twice is read once. In folders, names that start with `.` or `_` are left out: hidden files,
            and markers such as `_SUCCESS`.
        order: sort key of a source's name; what it holds alike keeps the order of `paths`.

    Raises:
        SourceError: a path does not exist or may not be read, a folder holds no file, a pattern matches nothing. All
            paths are looked at before the first input is opened.
    """
    found = expand(paths)
    if order is not None:
        found.sort(key=lambda path: order(name_of(path)))
    for path in found:
        with OpenInput(path) as opened:
            yield opened


class OpenInput:
    """One opened source, decompressed; the `Input` of `attribution.sources.records.model`.

    Attributes:
        name: as a person names it: the path, or `<stdin>`.
        network: the network that a person gave for what names none.
        seen_at: when the requests began whose answers it is, microseconds, as a person said.
        damage: why the content ended early, once reading came to that place; None where it did not.
        line: of text read by `lines`, the number of the line that comes next.
        too_long: number and beginning of each line that `lines` left out because it is longer than 64 MiB.
        consumed: bytes of the file read so far, as stored; for progress.
    """

    def __init__(self, path: Path | None) -> None:
        self.name = name_of(path)
        self.network: str | None = None
        self.seen_at: int | None = None
        self.damage: Damage | None = None
        self.line = 1
        self.too_long: list[tuple[int, bytes]] = []
        self.consumed = 0
        self._path = path
        self._file = _open(path)
        self._chunks = decompressed(self._read_raw)
        self._pending = b""
        self._head: bytes | None = None
        self._started = False
        self._spooled: BinaryIO | None = None

    @property
    def file(self) -> Path | None:
        """The file that is read, which can be read again; None for standard input and pipes."""
        return self._path if self._path is not None and self._path.is_file() else None

    def head(self) -> bytes:
        """The first bytes (up to 64 KiB) behind blank space, without consuming them; decides the format.

        The same at any time. More than 64 MiB of blank space are dropped.
        """
        if self._head is None:
            blank = 0
            while len(self._pending) - blank < HEAD_BYTES and (chunk := self._chunk()):
                if blank == len(self._pending) > _LONGEST_LINE:
                    self.line += _count_lines(self._pending)
                    self._pending = b""
                self._pending += chunk
                blank = _blank_length(self._pending)
            self._head = self._pending[blank : blank + HEAD_BYTES]
        return self._head

    def long_head(self) -> bytes:
        """As `head`, up to 4 MiB; asked before anything is read, if the head does not tell the format."""
        head = self.head()
        while len(self._pending) < _LONG_HEAD_BYTES and (chunk := self._chunk()):
            self._pending += chunk
        return self._pending[self._pending.find(head) :] if head else head

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end, or where damage ends the content."""
        content = self._pending or self._chunk()
        self._pending = content[size:]
        return content[:size]

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines of about `block_bytes`, each with the 1-based number of its first line.

        The last block may lack a final newline; a last line that damage cut off is left out. A line of more than 64 MiB
        is left out as well, and stands in `too_long`.
        """
        held: list[bytes] = []
        size, limit = 0, max(block_bytes, _LONGEST_LINE)
        while chunk := self.read(block_bytes):
            held.append(chunk)
            size += len(chunk)
            if size < block_bytes or b"\n" not in chunk:
                if size <= limit:
                    continue
                # Whole lines may stand before the one that does not end.
                held = [b"".join(held)]
                chunk = held[0]
            end = chunk.rfind(b"\n") + 1
            if end:
                block = b"".join([*held[:-1], memoryview(chunk)[:end]])
                first, self.line = self.line, self.line + _count_lines(block)
                yield first, block
            held, size = [chunk[end:]], len(chunk) - end
            if size > limit:
                self.too_long.append((self.line, chunk[end : end + _SHOWN]))
                self.line += 1
                held = [self._behind_newline()]
                size = len(held[0])
        block = b"".join(held)
        if self.damage is not None:
            block = block[: block.rfind(b"\n") + 1]
        if block:
            first, self.line = self.line, self.line + _count_lines(block)
            yield first, block

    def _behind_newline(self) -> bytes:
        """What was read behind the next end of a line; nothing at the end of the content."""
        while chunk := self.read(_PIECE_BYTES):
            _, newline, behind = chunk.partition(b"\n")
            if newline:
                return behind
        return b""

    def seekable_file(self) -> BinaryIO:
        """A seekable binary file of the whole content: the file itself where it can be, else a temporary copy."""
        if self._spooled is None:
            path = self._path
            plain = path is not None and path.is_file() and not _starts_compressed(path)
            self._spooled = _Counted(path, self) if path is not None and plain else self._spool()
        self._spooled.seek(0)
        return self._spooled

    def close(self) -> None:
        """Release the file and what was spooled of it; standard input stays open."""
        if self._spooled is not None:
            self._spooled.close()
        if self._path is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_raw(self, size: int) -> bytes:
        content = self._file.read(size)
        self.consumed += len(content)
        return content

    def _chunk(self) -> bytes:
        """The next chunk that is not empty; `b""` at the end."""
        try:
            for chunk in self._chunks:
                content = chunk if self._started else chunk.removeprefix(_BYTE_ORDER_MARK)
                self._started = True
                if content:
                    return content
        except DamagedError as error:
            self._end(error.damage)
        return b""

    def _end(self, damage: Damage) -> None:
        self.damage = damage
        self._chunks = iter(())

    def _spool(self) -> BinaryIO:
        try:
            # Closed with the input.
            spooled = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_IN_MEMORY)  # noqa: SIM115
            file = cast("BinaryIO", spooled)
            while chunk := self.read(1 << 20):
                file.write(chunk)
            file.flush()
        except OSError as error:
            raise SourceError(
                f"cannot read {self.name}: a copy of it in the temporary folder {tempfile.tempdir or ''} failed: "
                f"{error.strerror or error}; make room there, or name another folder in the environment variable TMPDIR"
            ) from None
        return file


class _Counted(io.FileIO):
    """A plain file that tells its input how much of it was read."""

    def __init__(self, path: Path, owner: OpenInput) -> None:
        super().__init__(path)
        self._owner = owner

    def read(self, size: int | None = -1, /) -> bytes:
        """As `io.FileIO.read`."""
        content = super().read(-1 if size is None else size)
        self._owner.consumed += len(content)
        return content


def _count_lines(block: bytes) -> int:
    """The newlines of a block, a piece that fits the cache at a time; `bytes.count` is slow where there are many."""
    content = np.frombuffer(block, np.uint8)
    pieces = (content[at : at + _PIECE_BYTES] for at in range(0, len(content), _PIECE_BYTES))
    return sum(int(np.count_nonzero(piece == _NEWLINE)) for piece in pieces)


def _open(path: Path | None) -> BinaryIO:
    if path is None:
        if sys.stdin is None:
            raise SourceError("cannot read standard input: it is closed; send something to it, or name a file")
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None


def _starts_compressed(path: Path) -> bool:
    with _open(path) as file:
        return is_compressed(file.read(4))


def _blank_length(content: bytes) -> int:
    return len(content) - len(content.lstrip()) if content[:1].isspace() else 0
