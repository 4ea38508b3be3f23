"""Native records in Parquet and Arrow files and streams: columns are found by name, types by what they hold."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.errors import SourceError
from attribution.records import INPUT_RECORDS
from attribution.schema import FLOW, record
from attribution.sources.formats.native.decode import FIELDS, LOCAL_METHOD, account_of, decode_columns, kind_of
from attribution.sources.formats.native.soundness import TooLargeError, sound
from attribution.sources.records.model import Account, Block, Input, Ledger
from attribution.sources.records.network_names import filled
from attribution.sources.records.validate import canonical

PARQUET_MAGIC = b"PAR1"
ARROW_FILE_MAGIC = b"ARROW1"
#: An Arrow stream has no magic number; it begins with a continuation marker and the length of its schema.
ARROW_STREAM_START = b"\xff\xff\xff\xff"

#: Rows of a batch: enough that its fixed cost vanishes, few enough that memory stays small.
_ROWS = 1 << 17
#: A text column is read dictionary-encoded where it has fewer bytes a row than this. Plain text has four for its
#: length alone: so few mean a small dictionary, and one that no value was too many for.
_FEW_BYTES = 3
#: How many of a unit a microsecond has, by what Parquet calls the unit of a timestamp.
_PER_MICROSECOND = {
    "milliseconds": Fraction(1, 1000), "microseconds": Fraction(1), "nanoseconds": Fraction(1000),
}  # fmt: skip
_TEXT = frozenset(f.name for kind in INPUT_RECORDS for f in record(kind).fields if f.type == pa.string())


def read_parquet(data: Input, account: Account) -> Iterator[Block]:
    """Blocks of a Parquet file, with only the native columns read; "line" is the row.

    Raises:
        SourceError: the file is damaged; what came before was yielded.
    """
    with _damage(data.name):
        file = _open(data.seekable_file())
    yield from _blocks(_batches(file, FIELDS), data.name, account, distinct=True)


def read_arrow(data: Input, account: Account) -> Iterator[Block]:
    """Blocks of an Arrow file or stream; "line" is the row. Raises as `read_parquet`."""
    with _damage(data.name):
        if data.head().startswith(ARROW_FILE_MAGIC):
            file = pa.ipc.open_file(data.seekable_file())
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
        else:
            batches = iter(pa.ipc.open_stream(pa.PythonFile(_Stream(data.read), mode="r")))
    yield from _blocks(_pieces(batches), data.name, account)


def arrow_columns(head: bytes) -> frozenset[str]:
    """Names of the columns of an Arrow file or stream that starts so; none where its schema is longer than that."""
    schema = head[8:] if head.startswith(ARROW_FILE_MAGIC) else head
    try:
        return frozenset(pa.ipc.read_schema(pa.BufferReader(schema)).names)
    except (pa.ArrowException, OSError):
        return frozenset()


def is_native_flows(path: Path) -> bool:
    """Whether a file is native flows in Parquet, of which chosen columns can be read by themselves."""
    if not path.is_file():  # a pipe can be opened once only
        return False
    try:
        with path.open("rb") as file:
            if file.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC:
                return False
            return kind_of(pq.read_schema(file).names) == FLOW
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return False


def parquet_flows(path: Path, fields: Sequence[str], *, network: str | None = None) -> Iterator[pa.RecordBatch]:
    """The flows of a native Parquet file whose local workload may be known, in some of their fields.

    A row with a fault in one of these fields is left out, and so counted nowhere: the pass that reads all of the flow
    rejects it. One with a fault elsewhere is still an observation of its local side.

    Args:
        path: a file for which `is_native_flows` holds.
        fields: fields of `schemas/flow.avsc`; no other columns are read.
        network: that of flows which name none.

    Raises:
        SourceError: the file is damaged; what came before was yielded.
    """
    with _damage(str(path)):
        file = _open(str(path))
    if "local_workload" not in file.schema_arrow.names:
        return
    uncounted = account_of(Ledger())
    batches = _batches(file, (*fields, LOCAL_METHOD))
    for block in _blocks(batches, str(path), uncounted, distinct=True):
        yield filled(FLOW, canonical(block, uncounted, only=fields), network)


def parquet_starts(path: Path) -> list[tuple[int, int]]:
    """For each row group of a native Parquet file its rows, and a moment (µs) before which none of them starts.

    It is before all time where the file does not say.

    Raises:
        SourceError: the file is damaged.
    """
    with _damage(str(path)):
        metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [(group.num_rows, _earliest_start(group)) for group in groups]


def _earliest_start(group: pq.RowGroupMetaData) -> int:
    """By a row group's statistics of timestamps, which are sound in whole numbers only."""
    for chunk in (group.column(at) for at in range(group.num_columns)):
        found = chunk.statistics if chunk.path_in_schema == "start" and chunk.physical_type == "INT64" else None
        if found is not None and found.has_min_max:
            unit = json.loads(found.logical_type.to_json()).get("timeUnit")
            if unit in _PER_MICROSECOND:
                return math.floor(found.min_raw / _PER_MICROSECOND[unit])
    return NEVER_BEFORE


def _open(source: BinaryIO | str) -> pq.ParquetFile:
    """A Parquet file whose text columns come dictionary-encoded where that is cheap.

    Arrow hashes the dictionary of every column chunk. For a few distinct values that is a fifth of the cost of making
    text of them; for as many as there are rows, twice the cost.
    """
    file = pq.ParquetFile(source)
    if not file.metadata.num_row_groups:
        return file
    chunks = file.metadata.row_group(0)
    few = []
    for at in range(chunks.num_columns):
        chunk = chunks.column(at)
        is_text = chunk.path_in_schema in _TEXT and chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page
        if is_text and chunk.total_uncompressed_size < _FEW_BYTES * chunks.num_rows:
            few.append(chunk.path_in_schema)
    # Buffered ahead, the whole file would stay in memory until its last row group is read.
    return pq.ParquetFile(source, metadata=file.metadata, read_dictionary=few, pre_buffer=False)


def _batches(file: pq.ParquetFile, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
    names = set(file.schema_arrow.names)
    return iter(file.iter_batches(_ROWS, columns=[name for name in fields if name in names]))


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of no more than `_ROWS` rows, with their native columns only."""
    for batch in batches:
        names = [name for name in FIELDS if name in batch.schema.names]
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS).select(names)


def _blocks(
    batches: Iterator[pa.RecordBatch], source: str, account: Account, *, distinct: bool = False
) -> Iterator[Block]:
    row = 1
    while True:
        with _damage(source, after=row - 1):
            batch = next(batches, None)
            if batch is None:
                return
            columns = {name: sound(batch.column(name), distinct=distinct) for name in batch.schema.names}
        lines = np.arange(row, row + batch.num_rows, dtype=np.int64)
        row += batch.num_rows
        yield from decode_columns(columns, lines, source, account)


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
def _damage(source: str, *, after: int | None = None) -> Iterator[None]:
    """Turn Arrow's errors into one that names the file and the place."""
    place = "" if after is None else f" after row {after}"
    try:
        yield
    except TooLargeError as error:
        raise SourceError(
            f"cannot read {source}{place}: {error} in a batch of a column; write smaller batches"
        ) from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
        raise SourceError(
            f"cannot read {source}{place}: {found}; the file is damaged or incomplete, copy it again"
        ) from None
