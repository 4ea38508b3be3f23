"""Windows of time, as a person writes them: `2026-01-01..2026-01-02`, `-1h`, `..2026-01-01T12:00`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from attribution.errors import BadValueError
from attribution.query.lake.times import format_time, is_relative, parse_time

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

    def meets(self, other: "Window") -> bool:
        """Whether a flow may start in both windows."""
        return not (
            (self.end and other.start and self.end <= other.start)
            or (other.end and self.start and other.end <= self.start)
        )

    def to_dict(self) -> dict[str, datetime | None]:
        """The window as JSON-ready values."""
        return {"from": self.start, "to": self.end}

    def __str__(self) -> str:
        return f"{format_time(self.start) if self.start else ''}..{format_time(self.end) if self.end else ''}"


#: Every flow.
OPEN = Window()


def parse_window(text: str, *, last: datetime | None) -> Window:
    """The window that `FROM..TO` means; either side may be left out, and a relative time counts from `last`.

    A relative time alone is the start of a window without an end: `-1h` is the last hour.

    Raises:
        QueryError: the text has no `..`, a time cannot be read, or the window ends before it starts.
    """
    start_text, dots, end_text = text.partition("..")
    if not dots and not is_relative(text):
        raise BadValueError(
            f"cannot read the window {text!r}: write FROM..TO, like 2026-01-01T10:00..2026-01-01T11:00, or -1h"
        )
    start = parse_time(start_text, last=last) if start_text.strip() else None
    end = parse_time(end_text, last=last) if end_text.strip() else None
    if start and end and end <= start:
        raise BadValueError(
            f"the window {text!r} is empty: it ends at {format_time(end)}, at or before its start {format_time(start)}"
        )
    return Window(start, end)


def _hour(moment: datetime) -> str:
    """The partition of a time: `2026-01-05T12`."""
    return moment.astimezone(UTC).isoformat()[:13]
