"""The dependency graph as text for other programs: Graphviz DOT, GraphML, Mermaid.

Names come out of logs and may hold anything. In every format they are data: nodes are called n0, n1, ... and carry
their name as an escaped label, and what does not print (control characters, marks that turn the direction of text) is
shown as its escape.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from xml.etree import ElementTree as ET

from attribution.cli.render.edge_cells import plain_cells
from attribution.cli.render.measures import format_bytes, format_count, visible
from attribution.query.graph.model import Edge, Graph, Name
from attribution.query.lake.times import format_time

#: Mermaid refuses more edges than this unless it is configured otherwise (its setting `maxEdges`).
MERMAID_MAX_EDGES = 500

_WIDEST_LINE = 5.0

_DOT_STYLES = {
    "service": 'shape=box, style="rounded,filled", fillcolor="#e8f1fb", color="#3b73af"',
    "workload": 'shape=box, style="rounded,filled", fillcolor="#e8f1fb", color="#3b73af"',
    "external": 'shape=box, style="filled", fillcolor="#f2f2f2", color="#7f7f7f"',
    "name": 'shape=box, style="rounded,filled", fillcolor="#eaf6ec", color="#3c8d54"',
    "pool": 'shape=box3d, style="filled", fillcolor="#eaf6ec", color="#3c8d54"',
    "hostname": 'shape=box, style="filled,dashed", fillcolor="#ffffff", color="#7f7f7f"',
    "unattributed": 'shape=ellipse, style="dashed", color="#c0392b", fontcolor="#c0392b"',
}
_MERMAID_STYLES = {
    "service": "fill:#e8f1fb,stroke:#3b73af,color:#1b3a5c",
    "workload": "fill:#e8f1fb,stroke:#3b73af,color:#1b3a5c",
    "external": "fill:#f2f2f2,stroke:#7f7f7f,color:#333333",
    "name": "fill:#eaf6ec,stroke:#3c8d54,color:#1d4a2b",
    "pool": "fill:#eaf6ec,stroke:#3c8d54,color:#1d4a2b",
    "hostname": "fill:#ffffff,stroke:#7f7f7f,color:#333333,stroke-dasharray:4",
    "unattributed": "fill:#ffffff,stroke:#c0392b,color:#c0392b,stroke-dasharray:4",
}
#: Besides letters, digits and the space: what no version of Mermaid reads as anything but itself inside a quoted label.
_MERMAID_PLAIN = " -_./:,()+=·"


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's DOT: line width by bytes, undirected edges without an arrow head."""
    ids = _ids(graph)
    lines = [
        "digraph attribution {",
        "  rankdir=LR;",
        '  node [fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, color="#555555"];',
    ]
    lines += [f'  {ids[name]} [label="{_dot(str(name))}", {_DOT_STYLES[name.kind]}];' for name in ids]
    widths = _widths(graph)
    for edge, width in zip(graph.edges, widths, strict=True):
        look = [f'label="{_dot(_label(edge))}"', f"penwidth={width:.1f}"]
        if not edge.directed:
            look.append("dir=none")
        if not (edge.source.attributed and edge.target.attributed):
            look.append("style=dashed")
        lines.append(f"  {ids[edge.source]} -> {ids[edge.target]} [{', '.join(look)}];")
    return "\n".join([*lines, "}", ""])


