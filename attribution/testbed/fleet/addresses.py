"""The addresses of a fleet as numbers, and the pools from which its services get them.

A number below 2**32 is an IPv4 address; above stand the host parts of one IPv6 prefix.
"""

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.kinds import Endpoints, Kind, Reach
from attribution.testbed.fleet.scenarios import Scenario

#: Address numbers from here on are IPv6: this plus the host part.
IPV6 = 1 << 32
#: RFC 4193 prefix of the fleet's IPv6 addresses.
_IPV6_PREFIX = 0xFD00_0DB8_0000_0000 << 64
#: As many regions have addresses of their own, or as many networks.
LARGEST_REGIONS, LARGEST_NETWORKS = 16, 8
#: Zones of a block that are no network's own: of all networks at once, and the first of those between two networks.
_COMMON, _FLOATING = 15, 8
#: Fractions of its multiples lie evenly between 0 and 1.
_GOLDEN = (math.sqrt(5) - 1) / 2

#: As many labelled prefixes there are.
LARGEST_LABELLED = 512
_LABELLED_ADDRESSES = (198 << 24) + (18 << 16)
_UNLABELLED_ADDRESSES = (203 << 24) + (113 << 8) + 1
# Each port is given out twice, as one of TCP and as one of UDP: keys 2n and 2n + 1 are the sockets of port n.
_ANY_OWNED_SOCKET = 2 * 30_000
_FIXED_OWNED_SOCKET = 2 * 20_000
_HANDED_OUT_SOCKET = 2 * 443


@dataclass(frozen=True)
class Block:
    """Addresses of which every zone, a region or a network, has a prefix of its own.

    Attributes:
        first: number of the first address of the first zone.
        bits: binary logarithm of the number of addresses of one zone.
        unused: addresses at the beginning of each zone that nobody gets.
    """

    first: int
    bits: int
    unused: int = 1

    def prefix(self, zone: int) -> tuple[int, int]:
        """First address and length of a zone's prefix."""
        return self.first + (zone << self.bits), (32 if self.first < IPV6 else 128) - self.bits

    def start(self, zone: int) -> int:
        """The first address of a zone that somebody gets."""
        return self.prefix(zone)[0] + self.unused

    def routed(self, network: int) -> tuple[int, int]:
        """First address and length of the prefix that routes join to other networks: half of the network's own."""
        first, length = self.prefix(network)
        return first + (1 << (self.bits - 1)), length + 1

    def common(self) -> int:
        """The first address that somebody gets in all networks at once."""
        return self.start(_COMMON)


_WORKLOADS = Block(10 << 24, 20, unused=256)
_NODES = Block((172 << 24) + (16 << 16), 12)
_BALANCERS = Block((100 << 24) + (64 << 16), 16)
_WORKLOADS_IPV6 = Block(IPV6, 32)
#: 192.0.2.0/24: the addresses of translators, 16 for each region; of a network, half of these are for routes.
TRANSLATORS = Block((192 << 24) + (2 << 8), 4)
#: 198.51.100.0/24: the addresses that policies hand out, those of the first quarter of a zone at least.
HANDED_OUT = Block((198 << 24) + (51 << 16) + (100 << 8), 4)
_HANDED_OUT_ADDRESSES = 7
_ROUTED_BLOCKS = (_WORKLOADS, _WORKLOADS_IPV6, _BALANCERS, TRANSLATORS)
_BLOCKS = (_WORKLOADS, _NODES, _BALANCERS, _WORKLOADS_IPV6, TRANSLATORS)


class _Shared(IntEnum):
    """The pools that the services of one zone share."""

    WORKLOADS = 0
    WORKLOADS_IPV6 = 1
    NODE_PORTS = 2
    BALANCERS = 3


class _Further(IntEnum):
    """The pools that a zone has besides, if there are several networks or addresses that policies hand out."""

    ROUTED_WORKLOADS = 0
    ROUTED_IPV6 = 1
    ROUTED_BALANCERS = 2
    HANDED_OUT = 3
    #: Of this zone and the next one.
    FLOATING = 4


_ROUTED_TWIN = {
    _Shared.WORKLOADS: _Further.ROUTED_WORKLOADS,
    _Shared.WORKLOADS_IPV6: _Further.ROUTED_IPV6,
    _Shared.BALANCERS: _Further.ROUTED_BALANCERS,
}


@dataclass(frozen=True)
class PoolPlan:
    """Keys that are given out together: whole addresses, or single sockets of node addresses.

    Attributes:
        number: position among the pools.
        first_address: number of the first address; key n is on address `first_address + n // sockets`.
        fresh: keys that nobody has had when the history begins.
        grows: whether there are more when all are taken.
        sockets: keys on one address.
        zone: number of the zone that its addresses are in.
        common: number of the first address that other networks may use at the same time; -1 if there is none. Which of
            the addresses are such, `is_common` says.
        apart: whether nobody else has these addresses, however much networks overlap.
        first_socket: twice the port of the first key of an address, one more if it is UDP's; the next key is the next
            socket. -1 if keys are whole addresses.
    """

    number: int
    first_address: int
    fresh: int
    grows: bool
    zone: int = 0
    sockets: int = 1
    first_socket: int = -1
    common: int = -1
    apart: bool = False


