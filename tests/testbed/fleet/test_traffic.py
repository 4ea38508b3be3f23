"""What the logs say, held against the truth, row by row and slowly."""

from collections import Counter, defaultdict
from dataclasses import replace

import pyarrow as pa
import pytest

from attribution.config import MINUTE
from attribution.schema import FLOW, arrow_schema
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import IDENTITY, TRUTH

#: Nothing lost, late or off: the events are then the whole truth about every address that is not outside.
EXACT = scenario("hostile", ("connections=4000", "event_loss=0", "max_skew=0", "event_delay=0"))


def rows_of(batches):
    return pa.Table.from_batches(list(batches)).to_pylist()


def microseconds(moment):
    return pa.scalar(moment, pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py()


@pytest.fixture(scope="module")
def exact():
    return simulate(EXACT, seed=11)


@pytest.fixture(scope="module")
def owners(exact):
    """(address, protocol, port) -> (start, end, owner), made of the events alone."""
    held = defaultdict(list)
    begun = {}
    for event in sorted(exact.event_table().to_pylist(), key=lambda e: (e["time"], e["action"] == "assign")):
        key = event["address"], event["protocol"], event["port"], event["owner"]
        if event["action"] == "assign":
            begun[key] = event["time"]
        else:
            held[key[:3]].append((begun.pop(key), event["time"], event["owner"]))
    for (address, protocol, port, owner), start in begun.items():
        held[address, protocol, port].append((start, None, owner))
    return held


def owner_at(owners, truth, time):
    address = truth["remote_address"]
    found = [
        owner
        for key in ((address, truth["protocol"], truth["remote_port"]), (address, None, None))
        for start, end, owner in owners.get(key, ())
        if start <= time and (end is None or time < end)
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_the_truth_of_a_connection_is_who_held_the_address_when_it_began_and_ended(exact, owners):
    checked = Counter()
    for flow, truth in zip(rows_of(exact.flow_batches()), rows_of(exact.truth_batches()), strict=True):
        if flow["basis"] != "connection":
            continue
        kind = truth["remote_kind"]
        for time in (flow["start"], flow["end"]):
            held = owner_at(owners, truth, time)
            # A port owner's own connections leave from a port of the node that nobody owns.
            if kind == "port_owner" and flow["direction"] == "ingress":
                assert held is None
            else:
                assert held == truth["remote_workload"]
                checked[kind] += 1
    assert min(checked[kind] for kind in ("workload", "port_owner", "load_balancer", "labelled", "unlabelled")) > 0


def test_the_truth_of_a_window_held_the_address_in_a_part_of_it(exact, owners):
    lengths = Counter()
    for flow, truth in zip(rows_of(exact.flow_batches()), rows_of(exact.truth_batches()), strict=True):
        if flow["basis"] == "connection":
            continue
        length = flow["end"] - flow["start"]
        assert microseconds(flow["start"]) % (length.total_seconds() * 1_000_000) == 0
        lengths[length.total_seconds()] += 1
        if truth["remote_workload"] and not (truth["remote_kind"] == "port_owner" and flow["direction"] == "ingress"):
            address = truth["remote_address"]
            tenures = owners[address, truth["protocol"], truth["remote_port"]] + owners[address, None, None]
            assert any(
                owner == truth["remote_workload"] and start < flow["end"] and (end is None or end > flow["start"])
                for start, end, owner in tenures
            )
    assert lengths.keys() == {60.0, 600.0}
    assert min(lengths.values()) > 50


def test_flows_and_truth_are_canonical_and_of_one_identity_each(exact):
    flows = pa.Table.from_batches(list(exact.flow_batches()))
    truth = pa.Table.from_batches(list(exact.truth_batches()))
    assert flows.schema == arrow_schema(FLOW)
    assert truth.schema == TRUTH
    flows.validate(full=True)
    truth.validate(full=True)
    assert flows.select(IDENTITY).equals(truth.select(IDENTITY))
    identities = Counter(tuple(row.values()) for row in truth.select(IDENTITY).to_pylist())
    assert set(identities.values()) == {1}
    assert any(":" in address for address in flows.column("remote_address").to_pylist())


def test_only_some_logs_know_the_local_workload_and_what_they_know_is_true(exact):
    known = Counter()
    for flow, truth in zip(rows_of(exact.flow_batches()), rows_of(exact.truth_batches()), strict=True):
        is_shared = flow["local_address"].startswith("172.16.")
        known[flow["observer"], is_shared, flow["local_workload"] is not None] += 1
        if flow["local_workload"] is not None:
            assert flow["local_workload"] == truth["local_workload"]
            assert flow["local_service"] == truth["local_service"]
    assert {captured for _, is_shared, captured in known if not is_shared} == {True, False}
    # Each log knows all workloads that hold an address, or none; those that share one, none does.
    observers = {(observer, is_shared) for observer, is_shared, _ in known}
    assert len(known) == len(observers)
    assert not any(captured for _, is_shared, captured in known if is_shared)


def test_a_log_may_tell_apart_the_workloads_that_share_an_address():
    sim = simulate(replace(EXACT, capture_share=1.0, shared_capture_share=1.0), seed=11)
    assert all(row["local_workload"] for row in rows_of(sim.flow_batches()))


def test_services_that_own_ports_may_be_called_only():
    silent = replace(EXACT, port_owner_calls=0.0, port_owner_share=0.5)
    truth = rows_of(simulate(silent, seed=11).truth_batches())
    called = {row["remote_service"] for row in truth if row["remote_kind"] == "port_owner"}
    assert len(called) > 3
    assert not called & {row["remote_service"] for row in truth if row["remote_kind"] == "workload"}
    assert {row["local_service"] for row in truth} > called


def test_flows_come_in_the_order_of_delivery_and_the_truth_by_start(exact):
    flows = [row["end"] for row in rows_of(exact.flow_batches())]
    late = EXACT.report_delay
    latest = flows[0]
    for end in flows:
        latest = max(latest, end)
        assert microseconds(latest) - microseconds(end) <= late
    assert flows != sorted(flows)
    by_start = [row["start"] for row in rows_of(exact.truth_batches(by_start=True))]
    assert by_start == sorted(by_start)


def test_a_window_adds_up_what_one_pair_sent_in_it():
    """All connections in one window of the same ports: one row, with the bytes of all."""
    once = replace(EXACT, window_share=1.0, long_window_share=1.0, connections=2000, boundary_share=0.0)
    flows = pa.Table.from_batches(list(simulate(once, seed=3).flow_batches()))
    assert set(flows.column("basis").to_pylist()) == {"window"}
    assert min(flows.column("bytes_sent").to_pylist()) > 0


def test_a_hot_service_gets_most_of_the_traffic():
    skewed = replace(EXACT, popularity=1.5, gateway_share=0.0, services=20, connections=6000)
    truth = rows_of(simulate(skewed, seed=3).truth_batches())
    called = Counter(row["remote_service"] for row in truth if row["remote_kind"] == "workload")
    ranked = [count for _, count in called.most_common()]
    assert ranked[0] > 5 * ranked[len(ranked) // 2]


def test_connections_end_with_the_tenure_of_either_side():
    long = replace(EXACT, connection_median=30 * MINUTE, connections=2000, window_share=0.0)
    sim = simulate(long, seed=3)
    tenures, flows = sim.fleet.tenures, sim.flows
    for side in (flows.local, flows.remote):
        assert (flows.end < tenures.end[side]).all()
        assert (flows.start >= tenures.start[side]).all()
    at_end = (flows.end + 1 == tenures.end[flows.local]) | (flows.end + 1 == tenures.end[flows.remote])
    assert at_end.mean() > 0.3
