"""Assignment events as of a time: who a control plane says an address was given to.

Only endpoints outside the workload space are asked here ("Endpoints that are no workload" in `docs/design.md`): such
events may be late or lost, and what they say is believed only where they say one thing for all of the asked interval.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.addresses import AddressBook
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, held_sockets
from attribution.core.columnar.arrays import (
    NEVER_AFTER,
    NEVER_BEFORE,
    encode,
    last_at_or_before,
    microseconds,
    next_start,
    starts_of_runs,
)
from attribution.core.columnar.types import Bool, Int32, Int64, Ints, UInt8

#: What the events say of an interval: nobody during all of it, one owner during all of it, anything else.
NOBODY, ASSIGNED, CHANGED = 0, 1, 2

_NONE, _SEVERAL = -1, -2


@dataclass(frozen=True)
class Assigned:
    """What the events say to each question.

    Attributes:
        state: `NOBODY`, `ASSIGNED` or `CHANGED`.
        owner: number into `AssignmentIndex.owners`; -1 where the state is not `ASSIGNED`.
        service: number into `AssignmentIndex.services`; -1 where none or several are named.
    """

    state: UInt8
    owner: Int32
    service: Int32


@dataclass(frozen=True)
class _Keys:
    """The keys that have events: sorted (address, socket) as one number, and the events' positions among them."""

    keys: Int64
    group: Int64

    @classmethod
    def of(cls, address: Int32, socket: Ints) -> "_Keys":
        keys, group = np.unique(_key(address, socket), return_inverse=True)
        return cls(keys, group.astype(np.int64, copy=False))

    def find(self, address: Int32, socket: Int32) -> Int64:
        """Group of each key; -1 where it has no event. The address -1 is never known."""
        key = _key(address, socket)
        position = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where((self.keys[position] == key) & (address >= 0), position, -1)


@dataclass(frozen=True)
class _Steps:
    """What holds from each moment with events until the key's next one, ordered by (key, time).

    The first step of every key begins before all time, with nobody.

    Attributes:
        first: position of each key's first step, and one past the last of all.
        time: moment from which the step holds.
        holder: the owner; -1 nobody, -2 contested.
        held_until: last moment up to which the holder stays the same.
        service: the one service that the assigns in force from this step on name first; -1 none, -2 several at once.
        service_at: when that one is named, at or before the step's own time where it is in force already.
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

    A pure function of the *set*: neither the events' order nor how often each is repeated changes an answer. Built and
    asked in O(n log n) without a loop over rows: after an `assign`, the holder depends on nothing before it, so each
    event needs to look back only to the last moment with an `assign`.

    Attributes:
        owners: distinct owners, Arrow text.
        services: distinct services, Arrow text.
    """

    owners: Any
    services: Any

    def __init__(self, events: Any) -> None:
        """Digest `events`, a canonical Arrow batch or table of `schemas/assignment.avsc`, in any order."""
        address, addresses = encode(events.column("address"))
        self._addresses = AddressBook(addresses)
        owner, self.owners = encode(events.column("owner"))
        service, self.services = encode(events.column("service"))
        assign = pc.equal(events.column("action").cast(pa.string()), "assign").to_numpy(zero_copy_only=False)
        self._keys = _Keys.of(address, held_sockets(events))
        time = microseconds(events.column("time"))
        self._steps = _steps(self._keys, time, assign.astype(np.bool_), owner, service)
        # The step after a key's first is its first event: every key has one.
        self._begun = self._steps.time[self._steps.first[:-1] + 1]
        # When each address was first given or taken by socket; one entry more, for addresses without events.
        self._parted = np.full(len(addresses) + 1, NEVER_AFTER)
        of_address, single = np.divmod(self._keys.keys + 1, SOCKETS + 1)
        np.minimum.at(self._parted, of_address[single > 0], self._begun[single > 0])

    def ask(self, address: Any, socket: Int32, a: Int64, b: Int64) -> Assigned:
        """Who the events say held each (address, socket) during all of [a, b].

        Args:
            address: Arrow text column, dictionary-encoded or not.
            socket: as of `asked_sockets`.
            a: start of each asked interval, microseconds.
            b: its end.
        """
        size = len(socket)
        state, owner, service = np.zeros(size, np.uint8), np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        if len(self._keys.keys) == 0:
            return Assigned(state, owner, service)
        known = self._addresses.find(address)
        group = self._group(known, socket, b)
        unclear = (socket == ANY_SOCKET) & (self._parted[known] <= b)
        state[unclear], group[unclear] = CHANGED, -1
        rows = np.flatnonzero(group >= 0)
        steps, b = self._steps, b[rows]
        first = steps.first[group[rows]]
        at = last_at_or_before(steps.time, first, steps.first[group[rows] + 1] - first, a[rows])
        holder, constant = steps.holder[at], steps.held_until[at] >= b
        assigned = constant & (holder >= 0)
        named = assigned & (steps.service[at] >= 0) & (steps.service_at[at] <= b) & (steps.service_until[at] >= b)
        state[rows] = np.where(assigned, ASSIGNED, np.where(constant & (holder == _NONE), NOBODY, CHANGED))
        owner[rows] = np.where(assigned, holder, -1)
        service[rows] = np.where(named, steps.service[at], -1)
        return Assigned(state, owner, service)

    def _group(self, address: Int32, socket: Int32, b: Int64) -> Int64:
        """The key of the socket where it has an event by `b`, else that of the whole address."""
        whole = self._keys.find(address, np.full(len(socket), ANY_SOCKET, np.int32))
        own = self._keys.find(address, socket)
        begun = (own >= 0) & (self._begun[own] <= b)
        return np.where(begun, own, whole)


