"""The Kafka consumer of a lake writer: it starts where the lake's files end, not at offsets that the broker keeps."""

from collections.abc import Callable, Sequence

from attribution.stream.kafka.broker import ANSWER_S, Broker
from attribution.stream.kafka.client import Consumer, Message, PartitionId, TopicPartition

_BEGINNING = -2
_POLL_S = 0.2
_CONFIG = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "cooperative-sticky",
    # Messages are large, and most of what is read ahead waits.
    "queued.max.messages.kbytes": 65_536,
}


class LakeConsumer:
    """Reads the partitions that Kafka gives to one writer of a lake.

    Args:
        broker: where the topics are.
        topics: their names.
        group: the consumer group, which all writers of the lake share.
        session_timeout_s: seconds after which a writer that is not heard of loses its partitions.
        assigned: called with a partition that this writer has from now on. It returns the offset to read from, None for
            the first there is, and whether to read it now; else it waits until `read_from`.
        revoked: called with a partition that this writer has no longer.

    Raises:
        BrokerError: the broker could not be reached, or refused.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        *,
        group: str,
        session_timeout_s: float,
        assigned: Callable[[PartitionId], tuple[int | None, bool]],
        revoked: Callable[[PartitionId], None],
    ) -> None:
        self._broker, self._assigned, self._revoked = broker, assigned, revoked
        own = {"group.id": group, "session.timeout.ms": int(session_timeout_s * 1000)}
        self._consumer = broker.consumer({**_CONFIG, **own})
        self._consumer.subscribe(topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    def poll(self) -> Message | None:
        """The next message, or an error in its place; None where there is none in a while."""
        return self._consumer.poll(_POLL_S)

    def read_from(self, partition: PartitionId, offset: int | None) -> None:
        """Read on from an offset, None for the first there is; what was read ahead is dropped."""
        there = [self._broker.topic_partition(*partition, _offset(offset))]
        # Not `seek`, which a partition refuses whose offset was not found, or that was assigned a moment ago.
        self._consumer.incremental_unassign(there)
        self._consumer.incremental_assign(there)
        self._consumer.resume(there)

    def pause(self) -> None:
        """Read no partition until `read_from`."""
        self._consumer.pause(self._consumer.assignment())

    def offsets(self, partition: PartitionId) -> tuple[int, int]:
        """The first offset that a partition has, and the one after its last."""
        return self._consumer.get_watermark_offsets(self._broker.topic_partition(*partition), timeout=ANSWER_S)

    def lags(self) -> dict[PartitionId, int]:
        """The offsets from the message read next to the end of each partition, as far as the client knows.

        Marks of transactions have offsets too: where only marks are left to read, it is not 0.
        """
        lags = {}
        for read in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(read, cached=True)
            lags[read.topic, read.partition] = max(0, end - max(read.offset, 0))
        return lags

    def commit(self, partition: PartitionId, offset: int) -> None:
        """Tell the broker how far the lake has come: for people to see, since the files say where to go on."""
        self._consumer.commit(offsets=[self._broker.topic_partition(*partition, offset)])

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        waiting = []
        for one in partitions:
            offset, ready = self._assigned((one.topic, one.partition))
            one.offset = _offset(offset)
            if not ready:
                waiting.append(one)
        consumer.incremental_assign(partitions)
        if waiting:
            consumer.pause(waiting)

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._revoked((one.topic, one.partition))
        consumer.incremental_unassign(partitions)


def _offset(offset: int | None) -> int:
    return _BEGINNING if offset is None else offset
