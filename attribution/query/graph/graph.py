"""The dependency graph of a window: services (or workloads) and the traffic between them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from attribution.query.graph.selection import EVERY_FLOW, GraphSelection
from attribution.query.lake.flows import FILTERED, OPENED
from attribution.query.lake.protocols import protocol_name
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, opened
from attribution.query.lake.window import Window, seen

By = Literal["service", "workload"]

#: What a node is: something that heartbeats, the log or socket rules name; something that assignment events or labels
#: name; a hostname that addresses of a pool were used for; the addresses of a pool; a hostname that clients used for an
#: unattributed address; unattributed addresses of one reason.
KINDS = ("service", "workload", "external", "name", "pool", "hostname", "unattributed")

_SHAPE = Query(__package__, "shape", standing_on=(OPENED,))
_TRAFFIC = Query(__package__, "traffic", standing_on=(FILTERED,))
# These read the tables that `keep_edges` makes of one another, and no flow.
_ORIENTED = Query(__package__, "oriented")
_EDGE_PORTS = Query(__package__, "edge_ports")
_EDGES = Query(__package__, "edges")
_NODES = Query(__package__, "nodes")
_TOTALS = Query(__package__, "totals")
_UNATTRIBUTED = Query(__package__, "unattributed")
_EDGES_RANKED = Query(__package__, "edges_ranked")
_EDGES_SHOWN = Query(__package__, "edges_shown")
_NODES_SHOWN = Query(__package__, "nodes_shown")


@dataclass(frozen=True, order=True)
class Name:
    """What a node is called; kind keeps a service that is called like a placeholder apart from it.

    Attributes:
        kind: one of `KINDS`.
        text: a service, a workload, a hostname, `pool` and its name, or a reason.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return f"(unattributed: {self.text})" if self.kind == "unattributed" else self.text

    @property
    def attributed(self) -> bool:
        """Whether evidence names it: a hostname only says what clients called it."""
        return self.kind not in ("hostname", "unattributed")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node and all its traffic, whether it opened it or not; bytes and packets are null where no log says.

    `unattributed_flows` and `unattributed_bytes` are those with an unattributed end; `service` is that of a workload.
    """

    name: Name
    service: str | None
    peers: int
    flows: int
    bytes_sent: int | None
    bytes_received: int | None
    packets_sent: int | None
    packets_received: int | None
    unattributed_flows: int
    unattributed_bytes: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class PortCount:
    """Flows to one port of the server (of an undirected edge: the lower one)."""

    port: int | None
    protocol: str | None
    flows: int

    def __str__(self) -> str:
        if self.port is None:
            return self.protocol or "-"
        return f"{self.port}/{self.protocol}" if self.protocol else str(self.port)


@dataclass(frozen=True, kw_only=True)
class MethodCount:
    """Flow records whose ends were attributed by these methods."""

    source: str
    target: str
    flows: int


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Traffic from a client to a server, or between two ends of which nobody knows who opened it (`directed` False).

    Flows, bytes and packets are, per server port, those of the end that logged more; `source_records` and
    `target_records` say how many flows each end logged. `out` is source to target, `back` the other way.

    Attributes:
        ports: the five with most flows; `port_count` is how many there are.
    """

    source: Name
    target: Name
    directed: bool
    flows: int
    bytes_out: int | None
    bytes_back: int | None
    packets_out: int | None
    packets_back: int | None
    ports: tuple[PortCount, ...]
    port_count: int
    methods: tuple[MethodCount, ...]
    source_records: int
    target_records: int
    first_seen: datetime
    last_seen: datetime

    @property
    def bytes(self) -> int | None:
        """Both directions together; None where neither is known."""
        return both_ways(self.bytes_out, self.bytes_back)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The whole graph, also what `attributed_only` or `limit` leave out; times are None where there are no flows.

    `flows` counts traffic once that both ends log, `records` as often as it was logged. `unattributed_reasons` has the
    flows of each reason; those with two unattributed ends count for both.
    """

    flows: int
    records: int
    bytes: int | None
    packets: int | None
    unattributed_flows: int
    unattributed_bytes: int
    unattributed_reasons: Mapping[str, int]
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes and edges, unattributed ones last, otherwise most bytes first.

    Attributes:
        window: the window that was asked for.
        node_count: nodes to show, also those beyond a limit on nodes.
        edge_count: edges to show, also those beyond the limit.
    """

    window: Window
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    node_count: int
    edge_count: int
    totals: Totals

    def to_dict(self) -> dict[str, Any]:
        """The graph as plain values, for JSON."""
        return {
            "window": self.window.to_dict(),
            "totals": asdict(self.totals),
            "nodes": [node_row(node) for node in self.nodes],
            "edges": [edge_row(edge) for edge in self.edges],
        }


