"""One flow, with the rule, the evidence and the others on each side."""

import json

import pytest
from tiny_lake import at, flow, held, traffic, write_lake

from attribution.errors import QueryError
from attribution.query.explain.flow import FIND_FLOWS, explain_flow
from attribution.query.explain.flow_selector import flow_key, parse_flow, selector
from attribution.query.lake.window import OPEN


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
        FIND_FLOWS, local_address=None, local_port=None, remote_address=None, remote_port=None, network=None,
        limit=100, **OPEN.parameters(),
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
