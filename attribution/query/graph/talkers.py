"""Who talks most in a window: services, workloads, addresses, server ports, or edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from attribution.errors import BadValueError
from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.graph.graph import end_name, keep_edges
from attribution.query.graph.model import Name, NodeKind
from attribution.query.graph.selection import EVERY_FLOW, GraphSelection
from attribution.query.lake.protocols import protocol_name
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import seen
from attribution.query.lake.window import Window

#: What is listed.
ListedBy = Literal["service", "workload", "address", "port", "edge"]
Order = Literal["bytes", "flows", "packets"]

_ENDPOINTS = Query(__package__, "talkers_endpoint", standing_on=(COUNTED,))
# These read the tables that `keep_edges` makes.
_OF_THE_GRAPH = {
    "service": Query(__package__, "talkers_node"),
    "port": Query(__package__, "talkers_port"),
    "edge": Query(__package__, "talkers_edge"),
}


@dataclass(frozen=True, kw_only=True)
class Talker:
    """One of those who talk most.

    Attributes:
        key: what it is, as columns. A service has its kind, a port its protocol, an edge its two ends. A workload and
            an address have their kind and service, which is null where there were several.
        bytes_sent, bytes_received: by an endpoint; for a port by its clients; for an edge by its source.
        unattributed_flows: those with an unattributed end.
    """

    key: Mapping[str, str | int | bool | None]
    flows: int
    bytes: int | None
    bytes_sent: int | None
    bytes_received: int | None
    packets: int | None
    unattributed_flows: int
    first_seen: datetime
    last_seen: datetime

    def to_dict(self) -> dict[str, object]:
        """A flat row: the key's columns, then the numbers."""
        return {**self.key, **{name: value for name, value in vars(self).items() if name != "key"}}


@dataclass(frozen=True, kw_only=True)
class Talkers:
    """The largest first; `total` is how many there are without the limit."""

    window: Window
    rows: tuple[Talker, ...]
    total: int


def talkers(
    lake: LakeSession | Path | str,
    selection: GraphSelection = EVERY_FLOW,
    *,
    by: ListedBy = "service",
    order: Order = "bytes",
    limit: int | None = 20,
) -> Talkers:
    """Who talks most among the flows of a selection.

    Args:
        lake: the lake's folder, or an open session.
        selection: which flows; a flow counts for both of its ends. Hostnames are of services and edges only.
        by: what is listed.
        order: by which measure, the largest first; those of which it is not known come last.
        limit: how many; None for all.

    Traffic that several observers report is counted once, as in `graph.graph`.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the window cannot be read, or `by` or `order` is none of those there are.
    """
    for what, value, known in (
        ("list talkers by", by, get_args(ListedBy)),
        ("order talkers by", order, get_args(Order)),
    ):
        if value not in known:
            raise BadValueError(f"cannot {what} {value!r}: choose {', '.join(known)}")
    with opened(lake) as session:
        shown: dict[str, Any] = {"order": order, "limit": limit}
        if by in ("address", "workload"):
            window = session.window(selection.window)
            count_once(session, window)
            rows = session.ask(_ENDPOINTS, **selection.parameters(window), by=by, **shown)
        else:
            window = keep_edges(session, selection, by="service")
            rows = session.ask(_OF_THE_GRAPH[by], **shown)
    made = tuple(_talker(row, by) for row in rows)
    return Talkers(window=window, rows=made, total=rows[0]["total"] if rows else 0)


def _talker(row: Row, by: ListedBy) -> Talker:
    plain = ("flows", "bytes", "bytes_sent", "bytes_received", "packets", "unattributed_flows")
    return Talker(
        key=_key(row, by),
        **{name: row[name] for name in plain},
        **seen(row),
    )


def _key(row: Row, by: ListedBy) -> dict[str, str | int | bool | None]:
    match by:
        case "edge":
            return {
                "source": str(end_name(row, "source")),
                "target": str(end_name(row, "target")),
                "directed": row["directed"],
            }
        case "port":
            return {"port": row["port"], "protocol": protocol_name(row["protocol"])}
        case "service":
            return {"service": str(Name(NodeKind(row["kind"]), row["name"])), "kind": row["kind"]}
        case "workload":
            name = str(Name(NodeKind(row["kind"]), row["name"]))
            return {"workload": name, "kind": row["kind"], "service": row["service"]}
        case "address":
            return {"address": row["name"], "kind": row["kind"], "service": row["service"]}
