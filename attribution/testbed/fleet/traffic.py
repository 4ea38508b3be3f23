"""Traffic: who connects to whom, and what the observers on either side write down about it."""

from dataclasses import dataclass, fields

import numpy as np

from attribution.config import HOUR, SECOND
from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.addresses import SERVICE_PORT
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind, is_fleet

_LONGEST = 6 * HOUR
_EPHEMERAL = (32_768, 61_000)


@dataclass(frozen=True)
class Connections:
    """What really happened: one row a connection, by the true clock; both tenures last from start to end.

    A server may keep a connection after its tenure (`linger_share`).

    `wire_address` and `wire_port` are the client's socket as a translator shows it; -1 where there is none.
    `node_address` and `node_port` are the node's socket at which the client reached the server; -1 where there is none.
    """

    start: Int64
    end: Int64
    client: Int64
    server: Int64
    client_port: Int64
    wire_address: Int64
    wire_port: Int64
    node_address: Int64
    node_port: Int64

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Volumes:
    """What the client and the server of each connection sent, bytes."""

    request: Int64
    answer: Int64


@dataclass(frozen=True)
class Flows:
    """What the observers logged, by their own clocks, in the order of delivery; `local` and `remote` are the truth.

    Attributes:
        start: first activity or start of the window, microseconds UTC.
        end: last activity or end of the window.
        local: tenure of the local side.
        remote: tenure of the remote side.
        local_port: port of the local side.
        remote_port: port of the remote side.
        protocol: IANA number of the transport protocol.
        ingress: whether the remote side opened the connection.
        host: the observer.
        window: whether start and end bound an aggregation window.
        bytes_sent: bytes from local to remote.
        bytes_received: bytes from remote to local; -1 where the log tells one way only, and no direction.
        wire_address: number of the local address as a translator or a balancer shows it; -1 where there is none.
        wire_port: the local port as it shows it; -1 where there is none.
        remote_wire: number of the translator's or the node's address in the place of the remote side's; -1 where there
            is none.
        service_address: number of the virtual address of the remote side that the log shows as well; -1 where there is
            none.
        received: when a collector received the record, by the true clock; -1 where the log does not say.
    """

    start: Int64
    end: Int64
    local: Int64
    remote: Int64
    local_port: Int64
    remote_port: Int64
    protocol: Int64
    ingress: Bool
    host: Int64
    window: Bool
    bytes_sent: Int64
    bytes_received: Int64
    wire_address: Int64
    wire_port: Int64
    remote_wire: Int64
    service_address: Int64
    received: Int64

    def __len__(self) -> int:
        return len(self.start)

    def rows(self, choice: Int64 | Bool | slice) -> "Flows":
        """The chosen rows."""
        return Flows(*(getattr(self, item.name)[choice] for item in fields(self)))


@dataclass(frozen=True)
class Observers:
    """What the log of each host is like, and that of each router behind the hosts.

    Attributes:
        captures: whether it knows the local workload of an address that one workload holds.
        captures_shared: whether it also tells apart the workloads that share the host's own address.
        window: length of its windows; 0 where it logs connections.
        second_window: length of the windows of its second log; 0 where it has none.
        samples: whether it takes samples.
        exports: whether its records show the time of their export only.
        late_by: how late its clock is, microseconds; its records then show when they were received. The small errors of
            the hosts' clocks are `Fleet.skew`.
        undirected: whether it does not say who opened a connection.
    """

    captures: Bool
    captures_shared: Bool
    window: Int64
    second_window: Int64
    samples: Bool
    exports: Bool
    late_by: Int64
    undirected: Bool


