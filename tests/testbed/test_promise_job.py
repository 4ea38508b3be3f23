"""The promise through the job's stages: records come as they are reported, and the job dies now and then."""

import pytest

from attribution.config import Settings
from attribution.testbed.evaluate.runners import through_core, through_job
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate


@pytest.mark.parametrize("seed", [21, 22])
def test_a_hostile_fleet_is_never_misattributed(seed):
    simulation = simulate(scenario("hostile", ("connections=1500",)), seed=seed)
    result = through_job(simulation, Settings(), seed=seed)
    assert result.flows > 1500
    assert (result.misattributed, result.lost, result.repeated, result.foreign) == (0, 0, 0, 0)
    # Reports that come after the watermark cost a little of what all evidence at once attributes.
    assert 0.9 < result.coverage / through_core(simulation, Settings()).coverage <= 1


def test_a_tolerance_below_the_clocks_errors_would_show():
    hostile = scenario("hostile", ("connections=1500", "boundary_share=0.8", "capture_share=1"))
    assert through_job(simulate(hostile, seed=0), Settings(clock_tolerance=0), seed=0).misattributed > 0
