"""Which name an attack is after: put the names that may be meant on k addresses, see where the attack goes, repeat.

This is the search of Fayed et al., "The Ties that un-Bind" (SIGCOMM 2021), for names that can be served from any
address. Each step divides the names that may be meant by k, so that n names take log_k n steps. Nothing here knows
clocks, files or lakes: names are numbers, and what the addresses carried is given.

What keeps a wrong name out:

- No address that carried the attack serves a suspect in the next step. An attack on the address, not on a name, stays
  where it is, and is seen there: it follows no name.
- All traffic that is not the attack together is no more than a known *background*. So an address that carries more has
  a part of the attack, whatever the popularity of its names. If all others together carry no more, none of them needs
  to have a part of it. Anything between the two is no answer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

#: Numbers of names, as disjoint ranges [first, end) in order: twenty million names are one pair.
Names = tuple[tuple[int, int], ...]
Outcome = Literal["searching", "found", "address", "gone", "unclear"]

#: What each outcome means, for a person.
OUTCOMES: dict[Outcome, str] = {
    "searching": "The attack follows a name; there is more than one left that it may be.",
    "found": "The attack followed the name in every step, and no other name was where it went.",
    "address": "The attack stayed where no suspect was any more: it is after the address, not after a name.",
    "gone": "No address carries more than the background: the attack has stopped, or goes elsewhere.",
    "unclear": "What the addresses carried does not leave one answer, so none is given.",
}


@dataclass(frozen=True)
class Part:
    """The names that one address serves in a step."""

    address: str
    names: Names


@dataclass(frozen=True)
class Step:
    """Who serves what.

    Attributes:
        parts: suspects by address; each is in exactly one.
        watched: addresses that serve no suspect, those that carried the attack before among them.
    """

    parts: tuple[Part, ...]
    watched: tuple[str, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses to look at."""
        return (*(part.address for part in self.parts), *self.watched)


@dataclass(frozen=True)
class Reading:
    """What the addresses carried in a step says: those that carry the attack, or why nobody can tell."""

    hit: frozenset[str]
    doubt: str = ""


def read(loads: Mapping[str, float], *, background: float, slack: float = 0.0) -> Reading:
    """Which addresses carry the attack.

    Args:
        loads: what each address carried, in any one measure.
        background: the most that all traffic but the attack makes on these addresses together.
        slack: how much more or less the two may be by chance.
    """
    hit = frozenset(address for address, load in loads.items() if load > background + slack)
    left = sum(load for address, load in loads.items() if address not in hit)
    if left > background + slack:
        carried = "the other addresses" if hit else "the addresses"
        found = (
            f"{carried} together carry {left:.4g}, more than the background of {background:.4g}, but none of them does"
        )
        return Reading(hit, found)
    return Reading(hit)


def predicted_steps(names: int, fan_out: int) -> int:
    """How many steps `names` take at most, where one name is meant: log_k n, rounded up.

    Raises:
        ValueError: there is no name, or `fan_out` is below 2.
    """
    if names < 1 or fan_out < 2:
        raise ValueError(f"cannot divide {names} names among {fan_out} addresses")
    steps, reached = 0, 1
    while reached < names:
        reached *= fan_out
        steps += 1
    return steps


def predicted_time(steps: int, *, ttl_before: float, step: float) -> float:
    """How long that many steps take: TTL + t log_k n.

    Args:
        steps: their number.
        ttl_before: how long the answers that were given before the first step may be used.
        step: t, what one step takes: the TTL of its answers, and the time that one looks at the addresses.
    """
    return ttl_before + steps * step


def count(names: Names) -> int:
    """How many names there are."""
    return sum(end - first for first, end in names)


