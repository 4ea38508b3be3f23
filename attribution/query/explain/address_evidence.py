"""What the lake knows about one address: who was seen on it, and what was said of it.

What the rules make of that is `attribution.query.explain.verdict`'s.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import pyarrow as pa

from attribution.core.addressing.addresses import canonical_address
from attribution.core.addressing.sockets import held_by
from attribution.core.timeline.answer import Held
from attribution.core.timeline.timeline import OwnershipRange
from attribution.errors import BadValueError
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row
from attribution.query.lake.times import from_microseconds, to_microseconds
from attribution.schema import POLICY, SOCKET_RULE

_RANGES = Query(__package__, "address_ranges")
_ASSIGNMENTS = Query(__package__, "address_assignments")
_LABELS = Query(__package__, "address_labels")

#: Last moment seen before a silence, and first moment seen after it.
Hole = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class HeldRange:
    """A range of `schemas/ownership_range.avsc`, without its address; `longest_gap` in microseconds.

    Lakes of older versions have no claims: `claim` is None there.
    """

    port: int | None
    last_port: int | None = None
    protocol: int | None
    workload: str
    service: str | None
    start: datetime
    end: datetime
    longest_gap: int
    holes: tuple[Hole, ...]
    network: str | None = None
    claim: str | None = None

    @property
    def held(self) -> Held:
        """What it is about."""
        return held_by(self.protocol, self.port, self.last_port)

    @property
    def stored(self) -> OwnershipRange:
        """The same as the rules take it."""
        holes = tuple((to_microseconds(start), to_microseconds(end)) for start, end in self.holes)
        start, end, gap = to_microseconds(self.start), to_microseconds(self.end), self.longest_gap
        return OwnershipRange(self.held, self.workload, self.service, start, end, gap, holes, self.network, self.claim)


@dataclass(frozen=True, kw_only=True)
class AssignmentEvent:
    """An event of `schemas/assignment.avsc`, without its address."""

    time: datetime
    action: str
    owner: str
    service: str | None
    kind: str | None
    port: int | None
    protocol: int | None
    network: str | None = None


@dataclass(frozen=True, kw_only=True)
class LabelledPrefix:
    """A label of `schemas/label.avsc`."""

    prefix: str
    service: str
    kind: str | None
    region: str | None
    network: str | None = None


@dataclass(frozen=True)
class AddressEvidence:
    """What the lake holds about one address.

    Ranges and events come by network and time, those without a network first; labels with the longest prefix first.
    Policies and socket rules are all that the lake has, as Arrow tables: there are few.
    """

    address: str
    ranges: tuple[HeldRange, ...]
    assignments: tuple[AssignmentEvent, ...]
    labels: tuple[LabelledPrefix, ...]
    policies: pa.Table
    rules: pa.Table

    @property
    def networks(self) -> tuple[str | None, ...]:
        """The networks of its ranges and events, in order, none first."""
        return in_order([one.network for one in self.ranges] + [one.network for one in self.assignments])

    def within(self, network: str | None) -> Self:
        """The ranges and events of one network, None for those of none, and the labels that hold in it."""
        return replace(
            self,
            ranges=tuple(one for one in self.ranges if one.network == network),
            assignments=tuple(one for one in self.assignments if one.network == network),
            labels=tuple(one for one in self.labels if one.network in (None, network)),
        )


def in_order(networks: Iterable[str | None]) -> tuple[str | None, ...]:
    """Networks, each once, in order, none first."""
    return tuple(sorted(set(networks), key=lambda name: (name is not None, name or "")))


def hole_row(hole: Hole) -> dict[str, datetime]:
    """A hole as in `schemas/ownership_range.avsc`."""
    return {"start": hole[0], "end": hole[1]}


def is_address(text: str) -> bool:
    """Whether `parse_address` reads the text."""
    return _canonical(text) is not None


def _canonical(text: str) -> str | None:
    return canonical_address(text.strip().removeprefix("[").removesuffix("]"))


def parse_address(text: str) -> str:
    """Canonical text of an address, however it is spelt; an IPv4-mapped IPv6 address is the IPv4 address.

    Raises:
        QueryError: the text is no address.
    """
    address = _canonical(text)
    if address is None:
        raise BadValueError(f"{text!r} is no address: write IPv4 or IPv6, without a port, prefix length or zone")
    return address


def evidence_of(session: LakeSession, address: str) -> AddressEvidence:
    """What the lake holds about a canonical address.

    Raises:
        LakeError: the lake cannot be read.
    """
    return AddressEvidence(
        address=address,
        ranges=tuple(_range(row) for row in session.ask(_RANGES, address=address)),
        assignments=tuple(
            AssignmentEvent(**{**row, "time": from_microseconds(row["time"])})
            for row in session.ask(_ASSIGNMENTS, address=address)
        ),
        labels=tuple(LabelledPrefix(**row) for row in session.ask(_LABELS, prefixes=prefixes_around(address))),
        policies=session.table("policies", POLICY),
        rules=session.table("socket_rules", SOCKET_RULE),
    )


def _range(row: Row) -> HeldRange:
    times = {name: from_microseconds(row[name]) for name in ("start", "end")}
    holes = tuple((from_microseconds(start), from_microseconds(end)) for start, end in row["holes"])
    return HeldRange(**{**row, **times, "holes": holes})


def prefixes_around(address: str) -> list[str]:
    """Every prefix that contains the address, the longest first: few enough to look each up, and exact."""
    host = ipaddress.ip_network(address)
    return [str(host.supernet(new_prefix=length)) for length in range(host.prefixlen, -1, -1)]
