"""The job's operator at the border: asks other regions about flows, and lets each out with its answer, or without."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor

from attribution.config import Microseconds
from attribution.schema import ATTRIBUTED_FLOW, QUESTION
from attribution.stream.buckets.payload import ANSWERS, CROSSING, unpack_of_peer
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import BYTES, Output, to_peer
from attribution.stream.job.timers import Timers
from attribution.stream.job_metrics import StageMetrics
from attribution.stream.milliseconds import to_us
from attribution.stream.regions.open_questions import Closed, OpenQuestions, silent
from attribution.stream.wire import codec


class Ask(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Holds flows to other regions until these have answered; takes entries, keyed by bucket.

    An entry is one of these: flows that are attributed but for their remote side, answers, or what the clock says. The
    output is Kafka values of attributed flows; questions go to the side outputs `to_peer`. Flow and question are in one
    checkpoint: both are out, or both come again under another number.

    Waiting is measured by the clock of the machine, because the peer's time says nothing while it is silent; after a
    start it begins anew.

    Args:
        options: how the job runs.
        peers: the regions that have topics; flows to any other go out at once.
    """

    def __init__(self, options: StreamOptions, peers: Iterable[str]) -> None:
        self._patience_us = options.peer_patience
        self._peers = frozenset(peers)

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state; make what cannot be sent."""
        self._log = runtime_context.get_list_state(ListStateDescriptor("log", BYTES))
        self._buckets: dict[int, OpenQuestions] = {}
        self._timers_us: dict[int, Microseconds] = {}
        gauges = {
            "flows_pending": lambda: sum(bucket.open for bucket in self._buckets.values()),
            "pending_bytes": lambda: sum(bucket.log_bytes for bucket in self._buckets.values()),
        }
        counters = ("flows_forwarded", "answers_unasked")
        self._metrics = StageMetrics(runtime_context.get_metrics_group(), "remote", gauges, counters=counters)

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Output]:
        """One entry for a bucket."""
        number, timers = ctx.get_current_key(), Timers(ctx.timer_service())
        bucket = self._load(number, timers.now_us)
        if value[:1] == CROSSING:
            flows, peer, _ = unpack_of_peer(value)
            yield from self._ask(bucket, peer, flows, timers.now_us)
        elif value[:1] == ANSWERS:
            answers, peer, _ = unpack_of_peer(value)
            yield from self._closed(bucket, bucket.answer(peer, answers))
        self._plan(number, bucket, timers)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Output]:
        """The first of the open flows may have waited long enough; `timestamp` is milliseconds, as in Flink."""
        number, timers = ctx.get_current_key(), Timers(ctx.timer_service())
        bucket = self._load(number, timers.now_us)
        planned_us = self._timers_us.get(number)
        if planned_us is not None and planned_us <= to_us(timestamp):
            del self._timers_us[number]
        yield from self._closed(bucket, bucket.expire(timers.now_us - self._patience_us))
        self._plan(number, bucket, timers)

    def _load(self, number: int, now_us: Microseconds) -> OpenQuestions:
        if number not in self._buckets:
            self._buckets[number] = OpenQuestions(self._log.get() or (), now_us)
        return self._buckets[number]

    def _ask(self, bucket: OpenQuestions, peer: str, flows: pa.RecordBatch, now_us: Microseconds) -> Iterator[Output]:
        if peer not in self._peers:
            yield from self._out(silent(flows))
            return
        entry, questions = bucket.ask(peer, flows, now_us)
        self._log.add(entry)
        self._metrics.add("flows_forwarded", flows.num_rows)
        for message in codec.encode(QUESTION, questions):
            yield to_peer(peer), message.value

    def _closed(self, bucket: OpenQuestions, closed: Closed) -> Iterator[Output]:
        for flows in closed.flows:
            yield from self._out(flows)
        for entry in closed.entries:
            self._log.add(entry)
        if closed.unasked:
            self._metrics.add("answers_unasked", closed.unasked)
        if bucket.outgrown:
            self._log.clear()
            for entry in bucket.rewrite():
                self._log.add(entry)

    def _out(self, flows: pa.RecordBatch) -> Iterator[Output]:
        self._metrics.count(flows)
        for message in codec.encode(ATTRIBUTED_FLOW, flows):
            yield message.value

    def _plan(self, number: int, bucket: OpenQuestions, timers: Timers) -> None:
        """Register the timer at which the oldest open flow has waited too long, unless it is registered."""
        if bucket.oldest_us is not None:
            due_us = bucket.oldest_us + self._patience_us + 1
            if number not in self._timers_us or due_us < self._timers_us[number]:
                self._timers_us[number] = due_us
                timers.at_processing_time(due_us)
