"""Parquet and Arrow content as batches of chosen columns, each sound down to its values.

| content | begins with | its columns stand | read |
|---|---|---|---|
| Parquet file | `PAR1` | in the footer | a batch of rows at a time |
| Arrow file | `ARROW1` | in the footer; its beginning may be unsound | a batch of the file at a time |
| Arrow stream | `0xFFFFFFFF` | at the beginning | likewise |
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from attribution.errors import SourceError
from attribution.sources.columnar import parquet_footer
from attribution.sources.columnar.parquet_footer import EncryptedError, Footer, read_footer
from attribution.sources.columnar.soundness import TooLargeError, sound
from attribution.sources.records.model import Input

_ARROW_FILE = b"ARROW1"
_ARROW_STREAM = b"\xff\xff\xff\xff"
_PARQUET = (parquet_footer.MAGIC, parquet_footer.ENCRYPTED_MAGIC)

#: Rows of a batch: enough that its fixed cost vanishes, few enough that memory stays small.
ROWS = 1 << 17
#: The Arrow format knows no larger batches; without values, a few bytes could claim as many rows as there are numbers.
_MOST_ROWS = (1 << 31) - 1
#: A text column is read dictionary-encoded where it has fewer bytes a row than this. Plain text has four for its
#: length alone: so few mean a small dictionary, and one that no value was too many for.
_FEW_BYTES = 3


@dataclass(frozen=True)
class SoundBatch:
    """Some rows: the columns by name, all of `rows` rows, and checked by `soundness.sound`."""

    columns: dict[str, pa.Array]
    rows: int


def is_columnar(head: bytes) -> bool:
    """Whether content that begins so is read here."""
    return head.startswith((*_PARQUET, _ARROW_FILE, _ARROW_STREAM))


def kind_of(head: bytes) -> str:
    """What such content is called."""
    return "Parquet" if head.startswith(_PARQUET) else "Arrow"


def columns_of(data: Input) -> tuple[str, ...]:
    """Names of all columns, in order; none where the schema of an Arrow stream cannot be read.

    Raises:
        SourceError: the content has no readable end, or is encrypted.
    """
    head = data.head()
    if head.startswith(_PARQUET):
        with damage(data.name):
            return read_footer(data.seekable_file()).names
    if head.startswith(_ARROW_FILE):
        with damage(data.name):
            return tuple(pa.ipc.open_file(data.seekable_file()).schema.names)
    return _stream_columns(head) or ()


def sound_batches(data: Input, fields: Collection[str], *, text: Collection[str] = ()) -> Iterator[SoundBatch]:
    """The rows of any such content, with those of some columns that it has; arguments as of `parquet_batches`.

    Raises:
        SourceError: it is damaged or encrypted; what came before was yielded.
    """
    head = data.head()
    if head.startswith(_PARQUET):
        file = data.seekable_file()
        with damage(data.name):
            footer = read_footer(file)
        return parquet_batches(file, data.name, footer, fields, text=text)
    return _arrow_batches(data, fields)


def footer_of(path: Path) -> Footer:
    """The footer of a Parquet file.

    Raises:
        SourceError: it is damaged or encrypted.
    """
    with damage(str(path)), path.open("rb") as file:
        return read_footer(file)


def parquet_batches(
    source: BinaryIO | str, name: str, footer: Footer, fields: Collection[str], *, text: Collection[str] = ()
) -> Iterator[SoundBatch]:
    """The rows of a Parquet file, with those of some columns that it has.

    Args:
        source: the file, or its path.
        name: of the file, as a person names it.
        footer: of the file.
        fields: names of columns.
        text: those of them that hold text; they come dictionary-encoded where that is cheap.

    Raises:
        SourceError: it is damaged; what came before was yielded.
    """
    names = _chosen(footer.names, fields, name)
    with damage(name):
        # Buffered ahead, the whole file would stay in memory until its last row group is read.
        file = pq.ParquetFile(
            source, read_dictionary=_few(footer, text), pre_buffer=False, page_checksum_verification=True
        )
        batches = iter(file.iter_batches(ROWS, columns=names))
    return _sound(batches, names, name, distinct=True)


def _few(footer: Footer, text: Collection[str]) -> list[str]:
    """The text columns that have few values, by the first row group.

    Arrow hashes the dictionary of every column chunk. For a few distinct values that is a fifth of the cost of making
    text of them; for as many as there are rows, twice the cost.
    """
    if not footer.row_groups:
        return []
    group = footer.row_groups[0]
    coded = {name: c for name, c in group.chunks.items() if c.has_dictionary and c.kind == parquet_footer.BYTE_ARRAY}
    return [name for name, chunk in coded.items() if name in text and chunk.size < _FEW_BYTES * group.rows]


def _arrow_batches(data: Input, fields: Collection[str]) -> Iterator[SoundBatch]:
    with damage(data.name):
        if data.head().startswith(_ARROW_FILE):
            names, options = _included(pa.ipc.open_file(data.seekable_file()).schema.names, fields, data.name)
            file = pa.ipc.open_file(data.seekable_file(), options=options)
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
        else:
            known = _stream_columns(data.head())
            names, options = _included(known or (), fields, data.name)
            reader = pa.ipc.open_stream(pa.PythonFile(_Stream(data.read), mode="r"), options=options)
            if known is None:  # its schema is longer than what was looked at
                names = _chosen(reader.schema.names, fields, data.name)
            batches = iter(reader)
    return _sound(_pieces(batches), names, data.name)


def _included(every: Sequence[str], fields: Collection[str], source: str) -> tuple[list[str], pa.ipc.IpcReadOptions]:
    """The chosen columns, and the options that leave the others unread; Arrow takes no choice for all of them."""
    names = _chosen(every, fields, source)
    return names, pa.ipc.IpcReadOptions(included_fields=[every.index(name) for name in names])


def _chosen(every: Sequence[str], fields: Collection[str], source: str) -> list[str]:
    """Those of the columns that are asked for, each of which must be there once."""
    names = [name for name in every if name in fields]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"cannot read {source}: it has the column {name} twice; leave one of them out")
    return names


def _stream_columns(head: bytes) -> tuple[str, ...] | None:
    try:
        return tuple(pa.ipc.read_schema(pa.BufferReader(head)).names)
    except (pa.ArrowException, OSError, ValueError):
        return None


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of no more than `ROWS` rows."""
    for batch in batches:
        if not 0 <= batch.num_rows <= _MOST_ROWS:
            raise pa.ArrowInvalid(f"a batch claims {batch.num_rows} rows")
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)


