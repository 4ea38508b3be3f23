"""When a flow may have been, in words: why the asked interval is wider than the record, or why nobody can be named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

from attribution.config import Settings
from attribution.core.times import times_of
from attribution.query.explain.verdict import FlowSide
from attribution.query.lake.times import format_span, to_microseconds

#: What a record says of its time besides start and end.
Cause = Literal["lag", "late", "ahead", "export"]


@dataclass(frozen=True)
class TimingFinding:
    """One thing that a record says of its time.

    Attributes:
        cause: `lag` if the record was received late, but is judged; `late` if too late; `ahead` if before its end;
            `export` if its times are those of its export.
        untimed: whether nobody is named for it.
        meaning: the same in a sentence.
        advice: what to set or to correct; empty if there is nothing to do.
    """

    cause: Cause
    untimed: bool
    meaning: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class FlowTiming:
    """When a flow may have been.

    Attributes:
        received: when the record was received; None where it does not show that.
        lag: time from its end to that moment, in microseconds; negative if its clock is ahead.
        connection: whether the flow is asked as a connection, otherwise as a window.
        untimed: whether the record does not show when the traffic was.
        findings: what widens the asked interval, or why nobody is named.
    """

    received: datetime | None
    lag: int | None
    connection: bool
    untimed: bool
    findings: tuple[TimingFinding, ...]

    @classmethod
    def of(cls, asked: FlowSide, settings: Settings) -> Self:
        """The timing of the flow of which one side is asked."""
        times = times_of(asked.record("0.0.0.0"), settings)  # noqa: S104 (no address is asked, and nothing listens)
        lag = None if asked.received is None else to_microseconds(asked.received) - to_microseconds(asked.end)
        return cls(
            received=asked.received,
            lag=lag,
            connection=bool(times.connection[0]),
            untimed=bool(times.untimed[0]),
            findings=tuple(_findings(asked, settings, lag, widened=bool(times.lag[0]))),
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**vars(self), "findings": [vars(one) for one in self.findings]}


def _findings(asked: FlowSide, settings: Settings, lag: int | None, *, widened: bool) -> Iterator[TimingFinding]:
    if asked.basis == "export":
        yield _exported(settings)
    as_window = times_of(replace(asked, basis="window").record("0.0.0.0"), settings)  # noqa: S104 (as above)
    if lag is None:
        return
    span = format_span(abs(lag))
    if as_window.untimed[0] and lag < 0:
        meaning = f"The record was received {span} before its end, so its clock is ahead. How far ahead is not known."
        yield TimingFinding("ahead", True, meaning, "Correct the clock of the observer.")
    elif as_window.untimed[0]:
        longest = format_span(settings.max_lag)
        meaning = f"The record was received {span} after its end, which is more than max_lag ({longest})."
        advice = (
            "Correct the clock of the observer. If exporters hold records back for so long, replay with a larger "
            "--max-lag."
        )
        yield TimingFinding("late", True, meaning, advice)
    elif widened:
        meaning = (
            f"The record was received {span} after its end, so its clock may be late by as much. One owner must hold "
            "from its start until then."
        )
        yield TimingFinding("lag", False, meaning)


def _exported(settings: Settings) -> TimingFinding:
    if settings.active_timeout == 0:
        meaning = "Its times are those of its export. How long before the export its traffic was is not known."
        advice = "Replay with --active-timeout and the active timeout of the exporter."
        return TimingFinding("export", True, meaning, advice)
    timeout = format_span(settings.active_timeout)
    meaning = (
        f"Its times are those of its export. Its traffic may be older by active_timeout ({timeout}), so one owner must "
        "hold from then on."
    )
    return TimingFinding("export", False, meaning)
