"""The parts of a fleet that do not change: services, their replicas, edges between them, pools of addresses."""

import math
from dataclasses import dataclass, replace

import numpy as np

from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.errors import ConfigError
from attribution.testbed.fleet.addresses import (
    LARGEST_LABELLED,
    LARGEST_NETWORKS,
    LARGEST_REGIONS,
    TRANSLATORS,
    PoolPlan,
    labelled_prefixes,
    plan_pools,
)
from attribution.testbed.fleet.kinds import Endpoints, Kind, Reach, is_fleet
from attribution.testbed.fleet.scenarios import Scenario

_NAMES = (
    "gateway", "search", "checkout", "catalog", "identity", "billing", "inventory", "pricing", "cart", "shipping",
    "reviews", "profile", "session", "media", "recommend", "notify", "ledger", "fraud", "ratings", "assets",
    "playback", "wallet", "coupon", "tax", "archive", "audit", "geo", "feed", "chat", "quota", "config", "warehouse",
    "render", "thumbs", "tokens", "mail", "planner", "routes", "stock", "returns",
)  # fmt: skip
#: Sockets that a service behind handed-out addresses has at once, and services of other networks that a service calls.
_SOCKETS_OF_SERVICE, _ROUTED_FANOUT = 2, 3
_PORTS = (8080, 443, 8443, 9090, 5432, 6379, 9092, 50051)


@dataclass(frozen=True)
class Catalogue:
    """Services (arrays by service), slots (by slot), edges (by edge) and pools.

    Attributes:
        names: name of each service; empty for addresses that nothing names.
        kind: `Kind` of each service.
        is_job: whether its workloads are short jobs.
        replicas: slots of each service.
        first_slot: its first slot; a service's slots are consecutive.
        slot_service: service of each slot.
        zone: number of its region or network; -1 outside the fleet.
        reach: `Reach` of each service.
        port: the port that each service listens on; not used if each replica owns a port.
        lifetime: mean life of its workloads, microseconds; 0 for endpoints that never change.
        pool: number of the pool of its addresses.
        pools: the pools.
        edge_client: service that opens connections.
        edge_server: service that it calls.
        edge_weight: share of all connections; sums to 1.
        labels: base address and service of each labelled /24 prefix.
        networks: how many networks there are; with more than one, they are the zones.
    """

    names: tuple[str, ...]
    kind: Int64
    is_job: Bool
    replicas: Int64
    first_slot: Int64
    slot_service: Int64
    zone: Int64
    reach: Int64
    port: Int64
    lifetime: Int64
    pool: Int64
    pools: tuple[PoolPlan, ...]
    edge_client: Int64
    edge_server: Int64
    edge_weight: Float64
    labels: tuple[tuple[int, int], ...]
    networks: int = 1

    @property
    def services(self) -> int:
        """Number of services, endpoints outside the fleet included."""
        return len(self.names)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_service)


def make_catalogue(scenario: Scenario, rng: np.random.Generator, network_rng: np.random.Generator) -> Catalogue:
    """Services, edges and pools for the scenario.

    What several networks decide is drawn from a generator of its own, so that one network is as it was without.

    Raises:
        ConfigError: more endpoints, translators or regions than there are addresses for.
    """
    _check(scenario)
    popularity: Float64 = (1.0 / np.arange(1, scenario.services + 1) ** scenario.popularity).astype(np.float64)
    popularity[1:] = rng.permutation(popularity[1:])
    endpoints = _endpoints(scenario, popularity, rng, network_rng)
    pool, pools = plan_pools(endpoints, scenario, rng)
    edges = _edges(endpoints, popularity, scenario, rng, network_rng)
    edges = edges.with_crossing(endpoints.zone, scenario.crossing_share)
    first_label = scenario.services + scenario.load_balancers
    return Catalogue(
        names=_names(scenario),
        kind=endpoints.kind,
        is_job=endpoints.is_job,
        replicas=endpoints.replicas,
        first_slot=np.cumsum(endpoints.replicas) - endpoints.replicas,
        slot_service=np.repeat(np.arange(len(endpoints)), endpoints.replicas),
        zone=endpoints.zone,
        reach=endpoints.reach,
        port=rng.choice(np.array(_PORTS), size=len(endpoints)),
        lifetime=_lifetimes(endpoints, scenario),
        pool=pool,
        pools=pools,
        edge_client=edges.client,
        edge_server=edges.server,
        edge_weight=edges.weight,
        labels=tuple((prefix, first_label + i) for i, prefix in enumerate(labelled_prefixes(scenario))),
        networks=scenario.networks,
    )


