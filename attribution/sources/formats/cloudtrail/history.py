"""Who was given which address, put together from control plane events that come in any order.

Most events name only half of what an assignment event needs: a deletion names the interface but not its addresses, an
association names an allocation but not the public address. The other half stands in another event, often in another
file. What is known is therefore kept over a run, and an event that lacks its other half waits for it. The assignment
events that come out are the same in whatever order the events went in.

One address may be given out in several networks (VPCs) at once, and flows do not say which network they were in. At
such an address nobody may be named. It is marked at each moment of its history by assigning it to all of its networks
at once, which the rules of attribution take as contested.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

#: Kind of the owners that mark an address of several networks.
NETWORK = "network"


class Origin(NamedTuple):
    """Where an event stands."""

    source: str
    line: int


class Assignment(NamedTuple):
    """One assignment event, with the field names of `schemas/assignment.avsc`, and where it comes from."""

    address: str
    owner: str
    service: str | None
    kind: str | None
    action: Literal["assign", "release"]
    time: int
    origin: Origin


@dataclass(frozen=True)
class Owner:
    """What holds addresses.

    Attributes:
        name: unique; what assignments call it.
        kind: what it is.
        service: what a person calls it.
        network: where its private addresses mean something.
    """

    name: str
    kind: str
    service: str | None = None
    network: str | None = None


@dataclass
class _Given:
    """What an owner was given, and when it ended."""

    owner: Owner
    since: dict[str, int] = field(default_factory=dict)


@dataclass
class _Address:
    """The networks in which an address was given out, and the moments at which its holder may have changed."""

    networks: set[str] = field(default_factory=set)
    moments: dict[int, Origin] = field(default_factory=dict)
    marked: int = 0


class History:
    """Turns gifts and ends into assignment events; a function of the set of them, apart from the order of its output.

    Every method returns the assignment events that follow from the new fact and all before it.
    """

    def __init__(self) -> None:
        self._given: dict[str, _Given] = {}
        self._ended: defaultdict[str, list[tuple[int, Origin]]] = defaultdict(list)
        self._addresses: defaultdict[str, _Address] = defaultdict(_Address)

    def give(self, address: str, owner: Owner, time: int, origin: Origin, *, public: bool = False) -> list[Assignment]:
        """The owner holds the address from `time` on, microseconds. A public address means the same in all networks."""
        given = self._given.setdefault(owner.name, _Given(owner))
        given.since[address] = min(time, given.since.get(address, time))
        events = [Assignment(address, owner.name, owner.service, owner.kind, "assign", time, origin)]
        for end, ended_at in self._ended[owner.name]:
            if end >= time:
                events.append(_release(address, given.owner, end, ended_at))
        if not public and owner.network is not None:
            self._addresses[address].networks.add(owner.network)
        return events + self._contested(address, events)

    def take(self, address: str, owner: Owner, time: int, origin: Origin) -> list[Assignment]:
        """The owner no longer holds the address."""
        events = [_release(address, owner, time, origin)]
        return events + self._contested(address, events)

    def end(self, owner: str, time: int, origin: Origin) -> list[Assignment]:
        """The owner is gone, and holds none of its addresses any more."""
        self._ended[owner].append((time, origin))
        if owner not in self._given:
            return []
        given, events = self._given[owner], []
        for address, since in given.since.items():
            if since <= time:
                release = _release(address, given.owner, time, origin)
                events += [release, *self._contested(address, [release])]
        return events

    def _contested(self, address: str, events: list[Assignment]) -> list[Assignment]:
        """Marks for these events at an address of several networks; for all moments when it came to be one."""
        known = self._addresses[address]
        new = {event.time: event.origin for event in events if event.time not in known.moments}
        known.moments |= new
        count = len(known.networks)
        if count < 2:
            return []
        moments, known.marked = (new if known.marked == count else known.moments), count
        return [
            Assignment(address, network, None, NETWORK, "assign", time, origin)
            for time, origin in sorted(moments.items())
            for network in sorted(known.networks)
        ]


def _release(address: str, owner: Owner, time: int, origin: Origin) -> Assignment:
    return Assignment(address, owner.name, owner.service, owner.kind, "release", time, origin)
