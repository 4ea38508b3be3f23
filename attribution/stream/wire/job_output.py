"""Values that the job wrote: rows of the output topics for the lake."""

import json

import pyarrow as pa

from attribution.core.columnar.dictionaries import DICTIONARY
from attribution.records import INPUT_RECORDS
from attribution.schema import DEAD_LETTER, arrow_schema, record
from attribution.stream.wire import codec
from attribution.stream.wire.arrow_frames import UnsoundError
from attribution.stream.wire.arrow_values import read_arrow_value


def read_written(kind: str, value: bytes | None) -> pa.RecordBatch:
    """The rows of a value, a record batch with the record's columns; text may be dictionary-encoded.

    Args:
        kind: the kind of record that its topic is for; of evidence, which others write, the good rows are taken, and
            the job has written dead letters about the others.
        value: the value of the message.

    Raises:
        UnsoundError: the value is none that the job writes.
    """
    if kind in INPUT_RECORDS:
        return codec.decode(kind, value).batch
    if not value:
        raise UnsoundError("no_value", "0 bytes")
    return _letter(value) if kind == DEAD_LETTER else _rows(kind, value)


def _rows(kind: str, value: bytes) -> pa.RecordBatch:
    fields = record(kind).fields
    found = read_arrow_value(value, {f.name for f in fields}, nested={f.name for f in fields if f.is_nested})
    columns = []
    for wanted in fields:
        column = found.columns.get(wanted.name)
        if column is None and wanted.nullable:  # an earlier version did not know the field
            column = pa.nulls(found.rows, wanted.type)
        if column is None:
            raise UnsoundError("missing_field", f"there is no column {wanted.name}")
        if column.type != wanted.type and not (wanted.type == pa.string() and column.type == DICTIONARY):
            raise UnsoundError("wrong_type", f"column {wanted.name} is {column.type}, not {wanted.type}")
        if column.null_count and not wanted.nullable:
            raise UnsoundError("missing_field", f"column {wanted.name} has nulls")
        columns.append(column)
    schema = pa.schema([f.with_type(c.type) for f, c in zip(arrow_schema(kind), columns, strict=True)])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _letter(value: bytes) -> pa.RecordBatch:
    schema = arrow_schema(DEAD_LETTER)
    try:
        batch = pa.RecordBatch.from_pylist([json.loads(value)], schema=schema)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        batch = None
    if batch is None or any(batch.column(f.name).null_count and not f.nullable for f in schema):
        raise UnsoundError("malformed", value[:400].decode("utf-8", "replace"))
    return batch