def _check(scenario: Scenario) -> None:
    """Hold the scenario to the addresses that there are.

    Raises:
        ConfigError: it asks for more.
    """
    labelled = LARGEST_LABELLED if scenario.networks == 1 else LARGEST_LABELLED // 2
    if scenario.unlabelled > 254 or scenario.external_services > labelled or scenario.load_balancers > 10_000:
        raise ConfigError(
            f"scenario: unlabelled must be at most 254, external_services at most {labelled}, load_balancers at most "
            f"10000; found {scenario.unlabelled}, {scenario.external_services} and {scenario.load_balancers}"
        )
    translators = 1 << TRANSLATORS.bits
    if scenario.regions > 1 and scenario.nat_gateways >= translators:
        raise ConfigError(
            f"scenario: nat_gateways must be below {translators} where there are several regions, each of which has as "
            f"many; found {scenario.nat_gateways}"
        )
    if scenario.networks > 1:
        _check_networks(scenario)
    if scenario.regions > min(LARGEST_REGIONS, scenario.hosts):
        raise ConfigError(
            f"scenario: regions must be at most {LARGEST_REGIONS} and as many as the hosts, found {scenario.regions} "
            f"and {scenario.hosts}"
        )


def _check_networks(scenario: Scenario) -> None:
    """Hold the networks of a scenario to the addresses that there are.

    Raises:
        ConfigError: it asks for more.
    """
    translators = (1 << TRANSLATORS.bits) // 2 - 1
    if scenario.regions > 1 or scenario.networks > min(LARGEST_NETWORKS, scenario.hosts):
        raise ConfigError(
            f"scenario: networks must be at most {LARGEST_NETWORKS} and as many as the hosts, and then regions must be "
            f"1; found networks={scenario.networks}, hosts={scenario.hosts} and regions={scenario.regions}"
        )
    if scenario.nat_gateways > translators:
        raise ConfigError(
            f"scenario: nat_gateways must be at most {translators} where there are several networks, each of which has "
            f"as many; found {scenario.nat_gateways}"
        )


def _endpoints(
    scenario: Scenario, popularity: Float64, rng: np.random.Generator, network_rng: np.random.Generator
) -> Endpoints:
    """The services of the fleet, then load balancers, labelled prefixes, and one service for all that nothing names.

    Services behind addresses that policies hand out come last.
    """
    kind, is_job = _fleet_kinds(scenario, rng)
    replicas = np.maximum(1, np.round(scenario.replicas * _relative(np.sqrt(popularity))))
    balancers, labelled, unlabelled, handed_out = (
        np.full(count, kind)
        for kind, count in (
            (Kind.LOAD_BALANCER, scenario.load_balancers),
            (Kind.LABELLED, scenario.external_services),
            (Kind.UNLABELLED, 1 if scenario.unlabelled else 0),
            (Kind.POOL, scenario.pool_services),
        )
    )
    kinds = np.r_[kind, balancers, labelled, unlabelled, handed_out].astype(np.int64)
    all_replicas = np.r_[
        replicas,
        np.ones(len(balancers)),
        rng.integers(2, 20, size=len(labelled)),
        np.full(len(unlabelled), scenario.unlabelled),
        np.full(len(handed_out), _SOCKETS_OF_SERVICE),
    ].astype(np.int64)
    return Endpoints(
        kind=kinds,
        is_job=np.r_[is_job, np.zeros(len(kinds) - len(is_job), dtype=np.bool_)],
        replicas=all_replicas,
        zone=_zones(kinds, scenario),
        reach=_reaches(kinds, scenario, network_rng),
    )


def _zones(kind: Int64, scenario: Scenario) -> Int64:
    """The zone of each service; each kind outside the fleet begins with the first zone."""
    outside = (kind == Kind.LABELLED) & (scenario.networks > 1) | (kind == Kind.POOL)
    nth = np.arange(len(kind))
    for one in (Kind.LABELLED, Kind.POOL):
        nth[kind == one] = np.arange(int((kind == one).sum()))
    return np.where((kind <= Kind.LOAD_BALANCER) | outside, nth % scenario.zones, -1)


