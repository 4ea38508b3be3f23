"""Flows as heartbeats: a connection whose local workload was known at capture shows that workload at its address.

Where the wire shows another address or port, it shows the workload at that socket, too.
"""

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, asked_sockets, columns_of
from attribution.core.columnar.arrays import is_value
from attribution.core.columnar.dictionaries import decoded, plain
from attribution.core.columnar.types import Int32
from attribution.schema import HEARTBEAT, record

#: The fields of a flow that its heartbeat is made of; a batch needs no others.
FIELDS = (
    "start", "end", "local_address", "local_port", "protocol", "wire_address", "wire_port", "local_workload",
    "local_service", "observer", "basis",
)  # fmt: skip

_CONNECTION = pa.scalar("connection", pa.string())


def flow_heartbeats(
    flows: Any,
    span: Literal["interval", "start", "none"] = "interval",
    *,
    shared: PrefixTable | None = None,
    pools: PrefixTable | None = None,
) -> Any:
    """The heartbeats that flows are, by the rule *Flows as heartbeats* of `docs/design.md`.

    A window is none, since the workload may have held the address in a part of it only.

    Args:
        flows: record batch or table of canonical flows; it needs only `FIELDS`. Text may be dictionary-encoded.
        span: `interval` where the end is the last activity seen at the owner; `start` where it can come from a
            connection-tracking timeout, which outlives the owner; `none` where the log's flows are no heartbeats.
        shared: addresses that several workloads hold by port: there a flow shows who held its own port of
            its own protocol, and no more; one without either proves nothing.
        pools: addresses that policies hand out; a flow there shows nobody's address.

    Returns:
        A record batch of heartbeats in the order of their flows, text encoded as it was. Those of sockets that the
        wire shows come behind them, and then text is plain.
    """
    if isinstance(flows, pa.Table):
        flows = _as_batch(flows)
    if span == "none":
        flows = flows.slice(0, 0)
    known = pc.and_(flows.column("local_workload").is_valid(), is_value(flows.column("basis"), _CONNECTION))
    seen = flows if pc.all(known, min_count=0).as_py() else flows.filter(known)
    on_wire = _on_wire(seen, span)
    if pools:
        seen = seen.filter(pa.array(~pools.contains(seen.column("local_address"))))
    if on_wire is not None:
        # Who shares an address, and says so by giving its socket there, holds no more of it.
        own_address = pc.equal(decoded(seen.column("wire_address")), decoded(seen.column("local_address")))
        seen = seen.filter(pc.invert(pc.fill_null(own_address, False)))
    sockets = np.full(seen.num_rows, ANY_SOCKET, np.int32)
    if shared:
        by_port = shared.contains(seen.column("local_address"))
        own = asked_sockets(seen.column("protocol"), seen.column("local_port"))
        provable = ~by_port | (own != ANY_SOCKET)
        seen, sockets = seen.filter(pa.array(provable)), np.where(by_port, own, ANY_SOCKET)[provable]
    local = _heartbeats(seen, seen.column("local_address"), sockets, span)
    if on_wire is None:
        return local
    (both,) = pa.Table.from_batches([plain(local), plain(on_wire)]).combine_chunks().to_batches() or [plain(local)]
    return both


def _on_wire(seen: Any, span: str) -> Any:
    """The heartbeats of the sockets that the wire shows; None where it shows none but what the workloads see."""
    address = seen.column("wire_address")
    if address.null_count == len(address):
        return None
    sockets = asked_sockets(seen.column("protocol"), seen.column("wire_port"))
    shown = address.is_valid().to_numpy(zero_copy_only=False) & (sockets != ANY_SOCKET)
    seen = seen.filter(pa.array(shown))
    return _heartbeats(seen, seen.column("wire_address"), sockets[shown], span)


def _heartbeats(seen: Any, address: Any, sockets: Int32, span: str) -> Any:
    """The heartbeats of flows at these addresses and sockets."""
    columns = {
        "address": address,
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
