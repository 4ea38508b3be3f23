"""Event-based attribution: cases by hand, then the columnar form against a state machine, one event at a time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.addressing.sockets import TCP, UDP, asked_sockets, columns_of
from attribution.testbed.evaluate.baselines import EventLog, baselines
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import EVENTS

A, B = "10.0.0.1", "10.0.0.2"


def sockets(*known):
    """Numbers of sockets (protocol, port), of ports of TCP, and of the whole address, None."""
    parts = [s if isinstance(s, tuple) else (s and TCP, s) for s in known]
    return asked_sockets(*(pa.array([part[i] for part in parts], pa.int32()) for i in (0, 1)))


def log_of(*events):
    """Events as (address, port of TCP or socket, owner, action, time, received), in the order of delivery."""
    columns = list(zip(*events, strict=True)) if events else [()] * 6
    address, socket, owner, action, time, received = columns
    return EventLog(
        pa.table(
            {
                "address": pa.array(address, pa.string()),
                "network": pa.nulls(len(owner), pa.string()),
                **columns_of(sockets(*socket)),
                "owner": pa.array(owner, pa.string()),
                "service": pa.array([o.lower() for o in owner], pa.string()),
                "kind": pa.nulls(len(owner), pa.string()),
                "action": pa.array(action, pa.string()),
                "time": pa.array(time, pa.int64()).cast(EVENTS.field("time").type),
                "received": pa.array(received, pa.int64()).cast(EVENTS.field("time").type),
            },
            schema=EVENTS,
        )
    )


def ask(log, address, socket, *, start=None, judged):
    keys = log.keys(pa.array([address]), sockets(socket))
    if start is None:
        rows = log.latest(keys, np.array([judged]))
    else:
        rows = log.held_back(keys, np.array([start]), np.array([judged]))
    return log.owner[int(rows[0])].as_py() if rows[0] >= 0 else None


HANDOVER = (
    (A, None, "X", "assign", 0, 0),
    (A, None, "X", "release", 100, 105),
    (A, None, "Y", "assign", 100, 160),
)


@pytest.mark.parametrize(
    ("judged", "owner"), [(-1, None), (0, "X"), (104, "X"), (105, None), (159, None), (160, "Y"), (10**9, "Y")]
)
def test_latest_believes_what_was_delivered_last(judged, owner):
    assert ask(log_of(*HANDOVER), A, 443, judged=judged) == owner


@pytest.mark.parametrize(
    ("start", "judged", "owner"),
    [(99, 1000, "X"), (100, 1000, "Y"), (100, 159, None), (100, 104, "X"), (-1, 1000, None), (150, 160, "Y")],
)
def test_held_back_orders_what_was_delivered_by_the_time_at_which_it_happened(start, judged, owner):
    assert ask(log_of(*HANDOVER), A, 443, start=start, judged=judged) == owner


def test_a_late_release_of_the_old_owner_takes_nothing_from_the_new_one():
    log = log_of(
        (A, None, "X", "assign", 0, 0), (A, None, "Y", "assign", 100, 101), (A, None, "X", "release", 100, 300)
    )
    assert ask(log, A, None, judged=299) == "Y"
    assert ask(log, A, None, judged=301) == "Y"
    assert ask(log, A, None, start=200, judged=1000) == "Y"


def test_an_assign_that_comes_after_its_own_release_stays_for_latest_and_not_for_held_back():
    log = log_of((A, None, "X", "release", 50, 60), (A, None, "X", "assign", 10, 70))
    assert ask(log, A, None, judged=10_000) == "X"
    assert ask(log, A, None, start=40, judged=10_000) == "X"
    assert ask(log, A, None, start=50, judged=10_000) is None


def test_of_two_releases_of_one_owner_the_one_that_was_delivered_counts():
    log = log_of((A, None, "X", "assign", 0, 0), (A, None, "X", "release", 6, 6), (A, None, "X", "release", 5, 100))
    assert ask(log, A, None, start=10, judged=50) is None
    assert ask(log, A, None, start=5, judged=50) == "X"
    assert ask(log, A, None, start=5, judged=100) is None


def test_a_lost_release_leaves_the_old_owner_for_good():
    log = log_of((A, None, "X", "assign", 0, 0))
    assert ask(log, A, None, judged=10**9) == "X"
    assert ask(log, A, None, start=10**9, judged=10**9) == "X"


def test_events_of_one_port_decide_for_it_and_those_of_the_address_for_the_others():
    log = log_of((A, None, "N", "assign", 0, 0), (A, 80, "P", "assign", 0, 0), (A, 80, "P", "release", 50, 50))
    assert ask(log, A, 80, judged=10) == "P"
    assert ask(log, A, 80, judged=60) is None
    assert ask(log, A, 81, judged=60) == "N"
    assert ask(log, A, (UDP, 80), judged=60) == "N"
    assert ask(log, A, None, judged=60) == "N"
    assert ask(log, B, 80, judged=60) is None


def test_no_events_name_nobody():
    log = log_of()
    assert ask(log, A, 80, judged=10) is None
    assert ask(log, A, 80, start=5, judged=10) is None


def test_a_baseline_waits_after_the_end_of_the_flow():
    latest, held_back = baselines(report_delay=10, hold_back=100)
    log = log_of(*HANDOVER)
    keys = log.keys(pa.array([A, A]), sockets(443, 443))
    where = keys, np.array([100, 99]), np.array([140, 99])
    assert latest.attribute(log, *where)[0].to_pylist() == [None, None]
    assert held_back.attribute(log, *where)[0].to_pylist() == ["Y", "X"]
    assert held_back.attribute(log, *where)[1].to_pylist() == ["y", "x"]


def state_machine(events, judged):
    """The owner after all events delivered until `judged`, applied in the order given."""
    owner = None
    for action, who, received in events:
        if received > judged:
            break
        if action == "assign":
            owner = who
        elif owner == who:
            owner = None
    return owner


events = st.lists(
    st.tuples(st.sampled_from([A, B]), st.sampled_from([None, 80, (UDP, 80)]), st.sampled_from("XYZ"),
              st.sampled_from(["assign", "release"]), st.integers(0, 20), st.integers(0, 10)),
    max_size=12,
)  # fmt: skip


@given(events, st.integers(-1, 32), st.integers(-1, 22))
def test_the_columnar_form_is_the_state_machine(found, judged, start):
    delivered = sorted(((a, p, o, act, t, t + delay) for a, p, o, act, t, delay in found), key=lambda e: e[5])
    log = log_of(*delivered)
    for address in (A, B):
        mine = [e for e in delivered if e[0] == address]
        by_port = [e for e in mine if e[1] == 80]
        deciding = by_port or [e for e in mine if e[1] is None]
        received = [(e[3], e[2], e[5]) for e in deciding]
        assert ask(log, address, 80, judged=judged) == state_machine(received, judged)
        # Held back: known by then, in the order of what happened, releases first; only what happened until the start.
        known = sorted((e for e in deciding if e[5] <= judged), key=lambda e: (e[4], e[3] == "assign"))
        happened = [(e[3], e[2], e[4]) for e in known]
        assert ask(log, address, 80, start=start, judged=judged) in candidates(happened, start)


def candidates(events, start):
    """What the state machine answers; either owner where two were assigned in the same moment."""
    answers = {state_machine(events, start)}
    for i in range(len(events) - 1):
        if events[i][0] == events[i + 1][0] == "assign" and events[i][2] == events[i + 1][2]:
            swapped = [*events[:i], events[i + 1], events[i], *events[i + 2 :]]
            answers.add(state_machine(swapped, start))
    return answers


def test_events_without_delay_or_loss_name_every_connection_right():
    exact = scenario("hostile", ("connections=4000", "event_loss=0", "event_delay=0", "max_skew=0", "window_share=0"))
    sim = simulate(exact, seed=3)
    truth = pa.Table.from_batches(list(sim.truth_batches()))
    log = EventLog(sim.event_table())
    _, held_back = baselines()
    fleet = np.isin(truth.column("remote_kind").to_pylist(), ["workload", "load_balancer"])
    keys = log.keys(
        truth.column("remote_address"), asked_sockets(truth.column("protocol"), truth.column("remote_port"))
    )
    owner, _ = held_back.attribute(log, keys, sim.flows.start, sim.flows.end)
    named = np.array(owner.to_pylist(), dtype=object)[fleet]
    assert fleet.sum() > 3000
    assert (named == np.array(truth.column("remote_workload").to_pylist(), dtype=object)[fleet]).all()
