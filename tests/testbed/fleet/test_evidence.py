"""Heartbeats and events as they are delivered: what is lost, late, doubled, out of order, off."""

from collections import Counter
from dataclasses import replace

import numpy as np

from attribution.config import MINUTE, SECOND
from attribution.schema import ASSIGNMENT, HEARTBEAT, LABEL, NAME_BINDING, arrow_schema
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import EVENTS
from attribution.testbed.fleet.world.kinds import is_fleet

PLAIN = scenario("lossless", ("connections=200", "max_skew=0", "duration=30m"))
HOSTILE = scenario("hostile", ("connections=2000",))


def test_a_workload_sends_heartbeats_from_its_first_period_to_its_end_and_none_after():
    sim = simulate(PLAIN, seed=2)
    tenures, beats = sim.fleet.tenures, sim.heartbeats
    assert (beats.time >= tenures.start[beats.tenure]).all()
    assert (beats.time < tenures.end[beats.tenure]).all()
    longest = PLAIN.heartbeat_period + 2 * PLAIN.heartbeat_jitter
    for i in np.flatnonzero(is_fleet(sim.fleet.kind)):
        begin, end = max(tenures.start[i], PLAIN.first), min(tenures.end[i], PLAIN.last)
        times = np.sort(beats.time[beats.tenure == i])
        if end - begin > 2 * longest:
            assert times[0] - begin <= longest
            assert end - times[-1] <= longest
            assert np.diff(times).max() <= longest


def test_a_skewed_clock_puts_heartbeats_outside_the_tenure_by_no_more_than_the_skew():
    sim = simulate(HOSTILE, seed=2)
    tenures, beats = sim.fleet.tenures, sim.heartbeats
    early = tenures.start[beats.tenure] - beats.time
    late = beats.time - tenures.end[beats.tenure]
    assert 0 < max(early.max(), late.max()) <= HOSTILE.max_skew


def test_the_configured_share_is_lost_doubled_and_seen_by_strangers():
    quiet = replace(HOSTILE, heartbeat_duplicates=0.0, outage_share=0.0, silent_share=0.0, stranger_share=0.0)
    sent = len(simulate(replace(quiet, heartbeat_loss=0.0), seed=2).heartbeats)
    lost = len(simulate(replace(quiet, heartbeat_loss=0.2), seed=2).heartbeats)
    assert 0.77 < lost / sent < 0.83
    doubled = simulate(replace(quiet, heartbeat_loss=0.0, heartbeat_duplicates=0.1), seed=2)
    assert 1.08 < len(doubled.heartbeats) / sent < 1.12
    strange = simulate(replace(quiet, stranger_share=0.5), seed=2)
    other = strange.heartbeats.host != strange.fleet.tenures.host[strange.heartbeats.tenure]
    assert 0.4 < other.mean() < 0.55


def test_heartbeats_arrive_out_of_order_by_up_to_the_delay():
    time = simulate(replace(HOSTILE, max_skew=0), seed=2).heartbeats.time
    behind = np.maximum.accumulate(time) - time
    assert 3 * MINUTE < behind.max() <= HOSTILE.heartbeat_delay


def test_silent_workloads_and_dark_hosts_send_nothing():
    base = replace(PLAIN, lifetime=5 * MINUTE, services=40)
    heard = {name: len(simulate(s, seed=2).heartbeats) for name, s in {
        "all": base,
        "silent": replace(base, silent_share=0.5),
        "dark": replace(base, outage_share=0.5),
        "none": replace(base, silent_share=1.0),
    }.items()}  # fmt: skip
    assert heard["none"] == 0
    assert 0.1 < heard["silent"] / heard["all"] < 0.4
    assert 0.35 < heard["dark"] / heard["all"] < 0.65


def test_tables_have_the_canonical_schemas():
    sim = simulate(HOSTILE, seed=2)
    for table, schema in (
        (sim.heartbeat_table(), arrow_schema(HEARTBEAT)),
        (sim.assignment_table(), arrow_schema(ASSIGNMENT)),
        (sim.event_table(), EVENTS),
        (sim.name_table(), arrow_schema(NAME_BINDING)),
        (sim.label_table(), arrow_schema(LABEL)),
    ):
        table.validate(full=True)
        assert table.schema == schema
        assert table.num_rows > 0


def test_assignments_are_of_load_balancers_only_and_complete():
    sim = simulate(HOSTILE, seed=2)
    rows = sim.assignment_table().to_pylist()
    assert {row["kind"] for row in rows} == {"load_balancer"}
    actions = Counter(row["action"] for row in rows)
    assert actions["assign"] >= actions["release"] > 0


def test_events_are_late_lost_and_delivered_in_the_order_of_receipt():
    exact = replace(HOSTILE, event_loss=0.0, event_delay=0, max_skew=0)
    every = len(simulate(exact, seed=2).events)
    lossy = simulate(replace(exact, event_loss=0.3), seed=2).events
    assert 0.65 < len(lossy) / every < 0.78
    late = simulate(replace(exact, event_delay=20 * SECOND), seed=2).events
    delay = (late.received - late.time)[late.time >= exact.first]
    assert (delay >= 0).all()
    assert 15 * SECOND < np.median(delay) < 25 * SECOND
    assert delay.max() > 5 * MINUTE
    assert (np.diff(late.received) >= 0).all()
    assert (np.diff(late.time) < 0).any()


def test_a_lag_delays_each_address_in_order():
    lagging = replace(HOSTILE, event_delay=0, event_lag=5 * MINUTE, event_loss=0.0, max_skew=0)
    sim = simulate(lagging, seed=2)
    events = sim.events
    address = sim.fleet.key_address[sim.fleet.tenures.key[events.tenure]]
    delay = (events.received - events.time)[events.time >= lagging.first]
    assert 3 * MINUTE < np.median(delay) < 8 * MINUTE
    for number in np.unique(address):
        assert (np.diff(events.time[address == number]) >= 0).all()


def test_names_are_answers_before_flows_to_named_endpoints():
    sim = simulate(HOSTILE, seed=2)
    rows = sim.name_table().to_pylist()
    assert {row["hostname"].split(".")[0] for row in rows} == {"api", "cdn", "www"}
    assert (sim.names.time <= sim.flows.start[sim.names.flow]).all()
