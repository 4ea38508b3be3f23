"""The graph of the tiny lake, number by number, and of random lakes against a slow reading of the same rules."""

import random
from collections import defaultdict
from datetime import timedelta

import pytest
from counting_oracle import which_count
from tiny_lake import DAY, FLOWS, at, flow, traffic, write_lake

from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.lake.window import Window


def edges(found):
    return {(str(edge.source), "->" if edge.directed else "--", str(edge.target)): edge for edge in found.edges}


def nodes(found):
    return {str(node.name): node for node in found.nodes}


def test_edges_run_from_client_to_server_and_count_once_what_both_ends_log(session):
    found = edges(graph(session))
    assert {ends: (e.flows, e.bytes_out, e.bytes_back, e.packets_out, e.packets_back) for ends, e in found.items()} == {
        ("web", "->", "api"): (3, 5150, 7500, 4, 5),
        ("api", "->", "db"): (2, 41, 61, 2, 2),
        ("api", "->", "api"): (1, 5, 6, 1, 1),
        ("web", "->", "object store"): (1, 10, 20, 1, 1),
        ("web", "->", "(unattributed: gap)"): (1, 7, 0, 1, 1),
        ("web", "->", "(unattributed: unknown)"): (1, 1, 2, 1, 1),
        ("db", "--", "web"): (1, 900, None, 9, None),
        ("lonely-1", "->", "db"): (1, None, None, None, None),
    }


def test_an_edge_says_what_each_end_logged_on_which_ports_and_by_which_methods(session):
    found = edges(graph(session))
    edge = found["api", "->", "db"]
    assert (edge.source_records, edge.target_records) == (1, 2)
    assert [str(port) for port in edge.ports] == ["5432/tcp"]
    assert [(m.source, m.target, m.flows) for m in edge.methods] == [
        ("heartbeat", "capture", 2),
        ("capture", "heartbeat", 1),
    ]
    assert (edge.first_seen, edge.last_seen) == (at("12:10:00"), at("12:11:02"))
    assert found["web", "->", "(unattributed: unknown)"].ports[0].protocol == "udp"
    # Nobody knows who serves whom: the lower of the two ports.
    assert [port.port for port in found["db", "--", "web"].ports] == [5432]


def test_nodes_sum_their_edges_and_say_what_share_is_unattributed(session):
    found = nodes(graph(session))
    assert {name: (n.name.kind, n.flows, n.bytes_sent, n.bytes_received, n.peers) for name, n in found.items()} == {
        "web": ("service", 7, 5168, 8422, 5),
        "api": ("service", 6, 7552, 5222, 3),
        "db": ("service", 4, 961, 41, 3),
        "object store": ("external", 1, 20, 10, 1),
        "lonely-1": ("service", 1, None, None, 1),
        "(unattributed: gap)": ("unattributed", 1, 0, 7, 1),
        "(unattributed: unknown)": ("unattributed", 1, 2, 1, 1),
    }
    assert (found["web"].unattributed_flows, found["web"].unattributed_bytes) == (2, 10)
    assert (found["db"].unattributed_flows, found["db"].unattributed_bytes) == (0, 0)


def test_totals_count_everything(session):
    totals = graph(session).totals
    assert (totals.flows, totals.records, totals.bytes) == (11, len(FLOWS), 12650 + 102 + 11 + 30 + 7 + 3 + 900)
    assert (totals.unattributed_flows, totals.unattributed_bytes) == (2, 10)
    assert totals.unattributed_reasons == {"gap": 1, "unknown": 1}
    assert (totals.first_seen, totals.last_seen) == (at("12:00:10"), at("14:00:01"))


def test_unattributed_nodes_and_edges_come_last(session):
    found = graph(session)
    assert [str(node.name) for node in found.nodes][-2:] == ["(unattributed: gap)", "(unattributed: unknown)"]
    assert [str(edge.target) for edge in found.edges][-2:] == ["(unattributed: gap)", "(unattributed: unknown)"]


def test_attributed_only_hides_them_and_still_counts_them(session):
    found = graph(session, attributed_only=True)
    assert all(edge.source.attributed and edge.target.attributed for edge in found.edges)
    assert found.edge_count == len(found.edges) == 6
    assert nodes(found)["web"].unattributed_flows == 2
    assert found.totals.unattributed_flows == 2


def test_hostnames_name_unattributed_ends_only_and_stay_unattributed(session):
    found = graph(session, GraphSelection(hostnames=True))
    assert nodes(found)["dns.example"].name.kind == "hostname"
    assert "bucket.example" not in nodes(found)
    assert "(unattributed: unknown)" not in nodes(found)
    assert found.totals.unattributed_flows == 2


