"""Sources into topics: everything that `replay` reads, as dense messages, in the order in which it was reported.

How time reaches the job: it takes a record's time for "everything up to here was reported", partition by partition, and
goes on when the last partition has come so far. So messages are spread over the partitions in turn, and a partition to
which nothing was sent for a while gets a message without rows. After the last row, time stands still, and with it the
flows of the last minutes; `finish` sends every partition of every input topic a message without rows, far enough ahead
that all of them are released. What is published after that, with earlier times, is late.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.ownership.flow_heartbeats import flow_heartbeats
from attribution.errors import BrokerError
from attribution.schema import FLOW, HEARTBEAT
from attribution.sources import Ledger, read
from attribution.sources.inputs import Inputs
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.kafka.topic_setup import Problem, check_topics
from attribution.stream.publish.schedule import Part, Schedule
from attribution.stream.topics import INPUT_TOPICS, topic_of
from attribution.stream.wire.codec import Message, empty, encode

#: How far ahead of the last row `finish` goes, beyond `hold` and `max_gap`: the job's own delay, and some.
FINISH_MARGIN = 10 * MINUTE
#: Rows of a message below which a period is not spread over more partitions.
_DENSE = 2000
#: A partition without a message for this long (event time) gets one without rows.
_QUIET = 30 * SECOND
_PRODUCER = {
    "enable.idempotence": True,
    # With several requests on their way, a partition whose leader is not ready can refuse the first and take the next;
    # librdkafka then reports the first as delivered, and it is lost. Topics that were just made show it.
    "max.in.flight": 1,
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "compression.type": "none",  # the values are compressed already
    "queue.buffering.max.kbytes": 65_536,
}


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How to send.

    Attributes:
        prefix: of the topics' names.
        period: rows are ordered, and pace is kept, to this many microseconds; a part of an hour.
        pace: event time per wall time; None for as fast as it goes.
        finish: how far ahead of the last row time is moved at the end, in microseconds; None to leave it there.
        timeout_s: seconds after which an undelivered message is given up.
    """

    prefix: str = ""
    period: int = 10 * SECOND
    pace: float | None = None
    finish: int | None = None
    timeout_s: float = 120


@dataclass(frozen=True)
class Published:
    """What was delivered.

    Attributes:
        rows: by kind.
        messages: by kind, those without rows included.
        ledger: rows read, skipped and rejected.
        first: time of the earliest report, in microseconds; None where there was nothing.
        last: that of the latest one.
        seconds: wall time.
    """

    rows: Counter[str]
    messages: Counter[str]
    ledger: Ledger
    first: int | None
    last: int | None
    seconds: float


def finish_after(settings: Settings) -> int:
    """How far ahead of the last row time must come so that a job with these settings releases everything."""
    return settings.hold + settings.max_gap + FINISH_MARGIN


def publish(
    inputs: Inputs,
    broker: Broker,
    *,
    settings: Settings | None = None,
    flows_are_heartbeats: bool = True,
    sending: Sending | None = None,
    ledger: Ledger | None = None,
    metrics: Metrics | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Published:
    """Read the whole input, then send its records; returns when the broker has acknowledged every message.

    Args:
        inputs: what to send.
        broker: where to.
        settings: of the rules; its prefixes say which flows of a log that is evidence only are heartbeats.
        flows_are_heartbeats: whether a connection whose local workload is known is a heartbeat of it.
        sending: how.
        ledger: counts what was read and left out.
        metrics: counts what was sent.
        progress: called with the phase ("reading", "sending") and the rows done in it so far.

    Raises:
        SourceError: a source cannot be read at all.
        RejectLimitError: too many rows were rejected; nothing was sent.
        BrokerError: a topic is missing or would delete what is sent, or a message was not delivered.
    """
    began, sending, ledger = time.monotonic(), sending or Sending(), ledger or Ledger()
    report = progress or (lambda _phase, _rows: None)
    with ExitStack() as left:
        folder = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="attribution-publish-")))
        schedule = Schedule(folder / "rows", period=sending.period)
        left.callback(schedule.close)
        rows = 0
        for part in _read(inputs, settings or Settings(), ledger, flows_are_heartbeats=flows_are_heartbeats):
            schedule.add(part.kind, part.rows, part.span)
            rows += part.rows.num_rows
            report("reading", rows)
        ledger.check()
        kinds = schedule.kinds if sending.finish is None else tuple(INPUT_TOPICS)
        _check(broker, sending.prefix, kinds, schedule.first)
        sender = _Sender(broker, sending, kinds, metrics or Metrics())
        with broker.asking("publish"):
            _send(schedule, sender, sending, report)
            if sending.finish is not None and schedule.last is not None:
                sender.move_time(kinds, schedule.last + sending.finish)
            sender.flush()
    return Published(sender.rows, sender.messages, ledger, schedule.first, schedule.last, time.monotonic() - began)


def _read(inputs: Inputs, settings: Settings, ledger: Ledger, *, flows_are_heartbeats: bool) -> Iterator[Part]:
    """Everything that the input holds, as `attribution.replay` takes it."""
    shared = PrefixTable.of_prefixes(settings.prefixes_held_by_port)
    pools = PrefixTable.of_prefixes(settings.pool_prefixes)
    for given, paths, kinds in inputs.sources(of=tuple(INPUT_TOPICS)):
        for found in read(paths, ledger=ledger, format=inputs.format, kinds=kinds):
            evidence_only = given != FLOW
            trusted = flows_are_heartbeats or evidence_only
            if found.kind != FLOW:
                if trusted or not found.shown_by_flows:
                    yield Part(found.kind, found.batch, "interval")
            elif evidence_only:
                beats = flow_heartbeats(found.batch, found.flow_heartbeats, shared=shared, pools=pools)
                yield Part(HEARTBEAT, beats, "interval")
            else:
                yield Part(FLOW, found.batch, found.flow_heartbeats if trusted else "none")