def make_observers(scenario: Scenario, rng: np.random.Generator, socket_rng: np.random.Generator) -> Observers:
    """The kind of log that each host and each router writes."""
    captures = rng.random(scenario.hosts) < scenario.capture_share
    windows = rng.random(scenario.hosts) < scenario.window_share
    length = np.where(rng.random(scenario.hosts) < scenario.long_window_share, scenario.long_window, scenario.window)
    shared = captures & (rng.random(scenario.hosts) < scenario.shared_capture_share)
    window = np.where(windows, length, 0)
    second = (window == scenario.window) & (rng.random(scenario.hosts) < scenario.second_log_share)
    none = np.zeros(scenario.routers, np.bool_)
    # Samplers, exporters and late routers, in this order.
    router = np.arange(scenario.routers) - scenario.samplers
    exports, late = (router >= 0) & (router < scenario.exporters), router >= scenario.exporters
    late &= router < scenario.exporters + scenario.late_routers
    late_by = rng.integers(scenario.late_by // 4, scenario.late_by, endpoint=True, size=scenario.routers)
    return Observers(
        captures=np.r_[captures, none],
        captures_shared=np.r_[shared, none],
        window=np.r_[window, np.full(scenario.routers, scenario.window)],
        second_window=np.r_[np.where(second, scenario.long_window, 0), np.zeros(scenario.routers, np.int64)],
        samples=np.r_[np.zeros(scenario.hosts, np.bool_), router < 0],
        exports=np.r_[np.zeros(scenario.hosts, np.bool_), exports],
        late_by=np.r_[np.zeros(scenario.hosts, np.int64), np.where(late, late_by, 0)],
        undirected=np.r_[socket_rng.random(scenario.hosts) < scenario.undirected_share, none],
    )


def make_connections(fleet: Fleet, scenario: Scenario, rng: np.random.Generator) -> Connections:
    """Connections over the edges of the catalogue; each ends at the latest when either side's tenure does.

    A part of them starts within seconds of the beginning or the end of the server's tenure, where attribution is hard.
    """
    catalogue, tenures = fleet.catalogue, fleet.tenures
    near = round(scenario.connections * scenario.boundary_share)
    client_service, server, time = _near_boundaries(fleet, near, scenario, rng)
    plain = scenario.connections - near
    edge = _draw(catalogue.edge_weight, plain, rng)
    plain_time = scenario.begin + rng.integers(0, scenario.duration, size=plain)
    plain_server = fleet.alive(_slots(fleet, catalogue.edge_server[edge], rng), plain_time)
    client_service = np.r_[catalogue.edge_client[edge], client_service]
    server, time = np.r_[plain_server, server], np.r_[plain_time, time]
    client = fleet.alive(_slots(fleet, client_service, rng), time)
    length = np.exp(rng.normal(0, scenario.connection_sigma, size=len(time))) * scenario.connection_median
    port = rng.integers(*_EPHEMERAL, size=len(time))
    real = (client >= 0) & (server >= 0) & (client != server)
    client, server, time, port, length = client[real], server[real], time[real], port[real], length[real]
    last = np.minimum(np.minimum(tenures.end[client], tenures.end[server]) - 1, scenario.last)
    end = np.minimum(time + np.minimum(length, _LONGEST).astype(np.int64), last)
    none = np.full(len(time), -1, dtype=np.int64)
    return Connections(time, end, client, server, port, none, none, none, none)


def _draw(weights: Float64, count: int, rng: np.random.Generator) -> Int64:
    """Row numbers, drawn with the given weights."""
    if not len(weights) or not count:
        return np.zeros(0, dtype=np.int64)
    sums = np.cumsum(weights)
    return np.minimum(np.searchsorted(sums, rng.random(count) * sums[-1], side="right"), len(weights) - 1)


def _slots(fleet: Fleet, services: Int64, rng: np.random.Generator) -> Int64:
    """One slot of each service, evenly."""
    replicas = fleet.catalogue.replicas[services]
    return fleet.catalogue.first_slot[services] + (rng.random(len(services)) * replicas).astype(np.int64)


def _near_boundaries(
    fleet: Fleet, count: int, scenario: Scenario, rng: np.random.Generator
) -> tuple[Int64, Int64, Int64]:
    """Client service, server tenure and time of connections close to a start or an end of the server's tenure."""
    tenures, catalogue = fleet.tenures, fleet.catalogue
    service = catalogue.slot_service[tenures.slot]
    order = np.argsort(catalogue.edge_server, kind="stable")
    by_server = catalogue.edge_server[order]
    first, last = np.searchsorted(by_server, service), np.searchsorted(by_server, service, side="right")
    candidates = np.flatnonzero(
        is_fleet(fleet.kind) & (first < last) & (tenures.end > scenario.begin) & (tenures.start < scenario.end)
    )
    if not len(candidates):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    server = rng.choice(candidates, size=count)
    off = (rng.exponential(1, size=count) * SECOND).astype(np.int64)
    at_start = rng.random(count) < 0.5
    time = np.where(at_start, tenures.start[server] + off, tenures.end[server] - 1 - off)
    edge = order[first[server] + (rng.random(count) * (last - first)[server]).astype(np.int64)]
    inside = (time >= tenures.start[server]) & (time < tenures.end[server])
    inside &= (time >= scenario.begin) & (time < scenario.end)
    return catalogue.edge_client[edge][inside], server[inside], time[inside]


def remote_kinds(fleet: Fleet, flows: Flows) -> Int64:
    """The `Kind` of each flow's remote side."""
    kind = np.where(flows.ingress, Kind.TRANSLATED, Kind.NODE_PORT)
    return np.where(flows.remote_wire >= 0, kind, fleet.kind[flows.remote]).astype(np.int64)


def remote_shown(fleet: Fleet, flows: Flows) -> tuple[Int64, Int64]:
    """Number of the address and the port that each flow shows as its remote side's."""
    address = np.where(flows.remote_wire >= 0, flows.remote_wire, fleet.key_address[fleet.tenures.key[flows.remote]])
    virtual = flows.service_address >= 0
    return np.where(virtual, flows.service_address, address), np.where(virtual, SERVICE_PORT, flows.remote_port)


def named_endpoints(fleet: Fleet, flows: Flows) -> Int64:
    """Rows of flows that a client opened to a labelled prefix or a load balancer: those that DNS answers precede."""
    kinds = remote_kinds(fleet, flows)
    return np.flatnonzero(((kinds == Kind.LABELLED) | (kinds == Kind.LOAD_BALANCER)) & ~flows.ingress)
