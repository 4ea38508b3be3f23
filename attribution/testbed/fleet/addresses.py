"""The addresses of a fleet as numbers, and the pools from which its services get them.

A number below 2**32 is an IPv4 address; above stand the host parts of one IPv6 prefix.
"""

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.testbed.fleet.kinds import Endpoints, Kind
from attribution.testbed.fleet.scenarios import Scenario

#: Address numbers from here on are IPv6: this plus the host part.
IPV6 = 1 << 32
#: RFC 4193 prefix of the fleet's IPv6 addresses.
_IPV6_PREFIX = 0xFD00_0DB8_0000_0000 << 64
#: As many regions have addresses of their own.
LARGEST_REGIONS = 16

_LABELLED_ADDRESSES = (198 << 24) + (18 << 16)
_UNLABELLED_ADDRESSES = (203 << 24) + (113 << 8) + 1
# Each port is given out twice, as one of TCP and as one of UDP: keys 2n and 2n + 1 are the sockets of port n.
_ANY_OWNED_SOCKET = 2 * 30_000
_FIXED_OWNED_SOCKET = 2 * 20_000


@dataclass(frozen=True)
class Block:
    """Addresses of which every region has a prefix of its own.

    Attributes:
        first: number of the first address of the first region.
        bits: binary logarithm of the number of addresses of one region.
        unused: addresses at the beginning of each region that nobody gets.
    """

    first: int
    bits: int
    unused: int = 1

    def prefix(self, region: int) -> tuple[int, int]:
        """First address and length of a region's prefix."""
        return self.first + (region << self.bits), (32 if self.first < IPV6 else 128) - self.bits

    def start(self, region: int) -> int:
        """The first address of a region that somebody gets."""
        return self.prefix(region)[0] + self.unused


_WORKLOADS = Block(10 << 24, 20, unused=256)
_NODES = Block((172 << 24) + (16 << 16), 12)
_BALANCERS = Block((100 << 24) + (64 << 16), 16)
_WORKLOADS_IPV6 = Block(IPV6, 32)
#: 192.0.2.0/24: the addresses of translators, 16 for each region.
TRANSLATORS = Block((192 << 24) + (2 << 8), 4)
_BLOCKS = (_WORKLOADS, _NODES, _BALANCERS, _WORKLOADS_IPV6, TRANSLATORS)


class _Shared(IntEnum):
    """The pools that the services of one region share."""

    WORKLOADS = 0
    WORKLOADS_IPV6 = 1
    NODE_PORTS = 2
    BALANCERS = 3


@dataclass(frozen=True)
class PoolPlan:
    """Keys that are given out together: whole addresses, or single sockets of node addresses.

    Attributes:
        number: position among the pools.
        first_address: number of the first address; key n is on address `first_address + n // sockets`.
        fresh: keys that nobody has had when the history begins.
        grows: whether there are more when all are taken.
        sockets: keys on one address.
        region: number of the region that its addresses are in.
        first_socket: twice the port of the first key of an address, one more if it is UDP's; the next key is the next
            socket. -1 if keys are whole addresses.
    """

    number: int
    first_address: int
    fresh: int
    grows: bool
    region: int = 0
    sockets: int = 1
    first_socket: int = -1


def address_text(number: int) -> str:
    """Canonical text of an address number."""
    if number < IPV6:
        return str(ipaddress.IPv4Address(number))
    return str(ipaddress.IPv6Address(_IPV6_PREFIX + number - IPV6))


def region_prefixes(region: int) -> list[tuple[int, int]]:
    """First address and length of each prefix of a region, by its number."""
    return [block.prefix(region) for block in _BLOCKS]


def plan_pools(
    endpoints: Endpoints, scenario: Scenario, rng: np.random.Generator
) -> tuple[Int64, tuple[PoolPlan, ...]]:
    """The number of each service's pool, and the pools.

    - The workloads of a region share one pool of IPv4 and one of IPv6.
    - The load balancers of a region share one pool, but for those that take addresses of workloads.
    - Every other service that owns ports has a fixed port on each node. The rest get any port of a node. The same port
      of the other protocol may be another service's.
    - Each service outside the fleet has a pool of its own.
    """
    pool = _shared_pools(endpoints, scenario, rng)
    plans: list[PoolPlan] = []
    for region in range(scenario.regions):
        wanted = [int(endpoints.replicas[pool == _shared_number(region, which)].sum()) for which in _Shared]
        plans += _plans_of_region(region, wanted, scenario)
    prefixes = 0
    for service in np.flatnonzero(pool < 0).tolist():
        pool[service] = number = len(plans)
        count = int(endpoints.replicas[service])
        if endpoints.kind[service] == Kind.PORT_OWNER:
            plans.append(_fixed_port(number, int(endpoints.region[service]), scenario))
        elif endpoints.kind[service] == Kind.LABELLED:
            plans.append(PoolPlan(number, labelled_prefix(prefixes) + 1, count, grows=False))
            prefixes += 1
        else:
            plans.append(PoolPlan(number, _UNLABELLED_ADDRESSES, count, grows=False))
    return pool, tuple(plans)


def labelled_prefix(number: int) -> int:
    """First address of one of the labelled /24 prefixes outside the fleet."""
    return _LABELLED_ADDRESSES + 256 * number


def _shared_number(region: int, which: _Shared) -> int:
    return len(_Shared) * region + which


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
    return np.where(which >= 0, which + len(_Shared) * endpoints.region, -1)


def _plans_of_region(region: int, wanted: list[int], scenario: Scenario) -> Iterator[PoolPlan]:
    """The pools that a region's services share, for as many keys as their replicas want at once."""
    fresh = [math.ceil(count * (1 + scenario.spare_addresses)) for count in wanted]
    hosts = _hosts_of(scenario, region)
    sockets = max(2, math.ceil(fresh[_Shared.NODE_PORTS] / hosts))
    for which, block in (
        (_Shared.WORKLOADS, _WORKLOADS), (_Shared.WORKLOADS_IPV6, _WORKLOADS_IPV6),
        (_Shared.NODE_PORTS, _NODES), (_Shared.BALANCERS, _BALANCERS),
    ):  # fmt: skip
        number, start = _shared_number(region, which), block.start(region)
        if which == _Shared.NODE_PORTS:
            yield PoolPlan(
                number, start, sockets * hosts, grows=False, region=region, sockets=sockets,
                first_socket=_ANY_OWNED_SOCKET,
            )  # fmt: skip
        else:
            yield PoolPlan(number, start, fresh[which], grows=True, region=region)


def _fixed_port(number: int, region: int, scenario: Scenario) -> PoolPlan:
    """The pool of a service with one port, the same on every node of its region."""
    return PoolPlan(
        number, _NODES.start(region), _hosts_of(scenario, region), grows=False, region=region,
        first_socket=_FIXED_OWNED_SOCKET + number,
    )  # fmt: skip


def _hosts_of(scenario: Scenario, region: int) -> int:
    """How many hosts a region has: they belong to the regions in turn."""
    return len(range(region, scenario.hosts, scenario.regions))
