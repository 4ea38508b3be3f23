"""Reports: connections with a captured workload, as what their far ends are compared with.

A report is a row of `SCHEMA`. The same connection, seen from its other end, has the two hashes of its ends exchanged.

Example: 10.0.0.1 talks to 10.0.0.2. Its report is made, and that of 10.0.0.2.

>>> from attribution.schema import arrow_schema
>>> ends = [("10.0.0.1", 40000, "10.0.0.2", 443), ("10.0.0.2", 443, "10.0.0.1", 40000)]
>>> names = ("local_address", "local_port", "remote_address", "remote_port")
>>> common = {"start": 0, "end": 9, "protocol": 6, "local_workload": "w", "basis": "connection"}
>>> rows = [common | dict(zip(names, end)) for end in ends]
>>> made = reports_of(pa.RecordBatch.from_pylist(rows, schema=arrow_schema("flow")), Settings())
>>> one, other = made.select(["own", "mirror"]).to_pylist()
>>> one["own"] == other["mirror"] and one["mirror"] == other["own"] and one["own"] != one["mirror"]
True
"""

import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.sockets import ANY_SOCKET, asked_sockets
from attribution.core.columnar.arrays import is_among, is_value
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.hashing import hash_rows
from attribution.core.columnar.types import Bool, Column, UInt64
from attribution.core.flow_evidence.ends import remote_end
from attribution.core.flow_evidence.flow_heartbeats import FIELDS as OF_HEARTBEATS
from attribution.core.flow_evidence.flow_heartbeats import network_on_wire
from attribution.core.times import times_of
from attribution.schema import TIMESTAMP

#: Counts of a flow, and those of its far end that should be equal.
MIRRORED = {
    "bytes_sent": "bytes_received",
    "bytes_received": "bytes_sent",
    "packets_sent": "packets_received",
    "packets_received": "packets_sent",
}
#: The fields of a flow that its report is made of; a batch needs no others.
FIELDS = tuple(
    dict.fromkeys(
        (*OF_HEARTBEATS, "remote_address", "remote_port", "remote_wire_address", "remote_wire_port", *MIRRORED)
    )
)

#: The address and hashes of the ends of a report, as its own end says them (`own`) and as the far end does (`mirror`).
#: Each hash has a second one beside it: together they have 128 bits.
SCHEMA = pa.schema(
    [
        pa.field("address", pa.string(), nullable=False),
        *(pa.field(name, pa.uint64(), nullable=False) for name in ("own", "own_2", "mirror", "mirror_2")),
        pa.field("workload", pa.string(), nullable=False),
        pa.field("service", pa.string()),
        pa.field("network", pa.string()),
        pa.field("direction", pa.string()),
        pa.field("start", TIMESTAMP, nullable=False),
        pa.field("end", TIMESTAMP, nullable=False),
        *(pa.field(name, pa.int64()) for name in MIRRORED),
    ]
)

_CONNECTION = pa.scalar("connection")


def reports_of(flows: pa.RecordBatch, settings: Settings, *, among: UInt64 | None = None) -> pa.RecordBatch:
    """The reports among flows, in their order.

    Args:
        flows: canonical flows; the columns `FIELDS` are enough. Local workloads that were not captured are null.
        settings: the settings of the rules.
        among: sorted hashes; only reports whose `own` is one of these are made. All reports by default.
    """
    flows, local, remote = _with_ends(flows, settings)
    own = _hashes(flows, local, remote, "")
    if among is not None:
        asked = is_among(own, among)
        flows, own = flows.filter(pa.array(asked)), own[asked]
        local, remote = ({name: one.filter(pa.array(asked)) for name, one in end.items()} for end in (local, remote))
    columns = {
        "address": decoded(local["address"]),
        "own": pa.array(own),
        "own_2": pa.array(_hashes(flows, local, remote, "_2")),
        "mirror": pa.array(_hashes(flows, remote, local, "")),
        "mirror_2": pa.array(_hashes(flows, remote, local, "_2")),
        "workload": decoded(flows.column("local_workload")),
        "service": decoded(flows.column("local_service")),
        "network": decoded(local["network"]),
        "direction": decoded(flows.column("direction")),
        "start": flows.column("start"),
        "end": flows.column("end"),
        **{name: flows.column(name) for name in MIRRORED},
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def hashes_of(flows: pa.RecordBatch, settings: Settings) -> tuple[UInt64, UInt64]:
    """The hashes `own` and `mirror` of the reports among flows, and nothing else of them."""
    flows, local, remote = _with_ends(flows, settings)
    return _hashes(flows, local, remote, ""), _hashes(flows, remote, local, "")


def _with_ends(
    flows: pa.RecordBatch, settings: Settings
) -> tuple[pa.RecordBatch, dict[str, Column], dict[str, Column]]:
    """The flows that are reports, and their local and remote ends."""
    flows = flows.filter(pa.array(is_report(flows, settings)))
    if settings.one_space:
        flows = _without_networks(flows)
    return flows, _local_end(flows), _remote_end(flows)


def _without_networks(flows: pa.RecordBatch) -> pa.RecordBatch:
    for name in ("local_network", "remote_network"):
        flows = flows.set_column(flows.schema.get_field_index(name), name, pa.nulls(flows.num_rows, pa.string()))
    return flows


def is_report(flows: pa.RecordBatch, settings: Settings) -> Bool:
    """Which flows are reports."""
    known = pc.and_(flows.column("local_workload").is_valid(), is_value(flows.column("basis"), _CONNECTION))
    if "local_method" in flows.schema.names:
        captured = pc.equal(decoded(flows.column("local_method")), "capture")
        known = pc.and_(known, pc.fill_null(captured, False))
    found: Bool = known.to_numpy(zero_copy_only=False)
    if not found.any():
        return found
    protocol = flows.column("protocol")
    ports = (_local_end(flows)["port"], _remote_end(flows)["port"])
    for port in ports:
        found = found & (asked_sockets(protocol, port) != ANY_SOCKET)
    times = times_of(flows, settings)
    return found & ~times.untimed & (times.lag == 0)


def _local_end(flows: pa.RecordBatch) -> dict[str, Column]:
    address, port, network = (flows.column(f"local_{name}") for name in ("address", "port", "network"))
    wire = flows.column("wire_address")
    if wire.null_count < len(wire):
        known = wire.is_valid()
        network = pc.if_else(known, decoded(network_on_wire(flows)), decoded(network))
        address = pc.coalesce(decoded(wire), decoded(address))
        port = pc.if_else(known, flows.column("wire_port"), port)
    return {"address": address, "port": port, "network": network}


def _remote_end(flows: pa.RecordBatch) -> dict[str, Column]:
    address, port = remote_end(flows)
    network = flows.column("remote_network")
    if network.null_count:
        network = pc.coalesce(decoded(network), decoded(flows.column("local_network")))
    return {"address": address, "port": port, "network": network}


def _hashes(flows: pa.RecordBatch, one: dict[str, Column], other: dict[str, Column], which: str) -> UInt64:
    """A hash of two ends, in this order, and the protocol."""
    columns = {f"protocol{which}": flows.column("protocol")}
    for side, end in (("one", one), ("other", other)):
        columns |= {f"{side}_{name}{which}": column for name, column in end.items()}
    return hash_rows(columns)
