"""The lake writer on a real broker: each row once, through crashes, rebalances, restarts, and a disk that is full."""

import contextlib
import json
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from streamed import HOUR, T0, attributed, numbers_in

from attribution.cli import cli
from attribution.config import Settings
from attribution.errors import AttributionError, BrokerError, LakeError
from attribution.lake.layout import LAKE_FORMAT
from attribution.schema import arrow_schema
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.lake_writer.lake_folder import open_lake
from attribution.stream.lake_writer.offset_files import PartitionFiles
from attribution.stream.lake_writer.writer import LAKE_KINDS, LakeWriter, Writing
from attribution.stream.wire import codec
from attribution.stream.wire.dead_letters import Rejected, dead_letter
from attribution.testbed.cluster.processes import free_ports

FLOWS = "attributed-flows"


class Output:
    """Writes to the job's output topics, as the job does."""

    def __init__(self, servers, prefix, **config):
        self.producer = Producer({"bootstrap.servers": servers, "linger.ms": 0, "log_level": 0, **config})
        self.prefix, self.sent = prefix, 0

    def flows(self, count, *, each=10):
        """Send `count` messages of `each` flows with the next numbers, to the partitions in turn."""
        for _ in range(count):
            rows = attributed(range(self.sent, self.sent + each), every=HOUR // 50)
            (message,) = codec.encode("attributed_flow", rows)
            self.value(FLOWS, message.value, partition=self.sent // each % 3)
            self.sent += each
        self.flush()

    def value(self, topic, value, partition=0):
        self.producer.produce(self.prefix + topic, value, partition=partition, timestamp=T0 // 1000)

    def flush(self):
        assert self.producer.flush(30) == 0


@pytest.fixture
def output(real_broker, prefix):
    return Output(real_broker.bootstrap, prefix)


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


def writer(lake, broker, prefix, *, metrics=None, say=None, **options):
    group = open_lake(lake, cluster=broker.cluster_id(), prefix=prefix, settings=Settings())
    writing = Writing(group=group, prefix=prefix, **{"flush_s": 0.2} | options)
    return LakeWriter(lake, broker, writing=writing, metrics=metrics, **({"say": say} if say else {}))


def write_all(lake, broker, prefix, **options):
    metrics = Metrics()
    writer(lake, broker, prefix, metrics=metrics, stop_at_end=True, **options).run()
    return metrics


def command(lake, broker, prefix, *more):
    arguments = ["lake", "--bootstrap-servers", broker.servers, "--topic-prefix", prefix, "--out", lake, *more]
    return [sys.executable, "-m", "attribution", *map(str, arguments)]


@contextlib.contextmanager
def running(call, **options):
    process = subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait(happened, what, seconds=60):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, f"waited for {what}"
        time.sleep(0.05)


# What is written


def test_every_table_is_written_once_and_questions_are_answered(lake, broker, prefix, output):
    output.flows(12)
    row = {"address": "10.0.0.2", "workload": "v", "service": "db", "start": T0, "end": T0 + HOUR}
    ranges = pa.RecordBatch.from_pylist([row | {"longest_gap": 0, "holes": []}], schema=arrow_schema("ownership_range"))
    for message in codec.encode("ownership_range", ranges):
        output.value("ownership-ranges", message.value)
    names = {"client_address": "10.0.0.1", "server_address": "10.0.0.2", "hostname": "db.example", "time": T0}
    output.value("name-bindings", json.dumps([names, {"colour": "red"}]).encode())
    event = {"address": "9.9.9.9", "owner": "x", "action": "assign", "time": T0}
    output.value("assignments", json.dumps(event).encode())
    policy = {"policy": "a", "pool": "b", "prefix": "192.0.2.0/24", "end": T0}
    output.value("policies", json.dumps([policy, policy | {"prefix": "192.0.2.1/24"}]).encode())
    output.value("socket-rules", json.dumps({"rule": "r", "prefix": "192.0.2.0/24", "service": "s"}).encode())
    output.value("dead-letters", dead_letter("flows", 0, 5, "flow", Rejected(2, "not_a_time", "start='x'")))
    output.value(FLOWS, b"noise", partition=1)
    output.value("dead-letters", b"[]", partition=1)
    output.flush()
    metrics = write_all(lake, broker, prefix)
    assert numbers_in(lake) == list(range(120))
    assert metrics.get("attribution_lake_rows_total", topic=prefix + FLOWS) == 121
    assert metrics.get("attribution_lake_unreadable_messages_total", topic=prefix + FLOWS) == 1
    kept = {name: [row for path in (lake / name).glob("*.parquet") for row in pq.read_table(path).to_pylist()]
            for name in ("policies", "socket_rules")}  # fmt: skip
    assert [(row["policy"], row["prefix"], row["match"]) for row in kept["policies"]] == [("a", "192.0.2.0/24", None)]
    assert [(row["rule"], row["service"]) for row in kept["socket_rules"]] == [("r", "s")]
    letters = [row for path in (lake / "dead_letters").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert sorted((r["topic"], r["row"], r["kind"], r["reason"]) for r in letters) == sorted(
        [
            ("flows", 2, "flow", "not_a_time"),
            (prefix + FLOWS, None, "attributed_flow", "not_arrow"),
            (prefix + "dead-letters", None, "dead_letter", "malformed"),
        ]
    )
    assert write_all(lake, broker, prefix).total("attribution_lake_rows_total") == 0
    graph = json.loads(CliRunner().invoke(cli, ["graph", str(lake), "--format", "json"]).stdout)
    assert [(edge["source"], edge["target"], edge["flows"]) for edge in graph["edges"]] == [("web", "db", 120)]
    at = "2026-01-01T00:30:00Z"
    whois = CliRunner().invoke(cli, ["whois", str(lake), "10.0.0.2", "--at", at, "--format", "json"])
    assert json.loads(whois.stdout)["answer"]["workload"] == "v"


def test_only_committed_transactions_are_read(lake, broker, prefix, real_broker):
    output = Output(real_broker.bootstrap, prefix, **{"transactional.id": prefix})
    output.producer.init_transactions(60)
    for number in range(6):
        output.producer.begin_transaction()
        output.flows(3)
        if number % 2:
            output.producer.abort_transaction()
        else:
            output.producer.commit_transaction()
    metrics = write_all(lake, broker, prefix)
    assert numbers_in(lake) == [n for n in range(180) if n // 30 % 2 == 0]
    # Marks and aborted messages stand behind the last one that was read: nobody waits for them, or misses them.
    assert metrics.total("attribution_lake_lag_messages") == 0
    ends = [end for _, end in offsets(real_broker, prefix + FLOWS)]
    delete(real_broker, [TopicPartition(prefix + FLOWS, number, end) for number, end in enumerate(ends)])
    assert write_all(lake, broker, prefix).total("attribution_lake_rows_total") == 0


def test_a_consumer_reads_committed_messages_whatever_it_is_told(broker, prefix, real_broker):
    output = Output(real_broker.bootstrap, prefix, **{"transactional.id": prefix})
    output.producer.init_transactions(60)
    output.producer.begin_transaction()
    output.flows(3)
    output.producer.abort_transaction()
    told = {"group.id": prefix, "auto.offset.reset": "earliest", "enable.partition.eof": True}
    consumer = broker.consumer({**told, "isolation.level": "read_uncommitted"})
    consumer.assign([TopicPartition(prefix + FLOWS, 0, 0)])
    assert consumer.poll(30).error().name() == "_PARTITION_EOF"
    consumer.close()


def offsets(real_broker, topic):
    """The first offset and the end of each partition."""
    consumer = Consumer({"bootstrap.servers": real_broker.bootstrap, "group.id": "test"})
    found = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in range(3)]
    consumer.close()
    return found


def delete(real_broker, places):
    admin = AdminClient({"bootstrap.servers": real_broker.bootstrap})
    for deleted in admin.delete_records(places).values():
        deleted.result()


# What it refuses


def test_a_folder_of_something_else_is_refused(lake, broker, prefix):
    lake.mkdir()
    (lake / "precious").touch()
    with pytest.raises(LakeError, match=r"the folder holds other files \(precious, no lake.json\)"):
        writer(lake, broker, prefix)
    (lake / "precious").unlink()
    (lake / "lake.json").write_text(json.dumps({"format": LAKE_FORMAT, "settings": {}}))
    with pytest.raises(LakeError, match="`attribution replay` wrote it"):
        writer(lake, broker, prefix)
    (lake / "lake.json").unlink()
    writer(lake, broker, prefix)
    with pytest.raises(LakeError, match=r"with the topic_prefix 'test.*these have 'other'"):
        writer(lake, broker, "other")
    with pytest.raises(LakeError, match="written with hold 240000000, now it is 300000000"):
        open_lake(lake, cluster=broker.cluster_id(), prefix=prefix, settings=Settings(hold=300_000_000))


def test_missing_topics_are_one_clear_message(lake, broker):
    result = subprocess.run(command(lake, broker, "nowhere."), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("attribution: cannot read from 127.0.0.1:")
    assert "there is no topic nowhere.assignments, nowhere.attributed-flows" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_messages_that_are_gone_stop_the_writer_unless_the_loss_is_accepted(lake, broker, prefix, output, real_broker):
    output.flows(6)
    write_all(lake, broker, prefix)
    output.flows(6)
    delete(real_broker, [TopicPartition(prefix + FLOWS, 1, 3)])
    with pytest.raises(BrokerError, match=rf"needs offset 2 of {prefix}{FLOWS} 1, which has 3 to 3\. 1 messages were"):
        write_all(lake, broker, prefix)
    metrics = write_all(lake, broker, prefix, accept_loss=True)
    assert metrics.get("attribution_lake_lost_messages_total", topic=prefix + FLOWS) == 1
    assert numbers_in(lake) == [n for n in range(120) if n // 10 != 7]


# Faults


def test_sigkill_at_any_moment_neither_loses_nor_repeats_a_row(lake, broker, prefix, output):
    kills = 0
    call = command(lake, broker, prefix, "--flush-interval", "300ms", "--flush-rows", 40)
    for pause in (0.0, 0.3):
        output.flows(9)
        before = len(numbers_in(lake))
        with running(call) as process:
            wait(lambda before=before: len(numbers_in(lake)) > before, "a file")
            output.flows(9)
            time.sleep(pause)
            process.kill()
            process.wait()
            kills += process.returncode == -signal.SIGKILL
        seen = numbers_in(lake)
        assert len(set(seen)) == len(seen)
    assert kills == 2
    write_all(lake, broker, prefix)
    assert numbers_in(lake) == list(range(output.sent))


def test_sigterm_finishes_what_is_open(lake, broker, prefix, output):
    output.flows(9)
    port = free_ports(1)[0]
    with running(command(lake, broker, prefix, "--flush-interval", "1h", "--metrics-port", port)) as process:
        open_rows = f'attribution_lake_open_rows{{topic="{prefix}{FLOWS}"}} 90.0'
        wait(lambda: open_rows in scraped(port), "all rows to be read")
        assert f'attribution_lake_lag_messages{{topic="{prefix}{FLOWS}"}} 0.0' in scraped(port)
        assert numbers_in(lake) == []
        process.terminate()
        assert process.wait(60) == 0
        assert process.stdout.read() == f"90 rows written to {lake}\n"
    assert numbers_in(lake) == list(range(90))


def scraped(port):
    """What Prometheus would get; nothing before the writer answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return answer.read().decode()
    except OSError:
        return ""


def test_writers_share_the_partitions_and_take_over_from_each_other(lake, broker, prefix, output):
    stops, threads, metrics = [threading.Event() for _ in range(3)], [], [Metrics() for _ in range(3)]
    failures = []

    def run(number):
        try:
            writer(lake, broker, prefix, metrics=metrics[number], flush_rows=40).run(stops[number].is_set)
        except AttributionError as error:
            failures.append(error)

    def start(number):
        threads.append(threading.Thread(target=run, args=[number]))
        threads[-1].start()

    def settle(happened, what):
        """Wait under load."""

        def sent_more():
            output.flows(3)
            return failures or happened()

        wait(sent_more, what)

    def partitions(number):
        return metrics[number].total("attribution_lake_partitions")

    try:
        start(0)
        output.flows(9)
        wait(lambda: partitions(0) == 3 * len(LAKE_KINDS), "the first to have all partitions")
        for number in (1, 2):
            start(number)
        settle(lambda: sorted(map(partitions, range(3))) == [len(LAKE_KINDS)] * 3, "as many partitions each")
        stops[0].set()
        stops[1].set()
        settle(lambda: partitions(2) == 3 * len(LAKE_KINDS), "the last to have all partitions")
        wait(lambda: failures or len(numbers_in(lake)) == output.sent, "all rows")
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert numbers_in(lake) == list(range(output.sent))


def test_a_partition_that_another_process_still_has_is_waited_for(lake, broker, prefix, output):
    """As after a pause so long that Kafka took the partition away: the sleeper may yet write."""
    output.flows(9)
    writer(lake, broker, prefix)
    sleeper = PartitionFiles.take(lake, "attributed_flow", prefix + FLOWS, 1)
    metrics = Metrics()
    thread = threading.Thread(target=writer(lake, broker, prefix, metrics=metrics, stop_at_end=True).run)
    thread.start()
    try:
        wait(lambda: len(numbers_in(lake)) == 60, "the other partitions")
        sleeper.add(0, attributed(range(10, 20)))
        sleeper.finish()
        assert thread.is_alive()
    finally:
        sleeper.release()
        thread.join(60)
    assert numbers_in(lake) == list(range(90))


def test_a_broker_that_restarts_is_waited_for(lake, broker, prefix, output, real_broker):
    with running(command(lake, broker, prefix, "--flush-interval", "200ms")) as process:
        output.flows(9)
        wait(lambda: len(numbers_in(lake)) == 90, "the first rows")
        real_broker.kill()
        real_broker.start_again()
        output.flows(9)
        wait(lambda: len(numbers_in(lake)) == 180, "the rows after the restart")
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    assert numbers_in(lake) == list(range(180))


def test_a_writer_that_cannot_write_says_so_and_goes_on_when_it_can(lake, broker, prefix, output):
    """The system refuses: no file may have more than a few bytes, until the limit is raised from outside."""
    output.flows(9)
    call = command(lake, broker, prefix, "--flush-interval", "200ms")
    writer(lake, broker, prefix)
    with running(call, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1 << 40))) as process:
        said = process.stderr.readline()
        assert said.startswith(f"cannot write the lake {lake}: ")
        assert "Nothing is lost: writing goes on when it can be written again" in said
        assert numbers_in(lake) == []
        output.flows(3)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))
        wait(lambda: len(numbers_in(lake)) == 120, "writing to go on")
        assert process.stderr.readline() == f"writing the lake {lake} goes on\n"
        process.terminate()
        assert process.wait(60) == 0
    assert numbers_in(lake) == list(range(120))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for little; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_waited_for(small_disk, broker, prefix, output):
    lake, ballast = small_disk / "lake", small_disk / "ballast"
    output.flows(9)
    writer(lake, broker, prefix)
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(1 << 12))
            file.flush()
    with running(command(lake, broker, prefix, "--flush-interval", "200ms")) as process:
        assert process.stderr.readline().startswith(
            f"cannot write the lake {lake}: No space left on device. Nothing is"
        )
        assert numbers_in(lake) == []
        ballast.unlink()
        wait(lambda: len(numbers_in(lake)) == 90, "writing to go on")
        process.terminate()
        assert process.wait(60) == 0
    assert numbers_in(lake) == list(range(90))
