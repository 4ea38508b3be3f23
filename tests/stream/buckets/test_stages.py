"""The streaming stages, without Flink: the oracle's answers in whatever order, batching and crashes evidence comes."""

import itertools
from dataclasses import replace

import pyarrow as pa
import pytest
from golden_cases import CASES, case_name
from hypothesis import given
from hypothesis import strategies as st
from oracle import HOUR, Assignment, Flow, Heartbeat, Settings, attribute, ownership_ranges
from records import answers, attributed_row, batch, ownership, package_settings
from strategies import any_history, crowded_histories

from attribution.core.columnar.dictionaries import plain
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE
from attribution.testing import EmbeddedStream


def stream_of(settings, evidence, **options):
    labels = pa.Table.from_batches([batch(LABEL, evidence.labels)])
    return EmbeddedStream(package_settings(settings), labels=labels, **options)


def numbered(flows):
    return [replace(flow, observer=str(number)) for number, flow in enumerate(flows)]


def found(stream):
    """The answer of each flow, by its number."""
    pairs = [
        pair
        for rows in stream.attributed
        for pair in zip(rows.column("observer").to_pylist(), answers(plain(rows)), strict=True)
    ]
    assert len(pairs) == len({number for number, _ in pairs})
    return [answer for _, answer in sorted(pairs, key=lambda pair: int(pair[0]))]


def elements(evidence, flows):
    kinds = ((HEARTBEAT, evidence.heartbeats), (ASSIGNMENT, evidence.assignments))
    kinds += ((NAME_BINDING, evidence.name_bindings), (POLICY, evidence.policies))
    kinds += ((SOCKET_RULE, evidence.socket_rules), (FLOW, flows))
    return [(kind, record) for kind, records in kinds for record in records]


@pytest.mark.parametrize("buckets", [1, 5])
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_stages_give_the_expected_rows(case, buckets):
    stream = stream_of(case.settings, case.evidence, buckets=buckets)
    for kind, record in elements(case.evidence, numbered(case.flows)):
        stream.send(kind, batch(kind, [record]), flow_heartbeats=case.span)
    stream.finish()
    rows = zip(case.rows("flows.jsonl"), found(stream), strict=True)
    assert [attributed_row(row, answer) for row, answer in rows] == case.expected


@given(any_history, st.data())
def test_order_batching_and_crashes_change_no_answer(history, data):
    stream = stream_of(history.settings, history.evidence, buckets=data.draw(st.integers(1, 4), label="buckets"))
    flows = numbered(history.flows)
    pending = data.draw(st.permutations(elements(history.evidence, flows)), label="order")
    while pending:
        size = data.draw(st.integers(1, len(pending)), label="size")
        part, pending = pending[:size], pending[size:]
        for kind, group in itertools.groupby(part, key=lambda one: one[0]):
            stream.send(kind, batch(kind, [record for _, record in group]), flow_heartbeats="none")
        if data.draw(st.booleans(), label="crash"):
            stream.crash()
        if data.draw(st.booleans(), label="settle"):
            stream.settle()
    stream.finish()
    assert found(stream) == [attribute(history.evidence, flow, history.settings) for flow in flows]
    expected = ownership_ranges(history.evidence.heartbeats, history.settings)
    assert sorted(map(repr, ownership(stream.ranges))) == sorted(map(repr, expected))


def ranges_of(stream):
    return sorted(map(repr, ownership(stream.ranges)))


@given(crowded_histories(), st.data())
def test_ranges_are_those_of_all_heartbeats_however_much_is_forgotten(history, data):
    settings = history.settings
    longest = min(settings.hold, settings.retention)
    pending = [h for h in history.evidence.heartbeats if h.end - h.start <= longest]
    expected = ownership_ranges(pending, settings)
    stream = stream_of(settings, replace(history.evidence, heartbeats=()), buckets=1)
    while pending:
        # Not in the order of their ends, but none comes below the watermark.
        chosen = data.draw(st.sampled_from(pending), label="next")
        pending.remove(chosen)
        stream.send(HEARTBEAT, batch(HEARTBEAT, [chosen]))
        if data.draw(st.booleans(), label="time goes on"):
            stream.advance(min((h.end for h in pending), default=chosen.end))
        if data.draw(st.booleans(), label="settle"):
            stream.settle()
        if data.draw(st.booleans(), label="crash"):
            stream.crash()
    stream.finish()
    assert ranges_of(stream) == sorted(map(repr, expected))


def lasting(service, start, end, workload="w"):
    return Heartbeat("192.0.2.1", None, workload, service, start, end)


