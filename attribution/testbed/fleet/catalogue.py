"""What there is in a fleet before time begins: services, replicas, who calls whom, addresses to be given out."""

import math
from dataclasses import dataclass

import numpy as np

from attribution.config import MINUTE
from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.errors import ConfigError
from attribution.testbed.fleet.kinds import Kind, is_fleet
from attribution.testbed.fleet.scenarios import Scenario

#: Address numbers from here on are IPv6: this plus the host part.
IPV6 = 1 << 32
#: RFC 4193 prefix of the fleet's IPv6 addresses.
IPV6_PREFIX = 0xFD00_0DB8_0000_0000 << 64

_POD_ADDRESSES = (10 << 24) + 256
_NODE_ADDRESSES = (172 << 24) + (16 << 16) + 1
_BALANCER_ADDRESSES = (100 << 24) + (64 << 16) + 1
_LABELLED_ADDRESSES = (198 << 24) + (18 << 16)
_UNLABELLED_ADDRESSES = (203 << 24) + (113 << 8) + 1
#: As many regions have addresses of their own.
LARGEST_REGIONS = 16
#: 192.0.2.0/24: the addresses of translators, 16 for each region.
TRANSLATOR_ADDRESSES, TRANSLATOR_BITS = (192 << 24) + (2 << 8) + 1, 4
#: Where the addresses of each region begin, less those of the first one, and how long the prefixes are.
_REGIONAL = (
    (_POD_ADDRESSES - 256, 20, 12), (_NODE_ADDRESSES - 1, 12, 20), (_BALANCER_ADDRESSES - 1, 16, 16), (IPV6, 32, 96),
    (TRANSLATOR_ADDRESSES - 1, TRANSLATOR_BITS, 32 - TRANSLATOR_BITS),
)  # fmt: skip
# Each port is given out twice, as one of TCP and as one of UDP: keys 2n and 2n + 1 are the sockets of port n.
_ANY_OWNED_SOCKET = 2 * 30_000
_FIXED_OWNED_SOCKET = 2 * 20_000

_NAMES = (
    "gateway", "search", "checkout", "catalog", "identity", "billing", "inventory", "pricing", "cart", "shipping",
    "reviews", "profile", "session", "media", "recommend", "notify", "ledger", "fraud", "ratings", "assets",
    "playback", "wallet", "coupon", "tax", "archive", "audit", "geo", "feed", "chat", "quota", "config", "warehouse",
    "render", "thumbs", "tokens", "mail", "planner", "routes", "stock", "returns",
)  # fmt: skip
_PORTS = (8080, 443, 8443, 9090, 5432, 6379, 9092, 50051)


