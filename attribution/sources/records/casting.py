"""Raw columns to the types of a record, whole columns at a time, with the rows that cannot be cast.

Each function takes an Arrow array of whatever type a source found and returns a `Cast`. Null stays null and is never at
fault here: whether a field may be null is the record's business. Empty text is null.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import each_distinct, encode
from attribution.core.columnar.types import Bool
from attribution.schema import TIMESTAMP
from attribution.sources.records.timestamps import micros

_SECOND = 1_000_000
#: 1990-01-01 and 2100-01-01. No flow log is older, and a time outside is a wrong unit or a time since boot.
EARLIEST = 631_152_000 * _SECOND
LATEST = 4_102_444_800 * _SECOND
_MICROSECONDS = {"s": (_SECOND, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}

#: Counters above this are no counts, and would not survive being summed up.
LARGEST_COUNT = 10**18
_INTEGER = r"\A-?[0-9]{1,19}\z"
# Arrow looks for optional packages, at a tenth of a millisecond, whenever it has to guess the type of a value.
_EMPTY = pa.scalar("", pa.string())
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


@dataclass(frozen=True)
class Cast:
    """A column in its new type, null where a row is at fault, and the faults: (reason, mask of its rows)."""

    values: Any
    faults: tuple[tuple[str, Bool], ...] = ()


def times(column: Any) -> Cast:
    """Timestamps of any unit and zone, whole microseconds, or ISO 8601 text (UTC without a zone), as microseconds UTC.

    Digits below a microsecond are cut off.
    """
    column = _decoded(column)
    if pa.types.is_timestamp(column.type):
        values, odd = _of_timestamps(column)
    else:
        column = _plain_text(column)
        values, odd = _of_iso_with_zone(column), None
    unread = _lost(column, values) if odd is None else None
    values, outside = _bounded(values, EARLIEST, LATEST - 1)
    faults = _faults(("not_a_time", unread), ("impossible_time", odd), ("impossible_time", outside))
    return Cast(values.cast(TIMESTAMP), faults)


def integers(column: Any, *, low: int, high: int, reason: str, to: Any) -> Cast:
    """Whole numbers, also as text, within [low, high], as the Arrow type `to`; `reason` is for those outside."""
    values, unread = _whole_numbers(_decoded(column))
    values, outside = _bounded(values, low, high)
    return Cast(values.cast(to), _faults(("not_a_number", unread), (reason, outside)))


def protocols(column: Any) -> Cast:
    """Protocol numbers, or their names in any case, as int32."""
    reason = "impossible_protocol"
    if not _is_text(column.type):
        cast = integers(column, low=0, high=255, reason=reason, to=pa.int32())
        return Cast(cast.values, tuple((reason, mask) for _, mask in cast.faults))
    numbers, fine = each_distinct(texts(column).values, _protocol)
    values = numbers.dictionary.cast(pa.int32()).take(numbers.indices)
    return Cast(values, _faults((reason, None if fine.all() else ~fine)))


def durations(column: Any) -> Cast:
    """Seconds, from zero to what a DNS record can say (RFC 2181), as doubles."""
    column = _plain_text(_decoded(column))
    values = _cast_or_null(column, pa.float64())
    unread = _lost(column, values)
    known = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False)
    odd = ~((known >= 0) & (known < _TTL_LIMIT))
    if odd.any():
        values = pc.if_else(pa.array(odd), pa.scalar(None, pa.float64()), values)
    return Cast(values, _faults(("impossible_ttl", unread), ("impossible_ttl", odd)))


def texts(column: Any) -> Cast:
    """Text, dictionary-encoded where it was; numbers are taken as they are written."""
    if pa.types.is_dictionary(column.type):
        encoded = encode(column)
        if pc.any(pc.equal(encoded.dictionary, _EMPTY)).as_py():
            encoded, _ = each_distinct(encoded, lambda text: text or None)
        return Cast(encoded)
    values = column if pa.types.is_string(column.type) else _cast_or_null(column, pa.string())
    unread = _lost(column, values)
    if len(values) and pc.min(pc.binary_length(values)).as_py() == 0:
        values = pc.if_else(pc.equal(values, _EMPTY), pa.scalar(None, pa.string()), values)
    return Cast(values, _faults(("not_text", unread)))


def mapped(column: Any, function: Callable[[Any], tuple[Any, Bool]], reason: str) -> Cast:
    """Text through a function that gives new text and the mask of fine rows, as those of `attribution.core` do."""
    cast = texts(column)
    values, fine = function(cast.values)
    return Cast(values, (*cast.faults, *_faults((reason, None if fine.all() else ~fine))))


def _of_iso_with_zone(column: Any) -> Any:
    """Microseconds of text with a zone and at most six places, the common case; all else takes the long way."""
    if pa.types.is_string(column.type):
        try:
            return column.cast(TIMESTAMP).cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return micros(column, "us")


def _of_timestamps(column: Any) -> tuple[Any, Bool | None]:
    """Microseconds of timestamps, and the rows outside of what fits; coarse units would wrap around unseen."""
    times_, per = _MICROSECONDS[column.type.unit]
    values, outside = _bounded(column.cast(pa.int64()), EARLIEST * per // times_, LATEST * per // times_)
    if times_ > 1:
        values = pc.multiply(values, pa.scalar(times_, pa.int64()))
    elif per > 1:
        values = pc.divide(values, pa.scalar(per, pa.int64()))
    return values, outside


def _whole_numbers(column: Any) -> tuple[Any, Bool | None]:
    """int64 of a column, and the rows that are no whole numbers."""
    kind = column.type
    if pa.types.is_boolean(kind):
        values = pa.nulls(len(column), pa.int64())
    elif pa.types.is_floating(kind):
        numbers = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less_equal(pc.abs(numbers), _LARGEST_EXACT))
        values = pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
    elif _is_text(kind):
        column = _plain_text(column)
        values = _of_digits(column)
    else:
        values = _cast_or_null(column, pa.int64())
    return values, _lost(column, values)


def _of_digits(column: Any) -> Any:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        digits = pc.match_substring_regex(column, _INTEGER)
        return _cast_or_null(pc.if_else(digits, column, pa.scalar(None, column.type)), pa.int64())


def _bounded(values: Any, low: int, high: int) -> tuple[Any, Bool | None]:
    """The values with null in place of those outside [low, high], and where these stood."""
    found = pc.min_max(values)
    smallest, largest = found["min"].as_py(), found["max"].as_py()
    if smallest is None or (smallest >= low and largest <= high):
        return values, None
    lowest, highest = pa.scalar(low, pa.int64()), pa.scalar(high, pa.int64())
    outside = pc.or_(pc.less(values, lowest), pc.greater(values, highest))
    inside = pc.if_else(outside, pa.scalar(None, values.type), values)
    return inside, pc.fill_null(outside, False).to_numpy(zero_copy_only=False)


def _cast_or_null(column: Any, kind: Any) -> Any:
    """The column in another type, null where a value does not fit: halves are tried until the misfits stand alone."""
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError:
        return pa.nulls(len(column), kind)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind)
        middle = len(column) // 2
        return pa.concat_arrays([_cast_or_null(column[:middle], kind), _cast_or_null(column[middle:], kind)])


def _lost(before: Any, after: Any) -> Bool | None:
    """The rows that a cast made null; None where there is none."""
    if after.null_count == before.null_count:
        return None
    return pc.and_(before.is_valid(), after.is_null()).to_numpy(zero_copy_only=False)


def _faults(*found: tuple[str, Bool | None]) -> tuple[tuple[str, Bool], ...]:
    return tuple((reason, mask) for reason, mask in found if mask is not None and mask.any())


def _decoded(column: Any) -> Any:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _plain_text(column: Any) -> Any:
    """Text of any Arrow kind as plain text without empty values; other columns as they are."""
    return texts(column).values if _is_text(column.type) else column


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind in _TEXTS


_TEXTS = {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()} | (
    {pa.string_view(), pa.binary_view()} if hasattr(pa, "string_view") else set()
)


def _protocol(text: str) -> str | None:
    number = PROTOCOLS.get(text.strip().lower(), text)
    try:
        return str(int(number)) if 0 <= int(number) <= 255 else None
    except ValueError:
        return None
