"""The policies that a lake was made with, as records of when each had which addresses in a pool."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.fallback.policies import Place
from attribution.core.fallback.validity import in_force
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import from_microseconds, to_microseconds
from attribution.query.lake.window import Window
from attribution.schema import POLICY

#: What `policy_state` says, for a person.
POLICY_STATES = {
    "in_force": "it handed the address out then, where the flow was logged",
    "elsewhere": "it handed the address out then, but in other data centres only",
    "ended": "it handed the address out before, no longer then",
}
#: What makes two records one policy, whose ends and lifetimes are one.
_ALIKE = ("policy", "pool", "prefix", "network", "match", "start")
_SECOND = 1_000_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class PolicyRecord:
    """A record of `schemas/policy.avsc` with the earliest end and the longest ttl of those that are alike.

    Attributes:
        start, end: microseconds, closed; far away where it has none.
        ttl: microseconds; None where not known.
        of_network: the network in which it holds; None for every network.
    """

    policy: str
    pool: str
    prefix: str
    place: Place
    start: int
    end: int
    ttl: int | None
    of_network: str | None = None

    @property
    def network(self) -> Network:
        """The prefix."""
        return ipaddress.ip_network(self.prefix)

    @property
    def ended(self) -> bool:
        """Whether it has an end."""
        return self.end < NEVER_AFTER

    def to_dict(self) -> dict[str, object]:
        """A flat row; times are None where there is none, the ttl is in microseconds."""
        return {
            "prefix": self.prefix,
            "pool": self.pool,
            "policy": self.policy,
            **self.place._asdict(),
            "ttl": self.ttl,
            "start": None if self.start <= NEVER_BEFORE else from_microseconds(self.start),
            "end": from_microseconds(self.end) if self.ended else None,
            "network": self.of_network,
        }


def policy_records(session: LakeSession) -> tuple[PolicyRecord, ...]:
    """The policies that a lake was made with, one record for those that are alike.

    Raises:
        LakeError: the lake cannot be read.
    """
    table = session.table("policies", POLICY)
    starts, ends = (moments.tolist() for moments in in_force(table, alike=_ALIKE))
    found: dict[tuple[object, ...], PolicyRecord] = {}
    for row, start, end in zip(table.to_pylist(), starts, ends, strict=True):
        key = tuple(row[name] for name in _ALIKE)
        known = found[key].ttl if key in found else None
        ttl = known if row["ttl"] is None else max(round(row["ttl"] * _SECOND), known or 0)
        place = Place.of_match(row["match"])
        found[key] = PolicyRecord(row["policy"], row["pool"], row["prefix"], place, start, end, ttl, row["network"])
    return tuple(found.values())


def policies_of(session: LakeSession, address: str) -> tuple[PolicyRecord, ...]:
    """The policies that ever had an address in a pool, the longest prefix first, in order of time.

    Raises:
        LakeError: the lake cannot be read.
    """
    it = ipaddress.ip_address(address)
    found = [record for record in policy_records(session) if it in record.network]
    return tuple(sorted(found, key=lambda one: (-one.network.prefixlen, one.start, one.end, one.policy)))


def overlapping(records: Sequence[PolicyRecord], window: Window) -> list[PolicyRecord]:
    """The records that are in force at some moment of a window."""
    first = to_microseconds(window.start) if window.start else NEVER_BEFORE
    end = to_microseconds(window.end) if window.end else NEVER_AFTER
    return [record for record in records if record.start <= min(record.end, end) and record.end >= first]
