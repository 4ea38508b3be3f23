"""Sources into topics: everything that `replay` reads, as dense messages, in the order in which it was reported.

The job takes a record's time for "everything up to here was reported", partition by partition, and goes on when the
last partition has come so far. So messages are spread over the partitions in turn. A partition to which nothing was
sent for a while gets a message without rows.

After the last row, time stands still, and with it the flows of the last minutes. `finish_us` sends every partition of
every input topic a message without rows, far enough ahead that all flows are released. What is published after that,
with earlier times, is late.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from attribution.config import MINUTE, SECOND, Microseconds, Settings
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.errors import BrokerError
from attribution.lake.staging import scratch
from attribution.schema import FLOW, HEARTBEAT
from attribution.sources import Ledger, Once, read
from attribution.sources.inputs import Inputs
from attribution.sources.registry import completed
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.kafka.topic_setup import Problem, check_topics
from attribution.stream.publish.schedule import Part, Schedule
from attribution.stream.publish.sender import Sender
from attribution.stream.topics import INPUT_TOPICS

#: How far ahead of the last row `finish_after` goes, beyond `hold` and `max_gap`: the job's own delay, and some.
FINISH_MARGIN = 10 * MINUTE
#: A partition without a message for this long (event time) gets one without rows.
_QUIET = 30 * SECOND


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How to send.

    Attributes:
        prefix: of the topics' names.
        period_us: rows are ordered, and pace is kept, to this much event time; a part of an hour.
        pace: event time per wall time; None for as fast as it goes.
        finish_us: how far ahead of the last row time is moved at the end; None to leave it there.
        timeout_s: seconds after which an undelivered message is given up.
    """

    prefix: str = ""
    period_us: Microseconds = 10 * SECOND
    pace: float | None = None
    finish_us: Microseconds | None = None
    timeout_s: float = 120


@dataclass(frozen=True)
class Published:
    """What was delivered.

    Attributes:
        rows: by kind.
        messages: by kind; messages without rows, which only carry time, are included.
        ledger: rows read, skipped and rejected.
        first_us: time of the earliest report; None where there was nothing.
        last_us: time of the latest report.
        took_s: wall time.
    """

    rows: Counter[str]
    messages: Counter[str]
    ledger: Ledger
    first_us: Microseconds | None
    last_us: Microseconds | None
    took_s: float


def finish_after(settings: Settings) -> Microseconds:
    """How far ahead of the last row time must come so that a job with these settings releases everything."""
    return settings.hold + settings.max_gap + FINISH_MARGIN


def would_publish(inputs: Inputs, *, settings: Settings, flows_are_heartbeats: bool, ledger: Ledger) -> dict[str, int]:
    """The rows of each kind that `publish` would send of the input; raises as reading does, and asks no broker."""
    rows: Counter[str] = Counter()
    for part in _read(inputs, settings, ledger, flows_are_heartbeats=flows_are_heartbeats):
        rows[part.kind] += part.rows.num_rows
    ledger.check()
    return {kind: rows[kind] for kind in INPUT_TOPICS if rows[kind]}


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
    began_s, sending, ledger = time.monotonic(), sending or Sending(), ledger or Ledger()
    report = progress or (lambda _phase, _rows: None)
    with ExitStack() as left:
        folder = left.enter_context(scratch("attribution-publish")).path
        schedule = Schedule(folder / "rows", period_us=sending.period_us)
        left.callback(schedule.close)
        rows = 0
        for part in _read(inputs, settings or Settings(), ledger, flows_are_heartbeats=flows_are_heartbeats):
            schedule.add(part.kind, part.rows, part.flow_heartbeats, told_later=part.told_later)
            rows += part.rows.num_rows
            report("reading", rows)
        ledger.check()
        kinds = schedule.kinds if sending.finish_us is None else tuple(INPUT_TOPICS)
        _check(broker, sending.prefix, kinds, schedule.first_us)
        sender = Sender(broker, kinds, prefix=sending.prefix, timeout_s=sending.timeout_s, metrics=metrics or Metrics())
        with broker.asking("publish"):
            _send(schedule, sender, sending, ledger, report)
            if sending.finish_us is not None and schedule.last_us is not None:
                sender.move_time(kinds, schedule.last_us + sending.finish_us)
            sender.flush()
    took_s = time.monotonic() - began_s
    return Published(sender.rows, sender.messages, ledger, schedule.first_us, schedule.last_us, took_s)


def _read(inputs: Inputs, settings: Settings, ledger: Ledger, *, flows_are_heartbeats: bool) -> Iterator[Part]:
    """Everything that the input holds, as `attribution.replay` takes it."""
    evidence = FlowEvidence(settings)
    for given, paths, kinds in inputs.sources(of=tuple(INPUT_TOPICS)):
        evidence_only = given != FLOW
        sources = read(
            paths,
            ledger=ledger,
            format=inputs.format,
            kinds=kinds,
            network=inputs.network_of(given),
            seen_at=inputs.seen_at_of(given),
            mapping=inputs.mapping_of(given),
            # The job knows a flow that it had before by its `record_id`.
            once=Once(named=not evidence_only),
        )
        for found in sources:
            trusted = flows_are_heartbeats or evidence_only
            if found.kind != FLOW:
                if trusted or not found.shown_by_flows:
                    yield Part(found.kind, found.batch, "interval")
            elif evidence_only:
                for made in (evidence.heartbeats, evidence.claims):
                    yield Part(HEARTBEAT, made(found.batch, found.flow_heartbeats), "interval")
            else:
                told_later = found.format if found.told_later else ""
                yield Part(FLOW, found.batch, found.flow_heartbeats if trusted else "none", told_later)


def _check(broker: Broker, prefix: str, kinds: Sequence[str], first_us: Microseconds | None) -> None:
    """Refuse to send what a topic would not keep."""
    now_us = int(time.time() * SECOND)
    age_us = max(0, now_us - first_us) if first_us is not None else 0
    problems = check_topics(broker, prefix=prefix, kinds=kinds, retention_us=age_us + MINUTE)
    if problems:
        raise BrokerError(f"cannot publish to {broker.servers}: {'; '.join(map(_told, problems))}")


def _told(problem: Problem) -> str:
    return f"{problem.topic}: {problem.setting} is {problem.found}, must be {problem.wanted} ({problem.why})"


def _completed(part: Part, ledger: Ledger) -> Part:
    """The part with what sources that were read after it told of it."""
    return replace(part, rows=completed(part.told_later, part.rows, ledger)) if part.told_later else part


def _send(
    schedule: Schedule, sender: Sender, sending: Sending, ledger: Ledger, report: Callable[[str, int], None]
) -> None:
    began_s: float | None = None
    for part in schedule.timeless:
        sender.send(part)
    for period in schedule.periods():
        if sending.pace is not None:
            paced_s = period.end_us / SECOND / sending.pace
            began_s = time.monotonic() - paced_s if began_s is None else began_s
            sender.wait_until(began_s + paced_s)
        for part in period.parts:
            sender.send(_completed(part, ledger))
        sender.move_time(schedule.kinds, period.end_us - 1, quiet_us=_QUIET)
        report("sending", sender.rows.total())
