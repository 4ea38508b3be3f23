"""What the job's operators count in Flink's metrics: the closed list of names, and what makes them."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow.compute as pc

from attribution.core.reasons import METHOD_OF, REASONS
from attribution.streaming.metrics import Metric

#: Names as Flink shows them, below the operator's scope.
JOB_METRICS: dict[str, Metric] = {
    "rows_in": Metric("counter", "Rows that were decoded and are sound."),
    "dead_letters": Metric("counter", "Rows, or whole messages, that were rejected.", worry="It rises with `rows_in`."),
    "attributed.SIDE.METHOD.REASON": Metric(
        "counter",
        "Sides of flows by where their answer came from, and why (`docs/reference/reasons.md`).",
        worry="The share of `none` rises: evidence is missing, late or contradictory; the reason says which.",
    ),
    "flows_held": Metric(
        "gauge", "Flows that wait to be due.", worry="It rises without end: the watermark stands still."
    ),
    "flows_given_up": Metric(
        "counter", "Flows that went out before they were due.", worry="Any: a topic has stood still (`give_up_after`)."
    ),
    "late_heartbeats": Metric(
        "counter",
        "Heartbeats that ended before the watermark when they came.",
        worry="A steady share: producers report later than `report_delay`, and flows go out unattributed.",
    ),
    "watermark_lag_ms": Metric(
        "gauge",
        "How far the watermark is behind the clock, milliseconds; 0 before the first one. Of no use for a history.",
        worry="It rises: a topic stands still, or the job is slower than its producers.",
    ),
    "heartbeats_known": Metric("gauge", "Heartbeats in memory, after merging.", worry="It rises without end."),
    "state_bytes": Metric("gauge", "Bytes of all logs in keyed state."),
    "release_latency_ms": Metric(
        "gauge",
        "From a flow's being due, or its coming too late for that, to its going out; the longest of the last round, "
        "milliseconds.",
        worry="Seconds: rounds take all their time; give the job more parallelism.",
    ),
}


class StageMetrics:
    """The metrics of one attributing operator.

    What is counted is handed on when the gauges are asked, which PyFlink does at the end of each bundle: what an
    operator counts while it handles a timer, PyFlink (2.2) loses.

    Args:
        group: Flink's metric group of the operator.
        side: the side that it attributes.
        gauges: name -> what to show.
    """

    def __init__(self, group: Any, side: str, gauges: dict[str, Callable[[], int]]) -> None:
        self._side = side
        self._counters = {name: group.counter(name) for name in ("flows_given_up", "late_heartbeats")}
        attributed = group.add_group("attributed").add_group(side)
        for reason in REASONS:
            if side == "local" or reason != "reported":
                self._counters[reason] = attributed.add_group(METHOD_OF[reason]).counter(reason)
        self._counted: Counter[str] = Counter()
        #: How long (ms) the flows of the last round had been due, the longest of them.
        self.latency_ms = 0
        group.gauge("release_latency_ms", lambda: self.latency_ms)
        for name, value in gauges.items():
            group.gauge(name, partial(self._show, value))

    def count(self, flows: Any) -> None:
        """Count the answers in a batch of flows, one side of which was attributed here."""
        reasons = flows.column(f"{self._side}_reason")
        for found in pc.value_counts(reasons).to_pylist():
            self._counted[found["values"]] += found["counts"]

    def add(self, name: str, count: int) -> None:
        """Add to one of the counters that are none of answers."""
        self._counted[name] += count

    def _show(self, value: Callable[[], int]) -> int:
        for name, count in self._counted.items():
            self._counters[name].inc(count)
        self._counted.clear()
        return value()
