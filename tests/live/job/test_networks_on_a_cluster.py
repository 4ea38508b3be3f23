"""Simulated fleets of several networks through the job on a real cluster: the rows are those of a replay.

`NETWORK_SEEDS=10` takes ten fleets, and then asks that every method and reason was met often.
"""

import os
from collections import Counter

import pytest
from fleets_on_a_cluster import tables_of, through_the_job

from attribution.core.reasons import METHODS, REASONS
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

SEEDS = int(os.environ.get("NETWORK_SEEDS", "1"))
FLEET = (
    "networks=3", "services=24", "external_services=9", "load_balancers=6", "crossing_share=0.15", "pool_services=12",
    "rule_loss=0.5", "silent_share=0.1", "connections=3000", "duration=20m", "capture_share=0.6", "window_share=0.3",
)  # fmt: skip
#: No flow of these fleets is older than retention or lies about its time, and there is one region. Both ends of a
#: connection are those of `test_ports_on_a_cluster.py`.
NOT_MET = {"too_old", "region_silent", "untimed", "both_ends", "peer"}
MET = Counter()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_fleet_of_several_networks_through_a_kill_and_a_rescale(broker, cluster, tmp_path, seed):
    simulation = simulate(scenario("hostile", FLEET), seed=seed)
    tables = tables_of(simulation)
    found, expected = through_the_job(broker, cluster, tmp_path, tables, simulation.settings, seed=seed)
    assert found == expected
    for row in found:
        MET.update(row[f"{side}_{what}"] for side in ("local", "remote") for what in ("method", "reason"))


@pytest.mark.skipif(SEEDS < 10, reason="few fleets meet not everything often; NETWORK_SEEDS=10 takes ten")
def test_every_method_and_reason_was_met_often():
    assert {name: MET[name] for name in (*METHODS, *REASONS) if MET[name] < 50 and name not in NOT_MET} == {}
