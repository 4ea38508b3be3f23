"""The job's output topics to the Parquet layout of a lake, each row once, whatever happens to the writer.

The files themselves say where to go on (`stream.lake_writer.offset_files`), not the offsets that the broker keeps.
Offsets are committed all the same, for tools that show how far a group has come. Writers share a folder as they share
the topics' partitions: Kafka gives each partition to one writer, and a lock in the folder makes sure of it.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from attribution.errors import BrokerError, LakeError
from attribution.lake.layout import FOLDERS
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client import KafkaError, Message, PartitionId, is_end, is_lasting
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.lake_writer.consumer import LakeConsumer
from attribution.stream.lake_writer.offset_files import PartitionFiles
from attribution.stream.lake_writer.partitions import Finished, Partition, Partitions
from attribution.stream.topics import TOPICS, topic_of
from attribution.stream.wire.arrow_frames import UnsoundError
from attribution.stream.wire.dead_letters import Rejected
from attribution.stream.wire.job_output import read_written

#: What a lake is made of: what the job writes, and the evidence that questions look up.
LAKE_KINDS = tuple(kind for kind in TOPICS if kind in FOLDERS)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
#: How often lags are looked up and partitions tried that another process still has.
_LOOK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How to write.

    Attributes:
        group: the consumer group, that of the lake (`attribution.stream.lake_writer.lake_folder.open_lake`).
        prefix: of the topics' names.
        flush_s: seconds after which what is open becomes visible.
        flush_rows: rows of a partition that become visible earlier.
        stop_at_end: stop when everything that there is has been written.
        accept_loss: go on behind messages that the topic has deleted before they were read.
        session_timeout_s: seconds after which a writer that is not heard of loses its partitions. So long does another
            one, or its own next start, wait for them after a crash; the locks make a short one safe.
    """

    group: str
    prefix: str = ""
    flush_s: float = 60
    flush_rows: int = 1_000_000
    stop_at_end: bool = False
    accept_loss: bool = False
    session_timeout_s: float = 10


