"""Raw columns to the types of a record, whole columns at a time, with the rows that cannot be cast.

Each function takes an Arrow array of whatever type a source found and returns a `Cast`; none raises for what the array
holds. Null stays null and is never at fault here: `validate` knows whether a field may be null. Empty text is null.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded, dictionary_encoded, each_distinct
from attribution.core.columnar.types import Bool
from attribution.schema import TIMESTAMP, Field, absent
from attribution.sources.records.raw_bytes import identifiers
from attribution.sources.records.timestamps import micros

_SECOND = 1_000_000
#: 1990-01-01 and 2100-01-01. No flow log is older, and a time outside is a wrong unit or a time since boot.
EARLIEST = 631_152_000 * _SECOND
LATEST = 4_102_444_800 * _SECOND
_MICROSECONDS = {"s": (_SECOND, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}

_INTEGER = r"\A-?[0-9]{1,19}\z"
# Arrow looks for optional packages, at a tenth of a millisecond, whenever it has to guess the type of a value.
_EMPTY = pa.scalar("", pa.string())
_TRUE, _FALSE = pa.scalar("true", pa.string()), pa.scalar("false", pa.string())
_LARGEST_EXACT = pa.scalar(float(1 << 53), pa.float64())

_TTL_LIMIT = 1 << 31

#: IANA protocol numbers by the names that logs use, lower case.
PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "ipv4": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmp6": 58,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ospf": 89,
    "ospfigp": 89,
    "pim": 103,
    "vrrp": 112,
    "l2tp": 115,
    "sctp": 132,
    "udplite": 136,
    "udp-lite": 136,
}


#: What `mapped` takes: text to new text, and the mask of the rows for which there is one.
TextFunction = Callable[[pa.Array], tuple[pa.Array, Bool]]


@dataclass(frozen=True)
class Cast:
    """A column in its new type, null where a row is at fault, and the faults: (reason, mask of its rows)."""

    values: pa.Array
    faults: tuple[tuple[str, Bool], ...] = ()


#: From a raw column to its cast.
Check = Callable[[pa.Array], Cast]


def times(column: pa.Array) -> Cast:
    """Timestamps of any unit and zone, whole microseconds, or ISO 8601 text (UTC without a zone), as microseconds UTC.

    Digits below a microsecond are cut off.
    """
    column = decoded(column)
    unread: Bool | None = None
    odd: Bool | None = None
    if pa.types.is_timestamp(column.type):
        values, odd = _of_timestamps(column)
    else:
        column, unread = plain_text(column)
        values = _of_iso_with_zone(column)
        unread = _lost(column, values, unread)
    values, outside = _bounded(values, EARLIEST, LATEST - 1)
    faults = _faults(("not_a_time", unread), ("impossible_time", odd), ("impossible_time", outside))
    return Cast(values.cast(TIMESTAMP), faults)


def integers(column: pa.Array, *, low: int, high: int, reason: str, to: pa.DataType) -> Cast:
    """Whole numbers, also as text, within [low, high], as the Arrow type `to`; `reason` is for those outside.

    The bounds must fit `to`.
    """
    values, unread = _whole_numbers(decoded(column))
    values, outside = _bounded(values, low, high)
    # What is within the bounds fits: Arrow need not look again, which takes longer than the cast.
    return Cast(values.cast(to, safe=False), _faults(("not_a_number", unread), (reason, outside)))


def numbers(column: pa.Array, *, to: pa.DataType) -> Cast:
    """Finite numbers, also as text, as the floating type `to`."""
    column, unread = plain_text(decoded(column))
    if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
        return Cast(pa.nulls(len(column), to), _faults(("not_a_number", _known(column))))
    values = _doubles(column).cast(to, safe=False)
    unread = _lost(column, values, unread)
    found = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False)
    if np.isfinite(found).all():
        return Cast(values, _faults(("not_a_number", unread)))
    odd, outside = np.isnan(found), np.isinf(found)
    values = pc.if_else(pa.array(odd | outside), pa.scalar(None, to), values)
    return Cast(values, _faults(("not_a_number", unread), ("not_a_number", odd), ("out_of_range", outside)))


def booleans(column: pa.Array) -> Cast:
    """Booleans, also as the words true and false in any case."""
    column = decoded(column)
    if pa.types.is_boolean(column.type):
        return Cast(column)
    if not _is_text(column.type):
        return Cast(pa.nulls(len(column), pa.bool_()), _faults(("not_a_boolean", _known(column))))
    column, unread = plain_text(column)
    word = pc.utf8_lower(column)
    values = pc.equal(word, _TRUE)
    values = pc.if_else(pc.or_(values, pc.equal(word, _FALSE)), values, pa.scalar(None, pa.bool_()))
    return Cast(values, _faults(("not_a_boolean", _lost(column, values, unread))))


def protocols(column: pa.Array) -> Cast:
    """Protocol numbers, or their names in any case, as int32."""
    reason = "impossible_protocol"
    if not _is_text(column.type):
        cast = integers(column, low=0, high=255, reason=reason, to=pa.int32())
        return Cast(cast.values, tuple((reason, mask) for _, mask in cast.faults))
    text = texts(column)
    numbers_, fine = each_distinct(text.values, _protocol)
    values = numbers_.dictionary.cast(pa.int32()).take(numbers_.indices)
    faults = _faults((reason, None if fine.all() else ~fine))
    return Cast(values, (*((reason, mask) for _, mask in text.faults), *faults))


def durations(column: pa.Array) -> Cast:
    """Seconds, from zero to what a DNS record can say (RFC 2181), as doubles."""
    column, unread = plain_text(decoded(column))
    if pa.types.is_duration(column.type):
        times_, per = _MICROSECONDS[column.type.unit]
        column = pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), per * _SECOND / times_)
    values = pa.nulls(len(column), pa.float64()) if pa.types.is_temporal(column.type) else _doubles(column)
    unread = _lost(column, values, unread)
    known = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False)
    odd = ~((known >= 0) & (known < _TTL_LIMIT))
    if odd.any():
        values = pc.if_else(pa.array(odd), pa.scalar(None, pa.float64()), values)
    return Cast(values, _faults(("impossible_ttl", unread), ("impossible_ttl", odd)))


def texts(column: pa.Array) -> Cast:
    """Text, dictionary-encoded where it was; numbers are taken as they are written, 16 bytes as UUIDs."""
    if pa.types.is_dictionary(column.type):
        if column.type.value_type in _UNICODE:
            encoded = dictionary_encoded(column)
            if pc.any(pc.equal(encoded.dictionary, _EMPTY)).as_py():
                encoded, _ = each_distinct(encoded, lambda text: text or None)
            return Cast(encoded)
        column = column.dictionary_decode()
    if pa.types.is_fixed_size_binary(column.type):  # a part of which makes old versions of Arrow crash
        column = identifiers(column) if column.type == pa.binary(16) else column.cast(pa.binary())
    values = column if pa.types.is_string(column.type) else _cast_or_null(column, pa.string())
    if column.type in _VIEWS and values.null_count > column.null_count:  # which older versions of Arrow do not cast
        values = _cast_or_null(pa.array(column.to_pylist(), pa.binary()), pa.string())
    unread = _lost(column, values)
    if len(values) and pc.min(pc.binary_length(values)).as_py() == 0:
        values = pc.if_else(pc.equal(values, _EMPTY), pa.scalar(None, pa.string()), values)
    return Cast(values, _faults(("not_text", unread)))


def mapped(column: pa.Array, function: TextFunction, reason: str) -> Cast:
    """Text through a function that gives new text and the mask of fine rows, as those of `attribution.core` do."""
    cast = texts(column)
    values, fine = function(cast.values)
    return Cast(values, (*cast.faults, *_faults((reason, None if fine.all() else ~fine))))


def words(column: pa.Array, *, allowed: Sequence[str]) -> Cast:
    """Text that is one of a few words, in any case; `allowed` has their canonical spelling."""
    spelled = {word.lower(): word for word in allowed}
    plain = rf"\A(?:{'|'.join(map(re.escape, allowed))})\z"

    def canonical(text: str) -> str | None:
        return spelled.get(text.lower())

    return mapped(column, lambda found: each_distinct(found, canonical, plain=plain), "unknown_value")


def required(cast: Cast, field: Field) -> Cast:
    """The cast of a field with its default in the place of nulls; without a default, a null is a fault.

    Nothing changes where the field may be null. What a fault has made null is not missing besides.
    """
    values = cast.values
    if field.nullable or not values.null_count:
        return cast
    if field.default is not None:
        values = decoded(values)
        return Cast(pc.if_else(values.is_null(), absent(field, len(values)), values), cast.faults)
    missing: Bool = values.is_null().to_numpy(zero_copy_only=False).copy()
    for _, mask in cast.faults:
        missing &= ~mask
    return Cast(values, (*cast.faults, *_faults(("missing_field", missing))))


def plain_text(column: pa.Array) -> tuple[pa.Array, Bool | None]:
    """Text of any Arrow kind as plain text without empty values, and the rows that are no text.

    Other columns are given back as they are.
    """
    if not _is_text(column.type):
        return column, None
    cast = texts(column)
    return cast.values, next((mask for _, mask in cast.faults), None)


def _of_iso_with_zone(column: pa.Array) -> pa.Array:
    """Microseconds of text with a zone and at most six places, the common case; all else takes the long way."""
    if pa.types.is_string(column.type):
        try:
            return column.cast(TIMESTAMP).cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return micros(column, "us")


def _of_timestamps(column: pa.Array) -> tuple[pa.Array, Bool | None]:
    """Microseconds of timestamps, and the rows outside of what fits; coarse units would wrap around unseen."""
    times_, per = _MICROSECONDS[column.type.unit]
    values, outside = _bounded(column.cast(pa.int64()), EARLIEST * per // times_, LATEST * per // times_)
    if times_ > 1:
        values = pc.multiply(values, pa.scalar(times_, pa.int64()))
    elif per > 1:
        values = pc.divide(values, pa.scalar(per, pa.int64()))
    return values, outside


def _whole_numbers(column: pa.Array) -> tuple[pa.Array, Bool | None]:
    """int64 of a column, and the rows that are no whole numbers."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return pa.nulls(len(column), pa.int64()), _known(column)
    if pa.types.is_floating(kind):
        numbers_ = _doubles(column)
        whole = pc.and_(pc.equal(pc.floor(numbers_), numbers_), pc.less_equal(pc.abs(numbers_), _LARGEST_EXACT))
        values = pc.if_else(whole, numbers_, pa.scalar(None, pa.float64())).cast(pa.int64())
        return values, _lost(column, values)
    plain, unread = plain_text(column)
    if pa.types.is_temporal(kind):  # Arrow would give its bits, in whatever unit they are
        return pa.nulls(len(column), pa.int64()), _known(column)
    values = _of_digits(plain) if pa.types.is_string(plain.type) else _cast_or_null(plain, pa.int64())
    return values, _lost(plain, values, unread)


