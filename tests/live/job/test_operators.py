"""The operators by themselves: what Flink calls, with a state and timers that the test looks into."""

import pyarrow as pa
import pytest
from fake_runtime import Runtime, opened
from oracle import Flow, Heartbeat
from pyflink.common import Row
from pyflink.common.time import Instant
from pyflink.datastream import TimeDomain
from records import batch

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.reasons import METHOD_OF, REASONS
from attribution.schema import FLOW, HEARTBEAT, LABEL, arrow_schema
from attribution.stream.buckets.payload import TIME, WAKE, pack_time, unpack_moment, unpack_rows
from attribution.stream.buckets.placement import bucket_keys
from attribution.stream.job.attribute import Attribute
from attribution.stream.job.clock import Clock
from attribution.stream.job.decode import Decode
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.outputs import DEAD_LETTERS, LOCAL_SIDE, RANGES, TICK, TIMES
from attribution.stream.job_metrics import JOB_METRICS
from attribution.stream.wire import codec

T0 = 1_767_225_600 * SECOND
LATER_MS = T0 // 1000 + 3_600_000


def attribute(runtime):
    options = StreamOptions(buckets=1, round_interval=SECOND)
    return opened(Attribute("remote", Settings(), options, arrow_schema(LABEL).empty_table()), runtime)


def entries(*sent):
    """What `Decode` makes of messages, by stage."""
    topics = {kind: kind for kind, _ in sent}
    decode = opened(Decode(topics, Settings(), StreamOptions(buckets=1)), Runtime())
    found = [one for kind, rows in sent for one in decode.process_element(message(kind, rows), None)]
    assert not [letter for tag, letter in found if tag == DEAD_LETTERS]
    return [one for key, one in found if key == bucket_keys(1)[0]]


def message(kind, rows):
    (encoded,) = codec.encode(kind, batch(kind, rows), flow_heartbeats="none" if kind == FLOW else None)
    return encoded.value, kind, 0, 0, Instant.of_epoch_milli(encoded.timestamp_ms)


def flow(moment):
    """A flow from the known workload `a` to an address of `b`, so long after the first."""
    return Flow(T0 + moment, T0 + moment + 1, "10.0.0.1", None, "10.0.0.2", None, local_workload="a")


FLOWS = [flow(0)]
BEATS = [Heartbeat("10.0.0.2", None, "b", None, T0 - MINUTE, T0 + MINUTE)]


def documented(name):
    """The name under which the reference has a metric."""
    if name.startswith("hostname."):
        return "hostname.REASON"
    return "attributed.SIDE.METHOD.REASON" if name.startswith("attributed.") else name


def test_decode_counts_rows_and_dead_letters():
    runtime = Runtime()
    decode = opened(Decode({FLOW: FLOW}, Settings(), StreamOptions(buckets=1)), runtime)
    list(decode.process_element(message(FLOW, [flow(0), flow(1)]), None))
    good = b'{"address": "10.0.0.1", "workload": "w", "start": 1}'
    list(decode.process_element((good + b"\n{}\nnothing", FLOW, 0, 1, Instant.of_epoch_milli(0)), None))
    assert runtime.metrics.counted() == {"rows_in": 2, "dead_letters": 3}


def test_a_stage_counts_answers_by_method_and_reason_and_shows_what_it_holds():
    runtime = Runtime()
    runtime.now, runtime.watermark = T0 // 1000, T0 // 1000 - 3_000
    operator = attribute(runtime)
    for content in entries((HEARTBEAT, BEATS), (FLOW, [flow(0), flow(5 * MINUTE)])):
        list(operator.process_element(content, runtime))
    names = ("flows_held", "heartbeats_known", "state_bytes", "largest_bucket_bytes", "watermark_lag_ms")
    size = sum(map(len, runtime.log))
    assert [runtime.metrics.shown(name) for name in names] == [2, 1, size, size, 3_000]
    assert {documented(name) for name in runtime.metrics.values} == set(JOB_METRICS) - {"rows_in", "dead_letters"}

    due_ms = min(runtime.event_timers)
    runtime.watermark, runtime.now = due_ms, due_ms + 7_000
    assert len(runtime.fire(operator, due_ms, TimeDomain.EVENT_TIME)) == 1
    assert runtime.metrics.counted() == {"attributed.remote.heartbeat.covered": 1, "hostname.untold": 1}
    assert runtime.metrics.shown("release_latency_ms") == 0
    assert [runtime.metrics.shown(name) for name in ("flows_held", "watermark_lag_ms")] == [1, 7_000]

    # Time goes on, but the bucket had a round just now; and one heartbeat comes late.
    runtime.watermark += 10 * MINUTE // 1000
    assert not runtime.fire(operator, runtime.watermark, TimeDomain.EVENT_TIME)
    list(operator.process_element(entries((HEARTBEAT, BEATS))[0], runtime))
    runtime.now += 1_500
    assert len(runtime.fire(operator, runtime.now, TimeDomain.PROCESSING_TIME)) == 1
    counted = {"attributed.remote.heartbeat.covered": 1, "attributed.remote.none.gap": 1, "late_heartbeats": 1}
    assert runtime.metrics.counted() == counted | {"hostname.untold": 2}
    assert runtime.metrics.shown("release_latency_ms") == 1_500


