"""The parts of a fleet that do not change: services, their replicas, edges between them, pools of addresses."""

import math
from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.errors import ConfigError
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.addresses import (
    LARGEST_LABELLED,
    LARGEST_NETWORKS,
    LARGEST_REGIONS,
    TRANSLATORS,
    labelled_prefixes,
)
from attribution.testbed.fleet.world.edges import make_edges
from attribution.testbed.fleet.world.kinds import Endpoints, Kind, Reach
from attribution.testbed.fleet.world.pool_plans import PoolPlan, plan_pools

_NAMES = (
    "gateway", "search", "checkout", "catalog", "identity", "billing", "inventory", "pricing", "cart", "shipping",
    "reviews", "profile", "session", "media", "recommend", "notify", "ledger", "fraud", "ratings", "assets",
    "playback", "wallet", "coupon", "tax", "archive", "audit", "geo", "feed", "chat", "quota", "config", "warehouse",
    "render", "thumbs", "tokens", "mail", "planner", "routes", "stock", "returns",
)  # fmt: skip
#: Sockets that a service behind handed-out addresses has at once.
_SOCKETS_OF_SERVICE = 2
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
    edges = make_edges(endpoints, popularity, scenario, rng, network_rng)
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
