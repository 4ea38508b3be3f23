"""What the job's operators count in Flink's metrics: the closed list of names, and what makes them."""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.reasons import HOSTNAME_REASONS, METHOD_OF, REASONS
from attribution.stream.kafka.client_metrics import Metric

#: Names as Flink shows them, below the operator's scope.
JOB_METRICS: dict[str, Metric] = {
    "rows_in": Metric("counter", "Rows that were decoded and are sound."),
    "dead_letters": Metric("counter", "Rows, or whole messages, that were rejected.", worry="It rises with `rows_in`."),
    "attributed.SIDE.METHOD.REASON": Metric(
        "counter",
        "Sides of flows by where their answer came from, and why (`docs/reference/reasons.md`).",
        worry="The share of `none` rises: evidence is missing, late or contradictory; the reason says which.",
    ),
    "hostname.REASON": Metric(
        "counter",
        "Flows that went out by why there is one hostname or none (`docs/reference/reasons.md`).",
        worry="The share of `untold` rises: DNS answers are missing or late.",
    ),
    "flows_held": Metric(
        "gauge", "Flows that wait to be due.", worry="It rises without end: the watermark stands still."
    ),
    "flows_given_up": Metric(
        "counter", "Flows that went out before they were due.", worry="Any: a topic has stood still (`give_up_after`)."
    ),
    "flows_repeated": Metric(
        "counter",
        "Flows that did not go out because they had gone out before, by their `record_id`, within `record_memory`.",
        worry="It rises steadily: a producer sends everything twice.",
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
    "largest_bucket_bytes": Metric(
        "gauge",
        "Bytes of the longest log of one bucket.",
        worry="100 MB and more: Flink hands a log to Python in one message after a restart, and one of 180 MB did not "
        "come through. Use more `buckets`, with a new state.",
    ),
    "release_latency_ms": Metric(
        "gauge",
        "From a flow's being due, or its coming too late for that, to its going out; the longest of the last round, "
        "milliseconds.",
        worry="Seconds: rounds take all their time; give the job more parallelism.",
    ),
}
#: What a job counts beside that where it is one of several regions.
REGION_METRICS: dict[str, Metric] = {
    "flows_forwarded": Metric("counter", "Flows whose remote side another region was asked about."),
    "flows_pending": Metric(
        "gauge",
        "Flows that wait for another region's answer.",
        worry="It rises: a region, or a forwarder to it or from it, stands still. After `peer_patience` they go out as "
        "`region_silent`.",
    ),
    "pending_bytes": Metric("gauge", "Bytes of keyed state about flows that wait for another region's answer."),
    "answers_unasked": Metric(
        "counter",
        "Answers to no flow that waits: they came too late, or twice, or were never asked for.",
        worry="It rises with `region_silent`: `peer_patience` is too short.",
    ),
    "questions_in": Metric("counter", "Flows of other regions that this one was asked about, and may be."),
    "answers_in": Metric("counter", "Answers of other regions, each about an address of its own."),
    "questions_answered": Metric(
        "counter",
        "Flows of other regions that were answered; they are counted there, not here under `attributed`.",
        worry="It stays behind `questions_in` for longer than flows wait here: the watermark stands still.",
    ),
    "regions_failed": Metric(
        "gauge",
        "1 while the regions file cannot be used and the regions stay as they were before.",
        worry="1: the TaskManager's log says why.",
    ),
}


_HOSTNAME = "hostname."


class _Counter(Protocol):
    def inc(self, n: int = 1) -> None:
        """Add to it."""


class MetricGroup(Protocol):
    """What is used of PyFlink's class of this name."""

    def add_group(self, name: str) -> "MetricGroup":
        """A group within this one."""

    def counter(self, name: str) -> _Counter:
        """Make a counter."""

    def gauge(self, name: str, obj: Callable[[], int]) -> object:
        """Make a gauge, which shows what a function gives."""


class StageMetrics:
    """The metrics of one attributing operator.

    What is counted is handed on when the gauges are asked, which PyFlink does at the end of each bundle. PyFlink (2.2)
    loses what an operator counts while it handles a timer.

    Args:
        group: Flink's metric group of the operator.
        side: the side that it attributes.
        gauges: name -> what to show.
        counters: names of the counters that count no answers.
    """

    def __init__(
        self, group: MetricGroup, side: str, gauges: dict[str, Callable[[], int]], *, counters: Iterable[str]
    ) -> None:
        self._side = side
        self._counters = {name: group.counter(name) for name in counters}
        attributed = group.add_group("attributed").add_group(side)
        for reason in REASONS:
            if side == "local" or reason != "reported":
                self._counters[reason] = attributed.add_group(METHOD_OF[reason]).counter(reason)
        if side == "remote":
            named = group.add_group("hostname")
            self._counters |= {f"{_HOSTNAME}{reason}": named.counter(reason) for reason in HOSTNAME_REASONS}
        self._counted: Counter[str] = Counter()
        for name, value in gauges.items():
            group.gauge(name, partial(self._show, value))

    def count(self, flows: pa.RecordBatch) -> None:
        """Count the answers in a batch of flows, one side of which was attributed here."""
        for column, prefix in ((f"{self._side}_reason", ""), ("hostname_reason", _HOSTNAME)):
            if not prefix or self._side == "remote":
                for found in pc.value_counts(flows.column(column)).to_pylist():
                    if found["values"] is not None:
                        self._counted[prefix + found["values"]] += found["counts"]

    def add(self, name: str, count: int) -> None:
        """Add to a counter that counts no answers."""
        self._counted[name] += count

    def _show(self, value: Callable[[], int]) -> int:
        for name, count in self._counted.items():
            self._counters[name].inc(count)
        self._counted.clear()
        return value()
