"""Load per address of each pool, and its spread: how evenly policies spread names over addresses."""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from attribution.core.fallback.policies import Place
from attribution.errors import BadValueError
from attribution.query.lake.flows import Measure
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import seen
from attribution.query.lake.window import Window
from attribution.query.pools.policy_records import PolicyRecord, overlapping, policy_records
from attribution.query.pools.pool_flows import POOL_ENDS, pool_parameters
from attribution.query.pools.selection import EVERY_FLOW, PoolSelection

_LOAD = Query(__package__, "load", standing_on=(POOL_ENDS,))
_STATES = Query(__package__, "states", standing_on=(POOL_ENDS,))
# These read the table address_load.
_SPREAD = Query(__package__, "spread")
_ADDRESSES = Query(__package__, "addresses")

#: (pool, policy)
_Owner = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class AddressLoad:
    """What one address carried; `place` is 1 for the busiest, `connections` are the flows that are not windows."""

    address: str
    place: int
    flows: int
    connections: int
    bytes: int | None
    packets: int | None
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class PoolLoad:
    """How load is spread over the addresses that policies hand out of a pool.

    Attributes:
        pool, policy: as in the flows; several with commas.
        addresses: how many there are to hand out; None where the lake does not have the policies.
        used: how many of them carried anything.
        busiest, least, mean: load in the measure asked for; `least` is of the addresses used, `mean` of all.
        ratio: the busiest over the least busy of those used.
        variation: coefficient of variation over all addresses: standard deviation over mean.
        by_chance: what it would be if every flow had taken an address at random; None for other measures than flows.
        loads: the busiest addresses, then the least busy.
    """

    pool: str
    policy: str
    addresses: int | None
    used: int
    flows: int
    connections: int
    bytes: int | None
    packets: int | None
    busiest: int | None
    least: int | None
    mean: float | None
    ratio: float | None
    variation: float | None
    by_chance: float | None
    first_seen: datetime
    last_seen: datetime
    loads: tuple[AddressLoad, ...]

    @property
    def unused(self) -> int | None:
        """How many addresses carried nothing."""
        return None if self.addresses is None else self.addresses - self.used

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        row = {name: value for name, value in vars(self).items() if name != "loads"}
        return row | {"unused": self.unused, "loads": [asdict(load) for load in self.loads]}


@dataclass(frozen=True, kw_only=True)
class Loads:
    """Pools by load, the busiest first; `left_out` counts the flows that no policy in force accounts for, by state."""

    window: Window
    measure: Measure
    pools: tuple[PoolLoad, ...]
    left_out: Mapping[str, int]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "window": self.window.to_dict(),
            "measure": self.measure,
            "pools": [pool.to_dict() for pool in self.pools],
            "left_out": dict(self.left_out),
        }


def load(
    lake: LakeSession | Path | str,
    selection: PoolSelection = EVERY_FLOW,
    *,
    measure: Measure = "flows",
    limit: int | None = 5,
) -> Loads:
    """How load is spread over the addresses of each pool while policies hand them out.

    Args:
        lake: the lake's folder, or an open session.
        selection: which flows.
        measure: what load is.
        limit: so many of the busiest and of the least busy addresses of each pool; None for all.

    Traffic that several observers report is counted once. Flows to addresses that no
    policy in force hands out are counted apart.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the lake was made without pools, the window cannot be read, or there is no such measure.
    """
    if measure not in get_args(Measure):
        raise BadValueError(f"cannot measure load by {measure!r}: choose {', '.join(get_args(Measure))}")
    with opened(lake) as session:
        window = session.window(selection.window)
        asked = pool_parameters(session, selection, window)
        session.keep("address_load", _LOAD, **asked)
        spreads = session.ask(_SPREAD, order=measure)
        rows = session.ask(_ADDRESSES, order=measure, limit=limit)
        states = session.ask(_STATES, **asked)
        sizes = _Sizes(overlapping(policy_records(session), window))
    loads: dict[_Owner, list[AddressLoad]] = {}
    for row in rows:
        plain = {name: row[name] for name in AddressLoad.__dataclass_fields__ if not name.endswith("_seen")}
        loads.setdefault((row["pool"], row["policy"]), []).append(AddressLoad(**plain, **seen(row)))
    return Loads(
        window=window,
        measure=measure,
        pools=tuple(_pool(row, sizes, loads[row["pool"], row["policy"]], measure) for row in spreads),
        left_out={row["state"]: row["flows"] for row in states if row["state"] != "in_force"},
    )


def _pool(row: Row, sizes: "_Sizes", loads: Iterable[AddressLoad], measure: Measure) -> PoolLoad:
    used = row["used"]
    size = sizes.of(row["pool"], row["policy"])
    # An address that policies no longer in the lake handed out is one all the same.
    size = size and max(size, used)
    of, total = size or used, row["total"]
    # Unused addresses carried 0, which adds nothing to either sum.
    variation = math.sqrt(of * row["squares"] - total**2) / total if total else None
    plain = ("pool", "policy", "used", "flows", "connections", "bytes", "packets", "busiest", "least")
    return PoolLoad(
        **{name: row[name] for name in plain},
        addresses=size,
        mean=None if total is None else total / of,
        ratio=row["busiest"] / row["least"] if row["least"] else None,
        variation=variation,
        by_chance=math.sqrt((of - 1) / row["flows"]) if measure == "flows" else None,
        loads=tuple(loads),
        **seen(row),
    )


def _covers(one: Place, other: Place) -> bool:
    """Whether what is in force at the one place is so at the other as well."""
    return all(said is None or said == its for said, its in zip(one, other, strict=True))


class _Sizes:
    """How many addresses policies have to hand out: of a prefix, those that no longer prefix takes away there."""

    def __init__(self, records: Iterable[PolicyRecord]) -> None:
        self._records: dict[str, list[PolicyRecord]] = {}
        for record in records:
            self._records.setdefault(record.prefix, []).append(record)
        networks = map(ipaddress.ip_network, self._records)
        self._order = sorted(networks, key=lambda one: (one.version, int(one[0]), one.prefixlen))

    def of(self, pools: str, policies: str) -> int | None:
        """How many addresses all of these policies hand out of all of these pools; None where nobody knows."""
        wanted_pools, wanted_policies = set(pools.split(",")), set(policies.split(","))
        own, places = set(), set()
        for prefix, records in self._records.items():
            its_pools, its_policies = {one.pool for one in records}, {one.policy for one in records}
            if wanted_pools <= its_pools and wanted_policies <= its_policies:
                own.add(prefix)
                places |= {one.place for one in records if one.policy in wanted_policies}
        size = 0
        around: list[tuple[int, int, bool]] = []
        for network in self._order:
            prefix = str(network)
            # A longer prefix of some data centres takes nothing away from what others hand out.
            if prefix not in own and not any(_covers(one.place, it) for one in self._records[prefix] for it in places):
                continue
            while around and (around[-1][0] != network.version or around[-1][1] < int(network[0])):
                around.pop()
            size += network.num_addresses * ((prefix in own) - bool(around and around[-1][2]))
            around.append((network.version, int(network[-1]), prefix in own))
        return size or None
