"""What one region says to another, from its own topic to the peer's topic; at least once, however long it takes.

The consumer sees only what the job has committed. An offset is committed when the peer's broker has acknowledged the
message and all before it. After a crash some messages go again; the jobs recognise them. While the peer is down,
librdkafka tries again and again, with a growing pause, and reading stops when enough messages wait.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from attribution.errors import BrokerError
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client import (
    Consumer,
    KafkaError,
    Message,
    PartitionId,
    Producer,
    TopicPartition,
    is_end,
    is_lasting,
)
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.topics import from_region, to_region

_POLL_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
#: How often offsets are committed and the lag is looked up.
_LOOK_S = 1.0
#: How long a stop waits for what is under way; what is not acknowledged then goes again.
_LAST_S = 5.0
#: Bytes under way from which on nothing more is read.
_ENOUGH_BYTES, _ENOUGH_MESSAGES = 32 << 20, 100_000
_CONSUMER = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 32_768,
}
_PRODUCER = {
    "enable.idempotence": True,
    "max.in.flight": 1,  # see `attribution.stream.publish.publish`
    "message.timeout.ms": 0,  # for ever
    "linger.ms": 500,
    "batch.size": 1_000_000,
    "message.max.bytes": 2_000_000,
    "queue.buffering.max.kbytes": 131_072,
    "queue.buffering.max.messages": 1_000_000,
}

_Made = TypeVar("_Made")


@dataclass(frozen=True, kw_only=True)
class Way:
    """From where to where.

    Attributes:
        region: the region at home.
        peer: the region that it goes to.
        prefix: of the topics' names at home.
        peer_prefix: of the topics' names at the peer.
    """

    region: str
    peer: str
    prefix: str = ""
    peer_prefix: str = ""

    @property
    def source(self) -> str:
        """The topic at home."""
        return to_region(self.peer, prefix=self.prefix)

    @property
    def target(self) -> str:
        """The topic at the peer."""
        return from_region(self.region, prefix=self.peer_prefix)


@dataclass
class _Partition:
    """Offsets of one partition.

    Attributes:
        waiting: offsets of the messages that are under way, in their order.
        next: the offset after the last message that was read, and after the marks of transactions behind it.
        committed: the offset that was committed last.
        ended: whether everything in it was read.
    """

    waiting: dict[int, None] = field(default_factory=dict)
    next: int | None = None
    committed: int | None = None
    ended: bool = False

    @property
    def position(self) -> int | None:
        """All before it were acknowledged."""
        return next(iter(self.waiting), self.next)


class Forwarder:
    """Copies the messages of one topic until it is told to stop. Several of one way share its partitions.

    Args:
        home: where the messages are.
        peer: where they go.
        way: which.
        metrics: counts them.
        say: called with a message for people when a broker cannot be reached, and when it can again.
    """

    def __init__(
        self,
        home: Broker,
        peer: Broker,
        *,
        way: Way,
        metrics: Metrics | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._home, self._peer, self._way = home, peer, way
        self._metrics, self._say = metrics or Metrics(), say
        self._partitions: dict[PartitionId, _Partition] = {}
        self._consumer: Consumer
        self._producer: Producer
        self._waiting_bytes = 0
        self._paused = False
        self._failure = ""
        self._looked_s = 0.0

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Forward until `stop` is true.

        Raises:
            BrokerError: a topic is missing, or a broker refuses a message for ever.
        """
        group = f"attribution-forward-{self._way.source}"
        producer = self._reached(stop, self._client_of_peer)
        consumer = self._reached(stop, lambda: self._client_at_home(group))
        if producer is None or consumer is None:
            return
        self._producer, self._consumer = producer, consumer
        try:
            self._consumer.subscribe([self._way.source], on_revoke=self._revoked, on_lost=self._revoked)
            with self._home.asking(f"forward {self._way.source}"):
                while not stop():
                    self._turn()
                self._producer.flush(_LAST_S)
                self._commit(asynchronous=False)
                self._look()
        finally:
            self._consumer.close()
            self._producer.purge()

    def _reached(self, stop: Callable[[], bool], make: Callable[[], _Made]) -> _Made | None:
        """What `make` gives once the broker can be reached; None when it is to stop."""
        pause_s = _FIRST_PAUSE_S
        while not stop():
            try:
                return make()
            except BrokerError as error:
                self._say(f"{error}; trying again")
                until_s = time.monotonic() + pause_s
                while time.monotonic() < until_s and not stop():
                    time.sleep(_POLL_S)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return None

    def _client_of_peer(self) -> Producer:
        producer = self._peer.producer(_PRODUCER)
        self._check(self._peer, self._way.target, self._way.region)
        return producer

    def _client_at_home(self, group: str) -> Consumer:
        consumer = self._home.consumer({**_CONSUMER, "group.id": group})
        self._check(self._home, self._way.source, self._way.peer)
        return consumer

    def _check(self, broker: Broker, topic: str, region: str) -> None:
        if topic not in broker.partitions([topic]):
            raise BrokerError(
                f"there is no topic {topic} at {broker.servers}: `attribution topics create --peer {region}` makes it"
            )

    def _turn(self) -> None:
        full = self._waiting_bytes >= _ENOUGH_BYTES or len(self._producer) >= _ENOUGH_MESSAGES
        if full != self._paused:
            assigned = self._consumer.assignment()
            (self._consumer.pause if full else self._consumer.resume)(assigned)
            self._paused = full
        message = self._consumer.poll(_POLL_S)
        if message is not None:
            self._take(message)
        self._producer.poll(0)
        if self._failure:
            raise BrokerError(
                f"cannot forward to {self._way.target} at {self._peer.servers}: {self._failure}; nothing is lost: what "
                "was not acknowledged goes again after the next start"
            )
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._commit()
            self._look()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None and not is_end(error):
            if is_lasting(error):
                raise BrokerError(f"cannot read {self._way.source} from {self._home.servers}: {error.str()}")
            return
        partition = self._partitions.setdefault((message.topic(), message.partition()), _Partition())
        offset, size = message.offset(), len(message.value() or b"")
        partition.ended = error is not None
        if partition.ended:
            partition.next = offset
            return
        partition.waiting[offset] = None
        partition.next = offset + 1
        self._waiting_bytes += size
        delivered = partial(self._delivered, partition, offset, size)
        # No key: any partition will do. The producer's buffer is larger than what is let wait.
        self._producer.produce(self._way.target, message.value(), on_delivery=delivered)

    def _delivered(self, partition: _Partition, offset: int, size: int, error: KafkaError | None, _: Message) -> None:
        self._waiting_bytes -= size
        if error is None:
            partition.waiting.pop(offset, None)
            self._metrics.add("attribution_forwarded_messages_total", peer=self._way.peer)
        elif error.name() != "_PURGE_QUEUE":
            self._failure = error.str()

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Others get these partitions, and read again what is not committed."""
        self._commit()
        for one in partitions:
            self._partitions.pop((one.topic, one.partition), None)

    def _commit(self, *, asynchronous: bool = True) -> None:
        offsets = []
        for (topic, number), partition in self._partitions.items():
            if partition.position is not None and partition.position != partition.committed:
                partition.committed = partition.position
                offsets.append(self._home.topic_partition(topic, number, partition.position))
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)

    def _look(self) -> None:
        lag = 0
        for read in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(read, cached=True)
            known = self._partitions.get((read.topic, read.partition))
            lag += 0 if known and known.ended else max(end - max(read.offset, 0), 0)
        waiting = sum(len(partition.waiting) for partition in self._partitions.values())
        self._metrics.set("attribution_forward_lag_messages", lag, peer=self._way.peer)
        self._metrics.set("attribution_forward_waiting_messages", waiting, peer=self._way.peer)
