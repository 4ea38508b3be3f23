import pytest
from tiny_lake import at, flow, write_lake

from attribution.errors import QueryError
from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.graph.talkers import talkers


def rows(found, *names):
    return [tuple(talker.to_dict()[name] for name in names) for talker in found.rows]


def test_services_are_the_nodes_of_the_graph(session):
    found = talkers(session)
    expected = {
        (str(n.name), n.flows, n.bytes_sent, n.bytes_received, n.unattributed_flows) for n in graph(session).nodes
    }
    assert set(rows(found, "service", "flows", "bytes_sent", "bytes_received", "unattributed_flows")) == expected
    assert rows(found, "service", "bytes")[:3] == [("web", 13590), ("api", 12763), ("db", 1002)]
    assert rows(found, "service", "bytes")[-1] == ("lonely-1", None)


def test_edges_by_flows(session):
    found = talkers(session, by="edge", order="flows", limit=2)
    assert rows(found, "source", "target", "directed", "flows", "bytes") == [
        ("web", "api", True, 3, 12650),
        ("api", "db", True, 2, 102),
    ]
    assert found.total == 8


def test_ports_are_those_of_servers(session):
    found = talkers(session, by="port", order="flows")
    assert rows(found, "port", "protocol", "flows", "bytes_sent", "bytes_received") == [
        (5432, "tcp", 4, 941, 61),
        (8080, "tcp", 4, 5157, 7500),
        (53, "udp", 1, 1, 2),
        (443, "tcp", 1, 10, 20),
        (9000, "tcp", 1, 5, 6),
    ]


def test_addresses_count_their_own_log_or_that_of_their_peers_never_both(session):
    found = {
        row[0]: row[1:]
        for row in rows(talkers(session, by="address"), "address", "service", "flows", "bytes_sent", "bytes_received")
    }
    # 10.0.0.1 logs all it does itself; 10.0.0.11 logs less than its peers and itself have seen of it.
    assert found["10.0.0.1"] == ("web", 5, 5117, 7920)
    assert found["10.0.0.11"] == ("api", 6, 7546, 5217)
    assert found["52.1.2.3"] == ("object store", 1, 20, 10)
    assert found["8.8.8.8"] == (None, 1, 2, 1)


def test_workloads_and_the_unattributed_by_reason(session):
    found = talkers(session, by="workload", order="packets", limit=None)
    listed = {row[0]: row[1:] for row in rows(found, "workload", "kind", "service", "flows")}
    assert listed["web-2"] == ("workload", "web", 2)
    assert listed["lonely-1"] == ("workload", None, 1)
    assert listed["object store"] == ("external", "object store", 1)
    assert listed["(unattributed: gap)"] == ("unattributed", None, 1)


def test_filters_and_windows_apply(session):
    found = talkers(session, GraphSelection(reasons=("gap",), window="2026-01-05T12..2026-01-05T13"), by="address")
    assert sorted(rows(found, "address", "unattributed_flows", "first_seen")) == [
        ("10.0.0.1", 1, at("12:20:00")),
        ("10.0.0.99", 1, at("12:20:00")),
    ]


def test_an_address_that_two_services_had_has_no_one_service(tmp_path):
    flows = [
        flow("12:00:00", "10.0.0.1:40000", "10.7.0.1:80", remote_service=service, remote_method="heartbeat")
        for service in ("one", "two")
    ]
    found = talkers(write_lake(tmp_path / "lake", flows=flows), by="address", order="flows")
    assert set(rows(found, "address", "service", "flows")) == {("10.0.0.1", "web", 2), ("10.7.0.1", None, 2)}


@pytest.mark.parametrize("by", ["service", "workload", "address", "port", "edge"])
def test_an_empty_lake_has_no_talkers(tmp_path, by):
    found = talkers(write_lake(tmp_path / "empty"), by=by)
    assert (found.rows, found.total) == ((), 0)


def test_other_lists_are_refused(session):
    with pytest.raises(QueryError, match="choose service, workload, address, port, edge"):
        talkers(session, by="colour")
    with pytest.raises(QueryError, match="choose bytes, flows, packets"):
        talkers(session, order="size")
