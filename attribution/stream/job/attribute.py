"""The job's keyed operator: evidence and held flows of a bucket in state, released by event time."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.compute as pc
from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext, TimeDomain
from pyflink.datastream.state import ListStateDescriptor

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.gate import Sides
from attribution.schema import ANSWER, ATTRIBUTED_FLOW, OWNERSHIP_RANGE
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.buckets.payload import TIME, WAKE, unpack_moment
from attribution.stream.job.ask import TO_BORDER, to_peer
from attribution.stream.job.decode import BYTES
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.split import Splitter
from attribution.stream.job.worker import spare_imports
from attribution.stream.job_metrics import StageMetrics
from attribution.stream.regions.border import Border
from attribution.stream.regions.open_questions import ASKED_BY, answers_of
from attribution.stream.wire import codec

RANGES = OutputTag("ownership-ranges", BYTES)

_MILLISECOND = 1000


class Attribute(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Attributes one side of flows; takes entries, keyed by bucket.

    State is the log of `Bucket`. What is in memory is made of it when a bucket is first touched, so a worker that is
    killed, or a key that moves to another one, loses nothing.

    A due flow does not go out at once, but in the bucket's next *round*: one timer of the watermark per row would make
    batches of one row. A round costs mostly what is known about the addresses asked for, however few the flows, so the
    next one waits `round_interval`, or longer, until rounds take no more than half of the worker's time: under load
    flows go out later and cheaper. Rounds run on processing time; which evidence a flow is judged by does not depend on
    when its round comes, only whether it was due.

    Args:
        sides: `local`, whose output is entries for the other stage, or `remote`, whose output is Kafka values of
            attributed flows, with those of ownership ranges in the side output `RANGES`.
        settings: the settings of the rules.
        options: how the job runs.
        labels: table of `schemas/label.avsc`.
        border: the regions, where there are several; flows to others then go to the side output `TO_BORDER`, and what
            others asked about to those of `to_peer`.
    """

    def __init__(
        self, sides: Sides, settings: Settings, options: StreamOptions, labels: Any, *, border: Border | None = None
    ) -> None:
        self._sides: Sides = sides
        self._settings, self._options, self._labels = settings, options, labels
        self._border = border

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state; make what cannot be sent."""
        spare_imports()
        self._log = runtime_context.get_list_state(ListStateDescriptor("log", BYTES))
        self._splitter = Splitter(self._settings, buckets=self._options.buckets)
        self._buckets: dict[int, _Kept] = {}
        self._lag_ms = self._latency_ms = 0
        gauges: dict[str, Callable[[], int]] = {
            "flows_held": lambda: sum(kept.bucket.attributor.held for kept in self._buckets.values()),
            "heartbeats_known": lambda: sum(kept.bucket.attributor.heartbeats for kept in self._buckets.values()),
            "watermark_lag_ms": lambda: self._lag_ms,
            "state_bytes": lambda: sum(kept.bucket.log_bytes for kept in self._buckets.values()),
            "largest_bucket_bytes": lambda: max((kept.bucket.log_bytes for kept in self._buckets.values()), default=0),
            "release_latency_ms": lambda: self._latency_ms,
        }
        counters = ["flows_given_up", "late_heartbeats", *(["questions_answered"] if self._border else [])]
        self._metrics = StageMetrics(runtime_context.get_metrics_group(), self._sides, gauges, counters=counters)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """One entry for a bucket."""
        content, timers = value, ctx.timer_service()
        now = timers.current_processing_time()
        kept = self._kept(ctx.get_current_key(), now)
        if content[:1] == TIME:
            kept.reached = max(kept.reached, unpack_moment(content))
        elif content != WAKE:
            kept.bucket.take(content, now)
            self._log.add(content)
        self._plan(kept, timers, now)
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """The watermark has reached a due flow, or it is time for a round."""
        timers = ctx.timer_service()
        now = timers.current_processing_time()
        kept = self._kept(ctx.get_current_key(), now)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            kept.event_timer = None
            over = kept.watermark(timers) >= NEVER_AFTER
        else:
            if kept.round_timer is not None and timestamp >= kept.round_timer:
                kept.round_timer = None
            over = False
        if over or now >= kept.next_round:
            begun = time.monotonic()
            yield from self._round(kept, kept.watermark(timers), now)
            took_ms = int((time.monotonic() - begun) * 1000)
            kept.next_round = now + max(self._options.round_interval // _MILLISECOND, 2 * took_ms * len(self._buckets))
        self._plan(kept, timers, now)

    def _kept(self, number: int, now: int) -> "_Kept":
        if number not in self._buckets:
            bucket = Bucket(self._settings, sides=self._sides, labels=self._labels, log=self._log.get() or (), now=now)
            self._buckets[number] = _Kept(bucket, now)
        return self._buckets[number]

    def _round(self, kept: "_Kept", watermark: int, now: int) -> Iterator[Any]:
        """Let out what is due, and what has waited too long; settle where that pays."""
        bucket, attributor = kept.bucket, kept.bucket.attributor
        due, entries = bucket.advance(watermark)
        given_up = attributor.give_up(now - self._options.give_up_after // _MILLISECOND)
        for rows in (*due, *given_up):
            yield from self._released(rows)
        for entry in entries:
            self._log.add(entry)
        self._metrics.add("flows_given_up", sum(rows.num_rows for rows in given_up))
        self._metrics.add("late_heartbeats", attributor.counters.pop("late_heartbeats", 0))
        if due:
            self._latency_ms = 0 if kept.due_since is None else now - kept.due_since
            kept.due_since = None
        if given_up or bucket.outgrown or self._ripe(kept, watermark, now):
            kept.last_settled, kept.settled_at = now, watermark
            (first, *others), ranges = bucket.settle()
            self._log.update([first])
            for entry in others:
                self._log.add(entry)
            if ranges is not None:
                for batch in ranges.combine_chunks().to_batches():
                    for message in codec.encode(OWNERSHIP_RANGE, batch):
                        yield RANGES, message.value

    def _ripe(self, kept: "_Kept", watermark: int, now: int) -> bool:
        if watermark >= NEVER_AFTER:
            return True
        old = now >= kept.last_settled + self._options.settle_interval // _MILLISECOND
        return old and watermark > kept.settled_at

    def _released(self, rows: Any) -> Iterator[Any]:
        if self._border is not None and self._sides == "remote":
            if ASKED_BY in rows.schema.names:
                yield from self._answers(rows)
                return
            rows, crossing = self._border.crossing(rows)
            for bucket, content in crossing:
                yield TO_BORDER, Row(bucket, content)
        self._metrics.count(rows)
        if self._sides == "local":
            for entry in self._splitter.halves(rows):
                yield Row(entry.bucket, entry.content)
        else:
            for message in codec.encode(ATTRIBUTED_FLOW, rows):
                yield message.value

    def _answers(self, rows: Any) -> Iterator[Any]:
        """What other regions asked about, back to them."""
        self._metrics.add("questions_answered", rows.num_rows)
        for peer in rows.column(ASKED_BY).unique().to_pylist():
            answers = answers_of(rows.filter(pc.equal(rows.column(ASKED_BY), peer)))
            for message in codec.encode(ANSWER, answers):
                yield to_peer(peer), message.value

    def _plan(self, kept: "_Kept", timers: Any, now: int) -> None:
        """Register the timers that the bucket needs next, unless they are registered."""
        attributor, watermark = kept.bucket.attributor, kept.watermark(timers)
        if NEVER_BEFORE < watermark < NEVER_AFTER:
            self._lag_ms = now - watermark // _MILLISECOND
        wanted = [now + self._options.settle_interval // _MILLISECOND]
        if attributor.held:
            wanted.append(now + self._options.give_up_after // _MILLISECOND)
            due = -(-attributor.next_due // _MILLISECOND)
            if attributor.next_due <= watermark:
                kept.due_since = now if kept.due_since is None else kept.due_since
                wanted.append(kept.next_round)
            elif kept.event_timer is None or due < kept.event_timer:
                kept.event_timer = due
                timers.register_event_time_timer(due)
        soonest = max(min(wanted), now + 1)
        if kept.round_timer is None or soonest < kept.round_timer:
            kept.round_timer = soonest
            timers.register_processing_time_timer(soonest)


class _Kept:
    """A bucket in memory, and which timers it has."""

    def __init__(self, bucket: Bucket, now: int) -> None:
        self.bucket = bucket
        self.event_timer: int | None = None
        self.due_since: int | None = None
        self.round_timer: int | None = None
        self.next_round = 0
        self.last_settled = now
        self.settled_at = bucket.attributor.watermark
        #: How far time had come when all fell silent: Flink may not know.
        self.reached = NEVER_BEFORE

    def watermark(self, timers: Any) -> int:
        """Up to when (µs) evidence is complete; Flink's last watermark is after all time."""
        return max(self.reached, min(timers.current_watermark() * _MILLISECOND, NEVER_AFTER))
