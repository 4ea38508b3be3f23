"""Who assignment events say held an address: the columnar index, case by case and held to the oracle."""

import numpy as np
import oracle
import pyarrow as pa
import pytest
import records
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import Assignment

from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.sockets import asked_sockets
from attribution.core.fallback.assignments import AssignmentIndex, AssignmentState

NOBODY, ASSIGNED, CHANGED = AssignmentState.NOBODY, AssignmentState.ASSIGNED, AssignmentState.CHANGED

A, B = "192.0.2.1", "2001:db8::1"


TCP, UDP = 6, 17


def batch(events):
    return records.batch("assignment", events)


def assign(owner, time, *, address=A, port=None, service=None, protocol=TCP):
    return Assignment(address, port, owner, service, "assign", time, protocol=protocol)


def release(owner, time, *, address=A, port=None):
    return Assignment(address, port, owner, None, "release", time)


def ask(index, questions):
    """(state, owner, service) of each question (address, port of TCP or socket, a, b)."""
    address, socket, a, b = zip(*questions, strict=True)
    protocol, port = zip(*[s if isinstance(s, tuple) else (TCP, s) for s in socket], strict=True)
    answer = index.ask(
        AskedPlaces.of_view(pa.array(address)),
        asked_sockets(pa.array(protocol, pa.int32()), pa.array(port, pa.int32())),
        np.array(a, np.int64),
        np.array(b, np.int64),
    )
    owners, services = [*index.owners.to_pylist(), None], [*index.services.to_pylist(), None]
    return [
        (int(s), owners[o], services[v]) for s, o, v in zip(answer.state, answer.owner, answer.service, strict=True)
    ]


def one(events, a, b, *, address=A, port=None):
    return ask(AssignmentIndex(batch(events)), [(address, port, a, b)])[0]


def test_an_owner_holds_from_its_assignment_on_until_it_is_released():
    events = [assign("lb", 100, service="shop"), release("lb", 200)]
    index = AssignmentIndex(batch(events))
    assert ask(index, [(A, None, a, b) for a, b in [(0, 99), (99, 100), (100, 199), (150, 200), (200, 999)]]) == [
        (NOBODY, None, None),
        (CHANGED, None, None),
        (ASSIGNED, "lb", "shop"),
        (CHANGED, None, None),
        (NOBODY, None, None),
    ]


def test_an_address_without_events_has_nobody():
    index = AssignmentIndex(batch([assign("lb", 100)]))
    assert ask(index, [("198.51.100.9", 80, 100, 200)]) == [(NOBODY, None, None)]


def test_without_any_event_nobody_holds_anything():
    index = AssignmentIndex(batch([]))
    assert ask(index, [(A, None, 0, 1), (B, 443, 0, 1)]) == [(NOBODY, None, None)] * 2


def test_no_questions_have_no_answers():
    answer = AssignmentIndex(batch([assign("lb", 1)])).ask(
        AskedPlaces.of_view(pa.array([], pa.string())),
        np.zeros(0, np.int32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
    )
    assert (len(answer.state), len(answer.owner), len(answer.service)) == (0, 0, 0)


def test_a_late_release_of_the_old_owner_takes_nothing_from_the_new_one():
    events = [assign("old", 100), assign("new", 200), release("old", 250)]
    assert one(events, 240, 260) == (ASSIGNED, "new", None)


def test_a_release_at_the_same_time_comes_before_the_assignment():
    assert one([assign("lb", 100), release("lb", 200), assign("lb", 200)], 150, 250) == (ASSIGNED, "lb", None)


def test_two_owners_at_one_time_leave_the_address_contested_until_the_next_assignment():
    events = [assign("a", 100), assign("b", 100), release("a", 200), release("b", 210), assign("c", 300)]
    index = AssignmentIndex(batch(events))
    assert [state for state, *_ in ask(index, [(A, None, t, t) for t in (99, 100, 205, 299, 300)])] == [
        NOBODY,
        CHANGED,
        CHANGED,
        CHANGED,
        ASSIGNED,
    ]


def test_an_owner_assigned_again_is_no_change():
    assert one([assign("lb", 100), assign("lb", 200)], 150, 250) == (ASSIGNED, "lb", None)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("x", "x", "x"), ("x", None, "x"), (None, "x", "x"), ("x", "y", None), (None, None, None)],
)
def test_the_service_is_the_one_that_the_assignments_in_force_name(first, second, expected):
    events = [assign("lb", 100, service=first), assign("lb", 200, service=second)]
    assert one(events, 150, 250) == (ASSIGNED, "lb", expected)


