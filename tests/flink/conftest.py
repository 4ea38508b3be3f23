"""One broker and one cluster for all tests of the job."""

import os
from pathlib import Path

import pytest

from attribution.cluster.flink import FlinkCluster
from attribution.cluster.kafka import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    with Broker.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    checkout = str(Path(__file__).parents[2])
    settings = {"execution.checkpointing.interval": "1 s", "taskmanager.memory.process.size": "2500m"}
    environment = {"PYTHONPATH": os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])}
    with FlinkCluster.start(
        tmp_path_factory.mktemp("flink"), recovery=True, slots=4, settings=settings, environment=environment
    ) as cluster:
        yield cluster