def _of_digits(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        digits = pc.match_substring_regex(column, _INTEGER)
        return _cast_or_null(pc.if_else(digits, column, pa.scalar(None, column.type)), pa.int64())


def _doubles(column: pa.Array) -> pa.Array:
    """Numbers, or text of numbers, as doubles; null where a value is none."""
    if pa.types.is_float16(column.type):  # which older versions of Arrow do not cast
        known = column.is_valid().to_numpy(zero_copy_only=False)
        return pa.array(column.to_numpy(zero_copy_only=False).astype(np.float64), mask=~known)
    if pa.types.is_integer(column.type):
        return column.cast(pa.float64(), safe=False)
    return _cast_or_null(column, pa.float64())


def _bounded(values: pa.Array, low: int, high: int) -> tuple[pa.Array, Bool | None]:
    """The values with null in place of those outside [low, high], and where these stood."""
    found = pc.min_max(values)
    smallest, largest = found["min"].as_py(), found["max"].as_py()
    if smallest is None or (smallest >= low and largest <= high):
        return values, None
    lowest, highest = pa.scalar(low, pa.int64()), pa.scalar(high, pa.int64())
    outside = pc.or_(pc.less(values, lowest), pc.greater(values, highest))
    inside = pc.if_else(outside, pa.scalar(None, values.type), values)
    return inside, pc.fill_null(outside, False).to_numpy(zero_copy_only=False)


def _cast_or_null(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column in another type, null where a value does not fit: halves are tried until the misfits stand alone."""
    try:
        return column.cast(kind)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return pa.nulls(len(column), kind)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind)
        middle = len(column) // 2
        return pa.concat_arrays([_cast_or_null(column[:middle], kind), _cast_or_null(column[middle:], kind)])


def _known(column: pa.Array) -> Bool:
    return column.is_valid().to_numpy(zero_copy_only=False)


def _lost(before: pa.Array, after: pa.Array, unread: Bool | None = None) -> Bool | None:
    """The rows that a cast made null, and those that were `unread` before it; None where there is none."""
    if after.null_count == before.null_count:
        return unread
    lost = pc.and_(before.is_valid(), after.is_null()).to_numpy(zero_copy_only=False)
    return lost if unread is None else lost | unread


def _faults(*found: tuple[str, Bool | None]) -> tuple[tuple[str, Bool], ...]:
    return tuple((reason, mask) for reason, mask in found if mask is not None and mask.any())


def _is_text(kind: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in _TEXTS


_UNICODE = {pa.string(), pa.large_string()}
_VIEWS = {pa.string_view(), pa.binary_view()}
_TEXTS = {*_VIEWS, *_UNICODE, pa.binary(), pa.large_binary()}


def _protocol(text: str) -> str | None:
    number = PROTOCOLS.get(text.strip().lower(), text)
    try:
        return str(int(number)) if 0 <= int(number) <= 255 else None
    except ValueError:
        return None
