"""The job's memory of time: how far time has come in each partition, for a start after which no message says so."""

from collections.abc import Iterator

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from attribution.stream.buckets.payload import WAKE, pack_time
from attribution.stream.buckets.placement import bucket_keys
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import LOCAL_SIDE, TICK, Output
from attribution.stream.milliseconds import to_ms, to_us


class Clock(KeyedProcessFunction):  # type: ignore[misc]  # pyflink has no types
    """Wakes the buckets after a start, and tells them the time when all is silent; takes what `TIMES` has, as one key.

    The main output is for the stage that attributes remote sides, `LOCAL_SIDE` for that of local ones.

    Flink keeps no watermark in a checkpoint. It makes a new watermark of the messages that are read again; without any,
    time would stand still before all time. And a watermark that waits for the end of a bundle is lost if the stream is
    marked idle meanwhile. So the time of each partition is kept here, counted by messages: a checkpoint that has an
    offset has the time of the message before it.

    If no message came for `idle_after`, since the last message or the start, every bucket is told what Flink's
    watermark would be. That is the least time of the partitions that had messages lately.

    The clock wakes the buckets because PyFlink takes up a bundle's timers after the checkpoint that ended the bundle,
    not before. A job that goes on from that checkpoint has flows for whose release there is no timer.
    """

    def __init__(self, options: StreamOptions) -> None:
        self._options = options
        self._keys = bucket_keys(options.buckets)
        self._idle_ms = to_ms(options.idle_after)
        self._last_ms: int | None = None
        self._told = False
        self._times_ms: dict[str, tuple[int, int]] = {}

    def open(self, runtime_context: RuntimeContext) -> None:
        """Reach the state, in milliseconds: each partition's latest record time, and when a message came last."""
        kept = MapStateDescriptor("times", Types.STRING(), Types.TUPLE([Types.LONG(), Types.LONG()]))
        self._kept = runtime_context.get_map_state(kept)

    def process_element(self, value: tuple[str, int, int], ctx: KeyedProcessFunction.Context) -> Iterator[Output]:
        """A message was read, or a tick came."""
        now_ms = ctx.timer_service().current_processing_time()
        if self._last_ms is None:
            self._times_ms = {name: (said, heard) for name, (said, heard) in self._kept.items()}
            # The time in which the job did not run is no silence of theirs.
            self._times_ms = {name: (said, now_ms) for name, (said, _) in self._spoke_lately()}
            self._last_ms = now_ms
            yield from self._to_every_bucket(WAKE)
        if tuple(value) != TICK:
            self._note(*value, now_ms)
            self._last_ms, self._told = now_ms, False
        elif not self._told and now_ms >= self._last_ms + self._idle_ms:
            self._told = True
            if self._times_ms:
                reached_us = to_us(min(said for _, (said, _) in self._spoke_lately()))
                yield from self._to_every_bucket(pack_time(reached_us - self._options.report_delay))

    def _spoke_lately(self) -> list[tuple[str, tuple[int, int]]]:
        """The partitions that were not idle when the last of them spoke."""
        last_ms = max((heard for _, heard in self._times_ms.values()), default=0)
        return [(name, known) for name, known in self._times_ms.items() if known[1] >= last_ms - self._idle_ms]

    def _note(self, topic: str, partition: int, said_ms: int, now_ms: int) -> None:
        name = f"{topic}-{partition}"
        known = self._kept.get(name)
        self._times_ms[name] = said_ms if known is None else max(said_ms, known[0]), now_ms
        self._kept.put(name, self._times_ms[name])

    def _to_every_bucket(self, content: bytes) -> Iterator[Output]:
        for key in self._keys:
            yield Row(key, content)
            yield LOCAL_SIDE, Row(key, content)
