"""AWS flow logs in Parquet files, plain or in Hive-compatible folders.

Columns are named with underscores and typed (`int32` ports, `int64` counts and seconds, text for the rest). Tables that
others made of a log have other names and types: see `fields.field_of` and `times.Times`. A folder
name like `hour=07` repeats what the rows say and is not needed. Beyond that the rows mean what those of text logs do:
see `attribution.sources.formats.vpc.rows`.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column, Int64
from attribution.errors import SourceError
from attribution.schema import FLOW
from attribution.sources.columnar.opening import SoundBatch, columns_of, sound_batches
from attribution.sources.columnar.soundness import TEXTS
from attribution.sources.formats.vpc.fields import is_flow_log, table_layout
from attribution.sources.formats.vpc.rows import SKIPS, RowReader
from attribution.sources.formats.vpc.times import Times
from attribution.sources.formats.vpc.wants import WANTS
from attribution.sources.records import casting
from attribution.sources.records.casting import texts
from attribution.sources.records.identity import BY_INTERFACE
from attribution.sources.records.model import Account, Block, ColumnarFormat, FlowHeartbeats, Format, Input
from attribution.sources.records.raw_columns import text
from attribution.sources.records.set_aside import OnBad, bad_lines

#: Whole numbers up to here are exact in doubles.
_MOST = 1 << 53


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
        return is_flow_log(columns)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Flows of the rows, and at the end the heartbeats of the ECS tasks that they name.

        Raises:
            SourceError: the file is damaged, or lacks a column that a flow needs.
        """
        header = columns_of(data)
        layout = table_layout(header)
        names = dict(zip(layout.columns, header, strict=True))
        if layout.missing:
            raise SourceError(
                f"cannot read {data.name} as a flow log of AWS: the Parquet file has no column "
                f"{', '.join(name.replace('-', '_') for name in layout.missing)}; "
                f"create the flow log with a format that has these fields"
            )
        rows, row, set_aside = RowReader(data.name, account, Times()), 1, bad_lines(account, data.name, FLOW)
        for every in sound_batches(data, [names[name] for name in layout.read]):
            numbers = np.arange(row, row + every.rows, dtype=np.int64)
            row += every.rows
            found, lines = _only_text(every, numbers, set_aside)
            columns = [_as_read(found[names[name]], layout.types[name]) for name in layout.read]
            block = rows.flows(pa.table(columns, layout.read), lines)
            if block is not None:
                yield block
        heartbeats = rows.heartbeats()
        if heartbeats is not None:
            yield heartbeats


def _as_read(column: Column, expected: pa.DataType) -> Column:
    """The column as the reader of text logs makes it: plain text, with `-` as null. Numbers stay as they are.

    Lists and records are JSON text, for validation to reject.
    """
    if pa.types.is_integer(expected) and (pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type)):
        return column
    plain = text(column)
    dash = pc.equal(plain, "-")
    return pc.if_else(dash, pa.scalar(None, pa.string()), plain) if pc.any(dash).as_py() else plain


def _only_text(batch: SoundBatch, lines: Int64, set_aside: OnBad) -> tuple[dict[str, pa.Array], Int64]:
    """The rows whose values are text or can be written as text, and their lines."""
    good = np.ones(batch.rows, np.bool_)
    columns = {name: decoded(column) for name, column in batch.columns.items()}
    for name, found in columns.items():
        column = columns[name] = _whole(found) if pa.types.is_floating(found.type) else found
        if pa.types.is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
            continue
        cast = texts(column)
        for reason, mask in cast.faults:
            for row in np.flatnonzero(good & mask).tolist():
                set_aside(int(lines[row]), _shown(column, row), reason)
            good &= ~mask
        columns[name] = cast.values
    if good.all():
        return columns, lines
    return {name: column.filter(pa.array(good)) for name, column in columns.items()}, lines[good]


def _whole(column: pa.Array) -> pa.Array:
    """The column as whole numbers if all of it are: programs make doubles of whole numbers with a null among them."""
    whole = casting.integers(column, low=-_MOST, high=_MOST, reason="out_of_range", to=pa.int64())
    return column if whole.faults else whole.values


def _shown(column: Column, row: int) -> bytes:
    found = column[row].as_py() if column.type in TEXTS else None
    return found if isinstance(found, bytes) else f"a value of type {column.type}".encode()


FORMATS: tuple[Format, ...] = (VpcParquet(),)
