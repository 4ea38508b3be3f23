"""What the job's operators send each other and keep in state: tagged bytes, never pickles.

An entry is one byte that says what it is, and the content. Rows are an Arrow IPC stream of one batch with plain text.
Entries come from the job alone; what comes from a topic is `attribution.streaming.wire`'s to check.
"""

import struct
from typing import Any

import pyarrow as pa

from attribution.core.distinct import plain
from attribution.errors import ConfigError
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, NAME_BINDING

#: Version of everything below; a state of a later version is refused.
VERSION = 1

_KINDS = {HEARTBEAT: b"h", ASSIGNMENT: b"a", NAME_BINDING: b"n", FLOW: b"f"}
_TAGS = {tag: kind for kind, tag in _KINDS.items()}
WATERMARK, SNAPSHOT = b"W", b"S"
#: Tag of an entry that no log holds: how far time has come.
TIME = b"T"
#: An entry without content, which no log holds: it makes a bucket see to its timers.
WAKE = b""
_MOMENT = struct.Struct(">q")
#: As the Arrow format has it.
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
#: The schema that rows of each kind had last, and what `_head` gives for it.
_heads: dict[str, tuple[Any, bytes]] = {}


def pack_rows(kind: str, batch: Any) -> bytes:
    """An entry with the rows of a record batch; flows may have the columns of their local side already."""
    batch = plain(batch)
    return b"".join((_KINDS[kind], _head(kind, batch.schema), batch.serialize(), _END_OF_STREAM))


def _head(kind: str, schema: Any) -> bytes:
    """What a stream of batches of this schema begins with; kept, because most entries are small and of one schema."""
    known = _heads.get(kind)
    if known is None or not known[0].equals(schema, check_metadata=True):
        known = _heads[kind] = schema, schema.serialize().to_pybytes()
    return known[1]


def unpack_rows(entry: bytes) -> tuple[str, Any]:
    """Kind and record batch of an entry that `pack_rows` made."""
    reader = pa.ipc.open_stream(pa.py_buffer(entry).slice(1))
    return _TAGS[entry[:1]], reader.read_next_batch()


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


def pack_snapshot(state: bytes, open_ranges: Any, closed_before: int | None) -> bytes:
    """An entry with all that a bucket knows: an attributor's snapshot, and a range collector's state."""
    sink = pa.BufferOutputStream()
    sink.write(SNAPSHOT + bytes([VERSION]))
    sink.write(_MOMENT.pack(len(state)))
    sink.write(state)
    meta = {} if closed_before is None else {"closed_before": str(closed_before)}
    with pa.ipc.new_stream(sink, open_ranges.schema.with_metadata(meta)) as writer:
        writer.write_table(open_ranges)
    return sink.getvalue().to_pybytes()


def unpack_snapshot(entry: bytes) -> tuple[bytes, tuple[Any, int | None]]:
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
