"""Assignment events as of a time: who a control plane says an address was given to.

Only endpoints outside the workload space are asked about here ("Endpoints that are no workload" in `docs/design.md`).
Such events may be late or lost. What they say is believed only if they say one thing for all of the asked interval.

Example: the events of an address assign it to `lb-1` at 10 µs, and release it at 50 µs.

>>> from attribution.schema import arrow_schema
>>> rows = [
...     {"address": "192.0.2.1", "action": "assign", "owner": "lb-1", "time": 10},
...     {"address": "192.0.2.1", "action": "release", "owner": "lb-1", "time": 50},
... ]
>>> index = AssignmentIndex(pa.Table.from_pylist(rows, schema=arrow_schema("assignment")))

Three questions ask for the times from 20 to 30 µs, from 40 to 60 µs, and from 70 to 80 µs.

>>> address, socket = pa.array(["192.0.2.1"] * 3), np.full(3, ANY_SOCKET, np.int32)
>>> answers = index.ask(AskedPlaces.of_view(address), socket, np.array([20, 40, 70]), np.array([30, 60, 80]))
>>> [AssignmentState(state).name for state in answers.state]
['ASSIGNED', 'CHANGED', 'NOBODY']
>>> answers.owner.tolist()
[0, -1, -1]
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces, PlaceBook
from attribution.core.addressing.places import places_of
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, held_sockets
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import (
    NEVER_AFTER,
    NEVER_BEFORE,
    NONE,
    SEVERAL,
    encode,
    last_at_or_before,
    microseconds,
    next_start,
    starts_of_runs,
)
from attribution.core.columnar.types import Bool, Int32, Int64, Ints, Records, UInt8
from attribution.core.reasons import CODES

_DEFAULT = Settings()


class AssignmentState(IntEnum):
    """What the events say of an interval."""

    #: Nobody had the address during all of it.
    NOBODY = 0
    #: One owner had the address during all of it.
    ASSIGNED = 1
    #: Anything else: the owner changed, or is contested or not clear.
    CHANGED = 2
    #: There are events about the address, but in other networks only.
    OTHER_NETWORK = 3
    #: There are events about the address in several networks that may be meant.
    SEVERAL_NETWORKS = 4


_NOBODY, _ASSIGNED, _CHANGED, _OTHER_NETWORK, _SEVERAL_NETWORKS = (np.uint8(state) for state in AssignmentState)


@dataclass(frozen=True)
class AssignmentAnswers(AlignedColumns):
    """What the events say to each question.

    Attributes:
        state: the `AssignmentState`.
        owner: number into `AssignmentIndex.owners`; `NONE` where the state is not `ASSIGNED`.
        service: number into `AssignmentIndex.services`; `NONE` where none or several are named.
    """

    state: UInt8
    owner: Int32
    service: Int32

    @classmethod
    def unowned(cls, state: UInt8) -> Self:
        """Answers without an owner."""
        return cls(state, np.full(len(state), NONE), np.full(len(state), NONE))


@dataclass(frozen=True)
class _Keys:
    """The keys that have events: sorted (address, socket) as one number, and the place of each event's key."""

    keys: Int64
    group: Int64

    @classmethod
    def of(cls, address: Int32, socket: Ints) -> "_Keys":
        keys, group = np.unique(_key(address, socket), return_inverse=True)
        return cls(keys, group.astype(np.int64, copy=False))

    def find(self, address: Int32, socket: Int32) -> Int64:
        """Place of each key; `NONE` where it has no event. The address `NONE` is never known."""
        key = _key(address, socket)
        position = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where((self.keys[position] == key) & (address >= 0), position, NONE)


@dataclass(frozen=True)
class _Steps:
    """What holds from each moment with events until the key's next moment with events, ordered by (key, time).

    The first step of every key begins before all time, with nobody. Times are in µs.

    Attributes:
        first: position of each key's first step, and one past the last step of all.
        time: moment from which the step holds.
        holder: the owner; `NONE` for nobody, `SEVERAL` where two contest the key.
        held_until: last moment up to which the holder stays the same.
        service: the service that the assigns in force name first from this step on; `SEVERAL` where they name two.
        service_at: when that service is named; not after the step's own time if it is in force already.
        service_until: last moment up to which no other service is named.
    """

    first: Int64
    time: Int64
    holder: Int32
    held_until: Int64
    service: Int32
    service_at: Int64
    service_until: Int64