def test_a_service_named_only_before_or_after_the_interval_is_not_used():
    events = [assign("lb", 100, service="old"), assign("lb", 200), assign("lb", 300, service="next")]
    assert one(events, 210, 299) == (ASSIGNED, "lb", None)


def test_a_port_with_events_is_asked_in_the_place_of_its_address():
    events = [assign("whole", 0), assign("port", 100, port=443), release("port", 200, port=443)]
    index = AssignmentIndex(batch(events))
    assert ask(index, [(A, 443, 120, 130), (A, 443, 220, 230), (A, 80, 120, 130), (A, (UDP, 443), 120, 130)]) == [
        (ASSIGNED, "port", None),
        (NOBODY, None, None),
        (ASSIGNED, "whole", None),
        (ASSIGNED, "whole", None),
    ]


def test_one_port_of_two_protocols_has_two_owners():
    events = [assign("tcp", 100, port=443), assign("udp", 200, port=443, protocol=UDP)]
    index = AssignmentIndex(batch(events))
    assert ask(index, [(A, (TCP, 443), 210, 220), (A, (UDP, 443), 210, 220), (A, (UDP, 443), 110, 120)]) == [
        (ASSIGNED, "tcp", None),
        (ASSIGNED, "udp", None),
        (NOBODY, None, None),
    ]


@pytest.mark.parametrize("asked", [(None, 443), (TCP, None), (1, None), (1, 443)])
def test_who_asks_for_no_port_is_told_nothing_of_an_address_whose_ports_were_given_away(asked):
    index = AssignmentIndex(batch([assign("whole", 0), assign("port", 100, port=443)]))
    assert ask(index, [(A, asked, 80, 99), (A, asked, 80, 100), (B, asked, 80, 100)]) == [
        (ASSIGNED, "whole", None),
        (CHANGED, None, None),
        (NOBODY, None, None),
    ]


def test_a_port_whose_first_event_is_yet_to_come_leaves_the_question_to_the_address():
    events = [assign("whole", 0), assign("port", 100, port=443)]
    assert one(events, 80, 99, port=443) == (ASSIGNED, "whole", None)
    assert one(events, 80, 100, port=443) == (CHANGED, None, None)


def test_events_decades_apart_are_told_from_each_other():
    century = 3_155_760_000_000_000
    events = [assign(f"lb{n}", n * century // 50, address=f"10.0.{n}.1") for n in range(100)]
    index = AssignmentIndex(batch(events))
    questions = [(f"10.0.{n}.1", None, n * century // 50, century * 3) for n in range(100)]
    assert ask(index, questions) == [(ASSIGNED, f"lb{n}", None) for n in range(100)]


times = st.integers(0, 12)
addresses = st.sampled_from([A, B])
ports = st.sampled_from([None, 80, 65_535])
protocols = st.sampled_from([TCP, UDP])
events = st.builds(
    Assignment,
    address=addresses,
    port=ports,
    owner=st.sampled_from("pqr"),
    service=st.sampled_from([None, "x", "y"]),
    action=st.sampled_from(["assign", "release"]),
    time=times,
    protocol=protocols,
)
sockets = st.tuples(protocols | st.none(), ports)
questions = st.tuples(addresses, sockets, times, times).map(lambda q: (q[0], q[1], min(q[2:]), max(q[2:])))


@given(st.lists(events, max_size=12), st.lists(questions, min_size=1, max_size=20), st.data())
def test_the_index_answers_as_the_oracle_whatever_the_order_of_the_events(known, asked, data):
    shuffled = data.draw(st.permutations(known + known[:3]))
    for question, (state, owner, service) in zip(asked, ask(AssignmentIndex(batch(shuffled)), asked), strict=True):
        address, socket, a, b = question
        expected = oracle.assignment_answer(known, address, oracle.socket_of(*socket), a, b)
        reason = "nobody" if expected is None else expected.reason
        event(reason)
        assert state == {"nobody": NOBODY, "assigned": ASSIGNED, "assignment_change": CHANGED}[reason]
        assert (owner, service) == ((None, None) if expected is None else (expected.workload, expected.service))
