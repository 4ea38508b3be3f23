"""The wire: canonical batches as Kafka values, and Kafka values as canonical batches.

A value is an Arrow IPC stream, which begins with `0xFFFFFFFF`, or JSON: an object, an array, or lines. What is written
here is an Arrow stream, lz4-compressed and with dictionaries where text repeats. On flows of a simulated fleet it has a
quarter of the plain size, for half a microsecond a flow to write and a tenth to read. With zstd it is smaller by
another third, and takes twice the time to read.

Topics are open to others, so what is read is taken for hostile: nothing that a value holds may raise, crash, or take
more memory than `attribution.stream.wire.arrow_frames` allows.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import HOUR, Microseconds
from attribution.core.columnar.arrays import NEVER_AFTER, microseconds
from attribution.core.columnar.dictionaries import DICTIONARY
from attribution.errors import SourceError, WireError
from attribution.records import BY_NAME, REGION_RECORDS
from attribution.schema import QUESTION, TIMESTAMP, arrow_schema, record
from attribution.sources.formats.native.decode import FIELDS, NESTED, account_of, decode_columns, decode_json
from attribution.sources.input.in_memory import InMemory
from attribution.sources.records.model import Block, FlowHeartbeats, Ledger
from attribution.sources.records.validate import canonical
from attribution.stream.milliseconds import to_ms
from attribution.stream.wire.arrow_frames import CONTINUATION, UnsoundError
from attribution.stream.wire.arrow_values import read_arrow_value
from attribution.stream.wire.dead_letters import Rejected
from attribution.stream.wire.row_sizes import LONGEST_TEXT, long_rows

__all__ = ["LONGEST_TEXT", "Decoded", "Message", "Rejected", "decode", "decode_of_region", "empty", "encode"]

#: Largest value that is written, below the broker's default limit of a message (1,048,588 bytes with its headers).
LIMIT_BYTES = 900_000
#: Largest value that is read.
LARGEST_VALUE = 16 << 20
#: Objects that a value of JSON may have, several times what fits into a megabyte of records: setting each of them aside
#: costs 20 µs. The rows of Arrow are bounded in `arrow_frames`.
_LARGEST_JSON_ROWS = 1 << 16
#: What the value of a record is called as a source.
_MESSAGE = "the message"
#: Rows of a message that are rejected one by one; further ones are counted.
REJECTS_LISTED = 1000
#: How far after the time of its record a row may be (µs): as far as brokers let records be ahead of them by default.
FARTHEST_AHEAD = HOUR

#: Key of the Arrow schema's metadata that says what the flows of the batch are as heartbeats.
FLOW_HEARTBEATS = b"flow_heartbeats"
#: Key of the Arrow schema's metadata that says which record the batch holds, where a topic has several.
RECORD = b"record"

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
#: Bytes that a flow usually takes; the first guess at how many fit.
_USUAL_ROW = 48
_MOST_ROWS = 1 << 16
_SAMPLE = 1024
_REGION_FIELDS = tuple(dict.fromkeys(name for kind in REGION_RECORDS for name in record(kind).names))
_REGION_NESTED = frozenset(f.name for kind in REGION_RECORDS for f in record(kind).fields if f.is_nested)


@dataclass(frozen=True)
class Message:
    """A Kafka value and what goes with it.

    Attributes:
        value: the bytes.
        timestamp_ms: the record's time: the latest `end` or `time` in it, milliseconds since 1970; 0 where its rows
            have no time.
        rows: number of rows in it.
    """

    value: bytes
    timestamp_ms: int
    rows: int


@dataclass(frozen=True)
class Decoded:
    """What a Kafka value held.

    Attributes:
        batch: the good rows, a canonical record batch as `sources.records.validate.canonical` gives; may be empty.
        rejects: the bad ones, at most `REJECTS_LISTED` of them one by one.
        flow_heartbeats: what the flows of the batch are as heartbeats.
        rejected_rows: number of bad rows; a message that could not be read counts as one.
    """

    batch: pa.RecordBatch
    rejects: list[Rejected] = field(default_factory=list)
    flow_heartbeats: FlowHeartbeats = "interval"
    rejected_rows: int = 0


def encode(
    kind: str, batch: pa.RecordBatch, *, limit: int = LIMIT_BYTES, flow_heartbeats: FlowHeartbeats | None = None
) -> Iterator[Message]:
    """A canonical record batch as messages of at most `limit` bytes, in its order; none for no rows.

    Args:
        kind: record name, of input or output, or of what regions send each other.
        batch: record batch with the names and nullability of the record; text may be dictionary-encoded.
        limit: largest value, in bytes.
        flow_heartbeats: what flows of this batch are as heartbeats; written into every message if given.

    Raises:
        WireError: a single row is larger than `limit`.
    """
    metadata = None if flow_heartbeats is None else {FLOW_HEARTBEATS: flow_heartbeats.encode()}
    if kind in REGION_RECORDS:
        metadata = {RECORD: kind.encode()}
    repeating = _repeating(batch)
    at, rows = 0, max(1, limit // _USUAL_ROW)
    while at < batch.num_rows:
        piece = batch.slice(at, min(rows, _MOST_ROWS))
        value = _serialized(kind, piece, repeating, metadata)
        fitting = max(1, int(0.9 * limit * piece.num_rows / len(value)))
        if len(value) <= limit:
            yield Message(value, _latest(kind, piece), piece.num_rows)
            at += piece.num_rows
            rows = fitting
        elif piece.num_rows == 1:
            raise WireError(
                f"cannot send a {kind} of {len(value)} bytes: a message holds {limit}; shorten its text: "
                f"{str(piece.to_pylist()[0])[:200]}"
            )
        else:
            rows = min(fitting, piece.num_rows // 2)


@cache
def empty(kind: str) -> bytes:
    """A value without rows: it says only that time has come to its record's timestamp."""
    return _serialized(kind, pa.RecordBatch.from_pylist([], schema=arrow_schema(kind)), frozenset(), None)