def test_clients_by_port_directs_what_nobody_logged(session):
    found = edges(graph(session, GraphSelection(clients_by_port=True)))
    assert found["web", "->", "db"].bytes_back == 900
    assert all(edge.directed for edge in found.values())


def test_a_limit_keeps_the_edges_with_most_bytes_and_their_nodes(session):
    found = graph(session, limit=2)
    assert list(edges(found)) == [("web", "->", "api"), ("db", "--", "web")]
    assert set(nodes(found)) == {"web", "api", "db"}
    assert found.edge_count == 8
    assert nodes(found)["web"].flows == 7
    found = graph(session, limit=4, top_nodes=True)
    assert list(nodes(found)) == ["web", "api", "db", "object store"]
    assert (len(found.edges), found.node_count) == (4, 7)


def test_by_workload(session):
    found = graph(session, by="workload")
    assert edges(found)["web-1", "->", "api-1"].flows == 2
    assert edges(found)["web-2", "->", "api-1"].flows == 1
    assert nodes(found)["web-1"].service == "web"
    assert nodes(found)["lonely-1"].service is None
    assert nodes(found)["web-1"].name.kind == "workload"


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (GraphSelection(services=("lone*",)), {("lonely-1", "db")}),
        (
            GraphSelection(services=("d?", "object*")),
            {("api", "db"), ("db", "web"), ("lonely-1", "db"), ("web", "object store")},
        ),
        (GraphSelection(ports=(443, 53)), {("web", "object store"), ("web", "(unattributed: unknown)")}),
        (GraphSelection(ports=(40001,)), set()),
        (GraphSelection(protocols=("udp",)), {("web", "(unattributed: unknown)")}),
        (GraphSelection(protocols=(17,)), {("web", "(unattributed: unknown)")}),
        (GraphSelection(regions=("us-*",)), {("api", "db")}),
        (GraphSelection(methods=("label",)), {("web", "object store")}),
        (GraphSelection(reasons=("gap", "bridged")), {("web", "(unattributed: gap)"), ("web", "api")}),
        (GraphSelection(services=("api",), ports=(5432,)), {("api", "db")}),
        (GraphSelection(services=("nobody",)), set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # a set's own order differs by process
)
def test_filters(session, selection, expected):
    assert {(str(edge.source), str(edge.target)) for edge in graph(session, selection).edges} == expected


def test_undirected_traffic_passes_a_port_filter_by_either_end(session):
    assert list(edges(graph(session, GraphSelection(ports=(50000,))))) == [("db", "--", "web")]


@pytest.mark.parametrize(
    ("window", "flows"),
    [
        (None, 11),
        ("..", 11),
        ("2026-01-05T13:00..", 4),
        ("..2026-01-05T12:10", 2),
        ("2026-01-05T12:10..2026-01-05T12:11", 1),
        ("2026-01-05T12:10..2026-01-05T12:11:00.000001", 2),
        ("2026-01-05T14:00+02:00..2026-01-05T14:05+02:00", 1),
        ("-1h..", 4),
        ("-2h..-1h", 7),
        ("2026-01-06..", 0),
        (Window(at("13:30:00"), at("13:40:00")), 1),
    ],
)
def test_windows_are_by_flow_start_closed_below_and_open_above(session, window, flows):
    assert graph(session, GraphSelection(window=window)).totals.flows == flows


def test_an_empty_lake_answers_with_nothing(tmp_path):
    found = graph(write_lake(tmp_path / "empty"), GraphSelection(window="2026-01-01.."))
    assert (found.nodes, found.edges, found.edge_count) == ((), (), 0)
    assert (found.totals.flows, found.totals.bytes, found.totals.first_seen) == (0, None, None)


def test_a_service_called_like_a_placeholder_is_not_the_placeholder(tmp_path):
    odd = {"remote_service": "gap", "remote_workload": "w", "remote_method": "heartbeat"}
    flows = [
        flow("12:00:00", "10.0.0.1:40000", "10.7.0.1:80", **odd, **traffic(1, 1)),
        flow("12:00:00", "10.0.0.1:40000", "10.7.0.2:80", remote_reason="gap", **traffic(2, 2)),
    ]
    found = graph(write_lake(tmp_path / "odd", flows=flows))
    assert {(node.name.kind, node.name.text): node.bytes_sent for node in found.nodes} == {
        ("service", "web"): 3,
        ("service", "gap"): 1,
        ("unattributed", "gap"): 2,
    }


