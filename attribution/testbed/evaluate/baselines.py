"""Event-based attribution as it is commonly done: the last event about an address names its owner.

There are two variants:

- `latest`: events are applied in the order of their delivery. A flow gets the owner at the time of its report.
- `held_back`: a flow waits some minutes more. Then all events that were delivered are applied in the order in which
  they happened.

In both, a release takes an address only from the owner that it names.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import MINUTE, SECOND
from attribution.core.addressing.sockets import SOCKETS, held_sockets
from attribution.core.columnar.types import Bool, Column, Int32, Int64, Texts

#: Key numbers of one address: the whole of it, and every socket.
_ADDRESS = SOCKETS + 1
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Ordered:
    """Events sorted by key and one of their times, with what a look-up needs about each position.

    Attributes:
        row: the event at each position.
        group: number of the key at each position.
        group_start: first position of each key.
        when: key number and time in one integer, ascending.
        origin: what the time in `when` counts from.
        span: times of one key in `when` are below this.
        assign: position of the last assign of the key at or before each position; -1 if there is none.
        released: position of the next release of the owner on the key, itself included; `_NEVER` if there is none.
        again: position of the next such release after `released`.
    """

    row: Int64
    group: Int64
    group_start: Int64
    when: Int64
    origin: int
    span: int
    assign: Int64
    released: Int64
    again: Int64

    def last(self, groups: Int64, times: Int64) -> Int64:
        """Last position of each key at or before each time; -1 if there is none, or if the key is -1."""
        asked = groups * self.span + np.clip(times - self.origin + 1, 0, self.span - 1)
        found = np.searchsorted(self.when, asked, side="right") - 1
        return np.where((groups >= 0) & (found >= self.group_start[np.maximum(groups, 0)]), found, -1)


def _ordered(key: Int64, owner: Int64, release: Bool, time: Int64, tie: Int64) -> _Ordered:
    row = np.lexsort((tie, time, key))
    key, owner, release, time = key[row], owner[row], release[row], time[row]
    position = np.arange(len(row))
    fresh = np.r_[True, key[1:] != key[:-1]][: len(row)]
    group = np.cumsum(fresh) - 1
    group_start = np.flatnonzero(fresh)
    origin = int(time.min(initial=0))
    span = int(time.max(initial=0)) - origin + 3
    last_assign = np.maximum.accumulate(np.where(release, -1, position))
    last_assign = np.where(last_assign >= group_start[group], last_assign, -1)
    released, again = _next_releases(group, owner, release)
    return _Ordered(
        row=row,
        group=group,
        group_start=group_start,
        when=group * span + (time - origin + 1),
        origin=origin,
        span=span,
        assign=last_assign,
        released=released,
        again=again,
    )


def _next_releases(group: Int64, owner: Int64, release: Bool) -> tuple[Int64, Int64]:
    """Position of the next release by the same owner in the same group from each position on, and after it."""
    order = np.lexsort((np.arange(len(group)), owner, group))
    g, o, r = group[order], owner[order], release[order]
    nth = np.arange(len(order))
    following = np.minimum.accumulate(np.where(r, nth, _NEVER)[::-1])[::-1]
    positions = []
    for found in (following, np.r_[following[1:], _NEVER][: len(order)]):
        at = np.minimum(found, len(order) - 1)
        same = (found != _NEVER) & (g[at] == g) & (o[at] == o)
        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.where(same, order[at], _NEVER)
        positions.append(position)
    return positions[0], positions[1]


class EventLog:
    """Events of a control plane, ready to be asked about millions of flows.

    Args:
        events: a table of `schemas/assignment.avsc` plus `received`, the time of delivery; in the order of delivery.
            Their networks are not looked at: to such a system an address is one place.
    """

    def __init__(self, events: pa.Table) -> None:
        self.events = events
        self._addresses = pc.unique(events.column("address").cast(pa.string()).combine_chunks())
        address = _ints(pc.index_in(events.column("address").cast(pa.string()), value_set=self._addresses))
        key = _number(address, held_sockets(events))
        self.owner = events.column("owner").combine_chunks()
        self.service = events.column("service").combine_chunks()
        owner = _ints(pc.dictionary_encode(self.owner).indices)
        release = pc.equal(events.column("action"), "release").combine_chunks().to_numpy(zero_copy_only=False)
        time, self._received = (
            _ints(events.column("time").cast(pa.int64())),
            _ints(events.column("received").cast(pa.int64())),
        )
        rows = np.arange(len(key))
        self._by_receipt = _ordered(key, owner, release, self._received, rows)
        # What happened at one time: releases first.
        self._by_time = _ordered(key, owner, release, time, np.where(release, 0, 1))
        # Both orders number the keys alike: ascending.
        self._known = key[self._by_receipt.row][self._by_receipt.group_start]
        # One more than there are addresses: the last stands for those that no event is about.
        self._whole = np.full(len(self._addresses) + 1, -1, dtype=np.int64)
        self._is_shared = np.zeros(len(self._addresses) + 1, dtype=np.bool_)
        whole = self._known % _ADDRESS == 0
        self._whole[self._known[whole] // _ADDRESS] = np.flatnonzero(whole)
        self._is_shared[self._known[~whole] // _ADDRESS] = True

    def keys(self, addresses: Texts, sockets: Int32) -> Int64:
        """The key of this log that decides about each address and socket: a number for `latest` and `held_back`.

        If there are events about the socket, it is the key of the socket, and otherwise of the address. It is -1 if
        there are events of neither.

        Args:
            addresses: canonical text.
            sockets: as of `attribution.core.addressing.sockets.asked_sockets`.
        """
        address = _ints(pc.index_in(addresses.cast(pa.string()), value_set=self._addresses).fill_null(-1))
        found = self._whole[address]
        shared = np.flatnonzero(self._is_shared[address])
        if len(shared):
            exact = _number(address[shared], sockets[shared])
            at = np.minimum(np.searchsorted(self._known, exact), len(self._known) - 1)
            found[shared] = np.where(self._known[at] == exact, at, found[shared])
        return found

    def latest(self, keys: Int64, judged: Int64) -> Int64:
        """The event that names each owner by what was delivered until `judged` (µs), in that order; -1 for nobody."""
        ordered = self._by_receipt
        if not len(ordered.row):
            return np.full(len(judged), -1, dtype=np.int64)
        now = ordered.last(keys, judged)
        return self._answer(ordered, now, np.where(now >= 0, ordered.assign[now], -1), np.full(len(now), _NEVER))

    def held_back(self, keys: Int64, start: Int64, judged: Int64) -> Int64:
        """The event that names each owner at `start` by what was delivered until `judged` (µs); -1 for nobody."""
        ordered = self._by_time
        if not len(ordered.row):
            return np.full(len(judged), -1, dtype=np.int64)
        received = self._received[ordered.row]
        now = ordered.last(keys, start)
        assign = np.where(now >= 0, ordered.assign[now], -1)
        unseen = np.flatnonzero((assign >= 0) & (received[assign] > judged))
        while len(unseen):
            before = assign[unseen] - 1
            same = (before >= 0) & (ordered.group[before] == ordered.group[assign[unseen]])
            assign[unseen] = np.where(same, ordered.assign[before], -1)
            unseen = unseen[assign[unseen] >= 0]
            unseen = unseen[received[assign[unseen]] > judged[unseen]]
        return self._answer(ordered, now, assign, judged)

    def _answer(self, ordered: _Ordered, now: Int64, assign: Int64, judged: Int64) -> Int64:
        """The assign of each flow as a row of the events, unless its owner's release is known and came before `now`."""
        received = self._received[ordered.row]
        released = np.where(assign >= 0, ordered.released[assign], _NEVER)
        unseen = np.flatnonzero(released <= now)
        while len(unseen := unseen[received[released[unseen]] > judged[unseen]]):
            released[unseen] = ordered.again[released[unseen]]
            unseen = unseen[released[unseen] <= now[unseen]]
        return np.where((assign >= 0) & (released > now), ordered.row[assign], -1)


