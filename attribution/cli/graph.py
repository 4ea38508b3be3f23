"""`attribution graph`: who talks to whom, as a table, as data, or as a picture; or what changed between two windows."""

from collections.abc import Sequence
from pathlib import Path

import click

from attribution.cli.options.selection import counted_back, lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.edge_cells import plain_cells
from attribution.cli.render.measures import counted, format_bytes, format_count, format_factor, format_share
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.cli.render.pictures import MERMAID_MAX_EDGES, RENDERERS
from attribution.cli.render.terminal import say
from attribution.query.graph.diff import DEFAULT_FACTOR, GraphDiff, diff
from attribution.query.graph.graph import NodeBy, graph
from attribution.query.graph.model import Edge, Graph, Node, ObserverCount
from attribution.query.graph.selection import GraphSelection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_moment
from attribution.query.lake.zones import zone_name

#: Rows of a table for people, where --limit does not say how many.
_TABLE_ROWS = 50

_NODES = (
    Column(name="node"),
    Column(name="kind", rank=5),
    Column(name="service", rank=1),
    Column(name="peers", kind="count", rank=6),
    Column(name="flows", kind="count"),
    Column(name="bytes_sent", title="sent", kind="bytes"),
    Column(name="bytes_received", title="received", kind="bytes"),
    Column(name="packets_sent", kind="count", rank=7),
    Column(name="packets_received", kind="count", rank=8),
    Column(name="unattributed", kind="share"),
    Column(name="first_seen", kind="time", rank=10),
    Column(name="last_seen", kind="time", rank=9),
)
_EDGES = (
    Column(name="source"),
    Column(name="arrow", title=" "),
    Column(name="target"),
    Column(name="ports", rank=2),
    Column(name="flows", kind="count"),
    Column(name="bytes_out", title="out", kind="bytes"),
    Column(name="bytes_back", title="back", kind="bytes"),
    Column(name="packets", kind="count", rank=5),
    Column(name="methods", rank=4),
    Column(name="logged_by", rank=6),
    Column(name="first_seen", kind="time", rank=8),
    Column(name="last_seen", kind="time", rank=7),
)
_CHANGES = (
    Column(name="change"),
    Column(name="source"),
    Column(name="arrow", title=" "),
    Column(name="target"),
    Column(name="ports", rank=4),
    Column(name="flows_before", kind="count", rank=1),
    Column(name="flows_after", kind="count", rank=1),
    Column(name="flows_factor", kind="factor", rank=3),
    Column(name="bytes_before", kind="bytes"),
    Column(name="bytes_after", kind="bytes"),
    Column(name="bytes_factor", kind="factor", rank=2),
)


@click.command(name="graph")
@lake_argument
@selection_options(GraphSelection)
@click.option(
    "--by", type=click.Choice(["service", "workload"]), default="service", show_default=True, help="What a node is."
)
@click.option("--attributed-only", is_flag=True, help="Leave out the unattributed nodes and their edges.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"How many edges to show, those with most bytes; 0 for all. [default: all; {_TABLE_ROWS} in a table]",
)
@click.option("--nodes", "nodes_only", is_flag=True, help="List nodes instead of edges (table and csv).")
@click.option(
    "--diff", "before", metavar="FROM..TO", help="Compare with this window: list edges that are new, gone or changed."
)
@click.option(
    "--factor", type=float, default=DEFAULT_FACTOR, show_default=True,
    help="With --diff: an edge has changed if its flows or bytes per second are this many times more or fewer.",
)  # fmt: skip
@timezone_option
@output_options(*RENDERERS, columns=(*_NODES, *_EDGES, *_CHANGES))
def command(
    *,
    lake: Path,
    selection: GraphSelection,
    by: NodeBy,
    attributed_only: bool,
    limit: int | None,
    nodes_only: bool,
    before: str | None,
    factor: float,
    output: Output,
) -> None:
    r"""Show who talks to whom: services, the edges between them, and their traffic.

    An edge runs from client to server. If no log says who opened the flows, the edge has no arrow head, and the port of
    the edge is the lower of the two ports. Traffic that several observers report is counted once. The table says who
    logged an edge. If not all records of an observer count, it says how many: "server eni-2 (0 of 12 count)".
    Unattributed addresses are one node for each reason, last in every list.

    \b
    Examples:
      attribution graph lake
      attribution graph lake --window -1h.. --service 'checkout*' --port 5432
      attribution graph lake --attributed-only --format mermaid --limit 30
      attribution graph lake --format dot -o graph.dot && dot -Tsvg graph.dot -o graph.svg
      attribution graph lake --window -1h.. --diff -25h..-24h
    """
    if before is not None:
        if output.format in RENDERERS or nodes_only or limit is not None:
            raise click.UsageError(
                "--diff lists edges as table, json or csv, all of them: leave out --nodes, --limit and other formats."
            )
        with LakeSession(lake) as session:
            found = diff(session, selection, before=before, factor=factor, by=by, attributed_only=attributed_only)
            say_unknown_names(session, selection, empty=not (found.changes or found.unchanged))
        _write_diff(found, output)
        return
    table = output.format == "table"
    rows = _TABLE_ROWS if table and limit is None else limit or None
    with LakeSession(lake) as session:
        whole = graph(
            session, selection, by=by, attributed_only=attributed_only, limit=rows, top_nodes=table or nodes_only
        )
        say_unknown_names(session, selection, empty=not whole.totals.flows)
        asked = counted_back(session, selection.window)
    _write_graph(whole, output, asked=asked, nodes_only=nodes_only)