class AssignmentIndex:
    """Answers batches of questions about (address, socket) from a set of assignment events; immutable once made.

    A pure function of the *set*: neither the events' order nor how often each is repeated changes an answer.

    Built and asked in O(n log n) without a loop over rows. After an `assign`, the holder depends on nothing before it.
    So each event looks back only to the last moment with an `assign`.

    Attributes:
        places: the places that the events are about.
        owners: distinct owners.
        services: distinct services.
    """

    places: PlaceBook
    owners: pa.StringArray
    services: pa.StringArray

    def __init__(self, events: Records, settings: Settings = _DEFAULT) -> None:
        """Index `events`, canonical records of `schemas/assignment.avsc`, in any order."""
        address, addresses = encode(places_of(events))
        self.places = PlaceBook(addresses, settings)
        owner, self.owners = encode(events.column("owner"))
        service, self.services = encode(events.column("service"))
        assign = pc.equal(events.column("action").cast(pa.string()), "assign").to_numpy(zero_copy_only=False)
        self._keys = _Keys.of(address, held_sockets(events))
        time = microseconds(events.column("time"))
        self._steps = _steps(self._keys, time, assign.astype(np.bool_), owner, service)
        # The step after a key's first is its first event: every key has one.
        self._begun = self._steps.time[self._steps.first[:-1] + 1]
        # When each address was first given or taken, and when by socket. The last entry is for those without events.
        self._known_from, self._parted = (np.full(len(addresses) + 1, NEVER_AFTER) for _ in range(2))
        of_address, single = np.divmod(self._keys.keys + 1, SOCKETS + 1)
        np.minimum.at(self._known_from, of_address, self._begun)
        np.minimum.at(self._parted, of_address[single > 0], self._begun[single > 0])

    def ask(self, asked: AskedPlaces, socket: Int32, a: Int64, b: Int64) -> AssignmentAnswers:
        """Who the events say held each (address, socket) during all of [a, b].

        Args:
            asked: the addresses, and what is known of their networks.
            socket: as of `asked_sockets`.
            a: start of each asked interval, µs.
            b: end of each asked interval, µs.
        """
        if len(self._keys.keys) == 0:
            return AssignmentAnswers.unowned(np.full(len(socket), _NOBODY))
        chosen = self.places.choose(asked, lambda place, row: self._known_from[place] <= b[row])
        several = chosen.reason == CODES["several_networks"]
        closed = AssignmentAnswers.unowned(np.where(several, _SEVERAL_NETWORKS, _OTHER_NETWORK))
        return self.ask_places(chosen.place, socket, a, b).with_parts((chosen.closed, closed))

    def standing(self, asked: AskedPlaces, b: Int64) -> tuple[Int64, Int32]:
        """Every place of the address of each question that has an event up to b, as `PlaceBook.standing`."""
        return self.places.standing(asked, lambda place, row: self._known_from[place] <= b[row])

    def ask_places(self, place: Int32, socket: Int32, a: Int64, b: Int64) -> AssignmentAnswers:
        """As `ask`, of places of `places`; nobody held `NONE`."""
        group = self._group(place, socket, b)
        unclear = (socket == ANY_SOCKET) & (self._parted[place] <= b)
        answers = AssignmentAnswers.unowned(np.where(unclear, _CHANGED, _NOBODY))
        rows = np.flatnonzero((group >= 0) & ~unclear)
        return answers.with_parts((rows, self._ask_keys(group[rows], a[rows], b[rows])))

    def _ask_keys(self, group: Int64, a: Int64, b: Int64) -> AssignmentAnswers:
        """Who held each key during all of [a, b]."""
        steps = self._steps
        first = steps.first[group]
        at = last_at_or_before(steps.time, first, steps.first[group + 1] - first, a)
        holder, constant = steps.holder[at], steps.held_until[at] >= b
        assigned = constant & (holder >= 0)
        named = assigned & (steps.service[at] >= 0) & (steps.service_at[at] <= b) & (steps.service_until[at] >= b)
        return AssignmentAnswers(
            state=np.where(assigned, _ASSIGNED, np.where(constant & (holder == NONE), _NOBODY, _CHANGED)),
            owner=np.where(assigned, holder, NONE),
            service=np.where(named, steps.service[at], NONE),
        )

    def _group(self, address: Int32, socket: Int32, b: Int64) -> Int64:
        """The key of the socket if it has an event by `b`, else the key of the whole address."""
        whole = self._keys.find(address, np.full(len(socket), ANY_SOCKET, np.int32))
        own = self._keys.find(address, socket)
        begun = (own >= 0) & (self._begun[own] <= b)
        return np.where(begun, own, whole)


