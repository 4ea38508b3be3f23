"""Edges of the graph as rows of plain cells."""

from attribution.query.graph.model import Edge


def plain_cells(edge: Edge) -> dict[str, object]:
    """One edge with ports and methods as text, for CSV and GraphML: `443/tcp=12;80/tcp=3`, `capture>heartbeat=15`."""
    return edge.to_dict() | {
        "ports": ";".join(f"{port}={port.flows}" for port in edge.ports),
        "methods": ";".join(f"{count.source}>{count.target}={count.flows}" for count in edge.methods),
    }
