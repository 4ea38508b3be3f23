"""Every picture of a graph says what the graph says, whatever its services are called."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from tiny_lake import at

from attribution.cli.render.pictures import to_dot, to_graphml, to_mermaid
from attribution.query.graph.model import Edge, Graph, MethodCount, Name, Node, ObserverCount, PortCount, Totals
from attribution.query.lake.window import OPEN

NASTY = [
    'say "hello"',
    "back\\slash \\N \\n",
    "[box] {brace} (round) <b>bold</b> &amp; &#35; #35;",
    "two\nlines\r\tand tab",
    "%%{init: {'theme': 'dark'}}%% ; end",
    "`code` **bold** -->|x| y",
    "Überwachung 監視 🦉",
    "esc\x1b[31m nul\x00 rtl\u202e bell\x07 \ud7ff\uffff",
    "]]> <![CDATA[ -- <?pi?>",
    "",
    " ",
]


def node(name, flows=1):
    return Node(
        name=name, service=None, peers=1, flows=flows, bytes_sent=1, bytes_received=2, packets_sent=None,
        packets_received=None, unattributed_flows=0, unattributed_bytes=0, first_seen=at("12:00:00"),
        last_seen=at("12:00:01.5"),
    )  # fmt: skip


def edge(source, target, *, directed=True, size=10, ports=1):
    return Edge(
        source=source, target=target, directed=directed, flows=3, bytes_out=size, bytes_back=None, packets_out=None,
        packets_back=None, ports=tuple(PortCount(port=443 + n, protocol="tcp", flows=1) for n in range(ports)),
        port_count=ports, methods=(MethodCount(source="capture", target="heartbeat", flows=3),), source_records=3,
        target_records=0, first_seen=at("12:00:00"), last_seen=at("12:00:01"),
        observers=(ObserverCount(observer=None, end="source", reports=3, counted=3),), observer_count=1,
    )  # fmt: skip


def graph_of(nodes, edges):
    totals = Totals(
        flows=0, records=0, bytes=None, packets=None, unattributed_flows=0, unattributed_bytes=0,
        unattributed_reasons={}, first_seen=None,
        last_seen=None,
    )  # fmt: skip
    return Graph(
        window=OPEN, nodes=tuple(nodes), edges=tuple(edges), node_count=len(nodes), edge_count=len(edges), totals=totals
    )


@pytest.fixture
def nasty():
    names = [Name("service", text) for text in NASTY]
    gap = Name("unattributed", "gap")
    edges = [edge(one, other) for one, other in pairwise(names)]
    edges += [
        edge(names[0], names[1], directed=False),
        edge(names[0], gap, ports=3),
        edge(gap, names[0], directed=False),
    ]
    edges.append(edge(names[2], names[2], size=None))
    return graph_of([node(name) for name in [*names, gap]], edges)


def shown(text):
    """As a label shows it: what does not print is spelt out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


DOT_STRING = r'"((?:[^"\\]|\\.)*)"'


def dot_unescape(text):
    return re.sub(r"\\(.)", r"\1", text.replace("&amp;", "&"))


def test_dot_has_every_node_and_edge(nasty):
    lines = to_dot(nasty).splitlines()
    labels = dict(
        re.match(rf"  (n\d+) \[label={DOT_STRING}, shape=.*\];$", line).groups()
        for line in lines
        if re.match(r"  n\d+ \[", line)
    )
    assert [dot_unescape(label) for label in labels.values()] == [shown(text) for text in NASTY] + [
        "(unattributed: gap)"
    ]
    drawn = [
        re.match(rf"  (n\d+) -> (n\d+) \[label={DOT_STRING}, (.*)\];$", line).groups()
        for line in lines
        if re.match(r"  n\d+ ->", line)
    ]
    assert [(source, target) for source, target, _, _ in drawn] == [
        *((f"n{n}", f"n{n + 1}") for n in range(len(NASTY) - 1)),
        ("n0", "n1"), ("n0", "n11"), ("n11", "n0"), ("n2", "n2"),
    ]  # fmt: skip
    assert [look for _, _, _, look in drawn][-4:] == [
        "penwidth=5.0, dir=none", "penwidth=5.0, style=dashed", "penwidth=5.0, dir=none, style=dashed", "penwidth=1.0",
    ]  # fmt: skip
    assert [label for _, _, label, _ in drawn][-3:] == [
        "443/tcp, 444/tcp, … · 10 B",
        "443/tcp · 10 B",
        "443/tcp · 3 flows",
    ]
    assert (lines[0], lines[-1]) == ("digraph attribution {", "}")


