"""Times and lengths of time: as microseconds, as people write them, and as people read them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from attribution.config import HOUR, MINUTE, SECOND, parse_duration
from attribution.errors import BadValueError, ConfigError, LakeError, QueryError
from attribution.query.lake.zones import ZONE, in_question_zone, is_ambiguous

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 24 * HOUR


def parse_time(text: str, *, last: datetime | None) -> datetime:
    """The time that a person means.

    - ISO 8601: in the zone of the question where the text names none, which is UTC unless `zones.in_zone` says another.
    - `-DURATION`, like `-90m`: so long before `last`. Stored logs end there, and not now.
    - `now`, and `now-DURATION`: by the clock.

    Raises:
        QueryError: the text is none of these, it is relative and there is no flow to count from, or clocks of the zone
            show the time never or twice.
    """
    stripped = text.strip()
    if stripped.startswith("-"):
        return _relative(stripped, stripped[1:], last)
    if stripped[:3].lower() == "now":
        now = datetime.now(UTC)
        return _relative(stripped, stripped[4:], now) if stripped[3:4] == "-" else _now(stripped, now)
    try:
        moment = datetime.fromisoformat(stripped)
        # A zone may push a time out of the years that datetime knows; that is an unreadable time too.
        return (in_question_zone(moment) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValueError(
            f"cannot read the time {text!r}: write ISO 8601, like 2026-01-01T10:00:00Z, "
            "or a duration back from the last flow, like -90m, or now-90m"
        ) from None


def is_relative(text: str) -> bool:
    """Whether `parse_time` takes a text for a time that counts back."""
    return text.strip().lower().startswith(("-", "now"))


def _now(text: str, now: datetime) -> datetime:
    if len(text) > len("now"):
        raise BadValueError(f"cannot read the time {text!r}: write now, or now-DURATION, like now-90m")
    return now


def _relative(text: str, duration: str, last: datetime | None) -> datetime:
    try:
        back = parse_duration(duration)
    except ConfigError as error:
        raise BadValueError(f"cannot read the time {text!r}: {error}") from None
    if last is None:
        raise QueryError(f"the time {text!r} counts back from the last flow, but the lake has no flows")
    try:
        return last - timedelta(microseconds=back)
    except OverflowError:
        raise BadValueError(f"the time {text!r} lies before the first year there is") from None


@overload
def from_microseconds(value: int) -> datetime: ...
@overload
def from_microseconds(value: None) -> None: ...
def from_microseconds(value: int | None) -> datetime | None:
    """The time that `value` microseconds UTC is; None stays None.

    Raises:
        LakeError: no run writes such a time.
    """
    try:
        return None if value is None else _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        raise LakeError(
            f"cannot show a time of the lake: {value:,} µs after 1970 lies outside of the years 1 to 9999; replay the "
            "logs into a new folder"
        ) from None


def seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `first_seen` and `last_seen` of a row, in microseconds, as times."""
    return {name: from_microseconds(row[name]) for name in ("first_seen", "last_seen")}


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds UTC of a time with a zone."""
    return (moment - _EPOCH) // _MICROSECOND


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a final Z, with microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def format_moment(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time as a person reads it, in the zone of the question; with its offset where clocks show it twice.

    Args:
        moment: with a zone.
        form: as of `datetime.strftime`.
    """
    local = moment.astimezone(ZONE.get())
    return local.strftime(form) + (f"{local:%z}" if is_ambiguous(local) else "")


def format_span(microseconds: int) -> str:
    """A length of time in its two largest units, for reading: `2d 3h`, `4m 12s`, `1.5s`, `20ms`."""
    value = abs(microseconds)
    sign = "-" if microseconds < 0 else ""
    if value < SECOND:
        return sign + (f"{value / 1000:.3g}ms" if value >= 1000 else f"{value}us" if value else "0s")
    if value < MINUTE:
        return f"{sign}{value / SECOND:.3g}s"
    for size, unit, small, small_unit in ((_DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "m"), (MINUTE, "m", SECOND, "s")):
        if value >= size:
            rest = value % size // small
            return f"{sign}{value // size}{unit}" + (f" {rest}{small_unit}" if rest else "")
    raise ValueError(f"no length of time: {microseconds}")
