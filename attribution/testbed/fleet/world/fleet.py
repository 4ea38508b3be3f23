"""The fleet: services, their replicas, who held which address when. This is the truth that everything else observes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attribution.config import SECOND
from attribution.core.addressing.sockets import ANY_SOCKET, TCP, UDP, socket_numbers
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.fleet.scenarios import Scenario
from attribution.testbed.fleet.world.addresses import is_common
from attribution.testbed.fleet.world.catalogue import Catalogue, make_catalogue
from attribution.testbed.fleet.world.kinds import Kind, is_fleet
from attribution.testbed.fleet.world.placement import Pool
from attribution.testbed.fleet.world.pool_plans import PoolPlan

#: How long endpoints that never change have been there, and will be.
_ALWAYS = 366 * 24 * 3600 * SECOND


@dataclass(frozen=True)
class Tenures:
    """Who held what: rows sorted by (slot, start), each [start, end), ends exclusive.

    A slot is one replica's place in its service; its workloads follow each other. No two rows of one key overlap.

    Attributes:
        slot: the place, a row of the catalogue's slots.
        workload: number of the workload, unique in time; one workload may have several rows (it moved).
        generation: which workload of its slot it is; slot and generation make its name.
        key: row of `Fleet.key_address` and `Fleet.key_socket`.
        host: the machine that it runs on; its observer.
        start: first moment, microseconds UTC by the true clock.
        end: first moment afterwards.
    """

    slot: Int64
    workload: Int64
    generation: Int64
    key: Int64
    host: Int64
    start: Int64
    end: Int64

    def __len__(self) -> int:
        return len(self.slot)

    def rows(self, choice: Int64 | Bool) -> "Tenures":
        """The chosen rows."""
        return Tenures(*(getattr(self, name)[choice] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Fleet:
    """The catalogue of services, every tenure, the addresses, and the clocks of the observers.

    Attributes:
        catalogue: services and slots.
        tenures: who held which key when.
        kind: the `Kind` of each tenure.
        key_address: number of each key's address.
        key_socket: the one socket of each key (`core.addressing.sockets`); -1 where the key is the whole address.
        key_apart: whether nobody else has the address of each key, however much networks overlap.
        skew: what each host's clock adds to the true time, microseconds; behind the hosts stand the routers.
        hosts: how many of the observers are hosts.
    """

    catalogue: Catalogue
    tenures: Tenures
    kind: Int64
    key_address: Int64
    key_socket: Int64
    key_apart: Bool
    skew: Int64
    hosts: int

    def zone(self, tenures: Int64) -> Int64:
        """The number of each tenure's region or network; -1 outside the fleet."""
        return self.catalogue.zone[self.catalogue.slot_service[self.tenures.slot[tenures]]]

    def alive(self, slots: Int64, times: Int64) -> Int64:
        """The tenure that each slot has at each time; -1 where it has none.

        Where successive replicas overlap, the newer one.
        """
        origin = self.tenures.start.min(initial=0)
        span = np.int64(self.tenures.start.max(initial=0) - origin + 2)
        order = self.tenures.slot * span + (self.tenures.start - origin)
        asked = slots * span + np.minimum(times - origin, span - 1)
        found = np.searchsorted(order, asked, side="right") - 1
        held = (found >= 0) & (self.tenures.slot[found] == slots) & (self.tenures.end[found] > times)
        return np.where(held, found, -1)


