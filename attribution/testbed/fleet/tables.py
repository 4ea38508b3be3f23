"""From the simulator's numbers to canonical Arrow tables."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import HOUR, SECOND
from attribution.core.addressing.sockets import columns_of
from attribution.core.columnar.types import Bool, Int64
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, TIMESTAMP, arrow_schema
from attribution.testbed.fleet.addresses import address_text, region_prefixes
from attribution.testbed.fleet.catalogue import Catalogue
from attribution.testbed.fleet.evidence import DNS_TTL, Events, Heartbeats, Names
from attribution.testbed.fleet.fleet import Fleet
from attribution.testbed.fleet.kinds import KIND_TEXTS, Kind
from attribution.testbed.fleet.networks import network_name
from attribution.testbed.fleet.traffic import Connections, Flows, Observers, Volumes, remote_kinds
from attribution.testbed.fleet.translation import Sessions

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

_EVENT_KINDS = {Kind.WORKLOAD: "pod", Kind.PORT_OWNER: "task", Kind.LOAD_BALANCER: "load_balancer"}


class FleetTexts:
    """Names of a fleet's tenures, addresses and hosts, as Arrow arrays to take from; each is made once, when used."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    @cached_property
    def _key_texts(self) -> pa.Array:
        numbers, back = np.unique(self.fleet.key_address, return_inverse=True)
        return pa.array([address_text(n) for n in numbers.tolist()], pa.string()).take(pa.array(back))

    @cached_property
    def _workloads(self) -> pa.Array:
        catalogue, tenures = self.fleet.catalogue, self.fleet.tenures
        service = catalogue.slot_service[tenures.slot]
        ordinal = tenures.slot - catalogue.first_slot[service]
        named = self.fleet.kind <= Kind.LOAD_BALANCER
        texts = [
            f"{catalogue.names[s]}-{o}.{g}" if ok else None
            for s, o, g, ok in zip(
                service.tolist(), ordinal.tolist(), tenures.generation.tolist(), named.tolist(), strict=True
            )
        ]
        return pa.array(texts, pa.string())

    @cached_property
    def _services(self) -> pa.Array:
        return pa.array([name or None for name in self.fleet.catalogue.names], pa.string())

    @cached_property
    def _hosts(self) -> pa.Array:
        hosts, observers = self.fleet.hosts, len(self.fleet.skew)
        names = [f"host-{i}" if i < hosts else f"router-{i - hosts}" for i in range(observers)]
        return pa.array(names, pa.string())

    def address(self, tenure: Int64) -> pa.Array:
        """Address of each tenure."""
        return self._key_texts.take(pa.array(self.fleet.tenures.key[tenure]))

    def workload(self, tenure: Int64) -> pa.Array:
        """Unique name of each tenure's workload, `cart-2.5` the fifth successor in place 2; null outside the fleet."""
        return self._workloads.take(pa.array(tenure))

    def service(self, tenure: Int64) -> pa.Array:
        """Service of each tenure; null where nothing names it."""
        return self._services.take(pa.array(self.fleet.catalogue.slot_service[self.fleet.tenures.slot[tenure]]))

    def region(self, tenure: Int64) -> pa.Array:
        """Name of each tenure's region; null outside the fleet, and where there is one region only."""
        names = region_names(self.fleet.catalogue)
        number = self.fleet.zone(tenure)
        return pa.array(names, pa.string()).take(pa.array(number, mask=(number < 0) | (len(names) == 1)))

    def network(self, tenure: Int64, told: Bool | None = None) -> pa.Array:
        """Name of each tenure's network; null outside the fleet, where it is not told, and where there is one only."""
        networks = self.fleet.catalogue.networks
        if networks == 1:
            return pa.nulls(len(tenure), pa.string())
        names = [network_name(number) for number in range(networks)]
        number = self.fleet.zone(tenure)
        unknown = number < 0 if told is None else (number < 0) | ~told
        return pa.array(names, pa.string()).take(pa.array(number, mask=unknown))

    def host(self, host: Int64) -> pa.Array:
        """Name of each observer."""
        return self._hosts.take(pa.array(host))

    def owned(self, tenure: Int64) -> dict[str, pa.Array]:
        """Protocol and port of the one socket of each tenure; null where it holds the whole address."""
        return columns_of(self.fleet.key_socket[self.fleet.tenures.key[tenure]].astype(np.int32))


def _times(values: Int64) -> pa.Array:
    return pa.array(values, pa.int64()).cast(TIMESTAMP)


