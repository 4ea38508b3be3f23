"""Columns of a Kafka value that is an Arrow stream, from a producer that nobody vouches for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import DICTIONARY, one_array
from attribution.schema import OWNERSHIP_RANGE, record
from attribution.stream.wire.arrow_frames import LARGEST_BYTES, UnsoundError, check_frames

_TEXT = {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}
#: Text that older versions of Arrow can hold, but not compute with.
_VIEWS = {pa.string_view(), pa.binary_view()}
#: Bytes of the text of all rows of a stream. Dictionaries hold each text once, what is made of them does not: without a
#: bound, a few kilobytes would become gigabytes on their way through the job.
LARGEST_TEXT = 32 << 20
#: The one nested column of any record.
_HOLES = record(OWNERSHIP_RANGE)["holes"].type


@dataclass(frozen=True)
class ArrowValue:
    """What a stream holds, sound down to each value: it can be computed with.

    Attributes:
        columns: those that were asked for and are there; text that is no UTF-8 is binary. A dictionary holds each value
            once.
        rows: number of rows.
        metadata: of the schema.
    """

    columns: dict[str, Any]
    rows: int
    metadata: dict[bytes, bytes]


def read_arrow_value(value: bytes, fields: Collection[str]) -> ArrowValue:
    """The columns of these names.

    Nothing outside of `value` is read, and memory is bounded, whatever the stream claims.

    Raises:
        UnsoundError: the stream is damaged, lies about its content, is too large, or has a column of a type that none
            of the fields can have.
    """
    check_frames(value)
    try:
        schema = pa.ipc.read_schema(pa.BufferReader(value))
        names = schema.names
        chosen = [at for at, name in enumerate(names) if name in fields]
        _check_columns(schema, chosen)
        if not chosen:
            raise UnsoundError("unknown_kind", f"columns: {', '.join(names)[:400] or 'none'}")
        options = pa.ipc.IpcReadOptions(included_fields=chosen, use_threads=False, ensure_native_endian=False)
        batches = list(pa.ipc.open_stream(pa.BufferReader(value), options=options))
        columns = {names[at]: _column(schema.field(at).type, names[at], batches) for at in chosen}
        _check_size(sum(map(_text_bytes, columns.values())), LARGEST_TEXT)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UnsoundError("not_arrow", " ".join(str(error).split())) from None
    rows = sum(batch.num_rows for batch in batches)
    return ArrowValue(columns, rows, dict(schema.metadata or {}))


def _check_columns(schema: Any, chosen: list[int]) -> None:
    seen = set()
    for at in chosen:
        field = schema.field(at)
        if field.name in seen:
            raise UnsoundError("wrong_type", f"column {field.name} is there twice")
        seen.add(field.name)
        if not _is_allowed(field.type):
            raise UnsoundError("wrong_type", f"column {field.name} is {str(field.type)[:200]}")


def _is_allowed(kind: Any) -> bool:
    """Whether validation can make a field of a column of that type."""
    if pa.types.is_dictionary(kind):
        return kind.value_type in _TEXT and pa.types.is_integer(kind.index_type)
    return (
        kind in _TEXT
        or pa.types.is_integer(kind)
        or kind in (pa.float32(), pa.float64())
        or pa.types.is_timestamp(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
        or kind in _VIEWS
        or kind == _HOLES
    )


def _column(kind: Any, name: str, batches: list[Any]) -> Any:
    found = [_dictionary(part) if pa.types.is_dictionary(kind) else _sound(part) for part in (b[name] for b in batches)]
    if not found:
        return pa.array([], kind)
    if len({part.type for part in found}) > 1:
        found = [_plain(part).cast(pa.binary()) for part in found]
    return one_array(pa.chunked_array(found))


def _plain(part: Any) -> Any:
    return part.dictionary_decode() if pa.types.is_dictionary(part.type) else part


def _sound(part: Any) -> Any:
    """The array itself once every offset and value of it was checked; as binary where only its UTF-8 is broken."""
    if part.type in (pa.string(), pa.large_string()):
        try:
            part.validate(full=True)
        except pa.ArrowInvalid:
            part = part.view(pa.binary() if part.type == pa.string() else pa.large_binary())
        else:
            return part
    part.validate(full=True)
    return _without_views(part) if part.type in _VIEWS else part


def _without_views(part: Any) -> Any:
    """The text itself; any number of views may show the same long text, so its size is added up first."""
    lengths = np.frombuffer(part.buffers()[1], "<i4", 4 * len(part))[::4]
    _check_size(int(lengths[part.is_valid().to_numpy(zero_copy_only=False)].sum(dtype=np.int64)))
    return pa.array(part.to_pylist(), pa.string() if part.type == pa.string_view() else pa.binary())


def _check_size(size: int, allowed: int = LARGEST_BYTES) -> None:
    if size > allowed:
        raise UnsoundError("too_large", f"its text has {size} bytes; {allowed} are allowed")


def _text_bytes(column: Any) -> int:
    """Bytes of the text of all rows, each of which has its own; of numbers none."""
    coded = pa.types.is_dictionary(column.type)
    texts = column.dictionary if coded else column
    if texts.type not in _TEXT:
        return 0
    lengths = pc.binary_length(texts)
    return pc.sum(lengths.take(column.indices) if coded else lengths).as_py() or 0


def _dictionary(part: Any) -> Any:
    """A sound dictionary array of text; plain where its dictionary repeats a value: codes must not differ for one."""
    rows, values = _sound(part.indices), _sound(part.dictionary)
    extremes = pc.min_max(rows)
    if extremes["max"].is_valid and not 0 <= extremes["min"].as_py() <= extremes["max"].as_py() < len(values):
        raise UnsoundError("not_arrow", "an index lies outside of its dictionary")
    rows = rows.cast(pa.int32())
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest * len(rows) > LARGEST_BYTES:
        _check_size(pc.sum(pc.binary_length(values).take(rows)).as_py() or 0)
    if values.type not in (pa.string(), pa.large_string()):
        return values.take(rows)
    values = values.cast(DICTIONARY.value_type)
    if values.null_count or len(values.unique()) < len(values):
        return values.take(rows)
    return pa.DictionaryArray.from_arrays(rows, values)