def _write_graph(whole: Graph, output: Output, *, asked: str, nodes_only: bool) -> None:
    if output.format == "table":
        parts: list[Section | str] = [*filter(None, [asked]), _summary(whole), _node_section(whole)]
        output.document(parts if nodes_only else [*parts, _edge_section(whole)])
    elif output.format == "json":
        output.json(whole.to_dict())
    elif output.format == "csv":
        made = [node.to_dict() for node in whole.nodes] if nodes_only else [plain_cells(edge) for edge in whole.edges]
        names = list(made[0]) if made else [column.name for column in (_NODES if nodes_only else _EDGES)]
        output.csv(names, made)
    else:
        if output.format == "mermaid" and len(whole.edges) > MERMAID_MAX_EDGES:
            say(
                f"attribution: the chart has {len(whole.edges)} edges, and Mermaid draws at most {MERMAID_MAX_EDGES} "
                "unless its maxEdges is raised; take fewer with --limit"
            )
        output.text(RENDERERS[output.format](whole))


def _summary(whole: Graph) -> str:
    totals = whole.totals
    if totals.first_seen is None or totals.last_seen is None:
        return "No flows in this window that pass the filters."
    size = f", {format_bytes(totals.bytes)}" if totals.bytes is not None else ""
    counts = (
        counted(whole.node_count, "node"),
        counted(whole.edge_count, "edge"),
        counted(totals.flows, "flow"),
    )
    lines = [
        ", ".join(counts) + size,
        f"{format_moment(totals.first_seen)} to {format_moment(totals.last_seen)} {zone_name()}",
    ]
    # A record may stand for many flows, where a log aggregates: then it is not known how many records do not count.
    if totals.records > totals.flows:
        others = format_count(totals.records - totals.flows)
        lines.append(
            f"{counted(totals.records, 'flow record')}, of which {others} do not count: "
            "traffic that several observers report is counted once"
        )
    share = format_share(totals.unattributed_flows, totals.flows)
    of_bytes = f", {format_share(totals.unattributed_bytes, totals.bytes)} of bytes" if totals.bytes else ""
    reasons = [f"{reason} {format_share(flows, totals.flows)}" for reason, flows in totals.unattributed_reasons.items()]
    why = f" ({', '.join(reasons)})" if reasons else ""
    lines.append(f"with an unattributed end: {share} of flows{of_bytes}{why}")
    return "\n".join(lines)


def _node_section(whole: Graph) -> Section:
    columns = [column for column in _NODES if column.name != "service" or any(node.service for node in whole.nodes)]
    return Section(
        columns=columns,
        rows=[node.to_dict() | {"unattributed": _share(node)} for node in whole.nodes],
        title="Nodes",
        note=_rest(whole.node_count - len(whole.nodes), "node"),
    )


def _share(node: Node) -> float:
    return node.unattributed_flows / node.flows if node.flows else 0.0


def _edge_section(whole: Graph) -> Section:
    return Section(
        columns=_EDGES,
        rows=[_edge_cells(edge) for edge in whole.edges],
        title="Edges",
        note=_rest(whole.edge_count - len(whole.edges), "edge"),
    )


def _edge_cells(edge: Edge) -> dict[str, object]:
    more = edge.port_count - 3
    packets = (
        None
        if edge.packets_out is None and edge.packets_back is None
        else (edge.packets_out or 0) + (edge.packets_back or 0)
    )
    return edge.to_dict() | {
        "arrow": _arrow(directed=edge.directed),
        "ports": ", ".join(str(port) for port in edge.ports[:3]) + (f" +{more}" if more > 0 else ""),
        "packets": packets,
        "methods": ", ".join(
            f"{count.source}>{count.target} {format_share(count.flows, _records(edge))}" for count in edge.methods[:2]
        ),
        "logged_by": _logged_by(edge),
    }


def _records(edge: Edge) -> int:
    return edge.source_records + edge.target_records


def _arrow(*, directed: bool) -> str:
    return "→" if directed else "-"


def _logged_by(edge: Edge) -> str:
    """The observers with most reports, by the end whose log it is: `client node-1 (5 of 10 count)`."""
    ends = {"source": "client", "target": "server"} if edge.directed else {"source": "left", "target": "right"}
    shown = [
        " ".join(filter(None, (ends[one.end], one.observer, _share_that_counts(one)))) for one in edge.observers[:2]
    ]
    more = edge.observer_count - len(shown)
    return ", ".join(shown) + (f" +{more}" if more > 0 else "")


def _share_that_counts(one: ObserverCount) -> str:
    if one.counted >= one.reports:
        return ""
    return f"({format_count(one.counted)} of {format_count(one.reports)} count)"


def _rest(count: int, noun: str) -> str:
    return f"and {counted(count, f'more {noun}')}: --limit 0 shows all" if count > 0 else ""


def _write_diff(found: GraphDiff, output: Output) -> None:
    rows: Sequence[dict[str, object]] = [change.to_dict() for change in found.changes]
    if output.format == "json":
        output.json(found.to_dict())
        return
    if output.format == "csv":
        output.csv(list(rows[0]) if rows else [column.name for column in _CHANGES if column.name != "arrow"], rows)
        return
    counts = {kind: sum(change.change == kind for change in found.changes) for kind in ("new", "gone", "changed")}
    head = (
        f"{found.before} before, {found.after} after\n"
        f"edges: {counts['new']} new, {counts['gone']} gone, {counts['changed']} changed by "
        f"{format_factor(found.factor)} or more per second, {found.unchanged} not"
    )
    cells = [change.to_dict() | {"arrow": _arrow(directed=change.edge.directed)} for change in found.changes]
    output.document([head, Section(columns=_CHANGES, rows=cells)])