def _reaches(kind: Int64, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The `Reach` of each service: a share of each network's, or one at least.

    The last network of an odd number has no partner for addresses that pass.
    """
    reach = np.full(len(kind), Reach.LOCAL, np.int64)
    if scenario.networks == 1:
        return reach
    zone = _zones(kind, scenario)
    for network in range(scenario.networks):
        services = rng.permutation(np.flatnonzero((kind == Kind.WORKLOAD) & (zone == network)))
        balancers = rng.permutation(np.flatnonzero((kind == Kind.LOAD_BALANCER) & (zone == network)))
        for mine in (services, balancers):
            reach[mine[: math.ceil(len(mine) * scenario.routed_share)]] = Reach.ROUTED
        if network < scenario.networks - scenario.networks % 2:
            reach[services[len(services) - math.ceil(len(services) * scenario.floating_share) :]] = Reach.FLOATING
    return reach


def _lifetimes(endpoints: Endpoints, scenario: Scenario) -> Int64:
    """Mean life of each service's workloads, microseconds; 0 for those that never change."""
    return np.select(
        [np.isin(endpoints.kind, (Kind.LOAD_BALANCER, Kind.POOL)), endpoints.kind >= Kind.LABELLED, endpoints.is_job],
        [scenario.load_balancer_lifetime, 0, scenario.job_lifetime],
        scenario.lifetime,
    ).astype(np.int64)


def _relative(values: Float64) -> Float64:
    return np.asarray(values / values.mean())


def _names(scenario: Scenario) -> tuple[str, ...]:
    fleet = [
        _NAMES[i % len(_NAMES)] + (f"-{i // len(_NAMES) + 1}" if i >= len(_NAMES) else "")
        for i in range(scenario.services)
    ]
    balancers = [f"balancer-{i + 1}" for i in range(scenario.load_balancers)]
    outside = [f"partner-{i + 1}" for i in range(scenario.external_services)]
    handed_out = [f"shop-{i + 1}" for i in range(scenario.pool_services)]
    return (*fleet, *balancers, *outside, *([""] if scenario.unlabelled else []), *handed_out)


def _fleet_kinds(scenario: Scenario, rng: np.random.Generator) -> tuple[Int64, Bool]:
    """Kind of each fleet service and whether it is a job; the gateway is an ordinary one."""
    others = scenario.services - 1
    order = rng.permutation(others) + 1
    owners, jobs = round(others * scenario.port_owner_share), round(others * scenario.job_share)
    kind = np.full(scenario.services, Kind.WORKLOAD, dtype=np.int64)
    kind[order[:owners]] = Kind.PORT_OWNER
    is_job = np.zeros(scenario.services, dtype=np.bool_)
    # Jobs come from the other end of the order, so that port owners are jobs only where shares say so.
    is_job[order[others - jobs :]] = True
    return kind, is_job


@dataclass(frozen=True)
class _Edges:
    """Client and server of each edge, and its share of all connections."""

    client: Int64
    server: Int64
    weight: Float64

    def with_crossing(self, zone: Int64, share: float) -> "_Edges":
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

    def with_more(self, clients: list[int], servers: list[int]) -> "_Edges":
        """These edges and others, each of which weighs as the mean of these."""
        weight = self.weight.mean() if len(self.weight) else 1.0
        return _Edges(
            np.r_[self.client, np.array(clients, dtype=np.int64)],
            np.r_[self.server, np.array(servers, dtype=np.int64)],
            np.r_[self.weight, np.full(len(clients), weight)],
        )


def _edges(
    endpoints: Endpoints,
    popularity: Float64,
    scenario: Scenario,
    rng: np.random.Generator,
    network_rng: np.random.Generator,
) -> _Edges:
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
    return _Edges(
        np.r_[inner.client, np.array(outside_client, dtype=np.int64)],
        np.r_[inner.server, np.array(outside_server, dtype=np.int64)],
        np.r_[weight, outside_weight],
    )


def _inner_edges(
    endpoints: Endpoints, calling: Int64, popularity: Float64, scenario: Scenario, rng: np.random.Generator
) -> _Edges:
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
    return _Edges(np.array(clients, dtype=np.int64), np.array(servers, dtype=np.int64), weight)


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