def test_graphml_parses_and_holds_every_number(nasty):
    root = ET.fromstring(to_graphml(nasty))  # noqa: S314 - our own text
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    keys = {
        (key.get("for"), key.get("id")): (key.get("attr.name"), key.get("attr.type"))
        for key in root.findall("g:key", space)
    }

    def data(element, kind):
        return {keys[kind, one.get("key")][0]: one.text or "" for one in element.findall("g:data", space)}

    nodes = {one.get("id"): data(one, "node") for one in root.findall("g:graph/g:node", space)}
    assert [one["node"] for one in nodes.values()] == [shown(text) for text in NASTY] + ["(unattributed: gap)"]
    assert nodes["n0"] == {
        "node": 'say "hello"', "kind": "service", "peers": "1", "flows": "1", "bytes_sent": "1", "bytes_received": "2",
        "unattributed_flows": "0", "unattributed_bytes": "0", "first_seen": "2026-01-05T12:00:00Z",
        "last_seen": "2026-01-05T12:00:01.500000Z",
    }  # fmt: skip
    edges = root.findall("g:graph/g:edge", space)
    assert len(edges) == len(nasty.edges)
    assert all(one.get("source") in nodes and one.get("target") in nodes for one in edges)
    assert [one.get("directed") for one in edges][-4:] == ["false", None, "false", None]
    first = data(edges[0], "edge")
    assert (first["flows"], first["bytes_out"], first["directed"]) == ("3", "10", "true")
    assert (first["ports"], first["methods"]) == ("443/tcp=1", "capture>heartbeat=3")
    assert keys["edge", "edge_flows"] == ("flows", "long")
    assert keys["edge", "edge_directed"] == ("directed", "boolean")


def mermaid_unescape(text):
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text)


def test_mermaid_quotes_everything_that_it_could_read_as_a_mark(nasty):
    lines = to_mermaid(nasty).splitlines()
    assert lines[0] == "flowchart LR"
    labels = [re.match(r'  (n\d+)\["([^"]*)"\]:::(\w+)$', line) for line in lines if ":::" in line]
    assert [mermaid_unescape(match[2]) for match in labels] == [shown(text) for text in NASTY] + ["(unattributed: gap)"]
    for match in labels:
        rest = re.sub(r"#\d+;", "", match[2])
        assert all(character.isalnum() or character in " -_./:,()+=·" for character in rest)
    drawn = [re.match(r'  (n\d+) (\S+?)\|"([^"]*)"\| (n\d+)$', line) for line in lines if "|" in line]
    assert len(drawn) == len(nasty.edges)
    assert [match[2] for match in drawn][-4:] == ["---", "-.->", "-.-", "-->"]
    assert sum(line.startswith("  classDef ") for line in lines) == 2


def test_a_graph_of_nothing_is_still_a_picture():
    empty = graph_of([], [])
    assert to_dot(empty).endswith("}\n")
    assert to_mermaid(empty) == "flowchart LR\n"
    assert len(ET.fromstring(to_graphml(empty))) == 1  # noqa: S314 - our own text


def test_an_edge_to_a_node_that_is_not_listed_still_has_its_end():
    a, b = Name("service", "a"), Name("external", "b")
    one = graph_of([node(a)], [edge(a, b)])
    assert 'n1 [label="b"' in to_dot(one)
    assert len(ET.fromstring(to_graphml(one)).findall(".//{*}node")) == 2  # noqa: S314 - our own text
