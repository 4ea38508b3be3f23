"""The reports of conversations: of the hosts at both ends, of their second logs, of routers and of samplers."""

from dataclasses import fields, replace

import numpy as np

from attribution.core.addressing.sockets import TCP, split_sockets
from attribution.core.columnar.types import Int64
from attribution.testbed.fleet.router_times import by_late_clocks, delivery, exported, received_late
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.sockets import with_service_addresses
from attribution.testbed.fleet.traffic import Connections, Flows, Observers, Volumes, remote_shown
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import is_fleet

#: Bytes that a sample stands for.
_SAMPLE = 20_000
#: More samples of one way of a connection are not taken.
_MOST_SAMPLES = 20
#: Bytes of a health check: of the request and of its answer.
_HEALTH_CHECK = (301, 602)


def make_flows(
    fleet: Fleet,
    connections: Connections,
    observers: Observers,
    scenario: Scenario,
    rng: np.random.Generator,
    report_rng: np.random.Generator,
    time_rng: np.random.Generator,
    socket_rng: np.random.Generator,
) -> tuple[Flows, Volumes]:
    """What each observer's log says about the connections, in the order in which it was delivered; what they carried.

    Args:
        fleet: the fleet.
        connections: what happened.
        observers: the kinds of logs.
        scenario: how much is reported.
        rng: for what the ends of the connections log.
        report_rng: for what others log.
        time_rng: for when routers export, and collectors receive.
        socket_rng: for equal counters, virtual addresses and lost flows.
    """
    sides, volumes = _sides(fleet, connections, scenario, rng, socket_rng)
    sides = with_service_addresses(fleet, sides, observers, scenario, socket_rng)
    parts = [_in_windows(sides, observers.window[sides.host])]
    if scenario.several_observers:
        parts.append(_in_windows(*_second_logs(sides, observers)))
        routed = _seen_by_routers(fleet, connections, volumes, scenario, report_rng)
        samples, exports = observers.samples[routed.host], observers.exports[routed.host]
        whole = by_late_clocks(routed.rows(~samples & ~exports), observers)
        parts += [_in_windows(whole, observers.window[whole.host]), _sampled(routed.rows(samples), report_rng)]
        parts.append(_exports(routed.rows(exports), scenario.export_timeout, time_rng))
    flows = _unique(fleet, _joined(*parts))
    flows = flows.rows(socket_rng.random(len(flows)) >= scenario.flow_loss)
    flows = received_late(flows, observers, time_rng)
    order = np.argsort(delivery(flows, scenario.report_delay, rng), kind="stable")
    return flows.rows(order), volumes


