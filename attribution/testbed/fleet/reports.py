"""The reports of conversations: of the hosts at both ends, of their second logs, of routers and of samplers."""

from dataclasses import fields, replace

import numpy as np

from attribution.core.addressing.sockets import TCP, split_sockets
from attribution.core.columnar.types import Int64
from attribution.testbed.fleet.fleet import Fleet
from attribution.testbed.fleet.kinds import is_fleet
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.traffic import (
    Connections,
    Flows,
    Observers,
    Volumes,
    in_windows,
    make_sides,
    server_ports,
    unique,
)

#: Bytes that a sample stands for.
_SAMPLE = 20_000
#: More samples of one way of a connection are not taken.
_MOST_SAMPLES = 20


def second_logs(sides: Flows, observers: Observers) -> tuple[Flows, Int64]:
    """What the second logs of hosts report, and the length of their windows."""
    rows = np.flatnonzero(observers.second_window[sides.host] > 0)
    found = sides.rows(rows)
    return found, observers.second_window[found.host]


def seen_by_routers(
    fleet: Fleet, seen: Connections, volumes: Volumes, scenario: Scenario, rng: np.random.Generator
) -> Flows:
    """A row for each router that sees a connection, and each way: the sender is the local side.

    Routers see connections inside the fleet that no translator changes.
    """
    inside = is_fleet(fleet.kind[seen.client]) & is_fleet(fleet.kind[seen.server]) & (seen.wire_address < 0)
    drawn = rng.random((scenario.routers, len(seen))) < scenario.router_share
    router, row = np.nonzero(drawn & inside)
    owned = fleet.key_socket[fleet.tenures.key[seen.server[row]]]
    server_port, none = server_ports(fleet, seen)[row], np.full(len(row), -1, np.int64)
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
    )
    back = replace(
        forth, local=forth.remote, remote=forth.local, local_port=server_port, remote_port=forth.local_port,
        ingress=~forth.ingress, bytes_sent=volumes.answer[row],
    )  # fmt: skip
    return joined(forth, back)


def sampled(rows: Flows, rng: np.random.Generator) -> Flows:
    """The samples of rows: windows that start when they end, each of which stands for the same number of bytes."""
    count = np.minimum(rng.poisson(rows.bytes_sent / _SAMPLE), _MOST_SAMPLES)
    many = rows.rows(np.repeat(np.arange(len(rows)), count))
    moment = many.start + (rng.random(len(many)) * (many.end - many.start)).astype(np.int64)
    return replace(
        many, start=moment, end=moment, window=np.ones(len(many), np.bool_),
        bytes_sent=np.full(len(many), _SAMPLE, np.int64),
    )  # fmt: skip


def delivered(flows: Flows, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The rows of flows in the order of their delivery, some of them once more at a later place."""
    again = np.flatnonzero(rng.random(len(flows)) < scenario.repeated_share)
    later = rng.integers(0, 1 + len(flows) // 10, size=len(again))
    every = np.r_[np.arange(len(flows)), again]
    return every[np.argsort(np.r_[np.arange(len(flows)), again + later], kind="stable")]


def make_flows(
    fleet: Fleet,
    connections: Connections,
    observers: Observers,
    scenario: Scenario,
    rng: np.random.Generator,
    report_rng: np.random.Generator,
) -> tuple[Flows, Volumes]:
    """What each observer's log says about the connections, in the order in which it was delivered; what they carried.

    Args:
        fleet: the fleet.
        connections: what happened.
        observers: the kinds of logs.
        scenario: how much is reported.
        rng: for what the ends of the connections log.
        report_rng: for what others log.
    """
    sides, volumes = make_sides(fleet, connections, scenario, rng)
    parts = [in_windows(sides, observers.window[sides.host])]
    if scenario.several_observers:
        parts.append(in_windows(*second_logs(sides, observers)))
        routed = seen_by_routers(fleet, connections, volumes, scenario, report_rng)
        samples = observers.samples[routed.host]
        whole = routed.rows(~samples)
        parts += [in_windows(whole, observers.window[whole.host]), sampled(routed.rows(samples), report_rng)]
    flows = unique(fleet, joined(*parts))
    received = flows.end + rng.integers(0, scenario.report_delay, endpoint=True, size=len(flows))
    return flows.rows(np.argsort(received, kind="stable")), volumes


def joined(*parts: Flows) -> Flows:
    """The rows of all parts."""
    return Flows(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Flows)))
