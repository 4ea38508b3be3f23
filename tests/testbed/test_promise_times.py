"""The promise where routers' clocks are late, and where exporters show the time of their exports only."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import HOUR
from attribution.errors import ConfigError
from attribution.testbed.evaluate.runners import through_core, through_replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write

ROUTERS = ("connections=3000", "routers=3", "router_share=0.6", "window=10s", "boundary_share=0.5")
LATE, EXPORTERS = ("late_routers=2",), ("exporters=2", "export_timeout=30s")


def fleet(*parameters, seed=1):
    return simulate(scenario("hostile", (*ROUTERS, *parameters)), seed=seed)


def judged(simulation, settings=None):
    return through_core(simulation, settings or simulation.settings)


def without_reception(simulation):
    none = np.full(len(simulation.flows), -1, np.int64)
    return replace(simulation, flows=replace(simulation.flows, received=none))


def exports_as_windows(simulation):
    exports = np.zeros_like(simulation.observers.exports)
    return replace(simulation, observers=replace(simulation.observers, exports=exports))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("capture", ["capture_share=0.5", "capture_share=0"])
def test_nobody_is_misattributed_whatever_the_times_of_records_are(seed, capture):
    result = judged(fleet("late_routers=1", "exporters=1", "export_timeout=30s", capture, seed=seed))
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert result.coverage > 0.3


@pytest.mark.parametrize(("knob", "trusting"), [(LATE, without_reception), (EXPORTERS, exports_as_windows)])
def test_who_trusts_the_times_of_such_records_names_the_owner_of_another_time(knob, trusting):
    simulation = fleet(*knob)
    assert judged(simulation).misattributed == 0
    assert judged(trusting(simulation)).misattributed > 0


def test_a_clock_that_is_hours_late_and_an_export_of_no_known_timeout_name_nobody():
    simulation = fleet("late_routers=1", "late_by=8h", "exporters=2", "capture_share=0", "window_share=0")
    result = judged(simulation, replace(simulation.settings, active_timeout=0))
    assert simulation.observers.late_by.max() > HOUR
    routed = int((simulation.flows.host >= simulation.scenario.hosts).sum())
    for side in ("local", "remote"):
        assert result.reasons[side, "untimed", "unattributed"] == routed
    assert result.misattributed == 0


def test_the_times_of_routers_change_nothing_that_others_report():
    plain, late = fleet(), fleet(*LATE)
    hosts = [sim.flows.rows(sim.flows.host < sim.scenario.hosts) for sim in (plain, late)]
    for name in ("start", "end", "local", "remote", "bytes_sent"):
        assert sorted(getattr(hosts[0], name).tolist()) == sorted(getattr(hosts[1], name).tolist())


@pytest.mark.parametrize("seed", [1, 2])
def test_what_goflow2_writes_of_the_routers_is_attributed_from_file_to_file(seed, tmp_path):
    simulation = fleet("routers=4", "samplers=1", "late_routers=1", "exporters=1", "export_timeout=30s", seed=seed)
    result = through_replay(simulation, simulation.settings, tmp_path, flow_format="goflow2")
    routed = [batch for batch in simulation.flow_batches() if batch.num_rows]
    routers = pa.Table.from_batches(routed).column("observer").to_pylist()
    assert result.flows == sum(name.startswith("router-") for name in routers)
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    assert result.coverage > 0.3


@pytest.mark.parametrize("parameters", [("routers=0",), ("networks=2",)])
def test_a_fleet_that_no_router_reports_cannot_be_written_as_goflow2(parameters, tmp_path):
    with pytest.raises(ConfigError, match="only routers write such records"):
        write(fleet(*parameters), tmp_path / "fleet", flow_format="goflow2")
