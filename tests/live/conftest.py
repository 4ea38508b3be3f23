"""The servers that all live tests of a process share: a broker, a second one for few tests, and a Flink cluster.

Each is started when the first test asks for it. A test that kills a server starts it again.

`make streaming` lets two processes take modules of tests from one list, each with servers of its own. Modules, because
the tests of some modules build on each other, or share a server that no other test needs. (Groups of tests,
`xdist_group`, are ignored by pytest-xdist 3.8 under pytest 9.2.)
"""

import os
from pathlib import Path

import psutil
import pytest

from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.kafka import Broker
from attribution.testbed.cluster.processes import wait_until

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """The modules of the longest tests come first, so that both processes end at about the same time."""
    items.sort(key=_rank)


def _rank(item):
    fixtures = getattr(item, "fixturenames", ())
    if "cluster" in fixtures:
        return 0
    if item.path.is_relative_to(HERE / "cluster"):
        return 1
    return 2 if "real_broker" in fixtures else 3


@pytest.fixture(scope="session")
def real_broker(tmp_path_factory):
    with Broker.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def _peer(tmp_path_factory):
    with Broker.start(tmp_path_factory.mktemp("peer")) as broker:
        yield broker


@pytest.fixture
def real_peer(_peer):
    """A second broker, which stands for another region's; a test may leave it dead."""
    if not _peer.server.running:
        _peer.start_again()
    return _peer


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    checkout = str(HERE.parents[1])
    settings = {"execution.checkpointing.interval": "1 s", "taskmanager.memory.process.size": "2500m"}
    environment = {"PYTHONPATH": os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])}
    with FlinkCluster.start(
        tmp_path_factory.mktemp("flink"), recovery=True, slots=4, settings=settings, environment=environment
    ) as cluster:
        yield cluster
        pids = [*cluster.python_workers(), *(server.pid for server in cluster.task_managers), cluster.job_manager.pid]
    # A worker that has ended is still there for a moment, until the system has collected it.
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), f"processes {pids} to be gone", timeout_s=20)
