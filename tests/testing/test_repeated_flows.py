"""A flow with a `record_id` that comes again goes out once, also after crashes; every other flow goes out each time."""

import json
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.config import MINUTE, Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.dictionaries import plain
from attribution.core.identity import FlowMemory
from attribution.schema import FLOW, arrow_schema
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.wire import codec
from attribution.testing import ABORT, CHECKPOINT, EmbeddedStream, run, watermark

SERVER, BALANCER = "10.0.0.2", "192.0.2.9"


def at(minute, second=0):
    return f"2026-03-02T10:{minute:02}:{second:02}Z"


def flow(minute, record_id, **fields):
    row = {"start": at(minute, 10), "end": at(minute, 20), "local_address": "10.0.0.1", "local_workload": "shop"}
    row |= {"remote_address": SERVER, "remote_port": 443, "protocol": 6, "record_id": record_id}
    return "flows", row | fields


def heartbeat(minute, address=SERVER, workload="checkout"):
    return "heartbeats", {"address": address, "workload": workload, "start": at(minute), "end": at(minute, 30)}


def gone_out(*feed, **options):
    return sorted((row["record_id"] or "", row["remote_workload"] or "") for row in run(feed, **options).rows)


@pytest.mark.parametrize("local", [{}, {"local_workload": None}], ids=["captured", "asked"])
@pytest.mark.parametrize("crash", [(), (CHECKPOINT, ABORT)])
@pytest.mark.parametrize("due", [(), (watermark(at(5)),)])
def test_a_flow_that_comes_again_goes_out_once(due, crash, local):
    feed = [heartbeat(0), flow(0, "a", **local), *due, *crash, flow(0, "a", **local), flow(0, "b", **local)]
    assert gone_out(*feed, watermark(at(6))) == [("a", "checkout"), ("b", "checkout")]


@pytest.mark.parametrize(
    "other",
    [
        {"observer": "n2"},
        {"start": at(0, 11)},
        {"remote_port": 80},
        {"local_network": "east"},
        {"local_workload": "cart"},
    ],
    ids=str,
)
def test_one_id_of_two_records_is_two(other):
    assert len(gone_out(flow(0, "a"), flow(0, "a", **other))) == 2


def test_equal_flows_without_an_id_are_two():
    assert len(gone_out(flow(0, None), watermark(at(5)), flow(0, None))) == 2


def test_what_was_attributed_to_the_local_side_is_no_part_of_a_record():
    own = heartbeat(0, "10.0.0.1", "shop")
    asked = flow(0, "a", local_workload=None)
    assert len(gone_out(asked, watermark(at(5)), own, asked)) == 1


def test_a_flow_is_remembered_for_record_memory_after_it_was_due_and_no_longer():
    settings = Settings(record_memory=10 * MINUTE)
    for last, times in ((at(14, 20), 1), (at(14, 21), 2)):
        feed = [flow(0, "a"), watermark(at(5)), watermark(last), flow(0, "a"), watermark(last)]
        assert gone_out(*feed, settings=settings) == times * [("a", "")]


@pytest.mark.parametrize("crash", [(), (CHECKPOINT, ABORT)])
def test_a_flow_that_waits_for_its_assignment_event_is_no_repeat_of_itself(crash):
    settings = Settings(assignment_hold=10 * MINUTE)
    event = "assignments", {"address": BALANCER, "owner": "balancer", "action": "assign", "time": at(0)}
    late = flow(0, "a", remote_address=BALANCER)
    feed = [
        heartbeat(0),
        flow(0, "b"),
        late,
        late,
        watermark(at(5)),
        *crash,
        event,
        late,
        watermark(at(11)),
        *crash,
        late,
    ]
    assert gone_out(*feed, settings=settings) == [("a", "balancer"), ("b", "checkout")]


def messages():
    rows = [flow(minute, f"id-{minute}") for minute in range(8)]
    asked = [flow(minute, f"asked-{minute}", local_workload=None) for minute in range(0, 8, 3)]
    waits = [flow(minute, f"waits-{minute}", remote_address=BALANCER) for minute in range(0, 8, 2)]
    event = "assignments", {"address": BALANCER, "owner": "balancer", "action": "assign", "time": at(1)}
    return [
        heartbeat(0), rows[0], asked[0], waits[0], rows[0], heartbeat(2), rows[1], waits[1], rows[2], watermark(at(5)),
        rows[0], waits[0], waits[0], rows[3], rows[1], watermark(at(7)), heartbeat(6), asked[1], asked[0], event,
        rows[4], rows[4], watermark(at(9)), waits[2], rows[2], waits[1], flow(6, None), flow(6, None), asked[2],
        watermark(at(12)), rows[7], waits[3], waits[2], rows[4], rows[7],
    ]  # fmt: skip