def _constant(value: str | float, kind: pa.DataType, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), rows)


def _either(mask: Bool, text: str, otherwise: str) -> pa.Array:
    """The text where the mask is set, and the other one elsewhere."""
    return pa.array([otherwise, text]).take(pa.array(mask.astype(np.int8)))


def _masked(mask: Bool, texts: pa.Array) -> pa.Array:
    return texts.take(pa.array(np.arange(len(mask)), pa.int64(), mask=~mask))


def _wire(numbers: Int64) -> pa.Array:
    """Texts of the addresses of translators; null for -1."""
    distinct, place = np.unique(numbers, return_inverse=True)
    texts = pa.array([address_text(n) if n >= 0 else None for n in distinct.tolist()], pa.string())
    return texts.take(pa.array(place))


def filled(columns: Mapping[str, pa.Array], schema: pa.Schema) -> dict[str, pa.Array]:
    """The columns, with nulls for the fields that may be null and that the simulation says nothing about."""
    rows = len(next(iter(columns.values())))
    return {f.name: pa.nulls(rows, f.type) for f in schema if f.nullable} | dict(columns)


def _identity(texts: FleetTexts, flows: Flows) -> dict[str, pa.Array]:
    """The columns by which a flow is found again in the truth."""
    return {
        "start": _times(flows.start),
        "end": _times(flows.end),
        "local_address": texts.address(flows.local),
        "local_port": pa.array(flows.local_port, pa.int32()),
        "remote_address": pc.coalesce(_wire(flows.remote_wire), texts.address(flows.remote)),
        "remote_port": pa.array(flows.remote_port, pa.int32()),
        "protocol": pa.array(flows.protocol, pa.int32()),
        "observer": texts.host(flows.host),
    }


def flow_batch(texts: FleetTexts, flows: Flows, observers: Observers) -> pa.RecordBatch:
    """Flows as a canonical record batch; the local workload only where the observer's log knows it."""
    rows = len(flows)
    shares = texts.fleet.key_socket[texts.fleet.tenures.key[flows.local]] >= 0
    known = np.where(shares, observers.captures_shared[flows.host], observers.captures[flows.host])
    packets = flows.bytes_sent // 700 + 1, flows.bytes_received // 700 + 1
    one_way = flows.bytes_received < 0
    columns = {
        **_identity(texts, flows),
        "direction": _masked(~one_way, _either(flows.ingress, "ingress", "egress")),
        "bytes_sent": pa.array(flows.bytes_sent),
        "bytes_received": pa.array(flows.bytes_received, mask=one_way),
        "packets_sent": pa.array(packets[0]),
        "packets_received": pa.array(packets[1], mask=one_way),
        "wire_address": _wire(np.where(known, flows.wire_address, -1)),
        "wire_port": pa.array(flows.wire_port, pa.int32(), mask=~known | (flows.wire_port < 0)),
        "tcp_flags": pa.nulls(rows, pa.int32()),
        "local_workload": _masked(known, texts.workload(flows.local)),
        "local_service": _masked(known, texts.service(flows.local)),
        "hostname": pa.nulls(rows, pa.string()),
        "region": texts.region(flows.local),
        "data_centre": pa.nulls(rows, pa.string()),
        "basis": _either(flows.window, "window", "connection"),
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
        "hour": _times(hour * HOUR),
        "client_service": texts.service(seen.client[row]),
        "server_service": texts.service(seen.server[row]),
    }
    keys = [*columns]
    sums = pa.table(columns | {name: pa.array(part) for name, part in parts.items()}).group_by(keys, use_threads=False)
    found = sums.aggregate([(name, "sum") for name in parts]).rename_columns([*keys, *parts])
    return found.sort_by([(name, "ascending") for name in keys]).cast(TRAFFIC)


def heartbeat_table(texts: FleetTexts, heartbeats: Heartbeats, told: Bool) -> pa.Table:
    """Explicit heartbeats, instants; `told` says which of them tell their network."""
    time = _times(heartbeats.time)
    columns = {
        "address": texts.address(heartbeats.tenure),
        "network": texts.network(heartbeats.tenure, told),
        **texts.owned(heartbeats.tenure),
        "workload": texts.workload(heartbeats.tenure),
        "service": texts.service(heartbeats.tenure),
        "start": time,
        "end": time,
        "observer": texts.host(heartbeats.host),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(HEARTBEAT)), schema=arrow_schema(HEARTBEAT))


