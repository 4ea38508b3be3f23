"""What is used of Kafka's client library, which ships no types: confluent_kafka's classes as protocols."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

#: Name of a topic, and number of a partition of it.
PartitionId = tuple[str, int]

#: librdkafka's name of an error: this process did not poll for so long that it left its group.
_MAX_POLL_EXCEEDED = "_MAX_POLL_EXCEEDED"


class KafkaError(Protocol):
    """What a client complains about, or what a message says in place of a value."""

    def name(self) -> str:
        """The name of its code; it begins with `_` if the client itself made the error."""

    def str(self) -> str:
        """The error in words."""

    def fatal(self) -> bool:
        """Whether the client can do no more."""

    def retriable(self) -> bool:
        """Whether the same may succeed later."""


class Message(Protocol):
    """A message that was read, or an error in its place."""

    def error(self) -> KafkaError | None:
        """The error; None for a message."""

    def topic(self) -> str:
        """The topic that it was read from; empty for an error that is of none."""

    def partition(self) -> int:
        """The partition that it was read from."""

    def offset(self) -> int:
        """Its offset in the partition."""

    def value(self) -> bytes | None:
        """Its value; None for a tombstone."""


class TopicPartition(Protocol):
    """A partition, and an offset in it."""

    topic: str
    partition: int
    offset: int


class _PartitionMetadata(Protocol):
    replicas: Sequence[int]


class _TopicMetadata(Protocol):
    partitions: Mapping[int, _PartitionMetadata]


class ClusterMetadata(Protocol):
    """What a broker says of its cluster."""

    cluster_id: str
    topics: Mapping[str, _TopicMetadata]


class Client(Protocol):
    """What clients of all kinds have."""

    def list_topics(self, *, timeout: float) -> ClusterMetadata:
        """The cluster's metadata."""

    def poll(self, timeout: float) -> object:
        """Call the callbacks that are due."""


class _Future(Protocol):
    def result(self) -> object:
        """Wait for the outcome."""


class _ConfigEntry(Protocol):
    value: str


class _Configs(Protocol):
    def result(self) -> Mapping[str, _ConfigEntry]:
        """Wait for the settings, by name."""


class AdminClient(Client, Protocol):
    """Manages topics."""

    def create_topics(
        self, new_topics: Sequence[object], *, operation_timeout: float, request_timeout: float
    ) -> Mapping[str, _Future]:
        """Begin to make topics; an outcome for each."""

    def describe_configs(self, resources: Sequence[object], *, request_timeout: float) -> Mapping[object, _Configs]:
        """Ask for the settings of topics."""


class Producer(Client, Protocol):
    """Sends messages."""

    def produce(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int = ...,
        timestamp: int = ...,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        """Begin to send a message; `timestamp` is milliseconds, and 0 is the present."""

    def flush(self, timeout: float) -> int:
        """Wait until all is delivered, at most so long; the number of messages that are not."""

    def purge(self) -> None:
        """Give up what is not delivered."""

    def __len__(self) -> int: ...


OnChange = Callable[["Consumer", list[TopicPartition]], None]


class Consumer(Client, Protocol):
    """Reads messages, as one of a group."""

    def poll(self, timeout: float) -> Message | None:
        """The next message; None where there is none in time."""

    def subscribe(
        self, topics: Sequence[str], *, on_assign: OnChange = ..., on_revoke: OnChange, on_lost: OnChange
    ) -> None:
        """Join the group; the callbacks are called within `poll`."""

    def assignment(self) -> list[TopicPartition]:
        """The partitions that this consumer reads."""

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions too, from their offsets on."""

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions no longer."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out no messages of these partitions."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Hand out messages of these partitions again."""

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """The partitions with the offsets that are read next; negative where none was read yet."""

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = ..., *, cached: bool = ...
    ) -> tuple[int, int]:
        """The first offset of a partition, and the one after its last."""

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool = ...) -> object:
        """Note in the broker how far the group has come."""

    def close(self) -> None:
        """Leave the group."""


def is_end(error: KafkaError) -> bool:
    """Whether it says that everything committed in a partition was read; the offset beside it is the end."""
    return error.name() == "_PARTITION_EOF"


def is_lasting(error: KafkaError) -> bool:
    """Whether a consumer that met an error cannot go on.

    After a long pause (the machine slept) the client joins its group again by itself.
    """
    return error.name() != _MAX_POLL_EXCEEDED and (error.fatal() or not error.retriable())
