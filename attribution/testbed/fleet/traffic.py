"""Traffic: who connects to whom, and what the observers on either side write down about it."""

from dataclasses import dataclass, fields, replace

import numpy as np

from attribution.config import HOUR, SECOND
from attribution.core.addressing.sockets import TCP, split_sockets
from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.testbed.fleet.fleet import Fleet
from attribution.testbed.fleet.kinds import Kind, is_fleet
from attribution.testbed.fleet.scenarios import Scenario

_LONGEST = 6 * HOUR
_EPHEMERAL = (32_768, 61_000)


@dataclass(frozen=True)
class Connections:
    """What really happened: one row a connection, by the true clock; both tenures last from start to end.

    `wire_address` and `wire_port` are the client's socket as a translator shows it; -1 where there is none.
    """

    start: Int64
    end: Int64
    client: Int64
    server: Int64
    client_port: Int64
    wire_address: Int64
    wire_port: Int64

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
        wire_address: number of the local address as a translator shows it; -1 where there is none.
        wire_port: the local port as it shows it; -1 where there is none.
        remote_wire: number of the translator's address in the place of the remote side's; -1 where there is none.
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
    """

    captures: Bool
    captures_shared: Bool
    window: Int64
    second_window: Int64
    samples: Bool


def make_observers(scenario: Scenario, rng: np.random.Generator) -> Observers:
    """The kind of log that each host and each router writes."""
    captures = rng.random(scenario.hosts) < scenario.capture_share
    windows = rng.random(scenario.hosts) < scenario.window_share
    length = np.where(rng.random(scenario.hosts) < scenario.long_window_share, scenario.long_window, scenario.window)
    shared = captures & (rng.random(scenario.hosts) < scenario.shared_capture_share)
    window = np.where(windows, length, 0)
    second = (window == scenario.window) & (rng.random(scenario.hosts) < scenario.second_log_share)
    none = np.zeros(scenario.routers, np.bool_)
    return Observers(
        captures=np.r_[captures, none],
        captures_shared=np.r_[shared, none],
        window=np.r_[window, np.full(scenario.routers, scenario.window)],
        second_window=np.r_[np.where(second, scenario.long_window, 0), np.zeros(scenario.routers, np.int64)],
        samples=np.r_[np.zeros(scenario.hosts, np.bool_), np.arange(scenario.routers) < scenario.samplers],
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
    return Connections(time, end, client, server, port, none, none)


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


def server_ports(fleet: Fleet, seen: Connections) -> Int64:
    """The port of each connection's server."""
    catalogue, tenures = fleet.catalogue, fleet.tenures
    owned = fleet.key_socket[tenures.key[seen.server]]
    return np.where(
        owned >= 0, split_sockets(owned)[1], catalogue.port[catalogue.slot_service[tenures.slot[seen.server]]]
    )


def make_sides(fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator) -> tuple[Flows, Volumes]:
    """What connections carry, and one row for each side that logs the connection, by the host's clock.

    The client's side logs all connections, the server's some, and all of those whose client does not log.
    """
    tenures = fleet.tenures
    client_in, server_in = is_fleet(fleet.kind[seen.client]), is_fleet(fleet.kind[seen.server])
    server_logs = server_in & ((rng.random(len(seen)) < scenario.ingress_share) | ~client_in)
    out, into = np.flatnonzero(client_in), np.flatnonzero(server_logs)
    owned = fleet.key_socket[tenures.key[seen.server]]
    server_port = server_ports(fleet, seen)
    request = rng.integers(200, 20_000, size=len(seen)) + 1
    answer = (np.exp(rng.normal(0, 1.5, size=len(seen))) * 20_000).astype(np.int64) + 101
    pick = np.r_[out, into]
    back = np.arange(len(pick)) >= len(out)
    local = np.where(back, seen.server[pick], seen.client[pick])
    host = tenures.host[local]
    wire_address, wire_port = seen.wire_address[pick], seen.wire_port[pick]
    client_port = np.where(back & (wire_port >= 0), wire_port, seen.client_port[pick])
    sides = Flows(
        start=seen.start[pick] + fleet.skew[host],
        end=seen.end[pick] + fleet.skew[host],
        local=local,
        remote=np.where(back, seen.client[pick], seen.server[pick]),
        local_port=np.where(back, server_port[pick], client_port),
        remote_port=np.where(back, client_port, server_port[pick]),
        protocol=np.where(owned >= 0, split_sockets(owned)[0], TCP)[pick],
        ingress=back,
        host=host,
        window=np.zeros(len(pick), dtype=np.bool_),
        bytes_sent=np.where(back, answer[pick], request[pick]),
        bytes_received=np.where(back, request[pick], answer[pick]),
        wire_address=np.where(back, -1, wire_address),
        wire_port=np.where(back, -1, wire_port),
        remote_wire=np.where(back, wire_address, -1),
    )
    return sides, Volumes(request, answer)


