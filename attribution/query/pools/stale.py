"""Traffic that still comes to addresses after the policies that handed them out have ended, against its bound."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from attribution.config import MINUTE
from attribution.errors import BadValueError
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import from_microseconds, seen
from attribution.query.pools.pool_flows import ClientNetwork, client_networks, keep_ended_flows, pool_parameters
from attribution.query.pools.selection import EVERY_FLOW, PoolSelection

# They read the table ended_flow, and what the first of them makes of it.
_STALE_FLOWS = Query(__package__, "stale_flows")
_STALE = Query(__package__, "stale")
_DECAY = Query(__package__, "decay")
_BEYOND = Query(__package__, "beyond")


@dataclass(frozen=True, kw_only=True)
class DecayBucket:
    """Traffic from `begin` to before `until`, microseconds after the end of a policy.

    Attributes:
        left: share of all traffic after that end that came in this bucket or later.
        networks: how many networks of clients it came from.
    """

    begin: int
    until: int
    flows: int
    left: float
    bytes: int | None
    networks: int


@dataclass(frozen=True, kw_only=True)
class Stale:
    """What came to addresses after a policy that handed them out had ended, where it was logged.

    Attributes:
        pool, policy: as in the flows.
        logged_by: `server` where it was logged at the address; `client` where at the other end.
        ended: when; None where the lake does not have the policies.
        prefixes: of the pool, to which it came.
        data_centres: where it was logged, where the flows say that.
        ttl: how long answers may be used, in microseconds; None where not known.
        answers_until: the end, the ttl and `name_stretch` together: until then an answer may be used. None where the
            ttl is not known; so the counts below.
        bound: that and `connection_lifetime`: until then a connection may last that was opened in time.
        within_answer: flows up to `answers_until`.
        within_connection: windows after it, up to the bound, which may show connections that were opened before.
        beyond: all others, which nobody who keeps to the ttl makes.
        decay: traffic by time since the end.
        clients: the networks that most of what is beyond came from; of all of it where no bound is known.
    """

    pool: str
    policy: str
    logged_by: str
    ended: datetime | None
    prefixes: tuple[str, ...]
    data_centres: tuple[str, ...]
    ttl: int | None
    answers_until: datetime | None
    bound: datetime | None
    flows: int
    bytes: int | None
    within_answer: int | None
    within_connection: int | None
    beyond: int | None
    first_seen: datetime
    last_seen: datetime
    decay: tuple[DecayBucket, ...]
    clients: tuple[ClientNetwork, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        lists = {name: [asdict(one) for one in getattr(self, name)] for name in ("decay", "clients")}
        return vars(self) | lists | {name: list(getattr(self, name)) for name in ("prefixes", "data_centres")}


def stale(
    lake: LakeSession | Path | str,
    selection: PoolSelection = EVERY_FLOW,
    *,
    bucket: int | None = None,
    clients: int = 5,
) -> tuple[Stale, ...]:
    """What came to addresses after the policies that handed them out had ended; the last to end first.

    Args:
        lake: the lake's folder, or an open session.
        selection: which flows.
        bucket: length of the buckets of time since the end, in microseconds. With None the first is as long as the ttl,
            or a minute where the ttl is not known. Each next one is as long as all before it.
        clients: so many networks of clients for each.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the lake was made without pools, the window cannot be read, or the bucket has no length.
    """
    if bucket is not None and bucket <= 0:
        raise BadValueError(f"cannot count by buckets of {bucket} microseconds: give a length above zero")
    with opened(lake) as session:
        asked = pool_parameters(session, selection, session.window(selection.window))
        keep_ended_flows(session, asked)
        settings = session.settings
        lengths = {name: getattr(settings, name) for name in ("clock_tolerance", "connection_lifetime", "name_stretch")}
        session.keep("stale_flow", _STALE_FLOWS, **lengths)
        rows = session.ask(_STALE)
        buckets = session.ask(_DECAY, doubling=bucket is None, bucket=bucket or MINUTE)
        session.keep("placed_flow", _BEYOND)
        networks = client_networks(session, clients)
    decay = _decay(buckets, {row["place"]: row["flows"] for row in rows})
    return tuple(
        _stale(row, settings.connection_lifetime, decay.get(row["place"], ()), networks.get(row["place"], ()))
        for row in rows
    )


def _decay(rows: Sequence[Row], flows: Mapping[int, int]) -> dict[int, tuple[DecayBucket, ...]]:
    found: dict[int, list[DecayBucket]] = {}
    for row in rows:
        buckets = found.setdefault(row["place"], [])
        whole = flows[row["place"]]
        left = whole - sum(before.flows for before in buckets)
        plain = {name: row[name] for name in ("begin", "until", "flows", "bytes", "networks")}
        buckets.append(DecayBucket(**plain, left=left / whole))
    return {place: tuple(buckets) for place, buckets in found.items()}


def _stale(row: Row, lifetime: int, decay: tuple[DecayBucket, ...], clients: tuple[ClientNetwork, ...]) -> Stale:
    until = row["answers_until"]
    counts: dict[str, Any] = {
        name: row[name] if until is not None else None for name in ("within_answer", "within_connection", "beyond")
    }
    plain = ("pool", "policy", "logged_by", "ttl", "flows", "bytes")
    return Stale(
        **{name: row[name] for name in plain},
        **counts,
        ended=from_microseconds(row["ended"]),
        prefixes=tuple(row["prefixes"]),
        data_centres=tuple(row["data_centres"]),
        answers_until=from_microseconds(until),
        bound=from_microseconds(None if until is None else until + lifetime),
        decay=decay,
        clients=clients,
        **seen(row),
    )
