"""The addresses of a fleet as numbers, and which of them several networks use.

A number below 2**32 is an IPv4 address; above stand the host parts of one IPv6 prefix.
"""

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario

#: Address numbers from here on are IPv6: this plus the host part.
IPV6 = 1 << 32
#: RFC 4193 prefix of the fleet's IPv6 addresses.
_IPV6_PREFIX = 0xFD00_0DB8_0000_0000 << 64
#: As many regions have addresses of their own, or as many networks.
LARGEST_REGIONS, LARGEST_NETWORKS = 16, 8
#: Zones of a block that are no network's own: of all networks at once, and the first of those between two networks.
_COMMON, FLOATING = 15, 8
#: Fractions of its multiples lie evenly between 0 and 1.
_GOLDEN = (math.sqrt(5) - 1) / 2

#: As many labelled prefixes there are.
LARGEST_LABELLED = 512
_LABELLED_ADDRESSES = (198 << 24) + (18 << 16)
UNLABELLED_ADDRESSES = (203 << 24) + (113 << 8) + 1


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


WORKLOADS = Block(10 << 24, 20, unused=256)
NODES = Block((172 << 24) + (16 << 16), 12)
BALANCERS = Block((100 << 24) + (64 << 16), 16)
WORKLOADS_IPV6 = Block(IPV6, 32)
#: The virtual address of service number n is this plus n; no zone has workloads there.
SERVICE_ADDRESSES = (10 << 24) + (96 << 16) + 1
#: The port of every virtual address.
SERVICE_PORT = 80
#: A node passes this port plus n on to service number n; nobody owns these ports.
FIRST_NODE_PORT = 29_000
#: 192.0.2.0/24: the addresses of translators, 16 for each region; of a network, half of these are for routes.
TRANSLATORS = Block((192 << 24) + (2 << 8), 4)
#: 198.51.100.0/24: the addresses that policies hand out, those of the first quarter of a zone at least.
HANDED_OUT = Block((198 << 24) + (51 << 16) + (100 << 8), 4)
_ROUTED_BLOCKS = (WORKLOADS, WORKLOADS_IPV6, BALANCERS, TRANSLATORS)
_BLOCKS = (WORKLOADS, NODES, BALANCERS, WORKLOADS_IPV6, TRANSLATORS)


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
    return [(block.first, block.prefix(0)[1] - LARGEST_REGIONS.bit_length() + 1) for block in (NODES, WORKLOADS_IPV6)]


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
    floating = [] if one % 2 else [WORKLOADS.prefix(FLOATING + one // 2)]
    return [block.routed(network) for block in _ROUTED_BLOCKS for network in (one, other)] + floating


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
