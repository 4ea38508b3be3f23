"""The job's memory of time: how far it has come in each partition, for when no message says so again."""

from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from attribution.stream.buckets.payload import WAKE, pack_time
from attribution.stream.job.decode import LOCAL_SIDE, TICK
from attribution.stream.job.options import StreamOptions

_MILLISECOND = 1000


class Clock(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Wakes the buckets after a start, and tells them the time when all is silent; takes what `TIMES` has, as one key.

    The main output is for the stage that attributes remote sides, `LOCAL_SIDE` for that of local ones.

    Flink keeps no watermark in a checkpoint, and makes a new one of the messages that are read again; where none are,
    time would stand still before all time. And a watermark that waits for the end of a bundle is lost where the stream
    is marked idle meanwhile. So the time of each partition is kept here, counted by messages: a checkpoint that has an
    offset has the time of the message before it. When nothing was said for `idle_after`, since the last message or the
    start, every bucket is told what Flink's watermark would be: the least time of the partitions that spoke lately.

    It wakes the buckets because PyFlink takes up a bundle's timers after the checkpoint that ended the bundle, not
    before: a job that goes on from that checkpoint has flows for whose release there is no timer.
    """

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._idle_ms = options.idle_after // _MILLISECOND
        self._last: int | None = None
        self._told = False
        self._times: dict[str, tuple[int, int]] = {}

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state: of each partition the latest time that it said, and when it said something last, ms."""
        kept = MapStateDescriptor("times", Types.STRING(), Types.TUPLE([Types.LONG(), Types.LONG()]))
        self._kept = runtime_context.get_map_state(kept)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """A message was read, or a tick came."""
        now = ctx.timer_service().current_processing_time()
        if self._last is None:
            self._times = {name: (said, heard) for name, (said, heard) in self._kept.items()}
            # The time in which the job did not run is no silence of theirs.
            self._times = {name: (said, now) for name, (said, _) in self._spoke_lately()}
            self._last = now
            yield from self._to_every_bucket(WAKE)
        if tuple(value) != TICK:
            self._note(value, now)
            self._last, self._told = now, False
        elif not self._told and now >= self._last + self._idle_ms:
            self._told = True
            if self._times:
                reached = min(said for _, (said, _) in self._spoke_lately()) * _MILLISECOND
                yield from self._to_every_bucket(pack_time(reached - self._options.report_delay))

    def _spoke_lately(self) -> list[tuple[str, tuple[int, int]]]:
        """The partitions that were not idle when the last of them spoke."""
        last = max((heard for _, heard in self._times.values()), default=0)
        return [(name, known) for name, known in self._times.items() if known[1] >= last - self._idle_ms]

    def _note(self, value: Any, now: int) -> None:
        topic, partition, time = value
        name = f"{topic}-{partition}"
        known = self._kept.get(name)
        self._times[name] = time if known is None else max(time, known[0]), now
        self._kept.put(name, self._times[name])

    def _to_every_bucket(self, content: bytes) -> Iterator[Any]:
        for bucket in range(self._options.buckets):
            yield Row(bucket, content)
            yield LOCAL_SIDE, Row(bucket, content)
