"""Columns of a Kafka value that is an Arrow stream, from a producer that nobody vouches for."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded, one_array
from attribution.core.columnar.types import Column
from attribution.sources.columnar.soundness import (
    TEXTS,
    VIEWS,
    TooLargeError,
    check_size,
    sound,
    with_bytes,
)
from attribution.stream.wire.arrow_frames import LARGEST_BYTES, UnsoundError, check_frames

#: Bytes of the text of all rows of a stream. Dictionaries hold each text once, what is made of them does not: without a
#: bound, a few kilobytes would become gigabytes on their way through the job.
LARGEST_TEXT = 32 << 20


@dataclass(frozen=True)
class ArrowValue:
    """What a stream holds, sound down to each value: it can be computed with.

    Attributes:
        columns: those that were asked for and are there; text that is no UTF-8 is binary. A dictionary holds each value
            once.
        rows: number of rows.
        metadata: of the schema.
    """

    columns: dict[str, pa.Array]
    rows: int
    metadata: dict[bytes, bytes]


def read_arrow_value(value: bytes, fields: Collection[str], *, nested: Collection[str] = ()) -> ArrowValue:
    """The columns of these names.

    Nothing outside of `value` is read, and memory is bounded, whatever the stream claims.

    Args:
        value: the stream.
        fields: names of the columns.
        nested: those of them that may be lists or structs.

    Raises:
        UnsoundError: the stream is damaged, lies about its content, is too large, or has a column of a type that none
            of the fields can have.
    """
    check_frames(value)
    try:
        schema = pa.ipc.read_schema(pa.BufferReader(value))
        names = schema.names
        chosen = [at for at, name in enumerate(names) if name in fields]
        _check_columns(schema, chosen, nested)
        if not chosen:
            raise UnsoundError("unknown_kind", f"columns: {', '.join(names)[:400] or 'none'}")
        options = pa.ipc.IpcReadOptions(included_fields=chosen, use_threads=False, ensure_native_endian=False)
        batches = list(pa.ipc.open_stream(pa.BufferReader(value), options=options))
        columns = {names[at]: _column(schema.field(at).type, names[at], batches) for at in chosen}
        check_size(sum(map(_text_bytes, columns.values())), LARGEST_TEXT)
    except TooLargeError as error:
        raise UnsoundError("too_large", str(error)) from None
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UnsoundError("not_arrow", " ".join(str(error).split())) from None
    rows = sum(batch.num_rows for batch in batches)
    return ArrowValue(columns, rows, dict(schema.metadata or {}))


def _check_columns(schema: pa.Schema, chosen: list[int], nested: Collection[str]) -> None:
    seen = set()
    for at in chosen:
        field = schema.field(at)
        if field.name in seen:
            raise UnsoundError("wrong_type", f"column {field.name} is there twice")
        seen.add(field.name)
        allowed = _is_allowed_nested if pa.types.is_nested(field.type) and field.name in nested else _is_allowed
        if not allowed(field.type):
            raise UnsoundError("wrong_type", f"column {field.name} is {str(field.type)[:200]}")


def _is_allowed(kind: pa.DataType) -> bool:
    """Whether validation can make a field of a column of that type."""
    if pa.types.is_dictionary(kind):
        return kind.value_type in TEXTS and pa.types.is_integer(kind.index_type)
    return _is_plain(kind) or kind in VIEWS


def _is_plain(kind: pa.DataType) -> bool:
    return (
        kind in TEXTS
        or pa.types.is_integer(kind)
        or kind in (pa.float32(), pa.float64())
        or pa.types.is_timestamp(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _is_allowed_nested(kind: pa.DataType) -> bool:
    """Lists and structs whose items lie in one place each: no text in them is shown twice."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_allowed_nested(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_allowed_nested(part.type) for part in kind)
    return _is_plain(kind)


def _column(kind: pa.DataType, name: str, batches: list[pa.RecordBatch]) -> pa.Array:
    found = [sound(batch.column(name), limit=LARGEST_BYTES) for batch in batches]
    if not found:
        return pa.array([], kind)
    if len({part.type for part in found}) > 1:
        found = [decoded(part).cast(with_bytes(kind)) for part in found]
    return one_array(pa.chunked_array(found))


def _text_bytes(column: Column) -> int:
    """Bytes of the text of all rows, each of which has its own; of numbers none."""
    if pa.types.is_struct(column.type):
        return sum(map(_text_bytes, column.flatten()))
    if pa.types.is_nested(column.type):
        return _text_bytes(column.flatten())
    coded = pa.types.is_dictionary(column.type)
    texts = column.dictionary if coded else column
    if texts.type not in TEXTS:
        return 0
    lengths = pc.binary_length(texts)
    return pc.sum(lengths.take(column.indices) if coded else lengths).as_py() or 0