@dataclass(frozen=True)
class PoolPlan:
    """Keys that are given out together: `fresh` at first; single sockets of node addresses where `first_socket` is set.

    Attributes:
        number: position among the pools.
        first_address: number of the first address; key n is on address `first_address + n // sockets`.
        fresh: keys that nobody has had when the history begins.
        grows: whether there are more when all are taken.
        sockets: keys on one address.
        region: number of the region that its addresses are in.
        first_socket: twice the port of the first key of an address, one more where it is UDP's; the next key is the
            next socket. -1 where keys are whole addresses.
    """

    number: int
    first_address: int
    fresh: int
    grows: bool
    region: int = 0
    sockets: int = 1
    first_socket: int = -1


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
        port: the port that each service listens on; not used where each replica owns a port.
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
        ConfigError: more endpoints outside the fleet than the documentation prefixes that they live in.
    """
    if scenario.unlabelled > 254 or scenario.external_services > 512 or scenario.load_balancers > 10_000:
        raise ConfigError(
            "scenario: unlabelled must be at most 254, external_services at most 512, load_balancers at most 10000; "
            f"found {scenario.unlabelled}, {scenario.external_services} and {scenario.load_balancers}"
        )
    if scenario.regions > 1 and scenario.nat_gateways >= 1 << TRANSLATOR_BITS:
        raise ConfigError(
            f"scenario: nat_gateways must be below {1 << TRANSLATOR_BITS} where there are several regions, each of "
            f"which has as many; found {scenario.nat_gateways}"
        )
    if scenario.regions > min(LARGEST_REGIONS, scenario.hosts):
        raise ConfigError(
            f"scenario: regions must be at most {LARGEST_REGIONS} and as many as the hosts, found {scenario.regions} "
            f"and {scenario.hosts}"
        )
    count = scenario.services
    popularity: Float64 = (1.0 / np.arange(1, count + 1) ** scenario.popularity).astype(np.float64)
    popularity[1:] = rng.permutation(popularity[1:])
    kind, is_job = _fleet_kinds(scenario, rng)
    replicas = np.maximum(1, np.round(scenario.replicas * _relative(np.sqrt(popularity)))).astype(np.int64)
    balancers, labelled = scenario.load_balancers, scenario.external_services
    unlabelled = 1 if scenario.unlabelled else 0
    kinds = np.r_[
        kind,
        np.full(balancers, Kind.LOAD_BALANCER),
        np.full(labelled, Kind.LABELLED),
        np.full(unlabelled, Kind.UNLABELLED),
    ].astype(np.int64)
    all_replicas = np.r_[
        replicas, np.full(balancers, 1), rng.integers(2, 20, size=labelled), np.full(unlabelled, scenario.unlabelled)
    ].astype(np.int64)
    jobs = np.r_[is_job, np.zeros(len(kinds) - count, dtype=np.bool_)]
    lifetime = np.select(
        [kinds >= Kind.LABELLED, kinds == Kind.LOAD_BALANCER, jobs],
        [0, scenario.load_balancer_lifetime, scenario.job_lifetime],
        scenario.lifetime,
    ).astype(np.int64)
    region = np.where(kinds <= Kind.LOAD_BALANCER, np.arange(len(kinds)) % scenario.regions, -1)
    pool, pools = _pools(kinds, all_replicas, region, scenario, rng)
    client, server, weight = _edges(kinds, popularity, scenario, rng)
    weight = _with_crossing(weight, region[client], region[server], scenario)
    first_label = count + balancers
    return Catalogue(
        names=_names(scenario),
        kind=kinds,
        is_job=jobs,
        replicas=all_replicas,
        first_slot=np.cumsum(all_replicas) - all_replicas,
        slot_service=np.repeat(np.arange(len(kinds)), all_replicas),
        region=region,
        port=rng.choice(np.array(_PORTS), size=len(kinds)),
        lifetime=lifetime,
        pool=pool,
        pools=pools,
        edge_client=client,
        edge_server=server,
        edge_weight=weight,
        labels=tuple((_LABELLED_ADDRESSES + 256 * i, first_label + i) for i in range(labelled)),
    )


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


def region_prefixes(region: int) -> list[tuple[int, int]]:
    """First address and length of each prefix of a region, by its number."""
    return [(first + (region << bits), length) for first, bits, length in _REGIONAL]


def _pools(
    kind: Int64, replicas: Int64, region: Int64, scenario: Scenario, rng: np.random.Generator
) -> tuple[Int64, tuple[PoolPlan, ...]]:
    """Pool of each service, and the pools.

    Workloads of a region share one of IPv4 and one of IPv6, load balancers one but for those among the workloads. Every
    other service that owns ports has a fixed port on each node, the rest get any port of a node; the same port of the
    other protocol may be another service's. Endpoints outside have a pool for each service.
    """
    ipv6 = (kind == Kind.WORKLOAD) & (rng.random(len(kind)) < scenario.ipv6_share)
    fixed = np.flatnonzero(kind == Kind.PORT_OWNER)[::2]
    pool = np.select(
        [ipv6, kind == Kind.WORKLOAD, kind == Kind.PORT_OWNER, kind == Kind.LOAD_BALANCER], [1, 0, 2, 3], -1
    ).astype(np.int64)
    pool[fixed] = -1
    among = np.flatnonzero(pool == 3)
    pool[among[: round(len(among) * scenario.balancers_among_workloads)]] = 0
    pool = np.where(pool >= 0, pool + 4 * region, -1)
    plans: list[PoolPlan] = []
    for number in range(scenario.regions):
        fresh = [math.ceil(replicas[pool == 4 * number + i].sum() * (1 + scenario.spare_addresses)) for i in range(4)]
        hosts = hosts_of(scenario, number)
        sockets = max(2, math.ceil(fresh[2] / hosts))
        pods, nodes, balancers, ipv6_addresses, _ = (number << bits for _, bits, _ in _REGIONAL)
        plans += [
            PoolPlan(4 * number, _POD_ADDRESSES + pods, fresh[0], grows=True, region=number),
            PoolPlan(4 * number + 1, IPV6 + 1 + ipv6_addresses, fresh[1], grows=True, region=number),
            PoolPlan(
                4 * number + 2, _NODE_ADDRESSES + nodes, sockets * hosts, grows=False, region=number, sockets=sockets,
                first_socket=_ANY_OWNED_SOCKET,
            ),
            PoolPlan(4 * number + 3, _BALANCER_ADDRESSES + balancers, fresh[3], grows=True, region=number),
        ]  # fmt: skip
    prefixes = 0
    for service in np.flatnonzero(pool < 0).tolist():
        number, count = len(plans), int(replicas[service])
        pool[service] = number
        if kind[service] == Kind.PORT_OWNER:
            socket = _FIXED_OWNED_SOCKET + number
            home = int(region[service])
            nodes = _NODE_ADDRESSES + (home << _REGIONAL[1][1])
            hosts = hosts_of(scenario, home)
            plans.append(PoolPlan(number, nodes, hosts, grows=False, region=home, first_socket=socket))
        elif kind[service] == Kind.LABELLED:
            plans.append(PoolPlan(number, _LABELLED_ADDRESSES + 256 * prefixes + 1, count, grows=False))
            prefixes += 1
        else:
            plans.append(PoolPlan(number, _UNLABELLED_ADDRESSES, count, grows=False))
    return pool, tuple(plans)


def hosts_of(scenario: Scenario, region: int) -> int:
    """How many hosts a region has: they belong to the regions in turn."""
    return len(range(region, scenario.hosts, scenario.regions))


def _with_crossing(weight: Float64, client: Int64, server: Int64, scenario: Scenario) -> Float64:
    """The weights of edges between these regions such that those between two have their share."""
    crossing = (client >= 0) & (server >= 0) & (client != server)
    if not crossing.any() or crossing.all():
        return weight
    share = weight[crossing].sum()
    factor = np.where(crossing, scenario.crossing_share / share, (1 - scenario.crossing_share) / (1 - share))
    return np.asarray(weight * factor)


def _edges(
    kind: Int64, popularity: Float64, scenario: Scenario, rng: np.random.Generator
) -> tuple[Int64, Int64, Float64]:
    """Client, server and weight of each edge; inside the fleet by popularity, to the outside evenly."""
    count = scenario.services
    clients: list[int] = []
    servers: list[int] = []
    weights: list[float] = []
    mute = (kind[:count] == Kind.PORT_OWNER) & (rng.random(count) >= scenario.port_owner_calls)
    calling = np.flatnonzero(~mute)
    for client in calling.tolist():
        wanted = scenario.gateway_fanout if client == 0 and scenario.gateway_fanout else scenario.fanout
        others = np.delete(np.arange(count), client)
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
    outside_client, outside_server = _outside_edges(kind, calling, rng)
    inside = 1 - (scenario.external_share if len(outside_client) else 0.0)
    weight *= inside / max(weight.sum(), 1e-12)
    outside_weight = np.full(len(outside_client), (1 - inside) / max(len(outside_client), 1))
    return (
        np.array(clients + outside_client, dtype=np.int64),
        np.array(servers + outside_server, dtype=np.int64),
        np.r_[weight, outside_weight],
    )


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


#: How long a DNS answer of the simulation may be used.
DNS_TTL = MINUTE