def test_a_name_that_events_and_heartbeats_use_is_one_service(tmp_path):
    by_event = {
        "remote_service": "api",
        "remote_workload": "lb-1",
        "remote_method": "assignment",
        "remote_reason": "assigned",
    }
    flows = [
        flow("12:00:00", "10.0.0.1:40000", "10.7.0.1:80", **by_event),
        flow("12:00:00", "10.0.0.1:40000", "10.0.0.11:80"),
    ]
    found = graph(write_lake(tmp_path / "both", flows=flows))
    assert nodes(found)["api"].name.kind == "service"
    assert edges(found)["web", "->", "api"].flows == 2


def test_a_record_that_counts_one_way_only_does_not_say_who_opened(tmp_path):
    """NetObserv reports the way back as a record of its own: it is no connection from the server to its client."""
    forth = flow("12:00:00", "10.0.0.1:40000", "10.0.0.11:80", bytes_sent=100, bytes_received=None, direction="egress")
    back = flow("12:00:00", "10.0.0.1:40000", "10.0.0.11:80", bytes_sent=None, bytes_received=900, direction="ingress")
    found = write_lake(tmp_path / "one_way", flows=[forth, back])
    assert edges(graph(found)).keys() == {("api", "--", "web")}
    (edge,) = edges(graph(found, GraphSelection(clients_by_port=True))).values()
    assert (str(edge.source), str(edge.target), edge.bytes_out, edge.bytes_back) == ("web", "api", 100, 900)


def naive_edges(flows):
    """Edges by the words of the documentation: flow by flow, of those that count."""
    sums = defaultdict(lambda: defaultdict(int))
    for one, counts in zip(flows, which_count(flows), strict=True):
        if not counts:
            continue
        ends = [
            (2, one[f"{side}_reason"])
            if one[f"{side}_method"] == "none"
            else (0, one[f"{side}_service"] or one[f"{side}_workload"])
            for side in ("local", "remote")
        ]
        two_way = (one["bytes_sent"] or 0) > 0 and (one["bytes_received"] or 0) > 0
        one_way_record = (one["bytes_sent"] is None) != (one["bytes_received"] is None)
        directed = one["direction"] is not None and ((one["basis"] == "connection" and not one_way_record) or two_way)
        if directed:
            forward = one["direction"] == "egress"
        else:
            forward = [*ends[0], one["local_address"]] <= [*ends[1], one["remote_address"]]
        source, target = ends if forward else reversed(ends)
        sizes = {way: one[f"bytes_{way}"] if way in counts else None for way in ("sent", "received")}
        out, back = (sizes["sent"], sizes["received"]) if forward else (sizes["received"], sizes["sent"])
        total = sums[source, target, directed]
        total["flows"] += 1
        for measure, value in (("out", out), ("back", back)):
            if value is not None:
                total[measure] += value
    return {key: dict(value) for key, value in sums.items()}


@pytest.mark.parametrize("seed", range(6))
def test_random_lakes_agree_with_a_slow_reading_of_the_rules(tmp_path, seed):
    rng = random.Random(seed)
    addresses = [*HOST_ADDRESSES, "10.8.0.1", "10.8.0.2"]
    flows = []
    for _ in range(400):
        local, remote = rng.choice(HOST_ADDRESSES), rng.choice(addresses)
        basis = rng.choice(["connection", "window"])
        sizes = [rng.choice([None, 0, rng.randrange(1000)]) for _ in range(2)]
        fields = {
            "basis": basis,
            "direction": rng.choice(["egress", "ingress", None]),
            "protocol": rng.choice([6, 17]),
            "bytes_sent": sizes[0],
            "bytes_received": sizes[1],
        }
        if rng.random() < 0.2:
            fields |= {
                "local_method": "none",
                "local_reason": "conflict",
                "local_workload": None,
                "local_service": None,
            }
        start = DAY + timedelta(seconds=rng.randrange(86_400))
        ports = rng.choice([80, 443, 40000]), rng.choice([80, 5432, 50000])
        flows.append(flow(start, f"{local}:{ports[0]}", f"{remote}:{ports[1]}", **fields))
    found = graph(write_lake(tmp_path / "random", flows=flows))
    made = {}
    for edge in found.edges:
        ends = [(0 if name.attributed else 2, name.text) for name in (edge.source, edge.target)]
        made[(*ends, edge.directed)] = {
            name: value
            for name, value in (("flows", edge.flows), ("out", edge.bytes_out), ("back", edge.bytes_back))
            if value is not None
        }
    assert made == naive_edges(flows)


HOST_ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.11", "10.0.0.12", "10.0.0.21", "10.0.0.31"]
