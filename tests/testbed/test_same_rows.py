"""Core, replay and stream give the same rows for a fleet whose ports, translators and both ends are reported.

Nothing is reported late here, and no connection lasts so long that a stream would know its heartbeat too late.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.dictionaries import plain
from attribution.replay import Limits, replay
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL
from attribution.sources.inputs import Inputs
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write
from attribution.testing.stream import EmbeddedStream

CROWDED = ("connections=1500", "connection_sigma=0.8", "ingress_share=1", "port_owner_share=0.4", "nat_share=0.5")
WORLDS = {
    "unconfigured": (("capture_share=0.8", "shared_capture_share=1", "window_share=0.1"), Settings()),
    "configured": (
        ("capture_share=1", "shared_capture_share=1", "networks=2", "overlap=0.5"),
        Settings(shared_prefixes=("172.16.0.0/12",), translated_prefixes=("192.0.2.0/24",)),
    ),
}


def fleet(world, seed):
    overrides, settings = WORLDS[world]
    return simulate(scenario("hostile", (*CROWDED, *overrides)), seed=seed), settings


def evidence(simulation):
    return {
        HEARTBEAT: simulation.heartbeat_table(),
        ASSIGNMENT: simulation.assignment_table(),
        LABEL: simulation.label_table(),
    }


def flows_of(simulation, *, shorter_than=None):
    flows = pa.Table.from_batches(list(simulation.flow_batches()))
    if shorter_than is None:
        return flows
    length = microseconds(flows.column("end")) - microseconds(flows.column("start"))
    return flows.filter(pa.array(length < shorter_than))


def by_core(simulation, settings, flows):
    attributor = Attributor(settings)
    for kind, table in evidence(simulation).items():
        attributor.observe(kind, table)
    batches = flows.combine_chunks().to_batches()
    for batch in batches:
        attributor.observe_flows(batch)
    return rows(pa.Table.from_batches([plain(attributor.attribute(batch)) for batch in batches]))


def by_stream(simulation, settings, flows, seed):
    tables, random = evidence(simulation) | {FLOW: flows}, np.random.default_rng(seed)
    stream = EmbeddedStream(settings, labels=tables.pop(LABEL), buckets=3)
    reported = {
        kind: microseconds(table.column("time" if kind == ASSIGNMENT else "end")) for kind, table in tables.items()
    }
    minutes = np.unique(np.concatenate([moments // MINUTE for moments in reported.values()]))
    for minute in minutes.tolist():
        for kind, table in tables.items():
            now = table.filter(pa.array(reported[kind] // MINUTE == minute))
            for batch in now.combine_chunks().to_batches():
                stream.send(kind, batch)
        stream.advance((minute + 1) * MINUTE - 1)
        if random.integers(4) == 0:
            stream.settle()
        if random.integers(4) == 0:
            stream.crash()
    stream.finish()
    return rows(pa.Table.from_batches([plain(batch) for batch in stream.attributed]))


def rows(table):
    """The rows, in whatever order, each as often as it is there."""
    names = sorted(table.schema.names)
    return Counter(tuple(str(row[name]) for name in names) for row in table.to_pylist())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seed", range(2))
def test_a_stream_that_dies_now_and_then_gives_the_rows_of_the_core(world, seed):
    simulation, settings = fleet(world, seed)
    flows = flows_of(simulation, shorter_than=200 * SECOND)
    expected = by_core(simulation, settings, flows)
    assert any("both_ends" in row for row in expected)
    assert by_stream(simulation, settings, flows, seed) == expected


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("evidence_rows", [2_000_000, 3_000])
def test_a_replay_gives_the_rows_of_the_core_with_all_evidence_at_once_and_in_slabs(world, evidence_rows, tmp_path):
    simulation, settings = fleet(world, 7)
    write(simulation, tmp_path / "fleet")
    given = {
        kind: [tmp_path / "fleet" / f"{kind}.parquet"] for kind in ("flows", "heartbeats", "assignments", "labels")
    }
    limits = Limits(evidence_rows=evidence_rows, workers=2)
    summary = replay(Inputs(**given), tmp_path / "lake", settings=settings, limits=limits)
    assert (summary.slabs > 1) == (evidence_rows < 10_000)
    found = ds.dataset(tmp_path / "lake" / "attributed_flows", partitioning=None).to_table()
    assert rows(found) == by_core(simulation, settings, flows_of(simulation))
