"""The promise, on simulated fleets: what is named is right, whatever is lost, late, doubled, off or reused at once."""

import pyarrow as pa
import pytest

from attribution.config import MINUTE, SECOND, Settings
from attribution.core import resolve
from attribution.core.attributor import Attributor
from attribution.core.flow_evidence import flow_heartbeats
from attribution.schema import FLOW, HEARTBEAT, arrow_schema
from attribution.testbed.evaluate.outcomes import OURS
from attribution.testbed.evaluate.runners import through_core
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate


def evaluated(chosen, seed, settings=None):
    """A simulation through the rules in memory, held against its truth."""
    return through_core(simulate(chosen, seed=seed), settings or Settings(clock_tolerance=chosen.clock_tolerance))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("override", ["capture_share=0.5", "capture_share=0"])
def test_a_hostile_fleet_is_never_misattributed(seed, override):
    result = evaluated(scenario("hostile", ("connections=8000", override)), seed)
    _, latest, _ = result.systems()
    assert result.misattributed == 0
    assert (result.lost, result.repeated, result.foreign) == (0, 0, 0)
    assert result.coverage > 0.25
    # The same input has room for mistakes: event-based attribution makes them.
    assert latest["misattributed_share"] > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_shared_prefixes_keep_flows_of_silent_neighbours_apart(seed):
    """Hosts shared by port, a part of whose owners no heartbeat shows, while the flows of the others are captured."""
    crowded = ("port_owner_share=0.4", "silent_share=0.15", "shared_capture_share=1", "capture_share=1", "hosts=30")
    settings = Settings(clock_tolerance=SECOND, shared_prefixes=("172.16.0.0/12",))
    result = evaluated(scenario("hostile", ("connections=6000", *crowded)), seed, settings)
    assert result.misattributed == 0
    assert result.coverage > 0.1


def test_a_tolerance_below_the_clocks_errors_would_show():
    """What the other tests rely on: this evaluation does find what is wrong."""
    hostile = scenario("hostile", ("connections=8000", "boundary_share=0.8", "capture_share=1"))
    result = evaluated(hostile, 0, Settings(clock_tolerance=0))
    assert result.misattributed > 0


def test_a_fleet_without_loss_is_attributed_nearly_whole():
    result = evaluated(scenario("lossless", ("connections=15000",)), 1)
    assert result.misattributed == 0
    assert result.coverage >= 0.99
    assert result.systems()[0]["edges_missing"] == 0


def test_events_are_wrong_about_the_gateway_and_time_ranges_are_not():
    result = evaluated(scenario("gateway", ("connections=40000",)), 1)
    (gateway,) = [row for row in result.by_client() if row["client"] == "gateway"]
    ours, latest = gateway["systems"][OURS], gateway["systems"]["latest event"]
    assert 0.3 < latest["misattributed"] / gateway["flows"] < 0.5
    assert 0.3 < latest["edges_false_share"] < 0.5
    assert (ours["misattributed"], ours["edges_false"], ours["edges_missing"]) == (0, 0, 0)
    assert ours["correct"] / gateway["flows"] > 0.95


def test_a_silent_owner_of_a_port_is_not_taken_for_its_neighbour_whose_flows_were_captured():
    """Two workloads share a node's address by port; one is seen there at port 30000, the other never at 30001."""
    node, begin, end = "172.16.0.1", 0, 10 * MINUTE
    seen = [("a-0.0", t) for t in range(begin, end, MINUTE)]
    heartbeats = {
        "address": [node] * len(seen),
        "port": [30_000] * len(seen),
        "protocol": [6] * len(seen),
        "workload": [workload for workload, _ in seen],
        "start": [t for _, t in seen],
        "end": [t for _, t in seen],
    }
    captured = [flow(node, 40_000, "10.0.0.9", 443, t, t + 30 * SECOND, workload="a-0.0") for _, t in seen]
    asked = flow("10.0.0.1", 40_000, node, 30_001, 5 * MINUTE, 5 * MINUTE + SECOND, workload="c-0.0")
    attributor = Attributor(Settings())
    attributor.observe(HEARTBEAT, table(HEARTBEAT, heartbeats))
    attributor.observe_flows(table(FLOW, columns(captured)).combine_chunks().to_batches()[0])
    answer = attributor.attribute(table(FLOW, columns([asked])).to_batches()[0])
    assert answer.column("remote_workload").to_pylist() == [None]


def flow(local, local_port, remote, remote_port, start, end, *, workload):
    return {
        "start": start, "end": end, "local_address": local, "local_port": local_port, "remote_address": remote,
        "remote_port": remote_port, "protocol": 6, "basis": "connection", "local_workload": workload,
    }  # fmt: skip


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def table(kind, values):
    schema = arrow_schema(kind)
    size = len(next(iter(values.values())))
    return pa.table([pa.array(values.get(field.name, [None] * size), field.type) for field in schema], schema=schema)


# Translated addresses

TRANSLATED = ("nat_share=0.6", "capture_share=0.8")
TRANSLATORS = ("192.0.2.0/24",)


def remote_sides(result, system, kind):
    (row,) = [r for r in result.kinds() if (r["system"], r["side"], r["kind"]) == (system, "remote", kind)]
    return row


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("named", [True, False])
def test_ports_that_are_reused_within_seconds_are_never_misattributed(seed, named):
    settings = Settings(translated_prefixes=TRANSLATORS if named else ())
    result = evaluated(scenario("hostile", ("connections=8000", *TRANSLATED)), seed, settings)
    assert result.misattributed == 0
    assert remote_sides(result, OURS, "translated")["attributed_share"] > 0.2
    # The translator's own events, late as all events, name the one who had the port before, or after.
    assert remote_sides(result, "latest event", "translated")["misattributed"] > 500


def test_ports_joined_over_gaps_would_show(monkeypatch):
    monkeypatch.setattr(flow_heartbeats, "SHOWN", 0)
    monkeypatch.setattr(resolve, "_opened", lambda *_: None)
    result = evaluated(scenario("hostile", ("connections=8000", *TRANSLATED)), 0, Settings(ephemeral_ports=""))
    assert remote_sides(result, OURS, "translated")["misattributed"] > 0
