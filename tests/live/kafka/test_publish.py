"""Publishing: every row once, in the order of its report, and nothing said that was not delivered."""

import datetime as dt
import itertools
import json
import random
import re
import time
import urllib.request
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from topic_contents import messages

from attribution.cli import cli
from attribution.errors import BrokerError
from attribution.schema import FLOW
from attribution.sources.inputs import Inputs
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import METRICS, Metrics
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.kafka.topic_setup import create_topics
from attribution.stream.publish import sender
from attribution.stream.publish.publish import Sending, publish
from attribution.stream.wire import codec
from attribution.testbed.cluster.processes import free_ports

SECOND = 1_000_000
T0 = 1_767_225_600 * SECOND


def flow(number, **more):
    start = T0 + number * SECOND
    return {
        "start": start,
        "end": start + 5,
        "local_address": "10.0.0.1",
        "remote_address": "10.0.0.2",
        "protocol": 6,
    } | more


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def inputs(tmp_path):
    """Ten minutes of flows in reverse order, a heartbeat a minute, a bad row."""
    flows = [flow(number, local_workload="w", local_port=number) for number in reversed(range(600))]
    beats = [{"address": "10.0.0.2", "workload": "v", "start": T0 + n * 60 * SECOND} for n in range(10)]
    return Inputs(
        flows=[write(tmp_path / "flows", [*flows, {"colour": "red"}])], heartbeats=[write(tmp_path / "beats", beats)]
    )


def decoded(found, kind):
    return [(m.timestamp()[1], codec.decode(kind, m.value())) for m in found]


