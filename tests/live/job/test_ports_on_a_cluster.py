"""Fleets that share ports, translate them and report both ends, through the job on a real cluster: rows as of replay.

A part of the flows is received late, and a part shows its export only. `PORT_SEEDS=10` takes ten fleets.
"""

import os
import random
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
from fleets_on_a_cluster import tables_of, through_the_job

from attribution.config import MINUTE, SECOND
from attribution.core.columnar.arrays import microseconds
from attribution.schema import FLOW, TIMESTAMP
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

SEEDS = int(os.environ.get("PORT_SEEDS", "1"))
FLEET = (
    "services=30", "port_owner_share=0.4", "shared_capture_share=1", "nat_share=0.5", "nat_reuse_pause=2s",
    "capture_share=0.9", "ingress_share=1", "connections=3000", "duration=20m", "window_share=0.1",
)  # fmt: skip
MET = Counter()


def with_times_that_lie(flows, seed):
    """Flows of which one in ten was received late, and one window in ten shows its export only."""
    chosen, end = random.Random(seed), microseconds(flows.column("end")).tolist()
    late = [None if chosen.randrange(10) else at + chosen.randrange(-3, 400) * SECOND for at in end]
    basis = [
        "export" if one == "window" and not chosen.randrange(10) else one for one in flows.column("basis").to_pylist()
    ]
    for name, values in (("received", pa.array(late, TIMESTAMP)), ("basis", pa.array(basis))):
        at = flows.schema.get_field_index(name)
        flows = flows.set_column(at, flows.schema.field(at), values)
    return flows


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_fleet_of_shared_and_translated_ports_through_a_kill_and_a_rescale(broker, cluster, tmp_path, seed):
    simulation = simulate(scenario("hostile", FLEET), seed=seed)
    tables = tables_of(simulation)
    tables[FLOW] = with_times_that_lie(tables[FLOW], seed)
    settings = replace(simulation.settings, active_timeout=2 * MINUTE)
    found, expected = through_the_job(broker, cluster, tmp_path, tables, settings, seed=2 * seed + 1)
    assert found == expected
    MET.update(row["remote_reason"] for row in found)
    assert min(MET[reason] for reason in ("both_ends", "untimed", "shared", "conflict", "bridged")) > 20
