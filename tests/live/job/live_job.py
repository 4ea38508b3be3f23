"""The job on a real cluster, with topics of its own: send, finish, and read what came out."""

import contextlib
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from attribution.schema import ATTRIBUTED_FLOW, DEAD_LETTER, OWNERSHIP_RANGE
from attribution.stream.topics import INPUT_TOPICS, TOPICS, from_region, to_region, topic_of
from attribution.stream.wire import codec
from attribution.testbed.cluster.processes import wait_until

SCRIPT = Path(__file__).parents[3] / "jobs" / "attribute_flows.py"
PATIENCE_S = 300
_PREFIXES = itertools.count()


class LiveJob:
    """A job and its topics, whose names no other job has."""

    def __init__(self, broker, cluster, folder, *, stream=None, attribution=None, labels=None, partitions=2, peers=()):
        self.cluster, self.partitions = cluster, partitions
        self.prefix = f"{folder.name}-{next(_PREFIXES)}."
        self.config = folder / "job.toml"
        self.config.write_text(_toml("stream", stream or {}) + _toml("attribution", attribution or {}))
        self.labels = []
        if labels is not None:
            path = folder / "labels.arrow"
            with pa.ipc.new_file(path, labels.schema) as writer:
                writer.write_table(labels)
            self.labels = ["--labels", str(path)]
        self._client = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
        admin = AdminClient(self._client)
        config = {"retention.ms": "-1"}
        names = [topic_of(kind, prefix=self.prefix) for kind in TOPICS]
        names += [name(peer, prefix=self.prefix) for peer in peers for name in (to_region, from_region)]
        topics = [NewTopic(name, partitions, 1, config=config) for name in names]
        for made in admin.create_topics(topics).values():
            made.result()
        # One request at a time, as `publish` does it: with more, the first messages to a new topic can be lost.
        # Messages as large as topics take, which is more than the client's own limit.
        limits = {"max.in.flight": 1, "message.max.bytes": 2_000_000}
        self._producer = Producer(self._client | limits | {"enable.idempotence": True})
        self._limits, self._transactional = limits, None
        self._undelivered = []
        self.job_id = None

    def arguments(self):
        name = ["--topic-prefix", self.prefix, "--name", f"job-{self.prefix}"]
        kafka = ["--bootstrap-servers", self._client["bootstrap.servers"]]
        return ["--config", str(self.config), *kafka, *name, *self.labels]

    def start(self, *, parallelism=1, savepoint=None, script=SCRIPT):
        options = ["--parallelism", str(parallelism)]
        if savepoint is not None:
            options += ["--fromSavepoint", savepoint.as_uri()]
        self.job_id = self.cluster.submit(script, self.arguments(), options=options)
        self.cluster.wait_for_state(self.job_id, "RUNNING", timeout_s=PATIENCE_S)

    def stop(self, *, drain=False):
        """Stop with a savepoint; where it is."""
        return self.cluster.savepoint(self.job_id, stop=True, drain=drain)

    def send(self, kind, batch, *, span=None, partition=-1, ahead_ms=0):
        """Send rows; `ahead_ms` is how much the sender's clock is ahead."""
        for message in codec.encode(kind, batch, flow_heartbeats=span):
            timestamp_ms = message.timestamp_ms + ahead_ms
            self.send_value(kind, message.value, timestamp_ms=timestamp_ms, partition=partition)

    def send_value(self, kind, value, *, timestamp_ms, partition=-1):
        self.send_to(topic_of(kind, prefix=self.prefix), value, timestamp=timestamp_ms, partition=partition)

    def send_to(self, topic, value, **options):
        self._producer.produce(topic, value, on_delivery=self._delivered, **options)
        self._producer.poll(0)

    def say_time(self, timestamp_ms):
        """Tell every partition that everything up to then has been reported."""
        for kind in INPUT_TOPICS:
            for partition in range(self.partitions):
                self.send_value(kind, codec.empty(kind), timestamp_ms=timestamp_ms, partition=partition)
        self.flush()

    @contextlib.contextmanager
    def transaction(self, *, commit):
        """What is sent inside the block is one transaction, which is committed or aborted."""
        if self._transactional is None:
            self._transactional = Producer(self._client | self._limits | {"transactional.id": self.prefix})
            self._transactional.init_transactions(60)
        self._transactional.begin_transaction()
        outside, self._producer = self._producer, self._transactional
        yield
        self.flush()
        self._producer = outside
        (self._transactional.commit_transaction if commit else self._transactional.abort_transaction)(60)

    def _delivered(self, error, message):
        if error is not None or message.offset() is None:
            self._undelivered.append(f"{message.topic()}: {error or 'no offset'}")

    def flush(self):
        assert self._producer.flush(60) == 0
        assert not self._undelivered

    def received(self, kind, rows):
        """All that an output topic holds when it has `rows` rows: tables, or the values of dead letters."""
        consumer = Consumer(
            self._client
            | {"group.id": "test", "auto.offset.reset": "earliest", "enable.auto.commit": False}
            | {"isolation.level": "read_committed"}
        )
        consumer.subscribe([topic_of(kind, prefix=self.prefix)])
        found, count = [], 0
        deadline = time.monotonic() + PATIENCE_S
        quiet_until = None
        while time.monotonic() < (quiet_until or deadline):
            replace_dead_task_managers(self.cluster)
            for message in consumer.consume(200, timeout=0.3):
                assert message.error() is None, message.error()
                value = message.value()
                found.append(value if kind == DEAD_LETTER else pa.ipc.open_stream(value).read_all())
                count += 1 if kind == DEAD_LETTER else found[-1].num_rows
            if count >= rows and quiet_until is None:
                quiet_until = time.monotonic() + 1
        consumer.close()
        assert count >= rows, f"{count} of {rows} rows of {kind}; the job: {self.cluster.failure(self.job_id)}"
        return found

    def attributed(self, rows):
        return self.received(ATTRIBUTED_FLOW, rows)

    def ranges(self, rows):
        return self.received(OWNERSHIP_RANGE, rows)


@contextlib.contextmanager
def attribution(*arguments):
    """A command of ours, running; ended with the block at the latest."""
    call = [sys.executable, "-m", "attribution", *map(str, arguments)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def replace_dead_task_managers(cluster):
    """What a deployment does by itself. A worker that dies takes its TaskManager along now and then.

    Apache Beam, in PyFlink 2.2.1, then counts its references below zero, which Flink takes for a fatal error.
    """
    for server in [server for server in cluster.task_managers if not server.running]:
        cluster.task_managers.remove(server)
        cluster.start_task_manager()


def wait_for_checkpoint(cluster, job):
    """Wait for a checkpoint that begins after this: the job works."""

    def newest():
        replace_dead_task_managers(cluster)
        checkpoint = cluster.last_checkpoint(job.job_id)
        return 0 if checkpoint is None else int(checkpoint.name.removeprefix("chk-"))

    wanted = newest() + 2
    wait_until(lambda: newest() >= wanted, "the job to go on", timeout_s=PATIENCE_S)


def count(cluster, job, name):
    """A metric of the job, added up over its operators."""
    return sum(cluster.metrics(job.job_id, named=f".{name}").values())


def _toml(table, values):
    return "".join([f"[{table}]\n", *(f"{name} = {json.dumps(value)}\n" for name, value in values.items())])