def in_windows(sides: Flows, length: Int64) -> Flows:
    """Each row of an observer that logs windows as one row for every window that it touches.

    Boundaries are multiples of the length by the observer's clock; a window's end is the next one's start. The bytes
    of a connection flow evenly, so they add up over windows of any length.
    """
    step = np.maximum(length, 1)
    windowed = length > 0
    first = np.where(windowed, sides.start // step, 0)
    count = np.where(windowed, sides.end // step - first + 1, 1)
    row = np.repeat(np.arange(len(sides)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    many = sides.rows(row)
    windowed, step = windowed[row], step[row]
    start = np.where(windowed, (first[row] + nth) * step, many.start)
    end = np.where(windowed, start + step, many.end)
    lasts = (many.end + 1 - many.start).astype(np.float64)
    until, since = (np.clip((moment - many.start) / lasts, 0, 1) for moment in (end, start))
    until = np.where(nth + 1 == count[row], 1, until)

    def part(total: Int64) -> Int64:
        bytes_then = (total * until).astype(np.int64) - (total * since).astype(np.int64)
        return np.where(total < 0, total, bytes_then)

    return replace(
        many, start=start, end=end, window=windowed,
        bytes_sent=part(many.bytes_sent), bytes_received=part(many.bytes_received),
    )  # fmt: skip


def unique(fleet: Fleet, flows: Flows) -> Flows:
    """One row for each identity: start, end, addresses, ports, protocol, observer.

    Rows of one window and one pair of workloads are added up. Where one window holds traffic of the same addresses and
    ports between two pairs, the first pair stays: a row of a log has one truth.
    """
    address = fleet.key_address[fleet.tenures.key]
    columns = (
        flows.start,
        flows.end,
        address[flows.local],
        np.where(flows.remote_wire >= 0, flows.remote_wire, address[flows.remote]),
        flows.local_port,
        flows.remote_port,
        flows.protocol,
        flows.host,
    )
    identity = _mix(columns)
    # Stable: among rows of one identity, the connection that was drawn first leads.
    order = np.argsort(identity, kind="stable")
    flows = flows.rows(order)
    identity = identity[order]
    head = np.flatnonzero(np.r_[len(identity) > 0, identity[1:] != identity[:-1]][: len(identity)])
    if not len(head):
        return flows
    group = np.repeat(np.arange(len(head)), np.diff(np.r_[head, len(flows)]))
    same = (flows.local == flows.local[head][group]) & (flows.remote == flows.remote[head][group])
    same &= flows.window | (np.arange(len(flows)) == head[group])
    sent = np.add.reduceat(np.where(same, flows.bytes_sent, 0), head)
    received = np.add.reduceat(np.where(same, flows.bytes_received, 0), head)
    kept = flows.rows(head)
    received = np.where(kept.bytes_received < 0, kept.bytes_received, received)
    return Flows(**{**kept.__dict__, "bytes_sent": sent, "bytes_received": received})


def _mix(columns: tuple[Int64, ...]) -> Int64:
    """A 64-bit hash of each row (the finaliser of SplitMix64 over the columns in turn).

    Two rows of one hash are taken for one identity; a collision would drop one row from the log and from the truth.
    """
    value = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        value = (value ^ column.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        value ^= value >> np.uint64(31)
    return value.view(np.int64)


def remote_kinds(fleet: Fleet, flows: Flows) -> Int64:
    """The `Kind` of each flow's remote side."""
    return np.where(flows.remote_wire >= 0, Kind.TRANSLATED, fleet.kind[flows.remote]).astype(np.int64)


def named_endpoints(fleet: Fleet, flows: Flows) -> Int64:
    """Rows of flows that a client opened to a labelled prefix or a load balancer: those that DNS answers precede."""
    kinds = remote_kinds(fleet, flows)
    return np.flatnonzero(((kinds == Kind.LABELLED) | (kinds == Kind.LOAD_BALANCER)) & ~flows.ingress)
