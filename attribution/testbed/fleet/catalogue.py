"""The parts of a fleet that do not change: services, their replicas, edges between them, pools of addresses."""

from dataclasses import dataclass, replace

import numpy as np

from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.errors import ConfigError
from attribution.testbed.fleet.addresses import LARGEST_REGIONS, TRANSLATORS, PoolPlan, labelled_prefix, plan_pools
from attribution.testbed.fleet.kinds import Endpoints, Kind, is_fleet
from attribution.testbed.fleet.scenarios import Scenario

_NAMES = (
    "gateway", "search", "checkout", "catalog", "identity", "billing", "inventory", "pricing", "cart", "shipping",
    "reviews", "profile", "session", "media", "recommend", "notify", "ledger", "fraud", "ratings", "assets",
    "playback", "wallet", "coupon", "tax", "archive", "audit", "geo", "feed", "chat", "quota", "config", "warehouse",
    "render", "thumbs", "tokens", "mail", "planner", "routes", "stock", "returns",
)  # fmt: skip
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
        region: number of its region; -1 outside the fleet.
        port: the port that each service listens on; not used if each replica owns a port.
        lifetime: mean life of its workloads, microseconds; 0 for endpoints that never change.
        pool: number of the pool of its addresses.
        pools: the pools.
        edge_client: service that opens connections.
        edge_server: service that it calls.
        edge_weight: share of all connections; sums to 1.
        labels: base address and service of each labelled /24 prefix.
    """

    names: tuple[str, ...]
    kind: Int64
    is_job: Bool
    replicas: Int64
    first_slot: Int64
    slot_service: Int64
    region: Int64
    port: Int64
    lifetime: Int64
    pool: Int64
    pools: tuple[PoolPlan, ...]
    edge_client: Int64
    edge_server: Int64
    edge_weight: Float64
    labels: tuple[tuple[int, int], ...]

    @property
    def services(self) -> int:
        """Number of services, endpoints outside the fleet included."""
        return len(self.names)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_service)


def make_catalogue(scenario: Scenario, rng: np.random.Generator) -> Catalogue:
    """Services, edges and pools for the scenario.

    Raises:
        ConfigError: more endpoints, translators or regions than there are addresses for.
    """
    _check(scenario)
    popularity: Float64 = (1.0 / np.arange(1, scenario.services + 1) ** scenario.popularity).astype(np.float64)
    popularity[1:] = rng.permutation(popularity[1:])
    endpoints = _endpoints(scenario, popularity, rng)
    pool, pools = plan_pools(endpoints, scenario, rng)
    edges = _edges(endpoints.kind, popularity, scenario, rng).with_crossing(endpoints.region, scenario.crossing_share)
    first_label = scenario.services + scenario.load_balancers
    return Catalogue(
        names=_names(scenario),
        kind=endpoints.kind,
        is_job=endpoints.is_job,
        replicas=endpoints.replicas,
        first_slot=np.cumsum(endpoints.replicas) - endpoints.replicas,
        slot_service=np.repeat(np.arange(len(endpoints)), endpoints.replicas),
        region=endpoints.region,
        port=rng.choice(np.array(_PORTS), size=len(endpoints)),
        lifetime=_lifetimes(endpoints, scenario),
        pool=pool,
        pools=pools,
        edge_client=edges.client,
        edge_server=edges.server,
        edge_weight=edges.weight,
        labels=tuple((labelled_prefix(i), first_label + i) for i in range(scenario.external_services)),
    )


def _check(scenario: Scenario) -> None:
    """Hold the scenario to the addresses that there are.

    Raises:
        ConfigError: it asks for more.
    """
    if scenario.unlabelled > 254 or scenario.external_services > 512 or scenario.load_balancers > 10_000:
        raise ConfigError(
            "scenario: unlabelled must be at most 254, external_services at most 512, load_balancers at most 10000; "
            f"found {scenario.unlabelled}, {scenario.external_services} and {scenario.load_balancers}"
        )
    translators = 1 << TRANSLATORS.bits
    if scenario.regions > 1 and scenario.nat_gateways >= translators:
        raise ConfigError(
            f"scenario: nat_gateways must be below {translators} where there are several regions, each of which has as "
            f"many; found {scenario.nat_gateways}"
        )
    if scenario.regions > min(LARGEST_REGIONS, scenario.hosts):
        raise ConfigError(
            f"scenario: regions must be at most {LARGEST_REGIONS} and as many as the hosts, found {scenario.regions} "
            f"and {scenario.hosts}"
        )


def _endpoints(scenario: Scenario, popularity: Float64, rng: np.random.Generator) -> Endpoints:
    """The services of the fleet, then load balancers, labelled prefixes, and one service for all that nothing names."""
    kind, is_job = _fleet_kinds(scenario, rng)
    replicas = np.maximum(1, np.round(scenario.replicas * _relative(np.sqrt(popularity))))
    balancers, labelled, unlabelled = (
        np.full(count, kind)
        for kind, count in (
            (Kind.LOAD_BALANCER, scenario.load_balancers),
            (Kind.LABELLED, scenario.external_services),
            (Kind.UNLABELLED, 1 if scenario.unlabelled else 0),
        )
    )
    kinds = np.r_[kind, balancers, labelled, unlabelled].astype(np.int64)
    all_replicas = np.r_[
        replicas,
        np.ones(len(balancers)),
        rng.integers(2, 20, size=len(labelled)),
        np.full(len(unlabelled), scenario.unlabelled),
    ].astype(np.int64)
    return Endpoints(
        kind=kinds,
        is_job=np.r_[is_job, np.zeros(len(kinds) - len(is_job), dtype=np.bool_)],
        replicas=all_replicas,
        region=np.where(kinds <= Kind.LOAD_BALANCER, np.arange(len(kinds)) % scenario.regions, -1),
    )


def _lifetimes(endpoints: Endpoints, scenario: Scenario) -> Int64:
    """Mean life of each service's workloads, microseconds; 0 for those that never change."""
    return np.select(
        [endpoints.kind >= Kind.LABELLED, endpoints.kind == Kind.LOAD_BALANCER, endpoints.is_job],
        [0, scenario.load_balancer_lifetime, scenario.job_lifetime],
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
    return (*fleet, *balancers, *outside, *([""] if scenario.unlabelled else []))


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

    def with_crossing(self, region: Int64, share: float) -> "_Edges":
        """The edges with weights such that edges between two regions have that share of the connections.

        Args:
            region: of each service; -1 outside the fleet.
            share: of connections between two regions.
        """
        client, server = region[self.client], region[self.server]
        crossing = (client >= 0) & (server >= 0) & (client != server)
        if not crossing.any() or crossing.all():
            return self
        before = self.weight[crossing].sum()
        factor = np.where(crossing, share / before, (1 - share) / (1 - before))
        return replace(self, weight=np.asarray(self.weight * factor))


def _edges(kind: Int64, popularity: Float64, scenario: Scenario, rng: np.random.Generator) -> _Edges:
    """Edges inside the fleet by popularity, and to the outside evenly."""
    mute = (kind[: scenario.services] == Kind.PORT_OWNER) & (rng.random(scenario.services) >= scenario.port_owner_calls)
    calling = np.flatnonzero(~mute)
    inner = _inner_edges(calling, popularity, scenario, rng)
    outside_client, outside_server = _outside_edges(kind, calling, rng)
    inside = 1 - (scenario.external_share if len(outside_client) else 0.0)
    weight = inner.weight * (inside / max(inner.weight.sum(), 1e-12))
    outside_weight = np.full(len(outside_client), (1 - inside) / max(len(outside_client), 1))
    return _Edges(
        np.r_[inner.client, np.array(outside_client, dtype=np.int64)],
        np.r_[inner.server, np.array(outside_server, dtype=np.int64)],
        np.r_[weight, outside_weight],
    )


def _inner_edges(calling: Int64, popularity: Float64, scenario: Scenario, rng: np.random.Generator) -> _Edges:
    """Edges between services of the fleet: popular services are called more, and call more."""
    clients: list[int] = []
    servers: list[int] = []
    weights: list[float] = []
    for client in calling.tolist():
        wanted = scenario.gateway_fanout if client == 0 and scenario.gateway_fanout else scenario.fanout
        others = np.delete(np.arange(scenario.services), client)
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


def _outside_edges(kind: Int64, calling: Int64, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Edges with one end outside the fleet: to and from load balancers, to labelled prefixes, to and from the rest."""
    clients: list[int] = []
    servers: list[int] = []
    fleet = np.flatnonzero(is_fleet(kind))
    for service in range(len(fleet), len(kind)):
        callers = rng.choice(calling, size=3).tolist()
        clients += callers
        servers += [service] * len(callers)
        if kind[service] == Kind.LOAD_BALANCER:
            behind = rng.choice(fleet, size=2).tolist()
            clients += [service] * len(behind)
            servers += behind
        elif kind[service] == Kind.UNLABELLED:
            clients.append(service)
            servers.append(0)
    return clients, servers
