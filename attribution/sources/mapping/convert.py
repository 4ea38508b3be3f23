"""Columns of a file to the fields of a record, as a mapping says; what they hold is left to validation.

Only what a mapping itself asks for is judged here: times in a unit, and which side is local. Rows in which that cannot
be told are rejected.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded, dictionary_encoded, each_distinct
from attribution.core.columnar.types import Bool, Int64
from attribution.schema import TIMESTAMP, record
from attribution.sources.mapping.fields import Source
from attribution.sources.mapping.file import COUNTS, SIDE_FIELDS, Mapped
from attribution.sources.records import casting
from attribution.sources.records.json_values import JSON_PART, MIXED, TEXT_PART
from attribution.sources.records.model import Account, Block, Reject
from attribution.sources.records.raw_columns import alike, null_where
from attribution.sources.records.timestamps import micros, without_days
from attribution.sources.records.validate import shown_value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHOWN = 160
#: A reason, the rows that it holds for, and the field.
_Fault = tuple[str, Bool, str]


def block_of(
    mapping: Mapped, columns: Mapping[str, pa.Array], lines: Int64, source: str, account: Account
) -> Block | None:
    """The rows as a block of the mapping's kind; None where none is left.

    Args:
        mapping: what the columns are.
        columns: raw, sound columns by the name that the mapping has for them.
        lines: where each row stands.
        source: as a person names it.
        account: takes the rejects.
    """
    found, faults = _fields(mapping, columns, len(lines))
    if mapping.sided:
        found, of_sides = _sides(found, len(lines))
        faults += of_sides
    bad = np.zeros(len(lines), np.bool_)
    for reason, mask, field in faults:
        raw = columns.get(mapping.fields[field].column or "")
        for row in np.flatnonzero(mask & ~bad).tolist():
            what = f"{field}={shown_value(raw, row)}"[:_SHOWN]
            account.reject(Reject(source, int(lines[row]), reason, what, mapping.kind))
        bad |= mask
    if bad.all():
        return None
    if bad.any():
        kept = pa.array(~bad)
        found, lines = {name: column.filter(kept) for name, column in found.items()}, lines[~bad]
    return Block(mapping.kind, found, source, lines)


def _fields(mapping: Mapped, columns: Mapping[str, pa.Array], rows: int) -> tuple[dict[str, pa.Array], list[_Fault]]:
    times = {field.name for field in record(mapping.kind).fields if field.type == TIMESTAMP}
    found: dict[str, pa.Array] = {}
    faults: list[_Fault] = []
    # Durations come last: they are added to the times before.
    for name, source in sorted(mapping.fields.items(), key=lambda item: item[1].after is not None):
        if source.constant is not None:
            found[name] = _constant(source.constant, rows)
            continue
        raw = columns.get(source.column or "")
        if raw is None:
            continue
        plain, odd = _plain(raw, mapping.nulls)
        faults += [(reason, mask, name) for reason, mask in odd]
        if name in times:
            found[name] = _time(plain, source)
            lost = _mask(pc.and_(plain.is_valid(), found[name].is_null()))
            faults += [("not_a_time", lost, name)] if lost.any() else []
            if name == "end" and mapping.ends_with_second:
                found[name] = _to_end_of_second(found[name])
            if source.after is not None:
                found[name] = pc.add(found[name], _micros_of(found[source.after]))
        else:
            found[name] = _worded(plain, source)
    for name in times & found.keys():
        if add_us := mapping.fields[name].add_us:
            found[name] = pc.add(_micros_of(found[name]), pa.scalar(add_us, pa.int64()))
    if mapping.starts_with_second and "end" in found:
        start, end = _micros_of(found["start"]), _micros_of(found["end"])
        later = _to_end_of_second(start)
        # What was seen in one second only stays in it: nothing tells when.
        found["start"] = pc.if_else(pc.fill_null(pc.less_equal(later, end), False), later, start)
    return found, faults


def _to_end_of_second(times: pa.Array) -> pa.Array:
    """The last microsecond of each whole second; other times as they are."""
    second = pa.scalar(1_000_000, pa.int64())
    whole = pc.equal(pc.multiply(pc.divide(times, second), second), times)
    return pc.if_else(whole, pc.add(times, pa.scalar(999_999, pa.int64())), times)


def _plain(raw: pa.Array, nulls: tuple[str, ...]) -> tuple[pa.Array, tuple[tuple[str, Bool], ...]]:
    """The column with text as plain text, nulls as null, and the faults of rows that are none of it."""
    if raw.type == MIXED:
        nested = _mask(pc.is_valid(pc.struct_field(raw, JSON_PART)))
        text, faults = _plain(pc.struct_field(raw, TEXT_PART), nulls)
        return text, (*faults, ("not_text", nested))
    if pa.types.is_nested(raw.type) or not _is_text(raw.type):
        return decoded(raw), ()
    cast = casting.texts(raw)
    text = decoded(cast.values)
    if nulls:
        text = null_where(pc.is_in(text, pa.array(nulls, pa.string())), text)
    return text, cast.faults


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(value)
        or pa.types.is_large_string(value)
        or pa.types.is_binary(value)
        or pa.types.is_large_binary(value)
        or pa.types.is_fixed_size_binary(value)
    )


def _time(column: pa.Array, source: Source) -> pa.Array:
    """Whole microseconds; null where a value is no time of that unit."""
    kind = column.type
    if pa.types.is_timestamp(kind) and source.after is None and source.pattern is None:
        return casting.times(column).values.cast(pa.int64())
    if source.unit is not None:
        numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        return micros(column if numbers else _numeric(column), source.unit)
    if not pa.types.is_string(kind):
        return pa.nulls(len(column), pa.int64())
    if source.pattern is not None:
        return _parsed(column, source)
    return micros(_worded_times(column), "us")


def _numeric(column: pa.Array) -> pa.Array:
    """Text of numbers; null where it is none, as where it is ISO 8601."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return pa.nulls(len(column), pa.string())
    number = pc.match_substring_regex(column, r"^\s*-?\d{1,19}(\.\d*)?\s*$")
    return pc.if_else(number, column, pa.scalar(None, pa.string()))


