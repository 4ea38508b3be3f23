"""The operators by themselves: what Flink calls, with a state and timers that the test looks into."""

from types import SimpleNamespace

import pyarrow as pa
from oracle import Flow, Heartbeat
from pyflink.datastream import TimeDomain
from records import batch

from attribution.config import MINUTE, SECOND, Settings
from attribution.flink.attribute import Attribute
from attribution.flink.decode import DEAD_LETTERS, LOCAL_SIDE, Decode
from attribution.flink.options import StreamOptions
from attribution.flink.payload import WAKE, unpack_rows
from attribution.schema import FLOW, HEARTBEAT, LABEL, arrow_schema
from attribution.streaming import wire

T0 = 1_767_225_600 * SECOND
LATER_MS = T0 // 1000 + 3_600_000


class Metrics:
    """A metric group that keeps nothing."""

    def __getattr__(self, _name):
        return lambda *_: self


class State(list):
    """A list state."""

    def get(self):
        return list(self)

    def add(self, value):
        self.append(value)

    def update(self, values):
        self[:] = values


class Runtime:
    """What an operator is opened with, and what it is called with: one key, its log and its timers."""

    def __init__(self, log=()):
        self.log = State(log)
        self.now = 1_000
        self.watermark = 0
        self.event_timers, self.round_timers = set(), set()

    def get_list_state(self, _descriptor):
        return self.log

    def get_metrics_group(self):
        return Metrics()

    def timer_service(self):
        return SimpleNamespace(
            current_processing_time=lambda: self.now,
            current_watermark=lambda: self.watermark,
            register_event_time_timer=self.event_timers.add,
            register_processing_time_timer=self.round_timers.add,
        )

    def fire(self, operator, at, domain):
        context = SimpleNamespace(
            timer_service=self.timer_service, get_current_key=lambda: 0, time_domain=lambda: domain
        )
        return list(operator.on_timer(at, context))


def opened(operator, runtime):
    operator.open(runtime)
    return operator


def attribute(runtime):
    options = StreamOptions(buckets=1, round_interval=SECOND)
    return opened(Attribute("remote", Settings(), options, arrow_schema(LABEL).empty_table()), runtime)


def entries(*sent):
    """What `Decode` makes of messages, by stage."""
    topics = {kind: kind for kind, _ in sent}
    decode = opened(Decode(topics, Settings(), StreamOptions(buckets=1)), Runtime())
    found = [one for kind, rows in sent for one in decode.process_element(message(kind, rows), None)]
    assert not [letter for tag, letter in found if tag == DEAD_LETTERS]
    return [one for key, one in found if key == 0], [one[1] for key, one in found if key == LOCAL_SIDE]


def message(kind, rows):
    (encoded,) = wire.encode(kind, batch(kind, rows), flow_heartbeats="none" if kind == FLOW else None)
    return encoded.value, kind, 0, 0, None


def flow(moment):
    """A flow from the known workload `a` to an address of `b`, so long after the first."""
    return Flow(T0 + moment, T0 + moment + 1, "10.0.0.1", None, "10.0.0.2", None, local_workload="a")


FLOWS = [flow(0)]
BEATS = [Heartbeat("10.0.0.2", None, "b", None, T0 - MINUTE, T0 + MINUTE)]


def test_the_first_message_wakes_every_bucket_of_both_stages_and_no_other_does():
    remote, local = entries((HEARTBEAT, BEATS), (FLOW, FLOWS))
    assert [content == WAKE for content in local] == [True, False]
    assert [content == WAKE for content in remote] == [True, False, False]
    assert [unpack_rows(content)[0] for content in remote[1:]] == [HEARTBEAT, FLOW]


def test_a_bucket_whose_timers_a_checkpoint_missed_lets_its_flows_out_after_a_wake():
    first = Runtime()
    operator = attribute(first)
    for content in entries((HEARTBEAT, BEATS), (FLOW, FLOWS))[0]:
        assert not list(operator.process_element((0, content), first))
    due = (T0 + Settings().hold) // 1000 + 1
    assert first.event_timers == {due}

    # Go on from a checkpoint with the log, but without the timers.
    second = Runtime(first.log)
    again = attribute(second)
    assert not list(again.process_element((0, WAKE), second))
    assert (second.log, second.event_timers) == (first.log, first.event_timers)
    second.watermark = due
    (released,) = second.fire(again, due, TimeDomain.EVENT_TIME)
    row = pa.ipc.open_stream(released).read_all().to_pylist()[0]
    assert (row["remote_workload"], row["remote_reason"]) == ("b", "covered")


def test_a_flow_that_comes_below_the_watermark_goes_out_in_the_next_round():
    runtime = Runtime()
    operator = attribute(runtime)
    runtime.watermark = LATER_MS
    content = entries((HEARTBEAT, BEATS), (FLOW, FLOWS))[0]
    for one in content:
        list(operator.process_element((0, one), runtime))
    assert not runtime.event_timers
    soonest = min(runtime.round_timers)
    assert soonest <= runtime.now + SECOND // 1000
    runtime.now = soonest
    assert len(runtime.fire(operator, soonest, TimeDomain.PROCESSING_TIME)) == 1
    assert not runtime.fire(operator, soonest, TimeDomain.PROCESSING_TIME)


def test_a_round_that_comes_too_early_is_put_off_not_lost():
    runtime = Runtime()
    operator = attribute(runtime)
    for one in entries((FLOW, FLOWS))[0]:
        list(operator.process_element((0, one), runtime))
    runtime.watermark = LATER_MS
    assert len(runtime.fire(operator, min(runtime.event_timers), TimeDomain.EVENT_TIME)) == 1
    for one in entries((FLOW, [flow(MINUTE)]))[0]:
        list(operator.process_element((0, one), runtime))
    runtime.now += 1
    assert not runtime.fire(operator, LATER_MS, TimeDomain.EVENT_TIME)
    runtime.now += 2 * SECOND // 1000
    assert len(runtime.fire(operator, runtime.now, TimeDomain.PROCESSING_TIME)) == 1
