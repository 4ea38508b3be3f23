"""What the job's operators send each other and keep in state: tagged bytes, never pickles.

An entry is one byte that says what it is, and the content. Rows are an Arrow IPC stream of one batch with plain text.
Entries come from the job alone; what comes from a topic is `attribution.stream.wire.codec`'s to check.
"""

import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core import times
from attribution.core.columnar.dictionaries import plain
from attribution.core.columnar.types import Int32, Int64, UInt64
from attribution.errors import ConfigError
from attribution.records import KINDS
from attribution.schema import FLOW, completed

#: Version of everything below; a state of a later version is refused. 2: reports.
VERSION = 2

_KINDS = {kind.name: kind.tag for kind in KINDS if kind.tag}
WATERMARK, SNAPSHOT = b"W", b"S"
#: Before an entry of flows that were due and wait on for assignment events.
POSTPONED = b"P"
#: Tag of an entry of identities of flows that have gone out.
IDENTITIES = b"I"
#: Tag of an entry of reports (`attribution.core.flow_evidence.reports`).
REPORTS = b"e"
#: Tag of an entry of flows that are no reports, or whose reports stand in other entries.
UNREPORTED = b"g"
_TAGS = {tag: kind for kind, tag in _KINDS.items()} | {UNREPORTED: FLOW}
#: Tag of an entry that no log holds: how far time has come.
TIME = b"T"
#: Tags of what is about other regions: flows to ask about, answers, flows asked about, those of them that are done.
CROSSING, ANSWERS, OPEN, DONE = b"c", b"r", b"o", b"d"
#: An entry without content, which no log holds: it makes a bucket see to its timers.
WAKE = b""
_MOMENT = struct.Struct(">q")
#: As the Arrow format has it.
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
#: Rows of a batch from which on it pays to compress it.
_MANY = 256
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ = pa.ipc.IpcReadOptions(use_threads=False)
#: Bytes of an entry of rows, about: Flink copies each several times on its way, and has little memory for that.
_ENTRY_BYTES = 4 << 20
#: The schema that rows of each kind had last, and what `_head` gives for it.
_heads: dict[str, tuple[pa.Schema, bytes]] = {}


def pack_rows(kind: str, batch: pa.RecordBatch) -> bytes:
    """An entry with the rows of a record batch; flows may have the columns of their local side already."""
    batch = plain(batch)
    if batch.num_rows >= _MANY:
        return _compressed(_KINDS[kind], batch)
    return b"".join((_KINDS[kind], _head(kind, batch.schema), batch.serialize(), _END_OF_STREAM))


