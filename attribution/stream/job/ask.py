"""The job's operator at the border: asks other regions about flows, and lets each out with its answer, or without."""

from collections.abc import Iterable, Iterator
from typing import Any

from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor

from attribution.schema import ATTRIBUTED_FLOW, QUESTION
from attribution.stream.buckets.payload import ANSWERS, CROSSING, unpack_of_peer
from attribution.stream.job.decode import BYTES, ENTRY
from attribution.stream.job.options import StreamOptions
from attribution.stream.job_metrics import StageMetrics
from attribution.stream.regions.open_questions import Closed, OpenQuestions, silent
from attribution.stream.wire import codec

#: Entries with flows to other regions.
TO_BORDER = OutputTag("border", ENTRY)

_MILLISECOND = 1000


def to_peer(peer: str) -> Any:
    """The side output with what goes to a region: Kafka values of questions and answers."""
    return OutputTag(f"to-{peer}", BYTES)


class Ask(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Holds flows to other regions until these have answered; takes entries, keyed by bucket.

    An entry is flows that are attributed but for their remote side, answers, or what the clock says. The output is
    Kafka values of attributed flows; questions go to the side outputs `to_peer`. Flow and question are in one
    checkpoint: both are out, or both come again under another number.

    Waiting is measured by the clock of the machine, because the peer's time says nothing while it is silent; after a
    start it begins anew.

    Args:
        options: how the job runs.
        peers: the regions that have topics; flows to any other go out at once.
    """

    def __init__(self, options: StreamOptions, peers: Iterable[str]) -> None:
        self._patience_ms = options.peer_patience // _MILLISECOND
        self._peers = frozenset(peers)

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state; make what cannot be sent."""
        self._log = runtime_context.get_list_state(ListStateDescriptor("log", BYTES))
        self._buckets: dict[int, OpenQuestions] = {}
        self._timers: dict[int, int] = {}
        gauges = {
            "flows_pending": lambda: sum(kept.open for kept in self._buckets.values()),
            "pending_bytes": lambda: sum(kept.log_bytes for kept in self._buckets.values()),
        }
        counters = ("flows_forwarded", "answers_unasked")
        self._metrics = StageMetrics(runtime_context.get_metrics_group(), "remote", gauges, counters=counters)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """One entry for a bucket."""
        number, content = ctx.get_current_key(), value
        timers = ctx.timer_service()
        now = timers.current_processing_time()
        kept = self._kept(number, now)
        if content[:1] == CROSSING:
            flows, peer, _ = unpack_of_peer(content)
            yield from self._ask(kept, peer, flows, now)
        elif content[:1] == ANSWERS:
            answers, peer, _ = unpack_of_peer(content)
            yield from self._closed(kept, kept.answer(peer, answers))
        self._plan(number, kept, timers)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """The first of the open flows may have waited long enough."""
        number, timers = ctx.get_current_key(), ctx.timer_service()
        now = timers.current_processing_time()
        kept = self._kept(number, now)
        if self._timers.get(number, timestamp) <= timestamp:
            self._timers.pop(number, None)
        yield from self._closed(kept, kept.expire(now - self._patience_ms))
        self._plan(number, kept, timers)

    def _kept(self, number: int, now: int) -> OpenQuestions:
        if number not in self._buckets:
            self._buckets[number] = OpenQuestions(self._log.get() or (), now)
        return self._buckets[number]

    def _ask(self, kept: OpenQuestions, peer: str, flows: Any, now: int) -> Iterator[Any]:
        if peer not in self._peers:
            yield from self._out(silent(flows))
            return
        entry, questions = kept.ask(peer, flows, now)
        self._log.add(entry)
        self._metrics.add("flows_forwarded", flows.num_rows)
        for message in codec.encode(QUESTION, questions):
            yield to_peer(peer), message.value

    def _closed(self, kept: OpenQuestions, closed: Closed) -> Iterator[Any]:
        for flows in closed.flows:
            yield from self._out(flows)
        for entry in closed.entries:
            self._log.add(entry)
        if closed.unasked:
            self._metrics.add("answers_unasked", closed.unasked)
        if kept.outgrown:
            self._log.clear()
            for entry in kept.rewrite():
                self._log.add(entry)

    def _out(self, flows: Any) -> Iterator[Any]:
        self._metrics.count(flows)
        for message in codec.encode(ATTRIBUTED_FLOW, flows):
            yield message.value

    def _plan(self, number: int, kept: OpenQuestions, timers: Any) -> None:
        """Register the timer at which the oldest open flow has waited too long, unless it is registered."""
        if kept.oldest is not None:
            due = kept.oldest + self._patience_ms + 1
            if number not in self._timers or due < self._timers[number]:
                self._timers[number] = due
                timers.register_processing_time_timer(due)
