"""The flows at addresses that policies hand out, as questions about pools read them, and the clients they come from."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from attribution.errors import QueryError
from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import seen
from attribution.query.lake.window import Window
from attribution.query.pools.policy_records import Network, policy_records
from attribution.query.pools.selection import PoolSelection

#: The ends of flows at addresses that policies hand out.
POOL_ENDS = Query(__package__, "pool_ends", standing_on=(COUNTED,))
_ENDED = Query(__package__, "ended", standing_on=(POOL_ENDS,))
_CLIENTS = Query(__package__, "clients")


@dataclass(frozen=True, kw_only=True)
class ClientNetwork:
    """Flows from one network of clients: a /24 of IPv4, a /48 of IPv6."""

    network: str
    flows: int
    bytes: int | None
    first_seen: datetime
    last_seen: datetime


def pool_parameters(session: LakeSession, selection: PoolSelection, window: Window) -> dict[str, object]:
    """The parameters of the flows asked about, as `sql/pool_ends.sql` binds them; it is then known which flows count.

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
    count_once(session, window)
    return {
        **selection.parameters(window),
        "space": [list(span_hex(ipaddress.ip_network(prefix))) for prefix in space],
    }


def keep_ended_flows(session: LakeSession, asked: Mapping[str, object]) -> None:
    """Make the table ended_flow: the flows after the end of their policy, as `sql/ended.sql` says."""
    records = [record for record in policy_records(session) if record.ended and record.start <= record.end]
    spans = [span_hex(record.network) for record in records]
    columns: dict[str, tuple[pa.DataType, list[object]]] = {
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


def span_hex(network: Network) -> tuple[str, str]:
    """First and last address of a network, as `address_hex` of `sql/macros.sql` writes them."""
    mapped = 0xFFFF << 32 if network.version == 4 else 0
    return f"{int(network[0]) | mapped:032x}", f"{int(network[-1]) | mapped:032x}"


def network_text(digits: str) -> str:
    """The network that `client_network` of `sql/macros.sql` means."""
    first = int(digits.ljust(32, "0"), 16)
    if len(digits) == 30:
        return str(ipaddress.ip_network((first & 0xFFFFFFFF, 24)))
    return str(ipaddress.IPv6Network((first, 4 * len(digits))))
