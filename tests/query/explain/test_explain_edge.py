"""An edge, taken apart by how its flows were answered for."""

import pytest
from tiny_lake import flow, write_lake

from attribution.errors import QueryError
from attribution.query.explain.edge import explain_edge
from attribution.query.lake.selection import Selection


def test_an_edge_is_taken_apart_by_how_its_flows_were_answered_for(session):
    found = explain_edge(session, "web", "api")
    assert [
        (p.source_reason, p.target_reason, p.records, p.flows, p.bytes, p.source_distance, p.target_distance)
        for p in found.parts
    ] == [
        ("reported", "covered", 2, 2, 12100, None, 0),
        # The server logged the first of these again.
        ("covered", "reported", 1, 0, None, 0, None),
        ("reported", "bridged", 1, 1, 550, None, 30_000_000),
    ]
    assert [example.flow for example in found.parts[0].examples] == [
        "10.0.0.1:40001,10.0.0.11:8080,2026-01-05T12:00:10.000000Z",
        "10.0.0.1:40010,10.0.0.11:8080,2026-01-05T13:59:59.000000Z",
    ]
    assert (found.alternatives, found.alternative_count) == ((), 0)


def test_examples_are_those_with_the_oldest_evidence(tmp_path):
    flows = [
        flow(f"12:00:0{n}", f"10.0.0.1:4000{n}", "10.0.0.11:80", remote_reason="bridged", remote_distance=n * 1000)
        for n in range(5)
    ]
    found = explain_edge(write_lake(tmp_path / "lake", flows=flows), "web", "api", examples=2)
    assert [example.target_distance for example in found.parts[0].examples] == [4000, 3000]


def test_an_edge_to_an_unattributed_node_says_who_else_held_the_addresses(session):
    found = explain_edge(session, "web", "(unattributed: gap)")
    assert [(a.side, a.address, a.workload, a.away, a.near_flows) for a in found.alternatives] == [
        ("target", "10.0.0.99", "old-1", 120_000_000, 1),
        ("target", "10.0.0.99", "new-1", 150_000_000, 1),
        ("target", "10.0.0.99", "newer-1", 1_800_000_000, 0),
    ]
    limited = explain_edge(session, "web", "(unattributed: gap)", limit=1)
    assert (len(limited.alternatives), limited.alternative_count) == (1, 3)


def test_the_ends_of_an_edge_may_be_called_as_any_graph_calls_them(session):
    assert sum(part.records for part in explain_edge(session, "web-1", "api-1").parts) == 3
    assert sum(part.records for part in explain_edge(session, "web", "dns.example").parts) == 1
    assert sum(part.records for part in explain_edge(session, "lonely-1", "db").parts) == 1
    # Undirected traffic belongs to the edge whichever way round it is asked for.
    assert sum(part.records for part in explain_edge(session, "db", "web").parts) == 2
    assert sum(part.records for part in explain_edge(session, "web", "db").parts) == 2


def test_filters_and_windows_choose_the_flows_of_an_edge(session):
    found = explain_edge(session, "web", "api", Selection(window="2026-01-05T13..", ports=(8080,)))
    assert [part.flows for part in found.parts] == [1]


def test_an_edge_that_is_not_there_says_so_and_whether_it_runs_the_other_way(session):
    with pytest.raises(QueryError, match=r"no flows from 'api' to 'web'.*turn the edge round"):
        explain_edge(session, "api", "web")
    with pytest.raises(QueryError, match=r"no flows from 'web' to 'wbe'.*lists the edges"):
        explain_edge(session, "web", "wbe")


def test_the_same_reasons_of_different_methods_keep_their_examples_apart(session):
    found = explain_edge(session, "api", "db")
    assert [len(part.examples) for part in found.parts] == [2, 1]
