"""Sockets of connections: processes that keep them, nodes that give them out or pass them on, virtual addresses."""

from dataclasses import replace

import numpy as np

from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.traffic import Connections, Flows, Observers
from attribution.testbed.fleet.translation import given_ports
from attribution.testbed.fleet.world.addresses import FIRST_NODE_PORT, NODES, SERVICE_ADDRESSES
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind

#: The ports that nodes give out per connection lie below those that workloads own.
_FIRST_PORT, _LAST_PORT = 1024, 19_999


def with_sockets(
    fleet: Fleet, seen: Connections, observers: Observers, scenario: Scenario, rng: np.random.Generator
) -> Connections:
    """The connections, some of which outlive their server's tenure, leave from ports of nodes, or enter by them."""
    seen = _lingering(fleet, seen, observers, scenario, rng)
    seen = _from_node_ports(fleet, seen, scenario, rng)
    return _through_node_ports(fleet, seen, scenario, rng)


def _lingering(
    fleet: Fleet, seen: Connections, observers: Observers, scenario: Scenario, rng: np.random.Generator
) -> Connections:
    """The connections, of which an old process keeps some after its port is free: at most as long as the client is."""
    tenures = fleet.tenures
    cut = (fleet.kind[seen.server] == Kind.PORT_OWNER) & (seen.end == tenures.end[seen.server] - 1)
    windows = np.zeros(len(seen), np.bool_)
    for side in (seen.client, seen.server):
        windows |= (observers.window[tenures.host[side]] > 0) & (fleet.kind[side] <= Kind.PORT_OWNER)
    windows |= scenario.several_observers
    share = np.where(windows, scenario.linger_windows_share, scenario.linger_share)
    rows = np.flatnonzero(cut & (rng.random(len(seen)) < share))
    end = seen.end.copy()
    longer = (rng.exponential(1, size=len(rows)) * scenario.linger).astype(np.int64)
    end[rows] = np.minimum(end[rows] + longer, np.minimum(tenures.end[seen.client[rows]] - 1, scenario.last))
    return replace(seen, end=end)


def _from_node_ports(fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator) -> Connections:
    """The connections, some of which leave from a port that their node gives out again soon."""
    from_node = (fleet.kind[seen.client] == Kind.PORT_OWNER) & (rng.random(len(seen)) < scenario.node_port_reuse)
    rows = np.flatnonzero(from_node)
    pause = (rng.exponential(1, size=len(rows)) * scenario.nat_reuse_pause).astype(np.int64)
    hot = rng.random(len(rows)) < scenario.reuse_hot
    node = fleet.key_address[fleet.tenures.key[seen.client[rows]]]
    given = given_ports(node, seen.start[rows], seen.end[rows] + 1 + pause, hot.tolist(), _FIRST_PORT)
    port = seen.client_port.copy()
    port[rows] = np.where(given <= _LAST_PORT, given, port[rows])
    return replace(seen, client_port=port)


def _through_node_ports(fleet: Fleet, seen: Connections, scenario: Scenario, rng: np.random.Generator) -> Connections:
    """The connections, those to some services at any node's port for the service."""
    service, chosen = _services(fleet, seen.server, scenario.node_port_share, rng)
    node = NODES.start(0) + rng.integers(0, scenario.hosts, size=len(seen))
    return replace(
        seen, node_address=np.where(chosen, node, -1), node_port=np.where(chosen, FIRST_NODE_PORT + service, -1)
    )


def with_service_addresses(
    fleet: Fleet, sides: Flows, observers: Observers, scenario: Scenario, rng: np.random.Generator
) -> Flows:
    """What logs say, with the virtual address of the service where the client's log knows it."""
    service, chosen = _services(fleet, sides.remote, scenario.service_address_share, rng)
    chosen &= ~sides.ingress & (sides.remote_wire < 0) & observers.captures[sides.host]
    return replace(sides, service_address=np.where(chosen, SERVICE_ADDRESSES + service, -1))


def _services(fleet: Fleet, servers: Int64, share: float, rng: np.random.Generator) -> tuple[Int64, Bool]:
    """The service of each server, and whether the server's service is among the drawn ones."""
    drawn = (fleet.catalogue.kind == Kind.WORKLOAD) & (rng.random(fleet.catalogue.services) < share)
    service = fleet.catalogue.slot_service[fleet.tenures.slot[servers]]
    return service, drawn[service]