def _check(broker: Broker, prefix: str, kinds: Sequence[str], first: int | None) -> None:
    """Refuse to send what a topic would not keep."""
    now = time.time_ns() // 1000
    age = max(0, now - first) if first is not None else 0
    problems = check_topics(broker, prefix=prefix, kinds=kinds, retention=age + MINUTE)
    if problems:
        raise BrokerError(f"cannot publish to {broker.servers}: {'; '.join(map(_told, problems))}")


def _told(problem: Problem) -> str:
    return f"{problem.topic}: {problem.setting} is {problem.found}, must be {problem.wanted} ({problem.why})"


def _send(schedule: Schedule, sender: "_Sender", sending: Sending, report: Callable[[str, int], None]) -> None:
    begun: float | None = None
    for part in schedule.timeless:
        sender.send(part)
    for period in schedule.periods():
        if sending.pace is not None:
            now = time.monotonic()
            begun = now - period.end / SECOND / sending.pace if begun is None else begun
            sender.wait_until(begun + period.end / SECOND / sending.pace)
        for part in period.parts:
            sender.send(part)
        sender.move_time(schedule.kinds, period.end - 1, quiet=_QUIET)
        report("sending", sender.rows.total())


@dataclass
class _Topic:
    """Where a topic stands: its partitions in turn, and the time up to which each was told."""

    name: str
    told_ms: list[int]
    next: int = 0


class _Sender:
    """Sends messages and sees to it that each is acknowledged.

    Attributes:
        rows: acknowledged, by kind.
        messages: acknowledged, by kind.
    """

    def __init__(self, broker: Broker, sending: Sending, kinds: Sequence[str], metrics: Metrics) -> None:
        self._broker, self._metrics = broker, metrics
        names = {kind: topic_of(kind, prefix=sending.prefix) for kind in kinds}
        partitions = broker.partitions(list(names.values()))
        self._topics = {kind: _Topic(name, [0] * partitions[name]) for kind, name in names.items()}
        self._producer = broker.producer({**_PRODUCER, "delivery.timeout.ms": int(sending.timeout_s * 1000)})
        self._failure: str | None = None
        self._failed = 0
        self.rows: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def send(self, part: Part) -> None:
        """Send rows, in their order; to several partitions where they are many."""
        topic = self._topics[part.kind]
        pieces = min(len(topic.told_ms), max(1, part.rows.num_rows // _DENSE))
        size = -(-part.rows.num_rows // pieces)
        span = part.span if part.kind == FLOW else None
        for start in range(0, part.rows.num_rows, size):
            partition, topic.next = topic.next, (topic.next + 1) % len(topic.told_ms)
            for message in encode(part.kind, part.rows.slice(start, size), flow_heartbeats=span):
                # Configuration says nothing about time, so it comes before all of it; 0 is the present to the client.
                self._produce(part.kind, partition, replace(message, timestamp_ms=message.timestamp_ms or 1))

    def move_time(self, kinds: Sequence[str], moment: int, *, quiet: int = 0) -> None:
        """Tell the partitions that everything up to `moment` (µs) was reported, those at least that lag by `quiet`."""
        for kind in kinds:
            for partition, told_ms in enumerate(self._topics[kind].told_ms):
                if told_ms < (moment - quiet) // 1000:
                    self._produce(kind, partition, Message(empty(kind), moment // 1000, 0))
        self._metrics.set("attribution_publish_time_seconds", moment / SECOND)

    def _produce(self, kind: str, partition: int, message: Message) -> None:
        topic = self._topics[kind]
        topic.told_ms[partition] = max(topic.told_ms[partition], message.timestamp_ms)
        delivered = partial(self._delivered, kind, message.rows)
        while True:
            try:
                self._producer.produce(
                    topic.name,
                    message.value,
                    partition=partition,
                    timestamp=message.timestamp_ms,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                self._poll(1.0)
        self._poll(0)

    def _delivered(self, kind: str, rows: int, error: Any, _message: Any) -> None:
        if error is None:
            self.rows[kind] += rows
            self.messages[kind] += 1
            self._metrics.add("attribution_published_rows_total", rows, kind=kind)
            self._metrics.add("attribution_published_messages_total", kind=kind)
        else:
            self._failed += 1
            if self._failure is None:
                # That it took too long says little; what the client complained about meanwhile says more.
                why = self._broker.complaints.last if error.name() == "_MSG_TIMED_OUT" else ""
                self._failure = f"{self._topics[kind].name}: {error.str()}{f' ({why})' if why else ''}"
            self._metrics.add("attribution_publish_failed_messages_total", kind=kind)

    def _poll(self, seconds: float) -> None:
        self._producer.poll(seconds)
        self._metrics.set("attribution_publish_waiting_messages", len(self._producer))
        if self._failure is not None:
            self._producer.purge()
            self._producer.flush(1)
            raise BrokerError(
                f"{self._failed} messages were not delivered to {self._broker.servers}, the first to {self._failure}; "
                f"{self.rows.total()} rows were. "
                "Rows that are published again are counted twice: make the topics anew, or publish what is missing"
            )

    def wait_until(self, moment: float) -> None:
        """Wait until the monotonic clock shows `moment`, delivering meanwhile."""
        while (left := moment - time.monotonic()) > 0:
            self._poll(min(left, 1.0))

    def flush(self) -> None:
        """Wait until every message is acknowledged or given up."""
        while len(self._producer):
            self._producer.flush(0.5)
            self._poll(0)
        self._poll(0)
