"""Native records in Parquet and Arrow files and streams: columns are found by name, types by what they hold."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.errors import SourceError
from attribution.records import INPUT_RECORDS
from attribution.schema import FLOW, record
from attribution.sources.columnar.opening import SoundBatch, footer_of, parquet_batches, sound_batches
from attribution.sources.columnar.parquet_footer import INT64, MAGIC, RowGroup, whole_number
from attribution.sources.formats.native.decode import FIELDS, LOCAL_METHOD, account_of, decode_columns, kind_of
from attribution.sources.records.model import Account, Block, Input, Ledger
from attribution.sources.records.network_names import filled
from attribution.sources.records.validate import canonical

#: How many of a unit a microsecond has.
_PER_MICROSECOND = {"ms": Fraction(1, 1000), "us": Fraction(1), "ns": Fraction(1000)}
_TEXT = frozenset(f.name for kind in INPUT_RECORDS for f in record(kind).fields if f.type == pa.string())


def read_columns(data: Input, account: Account) -> Iterator[Block]:
    """Blocks of a Parquet file, an Arrow file or an Arrow stream; only native columns are read, and "line" is the row.

    Raises:
        SourceError: the content is damaged or encrypted; what came before was yielded.
    """
    yield from _blocks(sound_batches(data, FIELDS, text=_TEXT), data.name, account)


def is_native_flows(path: Path) -> bool:
    """Whether a file is native flows in Parquet, of which chosen columns can be read by themselves."""
    if not path.is_file():  # a pipe can be opened once only
        return False
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return False
        return kind_of(footer_of(path).names) == FLOW
    except (OSError, SourceError):
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
    footer = footer_of(path)
    if "local_workload" not in footer.names:
        return
    uncounted = account_of(Ledger())
    batches = parquet_batches(str(path), str(path), footer, (*fields, LOCAL_METHOD), text=_TEXT)
    for block in _blocks(batches, str(path), uncounted):
        yield filled(FLOW, canonical(block, uncounted, only=fields), network)


def parquet_starts(path: Path) -> list[tuple[int, int]]:
    """For each row group of a native Parquet file its rows, and a moment (µs) before which none of them starts.

    It is before all time where the file does not say.

    Raises:
        SourceError: the file is damaged.
    """
    footer = footer_of(path)
    unit = footer.units.get("start")
    return [(group.rows, _earliest_start(group, unit)) for group in footer.row_groups]


def _earliest_start(group: RowGroup, unit: str | None) -> int:
    """By a row group's statistics of timestamps, which are sound in whole numbers only."""
    chunk = group.chunks.get("start")
    if chunk is None or unit is None or chunk.kind != INT64 or chunk.smallest is None:
        return NEVER_BEFORE
    smallest = whole_number(chunk.smallest)
    return NEVER_BEFORE if smallest is None else math.floor(smallest / _PER_MICROSECOND[unit])


def _blocks(batches: Iterator[SoundBatch], source: str, account: Account) -> Iterator[Block]:
    row = 1
    for batch in batches:
        lines = np.arange(row, row + batch.rows, dtype=np.int64)
        row += batch.rows
        yield from decode_columns(batch.columns, lines, source, account)