class LakeWriter:
    """Writes topics to a lake until it is told to stop.

    Args:
        lake: the folder, with its manifest.
        broker: where the topics are.
        writing: how.
        metrics: counts what was written.
        say: called with a message for people when writing stops and when it goes on.
    """

    def __init__(
        self,
        lake: Path,
        broker: Broker,
        *,
        writing: Writing,
        metrics: Metrics | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._lake, self._broker = lake, broker
        self._writing = writing
        self._metrics, self._say = metrics or Metrics(), say
        self._kinds = {topic_of(kind, prefix=writing.prefix): kind for kind in LAKE_KINDS}
        self._partitions = Partitions(lake, flush_s=writing.flush_s, flush_rows=writing.flush_rows)
        self._consumer: LakeConsumer
        self._pause_s = 0.0
        self._retry_at_s: float | None = None
        self._looked_s = 0.0

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Write until `stop` is true, or with `stop_at_end` until the end; what was read is in files then.

        Raises:
            BrokerError: the broker cannot be reached, a topic is missing, or its messages are gone.
            LakeError: the last rows cannot be written; nothing is lost, a next run reads them again.
        """
        missing = set(self._kinds) - set(self._broker.partitions(list(self._kinds)))
        if missing:
            raise BrokerError(
                f"cannot read from {self._broker.servers}: there is no topic {', '.join(sorted(missing))}; "
                "`attribution topics create` makes it"
            )
        self._consumer = LakeConsumer(
            self._broker,
            list(self._kinds),
            group=self._writing.group,
            session_timeout_s=self._writing.session_timeout_s,
            assigned=self._assigned,
            revoked=self._revoked,
        )
        try:
            with self._broker.asking("read the topics of the lake"):
                while not stop() and not self._at_end():
                    self._turn()
                self._note(self._partitions.finish_all())
        except OSError as error:
            raise LakeError(
                f"cannot write the lake {self._lake}: {_why(error)}; nothing is lost: make room and start again, and "
                "what is missing will be read again"
            ) from None
        finally:
            self._partitions.clear()
            self._consumer.close()

    def _at_end(self) -> bool:
        return self._writing.stop_at_end and self._retry_at_s is None and self._partitions.ended

    def _turn(self) -> None:
        """Take one message, and do what is due."""
        message = self._consumer.poll()
        now_s = time.monotonic()
        try:
            if self._retry_at_s is None:
                if message is not None:
                    self._take(message)
                self._note(self._partitions.finish_due(now_s))
            elif now_s >= self._retry_at_s:
                self._go_on()
            if now_s - self._looked_s >= _LOOK_S:
                self._looked_s = now_s
                self._lock_waiting()
                self._show()
        except OSError as error:
            self._hold(error)

    def _take(self, message: Message) -> None:
        topic, offset = message.topic(), message.offset()
        partition = self._partitions.get((topic, message.partition()))
        error = message.error()
        if error is not None:
            self._fault(message, partition, error)
        elif partition is not None and partition.files is not None:
            partition.ended = False
            try:
                partition.files.add(offset, read_written(partition.kind, message.value()))
            except UnsoundError as unsound:
                partition.files.add_unreadable(offset, Rejected(None, unsound.reason, unsound.found))
                self._metrics.add("attribution_lake_unreadable_messages_total", topic=topic)
            if partition.files.rows:
                partition.opened_s = partition.opened_s or time.monotonic()
                self._note(self._partitions.finish_large(partition))

    def _fault(self, message: Message, partition: Partition | None, error: KafkaError) -> None:
        topic = message.topic()
        if is_end(error):
            if partition is not None:
                partition.ended = True
                if partition.files is not None and partition.files.read_to(message.offset()):
                    partition.opened_s = partition.opened_s or time.monotonic()
        elif error.name() == "_AUTO_OFFSET_RESET":
            self._gone(partition)
        elif is_lasting(error):
            raise BrokerError(f"cannot read {topic or 'the topics'} from {self._broker.servers}: {error.str()}")

    def _gone(self, partition: Partition | None) -> None:
        """The next offset is not in the topic: its messages were deleted, or the topic was made anew."""
        if partition is None or partition.files is None:
            return
        topic, number = partition.id
        first, end = self._consumer.offsets(partition.id)
        wanted = partition.files.position or 0
        lost = max(first - wanted, 0)
        found = f"the lake needs offset {wanted} of {topic} {number}, which has {first} to {end - 1}"
        if not lost or not self._writing.accept_loss:
            raise BrokerError(
                f"cannot go on: {found}. "
                + (
                    f"{lost} messages were deleted before they were read; keep them for longer, and start with "
                    "--accept-loss to go on behind them"
                    if lost
                    else "The topic was made anew: write to another folder"
                )
            )
        self._metrics.add("attribution_lake_lost_messages_total", lost, topic=topic)
        self._say(f"{found}: {lost} messages are lost")
        self._consumer.read_from(partition.id, first)

    def _note(self, finished: Iterable[Finished]) -> None:
        for one in finished:
            if self._pause_s:
                self._say(f"writing the lake {self._lake} goes on")
                self._pause_s = 0
            self._metrics.add("attribution_lake_rows_total", one.rows, topic=one.id[0])
            self._metrics.add("attribution_lake_files_total", one.files, topic=one.id[0])
            self._consumer.commit(one.id, one.position)

    def _hold(self, error: OSError) -> None:
        """Nothing can be written: drop what is in no file, wait, and read it again."""
        self._metrics.add("attribution_lake_write_failures_total")
        self._metrics.set("attribution_lake_waiting", 1)
        if not self._pause_s:
            self._say(
                f"cannot write the lake {self._lake}: {_why(error)}. Nothing is lost: writing goes on when it can be "
                "written again"
            )
        self._partitions.abandon()
        self._consumer.pause()
        self._pause_s = min(max(_FIRST_PAUSE_S, 2 * self._pause_s), _LONGEST_PAUSE_S)
        self._retry_at_s = time.monotonic() + self._pause_s

    def _go_on(self) -> None:
        """Read what was dropped again, and try to write it."""
        for partition in self._partitions:
            if partition.files is not None:
                self._consumer.read_from(partition.id, partition.files.recover())
        self._retry_at_s = None
        self._metrics.set("attribution_lake_waiting", 0)

    def _assigned(self, added: PartitionId) -> tuple[int | None, bool]:
        files = self._lock(self._partitions.add(added, self._kinds[added[0]]))
        return None if files is None else files.position, files is not None and self._retry_at_s is None

    def _revoked(self, taken: PartitionId) -> None:
        """Another writer gets a partition: what was read of it goes to files first, or is dropped."""
        partition = self._partitions.get(taken)
        if partition is None:
            return
        try:
            self._note(self._partitions.finish(partition))
        except OSError as error:
            self._hold(error)
        self._partitions.remove(partition)

    def _lock(self, partition: Partition) -> PartitionFiles | None:
        try:
            return self._partitions.lock(partition)
        except OSError as error:
            self._hold(error)
            return None

    def _lock_waiting(self) -> None:
        """Try for the partitions that another process still has."""
        for partition in self._partitions:
            if partition.files is None and self._retry_at_s is None:
                files = self._lock(partition)
                if files is not None:
                    self._consumer.read_from(partition.id, files.position)

    def _show(self) -> None:
        """Bring the gauges up to date."""
        had, open_rows, behind = (dict.fromkeys(self._kinds, 0) for _ in range(3))
        for (topic, number), lag in self._consumer.lags().items():
            partition = self._partitions.get((topic, number))
            if partition is not None and partition.files is not None:
                had[topic] += 1
                open_rows[topic] += partition.files.rows
                behind[topic] += 0 if partition.ended else lag
        for topic in self._kinds:
            self._metrics.set("attribution_lake_partitions", had[topic], topic=topic)
            self._metrics.set("attribution_lake_open_rows", open_rows[topic], topic=topic)
            self._metrics.set("attribution_lake_lag_messages", behind[topic], topic=topic)


def _why(error: OSError) -> str:
    """What the system says; Arrow wraps it into words of its own."""
    return os.strerror(error.errno) if error.errno else str(error)
