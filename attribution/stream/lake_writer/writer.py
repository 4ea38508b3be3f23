"""The job's output topics to the Parquet layout of a lake, each row once, whatever happens to the writer.

Where to go on is said by the files themselves (`stream.lake_writer.offset_files`), not by offsets that the broker
keeps; those are committed all the same, for tools that show how far a group has come. Writers share a folder as they
share the topics' partitions: Kafka gives each partition to one of them, and a lock in the folder makes sure of it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution.errors import BrokerError, LakeError
from attribution.lake.layout import FOLDERS
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.lake_writer.offset_files import PartitionFiles
from attribution.stream.topics import TOPICS, topic_of
from attribution.stream.wire.arrow_frames import UnsoundError
from attribution.stream.wire.dead_letters import Rejected
from attribution.stream.wire.job_output import read_written

#: What a lake is made of: what the job writes, and the evidence that questions look up.
LAKE_KINDS = tuple(kind for kind in TOPICS if kind in FOLDERS)

_BEGINNING = -2
_POLL_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
#: How often lags are looked up and partitions tried that another process still has.
_LOOK_S = 1.0
_CONSUMER = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "cooperative-sticky",
    # Messages are large, and most of what is read ahead waits.
    "queued.max.messages.kbytes": 65_536,
}

_Place = tuple[str, int]


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


@dataclass
class _Partition:
    """One partition of this writer.

    Attributes:
        kind: what is in its topic.
        files: its files; None while another process has them.
        opened: when the first row that is in no file yet was added; None where there is none.
        ended: whether everything in it was read.
    """

    kind: str
    files: PartitionFiles | None = None
    opened: float | None = None
    ended: bool = False


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
        self._kinds = {topic_of(kind, prefix=self._writing.prefix): kind for kind in LAKE_KINDS}
        self._partitions: dict[_Place, _Partition] = {}
        self._consumer: Any = None
        self._pause_s = 0.0
        self._retry_at: float | None = None
        self._looked = 0.0

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
        session_ms = int(self._writing.session_timeout_s * 1000)
        group = {"group.id": self._writing.group, "session.timeout.ms": session_ms}
        self._consumer = self._broker.consumer({**_CONSUMER, **group})
        try:
            self._consumer.subscribe(
                list(self._kinds), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
            with self._broker.asking("read the topics of the lake"):
                while not stop() and not self._at_end():
                    self._turn()
                self._finish_all()
        except OSError as error:
            raise LakeError(
                f"cannot write the lake {self._lake}: {_why(error)}; nothing is lost: make room and start again, and "
                "what is missing will be read again"
            ) from None
        finally:
            self._close()

    def _turn(self) -> None:
        """Take one message, and do what is due."""
        message = self._consumer.poll(_POLL_S)
        now = time.monotonic()
        try:
            if self._retry_at is None:
                if message is not None:
                    self._take(message)
                self._finish_due(now)
            elif now >= self._retry_at:
                self._go_on()
            if now - self._looked >= _LOOK_S:
                self._looked = now
                self._look()
        except OSError as error:
            self._hold(error)

    def _take(self, message: Any) -> None:
        place = message.topic(), message.partition()
        partition = self._partitions.get(place)
        if message.error() is not None:
            self._fault(place, message.error())
        elif partition is not None and partition.files is not None:
            partition.ended = False
            offset = message.offset()
            try:
                partition.files.add(offset, read_written(partition.kind, message.value()))
            except UnsoundError as error:
                partition.files.add_unreadable(offset, Rejected(None, error.reason, error.found))
                self._metrics.add("attribution_lake_unreadable_messages_total", topic=place[0])
            if partition.files.rows:
                partition.opened = partition.opened or time.monotonic()
                self._finish_large(place, partition.files)

    def _fault(self, place: _Place, error: Any) -> None:
        partition = self._partitions.get(place)
        if error.name() == "_PARTITION_EOF":
            if partition is not None:
                partition.ended = True
        elif error.name() == "_AUTO_OFFSET_RESET":
            self._gone(place, partition)
        elif error.name() != "_MAX_POLL_EXCEEDED" and (error.fatal() or not error.retriable()):
            # After a long pause (the machine slept) the client joins the group again by itself.
            raise BrokerError(f"cannot read {place[0] or 'the topics'} from {self._broker.servers}: {error.str()}")

    def _gone(self, place: _Place, partition: _Partition | None) -> None:
        """The next offset is not in the topic: its messages were deleted, or the topic was made anew."""
        if partition is None or partition.files is None:
            return
        first, end = self._consumer.get_watermark_offsets(self._broker.place(*place, 0), timeout=15)
        wanted = partition.files.position or 0
        lost = max(first - wanted, 0)
        found = f"the lake needs offset {wanted} of {place[0]} {place[1]}, which has {first} to {end - 1}"
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
        self._metrics.add("attribution_lake_lost_messages_total", lost, topic=place[0])
        self._say(f"{found}: {lost} messages are lost")
        self._go_to(place, first)

    # Files

    def _finish_large(self, place: _Place, files: PartitionFiles) -> None:
        """Finish a partition that has many rows, and the largest where all together have, which bounds memory."""
        if files.rows < self._writing.flush_rows:
            held = {key: one.files.rows for key, one in self._partitions.items() if one.files is not None}
            if sum(held.values()) < 2 * self._writing.flush_rows:
                return
            place = max(held, key=held.__getitem__)
        self._finish(place, self._partitions[place])

    def _finish_due(self, now: float) -> None:
        for place, partition in self._partitions.items():
            if partition.opened is not None and now - partition.opened >= self._writing.flush_s:
                self._finish(place, partition)

    def _finish_all(self) -> None:
        for place, partition in self._partitions.items():
            self._finish(place, partition)

    def _finish(self, place: _Place, partition: _Partition) -> None:
        if partition.files is None:
            return
        rows = partition.files.rows
        files = partition.files.finish()
        partition.opened = None
        if files:
            if self._pause_s:
                self._say(f"writing the lake {self._lake} goes on")
                self._pause_s = 0
            self._metrics.add("attribution_lake_rows_total", rows, topic=place[0])
            self._metrics.add("attribution_lake_files_total", files, topic=place[0])
            # For people to see; where to go on is said by the files.
            self._consumer.commit(offsets=[self._broker.place(*place, partition.files.position or 0)])

    def _hold(self, error: OSError) -> None:
        """Nothing can be written: drop what is in no file, wait, and read it again."""
        self._metrics.add("attribution_lake_write_failures_total")
        self._metrics.set("attribution_lake_waiting", 1)
        if not self._pause_s:
            self._say(
                f"cannot write the lake {self._lake}: {_why(error)}. Nothing is lost: writing goes on when it can be "
                "written again"
            )
        for partition in self._partitions.values():
            partition.opened, partition.ended = None, False
            if partition.files is not None:
                partition.files.abandon()
        self._consumer.pause(self._consumer.assignment())
        self._pause_s = min(max(_FIRST_PAUSE_S, 2 * self._pause_s), _LONGEST_PAUSE_S)
        self._retry_at = time.monotonic() + self._pause_s

    def _go_on(self) -> None:
        """Read what was dropped again, and try to write it."""
        for place, partition in self._partitions.items():
            if partition.files is not None:
                partition.files.recover()
                self._seek(place, partition.files)
        self._retry_at = None
        self._metrics.set("attribution_lake_waiting", 0)

    def _seek(self, place: _Place, files: PartitionFiles) -> None:
        self._go_to(place, _BEGINNING if files.position is None else files.position)

    def _go_to(self, place: _Place, offset: int) -> None:
        """Read on from an offset; what was read ahead is dropped."""
        where = [self._broker.place(*place, offset)]
        # Not `seek`, which a partition refuses whose offset was not found, or that was assigned a moment ago.
        self._consumer.incremental_unassign(where)
        self._consumer.incremental_assign(where)
        self._consumer.resume(where)

    # Partitions

    def _assigned(self, consumer: Any, places: list[Any]) -> None:
        waiting = []
        for place in places:
            partition = _Partition(self._kinds[place.topic])
            self._partitions[place.topic, place.partition] = partition
            files = self._taken((place.topic, place.partition), partition)
            place.offset = _BEGINNING if files is None or files.position is None else files.position
            if files is None or self._retry_at is not None:
                waiting.append(place)
        consumer.incremental_assign(places)
        if waiting:
            consumer.pause(waiting)

    def _taken(self, place: _Place, partition: _Partition) -> PartitionFiles | None:
        """The partition's files if no other process has them."""
        try:
            partition.files = PartitionFiles.take(self._lake, partition.kind, *place)
        except OSError as error:
            self._hold(error)
        return partition.files

    def _revoked(self, consumer: Any, places: list[Any]) -> None:
        """Others get these partitions: what was read of them goes to files first, or is dropped."""
        for place in places:
            key = place.topic, place.partition
            partition = self._partitions.get(key)
            if partition is not None and partition.files is not None:
                try:
                    self._finish(key, partition)
                except OSError as error:
                    self._hold(error)
                partition.files.release()
            self._partitions.pop(key, None)
        consumer.incremental_unassign(places)

    def _look(self) -> None:
        """Try for the partitions that another process still has; bring the gauges up to date."""
        for place, partition in self._partitions.items():
            if partition.files is None and self._retry_at is None:
                files = self._taken(place, partition)
                if files is not None:
                    self._seek(place, files)
        gauges: dict[str, dict[str, float]] = {topic: {"lag": 0, "open": 0, "had": 0} for topic in self._kinds}
        for read in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(read, cached=True)
            had = self._partitions.get((read.topic, read.partition))
            if had is not None and had.files is not None:
                found = gauges[read.topic]
                found["had"] += 1
                found["open"] += had.files.rows
                found["lag"] += max(0, end - max(read.offset, 0))
        for topic, found in gauges.items():
            self._metrics.set("attribution_lake_partitions", found["had"], topic=topic)
            self._metrics.set("attribution_lake_open_rows", found["open"], topic=topic)
            self._metrics.set("attribution_lake_lag_messages", found["lag"], topic=topic)

    def _at_end(self) -> bool:
        if not (self._writing.stop_at_end and self._partitions and self._retry_at is None):
            return False
        return all(partition.ended for partition in self._partitions.values())

    def _close(self) -> None:
        for partition in self._partitions.values():
            if partition.files is not None:
                partition.files.release()
        self._partitions.clear()
        self._consumer.close()


def _why(error: OSError) -> str:
    """What the system says; Arrow wraps it into words of its own."""
    return os.strerror(error.errno) if error.errno else str(error)
