"""Evidence: heartbeats as observers send them, events as a control plane delivers them, DNS answers."""

from dataclasses import dataclass

import numpy as np

from attribution.config import MINUTE
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.traffic import Flows, named_endpoints
from attribution.testbed.fleet.world.fleet import Fleet
from attribution.testbed.fleet.world.kinds import Kind, is_fleet

#: How long a DNS answer of the simulation may be used.
DNS_TTL = MINUTE
_OUTAGE = 5 * MINUTE
_STREAMS = 16
_LAG_SIGMA = 0.25


@dataclass(frozen=True)
class Heartbeats:
    """Explicit heartbeats, instants, in the order in which they were delivered; duplicates are rows of their own."""

    tenure: Int64
    host: Int64
    time: Int64

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Events:
    """Events of a control plane about every address, in the order of their delivery.

    Attributes:
        tenure: the tenure that began or ended.
        release: whether it is an end; else it is a beginning.
        time: when it happened, by the control plane's clock.
        received: when it was delivered, by the receiver's clock (the true one).
    """

    tenure: Int64
    release: Bool
    time: Int64
    received: Int64

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Names:
    """DNS answers that clients got: the flow that followed, the number of the server's name, and the time."""

    flow: Int64
    variant: Int64
    time: Int64

    def __len__(self) -> int:
        return len(self.time)