def _key(address: Int32, socket: Ints) -> Int64:
    return address.astype(np.int64) * (SOCKETS + 1) + socket


def _steps(keys: _Keys, time: Int64, assign: Bool, owner: Int32, service: Int32) -> _Steps:
    """The state machine of every key at once."""
    groups = len(keys.keys)
    # One more row for each key, before all time: it neither assigns nor releases anybody.
    group = np.concatenate([np.arange(groups), keys.group])
    time = np.concatenate([np.full(groups, NEVER_BEFORE), time])
    order = np.lexsort((time, group))
    group, time = group[order], time[order]
    assign = np.concatenate([np.zeros(groups, np.bool_), assign])[order]
    owner = np.concatenate([np.full(groups, NONE), owner])[order]
    service = np.concatenate([np.full(groups, NONE), service])[order]

    begins = starts_of_runs(group, time) if len(group) else np.zeros(0, np.bool_)
    of_step, begin = np.cumsum(begins) - 1, np.flatnonzero(begins)
    group, time = group[begin], time[begin]
    first = np.flatnonzero(starts_of_runs(group)) if len(group) else begin

    given = _only_value(owner, assign, begin)
    position = np.arange(len(begin))
    # The last step, up to each step, in which somebody was assigned. A key's first step stands for nobody.
    decides = given != NONE
    decides[first] = True
    decided = np.maximum.accumulate(np.where(decides, position, 0)) if len(position) else position
    # A release counts if it names the owner who was assigned last. At equal times the assign comes after it.
    frees = np.zeros(len(begin), np.bool_)
    frees[of_step[~assign & (owner >= 0) & (owner == given[decided][of_step])]] = True
    freed = np.maximum.accumulate(np.where(frees, position, -1)) if len(position) else position
    holder = np.where(freed > decided, NONE, given[decided])

    named = _only_value(service, assign & (service >= 0), begin)[decided]
    return _Steps(
        np.append(first, len(time)), time, holder, _until(group, time, holder), *_services(group, time, named)
    )


def _only_value(value: Int32, counts: Bool, begin: Int64) -> Int32:
    """For each step the value of its rows that count; `NONE` where no row does, `SEVERAL` where they differ."""
    if len(begin) == 0:
        return np.zeros(0, np.int32)
    largest = np.maximum.reduceat(np.where(counts, value, NONE), begin)
    smallest = np.minimum.reduceat(np.where(counts, value, np.int32(np.iinfo(np.int32).max)), begin)
    return np.where((largest >= 0) & (largest != smallest), SEVERAL, largest)


def _until(group: Int64, time: Int64, value: Int32) -> Int64:
    """Last moment up to which the value of each step stays the same on its key."""
    if len(group) == 0:
        return time
    change = starts_of_runs(group, value)
    following = next_start(change, len(group))
    same_key = np.append(group, -1)[following] == group
    return np.where(same_key, np.append(time, NEVER_AFTER)[following], NEVER_AFTER) - 1


def _services(group: Int64, time: Int64, named: Int32) -> tuple[Int32, Int64, Int64]:
    """For each step the first service named from it on, when, and up to when it stays the only service named."""
    names = np.flatnonzero(named != NONE)
    until = _until(group[names], time[names], named[names])
    ahead = np.searchsorted(names, np.arange(len(group)))
    there = np.append(group[names], -1)[ahead] == group
    return (
        np.where(there, np.append(named[names], NONE)[ahead], NONE),
        np.where(there, np.append(time[names], NEVER_AFTER)[ahead], NEVER_AFTER),
        np.where(there, np.append(until, NEVER_AFTER)[ahead], NEVER_AFTER),
    )
