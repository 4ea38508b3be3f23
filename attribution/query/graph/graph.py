"""The dependency graph of a window: services (or workloads) and the traffic between them."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from attribution.query.counting.count_once import COUNTED, count_once
from attribution.query.graph.model import (
    Edge,
    Graph,
    MethodCount,
    Name,
    Node,
    NodeKind,
    ObserverCount,
    PortCount,
    Totals,
)
from attribution.query.graph.selection import EVERY_FLOW, GraphSelection
from attribution.query.lake.flows import OPENED
from attribution.query.lake.protocols import protocol_name
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import seen
from attribution.query.lake.window import Window

#: What a node is.
NodeBy = Literal["service", "workload"]

_SHAPE = Query(__package__, "shape", standing_on=(OPENED,))
_TRAFFIC = Query(__package__, "traffic", standing_on=(COUNTED,))
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

#: Kind of node by its name in SQL, and the place of each among the kinds. There may be many edges, and calls take time.
_KINDS = {kind.value: kind for kind in NodeKind}
_PLACES = {kind: place for place, kind in enumerate(NodeKind)}
#: Columns of an edge that are its attributes as they are.
_EDGE_COLUMNS = (
    "directed", "flows", "bytes_out", "bytes_back", "packets_out", "packets_back", "port_count", "source_records",
    "target_records", "observer_count",
)  # fmt: skip


def graph(
    lake: LakeSession | Path | str,
    selection: GraphSelection = EVERY_FLOW,
    *,
    by: NodeBy = "service",
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

    Traffic that several observers report is counted once, report by report, as the design says under "Which report
    counts". Sums over windows that share no time add up. Who reported an edge stands beside it.

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


def keep_edges(session: LakeSession, selection: GraphSelection, *, by: NodeBy) -> Window:
    """Make the tables traffic, oriented, edge_port, edge and node in the session, as their SQL files say.

    Returns:
        The window of the selection on this lake.
    """
    window = session.window(selection.window)
    asked = {**selection.parameters(window), "by": by}
    (shape,) = session.ask(_SHAPE, **asked)
    count_once(session, window)
    session.keep("traffic", _TRAFFIC, **asked, **shape)
    session.keep("oriented", _ORIENTED, by=by)
    session.keep("edge_port", _EDGE_PORTS)
    session.keep("edge", _EDGES)
    session.keep("node", _NODES, by=by)
    return window


def end_name(row: Row, end: str) -> Name:
    """The name of the source or the target of an edge's row."""
    return Name(_KINDS[row[f"{end}_kind"]], row[end])


def _edge(row: Row) -> Edge:
    edge = Edge(
        source=end_name(row, "source"),
        target=end_name(row, "target"),
        **{name: row[name] for name in _EDGE_COLUMNS},
        ports=tuple(
            PortCount(port=port["port"], protocol=protocol_name(port["protocol"]), flows=port["flows"])
            for port in row["ports"]
        ),
        methods=tuple(MethodCount(**count) for count in row["methods"]),
        observers=tuple(ObserverCount(**count) for count in row["observers"]),
        **seen(row),
    )
    # An undirected edge is read from left to right all the same: what is ours first, what is not after it.
    if not edge.directed and _PLACES[edge.source.kind] > _PLACES[edge.target.kind]:
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
        observers=tuple(
            replace(count, end="target" if count.end == "source" else "source") for count in edge.observers
        ),
    )


def _node(row: Row) -> Node:
    plain = {name: row[name] for name in Node.__dataclass_fields__ if name not in ("name", "first_seen", "last_seen")}
    return Node(name=Name(NodeKind(row["kind"]), row["name"]), **plain, **seen(row))