@dataclass(frozen=True)
class _Plan:
    """Tenures as they are planned, before they have addresses; rows sorted by slot and start.

    Attributes:
        slot: the place.
        start: first moment.
        end: first moment afterwards.
        move: whether the workload of the row before goes on here, at another address.
    """

    slot: Int64
    start: Int64
    end: Int64
    move: Bool

    @cached_property
    def _opens_slot(self) -> Bool:
        return np.r_[True, self.slot[1:] != self.slot[:-1]]

    @cached_property
    def workload(self) -> Int64:
        """Number of each row's workload."""
        return np.cumsum(self._opens_slot | ~self.move) - 1

    @cached_property
    def generation(self) -> Int64:
        """Which workload of its slot it is: the first is 0, and a move stays in the generation."""
        rows = np.diff(np.r_[np.flatnonzero(self._opens_slot), len(self.slot)])
        return self.workload - np.repeat(self.workload[self._opens_slot], rows)

    @cached_property
    def moves(self) -> Bool:
        """Whether the row's workload moves at any time."""
        return np.isin(self.workload, self.workload[self.move])


@dataclass(frozen=True)
class _Keys:
    """What can be held: address, single socket and host of each key.

    Attributes:
        address: number of the address.
        socket: the one socket; `ANY_SOCKET` if the key is the whole address.
        host: the machine whose port it is; -1 if the key is the whole address.
        apart: whether nobody else has the address, however much networks overlap.
    """

    address: Int64
    socket: Int64
    host: Int64
    apart: Bool


def make_fleet(scenario: Scenario, rng: np.random.Generator, network_rng: np.random.Generator) -> Fleet:
    """A fleet for the scenario, the same for the same state of the generators."""
    catalogue = make_catalogue(scenario, rng, network_rng)
    plan = _plan(catalogue, scenario, rng)
    keys, key, start = _place(catalogue, plan, scenario, rng)
    kind = catalogue.kind[catalogue.slot_service[plan.slot]]
    host = _hosts(catalogue, plan, scenario, rng)
    host = np.where(kind == Kind.PORT_OWNER, keys.host[key], host)
    placed = (key >= 0) & (start < plan.end)
    order = np.flatnonzero(placed)[np.lexsort((start[placed], plan.slot[placed]))]
    tenures = Tenures(plan.slot, plan.workload, plan.generation, key, host, start, plan.end).rows(order)
    skew = rng.integers(-scenario.max_skew, scenario.max_skew, endpoint=True, size=scenario.hosts)
    clocks = np.r_[skew, np.zeros(scenario.routers, np.int64)]
    return Fleet(catalogue, tenures, kind[order], keys.address, keys.socket, keys.apart, clocks, scenario.hosts)


def _hosts(catalogue: Catalogue, plan: _Plan, scenario: Scenario, rng: np.random.Generator) -> Int64:
    """The machine of each row's workload, one of the workload's own zone."""
    drawn = rng.integers(0, scenario.hosts, size=int(plan.workload.max(initial=0)) + 1)[plan.workload]
    home = catalogue.zone[catalogue.slot_service[plan.slot]]
    host = np.where(home >= 0, drawn - drawn % scenario.zones + home, drawn)
    return np.where(host >= scenario.hosts, host - scenario.zones, host)


def _plan(catalogue: Catalogue, scenario: Scenario, rng: np.random.Generator) -> _Plan:
    """Who is where and when, by the lives of workloads and by redeployments."""
    span = scenario.last - scenario.first
    kind = catalogue.kind[catalogue.slot_service]
    life = catalogue.lifetime[catalogue.slot_service]
    own = np.repeat(np.arange(catalogue.slots), rng.poisson(np.where(life > 0, span / np.maximum(life, 1), 0)))
    own_times = scenario.first + rng.integers(0, span, size=len(own))
    rolls, roll_times = _redeployments(catalogue, scenario, rng)
    age = np.where(life > 0, rng.integers(0, np.maximum(life, 1), endpoint=True), _ALWAYS)
    slot = np.r_[np.arange(catalogue.slots), own, rolls]
    cut = np.r_[scenario.first - age, own_times, roll_times]
    movable = (kind[own] == Kind.WORKLOAD) & ~catalogue.is_job[catalogue.slot_service[own]]
    move = np.r_[
        np.zeros(catalogue.slots, dtype=np.bool_),
        movable & (rng.random(len(own)) < scenario.move_share),
        np.zeros(len(rolls), dtype=np.bool_),
    ]
    order = np.lexsort((cut, slot))
    slot, cut, move = slot[order], cut[order], move[order]
    last_of_slot = np.r_[slot[1:] != slot[:-1], True]
    after = scenario.last + np.where(life > 0, rng.integers(0, np.maximum(life, 1), endpoint=True), _ALWAYS)
    end = np.where(last_of_slot, after[slot], np.r_[cut[1:], 0])
    gap = (rng.exponential(1, size=len(cut)) * scenario.restart_gap).astype(np.int64)
    early = np.where(rng.random(len(cut)) < 0.5, -gap, gap)
    start = np.where(move, cut, cut + early)
    # A replica that would end before it starts never came up; a move keeps its row, or its workload would change.
    lived = start < end
    return _Plan(slot[lived], start[lived], end[lived], move[lived])