def delivered(flows: Flows, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The rows of flows in the order of their delivery, some of them once more at a later place."""
    again = np.flatnonzero(rng.random(len(flows)) < scenario.repeated_share)
    later = rng.integers(0, 1 + len(flows) // 10, size=len(again))
    every = np.r_[np.arange(len(flows)), again]
    return every[np.argsort(np.r_[np.arange(len(flows)), again + later], kind="stable")]


def _server_ports(fleet: Fleet, seen: Connections) -> Int64:
    """The port of each connection's server."""
    catalogue, tenures = fleet.catalogue, fleet.tenures
    owned = fleet.key_socket[tenures.key[seen.server]]
    return np.where(
        owned >= 0, split_sockets(owned)[1], catalogue.port[catalogue.slot_service[tenures.slot[seen.server]]]
    )


def _sides(
    fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator, socket_rng: np.random.Generator
) -> tuple[Flows, Volumes]:
    """What connections carry, and one row for each side that logs the connection, by the host's clock.

    The client's side logs all connections, the server's some, and all of those whose client does not log.
    """
    tenures = fleet.tenures
    client_in, server_in = is_fleet(fleet.kind[seen.client]), is_fleet(fleet.kind[seen.server])
    server_logs = server_in & ((rng.random(len(seen)) < scenario.ingress_share) | ~client_in)
    out, into = np.flatnonzero(client_in), np.flatnonzero(server_logs)
    owned = fleet.key_socket[tenures.key[seen.server]]
    server_port = _server_ports(fleet, seen)
    request = rng.integers(200, 20_000, size=len(seen)) + 1
    answer = (np.exp(rng.normal(0, 1.5, size=len(seen))) * 20_000).astype(np.int64) + 101
    equal = socket_rng.random(len(seen)) < scenario.equal_counters_share
    request, answer = np.where(equal, _HEALTH_CHECK[0], request), np.where(equal, _HEALTH_CHECK[1], answer)
    pick = np.r_[out, into]
    back = np.arange(len(pick)) >= len(out)
    local = np.where(back, seen.server[pick], seen.client[pick])
    host = tenures.host[local]
    wire_address, wire_port = seen.wire_address[pick], seen.wire_port[pick]
    node_address, node_port = seen.node_address[pick], seen.node_port[pick]
    client_port = np.where(back & (wire_port >= 0), wire_port, seen.client_port[pick])
    sides = Flows(
        start=seen.start[pick] + fleet.skew[host],
        end=seen.end[pick] + fleet.skew[host],
        local=local,
        remote=np.where(back, seen.client[pick], seen.server[pick]),
        local_port=np.where(back, server_port[pick], client_port),
        remote_port=np.where(back, client_port, np.where(node_port >= 0, node_port, server_port[pick])),
        protocol=np.where(owned >= 0, split_sockets(owned)[0], TCP)[pick],
        ingress=back,
        host=host,
        window=np.zeros(len(pick), dtype=np.bool_),
        bytes_sent=np.where(back, answer[pick], request[pick]),
        bytes_received=np.where(back, request[pick], answer[pick]),
        wire_address=np.where(back, node_address, wire_address),
        wire_port=np.where(back, node_port, wire_port),
        remote_wire=np.where(back, wire_address, node_address),
        service_address=np.full(len(pick), -1),
        received=np.full(len(pick), -1, np.int64),
    )
    return sides, Volumes(request, answer)


def _in_windows(sides: Flows, length: Int64, since: Int64 | int = 0) -> Flows:
    """Each row of an observer that logs windows as one row for every window that it touches.

    Boundaries are multiples of the length by the observer's clock, counted from `since`; a window's end is the next
    one's start. The bytes of a connection flow evenly, so they add up over windows of any length.
    """
    step = np.maximum(length, 1)
    windowed = length > 0
    since_of = np.broadcast_to(since, len(sides))
    first = np.where(windowed, (sides.start - since_of) // step, 0)
    count = np.where(windowed, (sides.end - since_of) // step - first + 1, 1)
    row = np.repeat(np.arange(len(sides)), count)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    many = sides.rows(row)
    windowed, step = windowed[row], step[row]
    start = np.where(windowed, since_of[row] + (first[row] + nth) * step, many.start)
    end = np.where(windowed, start + step, many.end)
    lasts = (many.end + 1 - many.start).astype(np.float64)
    until, before = (np.clip((moment - many.start) / lasts, 0, 1) for moment in (end, start))
    until = np.where(nth + 1 == count[row], 1, until)

    def part(total: Int64) -> Int64:
        bytes_then = (total * until).astype(np.int64) - (total * before).astype(np.int64)
        return np.where(total < 0, total, bytes_then)

    return replace(
        many, start=start, end=end, window=windowed,
        bytes_sent=part(many.bytes_sent), bytes_received=part(many.bytes_received),
    )  # fmt: skip


def _unique(fleet: Fleet, flows: Flows) -> Flows:
    """One row for each identity: start, end, addresses, ports, protocol, observer.

    Rows of one window and one pair of workloads are added up. Where one window holds traffic of the same addresses and
    ports between two pairs, the first pair stays: a row of a log has one truth.
    """
    remote_address, remote_port = remote_shown(fleet, flows)
    columns = (
        flows.start,
        flows.end,
        fleet.key_address[fleet.tenures.key[flows.local]],
        remote_address,
        flows.local_port,
        remote_port,
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


def _second_logs(sides: Flows, observers: Observers) -> tuple[Flows, Int64]:
    """What the second logs of hosts report, and the length of their windows."""
    rows = np.flatnonzero(observers.second_window[sides.host] > 0)
    found = sides.rows(rows)
    return found, observers.second_window[found.host]


def _seen_by_routers(
    fleet: Fleet, seen: Connections, volumes: Volumes, scenario: Scenario, rng: np.random.Generator
) -> Flows:
    """A row for each router that sees a connection, and each way: the sender is the local side.

    Routers see connections inside the fleet that no translator changes.
    """
    inside = is_fleet(fleet.kind[seen.client]) & is_fleet(fleet.kind[seen.server]) & (seen.wire_address < 0)
    inside &= seen.node_address < 0
    drawn = rng.random((scenario.routers, len(seen))) < scenario.router_share
    router, row = np.nonzero(drawn & inside)
    owned = fleet.key_socket[fleet.tenures.key[seen.server[row]]]
    server_port, none = _server_ports(fleet, seen)[row], np.full(len(row), -1, np.int64)
    forth = Flows(
        start=seen.start[row],
        end=seen.end[row],
        local=seen.client[row],
        remote=seen.server[row],
        local_port=seen.client_port[row],
        remote_port=server_port,
        protocol=np.where(owned >= 0, split_sockets(owned)[0], TCP),
        ingress=np.zeros(len(row), np.bool_),
        host=scenario.hosts + router,
        window=np.zeros(len(row), np.bool_),
        bytes_sent=volumes.request[row],
        bytes_received=none,
        wire_address=none,
        wire_port=none,
        remote_wire=none,
        received=none,
        service_address=none,
    )
    back = replace(
        forth, local=forth.remote, remote=forth.local, local_port=server_port, remote_port=forth.local_port,
        ingress=~forth.ingress, bytes_sent=volumes.answer[row],
    )  # fmt: skip
    return _joined(forth, back)


def _exports(rows: Flows, timeout: int, rng: np.random.Generator) -> Flows:
    """The records of exporters that cut a connection by its age, and show the time of the export only."""
    return exported(_in_windows(rows, np.full(len(rows), timeout // 2), since=rows.start), timeout, rng)


def _sampled(rows: Flows, rng: np.random.Generator) -> Flows:
    """The samples of rows: windows that start when they end, each of which stands for the same number of bytes."""
    count = np.minimum(rng.poisson(rows.bytes_sent / _SAMPLE), _MOST_SAMPLES)
    many = rows.rows(np.repeat(np.arange(len(rows)), count))
    moment = many.start + (rng.random(len(many)) * (many.end - many.start)).astype(np.int64)
    return replace(
        many, start=moment, end=moment, window=np.ones(len(many), np.bool_),
        bytes_sent=np.full(len(many), _SAMPLE, np.int64),
    )  # fmt: skip


def _joined(*parts: Flows) -> Flows:
    """The rows of all parts."""
    return Flows(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Flows)))
