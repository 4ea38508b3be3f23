"""The job's keyed operator: evidence and held flows of a bucket in state, released by event time."""

import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, TimeDomain
from pyflink.datastream.state import ListStateDescriptor

from attribution.config import SECOND, Microseconds, Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.gate import Sides
from attribution.schema import ANSWER, ATTRIBUTED_FLOW, OWNERSHIP_RANGE
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.buckets.payload import TIME, WAKE, unpack_moment
from attribution.stream.buckets.placement import bucket_keys
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import BYTES, RANGES, TO_BORDER, Output, to_peer
from attribution.stream.job.split import Splitter
from attribution.stream.job.timers import Timers
from attribution.stream.job.worker import spare_imports
from attribution.stream.job_metrics import StageMetrics
from attribution.stream.milliseconds import to_ms, to_us
from attribution.stream.regions.border import Border
from attribution.stream.regions.open_questions import ASKED_BY, answers_of
from attribution.stream.wire import codec


class Attribute(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Attributes one side of flows; takes entries, keyed by bucket.

    State is the log of `Bucket`. What is in memory is made of it when a bucket is first touched. So a worker that is
    killed, or a key that moves to another worker, loses nothing.

    A due flow does not go out at once, but in the bucket's next *round*: one timer of the watermark per row would make
    batches of one row. What a round costs depends mostly on what is known about the addresses asked for, however few
    the flows. So the next round waits `round_interval`, or longer, until rounds take no more than half of the worker's
    time: under load flows go out later and cheaper. Rounds run on processing time. Which evidence a flow is judged by
    does not depend on when its round comes, only on whether the flow was due.

    Args:
        sides: `local`, whose output is entries for the other stage, or `remote`, whose output is Kafka values of
            attributed flows. Kafka values of ownership ranges go to the side output `RANGES`.
        settings: the settings of the rules.
        options: how the job runs.
        labels: table of `schemas/label.avsc`.
        border: the regions, if there are several. Flows to other regions then go to the side output `TO_BORDER`, and
            what other regions asked about goes to the side outputs `to_peer`.
    """

    def __init__(
        self,
        sides: Sides,
        settings: Settings,
        options: StreamOptions,
        labels: pa.Table,
        *,
        border: Border | None = None,
    ) -> None:
        self._sides: Sides = sides
        self._settings, self._options, self._labels = settings, options, labels
        self._keys = bucket_keys(options.buckets)
        self._border = border

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state; make what cannot be sent."""
        spare_imports()
        self._log = runtime_context.get_list_state(ListStateDescriptor("log", BYTES))
        self._splitter = Splitter(self._settings, buckets=self._options.buckets, border=self._border)
        self._buckets: dict[int, _Loaded] = {}
        self._lag_us = self._latency_us = 0
        gauges: dict[str, Callable[[], int]] = {
            "flows_held": lambda: sum(loaded.bucket.attributor.held for loaded in self._buckets.values()),
            "heartbeats_known": lambda: sum(loaded.bucket.attributor.heartbeats for loaded in self._buckets.values()),
            "watermark_lag_ms": lambda: to_ms(self._lag_us),
            "state_bytes": lambda: sum(loaded.bucket.log_bytes for loaded in self._buckets.values()),
            "largest_bucket_bytes": lambda: max(
                (loaded.bucket.log_bytes for loaded in self._buckets.values()), default=0
            ),
            "release_latency_ms": lambda: to_ms(self._latency_us),
        }
        counters = [
            "flows_given_up",
            "flows_repeated",
            "late_heartbeats",
            *(["questions_answered"] if self._border else []),
        ]
        self._metrics = StageMetrics(runtime_context.get_metrics_group(), self._sides, gauges, counters=counters)

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Output]:
        """One entry for a bucket."""
        timers = Timers(ctx.timer_service())
        loaded = self._load(ctx.get_current_key(), timers.now_us)
        if value[:1] == TIME:
            loaded.reached_us = max(loaded.reached_us, unpack_moment(value))
        elif value != WAKE:
            loaded.bucket.take(value, timers.now_us)
            self._log.add(value)
        self._plan(loaded, timers)
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Output]:
        """The watermark has reached a due flow, or it is time for a round; `timestamp` is milliseconds, as in Flink."""
        timers = Timers(ctx.timer_service())
        loaded = self._load(ctx.get_current_key(), timers.now_us)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            loaded.event_timer_us = None
            over = loaded.watermark_us(timers) >= NEVER_AFTER
        else:
            if loaded.round_timer_us is not None and to_us(timestamp) >= loaded.round_timer_us:
                loaded.round_timer_us = None
            over = False
        if over or timers.now_us >= loaded.next_round_us:
            began_s = time.monotonic()
            yield from self._round(loaded, loaded.watermark_us(timers), timers.now_us)
            took_us = int((time.monotonic() - began_s) * SECOND)
            pause_us = max(self._options.round_interval, 2 * took_us * len(self._buckets))
            loaded.next_round_us = timers.now_us + pause_us
        self._plan(loaded, timers)

    def _load(self, number: int, now_us: Microseconds) -> "_Loaded":
        if number not in self._buckets:
            log = self._log.get() or ()
            bucket = Bucket(self._settings, sides=self._sides, labels=self._labels, log=log, now_us=now_us)
            self._buckets[number] = _Loaded(bucket, now_us)
        return self._buckets[number]

    def _round(self, loaded: "_Loaded", watermark_us: Microseconds, now_us: Microseconds) -> Iterator[Output]:
        """Let out what is due, and what has waited too long; settle where that pays."""
        bucket, attributor = loaded.bucket, loaded.bucket.attributor
        due, entries = bucket.advance(watermark_us)
        given_up = attributor.give_up(now_us - self._options.give_up_after)
        for rows in (*due, *given_up):
            yield from self._released(rows)
        for entry in entries:
            self._log.add(entry)
        self._metrics.add("flows_given_up", sum(rows.num_rows for rows in given_up))
        for name in ("flows_repeated", "late_heartbeats"):
            self._metrics.add(name, attributor.counters.pop(name, 0))
        if due:
            self._latency_us = 0 if loaded.due_since_us is None else now_us - loaded.due_since_us
            loaded.due_since_us = None
        if given_up or bucket.outgrown or self._ripe(loaded, watermark_us, now_us):
            loaded.settled_us, loaded.settled_at_us = now_us, watermark_us
            (first, *others), ranges = bucket.settle()
            self._log.update([first])
            for entry in others:
                self._log.add(entry)
            if ranges is not None:
                for batch in ranges.combine_chunks().to_batches():
                    for message in codec.encode(OWNERSHIP_RANGE, batch):
                        yield RANGES, message.value

    def _ripe(self, loaded: "_Loaded", watermark_us: Microseconds, now_us: Microseconds) -> bool:
        if watermark_us >= NEVER_AFTER:
            return True
        return now_us >= loaded.settled_us + self._options.settle_interval and watermark_us > loaded.settled_at_us

    def _released(self, rows: pa.RecordBatch) -> Iterator[Output]:
        if self._border is not None and self._sides == "remote":
            if ASKED_BY in rows.schema.names:
                yield from self._answers(rows)
                return
            rows, crossing = self._border.crossing(rows)
            for bucket, content in crossing:
                yield TO_BORDER, Row(self._keys[bucket], content)
        self._metrics.count(rows)
        if self._sides == "local":
            for entry in self._splitter.halves(rows):
                yield Row(self._keys[entry.bucket], entry.content)
        else:
            for message in codec.encode(ATTRIBUTED_FLOW, rows):
                yield message.value

    def _answers(self, rows: pa.RecordBatch) -> Iterator[Output]:
        """What other regions asked about, back to them."""
        self._metrics.add("questions_answered", rows.num_rows)
        for peer in rows.column(ASKED_BY).unique().to_pylist():
            answers = answers_of(rows.filter(pc.equal(rows.column(ASKED_BY), peer)))
            for message in codec.encode(ANSWER, answers):
                yield to_peer(peer), message.value

    def _plan(self, loaded: "_Loaded", timers: Timers) -> None:
        """Register the timers that the bucket needs next, unless they are registered."""
        attributor, now_us, watermark_us = loaded.bucket.attributor, timers.now_us, loaded.watermark_us(timers)
        if NEVER_BEFORE < watermark_us < NEVER_AFTER:
            self._lag_us = now_us - watermark_us
        wanted_us = [now_us + self._options.settle_interval]
        if attributor.held:
            wanted_us.append(now_us + self._options.give_up_after)
            if attributor.next_due_us <= watermark_us:
                loaded.due_since_us = now_us if loaded.due_since_us is None else loaded.due_since_us
                wanted_us.append(loaded.next_round_us)
            elif loaded.event_timer_us is None or attributor.next_due_us < loaded.event_timer_us:
                loaded.event_timer_us = attributor.next_due_us
                timers.at_watermark(attributor.next_due_us)
        # Flink has no timer between this millisecond and the next.
        soonest_us = max(min(wanted_us), now_us + to_us(1))
        if loaded.round_timer_us is None or soonest_us < loaded.round_timer_us:
            loaded.round_timer_us = soonest_us
            timers.at_processing_time(soonest_us)


class _Loaded:
    """A bucket in memory, and which timers it has.

    Attributes:
        bucket: the bucket.
        event_timer_us: the earliest registered timer of the watermark; None where there is none.
        round_timer_us: the earliest registered timer of processing time; None where there is none.
        next_round_us: processing time before which there is no round.
        due_since_us: processing time at which the first of the due flows was due; None where no flow is.
        settled_us: processing time of the last `Bucket.settle`.
        settled_at_us: the watermark of that time.
        reached_us: how far time had come when all fell silent; Flink may not know.
    """

    def __init__(self, bucket: Bucket, now_us: Microseconds) -> None:
        self.bucket = bucket
        self.event_timer_us: Microseconds | None = None
        self.round_timer_us: Microseconds | None = None
        self.next_round_us: Microseconds = 0
        self.due_since_us: Microseconds | None = None
        self.settled_us = now_us
        self.settled_at_us: Microseconds = bucket.attributor.watermark_us
        self.reached_us: Microseconds = NEVER_BEFORE

    def watermark_us(self, timers: Timers) -> Microseconds:
        """Up to when evidence is complete."""
        return max(self.reached_us, timers.watermark_us)