def _redeployments(catalogue: Catalogue, scenario: Scenario, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Slots and times of the replacements by rolling redeployments: one replica after the other."""
    rolled = is_fleet(catalogue.kind) & ~catalogue.is_job
    span = scenario.last - scenario.first
    count = rng.poisson(np.where(rolled, span / scenario.redeploy_every, 0))
    service = np.repeat(np.arange(catalogue.services), count)
    begins = scenario.first + rng.integers(0, span, size=len(service))
    replicas = catalogue.replicas[service]
    roll = np.repeat(np.arange(len(service)), replicas)
    ordinal = np.arange(len(roll)) - np.repeat(np.cumsum(replicas) - replicas, replicas)
    slots = catalogue.first_slot[service[roll]] + ordinal
    pace = scenario.rolling / replicas[roll]
    times = begins[roll] + ((ordinal + rng.random(len(roll))) * pace).astype(np.int64)
    inside = times < scenario.last
    return slots[inside], times[inside]


def _place(
    catalogue: Catalogue, plan: _Plan, scenario: Scenario, rng: np.random.Generator
) -> tuple[_Keys, Int64, Int64]:
    """All keys, pool by pool; and of each planned tenure its key (-1 if there was none left) and its real start."""
    service = catalogue.slot_service[plan.slot]
    key, start = np.full(len(service), -1, dtype=np.int64), plan.start.copy()
    made: list[_Keys] = []
    base = 0
    for pool in catalogue.pools:
        mine = np.flatnonzero(catalogue.pool[service] == pool.number)
        allocator = Pool(
            rng.permutation(pool.fresh).tolist(), grow_from=pool.fresh if pool.grows else None, scenario=scenario
        )
        got, start[mine] = allocator.place(
            plan.start[mine], plan.end[mine], plan.workload[mine], plan.moves[mine], rng=rng
        )
        key[mine] = np.where(got >= 0, got + base, -1)
        made.append(_keys(pool, max(pool.fresh, int(got.max(initial=-1)) + 1), scenario))
        base += len(made[-1].address)
    columns = (np.concatenate([getattr(one, name) for one in made]) for name in ("address", "socket", "host", "apart"))
    return _Keys(*columns), key, start


def _keys(pool: PoolPlan, count: int, scenario: Scenario) -> _Keys:
    """The first keys of a pool."""
    numbers = np.arange(count)
    place, apart = numbers // pool.sockets, np.full(count, pool.apart)
    common = is_common(place, scenario) & (pool.common >= 0)
    address = np.where(common, pool.common, pool.first_address) + place
    if pool.first_socket < 0:
        return _Keys(address, np.full(count, ANY_SOCKET), np.full(count, -1), apart)
    port, udp = np.divmod(pool.first_socket + numbers % pool.sockets, 2)
    socket = socket_numbers(np.where(udp, UDP, TCP), port).astype(np.int64)
    return _Keys(address, socket, place * scenario.zones + pool.zone, apart)
