"""Flows as heartbeats: a connection whose local workload was known at capture shows that workload at its address.

Where the wire shows another address or port, the connection shows the workload at that socket, too.
"""

from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, asked_sockets, columns_of
from attribution.core.columnar.arrays import is_value
from attribution.core.columnar.dictionaries import decoded, plain
from attribution.core.columnar.types import Column, Int32, Records
from attribution.schema import HEARTBEAT, record

#: The fields of a flow that its heartbeat is made of; a batch needs no others.
FIELDS = (
    "start", "end", "local_address", "local_port", "protocol", "wire_address", "wire_port", "local_network",
    "remote_network", "local_workload", "local_service", "observer", "basis",
)  # fmt: skip

#: What a log's flows with a known local workload are as heartbeats of it: over the whole interval; at its start only
#: (the end can come from a connection-tracking timeout, which outlives the owner); or no heartbeats.
FlowHeartbeats: TypeAlias = Literal["interval", "start", "none"]

_CONNECTION = pa.scalar("connection", pa.string())


def flow_heartbeats(
    flows: Records,
    span: FlowHeartbeats = "interval",
    *,
    shared: PrefixTable | None = None,
    pools: PrefixTable | None = None,
) -> pa.RecordBatch:
    """The heartbeats that flows are, by the rule *Flows as heartbeats* of `docs/design.md`.

    A window is no heartbeat, since the workload may have held the address in a part of it only.

    Args:
        flows: canonical flows; the columns `FIELDS` are enough. Text may be dictionary-encoded.
        span: `interval` if the end is the last activity seen at the owner. `start` if the end can come from a
            connection-tracking timeout, which outlives the owner. `none` if the log's flows are no heartbeats.
        shared: addresses that several workloads hold by port. There a flow shows who held its own port of its own
            protocol, and no more; a flow without either proves nothing.
        pools: addresses that policies hand out; a flow there shows nobody's address.

    Returns:
        Heartbeats in the order of their flows, with text encoded as it was. Heartbeats of sockets that the wire shows
        come behind them, and then text is plain.
    """
    batch = _one_batch(flows) if isinstance(flows, pa.Table) else flows
    if span == "none":
        batch = batch.slice(0, 0)
    known = pc.and_(batch.column("local_workload").is_valid(), is_value(batch.column("basis"), _CONNECTION))
    seen = batch if pc.all(known, min_count=0).as_py() else batch.filter(known)
    on_wire = _on_wire(seen, span)
    if pools:
        seen = seen.filter(pa.array(~pools.contains(seen.column("local_address"))))
    if on_wire is not None:
        # A workload that shares an address, and says so by giving its socket there, holds no more of the address.
        own_address = pc.equal(decoded(seen.column("wire_address")), decoded(seen.column("local_address")))
        seen = seen.filter(pc.invert(pc.fill_null(own_address, False)))
    sockets = np.full(seen.num_rows, ANY_SOCKET, np.int32)
    if shared:
        by_port = shared.contains(seen.column("local_address"))
        own = asked_sockets(seen.column("protocol"), seen.column("local_port"))
        provable = ~by_port | (own != ANY_SOCKET)
        seen, sockets = seen.filter(pa.array(provable)), np.where(by_port, own, ANY_SOCKET)[provable]
    local = _heartbeats(seen, seen.column("local_address"), seen.column("local_network"), sockets, span)
    if on_wire is None:
        return local
    (both,) = pa.Table.from_batches([plain(local), plain(on_wire)]).combine_chunks().to_batches() or [plain(local)]
    return both


def _on_wire(seen: pa.RecordBatch, span: FlowHeartbeats) -> pa.RecordBatch | None:
    """The heartbeats of sockets that the wire shows; None where it shows what the workloads see, and no more."""
    address = seen.column("wire_address")
    if address.null_count == len(address):
        return None
    sockets = asked_sockets(seen.column("protocol"), seen.column("wire_port"))
    shown = address.is_valid().to_numpy(zero_copy_only=False) & (sockets != ANY_SOCKET)
    seen = seen.filter(pa.array(shown))
    return _heartbeats(seen, seen.column("wire_address"), _network_on_wire(seen), sockets[shown], span)


def _network_on_wire(seen: pa.RecordBatch) -> Column:
    """The network of each wire address: that of the remote address, to which it is shown."""
    local, remote = seen.column("local_network"), seen.column("remote_network")
    if remote.null_count == len(remote):
        return local
    own = pc.equal(decoded(seen.column("wire_address")), decoded(seen.column("local_address")))
    return pc.if_else(own, decoded(local), pc.coalesce(decoded(remote), decoded(local)))


def _heartbeats(
    seen: pa.RecordBatch, address: Column, network: Column, sockets: Int32, span: FlowHeartbeats
) -> pa.RecordBatch:
    """The heartbeats of flows at these addresses, in these networks, and at these sockets."""
    columns = {
        "address": address,
        "network": network,
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


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    """One record batch of a table, its dictionaries brought to one dictionary."""
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
