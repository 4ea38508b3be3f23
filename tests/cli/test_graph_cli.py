"""`attribution graph`: formats, filters, differences, messages."""

import json
from xml.etree import ElementTree as ET

import pytest
from verbs import csv_rows, ok, run


def test_graph_table_says_totals_nodes_and_edges(lake):
    lines = ok("graph", lake).splitlines()
    assert lines[1:4] == [
        "2026-01-05 12:00:10 to 2026-01-05 14:00:01 UTC",
        "15 flow records, of which 4 do not count: traffic that several observers report is counted once",
        "with an unattributed end: 18.2% of flows, 0.1% of bytes (gap 9.1%, unknown 9.1%)",
    ]
    assert lines[0] == "7 nodes, 8 edges, 11 flows, 14 kB"
    web = next(line for line in lines if line.startswith("web "))
    assert web.split()[:8] == ["web", "service", "5", "7", "5.2", "kB", "8.4", "kB"]
    edge = next(line for line in lines if line.startswith("web") and "api" in line)
    assert edge.split()[:5] == ["web", "→", "api", "8080/tcp", "3"]
    assert "client node-1, server node-1 (0 of 1 count)" in edge
    assert any(line.startswith("db         -   web") for line in lines)


def test_graph_json_is_the_graph(lake):
    found = json.loads(ok("graph", lake, "--format", "json", "--window", "2026-01-05T12:00..2026-01-05T12:10"))
    assert found["window"] == {"from": "2026-01-05T12:00:00Z", "to": "2026-01-05T12:10:00Z"}
    assert found["totals"]["flows"] == 2
    (edge,) = found["edges"]
    assert (edge["source"], edge["target"], edge["flows"], edge["first_seen"]) == (
        "web",
        "api",
        2,
        "2026-01-05T12:00:10Z",
    )
    assert edge["ports"] == [{"port": 8080, "protocol": "tcp", "flows": 2}]
    assert {node["node"] for node in found["nodes"]} == {"web", "api"}


def test_graph_csv_has_plain_cells(lake):
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--limit", 1))
    assert len(rows) == 1
    assert (rows[0]["source"], rows[0]["target"], rows[0]["directed"], rows[0]["ports"]) == (
        "web",
        "api",
        "true",
        "8080/tcp=3",
    )
    assert rows[0]["methods"] == "capture>heartbeat=3;heartbeat>capture=1"
    assert (rows[0]["observers"], rows[0]["observer_count"]) == ("source:node-1=3/3;target:node-1=0/1", "2")
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--nodes"))
    assert rows[0]["node"] == "web"
    assert len(rows) == 7


def test_a_limited_table_says_what_it_leaves_out(lake):
    text = ok("graph", lake, "--limit", 2)
    assert "and 5 more nodes: --limit 0 shows all" in text
    assert "and 6 more edges: --limit 0 shows all" in text
    assert "more" not in ok("graph", lake, "--limit", 0)


def test_graph_pictures(lake):
    assert '[label="web",' in ok("graph", lake, "--format", "dot")
    assert ok("graph", lake, "--format", "mermaid").startswith("flowchart LR\n")
    assert len(ET.fromstring(ok("graph", lake, "--format", "graphml")).findall(".//{*}edge")) == 8  # noqa: S314 - our own


def test_graph_filters_are_all_passed_on(lake):
    flags = [
        "--service",
        "we*",
        "--port",
        8080,
        "--protocol",
        "tcp",
        "--region",
        "eu-?",
        "--method",
        "none",
        "--reason",
        "gap",
    ]
    rows = csv_rows(ok("graph", lake, "--format", "csv", *flags))
    assert [(row["source"], row["target"]) for row in rows] == [("web", "(unattributed: gap)")]
    assert csv_rows(ok("graph", lake, "--format", "csv", "--attributed-only", *flags)) == []
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--hostnames", "--protocol", "udp"))
    assert [row["target"] for row in rows] == ["dns.example"]
    rows = csv_rows(ok("graph", lake, "--format", "csv", "--clients-by-port", "--port", 5432, "--service", "web"))
    assert [(row["source"], row["directed"]) for row in rows] == [("web", "true")]


def test_mermaid_warns_of_more_edges_than_it_draws(lake, monkeypatch):
    monkeypatch.setattr("attribution.cli.graph.MERMAID_MAX_EDGES", 3)
    result = run("graph", lake, "--format", "mermaid")
    assert "8 edges, and Mermaid draws at most 3" in result.stderr
    assert "Mermaid" not in result.stdout


def test_diff_as_table_json_and_csv(lake):
    windows = ["--window", "2026-01-05T13:00..2026-01-05T14:00", "--diff", "2026-01-05T12:00..2026-01-05T13:00"]
    text = ok("graph", lake, *windows)
    assert "edges: 3 new, 4 gone, 1 changed by 2.0x or more per second, 0 not" in text
    changed = next(line for line in text.splitlines() if line.startswith("changed"))
    assert changed.split() == [
        "changed",
        "web",
        "→",
        "api",
        "8080/tcp",
        "2",
        "1",
        "1/2.0",
        "1.6",
        "kB",
        "11",
        "kB",
        "6.7x",
    ]
    found = json.loads(ok("graph", lake, "--format", "json", *windows))
    assert (found["unchanged"], len(found["changes"])) == (0, 8)
    rows = csv_rows(ok("graph", lake, "--format", "csv", *windows))
    assert [row["change"] for row in rows].count("new") == 3


@pytest.mark.parametrize("arguments", [("--nodes",), ("--limit", "3"), ("--format", "dot")])
def test_diff_refuses_what_it_would_ignore(lake, arguments):
    result = run("graph", lake, "--diff", "-2h..-1h", *arguments)
    assert result.exit_code == 2
    assert "--diff lists edges" in result.output
