"""Windows of time, as a person writes them: `2026-01-01..2026-01-02`, `-1h..`, `..2026-01-01T12:00`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from attribution.config import parse_duration
from attribution.errors import ConfigError, QueryError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Window:
    """Flows that start at or after `start` and before `end`; None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None

    def parameters(self) -> dict[str, object]:
        """The window as the parameters that `sql/windowed.sql` binds; hours choose the partitions."""
        last = self.end - _MICROSECOND if self.end else None
        return {
            "from_time": self.start,
            "from_hour": _hour(self.start) if self.start else None,
            "to_time": self.end,
            "to_hour": _hour(last) if last else None,
        }

    def to_dict(self) -> dict[str, datetime | None]:
        """The window as JSON-ready values."""
        return {"from": self.start, "to": self.end}

    def __str__(self) -> str:
        return f"{format_time(self.start) if self.start else ''}..{format_time(self.end) if self.end else ''}"


#: Every flow.
OPEN = Window()


def parse_window(text: str, *, last: datetime | None) -> Window:
    """The window that `FROM..TO` means; either side may be left out, and a relative time counts from `last`.

    Raises:
        QueryError: the text has no `..`, a time cannot be read, or the window ends before it starts.
    """
    start_text, dots, end_text = text.partition("..")
    if not dots:
        raise QueryError(
            f"cannot read the window {text!r}: write FROM..TO, like 2026-01-01T10:00..2026-01-01T11:00 or -1h.."
        )
    start = parse_time(start_text, last=last) if start_text.strip() else None
    end = parse_time(end_text, last=last) if end_text.strip() else None
    if start and end and end <= start:
        raise QueryError(
            f"the window {text!r} is empty: it ends at {format_time(end)}, at or before its start {format_time(start)}"
        )
    return Window(start, end)


def parse_time(text: str, *, last: datetime | None) -> datetime:
    """The time of ISO 8601 text (UTC where it names no zone) or of `-DURATION`, counted back from `last`.

    Raises:
        QueryError: the text is neither, or it is relative and there is no flow to count from.
    """
    stripped = text.strip()
    if stripped.startswith("-"):
        return _relative(stripped, last)
    try:
        moment = datetime.fromisoformat(stripped)
        # A zone may push a time out of the years that datetime knows; that is an unreadable time too.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QueryError(
            f"cannot read the time {text!r}: write ISO 8601, like 2026-01-01T10:00:00Z, "
            "or a duration back from the last flow, like -90m"
        ) from None


def _hour(moment: datetime) -> str:
    """The partition of a time: `2026-01-05T12`."""
    return moment.astimezone(UTC).isoformat()[:13]


def _relative(text: str, last: datetime | None) -> datetime:
    try:
        back = parse_duration(text[1:])
    except ConfigError as error:
        raise QueryError(f"cannot read the time {text!r}: {error}") from None
    if last is None:
        raise QueryError(f"the time {text!r} counts back from the last flow, but the lake has no flows")
    try:
        return last - timedelta(microseconds=back)
    except OverflowError:
        raise QueryError(f"the time {text!r} lies before the first year there is") from None


@overload
def from_microseconds(value: int) -> datetime: ...
@overload
def from_microseconds(value: None) -> None: ...
def from_microseconds(value: int | None) -> datetime | None:
    """The time that `value` microseconds UTC is; None stays None."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `first_seen` and `last_seen` of a row, in microseconds, as times."""
    return {name: from_microseconds(row[name]) for name in ("first_seen", "last_seen")}


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds UTC of a time with a zone."""
    return (moment - _EPOCH) // _MICROSECOND


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a final Z, with microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
