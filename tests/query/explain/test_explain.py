import json

import pytest
from tiny_lake import at, flow, held, traffic, write_lake

from attribution.errors import QueryError
from attribution.query.explain.edge import explain_edge
from attribution.query.explain.flow import FIND_FLOWS, explain_flow
from attribution.query.explain.flow_selector import FlowSelector, flow_key, parse_flow, selector
from attribution.query.lake.selection import Selection
from attribution.query.lake.window import OPEN, Window


def explained(session, **words):
    return explain_flow(session, selector(last=at("13:59:59"), **words))


def test_each_side_says_its_rule_and_its_evidence(session):
    found = explained(session, local="10.0.0.2:40002", remote="10.0.0.11:8080")
    assert (found.flow["start"], found.alike) == (at("12:05:00"), 1)
    local, remote = found.local, found.remote
    assert (local.method, local.reason, local.verdict, local.witnesses) == ("capture", "reported", None, ())
    assert (remote.workload, remote.service, remote.reason, remote.distance) == ("api-1", "api", "bridged", 30_000_000)
    assert (remote.verdict.asked_from, remote.verdict.asked_to) == (at("12:04:59"), at("12:05:01"))
    assert [(w.role, w.workload, w.finding) for w in remote.witnesses] == [
        ("decided", "api-1", "seen before and after, nobody else between")
    ]


def test_the_words_are_those_of_the_answer_that_the_lake_holds(session):
    # Ranges alone cannot tell covered from bridged; the attribution knew the heartbeats.
    found = explained(session, local="10.0.0.1:40001", remote="10.0.0.11")
    assert (found.remote.reason, found.remote.verdict.reason) == ("covered", "bridged")
    assert found.remote.witnesses[0].finding == "seen without interruption during all of the time asked about"


def test_a_connection_answered_from_within_names_who_was_seen(tmp_path):
    one = flow(
        "12:00:00", "10.0.0.1:40000", "10.0.0.9:80", end=at("12:10:00"), remote_workload="late-1",
        remote_service="late", remote_method="heartbeat", remote_reason="within", remote_distance=5_000_000,
    )  # fmt: skip
    ranges = [held("10.0.0.9", "late-1", "late", "12:00:05", "12:30:00")]
    found = explain_flow(
        write_lake(tmp_path / "lake", flows=[one], ranges=ranges), selector(remote="10.0.0.9", last=None)
    )
    assert [(w.role, w.workload, w.finding) for w in found.remote.witnesses] == [
        ("decided", "late-1", "first seen 5s after the start, alone, with nobody before")
    ]


def test_an_unattributed_side_says_why_it_was_nobody(session):
    found = explained(session, remote="10.0.0.99")
    assert (found.remote.method, found.remote.reason) == ("none", "gap")
    assert [(w.role, w.workload) for w in found.remote.witnesses] == [("other", "old-1"), ("other", "new-1")]
    as_json = found.to_dict()["remote"]
    assert as_json["witnesses"][0]["finding"] == "last seen 1m 59s before the time asked about"
    json.dumps(found.to_dict(), default=str)


def test_a_label_is_shown_with_what_it_is_part_of(session):
    found = explained(session, remote="52.1.2.3")
    assert [label.prefix for label in found.remote.evidence.labels] == ["52.1.0.0/16", "52.0.0.0/8"]
    assert (found.remote.service, found.remote.verdict.service) == ("object store", "object store")


def test_a_window_asks_for_all_of_it(session):
    found = explained(session, local="10.0.0.21", remote="10.0.0.1")
    assert (found.remote.verdict.asked_from, found.remote.verdict.asked_to) == (at("12:59:59"), at("13:10:01"))


def test_every_flow_key_finds_its_flow(session):
    for row in session.ask(
        FIND_FLOWS, local_address=None, local_port=None, remote_address=None, remote_port=None, limit=100,
        **OPEN.parameters(),
    ):  # fmt: skip
        found = explain_flow(session, parse_flow(flow_key(row), last=None))
        assert flow_key(found.flow) == flow_key(row)


