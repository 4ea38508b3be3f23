"""The job's stages in one process: what Flink's operators do with splitter and buckets, without Flink and Kafka."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from attribution.config import Microseconds, Settings
from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.schema import ATTRIBUTED_FLOW, LABEL, OWNERSHIP_RANGE, arrow_schema
from attribution.sources.records.model import FlowHeartbeats
from attribution.stream.buckets.bucket import Bucket
from attribution.stream.job.intake import Intake
from attribution.stream.job.split import Entry, Splitter, Stage
from attribution.stream.topics import TOPICS
from attribution.stream.wire import codec
from attribution.stream.wire.job_output import read_written

#: A bucket, of which every stage has its own.
_Key = tuple[Stage, int]


@dataclass(frozen=True)
class DeadLetter:
    """A row that could not be used.

    Attributes:
        topic: the topic of its message.
        row: row of the Arrow batch or line of the JSON text, from 1; None if the whole message is meant.
        reason: a reason of `docs/reference/rejects.md`.
        found: what stood there.
    """

    topic: str
    row: int | None
    reason: str
    found: str


@dataclass(frozen=True)
class Checkpoint:
    """A moment to which a stream can go back: its state, and what it had written by then.

    Attributes:
        logs: the entries of each bucket's log.
        attributed: record batches of attributed flows.
        ranges: tables of ownership ranges.
        dead_letters: rows that could not be used.
    """

    logs: dict[_Key, tuple[bytes, ...]]
    attributed: tuple[pa.RecordBatch, ...]
    ranges: tuple[pa.Table, ...]
    dead_letters: tuple[DeadLetter, ...]


class EmbeddedStream:
    """Takes messages, holds flows, and gives them out attributed as time goes on.

    Messages are decoded, split and kept in buckets by the job's own code. The log of each bucket, which in the job is
    Flink's keyed state, is a list here. A bucket that was lost is made again from its log.

    Args:
        settings: the settings of the rules.
        labels: table of `schemas/label.avsc`; none by default.
        buckets: how many buckets each of the two stages has.

    Attributes:
        attributed: record batches of the flows that have gone out, as their topic has them.
        dead_letters: rows that could not be used.
    """

    def __init__(self, settings: Settings, *, labels: pa.Table | None = None, buckets: int = 3) -> None:
        self._settings = settings
        self._labels = arrow_schema(LABEL).empty_table() if labels is None else labels
        self._intake, self._splitter = Intake(settings), Splitter(settings, buckets=buckets)
        self._logs: dict[_Key, list[bytes]] = {}
        self._buckets: dict[_Key, Bucket] = {}
        self._ranges: list[pa.Table] = []
        self.attributed: list[pa.RecordBatch] = []
        self.dead_letters: list[DeadLetter] = []

    @property
    def ranges(self) -> pa.Table:
        """The ownership ranges that are over: a table of `schemas/ownership_range.avsc`."""
        return pa.concat_tables([arrow_schema(OWNERSHIP_RANGE).empty_table(), *self._ranges])

    @property
    def held(self) -> int:
        """How many flows wait."""
        return sum(self._bucket(key).attributor.held for key in sorted(self._logs))

    def receive(self, kind: str, value: bytes | None) -> None:
        """Take a message.

        Args:
            kind: the kind of record that its topic is for.
            value: Arrow or JSON, as `attribution.stream.wire.codec.decode` reads.
        """
        own = self._intake.own(kind, codec.decode(kind, value))
        self.dead_letters += [DeadLetter(TOPICS[kind], one.row, one.reason, one.found) for one in own.rejects]
        self.send(kind, own.batch, own.flow_heartbeats)

    def send(self, kind: str, batch: pa.RecordBatch, flow_heartbeats: FlowHeartbeats = "interval") -> None:
        """Take a canonical record batch of `schemas/KIND.avsc`, as if it had been decoded."""
        for entry in self._splitter.split(kind, batch, flow_heartbeats):
            self._take(entry)

    def advance(self, watermark_us: Microseconds) -> None:
        """Let the watermark pass both stages, the local stage first; flows that are due go out."""
        for stage in ("local", "remote"):
            for key in sorted(key for key in self._logs if key[0] == stage):
                released, entries = self._bucket(key).advance(watermark_us)
                self._logs[key] += entries
                for rows in released:
                    self._release(stage, rows)

    def settle(self) -> None:
        """Compact the state, forget old evidence, and give out the ranges that are over."""
        for key in sorted(self._logs):
            self._logs[key], ranges = self._bucket(key).settle()
            if ranges is not None:
                self._ranges.append(ranges)

    def finish(self) -> None:
        """Let time end: all flows go out, and all ranges are over."""
        self.advance(NEVER_AFTER)
        self.settle()

    def crash(self) -> None:
        """Lose all that is not in the logs; buckets are made again from these."""
        self._buckets.clear()

    def checkpoint(self) -> Checkpoint:
        """A moment to which `restore` goes back."""
        logs = {key: tuple(log) for key, log in self._logs.items()}
        return Checkpoint(logs, tuple(self.attributed), tuple(self._ranges), tuple(self.dead_letters))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint, of this stream or of another one with the same settings and as many buckets."""
        self.crash()
        self._logs = {key: list(log) for key, log in checkpoint.logs.items()}
        self.attributed, self._ranges = list(checkpoint.attributed), list(checkpoint.ranges)
        self.dead_letters = list(checkpoint.dead_letters)

    def _take(self, entry: Entry) -> None:
        key = entry.stage, entry.bucket
        self._bucket(key).take(entry.content, 0)
        self._logs.setdefault(key, []).append(entry.content)

    def _bucket(self, key: _Key) -> Bucket:
        if key not in self._buckets:
            log = self._logs.get(key, ())
            self._buckets[key] = Bucket(self._settings, sides=key[0], labels=self._labels, log=log)
        return self._buckets[key]

    def _release(self, stage: Stage, rows: pa.RecordBatch) -> None:
        if stage == "remote":
            self.attributed += _written(rows)
            return
        for entry in self._splitter.halves(rows):
            self._take(entry)


def _written(attributed: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Attributed flows as whoever reads their topic has them."""
    for message in codec.encode(ATTRIBUTED_FLOW, attributed):
        yield read_written(ATTRIBUTED_FLOW, message.value)
