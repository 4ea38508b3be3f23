"""Canonical Arrow tables of a fleet's flows, of their truth, and of what was really sent."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import HOUR
from attribution.core.columnar.types import Bool, Int64
from attribution.schema import ASSIGNMENT, FLOW, TIMESTAMP, arrow_schema
from attribution.testbed.fleet.texts import (
    FleetTexts,
    address_column,
    either_column,
    filled,
    masked_column,
    time_column,
)
from attribution.testbed.fleet.traffic import Connections, Flows, Observers, Volumes, remote_kinds, remote_shown
from attribution.testbed.fleet.world.kinds import KIND_TEXTS

#: What joins a flow to its truth.
IDENTITY = (
    "start", "end", "local_address", "local_port", "remote_address", "remote_port", "protocol", "observer",
)  # fmt: skip

#: `truth.parquet`: the flow's identity, and who really was at either side. `remote_workload` is the owner where the
#: remote side is a load balancer; `remote_service` is the label where it lies in a labelled prefix.
TRUTH = pa.schema(
    [
        *(arrow_schema(FLOW).field(name) for name in IDENTITY),
        pa.field("local_workload", pa.string()),
        pa.field("local_service", pa.string()),
        pa.field("remote_workload", pa.string()),
        pa.field("remote_service", pa.string()),
        pa.field("remote_kind", pa.string(), nullable=False),
    ]
)

#: `truth.parquet` of a fleet with several networks: also the network of either address, null outside the fleet, and
#: which of the two networks the log told: `both`, `local`, `remote` or `none`.
NETWORK_TRUTH = pa.schema(
    [
        *TRUTH,
        pa.field("local_network", pa.string()),
        pa.field("remote_network", pa.string()),
        pa.field("networks_told", pa.string(), nullable=False),
    ]
)

#: `workload_events.parquet`: assignment events with the time of their delivery.
EVENTS = arrow_schema(ASSIGNMENT).append(pa.field("received", TIMESTAMP, nullable=False))

#: `traffic.parquet`: the bytes that clients of one service and servers of another sent each other in an hour. A service
#: is null where nothing names the endpoint.
TRAFFIC = pa.schema(
    [
        pa.field("hour", TIMESTAMP, nullable=False),
        pa.field("client_service", pa.string()),
        pa.field("server_service", pa.string()),
        pa.field("bytes_sent", pa.int64(), nullable=False),
        pa.field("bytes_received", pa.int64(), nullable=False),
    ]
)


def _identity(texts: FleetTexts, flows: Flows) -> dict[str, pa.Array]:
    """The columns by which a flow is found again in the truth."""
    virtual = address_column(flows.service_address)
    seen = pc.coalesce(virtual, address_column(flows.remote_wire), texts.address(flows.remote))
    port = remote_shown(texts.fleet, flows)[1]
    return {
        "start": time_column(flows.start),
        "end": time_column(flows.end),
        "local_address": texts.address(flows.local),
        "local_port": pa.array(flows.local_port, pa.int32()),
        "remote_address": seen,
        "remote_port": pa.array(port, pa.int32()),
        "protocol": pa.array(flows.protocol, pa.int32()),
        "observer": texts.host(flows.host),
    }


def flow_batch(texts: FleetTexts, flows: Flows, observers: Observers) -> pa.RecordBatch:
    """Flows as a canonical record batch; the local workload only where the observer's log knows it."""
    rows = len(flows)
    shares = texts.fleet.key_socket[texts.fleet.tenures.key[flows.local]] >= 0
    known = np.where(shares, observers.captures_shared[flows.host], observers.captures[flows.host])
    packets = flows.bytes_sent // 700 + 1, flows.bytes_received // 700 + 1
    one_way, virtual = flows.bytes_received < 0, flows.service_address >= 0
    directed = ~one_way & ~observers.undirected[flows.host]
    columns = {
        **_identity(texts, flows),
        "direction": masked_column(directed, either_column(flows.ingress, "ingress", "egress")),
        "bytes_sent": pa.array(flows.bytes_sent),
        "bytes_received": pa.array(flows.bytes_received, mask=one_way),
        "packets_sent": pa.array(packets[0]),
        "packets_received": pa.array(packets[1], mask=one_way),
        "wire_address": address_column(np.where(known, flows.wire_address, -1)),
        "wire_port": pa.array(flows.wire_port, pa.int32(), mask=~known | (flows.wire_port < 0)),
        "remote_wire_address": masked_column(virtual, texts.address(flows.remote)),
        "remote_wire_port": pa.array(flows.remote_port, pa.int32(), mask=~virtual),
        "tcp_flags": pa.nulls(rows, pa.int32()),
        "local_workload": masked_column(known, texts.workload(flows.local)),
        "local_service": masked_column(known, texts.service(flows.local)),
        "hostname": pa.nulls(rows, pa.string()),
        "received": pa.array(flows.received, pa.int64(), mask=flows.received < 0).cast(TIMESTAMP),
        "region": texts.region(flows.local),
        "data_centre": pa.nulls(rows, pa.string()),
        "basis": pc.if_else(
            pa.array(observers.exports[flows.host]), "export", either_column(flows.window, "window", "connection")
        ),
    }
    return pa.RecordBatch.from_pydict(filled(columns, arrow_schema(FLOW)), schema=arrow_schema(FLOW))