def pack_pieces(kind: str, batch: pa.RecordBatch) -> Iterator[bytes]:
    """As `pack_rows`, in as many entries as it takes to keep each of bounded size; the rows keep their order."""
    pieces = max(1, -(-batch.nbytes // _ENTRY_BYTES))
    size = max(1, -(-batch.num_rows // pieces))
    for at in range(0, batch.num_rows, size):
        yield pack_rows(kind, batch.slice(at, size))


def _compressed(tag: bytes, batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    sink.write(tag)
    with pa.ipc.new_stream(sink, batch.schema, options=_COMPRESSED) as writer:
        writer.write_batch(batch)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _head(kind: str, schema: pa.Schema) -> bytes:
    """What a stream of batches of this schema begins with; kept, because most entries are small and of one schema."""
    known = _heads.get(kind)
    if known is None or not known[0].equals(schema, check_metadata=True):
        known = _heads[kind] = schema, schema.serialize().to_pybytes()
    return known[1]


def unpack_rows(entry: bytes) -> tuple[str, pa.RecordBatch]:
    """Kind and record batch of an entry that `pack_rows` made, in this version or an earlier one."""
    kind, reader = _TAGS[entry[:1]], pa.ipc.open_stream(pa.py_buffer(entry).slice(1), options=_READ)
    return kind, completed(kind, reader.read_next_batch())


def unreported(entry: bytes) -> bytes:
    """An entry of flows that are no reports, of an entry of flows."""
    return UNREPORTED + entry[1:]


def pack_reports(reports: pa.RecordBatch) -> Iterator[bytes]:
    """Entries of bounded size with reports."""
    pieces = max(1, -(-reports.nbytes // _ENTRY_BYTES))
    size = max(1, -(-reports.num_rows // pieces))
    for at in range(0, reports.num_rows, size):
        yield _compressed(REPORTS, reports.slice(at, size))


def unpack_reports(entry: bytes) -> pa.RecordBatch:
    """The reports of an entry that `pack_reports` made."""
    return pa.ipc.open_stream(pa.py_buffer(entry).slice(1), options=_READ).read_next_batch()


def kind_of(entry: bytes) -> str | None:
    """The kind of an entry's rows; None where it holds none."""
    return _TAGS.get(entry[:1])


def pack_identities(hashes: UInt64, minutes: Int32) -> Iterator[bytes]:
    """Entries of bounded size with what `Attributor.identities` gives."""
    batch = pa.record_batch({"hash": hashes, "minute": minutes})
    size = _ENTRY_BYTES // (hashes.itemsize + minutes.itemsize)
    for at in range(0, batch.num_rows, size):
        yield _compressed(IDENTITIES, batch.slice(at, size))


def unpack_identities(entry: bytes) -> tuple[UInt64, Int32]:
    """What `pack_identities` made an entry of."""
    batch = pa.ipc.open_stream(pa.py_buffer(entry).slice(1), options=_READ).read_next_batch()
    return batch.column("hash").to_numpy(), batch.column("minute").to_numpy()


class PackedFlows:
    """The flows of an entry of `pack_rows`, as `core.held_flows.Folded`: only the times are read at first."""

    def __init__(self, entry: bytes, settings: Settings) -> None:
        self.entry, self._settings = entry, settings

    def times(self) -> tuple[Int64, Int64]:
        """Start and end of each, µs, as of `attribution.core.times`."""
        content = pa.py_buffer(self.entry).slice(1)
        schema = pa.ipc.open_stream(content).schema
        fields = [schema.get_field_index(name) for name in times.FIELDS if name in schema.names]
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        batch = pa.ipc.open_stream(content, options=options).read_next_batch()
        return times.asked_times(batch, self._settings)

    def unfold(self) -> pa.RecordBatch:
        """The record batch."""
        return unpack_rows(self.entry)[1]


def pack_of_peer(tag: bytes, batch: pa.RecordBatch, peer: str, *, question: int = 0) -> bytes:
    """An entry with rows, of plain text, that concern one other region.

    Args:
        tag: `CROSSING`, `ANSWERS` or `OPEN`.
        batch: record batch.
        peer: the region.
        question: the number under which it was asked, for `OPEN`.
    """
    return _compressed(tag, batch.replace_schema_metadata({"peer": peer, "question": str(question)}))


def unpack_of_peer(entry: bytes) -> tuple[pa.RecordBatch, str, int]:
    """Record batch, region and question of an entry that `pack_of_peer` made."""
    batch = pa.ipc.open_stream(pa.py_buffer(entry).slice(1)).read_next_batch()
    meta = batch.schema.metadata
    return batch.replace_schema_metadata(None), meta[b"peer"].decode(), int(meta[b"question"])


def pack_done(question: int, rows: Int32) -> bytes:
    """An entry that says: these rows of a question are no longer open."""
    return DONE + _MOMENT.pack(question) + rows.astype("<i4").tobytes()


def unpack_done(entry: bytes) -> tuple[int, Int32]:
    """Question and rows of an entry that `pack_done` made."""
    head = 1 + _MOMENT.size
    return _MOMENT.unpack(entry[1:head])[0], np.frombuffer(entry, "<i4", offset=head).astype(np.int32)


def pack_watermark(moment: int) -> bytes:
    """An entry that says: the flows that were due at this watermark (µs) have gone out."""
    return WATERMARK + _MOMENT.pack(moment)


def pack_time(moment: int) -> bytes:
    """An entry that says: everything up to this moment (µs) was reported."""
    return TIME + _MOMENT.pack(moment)


def unpack_moment(entry: bytes) -> int:
    """The moment (µs) of an entry that `pack_watermark` or `pack_time` made."""
    moment: int = _MOMENT.unpack(entry[1:])[0]
    return moment


def pack_snapshot(state: bytes, open_ranges: pa.Table, closed_before: int | None) -> bytes:
    """An entry with all that a bucket knows: an attributor's snapshot, and a range collector's state."""
    sink = pa.BufferOutputStream()
    sink.write(SNAPSHOT + bytes([VERSION]))
    sink.write(_MOMENT.pack(len(state)))
    sink.write(state)
    meta = {} if closed_before is None else {"closed_before": str(closed_before)}
    with pa.ipc.new_stream(sink, open_ranges.schema.with_metadata(meta)) as writer:
        writer.write_table(open_ranges)
    return sink.getvalue().to_pybytes()


def has_reports(entry: bytes) -> bool:
    """Whether the state of an entry of `pack_snapshot` has the reports of its time, in entries that follow it."""
    return entry[1] > 1


def unpack_snapshot(entry: bytes) -> tuple[bytes, tuple[pa.Table, int | None]]:
    """The attributor's snapshot and the range collector's state of such an entry.

    Raises:
        ConfigError: a later version wrote it.
    """
    version, head = entry[1], 2 + _MOMENT.size
    if version > VERSION:
        raise ConfigError(
            f"cannot restore the job's state: it is of version {version}, and this version reads up to {VERSION}; "
            "start the version that wrote it, or a later one"
        )
    size = _MOMENT.unpack(entry[2:head])[0]
    table = pa.ipc.open_stream(pa.py_buffer(entry).slice(head + size)).read_all()
    closed = (table.schema.metadata or {}).get(b"closed_before")
    open_ranges = table.replace_schema_metadata(None)
    return entry[head : head + size], (open_ranges, None if closed is None else int(closed))
