"""What the containers would run, run without containers: the same settings and the same command lines on real parts."""

import os
import subprocess
import sys

import deployment
import pytest
from deployment import ROOT, SERVICES

from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.kafka import Broker
from attribution.testbed.cluster.processes import wait_until

#: Addresses, ports and folders of containers, in place of which this machine has its own.
KAFKA_PLACES = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}
KAFKA_NAMES = {"listener.security.protocol.map", "inter.broker.listener.name", "controller.listener.names"}
FLINK_PLACES = {
    "jobmanager.rpc.address",
    "high-availability.zookeeper.quorum",
    "high-availability.storageDir",
    "high-availability.jobmanager.port",
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "python.executable",
    "python.client.executable",
    "metrics.reporter.prom.factory.class",  # would listen on every interface
    "metrics.reporter.prom.port",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker with the settings of the compose file."""
    found = deployment.kafka_properties()
    assert found.keys() >= KAFKA_PLACES
    settings = {key: value for key, value in found.items() if key not in KAFKA_PLACES}
    assert {key: settings.pop(key) for key in sorted(KAFKA_NAMES)} == {
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    with Broker.start(tmp_path_factory.mktemp("kafka"), properties=settings) as broker:
        yield broker


def here(command, broker):
    """A command of a container, for this machine."""
    places = {"kafka:19092": broker.bootstrap}
    return [places.get(word, word.replace("/opt/attribution/", f"{ROOT}/")) for word in command]


def checkpoints(cluster, job_id):
    return cluster.rest(f"/jobs/{job_id}/checkpoints")


def test_the_services_make_topics_and_start_a_job_that_survives_its_job_manager(broker, tmp_path):
    program, *arguments = here(SERVICES["topics"]["command"], broker)
    made = subprocess.run(
        [sys.executable, "-m", program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=300
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "created attributed-flows" in made.stdout
    found = deployment.flink_properties()
    assert found.keys() >= FLINK_PLACES
    settings = {key: value for key, value in found.items() if key not in FLINK_PLACES}
    job = here(deployment.job_arguments(SERVICES["jobmanager"]["command"]), broker)
    source = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with FlinkCluster.start(tmp_path, recovery=True, settings=settings, environment=source, job=job) as cluster:
        wait_until(cluster.jobs, "the job to be there", timeout_s=300)
        (job_id,) = cluster.jobs()
        cluster.wait_for_state(job_id, "RUNNING")
        # Not by its file, which is there a moment before ZooKeeper knows of it.
        wait_until(lambda: checkpoints(cluster, job_id)["counts"]["completed"], "a checkpoint", timeout_s=300)
        cluster.kill_job_manager()
        cluster.start_job_manager()
        wait_until(cluster.jobs, "the job to be there again", timeout_s=300)
        cluster.wait_for_state(job_id, "RUNNING")
        assert checkpoints(cluster, job_id)["latest"]["restored"] is not None
