"""Traffic on addresses that a data centre's policies never hand out there: a route leak, or misdirected clients."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import seen
from attribution.query.pools.pool_flows import (
    POOL_ENDS,
    ClientNetwork,
    client_networks,
    keep_ended_flows,
    pool_parameters,
)
from attribution.query.pools.selection import EVERY_FLOW, PoolSelection

_STRAYS = Query(__package__, "strays", standing_on=(POOL_ENDS,))
_CENTRES = Query(__package__, "centres", standing_on=(POOL_ENDS,))
_ASTRAY = Query(__package__, "astray")

#: Why an address is astray, for a person.
KINDS = {
    "elsewhere": "policies hand it out, but in other data centres only",
    "ended_elsewhere": "policies handed it out once, but in other data centres only",
    "unpooled": "the pool space has it, but no pool that any policy ever had",
}


@dataclass(frozen=True, kw_only=True)
class Astray:
    """What came, in one data centre, to addresses of one pool that it never hands out.

    Attributes:
        data_centre: where it was logged; None where the flows do not say.
        logged_by: `server` where it came in to the address there; `client` where it went out from there.
        kind: one of `KINDS`.
        pool, policy: whose address it is; None where nobody's.
        share, byte_share: of what the data centre logged, at that end, at addresses of the pool space.
        addresses: how many it came to.
        networks: how many networks of clients it came from.
        clients: those that most of it came from.
    """

    data_centre: str | None
    logged_by: str
    kind: str
    pool: str | None
    policy: str | None
    flows: int
    share: float
    bytes: int | None
    byte_share: float | None
    addresses: int
    networks: int
    first_seen: datetime
    last_seen: datetime
    clients: tuple[ClientNetwork, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return vars(self) | {"clients": [asdict(one) for one in self.clients]}


def astray(
    lake: LakeSession | Path | str,
    selection: PoolSelection = EVERY_FLOW,
    *,
    clients: int = 5,
) -> tuple[Astray, ...]:
    """What came to addresses that no policy of the data centre that logged it hands out, or ever did; most flows first.

    Args:
        lake: the lake's folder, or an open session.
        selection: which flows.
        clients: so many networks of clients for each.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the lake was made without pools, or the window cannot be read.
    """
    with opened(lake) as session:
        asked = pool_parameters(session, selection, session.window(selection.window))
        keep_ended_flows(session, asked)
        session.keep("placed_flow", _STRAYS, **asked)
        rows = session.ask(_ASTRAY)
        networks = client_networks(session, clients)
        # Shares are of all that the data centre logged, whichever pool was asked for.
        centres = session.ask(_CENTRES, **asked | {"pools": None})
    whole = {(row["data_centre"], row["logged_by"]): row for row in centres}
    return tuple(
        _astray(row, whole[row["data_centre"], row["logged_by"]], networks.get(row["place"], ())) for row in rows
    )


def _astray(row: Row, whole: Row, clients: tuple[ClientNetwork, ...]) -> Astray:
    plain = ("data_centre", "logged_by", "kind", "pool", "policy", "flows", "bytes", "addresses", "networks")
    return Astray(
        **{name: row[name] for name in plain},
        share=row["flows"] / whole["flows"],
        byte_share=row["bytes"] / whole["bytes"] if row["bytes"] is not None and whole["bytes"] else None,
        clients=clients,
        **seen(row),
    )
