"""Networks of a fleet: what they are called, which routes join them, and which records tell them."""

from dataclasses import dataclass

import numpy as np

from attribution.config import Settings
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.evidence import Events, Heartbeats, Names
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.traffic import Flows, Observers
from attribution.testbed.fleet.world.addresses import (
    HANDED_OUT,
    TRANSLATORS,
    address_text,
    has_further_pools,
    joined_networks,
    routed_prefixes,
    workload_prefixes,
)
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind, is_fleet

#: As many addresses of a zone, among them the prefix that policies have in their pools.
_POOLED = 4


@dataclass(frozen=True)
class Told:
    """Which records tell a network; nothing is told if there is one network.

    Attributes:
        local: whether each flow tells the network of its local address.
        remote: whether each flow tells that of its remote address, too.
        heartbeats: whether each heartbeat tells its network.
        assignments: whether each assignment event does.
        names: whether each DNS answer does.
    """

    local: Bool
    remote: Bool
    heartbeats: Bool
    assignments: Bool
    names: Bool

    def rows(self, flows: Int64) -> tuple[Bool, Bool]:
        """Whether each of these flows tells its local, and whether it tells its remote network."""
        return self.local[flows], self.remote[flows]


def network_name(number: int) -> str:
    """What a network is called."""
    return f"network-{number + 1}"


def tell(
    fleet: Fleet, observers: Observers, flows: Flows, evidence: tuple[Heartbeats, Events, Names], scenario: Scenario,
    rng: np.random.Generator,
) -> Told:  # fmt: skip
    """Which records tell their networks, by the losses of the scenario.

    A captured flow is evidence about its own address, and about the translator's socket that it shows. The events of
    a load balancer tell their network all or none: an event that is missing would leave the address to its last owner.
    """
    heartbeats, assignments, names = evidence
    several = scenario.networks > 1
    apart = fleet.key_apart[fleet.tenures.key]
    on_wire = (flows.wire_address < 0) | _is_routed_translator(flows.wire_address)
    # By what no overlap changes, so that fleets that differ in the overlap only lose the same.
    order = np.lexsort((flows.remote_port, flows.local_port, flows.remote, flows.local, flows.start, flows.host))
    place = np.argsort(order)
    told_by = rng.random(len(fleet.skew)) < scenario.told_share
    as_evidence = _kept((apart[flows.local] & on_wire)[order], scenario, rng)[place]
    as_flow = rng.random(len(flows))[place] >= scenario.network_loss
    remote = rng.random(len(flows))[place] >= scenario.network_loss
    in_network = is_fleet(fleet.kind[flows.remote]) | (fleet.kind[flows.remote] == Kind.LOAD_BALANCER)
    by_tenure = _kept(apart, scenario, rng)
    return Told(
        local=several & np.where(_captured(fleet, observers, flows), as_evidence, as_flow),
        remote=several & told_by[flows.host] & in_network & remote,
        heartbeats=several & _kept(apart[heartbeats.tenure], scenario, rng),
        assignments=several & by_tenure[assignments.tenure],
        names=several & _kept(apart[flows.local[names.flow]], scenario, rng),
    )


def _kept(apart: Bool, scenario: Scenario, rng: np.random.Generator) -> Bool:
    """Whether each piece of evidence keeps its network, by whether its address is nobody else's."""
    loss = np.where(apart, scenario.network_loss, scenario.shared_network_loss)
    return np.asarray(rng.random(len(apart)) >= loss)


def _captured(fleet: Fleet, observers: Observers, flows: Flows) -> Bool:
    """Whether the log knows the local workload of each flow."""
    shares = fleet.key_socket[fleet.tenures.key[flows.local]] >= 0
    return np.where(shares, observers.captures_shared[flows.host], observers.captures[flows.host])


def _is_routed_translator(address: Int64) -> Bool:
    """Whether each address is one that translators use for other networks."""
    half = 1 << (TRANSLATORS.bits - 1)
    place = address - TRANSLATORS.first
    return np.asarray((place >= 0) & (place % (2 * half) >= half))


def prefix_of(first: int, length: int) -> str:
    """Text of the prefix that begins with an address number."""
    return f"{address_text(first)}/{length}"


def pooled_prefix(first: int) -> str:
    """Text of the prefix that policies hand out, of the handed-out addresses from `first` on."""
    return prefix_of(first - HANDED_OUT.unused, 32 - _POOLED.bit_length() + 1)


def settings_of(scenario: Scenario) -> Settings:
    """The settings that are true of the simulated world; with one network, and no pools, those of its clocks."""
    active_timeout = scenario.export_timeout if scenario.exporters else 0
    if not has_further_pools(scenario):
        return Settings(clock_tolerance=scenario.clock_tolerance, active_timeout=active_timeout)
    routes = [
        f"{network_name(one)},{network_name(other)},{prefix_of(*prefix)}"
        for one, other in joined_networks(scenario)
        for prefix in routed_prefixes(one, other)
    ]
    return Settings(
        clock_tolerance=scenario.clock_tolerance,
        active_timeout=active_timeout,
        routes=tuple(routes),
        workload_prefixes=tuple(prefix_of(*prefix) for prefix in workload_prefixes()),
        pool_prefixes=(prefix_of(HANDED_OUT.first, 24),) if scenario.pool_services else (),
    )
