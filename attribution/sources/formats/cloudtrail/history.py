"""Who was given which address, put together from control plane events that come in any order.

Most events name only half of what an assignment event needs: a deletion names the interface but not its addresses, an
association names an allocation but not the public address. The other half stands in another event, often in another
file. What is known is therefore kept over a run, and an event that lacks its other half waits for it. The assignment
events that come out are the same in whatever order the events went in.

One address may be given out in several networks (VPCs) at once, so an event of a private address carries its network. A
public address means the same in all networks, and its events carry none.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class Origin(NamedTuple):
    """Where an event stands."""

    source: str
    line: int


class Assignment(NamedTuple):
    """One assignment event, with the field names of `schemas/assignment.avsc`, and where it comes from."""

    network: str | None
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


class Held(NamedTuple):
    """An address in its network; a public one, and one of a network that is not known, in none."""

    network: str | None
    address: str


@dataclass
class _Given:
    """What an owner was given, and since when at the earliest."""

    owner: Owner
    since: dict[Held, int] = field(default_factory=dict)


class History:
    """Turns gifts and ends into assignment events; a function of the set of them, apart from the order of its output.

    Every method returns the assignment events that follow from the new fact and all before it.
    """

    def __init__(self) -> None:
        self._given: dict[str, _Given] = {}
        self._ended: defaultdict[str, list[tuple[int, Origin]]] = defaultdict(list)

    def give(self, held: Held, owner: Owner, time: int, origin: Origin) -> list[Assignment]:
        """The owner holds the address from `time` on, microseconds."""
        given = self._given.setdefault(owner.name, _Given(owner))
        given.since[held] = min(time, given.since.get(held, time))
        events = [Assignment(*held, owner.name, owner.service, owner.kind, "assign", time, origin)]
        return events + [
            _release(held, given.owner, end, ended_at) for end, ended_at in self._ended[owner.name] if end >= time
        ]

    def take(self, held: Held, owner: Owner, time: int, origin: Origin) -> list[Assignment]:
        """The owner no longer holds the address."""
        return [_release(held, owner, time, origin)]

    def end(self, owner: str, time: int, origin: Origin) -> list[Assignment]:
        """The owner is gone, and holds none of its addresses any more."""
        self._ended[owner].append((time, origin))
        if owner not in self._given:
            return []
        given = self._given[owner]
        return [_release(held, given.owner, time, origin) for held, since in given.since.items() if since <= time]


def _release(held: Held, owner: Owner, time: int, origin: Origin) -> Assignment:
    return Assignment(*held, owner.name, owner.service, owner.kind, "release", time, origin)
