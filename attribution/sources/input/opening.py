"""From paths to opened inputs: files, folders, globs and standard input, decompressed, read once front to back."""

import glob
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

import numpy as np

from attribution.errors import SourceError
from attribution.sources.input.decompression import Damage, DamagedError, decompressed, is_compressed

#: How a person writes standard input, and how it is named to them.
STDIN = "-"
STDIN_NAME = "<stdin>"

#: How much `head` shows of a source.
HEAD_BYTES = 64 << 10
#: No log writes such lines; without a bound, a file of another kind would be read into memory whole.
_LONGEST_LINE = 64 << 20
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


def expand(paths: Iterable[str | Path]) -> list[Path | None]:
    """The files that `paths` name, in order and once each; None stands for standard input. Raises as `open_inputs`."""
    files: dict[str | None, Path | None] = {}
    for given in paths:
        if str(given) == STDIN:
            files.setdefault(None, None)
            continue
        for path in _matches(Path(given)):
            for file in _files_in(path) if path.is_dir() else [path]:
                files.setdefault(os.path.realpath(file), file)
    inputs = list(files.values())
    for found in inputs:
        if found is not None and not os.access(found, os.R_OK):
            raise SourceError(f"cannot read {found}: permission denied; make it readable or leave it out")
    return inputs


def found_files(paths: Iterable[str | Path]) -> frozenset[str]:
    """The names of the files of `expand` that no path names: they were found in folders, or match patterns."""
    given = [str(path) for path in paths]
    named = {os.path.realpath(path) for path in given if os.path.lexists(path) and not Path(path).is_dir()}
    if len(named) == len(given):
        return frozenset()
    return frozenset(str(file) for file in expand(given) if file is not None and os.path.realpath(file) not in named)


def total_bytes(paths: Iterable[str | Path]) -> int | None:
    """Size of all that `paths` name, as stored; None where standard input or a pipe is among it."""
    files = expand(paths)
    sizes = [file.stat().st_size for file in files if file is not None and file.is_file()]
    return sum(sizes) if len(sizes) == len(files) else None


def _matches(path: Path) -> list[Path]:
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(str(path)):
        raise SourceError(f"cannot read {path}: no such file or folder; check the path")
    matches = glob.glob(str(path), recursive=True)  # noqa: PTH207 (Path.glob would match hidden files too)
    found = [match for match in map(Path, sorted(matches)) if _is_content(match.name)]
    if not found:
        raise SourceError(f"cannot read {path}: no file matches the pattern; check it, and the folder it starts from")
    return found


def _files_in(folder: Path) -> list[Path]:
    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_unreadable_folder):
        seen.add(os.path.realpath(parent))
        inside = [name for name in folders if _is_content(name)]
        folders[:] = sorted(name for name in inside if os.path.realpath(Path(parent, name)) not in seen)
        found.extend(Path(parent, name) for name in sorted(names) if _is_content(name))
    files = [path for path in found if path.is_file()]
    if not files:
        raise SourceError(
            f"cannot read the folder {folder}: there is no file in it (names that start with . or _ are left out)"
        )
    return files


def _unreadable_folder(error: OSError) -> None:
    raise SourceError(
        f"cannot read the folder {error.filename}: {error.strerror}; make it readable or leave it out"
    ) from None


def _is_content(name: str) -> bool:
    return not name.startswith((".", "_"))


class OpenInput:
    """One opened source, decompressed; the `Input` of `attribution.sources.records.model`.

    Attributes:
        name: as a person names it: the path, or `<stdin>`.
        network: the network that a person gave for what names none.
        seen_at: when the requests began whose answers it is, microseconds, as a person said.
        damage: why the content ended early, once reading came to that place; None where it did not.
        line: of text read by `lines`, the number of the line that comes next.
        consumed: bytes of the file read so far, as stored; for progress.
    """

    def __init__(self, path: Path | None) -> None:
        self.name = name_of(path)
        self.network: str | None = None
        self.seen_at: int | None = None
        self.damage: Damage | None = None
        self.line = 1
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
        """The first bytes (up to 64 KiB) without consuming them; decides the format. The same at any time."""
        if self._head is None:
            while len(self._pending) < HEAD_BYTES and (chunk := self._chunk()):
                self._pending += chunk
            self._head = self._pending[:HEAD_BYTES]
        return self._head

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end, or where damage ends the content."""
        content = self._pending or self._chunk()
        self._pending = content[size:]
        return content[:size]

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines of about `block_bytes`, each with the 1-based number of its first line.

        The last block may lack a final newline; a last line that damage cut off is left out.
        """
        held: list[bytes] = []
        size = 0
        while chunk := self.read(block_bytes):
            held.append(chunk)
            size += len(chunk)
            if size < block_bytes or b"\n" not in chunk:
                if size > max(block_bytes, _LONGEST_LINE):
                    self._end(Damage("line_too_long", f"line {self.line} or one soon after is longer than 64 MiB"))
                    break
                continue
            end = chunk.rfind(b"\n") + 1
            block = b"".join([*held[:-1], memoryview(chunk)[:end]])
            first, self.line = self.line, self.line + _count_lines(block)
            yield first, block
            held, size = [chunk[end:]], len(chunk) - end
        block = b"".join(held)
        if self.damage is not None:
            block = block[: block.rfind(b"\n") + 1]
        if block:
            first, self.line = self.line, self.line + _count_lines(block)
            yield first, block

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
        # Closed with the input.
        spooled = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_IN_MEMORY)  # noqa: SIM115
        file = cast("BinaryIO", spooled)
        while chunk := self.read(1 << 20):
            file.write(chunk)
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


def name_of(path: Path | None) -> str:
    """What a person calls an input of `expand`."""
    return STDIN_NAME if path is None else str(path)


def _open(path: Path | None) -> BinaryIO:
    if path is None:
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; make it readable or leave it out") from None


def _starts_compressed(path: Path) -> bool:
    with _open(path) as file:
        return is_compressed(file.read(4))
