"""AWS flow logs in Parquet files, plain or in Hive-compatible folders.

Columns are named with underscores and typed (`int32` ports, `int64` counts and seconds, text for the rest). A folder
name like `hour=07` repeats what the rows say and is not needed. Beyond that the rows mean what those of text logs do:
see `attribution.sources.formats.vpc.rows`.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column, Int64
from attribution.errors import SourceError
from attribution.schema import FLOW
from attribution.sources.formats.vpc.fields import Layout, is_flow_log
from attribution.sources.formats.vpc.rows import SKIPS, RowReader
from attribution.sources.formats.vpc.wants import WANTS
from attribution.sources.records.identity import BY_INTERFACE
from attribution.sources.records.model import Account, Block, ColumnarFormat, FlowHeartbeats, Format, Input
from attribution.sources.records.raw_columns import text
from attribution.sources.records.set_aside import OnBad, bad_lines

_ROWS = 1 << 16
#: Types of text, or of what should be text: as bytes, and as text.
_TEXTS = {
    **dict.fromkeys((pa.string(), pa.binary()), (pa.binary(), pa.string())),
    **dict.fromkeys((pa.large_string(), pa.large_binary()), (pa.large_binary(), pa.large_string())),
}


class VpcParquet(ColumnarFormat):
    """AWS flow logs in Parquet, recognised by their columns."""

    name = "vpc_parquet"
    how_to = "vpc-flow-logs"
    skips = SKIPS
    lead = FLOW
    identity = BY_INTERFACE
    wants = WANTS
    flow_heartbeats: FlowHeartbeats = "none"

    def matches(self, head: bytes) -> bool:  # noqa: ARG002  a Parquet file begins as every other does
        """Never: the columns of a Parquet file stand at its end."""
        return False

    def matches_columns(self, columns: frozenset[str]) -> bool:
        """Whether the columns are those of a flow log."""
        return is_flow_log(frozenset(map(_plain, columns)))

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Flows of the rows, and at the end the heartbeats of the ECS tasks that they name.

        Raises:
            SourceError: the file is damaged, or lacks a column that a flow needs.
        """
        try:
            file = pq.ParquetFile(data.seekable_file())
        except (pa.ArrowException, OSError) as error:
            raise SourceError(_damaged(data, error)) from None
        names = {_plain(name): name for name in file.schema_arrow.names}
        layout = Layout(tuple(names))
        if layout.missing:
            raise SourceError(
                f"cannot read {data.name} as a flow log of AWS: the Parquet file has no column "
                f"{', '.join(name.replace('-', '_') for name in layout.missing)}; "
                f"create the flow log with a format that has these fields"
            )
        rows, row, set_aside = RowReader(data.name, account), 1, bad_lines(account, data.name, FLOW)
        try:
            for every in file.iter_batches(_ROWS, columns=[names[name] for name in layout.read]):
                numbers = np.arange(row, row + len(every), dtype=np.int64)
                row += len(every)
                batch, lines = _only_text(every, numbers, set_aside)
                columns = [_as_read(batch.column(names[name]), layout.types[name]) for name in layout.read]
                block = rows.flows(pa.table(columns, layout.read), lines)
                if block is not None:
                    yield block
        except (pa.ArrowException, OSError) as error:
            raise SourceError(_damaged(data, error)) from None
        heartbeats = rows.heartbeats()
        if heartbeats is not None:
            yield heartbeats


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _as_read(column: Column, expected: pa.DataType) -> Column:
    """The column as the reader of text logs makes it: plain text, with `-` as null. Numbers stay as they are.

    Lists and records are JSON text, for validation to reject.
    """
    if pa.types.is_integer(expected) and pa.types.is_integer(column.type):
        return column
    plain = text(decoded(column))
    dash = pc.equal(plain, "-")
    return pc.if_else(dash, pa.scalar(None, pa.string()), plain) if pc.any(dash).as_py() else plain


def _only_text(batch: pa.RecordBatch, lines: Int64, set_aside: OnBad) -> tuple[pa.RecordBatch, Int64]:
    """The rows whose text is UTF-8, and their lines. Arrow does not look, and what it lets through breaks later."""
    good = np.ones(len(batch), np.bool_)
    for column in map(decoded, batch.columns):
        if column.type not in _TEXTS:
            continue
        as_bytes, as_text = _TEXTS[column.type]
        values = column.cast(as_bytes)
        try:
            values.cast(as_text)
        except pa.ArrowInvalid:
            for row, value in enumerate(values.to_pylist()):
                if good[row] and value is not None and not _is_text(value):
                    set_aside(int(lines[row]), value, "not_text")
                    good[row] = False
    return (batch, lines) if good.all() else (batch.filter(pa.array(good)), lines[good])


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _damaged(data: Input, error: Exception) -> str:
    return f"cannot read {data.name} as Parquet: {error}; copy the file again, or leave it out"


FORMATS: tuple[Format, ...] = (VpcParquet(),)
