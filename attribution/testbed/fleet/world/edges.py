"""Who calls whom in a fleet, and how much."""

from dataclasses import dataclass, replace

import numpy as np

from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.kinds import Endpoints, Kind, Reach, is_fleet

#: How many services of other networks a service calls.
_ROUTED_FANOUT = 3


@dataclass(frozen=True)
class Edges:
    """Client and server of each edge, and its share of all connections."""

    client: Int64
    server: Int64
    weight: Float64

    def with_crossing(self, zone: Int64, share: float) -> "Edges":
        """The edges with weights such that edges between two zones have that share of the connections.

        Args:
            zone: of each service; -1 outside the fleet.
            share: of connections between two zones.
        """
        client, server = zone[self.client], zone[self.server]
        crossing = (client >= 0) & (server >= 0) & (client != server)
        if not crossing.any() or crossing.all():
            return self
        before = self.weight[crossing].sum()
        factor = np.where(crossing, share / before, (1 - share) / (1 - before))
        return replace(self, weight=np.asarray(self.weight * factor))

    def with_more(self, clients: list[int], servers: list[int]) -> "Edges":
        """These edges and others, each of which weighs as the mean of these."""
        weight = self.weight.mean() if len(self.weight) else 1.0
        return Edges(
            np.r_[self.client, np.array(clients, dtype=np.int64)],
            np.r_[self.server, np.array(servers, dtype=np.int64)],
            np.r_[self.weight, np.full(len(clients), weight)],
        )


def make_edges(
    endpoints: Endpoints,
    popularity: Float64,
    scenario: Scenario,
    rng: np.random.Generator,
    network_rng: np.random.Generator,
) -> Edges:
    """Edges inside the fleet by popularity, and to the outside evenly."""
    kind = endpoints.kind
    mute = (kind[: scenario.services] == Kind.PORT_OWNER) & (rng.random(scenario.services) >= scenario.port_owner_calls)
    calling = np.flatnonzero(~mute)
    inner = _inner_edges(endpoints, calling, popularity, scenario, rng)
    if scenario.networks > 1:
        inner = inner.with_more(*_routed_edges(endpoints, calling, network_rng))
    outside_client, outside_server = _outside_edges(endpoints, calling, scenario, rng)
    inside = 1 - (scenario.external_share if len(outside_client) else 0.0)
    weight = inner.weight * (inside / max(inner.weight.sum(), 1e-12))
    outside_weight = np.full(len(outside_client), (1 - inside) / max(len(outside_client), 1))
    return Edges(
        np.r_[inner.client, np.array(outside_client, dtype=np.int64)],
        np.r_[inner.server, np.array(outside_server, dtype=np.int64)],
        np.r_[weight, outside_weight],
    )


def _inner_edges(
    endpoints: Endpoints, calling: Int64, popularity: Float64, scenario: Scenario, rng: np.random.Generator
) -> Edges:
    """Edges between services of the fleet: popular services are called more, and call more.

    If there are several networks, these edges are inside of a network.
    """
    zone = endpoints.zone[: scenario.services]
    clients: list[int] = []
    servers: list[int] = []
    weights: list[float] = []
    for client in calling.tolist():
        wanted = scenario.gateway_fanout if client == 0 and scenario.gateway_fanout else scenario.fanout
        others = np.delete(np.arange(scenario.services), client)
        if scenario.networks > 1:
            others = others[zone[others] == zone[client]]
        chosen = rng.choice(
            others, size=min(wanted, len(others)), replace=False, p=popularity[others] / popularity[others].sum()
        ) if len(others) else others  # fmt: skip
        share = popularity[chosen] / popularity[chosen].sum()
        clients += [client] * len(chosen)
        servers += chosen.tolist()
        weights += (popularity[client] * share).tolist()
    weight = np.array(weights, dtype=np.float64)
    is_gateway = np.array(clients, dtype=np.int64) == 0
    if scenario.gateway_share and is_gateway.any() and not is_gateway.all():
        weight[is_gateway] *= scenario.gateway_share / weight[is_gateway].sum()
        weight[~is_gateway] *= (1 - scenario.gateway_share) / weight[~is_gateway].sum()
    return Edges(np.array(clients, dtype=np.int64), np.array(servers, dtype=np.int64), weight)


def _routed_edges(endpoints: Endpoints, calling: Int64, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Edges between services whose addresses a route joins, in both directions of each route."""
    clients: list[int] = []
    servers: list[int] = []
    callable_ones = np.flatnonzero(np.isin(endpoints.kind, (Kind.WORKLOAD, Kind.LOAD_BALANCER)))
    for client in calling.tolist():
        found = callable_ones[_reached(endpoints, client, callable_ones)]
        chosen = rng.choice(found, size=min(_ROUTED_FANOUT, len(found)), replace=False)
        clients += [client] * len(chosen)
        servers += chosen.tolist()
    return clients, servers


def _reached(endpoints: Endpoints, client: int, servers: Int64) -> Bool:
    """Whether routes join each server's addresses to the client's network, and the client's to the server's."""
    zone, reach = endpoints.zone, endpoints.reach
    if reach[client] == Reach.LOCAL:
        return np.zeros(len(servers), np.bool_)
    joined = np.abs(zone[servers] - zone[client]) == 1
    # Addresses that pass between two networks are joined to no third one.
    pair = zone[servers] // 2 == zone[client] // 2
    passing = (reach[servers] == Reach.FLOATING) | (reach[client] == Reach.FLOATING)
    return np.asarray(joined & (reach[servers] != Reach.LOCAL) & (pair | ~passing))


def _outside_edges(
    endpoints: Endpoints, calling: Int64, scenario: Scenario, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Edges with one end outside the fleet: to and from load balancers, to labelled prefixes, to and from the rest.

    If there are several networks, these edges are inside of a network.
    """
    kind, zone = endpoints.kind, endpoints.zone
    clients: list[int] = []
    servers: list[int] = []
    fleet = np.flatnonzero(is_fleet(kind))
    for service in range(len(fleet), len(kind)):
        near, behind_it = calling, fleet
        if scenario.networks > 1 and zone[service] >= 0:
            near, behind_it = calling[zone[calling] == zone[service]], fleet[zone[fleet] == zone[service]]
            if not len(near):
                continue
        callers = rng.choice(near, size=3).tolist()
        clients += callers
        servers += [service] * len(callers)
        if kind[service] == Kind.LOAD_BALANCER:
            behind = rng.choice(behind_it, size=2).tolist()
            clients += [service] * len(behind)
            servers += behind
        elif kind[service] == Kind.UNLABELLED:
            clients.append(service)
            servers.append(0)
    return clients, servers