def truth_batch(texts: FleetTexts, flows: Flows) -> pa.RecordBatch:
    """The truth of flows: identity columns and both sides."""
    columns = {
        **_identity(texts, flows),
        "local_workload": texts.workload(flows.local),
        "local_service": texts.service(flows.local),
        "remote_workload": texts.workload(flows.remote),
        "remote_service": texts.service(flows.remote),
        "remote_kind": pa.array(KIND_TEXTS).take(pa.array(remote_kinds(texts.fleet, flows))),
    }
    return pa.RecordBatch.from_pydict(columns, schema=TRUTH)


def with_networks(batch: pa.RecordBatch, texts: FleetTexts, flows: Flows, told: tuple[Bool, Bool]) -> pa.RecordBatch:
    """Flows with the networks that they tell, of the local and of the remote address."""
    for name, side, known in (("local_network", flows.local, told[0]), ("remote_network", flows.remote, told[1])):
        at = batch.schema.get_field_index(name)
        batch = batch.set_column(at, batch.schema.field(at), texts.network(side, known))
    return batch


def with_true_networks(
    batch: pa.RecordBatch, texts: FleetTexts, flows: Flows, told: tuple[Bool, Bool]
) -> pa.RecordBatch:
    """The truth of flows with the network of either address, and which of the two the log told (`NETWORK_TRUTH`)."""
    local, remote = told
    texts_of_told = pa.array(["none", "local", "remote", "both"]).take(pa.array(local + 2 * remote))
    columns = [*batch.columns, texts.network(flows.local), texts.network(flows.remote), texts_of_told]
    return pa.RecordBatch.from_arrays(columns, schema=NETWORK_TRUTH)


def with_identity(batch: pa.RecordBatch, flows: Int64) -> pa.RecordBatch:
    """Flows with an identity that tells a repeat of a flow from another flow like it."""
    at = batch.schema.get_field_index("record_id")
    identity = pa.array([f"record-{number}" for number in flows.tolist()], pa.string())
    return batch.set_column(at, batch.schema.field(at), identity)


def traffic_table(texts: FleetTexts, seen: Connections, volumes: Volumes) -> pa.Table:
    """What connections carried, by their services and the hours that they lasted through; bytes flow evenly."""
    first = seen.start // HOUR
    count = seen.end // HOUR - first + 1
    row = np.repeat(np.arange(len(seen)), count)
    hour = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    lasts = (seen.end + 1 - seen.start)[row].astype(np.float64)
    since, until = (np.clip((moment - seen.start[row]) / lasts, 0, 1) for moment in (hour * HOUR, (hour + 1) * HOUR))
    parts = {
        name: (total[row] * until).astype(np.int64) - (total[row] * since).astype(np.int64)
        for name, total in (("bytes_sent", volumes.request), ("bytes_received", volumes.answer))
    }
    columns = {
        "hour": time_column(hour * HOUR),
        "client_service": texts.service(seen.client[row]),
        "server_service": texts.service(seen.server[row]),
    }
    keys = [*columns]
    sums = pa.table(columns | {name: pa.array(part) for name, part in parts.items()}).group_by(keys, use_threads=False)
    found = sums.aggregate([(name, "sum") for name in parts]).rename_columns([*keys, *parts])
    return found.sort_by([(name, "ascending") for name in keys]).cast(TRAFFIC)
