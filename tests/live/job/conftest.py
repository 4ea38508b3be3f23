"""One broker and one cluster for all tests of the job."""

import os
from pathlib import Path

import pytest
from history import History

from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.kafka import Broker
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    with Broker.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    checkout = str(Path(__file__).parents[3])
    settings = {"execution.checkpointing.interval": "1 s", "taskmanager.memory.process.size": "2500m"}
    environment = {"PYTHONPATH": os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])}
    with FlinkCluster.start(
        tmp_path_factory.mktemp("flink"), recovery=True, slots=4, settings=settings, environment=environment
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def fleet():
    chosen = scenario("hostile", ("connections=3000", "duration=20m", "capture_share=0.6", "window_share=0.3"))
    # Explicit heartbeats only: a connection is one when it is reported, too late for flows that went out before.
    return History.of(simulate(chosen, seed=5), span="none")