def test_several_flows_are_listed_instead_of_guessed(session):
    with pytest.raises(QueryError) as caught:
        explained(session, local="10.0.0.1")
    message = str(caught.value)
    assert message.startswith("5 flows fit; say more")
    assert "\n  --flow 10.0.0.1:40001,10.0.0.11:8080,2026-01-05T12:00:10.000000Z\n" in message


def test_rows_with_the_same_ends_and_start_are_counted(tmp_path):
    twice = [flow("12:00:00", "10.0.0.1:40000", "10.0.0.11:80", **traffic(size, 0)) for size in (1, 2)]
    found = explain_flow(write_lake(tmp_path / "lake", flows=twice), selector(local="10.0.0.1", last=None))
    assert found.alike == 2


def test_a_flow_that_is_not_there_says_what_was_looked_for(session):
    with pytest.raises(
        QueryError, match=r"no flow of .* has local 10\.0\.0\.1:1, remote \[2001:db8::7\]:2, start 2026"
    ):
        explained(session, local="10.0.0.1:1", remote="[2001:db8::7]:2", start="2026-01-05T12:00")


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        ("2026-01-05", "2026-01-05T00:00:00", "2026-01-06T00:00:00"),
        ("2026-01-05T12", "2026-01-05T12:00:00", "2026-01-05T13:00:00"),
        ("2026-01-05T12:00", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("20260105T1200", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("2026-01-05T12:00:10Z", "2026-01-05T12:00:10", "2026-01-05T12:00:11"),
        ("2026-01-05T13:00+01:00", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("2026-01-05T12:00:10.5", "2026-01-05T12:00:10.500000", "2026-01-05T12:00:10.600000"),
        ("2026-01-05T12:00:10.500000Z", "2026-01-05T12:00:10.500000", "2026-01-05T12:00:10.500001"),
    ],
)
def test_a_start_is_as_exact_as_it_is_written(start, first, last):
    found = selector(start=start, last=None).starts
    assert [moment.replace(tzinfo=None).isoformat() for moment in (found.start, found.end)] == [first, last]


def test_a_flow_may_be_written_in_one_piece():
    assert parse_flow("10.0.0.1, [::1]:80 ,2026-01-05T12:00:10", last=None) == FlowSelector(
        local_address="10.0.0.1",
        remote_address="::1",
        remote_port=80,
        starts=Window(at("12:00:10"), at("12:00:11")),
    )
    assert parse_flow("::ffff:10.0.0.1,2001:db8::7", last=None) == FlowSelector(
        local_address="10.0.0.1", remote_address="2001:db8::7"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1", "LOCAL:PORT,REMOTE:PORT,START"),
        ("a,b,c,d", "LOCAL:PORT,REMOTE:PORT,START"),
        ("10.0.0.1:99999,10.0.0.2", "ports are 0 to 65535"),
        ("10.0.0.1:http,10.0.0.2", "is no address"),
        ("[10.0.0.1:80,10.0.0.2", "cannot read the endpoint|is no address"),
        ("10.0.0.1,10.0.0.2,noon", "cannot read the time 'noon'"),
    ],
)
def test_a_flow_that_cannot_be_read_says_how_to_write_it(text, message):
    with pytest.raises(QueryError, match=message):
        parse_flow(text, last=None)


def test_an_edge_is_taken_apart_by_how_its_flows_were_answered_for(session):
    found = explain_edge(session, "web", "api")
    assert [
        (p.source_reason, p.target_reason, p.flows, p.bytes, p.source_distance, p.target_distance) for p in found.parts
    ] == [
        ("reported", "covered", 2, 12100, None, 0),
        ("covered", "reported", 1, 1100, 0, None),
        ("reported", "bridged", 1, 550, None, 30_000_000),
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
    assert sum(part.flows for part in explain_edge(session, "web-1", "api-1").parts) == 3
    assert sum(part.flows for part in explain_edge(session, "web", "dns.example").parts) == 1
    assert sum(part.flows for part in explain_edge(session, "lonely-1", "db").parts) == 1
    # Undirected traffic belongs to the edge whichever way round it is asked for.
    assert sum(part.flows for part in explain_edge(session, "db", "web").parts) == 2
    assert sum(part.flows for part in explain_edge(session, "web", "db").parts) == 2


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