def test_what_goes_out_because_time_stands_still_is_counted():
    runtime = Runtime()
    operator = attribute(runtime)
    for content in entries((HEARTBEAT, BEATS), (FLOW, FLOWS)):
        list(operator.process_element(content, runtime))
    runtime.now += StreamOptions().give_up_after // 1000 + 1
    assert len(runtime.fire(operator, runtime.now, TimeDomain.PROCESSING_TIME)) == 1
    counted = {"attributed.remote.heartbeat.covered": 1, "flows_given_up": 1, "hostname.untold": 1}
    assert runtime.metrics.counted() == counted
    assert runtime.metrics.shown("flows_held") == 0


@pytest.mark.parametrize("side", ["local", "remote"])
def test_every_reason_has_a_counter(side):
    runtime = Runtime()
    opened(Attribute(side, Settings(), StreamOptions(), arrow_schema(LABEL).empty_table()), runtime)
    found = {name for name in runtime.metrics.values if name.startswith("attributed.")}
    reasons = [reason for reason in REASONS if side == "local" or reason != "reported"]
    assert found == {f"attributed.{side}.{METHOD_OF[reason]}.{reason}" for reason in reasons}


def test_each_message_says_its_time_once_its_rows_are_out_and_a_tick_none():
    topics = {HEARTBEAT: HEARTBEAT}
    decode = opened(Decode(topics, Settings(), StreamOptions(buckets=1)), Runtime())
    found = list(decode.process_element(message(HEARTBEAT, BEATS), None))
    assert found[-1] == (TIMES, Row(0, (HEARTBEAT, 0, BEATS[0].end // 1000)))
    (key,) = bucket_keys(1)
    assert [unpack_rows(one[1])[0] if to == LOCAL_SIDE else to for to, one in found[:-1]] == [key, HEARTBEAT]
    assert list(decode.process_element((None,) * 5, None)) == [(TIMES, Row(0, TICK))]


class LateStart:
    """The clock of a job that reads three partitions, started again after them."""

    IDLE_MS = 60_000

    def __init__(self, times=(), now=5_000):
        self.runtime = Runtime(times=times)
        self.runtime.now = now
        self.options = StreamOptions(buckets=2, report_delay=SECOND, idle_after=self.IDLE_MS * 1000)
        self.clock = opened(Clock(self.options), self.runtime)

    def read(self, partition, time_ms, after_ms=0):
        return self._said((HEARTBEAT, partition, time_ms), after_ms)

    def tick(self, after_ms=0):
        return self._said(TICK, after_ms)

    def _said(self, element, after_ms):
        """What every bucket of both stages is told."""
        self.runtime.now += after_ms
        found = list(self.clock.process_element(element, self.runtime))
        remote = {bucket: content for bucket, content in found if bucket != LOCAL_SIDE}
        local = dict(content for tag, content in found if tag == LOCAL_SIDE)
        assert local == remote
        assert set(local) == (set(bucket_keys(self.options.buckets)) if found else set())
        assert len(found) == 2 * len(local)
        return [unpack_moment(one) // 1000 if one[:1] == TIME else one for one in local.values()][:1]

    def again(self):
        """Go on from a checkpoint, an hour later."""
        return LateStart(self.runtime.times, self.runtime.now + 3_600_000)


def test_the_first_element_after_a_start_wakes_every_bucket_and_no_other_does():
    job = LateStart()
    assert job.tick() == [WAKE]
    assert job.tick() == job.read(0, 1) == []
    job = job.again()
    assert job.read(0, 1) == [WAKE]
    assert job.tick() == []


def test_a_job_that_starts_again_and_hears_nothing_learns_once_how_far_time_had_come():
    job = LateStart()
    for partition, time_ms in ((0, 200_000), (1, 170_000), (1, 160_000), (2, 180_000)):
        job.read(partition, time_ms)
    for _ in range(2):
        job = job.again()
        assert job.tick() == [WAKE]
        assert job.tick(LateStart.IDLE_MS - 1) == []
        assert job.tick(1) == [170_000 - 1_000]
        assert job.tick(1) == []


def test_when_all_fall_silent_the_buckets_are_told_the_time_once_more():
    job = LateStart()
    job.tick()
    job.read(0, 200_000)
    job.read(1, 100_000, LateStart.IDLE_MS)
    assert job.tick(LateStart.IDLE_MS - 1) == []
    assert job.tick(1) == [99_000]
    assert job.tick(LateStart.IDLE_MS) == []
    assert job.read(0, 210_000, LateStart.IDLE_MS) == []
    assert job.tick(LateStart.IDLE_MS) == [209_000]


def test_a_partition_that_had_fallen_silent_holds_time_back_no_more_than_before_the_start():
    job = LateStart()
    job.read(0, 10_000)
    job.read(1, 200_000, LateStart.IDLE_MS + 1)
    job = job.again()
    job.tick()
    assert job.tick(LateStart.IDLE_MS) == [199_000]


def test_a_partition_that_is_still_behind_after_a_start_holds_time_back():
    job = LateStart()
    job.read(0, 200_000)
    job = job.again()
    job.tick()
    # Its first message had not been read when the state was written.
    for time_ms in (20_000, 30_000):
        assert job.read(1, time_ms, 1_000) == job.tick(LateStart.IDLE_MS - 1) == []
    assert job.tick(1) == [29_000]


def test_a_clock_that_knows_nothing_says_nothing():
    job = LateStart()
    job.tick()
    assert job.tick(LateStart.IDLE_MS) == []


def test_what_was_due_before_a_crash_goes_out_without_a_message_and_so_do_ranges():
    first = Runtime()
    operator = attribute(first)
    for content in entries((HEARTBEAT, BEATS), (FLOW, FLOWS)):
        list(operator.process_element(content, first))

    second = Runtime(first.log)
    again = attribute(second)
    second.watermark = -(1 << 63)
    list(again.process_element(WAKE, second))
    assert not second.fire(again, second.now, TimeDomain.PROCESSING_TIME)
    list(again.process_element(pack_time(LATER_MS * 1000), second))
    second.now = min(second.round_timers)
    assert len(second.fire(again, second.now, TimeDomain.PROCESSING_TIME)) == 1
    second.now += MINUTE // 1000
    ((tag, _),) = second.fire(again, second.now, TimeDomain.PROCESSING_TIME)
    assert tag == RANGES
    assert not second.fire(again, second.now + MINUTE // 1000, TimeDomain.PROCESSING_TIME)


def test_time_that_a_start_learnt_late_takes_no_watermark_back():
    runtime = Runtime()
    operator = attribute(runtime)
    for content in (pack_time(T0), *entries((FLOW, FLOWS))):
        list(operator.process_element(content, runtime))
    assert not runtime.fire(operator, runtime.now, TimeDomain.PROCESSING_TIME)
    runtime.watermark = LATER_MS
    runtime.now += 2 * SECOND // 1000
    assert len(runtime.fire(operator, min(runtime.event_timers), TimeDomain.EVENT_TIME)) == 1


def test_a_bucket_whose_timers_a_checkpoint_missed_lets_its_flows_out_after_a_wake():
    first = Runtime()
    operator = attribute(first)
    for content in entries((HEARTBEAT, BEATS), (FLOW, FLOWS)):
        assert not list(operator.process_element(content, first))
    due = (T0 + Settings().hold) // 1000 + 1
    assert first.event_timers == {due}

    # Go on from a checkpoint with the log, but without the timers.
    second = Runtime(first.log)
    again = attribute(second)
    assert not list(again.process_element(WAKE, second))
    assert (second.log, second.event_timers) == (first.log, first.event_timers)
    second.watermark = due
    (released,) = second.fire(again, due, TimeDomain.EVENT_TIME)
    row = pa.ipc.open_stream(released).read_all().to_pylist()[0]
    assert (row["remote_workload"], row["remote_reason"]) == ("b", "covered")


def test_a_flow_that_comes_below_the_watermark_goes_out_in_the_next_round():
    runtime = Runtime()
    operator = attribute(runtime)
    runtime.watermark = LATER_MS
    content = entries((HEARTBEAT, BEATS), (FLOW, FLOWS))
    for one in content:
        list(operator.process_element(one, runtime))
    assert not runtime.event_timers
    soonest = min(runtime.round_timers)
    assert soonest <= runtime.now + SECOND // 1000
    runtime.now = soonest
    assert len(runtime.fire(operator, soonest, TimeDomain.PROCESSING_TIME)) == 1
    assert not runtime.fire(operator, soonest, TimeDomain.PROCESSING_TIME)


def test_a_round_that_comes_too_early_is_put_off_not_lost():
    runtime = Runtime()
    operator = attribute(runtime)
    for one in entries((FLOW, FLOWS)):
        list(operator.process_element(one, runtime))
    runtime.watermark = LATER_MS
    assert len(runtime.fire(operator, min(runtime.event_timers), TimeDomain.EVENT_TIME)) == 1
    for one in entries((FLOW, [flow(MINUTE)])):
        list(operator.process_element(one, runtime))
    runtime.now += 1
    assert not runtime.fire(operator, LATER_MS, TimeDomain.EVENT_TIME)
    runtime.now += 2 * SECOND // 1000
    assert len(runtime.fire(operator, runtime.now, TimeDomain.PROCESSING_TIME)) == 1