def assignment_table(texts: FleetTexts, events: Events, told: Bool) -> pa.Table:
    """Assignment events without the time of their delivery; `told` says which of them tell their network."""
    return event_table(texts, events, told).drop_columns(["received"])


def event_table(texts: FleetTexts, events: Events, told: Bool | None = None) -> pa.Table:
    """Assignment events with the time of their delivery; all of them tell their network, or those that `told` says."""
    kinds = pa.array([_EVENT_KINDS[Kind(i)] for i in range(Kind.LOAD_BALANCER + 1)])
    columns = {
        "address": texts.address(events.tenure),
        "network": texts.network(events.tenure, told),
        **texts.owned(events.tenure),
        "owner": texts.workload(events.tenure),
        "service": texts.service(events.tenure),
        "kind": kinds.take(pa.array(texts.fleet.kind[events.tenure])),
        "action": _either(events.release, "release", "assign"),
        "time": _times(events.time),
        "received": _times(events.received),
    }
    return pa.Table.from_pydict(filled(columns, EVENTS), schema=EVENTS)


def session_table(texts: FleetTexts, sessions: Sessions) -> pa.Table:
    """The events of translators' sessions, as `event_table`."""
    columns = {
        "address": _wire(sessions.address),
        "network": texts.network(sessions.client),
        "port": pa.array(sessions.port, pa.int32()),
        "protocol": pa.array(sessions.protocol, pa.int32()),
        "owner": texts.workload(sessions.client),
        "service": texts.service(sessions.client),
        "kind": _constant("nat_session", pa.string(), len(sessions.port)),
        "action": _either(sessions.release, "release", "assign"),
        "time": _times(sessions.time),
        "received": _times(sessions.received),
    }
    return pa.Table.from_pydict(filled(columns, EVENTS), schema=EVENTS)


def name_table(texts: FleetTexts, names: Names, flows: Flows, told: Bool) -> pa.Table:
    """DNS answers: `api.partner-1.example` and two other names for one address.

    `told` says which of them tell the network of their client.
    """
    local, remote = flows.local[names.flow], flows.remote[names.flow]
    variants = pa.array(["api", "cdn", "www"]).take(pa.array(names.variant))
    services = texts.service(remote)
    hostnames = [f"{v}.{s}.example" for v, s in zip(variants.to_pylist(), services.to_pylist(), strict=True)]
    columns = {
        "client_address": texts.address(local),
        "client_prefix": pa.nulls(len(names), pa.string()),
        "server_address": texts.address(remote),
        "hostname": pa.array(hostnames, pa.string()),
        "network": texts.network(local, told),
        "time": _times(names.time),
        "ttl": _constant(DNS_TTL / SECOND, pa.float64(), len(names)),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(NAME_BINDING)), schema=arrow_schema(NAME_BINDING))


def region_names(catalogue: Catalogue) -> list[str]:
    """What the regions of a fleet are called."""
    regions = 1 if catalogue.networks > 1 else int(catalogue.zone.max(initial=0)) + 1
    return [f"region-{number + 1}" for number in range(regions)]


def region_rows(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Each prefix of a region, and the region."""
    return [
        (f"{address_text(first)}/{length}", name)
        for number, name in enumerate(region_names(catalogue))
        for first, length in region_prefixes(number)
    ]


def label_table(fleet: Fleet) -> pa.Table:
    """One /24 prefix for each labelled service outside the fleet.

    If there are several networks, a prefix is labelled in one of them. Every other label of a prefix that is labelled
    once only holds in all networks.
    """
    labels = fleet.catalogue.labels
    bases = [base for base, _ in labels]
    zone = fleet.catalogue.zone[[service for _, service in labels]].tolist() if labels else []
    several = fleet.catalogue.networks > 1
    networks = [
        network_name(number) if several and (bases.count(base) > 1 or nth % 2 == 0) else None
        for nth, (base, number) in enumerate(zip(bases, zone, strict=True))
    ]
    columns = {
        "prefix": pa.array([f"{address_text(base)}/24" for base, _ in labels], pa.string()),
        "service": pa.array([fleet.catalogue.names[service] for _, service in labels], pa.string()),
        "network": pa.array(networks, pa.string()),
        "kind": _constant("partner", pa.string(), len(labels)),
        "region": pa.nulls(len(labels), pa.string()),
    }
    return pa.Table.from_pydict(filled(columns, arrow_schema(LABEL)), schema=arrow_schema(LABEL))
