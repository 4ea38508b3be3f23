"""A real cluster and a small job between two topics: submitted, moved, killed, and nothing is lost or doubled."""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from attribution.errors import ClusterError
from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.processes import wait_until

SCRIPT = Path(__file__).with_name("passthrough.py")


class Topics:
    """Sends numbered messages into one topic and expects each of them once, upper-cased, in another."""

    def __init__(self, bootstrap, name):
        self.bootstrap = bootstrap
        self.name = name
        quiet = {"bootstrap.servers": bootstrap, "log_level": 0}
        client = AdminClient(quiet)
        for made in client.create_topics([NewTopic(f"{name}-{end}", 2, 1) for end in ("in", "out")]).values():
            made.result()
        self.producer = Producer(quiet)
        self.consumer = Consumer(
            quiet | {"group.id": name, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
        )
        self.consumer.subscribe([f"{name}-out"])
        self.sent = itertools.count()
        self.expected = []
        self.received = []

    def pass_through(self, count=10):
        for number in itertools.islice(self.sent, count):
            self.producer.produce(f"{self.name}-in", f"message {number}")
            self.expected.append(f"MESSAGE {number}")
        assert self.producer.flush(30) == 0
        deadline = time.monotonic() + 300
        while len(self.received) < len(self.expected) and time.monotonic() < deadline:
            self.received += [message.value().decode() for message in self.consumer.consume(100, timeout=0.2)]
        assert sorted(self.received) == sorted(self.expected)

    def arguments(self, run):
        return ["--bootstrap", self.bootstrap, "--topics", self.name, "--run", run]


@pytest.fixture(scope="module")
def topics(real_broker):
    return Topics(real_broker.bootstrap, "passed")


@pytest.fixture(scope="module")
def earlier(cluster):
    """The jobs of other tests, which are over."""
    return set(cluster.jobs())


@pytest.fixture(scope="module")
def job(cluster, earlier, topics):  # noqa: ARG001 (before it)
    """The job, running, with a few messages behind it."""
    job_id = cluster.submit(SCRIPT, topics.arguments("passed"))
    cluster.wait_for_state(job_id, "RUNNING")
    topics.pass_through()
    return job_id


def kill_worker(cluster):
    os.kill(cluster.python_workers()[-1], signal.SIGKILL)


def kill_task_manager(cluster):
    cluster.kill_task_manager()
    cluster.start_task_manager()


def kill_job_manager(cluster):
    cluster.kill_job_manager()
    cluster.start_job_manager()


def test_operators_run_in_the_interpreter_that_started_the_cluster(cluster, job):
    workers = [psutil.Process(pid) for pid in cluster.python_workers()]
    assert workers
    assert {worker.cmdline()[0] for worker in workers} == {sys.executable}
    assert cluster.jobs()[job] == "RUNNING"


def test_a_running_job_tells_its_numbers(cluster, job, topics):
    deadline = time.monotonic() + 60
    name = "Source__in.numRecordsIn"
    while sum(cluster.metrics(job, named=name).values()) < len(topics.expected) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert sum(cluster.metrics(job, named=name).values()) == len(topics.expected)


@pytest.mark.parametrize("kill", [kill_worker, kill_task_manager, kill_job_manager])
def test_nothing_is_lost_or_doubled_when_a_process_is_killed(cluster, earlier, job, topics, kill):
    topics.pass_through()
    kill(cluster)
    topics.pass_through()
    assert {number: state for number, state in cluster.jobs().items() if number not in earlier} == {job: "RUNNING"}
    assert cluster.last_checkpoint(job) is not None


def test_a_job_goes_on_from_a_savepoint_with_another_parallelism_submitted_through_rest(cluster, job, topics):
    saved = cluster.savepoint(job, stop=True)
    assert cluster.jobs()[job] == "FINISHED"
    wider = cluster.submit_by_rest(SCRIPT, topics.arguments("wider"), savepointPath=saved.as_uri(), parallelism=2)
    topics.pass_through()
    cluster.wait_for_state(wider, "RUNNING")
    assert len(cluster.python_workers()) == 2
    cluster.cancel(wider)
    narrow = cluster.submit(
        SCRIPT, topics.arguments("narrow"), options=["--fromSavepoint", cluster.last_checkpoint(wider).as_uri()]
    )
    topics.pass_through()
    cluster.cancel(narrow)


def test_a_cluster_can_be_there_for_one_job_alone(tmp_path, real_broker):
    topics = Topics(real_broker.bootstrap, "application")
    job = ["--python", str(SCRIPT), *topics.arguments("application")]
    with FlinkCluster.start(tmp_path, job=job) as cluster:
        wait_until(cluster.jobs, "the job to be there", timeout_s=300)
        (job_id,) = cluster.jobs()
        cluster.wait_for_state(job_id, "RUNNING")
        topics.pass_through()
        assert cluster.savepoint(job_id, stop=True).exists()
        wait_until(lambda: not cluster.job_manager.running, "the cluster to end with its job", timeout_s=300)


def test_a_script_that_fails_is_told_with_what_it_printed(cluster):
    with pytest.raises(ClusterError, match=r"(?s)cannot submit .*passthrough.py \(exit status [1-9].*--bootstrap"):
        cluster.submit(SCRIPT, ["--nonsense"])


def test_a_question_that_the_job_manager_refuses_is_told_with_its_reason(cluster):
    with pytest.raises(ClusterError, match=r"refuses GET /jobs/0+: .*Job 0+ not found"):
        cluster.rest(f"/jobs/{'0' * 32}")


def test_a_cluster_that_cannot_start_says_why(tmp_path):
    with pytest.raises(ClusterError, match=r"(?s)the Flink TaskManager 1 ended while it was starting.*memory"):
        FlinkCluster.start(tmp_path, settings={"taskmanager.memory.process.size": "100m"})
