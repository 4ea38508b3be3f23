"""The promise on simulated fleets of several networks, whose addresses overlap."""

from dataclasses import replace

import numpy as np
import pytest

from attribution.core.attributor import Attributor
from attribution.core.columnar.dictionaries import plain
from attribution.schema import ASSIGNMENT, HEARTBEAT, LABEL, NAME_BINDING
from attribution.testbed.evaluate.outcomes import OURS
from attribution.testbed.evaluate.runners import through_core, through_job, through_replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

NETWORKS = (
    "networks=3", "services=24", "external_services=9", "load_balancers=6", "crossing_share=0.15", "connections=4000"
)  # fmt: skip
POOLS = ("pool_services=6",)


def fleet_of(*parameters, seed):
    return simulate(scenario("hostile", (*NETWORKS, *parameters)), seed=seed)


def evaluated(simulation, **settings):
    return through_core(simulation, replace(simulation.settings, **settings))


def wrong(result, system):
    (row,) = [row for row in result.systems() if row["system"] == system]
    return row["misattributed_share"]


@pytest.mark.parametrize("seed", range(4))
def test_addresses_of_several_networks_are_never_misattributed(seed):
    result = evaluated(fleet_of(*POOLS, seed=seed))
    assert result.misattributed == 0
    assert (result.lost, result.repeated, result.foreign) == (0, 0, 0)
    # Overlap costs next to nothing: the same fleet without is attributed as well.
    apart = evaluated(fleet_of(*POOLS, "overlap=0", seed=seed))
    assert apart.misattributed == 0
    assert result.coverage > max(0.35, apart.coverage - 0.01)
    # Who knows no networks is wrong, with events and with heartbeats; who knows them is less wrong.
    for blind in ("latest event", "nearest heartbeat"):
        assert wrong(result, blind) > 1.2 * wrong(apart, blind) > 0.1
    assert wrong(result, "latest event, by network") < 0.8 * wrong(result, "latest event")


def test_one_space_names_the_workloads_of_other_networks():
    """What the other tests rely on: without the rules about networks this evaluation does find what is wrong."""
    for seed in range(2):
        assert evaluated(fleet_of(seed=seed), one_space=True).misattributed > 100


def test_a_route_that_is_not_true_shows():
    """The same routes, for all addresses: what lies inside a network is then asked of the next network, too."""
    lying = fleet_of("silent_share=0.2", seed=0)
    everywhere = tuple(sorted({",".join(route.split(",")[:2]) for route in lying.settings.routes}))
    assert evaluated(lying, routes=everywhere).misattributed > 0


def test_evidence_that_tells_no_network_of_an_address_of_several_is_beyond_the_promise():
    bare = ("network_loss=1", "shared_network_loss=1")
    assert evaluated(fleet_of(*bare, seed=0)).misattributed > 100


def test_every_reason_of_a_run_is_met():
    reasons = set()
    for seed in range(4):
        result = evaluated(fleet_of(*POOLS, "silent_share=0.1", seed=seed))
        reasons |= {reason for _, _, reason in result.answers}
    assert reasons >= {
        "reported", "other_network", "several_networks", "conflict", "covered", "bridged", "within", "gap", "shared",
        "silent", "dispatched", "rule_change", "assigned", "assignment_change", "prefix", "pooled", "unpooled",
        "unknown",
    }  # fmt: skip


def test_outcomes_are_told_by_the_relation_of_the_networks():
    result = evaluated(fleet_of(seed=1))
    assert result.networks
    rows = [row for row in result.networks.rows() if row["system"] == OURS]
    assert {row["relation"] for row in rows} == {"same network", "through a route"}
    assert {row["told"] for row in rows} == {"both", "local", "remote", "none"}
    assert sum(row["flows"] for row in rows) == result.systems()[0]["flows"]
    closed = sum(row["other_network"] + row["several_networks"] for row in rows)
    by_reason = {row["reason"]: row["flows"] for row in result.by_reason() if row["side"] == "remote"}
    assert closed == by_reason["other_network"] + by_reason["several_networks"] > 100
    routed = [row for row in rows if row["relation"] == "through a route" and row["told"] in {"both", "local"}]
    assert sum(row["correct"] for row in routed) > 100


def test_a_replay_gives_the_same_answers(tmp_path):
    simulation = fleet_of(*POOLS, seed=5)
    result = through_replay(simulation, simulation.settings, tmp_path)
    assert result.sound
    expected = evaluated(simulation)
    assert result.answers == expected.answers
    assert result.to_dict() == expected.to_dict()


def test_the_job_gives_no_other_names_if_events_of_load_balancers_are_late():
    late = ("assignment_delay=2m", "load_balancer_lifetime=5m", "external_share=0.3")
    simulation = fleet_of("connections=1500", *late, seed=6)
    events = simulation.assignments
    assert (np.diff(events.time) < 0).mean() > 0.2
    result = through_job(simulation, simulation.settings, seed=6)
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert 0.85 < result.coverage / evaluated(simulation).coverage <= 1
    (balancers,) = [row for row in result.kinds() if (row["system"], row["kind"]) == (OURS, "load_balancer")]
    assert balancers["correct"] > 100


def wrong_hostnames(simulation, settings):
    """Of the connections that clients opened: how many were given a hostname, and how many one of another service."""
    attributor = Attributor(settings)
    for kind, table in (
        (HEARTBEAT, simulation.heartbeat_table()), (ASSIGNMENT, simulation.assignment_table()),
        (NAME_BINDING, simulation.name_table()), (LABEL, simulation.label_table()),
    ):  # fmt: skip
        attributor.observe(kind, table)
    named = wrong = 0
    for flows, truth in zip(simulation.flow_batches(), simulation.truth_batches(), strict=True):
        rows = plain(attributor.attribute(flows)).to_pylist()
        for row, true in zip(rows, truth.to_pylist(), strict=True):
            if row["remote_hostname"] and row["direction"] == "egress" and row["basis"] == "connection":
                named += 1
                wrong += row["remote_hostname"].split(".", 1)[1] != f"{true['remote_service']}.example"
    return named, wrong


def test_a_client_is_given_no_hostname_that_its_address_was_told_in_another_network():
    """One client address and one address outside, in several networks, mean other clients and other services."""
    simulation = fleet_of(
        "overlap=1", "connections=8000", "external_share=0.8", "dns_share=0.3", "routed_share=0.1", "boundary_share=0",
        "replicas=2", "load_balancer_lifetime=6h", seed=0,
    )  # fmt: skip
    named, wrong = wrong_hostnames(simulation, simulation.settings)
    assert named > 500
    assert wrong == 0
    assert wrong_hostnames(simulation, replace(simulation.settings, one_space=True))[1] > 0
