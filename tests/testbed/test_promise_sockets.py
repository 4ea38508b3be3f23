"""The promise where sockets are hostile: kept by old processes, given out again at once, passed on, of no direction."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from attribution.core.columnar.arrays import is_value
from attribution.core.flow_evidence import both_ends, flow_heartbeats
from attribution.core.flow_evidence.both_ends import Reports
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.core.ownership.index import RangeIndex
from attribution.replay import Limits
from attribution.testbed.evaluate.outcomes import OURS
from attribution.testbed.evaluate.runners import core_answers, job_answers, through_core, through_job, through_replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import IDENTITY

#: Node addresses of which every workload calls others, and is called; heartbeats show a port now and then.
NODE_ADDRESSES = (
    "port_owner_share=0.5", "shared_capture_share=1", "capture_share=0.9", "silent_share=0", "outage_share=0",
    "port_heartbeat_loss=0.9", "lead=30m", "window_share=0.1", "ingress_share=0.8", "node_port_reuse=0.5",
    "linger_share=0.8",
)  # fmt: skip
#: One translator that gives out ports from 1024 on, each within a fraction of a second again, to short connections.
MASQUERADE = (
    "nat_share=0.8", "nat_gateways=1", "nat_first_port=1024", "nat_reuse_pause=300ms", "connection_median=300ms",
    "connection_sigma=1", "flow_loss=0.3", "capture_share=0.9", "window_share=0.05", "ingress_share=0.8", "services=4",
    "replicas=2", "port_owner_share=0", "job_share=0", "external_share=0",
)  # fmt: skip
#: Services behind ports of nodes, and behind virtual addresses.
PASSED_ON = (
    "node_port_share=0.5", "service_address_share=0.5", "capture_share=0.9", "window_share=0.1", "ingress_share=0.8",
    "flow_loss=0.1",
)  # fmt: skip
UNDIRECTED = (*NODE_ADDRESSES, "undirected_share=0.5", "port_heartbeat_loss=0.7", "nat_first_port=1024")
ALL = (
    *UNDIRECTED, "flow_loss=0.1", "node_port_share=0.3", "service_address_share=0.3", "nat_share=0.4",
    "nat_reuse_pause=500ms", "connection_median=1s",
)  # fmt: skip
WORLDS = {
    "node_addresses": NODE_ADDRESSES, "masquerade": MASQUERADE, "passed_on": PASSED_ON, "undirected": UNDIRECTED,
    "all": ALL,
}  # fmt: skip

#: What tells a flow, and what is said of it.
ANSWERS = [
    *IDENTITY,
    *(f"{side}_{what}" for side in ("local", "remote") for what in ("workload", "service", "reason", "distance")),
]


def made(world, *more, seed=0, connections=3000):
    return simulate(scenario("hostile", (f"connections={connections}", *world, *more)), seed=seed)


def evaluated(simulation):
    return through_core(simulation, simulation.settings)


def attributed_share(result, kind):
    (row,) = [r for r in result.kinds() if (r["system"], r["side"], r["kind"]) == (OURS, "remote", kind)]
    return row["attributed_share"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("world", WORLDS)
def test_hostile_sockets_are_never_misattributed(world, seed):
    result = evaluated(made(WORLDS[world], seed=seed))
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert result.coverage > 0.4


def test_a_replay_gives_the_same_answers_whether_or_not_evidence_fits_into_memory(tmp_path):
    simulation = made(ALL, connections=1500)
    expected = evaluated(simulation)
    whole = through_replay(simulation, simulation.settings, tmp_path / "whole")
    slabs = through_replay(simulation, simulation.settings, tmp_path / "slabs", limits=Limits(evidence_rows=1000))
    assert expected.misattributed == 0
    assert whole.answers == slabs.answers == expected.answers


@pytest.mark.parametrize("world", ["node_addresses", "all"])
def test_a_job_that_dies_now_and_then_misattributes_nothing(world):
    simulation = made(WORLDS[world], connections=1000)
    result = through_job(simulation, simulation.settings, seed=0)
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert 0.95 < result.coverage / evaluated(simulation).coverage <= 1


def test_a_job_whose_records_are_in_time_answers_each_flow_as_the_rules_do():
    """No connection lasts for longer than `hold`, so each is evidence before the flows go out that it is about."""
    in_time = ("heartbeat_delay=0", "report_delay=0", "connection_sigma=1", "linger=20s", "duration=10m")
    simulation = made(ALL, *in_time, connections=500, seed=3)
    answers = [
        sorted(map(str, table.select(ANSWERS).to_pylist()))
        for table in (
            core_answers(simulation, simulation.settings), job_answers(simulation, simulation.settings, seed=3)
        )
    ]  # fmt: skip
    assert len(answers[0]) > 500
    assert answers[0] == answers[1]


# What simpler rules would name


def test_an_accepted_connection_that_spoke_for_its_port_until_its_end_would_show(monkeypatch):
    simulation = made(NODE_ADDRESSES)
    assert evaluated(simulation).misattributed == 0
    monkeypatch.setattr(flow_heartbeats._Seen, "at_start", lambda seen, _: seen)
    assert evaluated(simulation).misattributed > 0


def test_a_connection_of_unknown_direction_that_spoke_for_its_port_until_its_end_would_show(monkeypatch):
    simulation = made(UNDIRECTED, "undirected_share=1", connections=8000)
    assert evaluated(simulation).misattributed == 0
    monkeypatch.setattr(FlowEvidence, "_may_be_accepted", lambda _, seen, *__: seen.accepted)
    assert evaluated(simulation).misattributed > 0


def test_whoever_is_seen_at_a_port_during_a_connection_need_not_be_its_peer(monkeypatch):
    """`within` on ports names the successor of a process that kept the connection."""
    newcomers = RangeIndex._newcomers

    def on_every_key(index, *asked):
        tables = index._tables
        index._tables = replace(tables, keys=replace(tables.keys, addresses=1 << 30))
        try:
            return newcomers(index, *asked)
        finally:
            index._tables = tables

    # Of the old process nothing is heard, and most of its connections are not captured.
    silent = ("port_heartbeat_loss=0", "silent_share=0.4", "capture_share=0.2", "window_share=0", "linger_share=1")
    longer = ("connection_median=2m", "redeploy_every=5m", "boundary_share=0.5")
    simulation = made(NODE_ADDRESSES, *silent, *longer)
    assert evaluated(simulation).misattributed == 0
    monkeypatch.setattr(RangeIndex, "_newcomers", on_every_key)
    assert evaluated(simulation).misattributed > 0


def test_windows_of_connections_that_outlive_their_port_are_where_the_promise_ends():
    simulation = made(NODE_ADDRESSES, "window_share=0.5", "linger_windows_share=1", connections=8000)
    assert evaluated(simulation).misattributed > 0


def test_short_connections_of_equal_counters_are_told_apart_by_their_lengths(monkeypatch):
    """One end of a health check and the other end of the next, by one port of a translator, with equal counters."""
    simulation = made(MASQUERADE, "equal_counters_share=0.9", connections=4000)
    assert evaluated(simulation).misattributed == 0
    monkeypatch.setattr(both_ends, "LENGTHS", 0.1)
    assert evaluated(simulation).misattributed > 0


# What the rules are worth


def test_what_connections_say_of_their_ports_adds_coverage(monkeypatch):
    simulation = made(NODE_ADDRESSES, "linger_share=0")
    with_claims = evaluated(simulation)
    monkeypatch.setattr(FlowEvidence, "claims", lambda evidence, flows, *_, **__: _nothing(evidence, flows))
    without = evaluated(simulation)
    assert with_claims.misattributed == without.misattributed == 0
    assert attributed_share(with_claims, "port_owner") > attributed_share(without, "port_owner") + 0.03


def _nothing(evidence, flows):
    none = evidence._seen(flows, "none")
    return none.heartbeats("local_address", none.flows.column("local_network"), np.zeros(0, np.int64))


@pytest.mark.parametrize(("world", "kind"), [("masquerade", "translated"), ("passed_on", "node_port")])
def test_what_far_ends_report_adds_coverage(world, kind, monkeypatch):
    simulation = made(WORLDS[world])
    with_far_ends = evaluated(simulation)
    monkeypatch.setattr(Reports, "far_report_of", lambda _, asked: np.full(asked.num_rows, -1))
    assert attributed_share(with_far_ends, kind) > attributed_share(evaluated(simulation), kind) + 0.1


# What the fleet itself is like


def test_both_ends_of_a_connection_count_the_same():
    simulation = made(PASSED_ON, "flow_loss=0", "nat_share=0", "service_address_share=0", "equal_counters_share=0.5")
    rows = [row for batch in simulation.flow_batches() for row in batch.filter(is_connection(batch)).to_pylist()]
    ends = defaultdict(list)
    for row in rows:
        local = (row["wire_address"] or row["local_address"], row["wire_port"] or row["local_port"])
        remote = (row["remote_address"], row["remote_port"])
        ends[frozenset((local, remote))].append(row)
    pairs = [pair for pair in ends.values() if len(pair) == 2 and pair[0]["direction"] != pair[1]["direction"]]
    assert len(pairs) > 100
    equal = [
        one[f"{what}_sent"] == other[f"{what}_received"] and one[f"{what}_received"] == other[f"{what}_sent"]
        for one, other in pairs
        for what in ("bytes", "packets")
    ]
    assert all(equal)


def is_connection(batch):
    return is_value(batch.column("basis"), "connection")


def test_hostile_sockets_are_there():
    simulation = made(ALL)
    tenures, seen = simulation.fleet.tenures, simulation.connections
    assert (seen.end >= tenures.end[seen.server]).sum() > 10
    assert (seen.node_port >= 0).sum() > 100
    assert (simulation.flows.service_address >= 0).sum() > 100
    assert (seen.client_port < 20_000).sum() > 100
    assert 1024 <= seen.wire_port[seen.wire_port >= 0].min() < 2000