def _key(address: Int32, socket: Ints) -> Int64:
    return address.astype(np.int64) * (SOCKETS + 1) + socket


def _steps(keys: _Keys, time: Int64, assign: Bool, owner: Int32, service: Int32) -> _Steps:
    """The state machine of every key at once."""
    groups = len(keys.keys)
    # One row more per key, before all time: it neither assigns nor releases anybody.
    group = np.concatenate([np.arange(groups), keys.group])
    time = np.concatenate([np.full(groups, NEVER_BEFORE), time])
    order = np.lexsort((time, group))
    group, time = group[order], time[order]
    assign = np.concatenate([np.zeros(groups, np.bool_), assign])[order]
    owner = np.concatenate([np.full(groups, _NONE, np.int32), owner])[order]
    service = np.concatenate([np.full(groups, _NONE, np.int32), service])[order]

    begins = starts_of_runs(group, time) if len(group) else np.zeros(0, np.bool_)
    of_step, begin = np.cumsum(begins) - 1, np.flatnonzero(begins)
    group, time = group[begin], time[begin]
    first = np.flatnonzero(starts_of_runs(group)) if len(group) else begin

    given = _the_one(owner, assign, begin)
    position = np.arange(len(begin))
    # The last step up to each one in which somebody was assigned; a key's first step stands for nobody.
    decides = given != _NONE
    decides[first] = True
    decided = np.maximum.accumulate(np.where(decides, position, 0)) if len(position) else position
    # A release counts where it names the one who was assigned last. At equal times the assign comes after it.
    frees = np.zeros(len(begin), np.bool_)
    frees[of_step[~assign & (owner >= 0) & (owner == given[decided][of_step])]] = True
    freed = np.maximum.accumulate(np.where(frees, position, -1)) if len(position) else position
    holder = np.where(freed > decided, np.int32(_NONE), given[decided])

    named = _the_one(service, assign & (service >= 0), begin)[decided]
    return _Steps(
        np.append(first, len(time)), time, holder, _until(group, time, holder), *_services(group, time, named)
    )


def _the_one(value: Int32, counts: Bool, begin: Int64) -> Int32:
    """For each step the one value of its rows that count; -1 where none does, -2 where they differ."""
    if len(begin) == 0:
        return np.zeros(0, np.int32)
    largest = np.maximum.reduceat(np.where(counts, value, np.int32(_NONE)), begin)
    smallest = np.minimum.reduceat(np.where(counts, value, np.int32(np.iinfo(np.int32).max)), begin)
    return np.where((largest >= 0) & (largest != smallest), np.int32(_SEVERAL), largest)


def _until(group: Int64, time: Int64, value: Int32) -> Int64:
    """Last moment up to which the value of each step stays the same on its key."""
    if len(group) == 0:
        return time
    change = starts_of_runs(group, value)
    following = next_start(change, len(group))
    same_key = np.append(group, -1)[following] == group
    return np.where(same_key, np.append(time, NEVER_AFTER)[following], NEVER_AFTER) - 1


def _services(group: Int64, time: Int64, named: Int32) -> tuple[Int32, Int64, Int64]:
    """For each step the first service named from it on, when, and up to when it stays the only one named."""
    names = np.flatnonzero(named != _NONE)
    until = _until(group[names], time[names], named[names])
    ahead = np.searchsorted(names, np.arange(len(group)))
    there = np.append(group[names], -1)[ahead] == group
    return (
        np.where(there, np.append(named[names], np.int32(_NONE))[ahead], np.int32(_NONE)),
        np.where(there, np.append(time[names], NEVER_AFTER)[ahead], NEVER_AFTER),
        np.where(there, np.append(until, NEVER_AFTER)[ahead], NEVER_AFTER),
    )
