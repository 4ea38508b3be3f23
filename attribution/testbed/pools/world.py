"""The world of a simulation: networks, clients and their resolvers, names, and observers."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.testbed.fleet.world.addresses import IPV6
from attribution.testbed.pools.plan import ACCOUNT_SHARES, POOL_SPACE, POOL_SPACE_SIZE
from attribution.testbed.pools.scenario import LARGEST_NETWORK, AgilityScenario

#: Every address below has a twin in IPv6: this plus its number.
TWIN = IPV6 + (1 << 40)
#: Networks of 256 addresses from 10.64.0.0 on; scanners, shared resolvers, resolvers of networks, addresses of names.
NETWORKS, NETWORK_BITS = (10 << 24) + (64 << 16), 8
SCANNERS = (203 << 24) + (113 << 8)
RESOLVERS = (172 << 24) + (16 << 16) + 1
ECS_RESOLVERS = (172 << 24) + (24 << 16) + 1
STATIC = 100 << 24
#: Observers of one data centre; each network may have a sensor besides.
OBSERVERS_A_CENTRE = 4

assert POOL_SPACE + POOL_SPACE_SIZE <= SCANNERS  # noqa: S101 (a statement about the constants above)


class Resolving(IntEnum):
    """How the clients of a network resolve names."""

    #: Each asks by itself.
    DIRECT = 0
    #: All ask a resolver that other networks ask as well.
    SHARED = 1
    #: All ask a resolver that says for which network it asks (EDNS client subnet).
    ECS = 2


class Log(IntEnum):
    """What an observer logs."""

    CONNECTIONS = 0
    WINDOWS = 1
    #: Windows in which the ports of clients are not told apart.
    PAIRS = 2


@dataclass(frozen=True)
class World:
    """All that exists before the first request.

    Attributes:
        mode: of each network, its `Resolving`.
        resolver: of each network, the number of its shared resolver; -1 if it has none.
        named: of each network, whether all DNS answers to its clients are logged.
        centre: of each network, the data centre that its queries and connections reach.
        ipv6: of each network, whether its addresses are IPv6.
        sensor: of each network, the observer that logs its clients' side; -1 if there is none.
        network: of each client, its network.
        host: of each client, its number in its network.
        coalesces: of each client, whether it uses open connections for other names.
        account: of each name, the type of its account.
        static: of each name, whether it has an address of its own.
        popularity: of each name, the share of requests for it and all names before it.
        log: of each observer, its `Log`: those of the data centres, then the sensors.
        skew: of each observer, the error of its clock.
        dns_skew: of each data centre, the error of the clock of its log of DNS answers.
    """

    mode: Int64
    resolver: Int64
    named: Bool
    centre: Int64
    ipv6: Bool
    sensor: Int64
    network: Int64
    host: Int64
    coalesces: Bool
    account: Int64
    static: Bool
    popularity: Float64
    log: Int64
    skew: Int64
    dns_skew: Int64

    def client_address(self, client: Int64) -> Int64:
        """Address number of each client."""
        network = self.network[client]
        return self.prefix(network) + 1 + self.host[client]

    def prefix(self, network: Int64) -> Int64:
        """First address number of each network."""
        return NETWORKS + (network << NETWORK_BITS) + np.where(self.ipv6[network], TWIN, 0)


def make_world(scenario: AgilityScenario, rng: np.random.Generator) -> World:
    """Make a world by the shares of the scenario. A share of few things is rounded."""
    networks = np.arange(scenario.networks)
    mode = _dealt(scenario.networks, (scenario.resolver_share, scenario.ecs_share), rng)
    mode = np.array([Resolving.SHARED, Resolving.ECS, Resolving.DIRECT])[mode]
    resolver = np.where(mode == Resolving.SHARED, (np.cumsum(mode == Resolving.SHARED) - 1) % scenario.resolvers, -1)
    logged = _dealt(scenario.networks, (scenario.named_share,), rng) == 0
    # Whoever shares a resolver is told what it was told: all of its answers are logged, or not all of any client's.
    logged_resolver = _dealt(scenario.resolvers, (scenario.named_share,), rng) == 0
    centre = np.where(resolver >= 0, resolver, networks) % scenario.data_centres
    has_sensor = _dealt(scenario.networks, (scenario.client_view_share,), rng) == 0
    at_centres = OBSERVERS_A_CENTRE * scenario.data_centres
    observers = at_centres + scenario.networks
    log = _dealt(observers, (1 - scenario.window_share, scenario.window_share * (1 - scenario.pair_share)), rng)
    network = rng.permutation(np.arange(scenario.clients) % scenario.networks)
    order = np.argsort(network, kind="stable")
    host = np.empty(scenario.clients, np.int64)
    host[order] = np.arange(scenario.clients) - np.searchsorted(network[order], network[order])
    weights = (1.0 + np.arange(scenario.names)) ** -scenario.popularity
    return World(
        mode=mode,
        resolver=resolver,
        named=np.where(resolver >= 0, logged_resolver[resolver], logged),
        centre=centre,
        ipv6=_dealt(scenario.networks, (scenario.ipv6_share,), rng) == 0,
        sensor=np.where(has_sensor, at_centres + networks, -1),
        network=network,
        host=host % LARGEST_NETWORK,
        coalesces=rng.random(scenario.clients) < scenario.coalescing_share,
        account=rng.choice(len(ACCOUNT_SHARES), size=scenario.names, p=ACCOUNT_SHARES),
        static=rng.random(scenario.names) < scenario.static_share,
        popularity=np.cumsum(weights) / weights.sum(),
        log=log,
        skew=_skews(observers, scenario, rng),
        dns_skew=_skews(scenario.data_centres, scenario, rng),
    )


def _skews(count: int, scenario: AgilityScenario, rng: np.random.Generator) -> Int64:
    return rng.integers(-scenario.max_skew, scenario.max_skew, endpoint=True, size=count)


def _dealt(count: int, shares: tuple[float, ...], rng: np.random.Generator) -> Int64:
    """Deal `count` things out by shares; returns the number of the share of each. The last number is the rest."""
    bounds = np.round(np.cumsum(shares) * count)
    return rng.permutation(np.searchsorted(bounds, np.arange(count), side="right")).astype(np.int64)
