"""Translators: connections of some services leave from a shared address, and a port that is theirs while they last."""

import heapq
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from attribution.core.addressing.sockets import TCP, split_sockets
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.traffic import Connections
from attribution.testbed.fleet.world.addresses import TRANSLATORS, is_common
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind

_LAST_PORT = 65_535


@dataclass(frozen=True)
class Sessions:
    """What translators tell an event-based system of each session: its begin and its end, late and lossy as all events.

    Attributes:
        client: tenure whose connection it is.
        protocol: its transport protocol.
        address: number of the translator's address.
        port: the port of it.
        release: whether it is the end; else it is the begin.
        time: when it happened, by the translator's clock (the true one).
        received: when it was delivered.
    """

    client: Int64
    protocol: Int64
    address: Int64
    port: Int64
    release: Bool
    time: Int64
    received: Int64


def make_sessions(fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator) -> Sessions:
    """The events of the sessions of translated connections."""
    rows = np.tile(np.flatnonzero(seen.wire_port >= 0), 2)
    release = np.arange(len(rows)) >= len(rows) // 2
    time = np.where(release, seen.end[rows] + 1, seen.start[rows])
    delay = np.exp(rng.normal(0, scenario.event_delay_sigma, size=len(rows))) * scenario.event_delay
    kept = rng.random(len(rows)) >= scenario.event_loss
    received = time + delay.astype(np.int64)
    owned = fleet.key_socket[fleet.tenures.key[seen.server[rows]]]
    protocol = np.where(owned >= 0, split_sockets(owned)[0], TCP)
    return Sessions(
        client=seen.client[rows][kept],
        protocol=protocol[kept],
        address=seen.wire_address[rows][kept],
        port=seen.wire_port[rows][kept],
        release=release[kept],
        time=time[kept],
        received=received[kept],
    )


def translate(fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator) -> Connections:
    """The connections, those of translated services with the socket that the wire shows.

    A port belongs to one connection at a time, from its start to its end. It is free again after a pause of its own,
    which may be none. Mostly the port that became free last is given next, to any workload behind the translator.
    """
    catalogue = fleet.catalogue
    behind = (catalogue.kind == Kind.WORKLOAD) & (rng.random(catalogue.services) < scenario.nat_share)
    service = catalogue.slot_service[fleet.tenures.slot[seen.client]]
    rows = np.flatnonzero(behind[service])
    pause = (rng.exponential(1, size=len(rows)) * scenario.nat_reuse_pause).astype(np.int64)
    hot = rng.random(len(rows)) < scenario.reuse_hot
    # Each region and each network has translators of its own, and networks have others for their routes.
    nth, zone = service[rows] % scenario.nat_gateways, catalogue.zone[service[rows]]
    crossing = (scenario.networks > 1) & (zone != fleet.zone(seen.server[rows])) & (fleet.zone(seen.server[rows]) >= 0)
    gateway = nth + (crossing << (TRANSLATORS.bits - 1)) + (zone << TRANSLATORS.bits)
    common = is_common(nth, scenario) & ~crossing
    address = np.where(common, TRANSLATORS.common() + nth, TRANSLATORS.first + gateway + np.where(crossing, 0, 1))
    port = given_ports(gateway, seen.start[rows], seen.end[rows] + 1 + pause, hot.tolist(), scenario.nat_first_port)
    kept = port <= _LAST_PORT
    wire_address, wire_port = seen.wire_address.copy(), seen.wire_port.copy()
    wire_address[rows[kept]], wire_port[rows[kept]] = address[kept], port[kept]
    return replace(seen, wire_address=wire_address, wire_port=wire_port)


def given_ports(gateway: Int64, start: Int64, free_at: Int64, hot: list[bool], first: int) -> Int64:
    """The port of each connection, from `first` on; above the last one where a translator had none left."""
    port = np.zeros(len(start), np.int64)
    busy: dict[int, list[tuple[int, int]]] = defaultdict(list)
    free: dict[int, list[int]] = defaultdict(list)
    fresh: dict[int, int] = defaultdict(lambda: first)
    for row in np.argsort(start, kind="stable").tolist():
        at, now = int(gateway[row]), int(start[row])
        while busy[at] and busy[at][0][0] <= now:
            free[at].append(heapq.heappop(busy[at])[1])
        if free[at]:
            found = free[at].pop(-1 if hot[row] else 0)
        else:
            found = fresh[at]
            fresh[at] += 1
        port[row] = found
        heapq.heappush(busy[at], (int(free_at[row]), found))
    return port
