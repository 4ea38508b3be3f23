"""How long a flow waits beyond its hold until the streaming job has put it out, at a steady rate, on real parts.

    .venv-flink/bin/python benchmarks/latency.py --rate 10000 --seconds 120

A fleet is published as it lives: every tenth of a second the flows that ended since, and every five seconds a heartbeat
of each address. A flow is due when the hold after its end and the report delay are over. Its latency is the time from
then until a reader of uncommitted rows has it. Readers of committed rows have it with the checkpoint after that. A
message every tenth of a second and the job's `round_interval` are part of it. No engine is compared: only the share of
the rate that the job sustains (`benchmarks/stream.py`) says what half load is. On a machine that others use their load
is part of it, too, so the load is printed. So is what a flow takes of the processor at that rate.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import processor_time  # noqa: E402 (it needs the checkout's own package)
from stream_input import PATIENCE_S, SECOND, Topics, record_batch  # noqa: E402

from attribution.schema import ATTRIBUTED_FLOW, FLOW, HEARTBEAT, TIMESTAMP  # noqa: E402
from attribution.stream.topics import topic_of  # noqa: E402
from attribution.stream.wire import codec  # noqa: E402
from attribution.testbed.cluster.flink import FlinkCluster  # noqa: E402
from attribution.testbed.cluster.kafka import Broker  # noqa: E402

STEP_S, BEAT_S = 0.1, 5
HOLD_S, MAX_GAP_S, DELAY_S = 20, 15, 2
CONFIG = f"""
[attribution]
hold = "{HOLD_S}s"
max_gap = "{MAX_GAP_S}s"
[stream]
report_delay = "{DELAY_S}s"
buckets = 2
idle_after = "5s"
"""


def publish(servers: str, prefix: str, *, rate: int, addresses: int, seconds: int) -> None:
    """Send what happens, while it happens; at last, as long as a flow is held, heartbeats only."""
    random = np.random.default_rng(3)
    text = np.array([f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(addresses)])
    workload = np.array([f"pod-{i}" for i in range(addresses)])
    producer = Producer({"bootstrap.servers": servers, "max.in.flight": 1, "enable.idempotence": True, "linger.ms": 5})
    parts = round(BEAT_S / STEP_S)
    began, rows = time.time(), round(rate * STEP_S)
    for step in range(round((seconds + HOLD_S + DELAY_S + 5) / STEP_S)):
        time.sleep(max(0.0, began + (step + 1) * STEP_S - time.time()))
        now = int(time.time() * SECOND)
        beating = np.arange(step % parts, addresses, parts)
        moment = pa.array(np.full(len(beating), now)).cast(TIMESTAMP)
        beats = {"address": text[beating], "workload": workload[beating], "start": moment, "end": moment}
        sent = [(HEARTBEAT, record_batch(HEARTBEAT, beats, len(beating)), None)]
        if step * STEP_S < seconds:
            end = np.sort(now - random.integers(0, round(STEP_S * SECOND), rows))
            local, remote = random.integers(0, addresses, (2, rows))
            flows = {
                "start": pa.array(end - random.integers(0, SECOND, rows)).cast(TIMESTAMP),
                "end": pa.array(end).cast(TIMESTAMP),
                "local_address": text[local],
                "remote_address": text[remote],
                "remote_port": np.full(rows, 443),
                "protocol": np.full(rows, 6),
                "local_workload": workload[local],
                "basis": np.full(rows, "connection"),
            }
            sent.append((FLOW, record_batch(FLOW, flows, rows), "none"))
        else:
            sent.append((FLOW, None, None))
        for kind, batch, flow_heartbeats in sent:
            topic = topic_of(kind, prefix=prefix)
            if batch is None:
                producer.produce(topic, codec.empty(kind), timestamp=now // 1000)
                continue
            for message in codec.encode(kind, batch, flow_heartbeats=flow_heartbeats):
                producer.produce(topic, message.value, timestamp=now // 1000)
        producer.poll(0)
    if producer.flush(60):
        raise SystemExit("the broker did not take the input")


def latencies(
    servers: str, topic: str, *, rows: int, skipped: int, spent: Callable[[], float], limit_s: float
) -> tuple[np.ndarray, float]:
    """Seconds from each flow's being due until it was read, in the order of reading, but for the first `skipped`.

    Also what `spent` counted meanwhile.
    """
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "isolation.level": "read_uncommitted"})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found, count, until = [], 0, time.monotonic() + limit_s
    before = None
    while count < rows and time.monotonic() < until:
        for message in consumer.consume(100, timeout=0.05):
            read_at = time.time()
            end = pa.ipc.open_stream(message.value()).read_next_batch().column("end").cast(pa.int64()).to_numpy()
            found.append(read_at - (end / SECOND + HOLD_S + DELAY_S))
            count += len(end)
            if before is None and count >= skipped:
                before = spent()
    consumer.close()
    if count < rows:
        raise SystemExit(f"only {count:,} of {rows:,} flows came out in {limit_s:g} s")
    return np.concatenate(found)[skipped:], spent() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=10_000, help="flows a second")
    parser.add_argument("--addresses", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument(
        "--warm-up", type=int, default=30, help="seconds whose flows are left out: the code starts then"
    )
    given = parser.parse_args()
    rows = round(given.rate * STEP_S) * round(given.seconds / STEP_S)
    with tempfile.TemporaryDirectory(prefix="latency-benchmark-") as temporary:
        folder, prefix = Path(temporary), "latency."
        with (
            Broker.start(folder / "kafka") as broker,
            FlinkCluster.start(
                folder / "flink",
                slots=1,
                settings={"execution.checkpointing.interval": "10 s", "taskmanager.memory.process.size": "3g"},
                environment={"PYTHONPATH": str(ROOT)},
            ) as cluster,
        ):
            Topics(broker.bootstrap).create(prefix)
            config = folder / "job.toml"
            config.write_text(CONFIG)
            arguments = ["--config", str(config), "--bootstrap-servers", broker.bootstrap, "--topic-prefix", prefix]
            job = cluster.submit(ROOT / "jobs" / "attribute_flows.py", arguments)
            cluster.wait_for_state(job, "RUNNING", timeout_s=PATIENCE_S)
            fleet = {"rate": given.rate, "addresses": given.addresses, "seconds": given.seconds}
            publisher = threading.Thread(target=publish, args=(broker.bootstrap, prefix), kwargs=fleet)
            publisher.start()
            output = topic_of(ATTRIBUTED_FLOW, prefix=prefix)
            steady, spent = latencies(
                broker.bootstrap,
                output,
                rows=rows,
                skipped=given.rate * given.warm_up,
                spent=lambda: sum(processor_time.of_servers(cluster, broker)),
                limit_s=given.seconds + 180,
            )
            publisher.join()
    print(f"{given.rate:,} flows/s for {given.seconds} s, the first {given.warm_up} s left out: {len(steady):,} flows")
    print(
        f"load of the machine {os.getloadavg()[0]:.1f}; {1e6 * spent / len(steady):.1f} µs of Flink and broker a flow"
    )
    print("seconds from due to read: " + ", ".join(f"p{p:g} {np.percentile(steady, p):.2f}" for p in (50, 90, 99, 100)))


if __name__ == "__main__":
    main()
