"""The gate for time, by itself: when flows go out, what they wait for, and what is said of those that came too late."""

import pytest
from oracle import Assignment, Flow, Heartbeat
from records import batch

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.gate import Horizon, Released, TimeGate
from attribution.core.resolve import Resolver
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT

SETTINGS = Settings(clock_tolerance=1, max_gap=50, hold=100, assignment_hold=300, retention=500)
OWNER = Heartbeat("192.0.2.1", None, "owner", None, 900, 1_200)
EVENT = Assignment("192.0.2.9", None, "balancer", None, "assign", 0)
RESOLVER = Resolver({HEARTBEAT: batch(HEARTBEAT, [OWNER]), ASSIGNMENT: batch(ASSIGNMENT, [EVENT])}, SETTINGS)


def flow(start, remote="192.0.2.1"):
    return Flow(start, start, "198.51.100.1", 4000, remote, 443, local_workload="client", observer=str(start))


def flows(*starts, remote="192.0.2.1"):
    return batch(FLOW, [flow(start, remote) for start in starts])


def released(gate, rows, horizon):
    return gate.release(rows, RESOLVER.attribute(rows), horizon)


def told(batches, side="remote"):
    return [
        row[f"{side}_workload"] or row[f"{side}_reason"]
        for rows in batches
        for row in rows.select([f"{side}_workload", f"{side}_reason"]).to_pylist()
    ]


def test_the_watermark_never_goes_back():
    gate = TimeGate(SETTINGS)
    gate.due(1_200)
    gate.hold(flows(1_000))
    assert gate.due(1_000)[0].num_rows == 1
    assert gate.watermark_us == 1_200


def test_no_evidence_is_forgotten_that_a_held_flow_asks_for():
    gate = TimeGate(SETTINGS)
    gate.hold(flows(1_000, 2_000))
    assert gate.forget(3_000) == 1_000
    gate.due(NEVER_AFTER)
    assert gate.forget(3_000) == 3_000


def test_what_is_forgotten_stays_so_whoever_comes_later():
    gate = TimeGate(SETTINGS)
    assert gate.forgotten_us == NEVER_BEFORE
    gate.forget(3_000)
    gate.hold(flows(1_000))
    assert gate.forget(4_000) == gate.forget(2_000) == 3_000


def test_who_came_too_late_gets_no_answer_instead_of_an_answer_from_a_part_of_the_evidence():
    found = released(TimeGate(SETTINGS), flows(1_000, 1_100), Horizon(forgotten_us=1_001))
    assert told(found.attributed) == ["too_old", "owner"]
    assert told(found.attributed, "local") == ["client", "client"]
    assert (found.too_old, found.rows, found.postponed) == (1, 2, [])


@pytest.mark.parametrize("sides", ["both", "remote"])
def test_who_no_heartbeat_answers_waits_until_all_events_can_be_known(sides):
    gate, unanswered = TimeGate(SETTINGS, sides=sides), flows(1_000, 1_100, remote="192.0.2.9")
    gate.hold(unanswered)
    found = released(gate, *gate.due(1_200), Horizon(events_us=1_200))
    assert (found.attributed, found.rows) == ([], 0)
    for rows in found.postponed:
        gate.postpone(rows)
    assert gate.held.next_due_us == 1_300
    (due,) = gate.due(1_300)
    assert told(released(gate, due, Horizon(events_us=1_300)).attributed) == ["balancer"]
    assert told(released(gate, flows(1_000), Horizon(events_us=1_100)).attributed) == ["owner"]


def test_where_all_events_are_known_nobody_waits():
    found = released(TimeGate(SETTINGS), flows(1_000, remote="192.0.2.9"), Horizon())
    assert (told(found.attributed), found.postponed) == (["balancer"], [])


def test_what_was_postponed_waits_as_long_as_the_last_that_came():
    gate = TimeGate(SETTINGS)
    gate.hold(flows(1_000), arrived_us=7)
    (due,) = gate.due(1_100)
    gate.postpone(due)
    assert gate.stale(7) == []
    assert len(gate.stale(8)) == 1


def test_the_parts_of_what_was_released_are_joined_in_their_order():
    gate = TimeGate(SETTINGS)
    parts = [released(gate, flows(1_000 + n), Horizon(forgotten_us=1_001)) for n in range(2)]
    found = Released.joined(parts)
    assert (told(found.attributed), found.too_old, found.rows) == (["too_old", "owner"], 1, 2)
