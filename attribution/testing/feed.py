"""A feed of messages, watermarks, checkpoints and crashes, run through the job's stages."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeAlias

import pyarrow as pa

from attribution.config import SECOND, Microseconds, Settings
from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.core.columnar.dictionaries import plain
from attribution.errors import ConfigError
from attribution.schema import FLOW, LABEL, arrow_schema
from attribution.sources import Batch
from attribution.stream.topics import INPUT_TOPICS
from attribution.stream.wire import codec
from attribution.testing.stream import DeadLetter, EmbeddedStream

_KINDS = {topic: kind for kind, topic in INPUT_TOPICS.items()}
#: As the job's own options have it.
_LARGEST_BUCKETS = 1 << 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Control(Enum):
    """What happens to the job between two messages."""

    #: The state is saved, together with the place in the feed.
    CHECKPOINT = "checkpoint"
    #: The job dies. A new one starts from the last checkpoint, and is given again all that came since.
    ABORT = "abort"


CHECKPOINT: Final = Control.CHECKPOINT
ABORT: Final = Control.ABORT


@dataclass(frozen=True)
class Watermark:
    """Everything that was seen up to a moment has been reported.

    Attributes:
        moment_us: the moment, µs since 1970.
    """

    moment_us: Microseconds


#: A row as a mapping by field; times are ISO 8601 text, whole microseconds, or `datetime`.
Row: TypeAlias = Mapping[str, object]
#: What a message holds: a value as a producer writes it, one row, several rows, or Arrow data.
Content: TypeAlias = bytes | str | Row | Sequence[Row] | pa.RecordBatch | pa.Table
#: What a feed consists of: messages as (topic, content), batches of a log that was read, time, and what happens.
Item: TypeAlias = tuple[str, Content] | Batch | Watermark | Control


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        rows: the attributed flows by field of `schemas/attributed_flow.avsc`, in the order in which they went out.
        ranges: the ownership ranges that are over, by field of `schemas/ownership_range.avsc`.
        dead_letters: rows of the feed that could not be used.
        held: how many flows still wait for evidence.
    """

    rows: list[dict[str, object]]
    ranges: list[dict[str, object]]
    dead_letters: list[DeadLetter]
    held: int


def watermark(moment: str | datetime | Microseconds) -> Watermark:
    """An item that says: everything that was seen up to this moment has been reported.

    Args:
        moment: ISO 8601 text or `datetime`, with a time zone; or µs since 1970.

    Raises:
        ConfigError: the moment cannot be read, has no time zone, or is no moment.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise ConfigError(f"cannot read the watermark {moment!r}: write ISO 8601, 2026-03-02T10:00:00Z") from None
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ConfigError(f"the watermark {moment} has no time zone: write 2026-03-02T10:00:00Z")
        since = moment - _EPOCH
        return Watermark((since.days * 86_400 + since.seconds) * SECOND + since.microseconds)
    if not _is_moment(moment):
        raise ConfigError(f"cannot use the watermark {moment!r}: give ISO 8601 text, a datetime, or whole µs")
    return Watermark(moment)


def _is_moment(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= NEVER_AFTER


def run(
    feed: Iterable[Item],
    *,
    settings: Settings | None = None,
    labels: Sequence[Row] = (),
    buckets: int = 4,
    finish: bool = True,
) -> Result:
    """Run a feed through the streaming job's stages in this process.

    Nothing goes out before the feed has a `watermark` which says that the evidence is complete. After each watermark
    the job compacts its state: evidence older than `retention` is forgotten at once.

    Args:
        feed: the items, in the order in which the job meets them.
        settings: the settings of the rules; by default those of the job.
        labels: rows of `schemas/label.avsc`, which the job has as configuration and not from a topic.
        buckets: how many parts the address space has; no answer depends on it.
        finish: whether time ends with the feed, so that all flows go out.

    Raises:
        ConfigError: an item of the feed is none, a label is none, or there is no bucket.
    """
    if not 1 <= buckets <= _LARGEST_BUCKETS:
        raise ConfigError(f"cannot run a feed in {buckets} buckets: give a number from 1 to {_LARGEST_BUCKETS}")
    settings = settings or Settings()
    stream = EmbeddedStream(settings, labels=_labels(labels), buckets=buckets)
    checkpoint = stream.checkpoint()
    since: list[Item] = []
    for item in feed:
        if item is CHECKPOINT:
            checkpoint, since = stream.checkpoint(), []
        elif item is ABORT:
            stream = EmbeddedStream(settings, labels=_labels(labels), buckets=buckets)
            stream.restore(checkpoint)
            for again in since:
                _give(stream, again)
        else:
            since.append(item)
            _give(stream, item)
    if finish:
        stream.finish()
    rows = [row for batch in stream.attributed for row in plain(batch).to_pylist()]
    return Result(rows, stream.ranges.to_pylist(), stream.dead_letters, stream.held)


def _give(stream: EmbeddedStream, item: Item) -> None:
    if isinstance(item, Watermark):
        stream.advance(item.moment_us)
        stream.settle()
        return
    for kind, value in _messages(item):
        stream.receive(kind, value)


def _messages(item: Item) -> Iterator[tuple[str, bytes]]:
    """The messages of an item, as (kind of record, value)."""
    if isinstance(item, Batch):
        span = item.flow_heartbeats if item.kind == FLOW else None
        for message in codec.encode(item.kind, item.batch, flow_heartbeats=span):
            yield item.kind, message.value
        return
    if not isinstance(item, tuple) or len(item) != 2:
        raise ConfigError(
            f"cannot run the item {item!r} of a feed: write (topic, rows), watermark(...), CHECKPOINT or ABORT"
        )
    topic, content = item
    if topic not in tuple(_KINDS):  # a tuple compares what has no hash, too
        raise ConfigError(f"cannot send a message to the topic {topic!r}: the topics are {', '.join(_KINDS)}")
    for value in _values(content):
        yield _KINDS[topic], value


def _values(content: Content) -> Iterator[bytes]:
    """What a producer would write."""
    if isinstance(content, bytes | str):
        yield content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    elif isinstance(content, pa.RecordBatch | pa.Table):
        if isinstance(content, pa.Table):
            content = content.unify_dictionaries()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, content.schema) as writer:
            writer.write(content)
        yield sink.getvalue().to_pybytes()
    else:
        rows = [content] if isinstance(content, Mapping) else content
        if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
            raise ConfigError(f"cannot send {content!r}: give bytes, text, a row, a list of rows, or Arrow data")
        yield "\n".join(json.dumps(dict(row), default=_text) for row in rows).encode()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise ConfigError(f"cannot write {value!r} as JSON: give text, a number, a datetime or None")


def _labels(rows: Sequence[Row]) -> pa.Table:
    """The labels as canonical rows; the rules take what they are given for checked."""
    schema = arrow_schema(LABEL)
    tables = [schema.empty_table()]
    for value in _values(rows) if rows else ():
        decoded = codec.decode(LABEL, value)
        for bad in decoded.rejects:
            raise ConfigError(f"cannot use the labels: {bad.reason} in row {bad.row}, found {bad.found}")
        tables.append(pa.Table.from_batches([plain(decoded.batch)]).cast(schema))
    return pa.concat_tables(tables)