def to_mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart, which GitHub and many wikis draw; dotted lines have an unattributed end."""
    ids = _ids(graph)
    lines = ["flowchart LR"]
    lines += [f'  {ids[name]}["{_mermaid(str(name))}"]:::{name.kind}' for name in ids]
    for edge in graph.edges:
        dotted = not (edge.source.attributed and edge.target.attributed)
        line = ("-.->" if dotted else "-->") if edge.directed else ("-.-" if dotted else "---")
        lines.append(f'  {ids[edge.source]} {line}|"{_mermaid(_label(edge))}"| {ids[edge.target]}')
    kinds = sorted({name.kind for name in ids})
    lines += [f"  classDef {kind} {_MERMAID_STYLES[kind]}" for kind in kinds]
    return "\n".join([*lines, ""])


def to_graphml(graph: Graph) -> str:
    """The graph as GraphML, with every number as an attribute; Gephi, yEd, networkx and igraph read it."""
    ids = _ids(graph)
    root = ET.Element("graphml", xmlns="http://graphml.graphdrawing.org/xmlns")
    nodes = {node.name: _attributes(node.to_dict()) for node in graph.nodes}
    edges = [_attributes(plain_cells(edge)) for edge in graph.edges]
    keys = _declare(root, "node", [nodes.get(name, {"node": str(name), "kind": name.kind}) for name in ids])
    edge_keys = _declare(root, "edge", edges)
    body = ET.SubElement(root, "graph", id="attribution", edgedefault="directed")
    for name, identity in ids.items():
        values = nodes.get(name, {"node": str(name), "kind": name.kind})
        _data(ET.SubElement(body, "node", id=identity), values, keys)
    for number, (edge, values) in enumerate(zip(graph.edges, edges, strict=True)):
        element = ET.SubElement(body, "edge", id=f"e{number}", source=ids[edge.source], target=ids[edge.target])
        if not edge.directed:
            element.set("directed", "false")
        _data(element, values, edge_keys)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


#: Format name -> what writes it.
RENDERERS = {"dot": to_dot, "graphml": to_graphml, "mermaid": to_mermaid}


def _ids(graph: Graph) -> dict[Name, str]:
    """Identifier of each node: those listed, and the ends of edges whose node is not (with `attributed_only`, none)."""
    names = dict.fromkeys(node.name for node in graph.nodes)
    for edge in graph.edges:
        names |= dict.fromkeys((edge.source, edge.target))
    return {name: f"n{number}" for number, name in enumerate(names)}


def _label(edge: Edge) -> str:
    ports = ", ".join(str(port) for port in edge.ports[:2]) + (", …" if edge.port_count > 2 else "")
    flows = f"{format_count(edge.flows)} flow{'s' if edge.flows != 1 else ''}"
    size = format_bytes(edge.bytes) if edge.bytes is not None else flows
    return f"{ports} · {size}"


def _widths(graph: Graph) -> list[float]:
    """Line widths from 1 to 5 by the logarithm of bytes: traffic spans many powers of ten."""
    sizes = [math.log10((edge.bytes or 0) + 1) for edge in graph.edges]
    largest = max(sizes, default=0.0) or 1.0
    return [1 + (_WIDEST_LINE - 1) * size / largest for size in sizes]


def _dot(text: str) -> str:
    # Graphviz reads HTML entities and backslash sequences inside quoted labels.
    escaped = visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("&", "&amp;")


def _mermaid(text: str) -> str:
    # Everything that some version of Mermaid, Markdown or HTML may read as a mark is written as a character reference.
    return "".join(
        character if character.isalnum() or character in _MERMAID_PLAIN else f"#{ord(character)};"
        for character in visible(text)
    )


def _attributes(row: Mapping[str, object]) -> dict[str, str | int | bool]:
    """A row as GraphML attributes: times as ISO 8601, what is not known left out."""
    values: dict[str, str | int | bool] = {}
    for key, value in row.items():
        if isinstance(value, datetime):
            values[key] = format_time(value)
        elif isinstance(value, str | int):
            values[key] = visible(value) if isinstance(value, str) else value
    return values


def _declare(root: ET.Element, what: str, rows: list[dict[str, str | int | bool]]) -> dict[str, str]:
    """The `key` elements for the attributes that occur; attribute name -> key."""
    types: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            kind = "boolean" if isinstance(value, bool) else "long" if isinstance(value, int) else "string"
            types.setdefault(name, kind)
    keys = {name: f"{what}_{name}" for name in types}
    for name, kind in types.items():
        ET.SubElement(root, "key", {"id": keys[name], "for": what, "attr.name": name, "attr.type": kind})
    return keys


def _data(element: ET.Element, values: Mapping[str, str | int | bool], keys: Mapping[str, str]) -> None:
    for name, value in values.items():
        data = ET.SubElement(element, "data", key=keys[name])
        data.text = str(value).lower() if isinstance(value, bool) else str(value)
