"""The plan of a search for the name that an attack is after: a JSON file that grows by a step at a time.

Names are lines of a file. A plan says which lines an address serves, as ranges of line numbers from 0 on, so that
twenty million names are a plan of a few lines.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from attribution.config import SECOND
from attribution.core.addressing.addresses import canonical_address
from attribution.errors import BadValueError, QueryError
from attribution.query.attack.kary_search import Names, Part, Search, Step, count, predicted_steps, predicted_time
from attribution.query.attack.name_file import NameFile
from attribution.query.lake.times import format_time, parse_time

#: Version of the file.
_FORMAT = 1
#: More addresses than anybody means to write a zone for.
_MOST_ADDRESSES = 4096
#: Names that a step lists beside their numbers; the others are in the file of names.
_LISTED = 100


@dataclass(frozen=True)
class PlannedStep:
    """A step and when its answers begin to be given."""

    start: datetime
    step: Step


@dataclass(frozen=True)
class AttackPlan:
    """A search as it is planned.

    Attributes:
        names: how many there are.
        names_file, digest: where they stand.
        addresses: all that the search may use, those under attack among them.
        attacked: those under attack before the first step.
        ttl_before: how long the answers given before the first step may be used, in microseconds.
        ttl: the same of the answers that the steps give.
        observe: how long to look at the addresses, once the answers of before have expired.
        steps: so far.
    """

    names: int
    names_file: Path
    digest: str
    addresses: tuple[str, ...]
    attacked: tuple[str, ...]
    ttl_before: int
    ttl: int
    observe: int
    steps: tuple[PlannedStep, ...] = ()

    @property
    def start(self) -> Search:
        """The search before its first step.

        Raises:
            QueryError: there are too few names or addresses.
        """
        try:
            return Search.of(self.names, self.addresses, attacked=self.attacked)
        except ValueError as error:
            raise QueryError(f"cannot plan a search: {error}; give more with --address") from None

    @property
    def predicted_steps(self) -> int:
        """How many steps one name takes at most."""
        return predicted_steps(self.names, self.start.fan_out)

    @property
    def predicted_time(self) -> int:
        """How long they take, in microseconds: TTL + t log_k n, where t is a step's ttl and the time to look."""
        return round(predicted_time(self.predicted_steps, ttl_before=self.ttl_before, step=self.ttl + self.observe))

    def expires(self, number: int) -> int:
        """How long after the start of a step the answers of before may be used, in microseconds."""
        return self.ttl if number else self.ttl_before

    def with_step(self, step: Step, start: datetime) -> Self:
        """The plan with one step more.

        Raises:
            QueryError: it would begin before the answers of the last one have expired and were looked at.
        """
        if self.steps:
            last = self.steps[-1].start
            soonest = (self.expires(len(self.steps) - 1) + self.observe) / SECOND
            if (start - last).total_seconds() < soonest:
                raise QueryError(
                    f"cannot begin a step at {format_time(start)}: the last one began at {format_time(last)} and takes "
                    f"{soonest:g} s until its addresses were looked at; begin later (--at)"
                )
        return replace(self, steps=(*self.steps, PlannedStep(start, step)))

    def to_dict(self, names: NameFile) -> dict[str, object]:
        """The plan as JSON-ready values; durations in microseconds, a part's first names listed."""
        return {
            "format": _FORMAT,
            "names": {"file": str(self.names_file), "count": self.names, "sha256": self.digest},
            "addresses": list(self.addresses),
            "attacked": list(self.attacked),
            "ttl_before": self.ttl_before,
            "ttl": self.ttl,
            "observe": self.observe,
            "predicted": {"steps": self.predicted_steps, "time": self.predicted_time},
            "steps": _step_rows(self.steps, names),
        }


def read_plan(path: Path) -> AttackPlan:
    """The plan of a file.

    Raises:
        QueryError: it cannot be read, or is no plan.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise QueryError(f"cannot read the plan {path}: it is of format {found['format']!r}, known is {_FORMAT}")
        return AttackPlan(
            names=int(found["names"]["count"]),
            names_file=Path(found["names"]["file"]),
            digest=str(found["names"]["sha256"]),
            addresses=tuple(map(str, found["addresses"])),
            attacked=tuple(map(str, found["attacked"])),
            **{name: int(found[name]) for name in ("ttl_before", "ttl", "observe")},
            steps=tuple(map(_planned, found["steps"])),
        )
    except OSError as error:
        raise QueryError(
            f"cannot read the plan {path}: {error.strerror}; make one with attribution agility plan"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise QueryError(f"cannot read the plan {path}: it is none ({error}); make one with agility plan") from None


def plan_addresses(texts: Sequence[str]) -> tuple[str, ...]:
    """The addresses that texts name, each an address or a prefix of a few, in order, each once.

    Raises:
        QueryError: a text is neither, or a prefix has too many.
    """
    found: dict[str, None] = {}
    for text in texts:
        address = canonical_address(text.strip())
        if address is not None:
            found[address] = None
            continue
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise BadValueError(f"cannot read the address {text!r}: {error}") from None
        if network.num_addresses > _MOST_ADDRESSES:
            raise BadValueError(f"cannot use all addresses of {text!r}: it has more than {_MOST_ADDRESSES}")
        found |= dict.fromkeys(str(one) for one in network)
    return tuple(found)


def _step_rows(steps: Sequence[PlannedStep], names: NameFile) -> list[dict[str, object]]:
    small = [part for planned in steps for part in planned.step.parts if count(part.names) <= _LISTED]
    numbers = sorted({number for part in small for first, end in part.names for number in range(first, end)})
    # The file is read once, however many parts there are.
    listed = dict(names.named(tuple((number, number + 1) for number in numbers)))
    return [
        {
            "from": format_time(planned.start),
            "watched": list(planned.step.watched),
            "parts": [_part_row(part, listed) for part in planned.step.parts],
        }
        for planned in steps
    ]


def _part_row(part: Part, listed: Mapping[int, str]) -> dict[str, object]:
    row: dict[str, object] = {
        "address": part.address,
        "count": count(part.names),
        "numbers": [list(one) for one in part.names],
    }
    if count(part.names) > _LISTED:
        return row
    return row | {"names": [listed[number] for first, end in part.names for number in range(first, end)]}


def _planned(row: Mapping[str, Any]) -> PlannedStep:
    parts = tuple(Part(str(part["address"]), _numbers(part["numbers"])) for part in row["parts"])
    return PlannedStep(parse_time(row["from"], last=None), Step(parts, tuple(map(str, row["watched"]))))


def _numbers(pairs: Iterable[Sequence[int]]) -> Names:
    return tuple((int(first), int(end)) for first, end in pairs)
