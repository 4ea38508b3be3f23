"""The pools from which the services of a fleet get their addresses."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.addresses import (
    BALANCERS,
    FLOATING,
    HANDED_OUT,
    NODES,
    UNLABELLED_ADDRESSES,
    WORKLOADS,
    WORKLOADS_IPV6,
    has_further_pools,
    labelled_prefixes,
)
from attribution.testbed.fleet.world.kinds import Endpoints, Kind, Reach

# Each port is given out twice, as one of TCP and as one of UDP: keys 2n and 2n + 1 are the sockets of port n.
_ANY_OWNED_SOCKET = 2 * 30_000
_FIXED_OWNED_SOCKET = 2 * 20_000
_HANDED_OUT_SOCKET = 2 * 443
_HANDED_OUT_ADDRESSES = 7


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
            plans.append(PoolPlan(number, UNLABELLED_ADDRESSES, count, grows=False))
    return pool, tuple(plans)


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
        (_Shared.WORKLOADS, WORKLOADS), (_Shared.WORKLOADS_IPV6, WORKLOADS_IPV6),
        (_Shared.NODE_PORTS, NODES), (_Shared.BALANCERS, BALANCERS),
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
        (_Further.ROUTED_WORKLOADS, WORKLOADS), (_Further.ROUTED_IPV6, WORKLOADS_IPV6),
        (_Further.ROUTED_BALANCERS, BALANCERS),
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
        _further_number(zone, _Further.FLOATING, scenario), WORKLOADS.start(FLOATING + zone // 2),
        fresh[_Further.FLOATING], grows=True, zone=zone, apart=True,
    )  # fmt: skip


def _fixed_port(number: int, zone: int, scenario: Scenario) -> PoolPlan:
    """The pool of a service with one port, the same on every node of its zone."""
    return PoolPlan(
        number, NODES.start(zone), _hosts_of(scenario, zone), grows=False, zone=zone,
        first_socket=_FIXED_OWNED_SOCKET + number, common=NODES.common() if scenario.networks > 1 else -1,
    )  # fmt: skip


def _hosts_of(scenario: Scenario, zone: int) -> int:
    """How many hosts a zone has: they belong to the zones in turn."""
    return len(range(zone, scenario.hosts, scenario.zones))