def test_every_row_arrives_once_in_the_order_of_its_report(broker, real_broker, prefix, inputs):
    metrics = Metrics()
    published = publish(inputs, broker, sending=Sending(prefix=prefix), metrics=metrics)
    assert published.rows == {"flow": 600, "heartbeat": 10}
    assert published.ledger.rejected == {("native", "unknown_kind"): 1}
    assert (published.first_us, published.last_us) == (T0, T0 + 599 * SECOND + 5)
    partitions = messages(real_broker.bootstrap, prefix + "flows")
    assert sum(map(len, partitions)) == published.messages["flow"]
    ports = []
    for partition in partitions:
        times = [m.timestamp()[1] for m in partition]
        assert times == sorted(times)
        assert max(b - a for a, b in itertools.pairwise(times)) <= 60_000
        for time_ms, found in decoded(partition, "flow"):
            assert found.rejects == []
            ends = found.batch.column("end").cast(pa.int64()).to_pylist()
            assert all(end // 1000 <= time_ms for end in ends)
            ports += found.batch.column("local_port").to_pylist()
    assert sorted(ports) == list(range(600))
    beats = [m for p in messages(real_broker.bootstrap, prefix + "heartbeats") for m in p]
    assert sum(found.batch.num_rows for _, found in decoded(beats, "heartbeat")) == 10
    assert messages(real_broker.bootstrap, prefix + "assignments") == [[], [], []]
    assert metrics.get("attribution_published_rows_total", kind="flow") == 600
    assert metrics.get("attribution_publish_waiting_messages") == 0
    assert metrics.get("attribution_publish_time_seconds") == (T0 + 600 * SECOND - 1) / SECOND


def test_finish_moves_time_on_in_every_partition_of_every_input_topic(broker, real_broker, prefix, inputs):
    published = publish(inputs, broker, sending=Sending(prefix=prefix, finish_us=3600 * SECOND))
    for kind, topic in (("flow", "flows"), ("heartbeat", "heartbeats"), ("assignment", "assignments")):
        for partition in messages(real_broker.bootstrap, prefix + topic):
            last_time, last = decoded(partition, kind)[-1]
            assert last_time == (published.last_us + 3600 * SECOND) // 1000
            assert (last.batch.num_rows, last.rejects) == (0, [])
    assert published.rows == {"flow": 600, "heartbeat": 10, "assignment": 0, "name_binding": 0} | {
        "policy": 0,
        "socket_rule": 0,
    }


def test_configuration_comes_before_all_time_and_its_pools_are_no_workloads(real_broker, prefix, tmp_path):
    document = tmp_path / "policies.toml"
    document.write_text(
        '[[policies]]\nname = "a"\nprefixes = ["10.0.0.0/31"]\nend = 2030-01-01T00:00:00Z\n'
        '[[socket_rules]]\nname = "web"\nprefixes = ["10.0.0.0/31"]\nservice = "web"\n'
    )
    flows = write(
        tmp_path / "flows", [flow(1, local_workload="w"), flow(2, local_workload="w", local_address="10.0.0.9")]
    )
    place = ("--bootstrap-servers", real_broker.bootstrap, "--topic-prefix", prefix, "--format", "json")
    given = ("publish", "--policies", document, "--heartbeats", flows, *place)
    result = CliRunner().invoke(cli, [str(part) for part in given], catch_exceptions=False)
    assert result.exit_code == 0
    assert {row["kind"]: row["rows"] for row in json.loads(result.stdout)} == {
        "policy": 1,
        "socket_rule": 1,
        "heartbeat": 1,
    }
    for kind, topic in (("policy", "policies"), ("socket_rule", "socket-rules")):
        times = {
            found.batch.num_rows: time_ms
            for partition in messages(real_broker.bootstrap, prefix + topic)
            for time_ms, found in decoded(partition, kind)
        }
        assert times == {1: 1, 0: times[0]}
        assert times[0] > T0 // 1000


def test_flows_that_are_evidence_only_become_heartbeats_and_distrusted_ones_say_so(
    broker, real_broker, prefix, tmp_path
):
    path = write(tmp_path / "flows", [flow(1, local_workload="w"), flow(2)])
    publish(Inputs(flows=[path]), broker, flows_are_heartbeats=False, sending=Sending(prefix=prefix))
    sent = [m for p in messages(real_broker.bootstrap, prefix + "flows") for m in p]
    (found,) = [found for _, found in decoded(sent, "flow") if found.batch.num_rows]
    assert (found.batch.num_rows, found.flow_heartbeats) == (2, "none")
    published = publish(Inputs(heartbeats=[path]), broker, sending=Sending(prefix=prefix))
    assert published.rows == {"heartbeat": 1}


def test_pace_follows_the_time_of_the_history(broker, prefix, tmp_path):
    path = write(tmp_path / "flows", [flow(0), flow(15), flow(25)])
    began = time.monotonic()
    publish(Inputs(flows=[path]), broker, sending=Sending(prefix=prefix, pace=20))
    assert time.monotonic() - began >= 20 / 20


def test_a_topic_that_would_delete_what_is_sent_is_refused(broker, unused, tmp_path):
    create_topics(broker, prefix=unused, retention_us=24 * 3600 * SECOND)
    path = write(tmp_path / "flows", [flow(0)])
    with pytest.raises(BrokerError, match=rf"{unused}flows: retention\.ms is 86400000, must be \d+ \(messages are del"):
        publish(Inputs(flows=[path]), broker, sending=Sending(prefix=unused))
    now = int(time.time() * SECOND)
    path = write(tmp_path / "flows", [flow(0, start=now, end=now)])
    assert publish(Inputs(flows=[path]), broker, sending=Sending(prefix=unused)).rows == {"flow": 1}


def test_what_the_broker_refuses_is_an_error_that_says_so(broker, prefix, tmp_path):
    future = int((dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).timestamp() * SECOND)
    path = write(tmp_path / "flows", [flow(0), flow(0, start=future, end=future)])
    with pytest.raises(BrokerError, match=r"\d+ messages were not delivered .*flows: Broker: Invalid timestamp"):
        publish(Inputs(flows=[path]), broker, sending=Sending(prefix=prefix))


def test_a_broker_that_is_gone_is_an_error_and_one_that_comes_back_is_none(real_peer, unused, inputs):
    broker = Broker(KafkaSettings(bootstrap_servers=real_peer.bootstrap))
    create_topics(broker, prefix=unused, partitions=2)
    periods = []

    def restart(phase, rows):
        periods.append(rows)
        if phase == "sending" and len(periods) == 30:
            real_peer.kill()
            real_peer.start_again()

    published = publish(inputs, broker, sending=Sending(prefix=unused), progress=restart)
    assert len(periods) > 30
    assert published.rows == {"flow": 600, "heartbeat": 10}
    found = [m for p in messages(real_peer.bootstrap, unused + "flows") for m in p]
    ports = [port for _, d in decoded(found, "flow") for port in d.batch.column("local_port").to_pylist()]
    assert sorted(ports) == list(range(600))

    def kill(phase, _rows):
        if phase == "sending" and real_peer.server.running:
            real_peer.kill()

    with pytest.raises(BrokerError, match=r"messages were not delivered to 127.*timed out"):
        publish(inputs, broker, sending=Sending(prefix=unused, timeout_s=2), progress=kill)


def test_messages_as_large_as_they_get_are_taken(broker, real_broker, prefix, tmp_path):
    noise = random.Random(1)
    rows = [flow(0, local_port=number, observer=noise.randbytes(6000).hex()) for number in range(400)]
    published = publish(Inputs(flows=[write(tmp_path / "flows", rows)]), broker, sending=Sending(prefix=prefix))
    assert published.rows == {"flow": 400}
    sent = [m for p in messages(real_broker.bootstrap, prefix + "flows") for m in p]
    assert 800_000 < max(len(m.value()) for m in sent) <= codec.LIMIT_BYTES
    ports = [port for _, d in decoded(sent, "flow") for port in d.batch.column("local_port").to_pylist()]
    assert sorted(ports) == list(range(400))


def test_memory_for_what_waits_is_bounded(broker, prefix, inputs, monkeypatch):
    monkeypatch.setitem(sender._PRODUCER, "queue.buffering.max.messages", 5)
    assert publish(inputs, broker, sending=Sending(prefix=prefix)).rows == {"flow": 600, "heartbeat": 10}


def test_the_command_says_what_was_delivered_and_shows_it_to_prometheus(real_broker, prefix, inputs, tmp_path):
    port = free_ports(1)[0]
    arguments = ["publish", "--bootstrap-servers", real_broker.bootstrap, "--topic-prefix", prefix, "--finish"]
    arguments += ["--flows", inputs.of(FLOW)[0], "--rejects", tmp_path / "rejects", "--metrics-port", port]
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 3
    assert re.search(r"^600 rows delivered in .*\nkind +rows +messages\n", result.stdout)
    assert "unknown_kind (native)" in result.stdout
    assert json.loads((tmp_path / "rejects").read_text())["reason"] == "unknown_kind"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    assert 'attribution_published_rows_total{kind="flow"} 600.0' in text
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")} == set(METRICS)


def test_a_producer_that_has_nothing_but_json_can_write_json(real_broker, prefix):
    page = (Path(__file__).parents[3] / "docs/how-to/kafka.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    example = example.replace("localhost:9092", real_broker.bootstrap)
    example = example.replace('produce("', f'produce("{prefix}')
    found = {}
    exec(example, found)  # noqa: S102 - the example of our own page
    assert found["undelivered"] == 0
    for kind, topic in (("flow", "flows"), ("heartbeat", "heartbeats")):
        (message,) = [m for p in messages(real_broker.bootstrap, prefix + topic) for m in p]
        read = codec.decode(kind, message.value())
        assert (read.batch.num_rows, read.rejects) == (1, [])
        assert message.timestamp()[1] >= read.batch.column("end").cast(pa.int64())[0].as_py() // 1000
