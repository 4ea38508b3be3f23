"""Messages on their way to the broker: spread over partitions, each acknowledged, and time told to every partition."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from attribution.config import SECOND, Microseconds
from attribution.errors import BrokerError
from attribution.schema import FLOW
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client import KafkaError
from attribution.stream.kafka.client import Message as Delivery
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.milliseconds import to_ms
from attribution.stream.publish.schedule import Part
from attribution.stream.topics import topic_of
from attribution.stream.wire.codec import Message, empty, encode

#: Rows of a message below which a period is not spread over more partitions.
_DENSE = 2000
_PRODUCER = {
    "enable.idempotence": True,
    # With several requests on their way, a partition whose leader is not ready can refuse the first and take the next;
    # librdkafka then reports the first as delivered, and it is lost. Topics that were just made show it.
    "max.in.flight": 1,
    "linger.ms": 20,
    "batch.size": 1_000_000,
    "compression.type": "none",  # the values are compressed already
    "queue.buffering.max.kbytes": 65_536,
}


@dataclass
class _Topic:
    """Where a topic stands.

    Attributes:
        name: its name.
        told_ms: the time up to which each partition was told that everything was reported.
        next: the partition whose turn it is.
    """

    name: str
    told_ms: list[int]
    next: int = 0


class Sender:
    """Sends messages and sees to it that each is acknowledged.

    Args:
        broker: where to.
        kinds: the kinds of records whose topics are sent to, or told the time.
        prefix: of the topics' names.
        timeout_s: seconds after which an undelivered message is given up.
        metrics: counts what was sent.

    Attributes:
        rows: acknowledged, by kind.
        messages: acknowledged, by kind.
    """

    def __init__(
        self, broker: Broker, kinds: Sequence[str], *, prefix: str, timeout_s: float, metrics: Metrics
    ) -> None:
        self._broker, self._metrics = broker, metrics
        names = {kind: topic_of(kind, prefix=prefix) for kind in kinds}
        partitions = broker.partitions(list(names.values()))
        self._topics = {kind: _Topic(name, [0] * partitions[name]) for kind, name in names.items()}
        self._producer = broker.producer({**_PRODUCER, "delivery.timeout.ms": int(timeout_s * 1000)})
        self._failure: str | None = None
        self._failed = 0
        self.rows: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()

    def send(self, part: Part) -> None:
        """Send rows, in their order; to several partitions where they are many."""
        topic = self._topics[part.kind]
        pieces = min(len(topic.told_ms), max(1, part.rows.num_rows // _DENSE))
        size = -(-part.rows.num_rows // pieces)
        flow_heartbeats = part.flow_heartbeats if part.kind == FLOW else None
        for start in range(0, part.rows.num_rows, size):
            partition, topic.next = topic.next, (topic.next + 1) % len(topic.told_ms)
            for message in encode(part.kind, part.rows.slice(start, size), flow_heartbeats=flow_heartbeats):
                # Configuration says nothing about time, so it comes before all of it; 0 is the present to the client.
                self._produce(part.kind, partition, replace(message, timestamp_ms=message.timestamp_ms or 1))

    def move_time(self, kinds: Sequence[str], moment_us: Microseconds, *, quiet_us: Microseconds = 0) -> None:
        """Tell the partitions of some topics that everything up to a moment was reported.

        Args:
            kinds: the kinds of records of the topics.
            moment_us: the moment.
            quiet_us: how far behind the moment a partition must be to be told.
        """
        for kind in kinds:
            for partition, told_ms in enumerate(self._topics[kind].told_ms):
                if told_ms < to_ms(moment_us - quiet_us):
                    self._produce(kind, partition, Message(empty(kind), to_ms(moment_us), 0))
        self._metrics.set("attribution_publish_time_seconds", moment_us / SECOND)

    def _produce(self, kind: str, partition: int, message: Message) -> None:
        topic = self._topics[kind]
        topic.told_ms[partition] = max(topic.told_ms[partition], message.timestamp_ms)
        delivered = partial(self._delivered, kind, message.rows)
        while True:
            try:
                self._producer.produce(
                    topic.name,
                    message.value,
                    partition=partition,
                    timestamp=message.timestamp_ms,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                self._poll(1.0)
        self._poll(0)

    def _delivered(self, kind: str, rows: int, error: KafkaError | None, _: Delivery) -> None:
        if error is None:
            self.rows[kind] += rows
            self.messages[kind] += 1
            self._metrics.add("attribution_published_rows_total", rows, kind=kind)
            self._metrics.add("attribution_published_messages_total", kind=kind)
        else:
            self._failed += 1
            if self._failure is None:
                # That it took too long says little; what the client complained about meanwhile says more.
                why = self._broker.complaints.last if error.name() == "_MSG_TIMED_OUT" else ""
                self._failure = f"{self._topics[kind].name}: {error.str()}{f' ({why})' if why else ''}"
            self._metrics.add("attribution_publish_failed_messages_total", kind=kind)

    def _poll(self, wait_s: float) -> None:
        self._producer.poll(wait_s)
        self._metrics.set("attribution_publish_waiting_messages", len(self._producer))
        if self._failure is not None:
            self._producer.purge()
            self._producer.flush(1)
            raise BrokerError(
                f"{self._failed} messages were not delivered to {self._broker.servers}, the first to {self._failure}; "
                f"{self.rows.total()} rows were. "
                "Rows that are published again are counted twice: make the topics anew, or publish what is missing"
            )

    def wait_until(self, moment_s: float) -> None:
        """Wait until the monotonic clock shows a moment, delivering meanwhile."""
        while (left_s := moment_s - time.monotonic()) > 0:
            self._poll(min(left_s, 1.0))

    def flush(self) -> None:
        """Wait until every message is acknowledged or given up."""
        while len(self._producer):
            self._producer.flush(0.5)
            self._poll(0)
        self._poll(0)