def make_heartbeats(fleet: Fleet, scenario: Scenario, rng: np.random.Generator) -> Heartbeats:
    """Heartbeats of every workload for every address that it holds, without those that are lost, in order of delivery.

    The first comes up to one period after the tenure starts, none after it ends, by the true clock; the time written
    down is that of the observer's clock. A workload's own host observes it, or at times another one.
    """
    tenures = fleet.tenures
    rows = np.flatnonzero(is_fleet(fleet.kind) & (tenures.end > scenario.first) & (tenures.start < scenario.last))
    period = scenario.heartbeat_period
    # A tenure that began before the history is at a random point of its rhythm when the history begins.
    begin = np.maximum(tenures.start[rows], scenario.first)
    until = np.minimum(tenures.end[rows], scenario.last)
    phase = rng.integers(0, period, size=len(rows))
    count = np.maximum(0, (until - begin - phase + period - 1) // period + 1)
    tenure = np.repeat(rows, count)
    nth = np.arange(len(tenure)) - np.repeat(np.cumsum(count) - count, count)
    jitter = rng.integers(-scenario.heartbeat_jitter, scenario.heartbeat_jitter, endpoint=True, size=len(tenure))
    time = np.repeat(begin + phase, count) + nth * period + np.where(nth > 0, jitter, 0)
    kept = (time >= tenures.start[tenure]) & (time < np.repeat(until, count)) & (time >= scenario.first)
    kept &= ~_lost(fleet, tenure, time, scenario, rng)
    tenure, time = tenure[kept], time[kept]
    stranger = rng.random(len(tenure)) < scenario.stranger_share
    host = np.where(stranger, rng.integers(0, scenario.hosts, size=len(tenure)), tenures.host[tenure])
    again = np.flatnonzero(rng.random(len(tenure)) < scenario.heartbeat_duplicates)
    every = np.r_[np.arange(len(tenure)), again]
    delivered = time[every] + rng.integers(0, scenario.heartbeat_delay, endpoint=True, size=len(every))
    order = every[np.argsort(delivered, kind="stable")]
    return Heartbeats(tenure[order], host[order], time[order] + fleet.skew[host[order]])


def _lost(fleet: Fleet, tenure: Int64, time: Int64, scenario: Scenario, rng: np.random.Generator) -> Bool:
    """Whether each heartbeat is lost: alone, with its dark host, or with its silent workload or service."""
    spans = (scenario.last - scenario.first) // _OUTAGE + 1
    dark = rng.random((scenario.hosts, spans)) < scenario.outage_share
    workload = fleet.tenures.workload
    silent = rng.random(int(workload.max(initial=0)) + 1) < scenario.silent_share
    mute = rng.random(fleet.catalogue.services) < scenario.silent_share
    span = np.clip((time - scenario.first) // _OUTAGE, 0, spans - 1)
    lost = rng.random(len(time)) < scenario.heartbeat_loss
    lost |= dark[fleet.tenures.host[tenure], span]
    lost |= mute[fleet.catalogue.slot_service[fleet.tenures.slot[tenure]]]
    lost |= silent[workload[tenure]]
    if scenario.port_heartbeat_loss:
        of_port = np.flatnonzero(fleet.kind[tenure] == Kind.PORT_OWNER)
        lost[of_port] |= rng.random(len(of_port)) < scenario.port_heartbeat_loss
        of_port = of_port[np.argsort(time[of_port], kind="stable")]
        first = np.unique(fleet.key_address[fleet.tenures.key[tenure[of_port]]], return_index=True)[1]
        lost[of_port[first]] = False
    return np.asarray(lost)


def make_events(fleet: Fleet, scenario: Scenario, rng: np.random.Generator) -> Events:
    """Events for all that is given and taken, late and lost as configured, in order of delivery.

    What was given before the history began was delivered at once: an event-based system starts from a snapshot.
    """
    tenure, release, true_time = _changes(fleet, fleet.kind <= Kind.LOAD_BALANCER, scenario)
    delay = np.exp(rng.normal(0, scenario.event_delay_sigma, size=len(tenure))) * scenario.event_delay
    lag = np.exp(rng.normal(0, _LAG_SIGMA, size=_STREAMS)) * scenario.event_lag
    delay += lag[fleet.key_address[fleet.tenures.key[tenure]] % _STREAMS]
    received = true_time + delay.astype(np.int64)
    lost = rng.random(len(tenure)) < scenario.event_loss
    snapshot = true_time < scenario.first
    received = np.where(snapshot, true_time, received)
    order = np.lexsort((~release, received))
    order = order[snapshot[order] | ~lost[order]]
    skew = int(rng.integers(-scenario.max_skew, scenario.max_skew, endpoint=True))
    return Events(tenure[order], release[order], true_time[order] + skew, received[order])


def make_assignments(fleet: Fleet, scenario: Scenario, rng: np.random.Generator) -> Events:
    """Events of the endpoints that have no heartbeats: load balancers."""
    tenure, release, true_time = _changes(fleet, fleet.kind == Kind.LOAD_BALANCER, scenario)
    time = true_time + int(rng.integers(-scenario.max_skew, scenario.max_skew, endpoint=True))
    order = np.lexsort((~release, time))
    if scenario.assignment_loss:
        order = order[rng.random(len(order)) >= scenario.assignment_loss]
    tenure, release, time, received = tenure[order], release[order], time[order], time[order]
    if scenario.assignment_delay:
        received = time + rng.integers(0, scenario.assignment_delay, endpoint=True, size=len(time))
        late = np.argsort(received, kind="stable")
        tenure, release, time, received = tenure[late], release[late], time[late], received[late]
    return Events(tenure, release, time, received)


def _changes(fleet: Fleet, chosen: Bool, scenario: Scenario) -> tuple[Int64, Bool, Int64]:
    """Every start and every end of the chosen tenures up to the end of the history.

    Returns:
        The tenure, whether it ends, and when, by the true clock.
    """
    tenures = fleet.tenures
    starts = np.flatnonzero(chosen & (tenures.start < scenario.last))
    ends = starts[tenures.end[starts] < scenario.last]
    tenure = np.r_[starts, ends]
    release = np.arange(len(tenure)) >= len(starts)
    return tenure, release, np.where(release, tenures.end[tenure], tenures.start[tenure])


def make_names(fleet: Fleet, flows: Flows, scenario: Scenario, rng: np.random.Generator) -> Names:
    """DNS answers seen before some of the connections to named endpoints; one address may serve three names."""
    rows = named_endpoints(fleet, flows)
    rows = rows[rng.random(len(rows)) < scenario.dns_share]
    time = flows.start[rows] - rng.integers(0, DNS_TTL // 2, size=len(rows))
    variant = rng.integers(0, 3, size=len(rows))
    order = np.argsort(time, kind="stable")
    return Names(rows[order], variant[order], time[order])