MESSAGES = messages()
SETTINGS = Settings(assignment_hold=6 * MINUTE)


def everything(feed, **options):
    return sorted(map(repr, run(feed, settings=SETTINGS, **options).rows))


@cache
def undisturbed():
    rows = everything(MESSAGES)
    assert len(rows) == len(set(rows)) + 1  # the two without an id
    return rows


HAPPENINGS = st.lists(st.tuples(st.integers(0, len(MESSAGES)), st.sampled_from([ABORT, CHECKPOINT])), max_size=5)


@settings(max_examples=25)
@given(HAPPENINGS, st.integers(1, 3))
def test_crashes_let_no_repeat_out_and_hold_no_flow_back(happenings, buckets):
    feed = []
    for place in range(len(MESSAGES) + 1):
        feed += [what for where, what in happenings if where == place]
        feed += MESSAGES[place : place + 1]
    assert everything(feed, buckets=buckets) == undisturbed()


def decoded(*rows):
    return [plain(codec.decode(FLOW, json.dumps(row).encode()).batch) for _, row in rows]


DUE_US = 1_772_446_000_000_000
LATER = Settings(assignment_hold=10 * MINUTE)


@pytest.mark.parametrize("settled", [False, True])
def test_a_log_that_is_read_again_says_what_has_gone_out(settled):
    stream = EmbeddedStream(Settings())
    for count in (1, 1, 2):
        for batch in decoded(flow(0, "a"), flow(0, "b") if count == 2 else flow(0, "a")):
            stream.send(FLOW, batch)
        stream.advance(DUE_US)
        assert sum(rows.num_rows for rows in stream.attributed) == count
        if settled:
            stream.settle()
        stream.crash()


@pytest.mark.parametrize("settled", [False, True])
def test_a_flow_that_waits_on_is_not_lost_when_the_log_is_read_again(settled):
    stream = EmbeddedStream(LATER)
    for batch in decoded(flow(0, "a", remote_address=BALANCER), flow(0, "a", remote_address=BALANCER)):
        stream.send(FLOW, batch)
    stream.advance(DUE_US)
    assert (stream.attributed, stream.held) == ([], 1)
    if settled:
        stream.settle()
    stream.crash()
    assert stream.held == 1
    stream.advance(DUE_US + LATER.assignment_hold)
    assert sum(rows.num_rows for rows in stream.attributed) == 1


def test_a_bucket_counts_repeats_and_says_so_in_its_log():
    bucket = Bucket(Settings(), sides="remote", labels=arrow_schema("label").empty_table())
    one, again = decoded(flow(0, "a"), flow(0, "a"))
    for batch in (one, again):
        bucket.attributor.hold(batch)
    released, entries = bucket.advance(DUE_US)
    assert (sum(batch.num_rows for batch in released), len(entries)) == (1, 1)
    bucket.attributor.hold(again)
    released, entries = bucket.advance(DUE_US + 1)
    assert (released, len(entries)) == ([], 1)
    assert bucket.attributor.counters["flows_repeated"] == 2


def test_a_snapshot_holds_what_has_gone_out_and_what_is_forgotten_is_not_asked_for():
    attributor = Attributor(Settings(), sides="remote")
    (one,) = decoded(flow(0, "a"))
    attributor.hold(one)
    assert attributor.advance(DUE_US).rows == 1
    restored = Attributor.restore(attributor.snapshot(), Settings(), sides="remote")
    assert [part.tolist() for part in restored.identities] == [part.tolist() for part in attributor.identities]
    restored.hold(one)
    assert (restored.advance(DUE_US).rows, restored.counters["flows_repeated"]) == (0, 1)
    restored.advance(DUE_US + 60 * MINUTE)
    restored.compact(0)
    assert len(restored.identities[0]) == 0


def test_a_memory_answers_alike_whatever_it_has_forgotten():
    memory, (one,) = FlowMemory(Settings()), decoded(flow(0, "a"))
    memory.went_out([one])
    end_us = one.column("end").cast(pa.int64())[0].as_py()
    for late in (0, 19 * MINUTE - 1, 19 * MINUTE, 19 * MINUTE + 1, 60 * MINUTE):
        before = memory.first([one], end_us + late)[1]
        assert before == (late <= 19 * MINUTE)
        memory.forget(end_us + late)
        assert memory.first([one], end_us + late)[1] == before