@dataclass(frozen=True)
class Baseline:
    """One variant of event-based attribution.

    Attributes:
        name: as tables show it.
        wait: time between a flow's end and its judgement, microseconds.
        by_time: whether events are put in the order in which they happened (`held_back`) or stay as delivered.
    """

    name: str
    wait: int
    by_time: bool

    def attribute(self, log: EventLog, keys: Int64, start: Int64, end: Int64) -> tuple[Texts, Texts]:
        """Owner and service of each key (`EventLog.keys`) at the flows' start; null if there is none."""
        judged = end + self.wait
        rows = log.held_back(keys, start, judged) if self.by_time else log.latest(keys, judged)
        chosen = pa.array(rows, mask=rows < 0)
        return log.owner.take(chosen), log.service.take(chosen)


def baselines(*, report_delay: int = 30 * SECOND, hold_back: int = 10 * MINUTE) -> tuple[Baseline, Baseline]:
    """The two variants, with these delays in microseconds."""
    return Baseline("latest event", report_delay, by_time=False), Baseline("held-back events", hold_back, by_time=True)


def _number(address: Int64, socket: Int64 | Int32) -> Int64:
    """One number for each (address, socket); the whole address, socket -1, is a multiple of `_ADDRESS`."""
    return address * _ADDRESS + socket + 1


def _ints(column: Column) -> Int64:
    return np.asarray(column).astype(np.int64)
