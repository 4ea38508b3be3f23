"""Times as logs write them, as whole microseconds.

Epoch numbers in any unit and ISO 8601 text; a value that is no time becomes null, for the caller to set aside.
"""

from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column

Unit = Literal["s", "ms", "us", "ns"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
#: Beyond this many seconds (the year 5138) a number is no time of any log.
_FAR = 100_000_000_000
_NANOSECOND_YEARS = ("1678", "2262")
_DAY = r"^\s*\d{4}-?\d\d-?\d\d\s*$"
_NUMBER = r"^\s*-?\d+(\.\d*)?([eE][+-]?\d+)?\s*$"


def micros(column: Column, unit: Unit) -> pa.Array:
    """Whole microseconds, int64, of a column of epoch numbers or of text; null where a value is no time.

    Fractions are exact: a decimal of up to six places becomes the very microsecond that it names. A double holds any
    second of this and the next century to 0.24 microseconds. Its whole and fractional parts are scaled apart, so that
    rounding recovers the decimal that was written. Multiplying the double itself by a million may not.

    Args:
        column: integers or floats in `unit`; text of such numbers, or ISO 8601 (UTC where it names no zone).
        unit: of numbers.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    if pa.types.is_integer(kind):
        return _of_integers(array, unit)
    if pa.types.is_floating(kind):
        return _of_floats(array, unit)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_text(array, unit)
    return pa.nulls(len(array), pa.int64())


def _of_integers(array: pa.Array, unit: Unit) -> pa.Array:
    values, known = _numpy(array.cast(pa.int64(), safe=False))
    per_second = _PER_SECOND[unit]
    known &= np.abs(values) < _FAR * per_second if per_second <= _PER_SECOND["ms"] else values != np.iinfo(np.int64).min
    values = np.where(known, values, 0)
    scaled = values * (1_000_000 // per_second) if per_second <= 1_000_000 else values // (per_second // 1_000_000)
    return pa.array(scaled, mask=~known)


def _of_floats(array: pa.Array, unit: Unit) -> pa.Array:
    values, known = _numpy(array.cast(pa.float64()))
    per_second = _PER_SECOND[unit]
    known &= np.isfinite(values)
    known[known] &= np.abs(values[known]) < float(_FAR) * per_second
    values = np.where(known, values, 0.0)
    whole = np.floor(values)
    scale = 1_000_000 / per_second
    scaled = (whole * scale).astype(np.int64) + np.rint((values - whole) * scale).astype(np.int64)
    return pa.array(scaled, mask=~known)


def _of_text(array: pa.Array, unit: Unit) -> pa.Array:
    numeric = pc.match_substring_regex(array, _NUMBER)
    if pc.all(numeric, skip_nulls=True).as_py() is not False:
        return _of_numeric_text(array, unit)
    if pc.any(numeric).as_py():
        numbers = _of_numeric_text(pc.if_else(numeric, array, pa.scalar(None, array.type)), unit)
        return pc.coalesce(numbers, _of_iso(pc.if_else(numeric, pa.scalar(None, array.type), array)))
    return _of_iso(array)


def _of_numeric_text(array: pa.Array, unit: Unit) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(array)
    try:
        return _of_integers(trimmed.cast(pa.int64()), unit)
    except pa.ArrowInvalid:
        return _of_floats(trimmed.cast(pa.float64()), unit)


def _of_iso(array: pa.Array) -> pa.Array:
    kinds: tuple[Unit, ...] = ("us", "ns") if _fits_nanoseconds(array) else ("us",)
    for unit in kinds:
        for kind in (pa.timestamp(unit, "UTC"), pa.timestamp(unit)):
            try:
                parsed = array.cast(kind)
            except pa.ArrowInvalid:
                continue
            return _of_integers(parsed.cast(pa.int64()), unit)
    return pa.array([_iso(value) for value in array.to_pylist()], pa.int64())


def _fits_nanoseconds(array: pa.Array) -> bool:
    """Whether the years of ISO text fit 64 bits of nanoseconds; Arrow before 17 wraps around those that do not."""
    years = pc.min_max(array)
    first, last = years["min"].as_py(), years["max"].as_py()
    return first is not None and first >= _NANOSECOND_YEARS[0] and last < _NANOSECOND_YEARS[1]


def _iso(value: str | None) -> int | None:
    """Microseconds of one text, or None; the slow way, for columns in which some value is no time."""
    return None if value is None else instant(value)


def instant(value: str, *, zone_needed: bool = False) -> int | None:
    """Microseconds of one ISO 8601 text (UTC where it names no zone), or None where it is none.

    Args:
        value: the text.
        zone_needed: whether a text that names no zone is none.
    """
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        if zone_needed:
            return None
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def without_days(array: pa.Array) -> pa.Array:
    """Text with null in the place of days without a time of day: taken for times, they would be midnight."""
    return pc.if_else(pc.match_substring_regex(array, _DAY), pa.scalar(None, array.type), array)


def _numpy(array: pa.Array) -> tuple[npt.NDArray[np.int64 | np.float64], Bool]:
    """The values, 0 where null, and which are not null."""
    known = np.asarray(pc.is_valid(array))
    return np.asarray(array.fill_null(0)), known.copy()
