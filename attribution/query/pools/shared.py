"""What the questions about addresses that policies hand out share: which flows, which records, which clients."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.fallback.policies import Place
from attribution.core.fallback.validity import in_force
from attribution.errors import QueryError
from attribution.query.lake.flows import FILTERED
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import from_microseconds, seen, to_microseconds
from attribution.query.lake.window import Window
from attribution.query.pools.selection import PoolSelection
from attribution.schema import POLICY

#: The ends of flows at addresses that policies hand out.
POOL_ENDS = Query(__package__, "pool_ends", standing_on=(FILTERED,))
_ENDED = Query(__package__, "ended", standing_on=(POOL_ENDS,))
_CLIENTS = Query(__package__, "clients")
#: What `policy_state` says, for a person.
POLICY_STATES = {
    "in_force": "it handed the address out then, where the flow was logged",
    "elsewhere": "it handed the address out then, but in other data centres only",
    "ended": "it handed the address out before, no longer then",
}
#: What makes two records one policy, whose ends and lifetimes are one.
_ALIKE = ("policy", "pool", "prefix", "match", "start")
_SECOND = 1_000_000
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class ClientNetwork:
    """Flows from one network of clients: a /24 of IPv4, a /48 of IPv6."""

    network: str
    flows: int
    bytes: int | None
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class PolicyRecord:
    """A record of `schemas/policy.avsc` with the earliest end and the longest ttl of those that are alike.

    Attributes:
        start, end: microseconds, closed; far away where it has none.
        ttl: microseconds; None where not known.
    """

    policy: str
    pool: str
    prefix: str
    place: Place
    start: int
    end: int
    ttl: int | None

    @property
    def network(self) -> _Network:
        """The prefix."""
        return ipaddress.ip_network(self.prefix)

    @property
    def ended(self) -> bool:
        """Whether it has an end."""
        return self.end < NEVER_AFTER

    def to_dict(self) -> dict[str, Any]:
        """A flat row; times are None where there is none, the ttl is in microseconds."""
        return {
            "prefix": self.prefix,
            "pool": self.pool,
            "policy": self.policy,
            **self.place._asdict(),
            "ttl": self.ttl,
            "start": None if self.start <= NEVER_BEFORE else from_microseconds(self.start),
            "end": from_microseconds(self.end) if self.ended else None,
        }


def policy_records(session: LakeSession) -> tuple[PolicyRecord, ...]:
    """The policies that a lake was made with, one record for those that are alike.

    Raises:
        LakeError: the lake cannot be read.
    """
    table = session.table("policies", POLICY)
    starts, ends = (moments.tolist() for moments in in_force(table, alike=_ALIKE))
    found: dict[tuple[Any, ...], PolicyRecord] = {}
    for row, start, end in zip(table.to_pylist(), starts, ends, strict=True):
        key = tuple(row[name] for name in _ALIKE)
        known = found[key].ttl if key in found else None
        ttl = known if row["ttl"] is None else max(round(row["ttl"] * _SECOND), known or 0)
        place = Place.of_match(row["match"])
        found[key] = PolicyRecord(row["policy"], row["pool"], row["prefix"], place, start, end, ttl)
    return tuple(found.values())


def policies_of(session: LakeSession, address: str) -> tuple[PolicyRecord, ...]:
    """The policies that ever had an address in a pool, the longest prefix first, in order of time.

    Raises:
        LakeError: the lake cannot be read.
    """
    it = ipaddress.ip_address(address)
    found = [record for record in policy_records(session) if it in record.network]
    return tuple(sorted(found, key=lambda one: (-one.network.prefixlen, one.start, one.end, one.policy)))


def prepare(session: LakeSession, selection: PoolSelection, window: Window) -> dict[str, object]:
    """The parameters of the flows asked about, as `sql/pool_ends.sql` binds them.

    Args:
        session: the lake.
        selection: which flows.
        window: that of the selection, as it is on the lake.

    Raises:
        QueryError: the lake was made without pools.
        LakeError: the lake cannot be read.
    """
    space = session.settings.pool_prefixes
    if not space:
        raise QueryError(
            f"cannot say which addresses policies hand out in the lake {session.folder}: it was made without pools; "
            "replay its logs with the policies (--policies), whose prefixes become pool_prefixes (--pool-prefix)"
        )
    return {
        **selection.parameters(window),
        "space": [list(span_hex(ipaddress.ip_network(prefix))) for prefix in space],
    }


def keep_gone(session: LakeSession, asked: Mapping[str, object]) -> None:
    """Make the table ended_flow: the flows after the end of their policy, as `sql/ended.sql` says."""
    records = [record for record in policy_records(session) if record.ended and record.start <= record.end]
    spans = [span_hex(record.network) for record in records]
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "policy": (pa.string(), [record.policy for record in records]),
        "pool": (pa.string(), [record.pool for record in records]),
        "prefix": (pa.string(), [record.prefix for record in records]),
        "data_centre": (pa.string(), [record.place.data_centre for record in records]),
        "region": (pa.string(), [record.place.region for record in records]),
        "first": (pa.string(), [low for low, _ in spans]),
        "last": (pa.string(), [high for _, high in spans]),
        "length": (pa.int32(), [record.network.prefixlen for record in records]),
        "ended": (pa.int64(), [record.end for record in records]),
        "ttl": (pa.int64(), [record.ttl for record in records]),
    }
    table = pa.table({name: pa.array(values, kind) for name, (kind, values) in columns.items()})
    session.give("ended_policies", table)
    tolerance = session.settings.clock_tolerance
    session.keep("ended_flow", _ENDED, **asked, clock_tolerance=tolerance)


def client_networks(session: LakeSession, limit: int) -> dict[int, tuple[ClientNetwork, ...]]:
    """The networks that most flows of the table placed_flow come from, by place."""
    found: dict[int, list[ClientNetwork]] = {}
    for row in session.ask(_CLIENTS, limit=limit):
        one = ClientNetwork(network=network_text(row["network"]), flows=row["flows"], bytes=row["bytes"], **seen(row))
        found.setdefault(row["place"], []).append(one)
    return {place: tuple(networks) for place, networks in found.items()}


def span_hex(network: _Network) -> tuple[str, str]:
    """First and last address of a network, as `address_hex` of `sql/macros.sql` writes them."""
    mapped = 0xFFFF << 32 if network.version == 4 else 0
    return f"{int(network[0]) | mapped:032x}", f"{int(network[-1]) | mapped:032x}"


def network_text(digits: str) -> str:
    """The network that `client_network` of `sql/macros.sql` means."""
    first = int(digits.ljust(32, "0"), 16)
    if len(digits) == 30:
        return str(ipaddress.ip_network((first & 0xFFFFFFFF, 24)))
    return str(ipaddress.IPv6Network((first, 4 * len(digits))))


def overlapping(records: Sequence[PolicyRecord], window: Window) -> list[PolicyRecord]:
    """The records that are in force at some moment of a window."""
    first = to_microseconds(window.start) if window.start else NEVER_BEFORE
    end = to_microseconds(window.end) if window.end else NEVER_AFTER
    return [record for record in records if record.start <= min(record.end, end) and record.end >= first]
