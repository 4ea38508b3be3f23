"""State as bytes: tables in a row, each an Arrow IPC stream whose header says what it is and how far time had come."""

from dataclasses import dataclass

import pyarrow as pa

from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.errors import ConfigError

#: Version of what `packed` writes, and the first one that can be read. Evidence of a port in version 1 does not say of
#: which protocol, so that nothing sound can be made of it; a reader of a later version must read 2 and all that follow.
#: 3: ranges of ports, which a reader of 2 would take for their first port. 4: policies, socket rules, and name bindings
#: for networks of clients, which a reader of 3 would take for their resolver's own. 5: networks, without which a reader
#: of 4 would give an address to the owner that it has in another network; and identities of flows that have gone out.
#: 6: claims of connections, which a reader of 5 would take for observations; reports; and flows that
#: wait on for assignment events.
VERSION, _OLDEST_VERSION = 6, 2


@dataclass(frozen=True)
class Snapshot:
    """The state of an attributor.

    Attributes:
        tables: what it holds, as (name of what the rows are, table).
        watermark_us: up to when evidence is complete.
        forgotten_us: up to when evidence is forgotten.
    """

    tables: list[tuple[str, pa.Table]]
    watermark_us: int = NEVER_BEFORE
    forgotten_us: int = NEVER_BEFORE


def packed(snapshot: Snapshot) -> bytes:
    """The bytes that `unpacked` reads."""
    sink = pa.BufferOutputStream()
    for kind, table in snapshot.tables:
        meta = {
            "kind": kind,
            "version": str(VERSION),
            "watermark": str(snapshot.watermark_us),
            "forgotten": str(snapshot.forgotten_us),
        }
        marked = table.replace_schema_metadata(meta)
        with pa.ipc.new_stream(sink, marked.schema) as writer:
            writer.write_table(marked)
    return sink.getvalue().to_pybytes()


def unpacked(content: bytes) -> Snapshot:
    """The state that `packed` wrote, in this version or an earlier one; tables may lack newer columns.

    Raises:
        ConfigError: a version wrote it that this one does not know.
    """
    source = pa.BufferReader(content)
    tables, watermark_us, forgotten_us = [], NEVER_BEFORE, NEVER_BEFORE
    while source.tell() < len(content):
        table = pa.ipc.open_stream(source).read_all()
        meta = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        if not _OLDEST_VERSION <= int(meta["version"]) <= VERSION:
            raise ConfigError(
                f"cannot restore a snapshot of version {meta['version']}: this version reads {_OLDEST_VERSION} to "
                f"{VERSION}; start without it and read the evidence again"
            )
        tables.append((meta["kind"], table.replace_schema_metadata(None)))
        # All tables of a snapshot say the same.
        watermark_us, forgotten_us = int(meta["watermark"]), int(meta["forgotten"])
    return Snapshot(tables, watermark_us, forgotten_us)