def _worded_times(column: pa.Array) -> pa.Array:
    """ISO 8601 text; null where it is a day, or a number whose unit nobody said."""
    number = pc.match_substring_regex(column, r"^\s*-?[\d.eE+]+\s*$")
    return null_where(number, without_days(column))


def _parsed(column: pa.Array, source: Source) -> pa.Array:
    encoded = dictionary_encoded(column)
    moments = [_moment(text, source) for text in encoded.dictionary.to_pylist()]
    return pa.array(moments, pa.int64()).take(encoded.indices)


def _moment(text: str | None, source: Source) -> int | None:
    try:
        found = datetime.strptime(text or "", source.pattern or "")  # noqa: DTZ007 - its zone is said
        found = found.replace(tzinfo=source.zone) if source.zone is not None else found
        return (found - _EPOCH) // _MICROSECOND if found.tzinfo is not None else None
    except (ValueError, OverflowError, TypeError):
        return None


def _worded(column: pa.Array, source: Source) -> pa.Array:
    """The column with the words that the mapping has for its values."""
    if not source.values or pa.types.is_nested(column.type):
        return column
    words = dict(source.values)
    text = casting.texts(column).values
    worded, _ = each_distinct(text, lambda value: words.get(value, value))
    return decoded(worded)


def _sides(found: dict[str, pa.Array], rows: int) -> tuple[dict[str, pa.Array], list[_Fault]]:
    """Source and destination as local and remote, by the direction of each row."""
    direction = found["direction"] if "direction" in found else pa.nulls(rows, pa.string())
    word = pc.utf8_lower(decoded(direction)) if _is_text(direction.type) else pa.nulls(rows, pa.string())
    comes_in, goes_out = pc.equal(word, "ingress"), pc.equal(word, "egress")
    sides = {}
    for name in SIDE_FIELDS:
        source, destination = found.pop(f"source_{name}", None), found.pop(f"destination_{name}", None)
        if source is None and destination is None:
            continue
        one, other = alike(
            pa.nulls(rows) if source is None else source, pa.nulls(rows) if destination is None else destination
        )
        sides[f"local_{name}"] = pc.if_else(comes_in, other, one)
        sides[f"remote_{name}"] = pc.if_else(comes_in, one, other)
    for name in COUNTS:
        if (count := found.pop(name, None)) is not None:
            sides[f"{name}_sent"] = null_where(comes_in, count)
            sides[f"{name}_received"] = null_where(goes_out, count)
    null = _mask(direction.is_null())
    unknown = ~(_mask(comes_in) | _mask(goes_out)) & ~null
    faults = [("missing_field", null, "direction"), ("unknown_value", unknown, "direction")]
    return found | sides, [fault for fault in faults if fault[1].any()]


def _micros_of(column: pa.Array) -> pa.Array:
    """Microseconds of a time that may be a constant."""
    if pa.types.is_integer(column.type):
        return column
    return casting.times(column).values.cast(pa.int64())


def _constant(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


def _mask(flags: pa.Array) -> Bool:
    mask: Bool = np.asarray(pc.fill_null(flags, False))
    return mask
