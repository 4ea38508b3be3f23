"""The path to an answer: which keys were asked, what each said, and why the others were not; ports as they are held."""

import pytest
from click.testing import CliRunner
from tiny_lake import at, flow, held, write_lake

from attribution.cli import explain
from attribution.cli import whois as whois_command
from attribution.config import Settings
from attribution.query.explain.flow import explain_flow
from attribution.query.explain.flow_selector import parse_flow
from attribution.query.explain.whois import whois

NAT = "203.0.113.9"
RANGES = [
    held(NAT, "a-1", "a", "12:00:00", "12:00:10", port=40_001, longest_gap=0),
    held(NAT, "b-1", "b", "11:00:00", "14:00:00", port=2048) | {"last_port": 3071},
    held(NAT, "c-1", "c", "12:20:00", "12:20:30", port=2500, longest_gap=0),
    held("10.0.0.1", "web-1", "web", "11:00:00", "14:00:00"),
]
FLOWS = [
    flow("12:00:01", "10.0.0.1:443", f"{NAT}:40001", end=at("12:00:09"), remote_workload="a-1", remote_service="a")
    | {"remote_method": "heartbeat", "remote_reason": "covered", "remote_distance": 0},
    flow("12:00:01", "10.0.0.21:51000", "10.0.0.1:80", wire_address=NAT, wire_port=40_007),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("path") / "lake"
    return write_lake(folder, flows=FLOWS, ranges=RANGES, settings=Settings(translated_prefixes=("203.0.113.0/28",)))


def path_at(lake, time, **asked):
    found = whois(lake, NAT, at=at(time), **asked).to_dict()["answer"]
    return found["workload"], found["reason"], [(step["asked"], step["result"]) for step in found["path"]]


WHOLE, EVENTS = "heartbeats of the whole address", "events and labels"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {"time": "12:30:00", "port": 2100},
            ("b-1", "bridged", [
                ("heartbeats of port 2100/tcp", "unknown"), ("heartbeats of ports 2048-3071/tcp", "bridged"),
                (WHOLE, "not asked"), (EVENTS, "not asked"),
            ]),
        ),
        (
            {"time": "12:20:10", "port": 2500},
            (None, "conflict", [
                ("heartbeats of port 2500/tcp", "covered"), ("heartbeats of ports 2048-3071/tcp", "bridged"),
                (WHOLE, "not asked"), (EVENTS, "not asked"),
            ]),
        ),
        (
            {"time": "12:30:00", "port": 9},
            (None, "shared", [("heartbeats of port 9/tcp", "unknown"), (WHOLE, "shared"), (EVENTS, "not asked")]),
        ),
    ],
)  # fmt: skip
def test_whois_says_what_was_asked_and_what_it_said(lake, asked, expected):
    assert path_at(lake, **asked) == expected


def test_an_address_of_which_nothing_was_seen_falls_to_the_fallback_last(lake):
    answer = whois(lake, "203.0.113.1", at=at("12:00:00")).to_dict()["answer"]
    assert answer["reason"] == "silent"
    assert [(step["asked"], step["result"]) for step in answer["path"]] == [(WHOLE, "unknown"), (EVENTS, "silent")]


def test_explain_shows_the_path_of_each_side_and_the_address_on_the_wire(lake):
    found = explain_flow(lake, parse_flow(f"10.0.0.1:443,{NAT}:40001", last=None)).to_dict()
    assert [step["asked"] for step in found["local"]["path"]] == ["log"]
    assert [step["result"] for step in found["remote"]["path"]] == ["covered", "not asked", "not asked"]
    shown = CliRunner().invoke(explain.command, [str(lake), "--flow", "10.0.0.21:51000,10.0.0.1:80"])
    assert shown.exit_code == 0, shown.output
    assert f"on the wire its local end is {NAT} port 40007/tcp" in shown.output
    assert "heartbeats of port 80/tcp" in shown.output


def test_ranges_of_ports_are_shown_as_such(lake):
    shown = CliRunner().invoke(whois_command.command, [str(lake), NAT])
    assert "2048-3071/tcp" in shown.output
    rows = whois(lake, NAT).to_dict()["ranges"]
    assert {(row["port"], row["last_port"]) for row in rows} == {(2048, 3071), (2500, None), (40_001, None)}