def address_text(number: int) -> str:
    """Canonical text of an address number."""
    if number < IPV6:
        return str(ipaddress.IPv4Address(number))
    return str(ipaddress.IPv6Address(_IPV6_PREFIX + number - IPV6))


def region_prefixes(region: int) -> list[tuple[int, int]]:
    """First address and length of each prefix of a region, by its number."""
    return [block.prefix(region) for block in _BLOCKS]


def workload_prefixes() -> list[tuple[int, int]]:
    """First address and length of the prefixes in which there are workloads and nothing else."""
    return [(block.first, block.prefix(0)[1] - LARGEST_REGIONS.bit_length() + 1) for block in (_NODES, _WORKLOADS_IPV6)]


def is_common(place: Int64, scenario: Scenario) -> Bool:
    """Whether the addresses at these places of a pool are used by all networks at once."""
    if scenario.networks == 1:
        return np.zeros(len(place), np.bool_)
    return np.asarray((place + 1) * _GOLDEN % 1 < scenario.overlap)


def joined_networks(scenario: Scenario) -> Iterator[tuple[int, int]]:
    """The two networks of each route: each network and the next."""
    for network in range(scenario.networks - 1):
        yield network, network + 1


def routed_prefixes(one: int, other: int) -> list[tuple[int, int]]:
    """First address and length of each prefix for which a route joins a network to the next one."""
    floating = [] if one % 2 else [_WORKLOADS.prefix(_FLOATING + one // 2)]
    return [block.routed(network) for block in _ROUTED_BLOCKS for network in (one, other)] + floating


def plan_pools(
    endpoints: Endpoints, scenario: Scenario, rng: np.random.Generator
) -> tuple[Int64, tuple[PoolPlan, ...]]:
    """The number of each service's pool, and the pools.

    - The workloads of a zone share one pool of IPv4 and one of IPv6.
    - The load balancers of a zone share one pool, but for those that take addresses of workloads.
    - The services of a network that a route joins to others have the same pools once more.
    - Services of two networks share a pool of addresses that pass between these networks.
    - Every other service that owns ports has a fixed port on each node. The rest get any port of a node. The same port
      of the other protocol may be another service's.
    - Each service outside the fleet has a pool of its own.
    """
    pool = _shared_pools(endpoints, scenario, rng)
    plans: list[PoolPlan] = []
    for zone in range(scenario.zones):
        wanted = [int(endpoints.replicas[pool == _shared_number(zone, which)].sum()) for which in _Shared]
        plans += _plans_of_zone(zone, wanted, scenario)
    for zone in range(scenario.zones if has_further_pools(scenario) else 0):
        numbers = [_further_number(zone, which, scenario) for which in _Further]
        plans += _further_plans(zone, [int(endpoints.replicas[pool == number].sum()) for number in numbers], scenario)
    prefixes = iter(labelled_prefixes(scenario))
    for service in np.flatnonzero(pool < 0).tolist():
        pool[service] = number = len(plans)
        count = int(endpoints.replicas[service])
        if endpoints.kind[service] == Kind.PORT_OWNER:
            plans.append(_fixed_port(number, int(endpoints.zone[service]), scenario))
        elif endpoints.kind[service] == Kind.LABELLED:
            plans.append(PoolPlan(number, next(prefixes) + 1, count, grows=False))
        else:
            plans.append(PoolPlan(number, _UNLABELLED_ADDRESSES, count, grows=False))
    return pool, tuple(plans)


def labelled_prefixes(scenario: Scenario) -> list[int]:
    """First address of the labelled /24 prefix of each service outside the fleet.

    The services are of the networks in turn, and services of several networks may have one prefix.
    """
    service = np.arange(scenario.external_services)
    row = service // scenario.networks
    own = service if scenario.networks == 1 else LARGEST_LABELLED // 2 + service
    return (_LABELLED_ADDRESSES + 256 * np.where(is_common(row, scenario), row, own)).tolist()


def has_further_pools(scenario: Scenario) -> bool:
    """Whether there are several networks, or addresses that policies hand out."""
    return scenario.networks > 1 or scenario.pool_services > 0


def _shared_number(zone: int, which: _Shared) -> int:
    return len(_Shared) * zone + which


def _further_number(zone: int, which: _Further, scenario: Scenario) -> int:
    return len(_Shared) * scenario.zones + len(_Further) * zone + which


def _shared_pools(endpoints: Endpoints, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The number of each service's pool if it shares one; -1 for a pool of its own."""
    kind = endpoints.kind
    ipv6 = (kind == Kind.WORKLOAD) & (rng.random(len(kind)) < scenario.ipv6_share)
    which = np.select(
        [ipv6, kind == Kind.WORKLOAD, kind == Kind.PORT_OWNER, kind == Kind.LOAD_BALANCER],
        [_Shared.WORKLOADS_IPV6, _Shared.WORKLOADS, _Shared.NODE_PORTS, _Shared.BALANCERS],
        -1,
    ).astype(np.int64)
    which[np.flatnonzero(kind == Kind.PORT_OWNER)[::2]] = -1
    balancers = np.flatnonzero(which == _Shared.BALANCERS)
    which[balancers[: round(len(balancers) * scenario.balancers_among_workloads)]] = _Shared.WORKLOADS
    pool = np.where(which >= 0, which + len(_Shared) * endpoints.zone, -1)
    for service in np.flatnonzero((endpoints.reach != Reach.LOCAL) | (kind == Kind.POOL)).tolist():
        pool[service] = _further_number(*_further(service, int(which[service]), endpoints), scenario)
    return pool


def _further(service: int, which: int, endpoints: Endpoints) -> tuple[int, _Further]:
    """Zone and kind of the further pool of a service."""
    zone = int(endpoints.zone[service])
    if endpoints.kind[service] == Kind.POOL:
        return zone, _Further.HANDED_OUT
    if endpoints.reach[service] == Reach.FLOATING:
        return zone - zone % 2, _Further.FLOATING
    return zone, _ROUTED_TWIN[_Shared(which)]


def _plans_of_zone(zone: int, wanted: list[int], scenario: Scenario) -> Iterator[PoolPlan]:
    """The pools that a zone's services share, for as many keys as their replicas want at once."""
    fresh = [math.ceil(count * (1 + scenario.spare_addresses)) for count in wanted]
    hosts = _hosts_of(scenario, zone)
    sockets = max(2, math.ceil(fresh[_Shared.NODE_PORTS] / hosts))
    for which, block in (
        (_Shared.WORKLOADS, _WORKLOADS), (_Shared.WORKLOADS_IPV6, _WORKLOADS_IPV6),
        (_Shared.NODE_PORTS, _NODES), (_Shared.BALANCERS, _BALANCERS),
    ):  # fmt: skip
        number, start = _shared_number(zone, which), block.start(zone)
        common = block.common() if scenario.networks > 1 else -1
        if which == _Shared.NODE_PORTS:
            yield PoolPlan(
                number, start, sockets * hosts, grows=False, zone=zone, sockets=sockets,
                first_socket=_ANY_OWNED_SOCKET, common=common,
            )  # fmt: skip
        else:
            yield PoolPlan(number, start, fresh[which], grows=True, zone=zone, common=common)


def _further_plans(zone: int, wanted: list[int], scenario: Scenario) -> Iterator[PoolPlan]:
    """The further pools of a zone, for as many keys as their replicas want at once."""
    fresh = [math.ceil(count * (1 + scenario.spare_addresses)) for count in wanted]
    for which, block in (
        (_Further.ROUTED_WORKLOADS, _WORKLOADS), (_Further.ROUTED_IPV6, _WORKLOADS_IPV6),
        (_Further.ROUTED_BALANCERS, _BALANCERS),
    ):  # fmt: skip
        start = block.routed(zone)[0] + 1
        yield PoolPlan(
            _further_number(zone, which, scenario), start, fresh[which], grows=True, zone=zone, apart=True
        )  # fmt: skip
    yield PoolPlan(
        _further_number(zone, _Further.HANDED_OUT, scenario), HANDED_OUT.start(zone), 2 * _HANDED_OUT_ADDRESSES,
        grows=False, zone=zone, sockets=2, first_socket=_HANDED_OUT_SOCKET,
        common=HANDED_OUT.common() if scenario.networks > 1 else -1,
    )  # fmt: skip
    yield PoolPlan(
        _further_number(zone, _Further.FLOATING, scenario), _WORKLOADS.start(_FLOATING + zone // 2),
        fresh[_Further.FLOATING], grows=True, zone=zone, apart=True,
    )  # fmt: skip


def _fixed_port(number: int, zone: int, scenario: Scenario) -> PoolPlan:
    """The pool of a service with one port, the same on every node of its zone."""
    return PoolPlan(
        number, _NODES.start(zone), _hosts_of(scenario, zone), grows=False, zone=zone,
        first_socket=_FIXED_OWNED_SOCKET + number, common=_NODES.common() if scenario.networks > 1 else -1,
    )  # fmt: skip


def _hosts_of(scenario: Scenario, zone: int) -> int:
    """How many hosts a zone has: they belong to the zones in turn."""
    return len(range(zone, scenario.hosts, scenario.zones))
