"""Edges of the graph as rows of plain cells."""

from attribution.query.graph.model import Edge


def plain_cells(edge: Edge) -> dict[str, object]:
    """One edge with lists as text, for CSV and GraphML.

    Ports are `443/tcp=12;80/tcp=3`, methods `capture>heartbeat=15`. Observers are `source:node-1=5/10`: the log is
    that of the source, and 5 of 10 reports count.
    """
    return edge.to_dict() | {
        "ports": ";".join(f"{port}={port.flows}" for port in edge.ports),
        "methods": ";".join(f"{count.source}>{count.target}={count.flows}" for count in edge.methods),
        "observers": ";".join(
            f"{count.end}:{count.observer or '-'}={count.counted}/{count.reports}" for count in edge.observers
        ),
    }
