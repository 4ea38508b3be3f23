"""Input of the streaming benchmark: a fleet's flows and heartbeats in the topics of a real broker, as Arrow or JSON."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from attribution.schema import FLOW, HEARTBEAT, TIMESTAMP, arrow_schema
from attribution.stream.topics import INPUT_TOPICS, TOPICS, topic_of
from attribution.stream.wire import codec

SECOND = 1_000_000
BEGIN = 1_770_000_000 * SECOND
HEARTBEAT_EVERY_S = 60
SERVICES = 300
PATIENCE_S = 900
#: Rows of a message of flows.
DENSE = 10_000
#: Messages that may wait in the producer.
IN_QUEUE = 50_000


@dataclass(frozen=True)
class Fleet:
    """So many flows, evenly over so many seconds of event time and addresses, each of which changes hands once."""

    flows: int
    addresses: int
    seconds: int

    def batches(self) -> Iterator[tuple[str, Any]]:
        """Heartbeats and flows, a second of each at a time."""
        random = np.random.default_rng(7)
        text = np.array([f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(self.addresses)])
        service = np.array([f"service-{i % SERVICES}" for i in range(self.addresses)])
        owner = [np.array([f"pod-{i}-{hand}" for i in range(self.addresses)]) for hand in (0, 1)]
        changes = random.integers(0, self.seconds, self.addresses)
        rows = self.flows // self.seconds
        for second in range(self.seconds):
            now = BEGIN + second * SECOND
            hand = changes <= second
            beating = np.arange(second % HEARTBEAT_EVERY_S, self.addresses, HEARTBEAT_EVERY_S)
            workload = np.where(hand, owner[1], owner[0])
            moment = pa.array(np.full(len(beating), now)).cast(TIMESTAMP)
            beats = {"address": text[beating], "workload": workload[beating], "service": service[beating]}
            yield HEARTBEAT, record_batch(HEARTBEAT, beats | {"start": moment, "end": moment}, len(beating))
            start = np.sort(now + random.integers(0, SECOND, rows))
            local, remote = random.integers(0, self.addresses, (2, rows))
            flows = {
                "start": pa.array(start).cast(TIMESTAMP),
                "end": pa.array(start + random.integers(0, SECOND // 2, rows)).cast(TIMESTAMP),
                "local_address": text[local],
                "local_port": random.integers(30_000, 60_000, rows),
                "remote_address": text[remote],
                "remote_port": np.full(rows, 443),
                "protocol": np.full(rows, 6),
                "bytes_sent": random.integers(100, 100_000, rows),
                "bytes_received": random.integers(100, 100_000, rows),
                "local_workload": workload[local],
                "local_service": service[local],
                "basis": np.full(rows, "connection"),
            }
            yield FLOW, record_batch(FLOW, flows, rows)


def record_batch(kind: str, columns: dict[str, Any], rows: int) -> Any:
    """A canonical record batch of some columns; the others are null."""
    schema = arrow_schema(kind)
    made = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(made, schema=schema)


class Topics:
    """A broker's topics with the input, as Arrow and as JSON."""

    JSON = ("json-flows", "json-heartbeats", "json-attributed")

    def __init__(self, servers: str) -> None:
        self._client = {"bootstrap.servers": servers, "log_level": 0}

    def create(self, prefix: str) -> None:
        """Make the topics of one engine."""
        names = [*(topic_of(kind, prefix=prefix) for kind in TOPICS), *(prefix + name for name in self.JSON)]
        new = [NewTopic(name, 1, 1, config={"retention.ms": "-1"}) for name in names]
        admin = AdminClient(self._client)
        for made in admin.create_topics(new).values():
            made.result()

    def fill(self, prefix: str, fleet: Fleet, *, flow_heartbeats: str | None) -> None:
        """Send the input: as JSON, one row a message, where `flow_heartbeats` is None, else as Arrow batches."""
        producer = Producer(self._client | {"max.in.flight": 1, "enable.idempotence": True, "linger.ms": 20})
        over_ms = (BEGIN + (fleet.seconds + 86_400) * SECOND) // 1000
        messages = _as_json(fleet, over_ms) if flow_heartbeats is None else _as_arrow(fleet, flow_heartbeats, over_ms)
        for topic, value, moment_ms in messages:
            while len(producer) > IN_QUEUE:
                producer.poll(1)
            producer.produce(prefix + topic, value, timestamp=moment_ms)
            producer.poll(0)
        if producer.flush(120):
            raise SystemExit("the broker did not take the input")

    def wait_for_rows(self, topic: str, rows: int, count: Callable[[bytes], int], *, limit_s: float) -> int:
        """How many committed rows an output topic holds, as soon as it holds so many or the time is over."""
        consumer = Consumer(self._client | {"group.id": topic, "isolation.level": "read_committed"})
        # Not by its group: to join that takes seconds, which the engine would be charged with.
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        found, until = 0, time.monotonic() + limit_s
        while found < rows and time.monotonic() < until:
            found += sum(count(message.value()) for message in consumer.consume(1000, timeout=0.2))
        consumer.close()
        return found


def _as_json(fleet: Fleet, over_ms: int) -> Iterator[tuple[str, bytes, int]]:
    """Topic, value and time of every row, and at last of a row that says that there are no more."""
    for kind, batch in fleet.batches():
        for row in _rows(batch):
            yield f"json-{topic_of(kind)}", json.dumps(row).encode(), row["start"] // 1000
    for kind, key in ((FLOW, "remote_address"), (HEARTBEAT, "address")):
        # With an address, as all rows have one: it is their key.
        yield f"json-{topic_of(kind)}", json.dumps({"start": over_ms * 1000, key: "10.255.255.255"}).encode(), over_ms


def _as_arrow(fleet: Fleet, flow_heartbeats: str, over_ms: int) -> Iterator[tuple[str, bytes, int]]:
    """Topic, value and time of dense batches, and at last of empty ones that say that there are no more."""
    waiting: list[Any] = []
    for kind, batch in fleet.batches():
        if kind == HEARTBEAT:
            yield from _messages(kind, batch, None)
            continue
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= DENSE:
            yield from _messages(kind, pa.Table.from_batches(waiting).combine_chunks().to_batches()[0], flow_heartbeats)
            waiting = []
    if waiting:
        yield from _messages(FLOW, pa.Table.from_batches(waiting).combine_chunks().to_batches()[0], flow_heartbeats)
    for kind in INPUT_TOPICS:
        yield topic_of(kind), codec.empty(kind), over_ms


def _messages(kind: str, batch: Any, flow_heartbeats: str | None) -> Iterator[tuple[str, bytes, int]]:
    for message in codec.encode(kind, batch, flow_heartbeats=flow_heartbeats):
        yield topic_of(kind), message.value, message.timestamp_ms


def _rows(batch: Any) -> list[dict[str, Any]]:
    names = [name for name in batch.schema.names if batch.column(name).null_count < batch.num_rows]
    columns = [batch.column(name) for name in names]
    plain = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns]
    return pa.RecordBatch.from_arrays(plain, names=names).to_pylist()