def _sound(
    batches: Iterator[pa.RecordBatch], names: Sequence[str], source: str, *, distinct: bool = False
) -> Iterator[SoundBatch]:
    rows = 0
    while True:
        with damage(source, after=rows):
            batch = next(batches, None)
            if batch is None:
                return
            columns = {name: sound(batch.column(name), distinct=distinct) for name in names}
        rows += batch.num_rows
        yield SoundBatch(columns, batch.num_rows)


class _Stream:
    """A readable file object over `Input.read`, for `pyarrow.PythonFile`."""

    closed = False

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer at the end only: Arrow takes less for a truncated stream."""
        parts = []
        while size and (part := self._read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing to close: the input closes itself."""


@contextmanager
def damage(source: str, *, after: int | None = None) -> Iterator[None]:
    """Turn what is raised for damaged content into an error that names the file and the place."""
    place = "" if after is None else f" after row {after}"
    try:
        yield
    except EncryptedError as error:
        raise SourceError(
            f"cannot read {source}: it is encrypted Parquet ({error}); write it without encryption, or leave it out"
        ) from None
    except TooLargeError as error:
        raise SourceError(
            f"cannot read {source}{place}: {error} in a batch of a column; write smaller batches"
        ) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, NotImplementedError, MemoryError) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(
            f"cannot read {source}{place}: {found}; the file is damaged or incomplete, copy it again"
        ) from None
