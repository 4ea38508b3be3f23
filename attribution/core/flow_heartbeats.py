"""Flows as heartbeats: a connection whose local workload was known at capture shows that workload at its address."""

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columns import is_value
from attribution.core.prefixes import PrefixTable
from attribution.core.sockets import ANY_SOCKET, asked_sockets, columns_of
from attribution.schema import HEARTBEAT, record

#: The fields of a flow that its heartbeat is made of; a batch needs no others.
FIELDS = (
    "start", "end", "local_address", "local_port", "protocol", "local_workload", "local_service", "observer", "basis",
)  # fmt: skip

_CONNECTION = pa.scalar("connection", pa.string())


def flow_heartbeats(
    flows: Any, span: Literal["interval", "start", "none"] = "interval", *, shared: PrefixTable | None = None
) -> Any:
    """The heartbeats that flows are, by the rule *Flows as heartbeats* of `docs/design.md`.

    A window is none, since the workload may have held the address in a part of it only.

    Args:
        flows: record batch or table of canonical flows; it needs only `FIELDS`. Text may be dictionary-encoded.
        span: `interval` where the end is the last activity seen at the owner; `start` where it can come from a
            connection-tracking timeout, which outlives the owner; `none` where the log's flows are no heartbeats.
        shared: addresses that several workloads hold by port: there a flow shows who held its own port of
            its own protocol, and no more; one without either proves nothing.

    Returns:
        A record batch of heartbeats in the order of their flows, text encoded as it was.
    """
    if isinstance(flows, pa.Table):
        flows = _as_batch(flows)
    if span == "none":
        flows = flows.slice(0, 0)
    known = pc.and_(flows.column("local_workload").is_valid(), is_value(flows.column("basis"), _CONNECTION))
    seen = flows if pc.all(known, min_count=0).as_py() else flows.filter(known)
    sockets = np.full(seen.num_rows, ANY_SOCKET, np.int32)
    if shared:
        by_port = shared.contains(seen.column("local_address"))
        own = asked_sockets(seen.column("protocol"), seen.column("local_port"))
        provable = ~by_port | (own != ANY_SOCKET)
        seen, sockets = seen.filter(pa.array(provable)), np.where(by_port, own, ANY_SOCKET)[provable]
    columns = {
        "address": seen.column("local_address"),
        **columns_of(sockets),
        "workload": seen.column("local_workload"),
        "service": seen.column("local_service"),
        "start": seen.column("start"),
        "end": seen.column("end" if span == "interval" else "start"),
        "observer": seen.column("observer"),
    }
    fields = record(HEARTBEAT).fields
    schema = pa.schema([pa.field(f.name, columns[f.name].type, nullable=f.nullable) for f in fields])
    return pa.record_batch([columns[f.name] for f in fields], schema=schema)


def _as_batch(table: Any) -> Any:
    """One record batch of a table, its dictionaries brought to one."""
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