def graph(
    lake: LakeSession | Path | str,
    selection: GraphSelection = EVERY_FLOW,
    *,
    by: By = "service",
    attributed_only: bool = False,
    limit: int | None = None,
    top_nodes: bool = False,
) -> Graph:
    """The dependency graph of the flows of a selection.

    Args:
        lake: the lake's folder, or an open session.
        selection: which flows.
        by: what a node is.
        attributed_only: leave out the unattributed nodes and their edges. Totals and the other nodes still count them.
        limit: only so many edges, those with most bytes, and their nodes.
        top_nodes: with a limit, as many nodes with most bytes instead of the ends of the edges.

    Traffic that both ends log stands in the lake twice and is counted once: per edge and server port, each measure is
    that of the end that logged more. Where only some of the clients and only some of the servers log, an edge therefore
    shows less than both ends together know, never more than there was; what each end logged stands beside it.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the window cannot be read.
    """
    with opened(lake) as session:
        window = keep_edges(session, selection, by=by)
        (totals,) = session.ask(_TOTALS)
        shown = {"attributed_only": attributed_only, "limit": limit}
        session.keep("edge_ranked", _EDGES_RANKED, **shown)
        edges = session.ask(_EDGES_SHOWN)
        nodes = session.ask(_NODES_SHOWN, **shown, top_nodes=top_nodes)
        reasons = {row["reason"]: row["flows"] for row in session.ask(_UNATTRIBUTED)}
    return Graph(
        window=window,
        nodes=tuple(_node(row) for row in nodes),
        edges=tuple(_edge(row) for row in edges),
        node_count=nodes[0]["total"] if nodes else 0,
        edge_count=edges[0]["total"] if edges else 0,
        totals=Totals(**{**totals, **seen(totals)}, unattributed_reasons=reasons),
    )


def keep_edges(session: LakeSession, selection: GraphSelection, *, by: By) -> Window:
    """Make the tables traffic, oriented, edge_port, edge and node in the session, as their SQL files say.

    Returns:
        The window of the selection on this lake.
    """
    window = session.window(selection.window)
    asked = {**selection.parameters(window), "by": by}
    (shape,) = session.ask(_SHAPE, **asked)
    session.keep("traffic", _TRAFFIC, **asked, **shape)
    session.keep("oriented", _ORIENTED, by=by)
    session.keep("edge_port", _EDGE_PORTS)
    session.keep("edge", _EDGES)
    session.keep("node", _NODES, by=by)
    return window


def both_ways(one: int | None, other: int | None) -> int | None:
    """The sum of what is known; None where nothing is."""
    return None if one is None and other is None else (one or 0) + (other or 0)


def node_row(node: Node) -> dict[str, Any]:
    """One node as a flat row."""
    row = {"node": str(node.name), "kind": node.name.kind}
    return row | {key: value for key, value in vars(node).items() if key != "name"}


def edge_row(edge: Edge) -> dict[str, Any]:
    """One edge as a row; ports and methods stay lists of objects."""
    row: dict[str, Any] = {
        "source": str(edge.source),
        "target": str(edge.target),
        "source_kind": edge.source.kind,
        "target_kind": edge.target.kind,
    }
    row |= {key: value for key, value in vars(edge).items() if key not in ("source", "target")}
    return row | {"ports": [asdict(port) for port in edge.ports], "methods": [asdict(count) for count in edge.methods]}


def flat_edge_row(edge: Edge) -> dict[str, Any]:
    """One edge as a row of plain cells, for CSV and GraphML: `443/tcp=12;80/tcp=3`, `capture>heartbeat=15`."""
    return edge_row(edge) | {
        "ports": ";".join(f"{port}={port.flows}" for port in edge.ports),
        "methods": ";".join(f"{count.source}>{count.target}={count.flows}" for count in edge.methods),
    }


def _edge(row: Mapping[str, Any]) -> Edge:
    edge = Edge(
        source=Name(row["source_kind"], row["source"]),
        target=Name(row["target_kind"], row["target"]),
        directed=row["directed"],
        flows=row["flows"],
        bytes_out=row["bytes_out"],
        bytes_back=row["bytes_back"],
        packets_out=row["packets_out"],
        packets_back=row["packets_back"],
        ports=tuple(
            PortCount(port=port["port"], protocol=protocol_name(port["protocol"]), flows=port["flows"])
            for port in row["ports"]
        ),
        port_count=row["port_count"],
        methods=tuple(MethodCount(**count) for count in row["methods"]),
        source_records=row["source_records"],
        target_records=row["target_records"],
        **seen(row),
    )
    # An undirected edge is read from left to right all the same: what is ours first, what is not after it.
    if not edge.directed and KINDS.index(edge.source.kind) > KINDS.index(edge.target.kind):
        return _turned(edge)
    return edge


def _turned(edge: Edge) -> Edge:
    return replace(
        edge,
        source=edge.target,
        target=edge.source,
        bytes_out=edge.bytes_back,
        bytes_back=edge.bytes_out,
        packets_out=edge.packets_back,
        packets_back=edge.packets_out,
        source_records=edge.target_records,
        target_records=edge.source_records,
        methods=tuple(replace(count, source=count.target, target=count.source) for count in edge.methods),
    )


def _node(row: Mapping[str, Any]) -> Node:
    plain = {name: row[name] for name in Node.__dataclass_fields__ if name not in ("name", "first_seen", "last_seen")}
    return Node(name=Name(row["kind"], row["name"]), **plain, **seen(row))
