"""The broker under the name that tests of the job have for it, and the fleet that several of them send."""

import pytest
from history import History

from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate


@pytest.fixture(scope="session")
def broker(real_broker):
    return real_broker


@pytest.fixture(scope="session")
def fleet():
    chosen = scenario("hostile", ("connections=3000", "duration=20m", "capture_share=0.6", "window_share=0.3"))
    # Explicit heartbeats only: a connection is one when it is reported, too late for flows that went out before.
    return History.of(simulate(chosen, seed=5), span="none")