def divide(names: Names, parts: int) -> list[Names]:
    """The names in so many parts of nearly equal size, none of them empty, each in order.

    Raises:
        ValueError: there are fewer names than parts, or no part is asked for.
    """
    total = count(names)
    if not 1 <= parts <= total:
        raise ValueError(f"cannot make {parts} parts of {total} names")
    sizes = [total // parts + (number < total % parts) for number in range(parts)]
    found: list[Names] = []
    left = list(reversed(names))
    for size in sizes:
        taken, wanted = [], size
        while wanted:
            first, end = left.pop()
            cut = min(end, first + wanted)
            taken.append((first, cut))
            wanted -= cut - first
            if cut < end:
                left.append((cut, end))
        found.append(tuple(taken))
    return found


@dataclass(frozen=True)
class Search:
    """Where a search stands.

    Attributes:
        suspects: the names that the attack may be after.
        addresses: all that the search may use.
        busy: those that carried the attack when last looked at.
        stayed: those where some of the attack stayed though it followed a name as well.
        steps: how many were read.
        outcome: one of `OUTCOMES`.
        doubt: why it is `unclear`.
    """

    suspects: Names
    addresses: tuple[str, ...]
    busy: frozenset[str]
    stayed: frozenset[str] = field(default=frozenset())
    steps: int = 0
    outcome: Outcome = "searching"
    doubt: str = ""

    @classmethod
    def of(cls, names: int, addresses: Sequence[str], *, attacked: Iterable[str]) -> "Search":
        """A search among the names 0 to `names` - 1 for the one that makes the attack come to `attacked`.

        Raises:
            ValueError: fewer than two names, or fewer than two addresses that are not attacked.
        """
        busy = frozenset(attacked)
        usable = [address for address in dict.fromkeys(addresses) if address not in busy]
        if names < 2:
            raise ValueError(f"found {names} names: a search needs two or more")
        if not busy or len(usable) < 2:
            raise ValueError(
                f"found {len(busy)} attacked addresses and {len(usable)} others: a search needs at least one under "
                "attack and two that are not"
            )
        return cls(((0, names),), (*usable, *sorted(busy)), busy)

    @property
    def fan_out(self) -> int:
        """How many addresses can serve suspects in the next step: k."""
        return sum(address not in self.busy for address in self.addresses)

    def step(self) -> Step:
        """What to do next: the suspects divided among the addresses that did not carry the attack.

        Raises:
            ValueError: the search is over.
        """
        if self.outcome != "searching":
            raise ValueError(f"the search is over: {self.outcome}")
        usable = [address for address in self.addresses if address not in self.busy]
        parts = divide(self.suspects, min(len(usable), count(self.suspects)))
        made = tuple(Part(address, names) for address, names in zip(usable, parts, strict=False))
        serving = {part.address for part in made}
        return Step(made, tuple(address for address in self.addresses if address not in serving))

    def after(self, step: Step, reading: Reading) -> "Search":
        """Where the search stands once a step was read; the step may be another than `step()`.

        A name that the step did not place, or that was a suspect no more, is none afterwards either.
        """
        if self.outcome != "searching":
            return self
        hit = [part for part in step.parts if part.address in reading.hit]
        stayed = frozenset(step.watched) & reading.hit
        seen = replace(self, steps=self.steps + 1, stayed=stayed)
        if not (hit or reading.doubt):
            return replace(seen, outcome="address" if stayed else "gone")
        left = _common(self.suspects, sorted(one for part in hit for one in part.names))
        if doubt := reading.doubt or self._doubt(step, reading, left):
            return replace(seen, outcome="unclear", doubt=doubt)
        found = all(count(_common(left, part.names)) <= 1 for part in hit)
        seen = replace(seen, suspects=left, busy=reading.hit, outcome="found" if found else "searching")
        if not found and seen.fan_out < 2:
            doubt = "too few addresses are left that did not carry it; give more"
            return replace(seen, outcome="unclear", doubt=doubt)
        return seen

    def _doubt(self, step: Step, reading: Reading, left: Names) -> str:
        """Why the names that are left cannot be what the attack is after; empty where they can."""
        if not left:
            return "it went to names that an earlier step had ruled out"
        if reading.hit.issuperset(part.address for part in step.parts) and not self._told_apart(step, reading):
            return "every address carries it, so it follows no one name"
        return ""

    def _told_apart(self, step: Step, reading: Reading) -> bool:
        """Whether what goes to every suspect goes to them only: an idle address that is as new as theirs has none."""
        idle = [address for address in step.watched if address not in self.busy]
        return not reading.hit.issuperset(idle) and all(count(part.names) == 1 for part in step.parts)


def search(
    start: Search, observe: Callable[[Step], Mapping[str, float]], *, background: float, slack: float = 0.0
) -> Iterator[tuple[Step, Search]]:
    """Each step and where the search stands after it, until it is over.

    Args:
        start: where it begins.
        observe: does what a step says and gives what its addresses then carried, answers of before having expired.
        background: as for `read`.
        slack: as for `read`.
    """
    while start.outcome == "searching":
        step = start.step()
        start = start.after(step, read(observe(step), background=background, slack=slack))
        yield step, start


def _common(one: Names, other: Iterable[tuple[int, int]]) -> Names:
    """The names that are in both, of which each is in order."""
    found: list[tuple[int, int]] = []
    mine = list(one)
    at = 0
    for first, end in other:
        while at < len(mine) and mine[at][1] <= first:
            at += 1
        here = at
        while here < len(mine) and mine[here][0] < end:
            low, high = max(first, mine[here][0]), min(end, mine[here][1])
            # Ranges that meet are one: parts that were hit side by side.
            if found and found[-1][1] == low:
                found[-1] = (found[-1][0], high)
            else:
                found.append((low, high))
            here += 1
    return tuple(found)