def _serialized(
    kind: str, batch: pa.RecordBatch, repeating: frozenset[str], metadata: dict[bytes, bytes] | None
) -> bytes:
    columns, fields = [], []
    for wanted in record(kind).fields:
        column = batch.column(wanted.name)
        if pa.types.is_dictionary(column.type):
            column = _without_unused(column)
        elif wanted.name in repeating:
            column = column.dictionary_encode()
        columns.append(column)
        fields.append(pa.field(wanted.name, column.type, nullable=wanted.nullable))
    schema = pa.schema(fields, metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    value: bytes = sink.getvalue().to_pybytes()
    return value


def _repeating(batch: pa.RecordBatch) -> frozenset[str]:
    """The columns of plain text of whose first rows at most half differ."""
    head = batch.slice(0, _SAMPLE)
    texts = [name for name, column in zip(head.schema.names, head.columns, strict=True) if column.type == pa.string()]
    return frozenset(name for name in texts if 2 * len(head.column(name).unique()) <= head.num_rows)


def _without_unused(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The dictionary array with those values only that its rows have: a slice keeps the dictionary of the whole."""
    codes = pc.fill_null(column.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    used = np.zeros(len(column.dictionary) + 1, np.bool_)
    used[codes] = True  # -1 is the last place, which stands for no value
    used = used[:-1]
    if used.all() and column.type == DICTIONARY:
        return column
    recoded = (np.cumsum(used, dtype=np.int32) - 1)[codes] if len(used) else codes
    indices = pa.array(recoded, pa.int32(), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, column.dictionary.filter(pa.array(used)).cast(pa.string()))


def _latest(kind: str, batch: pa.RecordBatch) -> int:
    name = BY_NAME[kind].reported
    return 0 if name is None else to_ms(int(microseconds(batch.column(name)).max()))


def decode(kind: str, value: bytes | None, *, reported_us: Microseconds = NEVER_AFTER) -> Decoded:
    """The records in a Kafka value, whatever it holds; never raises.

    Args:
        kind: the kind of record that its topic is for, one of `attribution.records.INPUT_RECORDS`. Rows of other kinds
            are rejected.
        value: the value of the message; None for a tombstone.
        reported_us: the time of its record. Rows that are far ahead of it are rejected: no retention would end for
            them.
    """
    rejects = _Rejects()
    try:
        batch, flow_heartbeats = _read(kind, value or b"", rejects)
        batch = _without_future(kind, batch, reported_us, rejects)
    except UnsoundError as error:
        return _unread(kind, error.reason, error.found)
    except Exception as error:  # noqa: BLE001 - whatever a stranger sends, the stream goes on, and the letter says what
        return _unread(kind, "failed", f"{type(error).__name__}: {error}")
    return Decoded(batch, rejects.listed(), flow_heartbeats, rejects.total)


def decode_of_region(value: bytes | None, *, reported_us: Microseconds = NEVER_AFTER) -> tuple[str, Decoded]:
    """The questions, or the answers, in a Kafka value of another region's job, whatever it holds; never raises.

    Args:
        value: the value of the message; None for a tombstone.
        reported_us: the time of its record, as of `decode`.

    Returns:
        One of `attribution.records.REGION_RECORDS`, and the records.
    """
    kind, rejects = QUESTION, _Rejects()
    try:
        found = read_arrow_value(value or b"", _REGION_FIELDS, nested=_REGION_NESTED)
        kind = found.metadata.get(RECORD, b"").decode("utf-8", "replace")
        if kind not in REGION_RECORDS:
            return QUESTION, _unread(QUESTION, "unknown_kind", f"record={kind!r} in the schema's metadata")
        lines = np.arange(1, found.rows + 1, dtype=np.int64)
        block = _without_long_texts(Block(kind, found.columns, _MESSAGE, lines), rejects)
        batch = _without_future(kind, canonical(block, rejects.account), reported_us, rejects)
    except UnsoundError as error:
        return kind, _unread(kind, error.reason, error.found)
    except Exception as error:  # noqa: BLE001 - as in `decode`
        return kind, _unread(kind, "failed", f"{type(error).__name__}: {error}")
    return kind, Decoded(batch, rejects.listed(), "none", rejects.total)


def _unread(kind: str, reason: str, found: str) -> Decoded:
    return Decoded(_joined(kind, []), [Rejected(None, reason, found)], "none", 1)


class _Rejects:
    """Takes the rejects of one message.

    Attributes:
        account: for what reads and validates rows.
        total: rows rejected.
    """

    def __init__(self) -> None:
        self.account = account_of(
            Ledger(sink=lambda reject: self.add(reject.line or None, reject.reason, reject.found))
        )
        self.total = 0
        self._first: list[Rejected] = []
        self._more: Counter[str] = Counter()

    def add(self, row: int | None, reason: str, found: str, *, rows: int = 1) -> None:
        """Reject one row, or so many for the same reason."""
        self.total += rows
        if len(self._first) < REJECTS_LISTED:
            self._first.append(Rejected(row, reason, found))
        else:
            self._more[reason] += 1

    def listed(self) -> list[Rejected]:
        """The first ones, and one that counts the others."""
        if not self._more:
            return self._first
        found = ", ".join(f"{count} {reason}" for reason, count in self._more.most_common())
        return [*self._first, Rejected(None, "more_rejects", found)]


def _read(kind: str, value: bytes, rejects: _Rejects) -> tuple[pa.RecordBatch, FlowHeartbeats]:
    if len(value) > LARGEST_VALUE:
        raise UnsoundError("too_large", f"{len(value)} bytes; {LARGEST_VALUE} are allowed")
    flow_heartbeats: FlowHeartbeats = "interval"
    if value.startswith(CONTINUATION):
        found = read_arrow_value(value, FIELDS, nested=NESTED)
        flow_heartbeats = _flow_heartbeats(found.metadata)
        lines = np.arange(1, found.rows + 1, dtype=np.int64)
        read = decode_columns(found.columns, lines, _MESSAGE, rejects.account)
    else:
        read = _json_blocks(value, rejects)
    batches = []
    for block in read:
        if block.kind == kind:
            batches.append(canonical(_without_long_texts(block, rejects), rejects.account))
        else:
            for line in block.lines.tolist():
                rejects.add(line, "wrong_kind", f"a {block.kind}")
    return _joined(kind, batches), flow_heartbeats


def _flow_heartbeats(metadata: dict[bytes, bytes]) -> FlowHeartbeats:
    said = metadata.get(FLOW_HEARTBEATS, b"interval")
    for known in get_args(FlowHeartbeats):
        if said == known.encode():
            return cast("FlowHeartbeats", known)
    raise UnsoundError("unknown_value", f"flow_heartbeats={said!r} in the schema's metadata")


def _json_blocks(value: bytes, rejects: _Rejects) -> Iterator[Block]:
    data = InMemory(_MESSAGE, value)
    head = data.head().lstrip()[:1]
    if not head:
        raise UnsoundError("no_value", f"{len(value)} bytes")
    if head not in (b"{", b"["):
        raise UnsoundError("malformed", f"neither Arrow nor JSON: it starts with {value[:40]!r}")
    rows = max(value.count(b"{"), value.count(b"\n"))
    if rows > _LARGEST_JSON_ROWS:
        raise UnsoundError("too_large", f"{rows} objects or lines; {_LARGEST_JSON_ROWS} are allowed")
    try:
        yield from decode_json(data, rejects.account)
    except SourceError as error:
        rejects.add(None, "unreadable", str(error))


def _without_long_texts(block: Block, rejects: _Rejects) -> Block:
    """The block without rows that no message could carry on."""
    long = long_rows(block)
    if not long:
        return block
    for row, found in long.items():
        rejects.add(int(block.lines[row]), "text_too_long", found)
    kept = np.ones(len(block.lines), np.bool_)
    kept[list(long)] = False
    columns = {name: column.filter(pa.array(kept)) for name, column in block.columns.items()}
    return Block(block.kind, columns, block.source, block.lines[kept])


def _without_future(kind: str, batch: pa.RecordBatch, reported_us: Microseconds, rejects: _Rejects) -> pa.RecordBatch:
    """The batch without rows that are of long after their report."""
    name = BY_NAME[kind].reported
    if batch.num_rows == 0 or name is None:
        return batch
    moment = microseconds(batch.column(name))
    ahead = moment > reported_us + FARTHEST_AHEAD
    if ahead.any():
        last = pa.scalar(int(moment.max()), TIMESTAMP)
        found = f"{ahead.sum()} rows, up to {last}; the record is of {pa.scalar(reported_us, TIMESTAMP)}"
        rejects.add(None, "ahead_of_report", found, rows=int(ahead.sum()))
        batch = batch.filter(pa.array(~ahead))
    return batch


def _joined(kind: str, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch; several, which JSON makes, are brought to the plain types of the record."""
    if len(batches) == 1:
        return batches[0]
    schema = arrow_schema(kind)
    tables = [pa.Table.from_batches([batch]).cast(schema) for batch in batches if batch.num_rows]
    if not tables:
        return pa.RecordBatch.from_pylist([], schema=schema)
    return pa.concat_tables(tables).combine_chunks().to_batches()[0]