SETTINGS = Settings(clock_tolerance=1, max_gap=50, hold=100, retention=500)
FORGOTTEN = {
    "the only one with a service": [lasting("web", 1_000, 1_010), lasting(None, 1_000, 1_090)],
    "one that names another service": [lasting("web", 1_000, 1_010), lasting("api", 1_000, 1_090)],
    "one with a hole": [lasting(None, 1_000, 1_010), lasting(None, 1_020, 1_020, "v"), lasting(None, 1_045, 1_090)],
}


@pytest.mark.parametrize("seen", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_range_keeps_what_its_forgotten_heartbeats_said(seen):
    seen = [*seen, *(lasting(None, begun, begun + 40) for begun in range(1_130, 2_000, 80))]
    stream = EmbeddedStream(package_settings(SETTINGS), buckets=1)
    for one in sorted(seen, key=lambda h: h.end):
        stream.send(HEARTBEAT, batch(HEARTBEAT, [one]))
        stream.advance(one.end)
        stream.settle()
    stream.finish()
    assert ranges_of(stream) == sorted(map(repr, ownership_ranges(seen, SETTINGS)))


def test_a_heartbeat_that_comes_after_others_fills_their_gap_in_a_range_whose_beginning_is_forgotten():
    seen = [lasting(None, begun, begun + 38) for begun in range(1_000, 2_000, 40)]
    stream = EmbeddedStream(package_settings(SETTINGS), buckets=1)
    for earlier, later in zip(seen[::2], seen[1::2], strict=False):
        # As of two partitions: the later one is settled before the earlier one is there.
        for one in (later, earlier):
            stream.send(HEARTBEAT, batch(HEARTBEAT, [one]))
            stream.settle()
        stream.advance(later.end)
    stream.finish()
    (found,) = ownership(stream.ranges)
    assert (found.start, found.end, found.longest_gap) == (1_000, 1_958, 2)


def test_a_heartbeat_of_a_wrong_clock_moves_no_time_and_names_nobody_who_was_not_there_alone():
    flow = Flow(1_500, 1_500, "198.51.100.1", 4000, "192.0.2.1", 443, local_workload="client", observer="0")
    moments = (0, -300, -50, 50, 300, HOUR, 400 * 24 * HOUR)
    told = {}
    for wrong in moments:
        stream = EmbeddedStream(package_settings(SETTINGS), buckets=1)
        stream.send(HEARTBEAT, batch(HEARTBEAT, [lasting(None, 1_480, 1_520, "owner")]))
        stream.send(HEARTBEAT, batch(HEARTBEAT, [lasting(None, 1_490 + wrong, 1_510 + wrong, "liar")]))
        stream.send(FLOW, batch(FLOW, [flow]), flow_heartbeats="none")
        stream.advance(flow.end + SETTINGS.hold - 1)
        assert not stream.attributed
        stream.advance(flow.end + SETTINGS.hold)
        (answer,) = found(stream)
        told[wrong] = answer.remote.workload or answer.remote.reason
    assert told == dict.fromkeys(moments, "owner") | {0: "conflict"}


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("settle", [False, True])
@pytest.mark.parametrize("local", ["client", None])
def test_a_flow_that_no_heartbeat_answers_waits_for_its_assignment_event(crash, settle, local):
    settings = replace(SETTINGS, assignment_hold=SETTINGS.hold + 200)
    stream = EmbeddedStream(package_settings(settings), buckets=1)
    flows = [
        Flow(1_500, 1_500, "198.51.100.1", 4000, "192.0.2.9", 443, local_workload=local, observer="0"),
        Flow(1_500, 1_500, "198.51.100.1", 4000, "192.0.2.1", 443, local_workload="client", observer="1"),
        Flow(1_600, 1_600, "198.51.100.1", 4000, "192.0.2.9", 443, local_workload=local, observer="2"),
    ]
    held = [Heartbeat(None, None, "client", None, 1_400, 1_700), lasting(None, 1_480, 1_520, "owner")]
    stream.send(HEARTBEAT, batch(HEARTBEAT, [replace(held[0], address="198.51.100.1"), held[1]]))
    stream.send(FLOW, batch(FLOW, flows), flow_heartbeats="none")
    stream.advance(1_500 + SETTINGS.hold)
    assert [answer.remote.workload for answer in found(stream)] == ["owner"]
    if settle:
        stream.settle()
    if crash:
        stream.crash()
    stream.advance(1_500 + SETTINGS.hold + 100)
    event = Assignment("192.0.2.9", None, "balancer", None, "assign", 1_000, protocol=6)
    stream.send(ASSIGNMENT, batch(ASSIGNMENT, [event]))
    if crash:
        stream.crash()
    stream.advance(1_500 + settings.assignment_hold - 1)
    assert len(found(stream)) == 1
    stream.advance(1_500 + settings.assignment_hold)
    assert [answer.remote.workload for answer in found(stream)] == ["balancer", "owner"]
    stream.finish()
    assert [answer.remote.workload for answer in found(stream)] == ["balancer", "owner", "balancer"]
