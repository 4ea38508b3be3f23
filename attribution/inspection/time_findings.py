"""Findings about time: clocks, times that are no times, evidence of another time, rare heartbeats, gaps."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from attribution.config import HOUR, MINUTE, SECOND, Settings, format_duration
from attribution.inspection.finding import Facts, Finding
from attribution.schema import ASSIGNMENT, HEARTBEAT

#: A flow may end so much after now before a clock is said to be ahead.
_AHEAD_US = MINUTE
#: Share of the busy time of flows that may lie outside of the evidence before anything is said.
_OUTSIDE = 0.1
_DEFAULT = Settings()


def time_findings(facts: Facts) -> Iterator[Finding]:
    """The findings about the times of flows and of evidence, if there are flows."""
    yield from _clock(facts)
    yield from _received(facts)
    yield from _times(facts)
    yield from _rare(facts)


def _clock(facts: Facts) -> Iterator[Finding]:
    last = facts.flows.times.last
    if last is not None and last > facts.now_us + _AHEAD_US:
        text = f"The last flow ends {_span(last - facts.now_us)} after now: a clock is ahead, or a time zone is wrong."
        yield Finding("clock_ahead", text, "Set the clock of what writes the log, and write times in UTC.", "limits")


def _received(facts: Facts) -> Iterator[Finding]:
    """Records that do not show when they were."""
    flows, page = facts.flows, "how-to/goflow2"
    so = "so nobody is named for their remote side (untimed)"
    if flows.late:
        late = f"were received up to {_span(flows.latest_us)} after their end, more than --max-lag"
        text = f"{share_of(flows.late, flows.rows)} of the flows {late} ({_span(_DEFAULT.max_lag)}), {so}."
        advice = "Set the clock and the time zone of what writes the log. If only the way is slow, raise --max-lag."
        yield Finding("received_late", text, advice, page)
    if flows.early:
        early = f"end up to {_span(flows.earliest_us)} after they were received"
        text = f"{share_of(flows.early, flows.rows)} of the flows {early}, {so}."
        advice = "Set the clocks of what writes the log and of what collects it."
        yield Finding("received_early", text, advice, page)
    if flows.exports:
        text = f"{share_of(flows.exports, flows.rows)} of the flows show no time but that of their export, {so}."
        advice = "Let the exporter send the times of flows, or say its active timeout with --active-timeout."
        yield Finding("export_times", text, advice, page)


def _times(facts: Facts) -> Iterator[Finding]:
    span = facts.evidence.span()
    # An assignment event holds until the next one.
    if span is None or ASSIGNMENT in facts.evidence.kinds:
        return
    first, last = span[0] - _DEFAULT.max_gap, span[1] + _DEFAULT.max_gap
    outside = facts.flows.times.share_outside(first, last)
    if outside > _OUTSIDE:
        part = "All flows are" if outside == 1 else f"{outside:.0%} of the flows' time is"
        text = f"{part} outside of the time of the heartbeats, so nobody is named there."
        advice = "Give heartbeats of the same time as the flows, and look at clocks and time zones."
        yield Finding("other_times", text, advice, "how-to/heartbeats")


def _rare(facts: Facts) -> Iterator[Finding]:
    """Heartbeats that come less often than they are trusted to last."""
    if HEARTBEAT not in facts.evidence.kinds:
        return
    table = facts.evidence.kinds[HEARTBEAT].sightings.table()
    first, last, covered, rows = (table.column(name).to_numpy() for name in ("first", "last", "covered", "rows"))
    several = rows > 1
    if not several.any() and not np.median(covered):
        text = "Every workload was seen only once, so it is named for that moment only."
        yield Finding("seen_once", text, "Take heartbeats every minute.", "how-to/heartbeats")
        return
    if not several.any():
        return
    silence = np.maximum(last - first - covered, 0)[several] / (rows[several] - 1)
    usual = int(np.median(silence))
    if usual > _DEFAULT.max_gap:
        text = (
            f"Half of the workloads are seen every {_span(usual)} or less often. "
            f"A workload is trusted to survive {_span(_DEFAULT.max_gap)} of silence (--max-gap)."
        )
        advice = "Take heartbeats every minute. Or set --max-gap, if no address comes to another workload sooner."
        yield Finding("rare_heartbeats", text, advice, "how-to/tuning")


def gap_findings(facts: Facts) -> Iterator[Finding]:
    """Where there are no flows for far longer than usual."""
    gaps = facts.flows.times.gaps()
    if gaps:
        begin, end = gaps[0]
        more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        text = f"There are no flows for {_span(end - begin)}, from {_time(begin)}{more}."
        yield Finding("gap_in_time", text, "If a file is missing, give it, too.", "how-to/inspect")


def share_of(count: int, total: int) -> str:
    """A share as the beginning of a sentence; what is not nothing is never written as nothing."""
    return "All" if count == total else f"{max(count / total, 0.001):.1%}"


def _span(microseconds: int) -> str:
    """A length of time, rounded: `26h`, `90s`."""
    unit = next((unit for unit in (24 * HOUR, HOUR, MINUTE, SECOND) if microseconds >= 2 * unit), SECOND)
    return format_duration(round(microseconds / unit) * unit)


def _time(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds / SECOND, UTC):%Y-%m-%d %H:%M:%S}"
