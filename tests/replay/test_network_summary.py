"""The summary of a run says how many sides networks leave open, and which routes would name them."""

import json
from pathlib import Path

import pytest
from verbs import ok

from attribution.lake.lake import read_manifest
from attribution.replay import Inputs, Limits, replay

NOBODY = {"other_network": 0, "several_networks": 0, "unsaid": 0, "routes": [], "more_routes": 0}


def beats(address, network, workload, last=30):
    return [
        {"address": address, "network": network, "workload": workload, "start": time, "end": time}
        for time in (f"2026-03-02T10:{minute:02}:00Z" for minute in range(last))
    ]


def flow(clock, remote, view, told=None):
    moment = f"2026-03-02T{clock}Z"
    return {
        "local_address": "10.9.0.9", "local_workload": "client", "remote_address": remote, "local_network": view,
        "remote_network": told, "start": moment, "end": moment, "basis": "connection", "protocol": 6,
    }  # fmt: skip


HEARTBEATS = [
    *beats("10.1.0.5", "east", "shop"),
    *beats("10.1.0.5", "west", "ads"),
    *beats("10.1.0.9", "west", "db"),
    *beats("192.0.2.7", None, "balancer"),
]
EVENTS = [
    {"address": "198.51.100.1", "network": "west", "action": "assign", "owner": "x", "time": "2026-03-02T09:00:00Z"}
]
FLOWS = [
    flow("10:10:00", "10.1.0.5", "east"),
    # The evidence is west's; the second time it is over, and names nobody.
    flow("10:10:01", "10.1.0.9", "east"),
    flow("10:50:00", "10.1.0.9", "east"),
    flow("10:10:03", "198.51.100.1", "east"),
    flow("10:10:04", "192.0.2.7", "east"),
    # The evidence of two networks, each of which a route would let answer.
    flow("10:10:05", "10.1.0.5", "south"),
    # No route leads away from what the log tells, and none from where the flow does not say.
    flow("10:10:06", "10.1.0.9", "east", "north"),
    flow("10:10:07", "10.1.0.9", None),
]
ROUTES = [
    {"route": "east,west", "sides": 3, "named": 2},
    {"route": "east,-", "sides": 1, "named": 1},
    {"route": "south,east", "sides": 1, "named": 1},
    {"route": "south,west", "sides": 1, "named": 1},
]


@pytest.fixture
def logs(tmp_path):
    """The options that name the logs."""
    options = []
    for kind, rows in (("flows", FLOWS), ("heartbeats", HEARTBEATS), ("assignments", EVENTS)):
        path = tmp_path / f"{kind}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options += [f"--{kind}", str(path)]
    return options


def test_the_summary_and_the_manifest_count_what_networks_leave_open_and_which_routes_would_name_it(logs, tmp_path):
    found = json.loads(ok("replay", *logs, "--out", tmp_path / "lake", "--format", "json"))
    expected = NOBODY | {"other_network": 7, "unsaid": 1, "routes": ROUTES}
    assert found["networks"] == expected
    assert read_manifest(tmp_path / "lake")["summary"]["networks"] == expected
    assert found["metrics"]["attributed.remote.none.other_network"] == 7


def test_the_counts_are_the_same_if_evidence_goes_through_slabs(logs, tmp_path):
    given = {option.removeprefix("--"): [path] for option, path in zip(logs[::2], logs[1::2], strict=True)}
    earlier = [beat | dict.fromkeys(("start", "end"), "2026-03-02T08:30:00Z") for beat in HEARTBEATS]
    (tmp_path / "earlier.jsonl").write_text("".join(json.dumps(row) + "\n" for row in earlier))
    given["heartbeats"].append(tmp_path / "earlier.jsonl")
    whole = replay(Inputs(**given), tmp_path / "lake")
    cut = replay(Inputs(**given), tmp_path / "lake", limits=Limits(evidence_rows=10, flow_bytes=0))
    assert (whole.slabs, cut.slabs) == (1, 2)
    assert cut.networks() == whole.networks()
    assert whole.networks()["routes"] == ROUTES


def test_what_a_route_was_said_to_name_it_names(logs, tmp_path):
    found = json.loads(ok("replay", *logs, "--out", tmp_path / "lake", "--format", "json"))
    more = ("--route", "east,west", "--format", "json")
    after = json.loads(ok("replay", *logs, "--out", tmp_path / "lake", *more))
    before = found["metrics"]["attributed.remote.none.other_network"]
    assert after["metrics"]["attributed.remote.none.other_network"] == before - ROUTES[0]["sides"]
    named = (
        after["metrics"]["attributed.remote.heartbeat.bridged"]
        + after["metrics"]["attributed.remote.assignment.assigned"]
    )
    assert named == ROUTES[0]["named"]
    # East and west both have this address, so the route takes the answer that was.
    assert after["networks"]["several_networks"] == 1


def test_a_person_reads_routes_ready_to_copy(logs, tmp_path):
    shown = ok("replay", *logs, "--out", tmp_path / "lake")
    assert "7 sides not named, because the evidence is another network's (other_network).\n" in shown
    assert "Declare a route only if you know" in shown
    assert "  --route east,west    evidence for 3 sides, which would name 2\n" in shown
    assert "  --route east,-       evidence for 1 side, which would name 1\n" in shown
    assert "Of 1 side the flow does not say the network: --network flows=NAME gives it one.\n" in shown
    shown = ok("replay", *logs, "--out", tmp_path / "lake", "--route", "east,west")
    assert "1 side not named, because routes lead to several networks that have the address" in shown


def test_five_routes_are_listed_and_the_others_are_counted(logs, tmp_path):
    flows = [flow("10:10:00", "10.1.0.9", f"n{number}") for number in range(7)]
    (tmp_path / "flows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flows))
    found = json.loads(ok("replay", *logs, "--out", tmp_path / "lake", "--format", "json"))["networks"]
    assert [one["route"] for one in found["routes"]] == [f"n{number},west" for number in range(5)]
    assert found["more_routes"] == 2
    assert "  and 2 more\n" in ok("replay", *logs, "--out", tmp_path / "lake")


@pytest.mark.parametrize("options", [("--one-space",), ()])
def test_without_networks_nothing_speaks_of_them(logs, tmp_path, options):
    if not options:
        for path in logs[1::2]:
            rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
            plain = [{name: value for name, value in row.items() if not name.endswith("network")} for row in rows]
            Path(path).write_text("".join(json.dumps(row) + "\n" for row in plain))
    shown = ok("replay", *logs, "--out", tmp_path / "lake", *options)
    assert "network" not in shown.split("Lake:")[0]
    assert "route" not in shown
    assert read_manifest(tmp_path / "lake")["summary"]["networks"] == NOBODY


def test_a_route_is_listed_once_with_what_it_does_both_ways(logs, tmp_path):
    flows = [*FLOWS[:3], *(flow(f"10:10:1{n}", "10.3.0.1", "west") for n in range(2))]
    (tmp_path / "flows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flows))
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in beats("10.3.0.1", "east", "mail")))
    options = (*logs, "--heartbeats", tmp_path / "more.jsonl", "--out", tmp_path / "lake", "--format", "json")
    before = json.loads(ok("replay", *options))["networks"]
    assert before["routes"] == [{"route": "east,west", "sides": 4, "named": 3}]
    after = json.loads(ok("replay", *options, "--route", "east,west"))["networks"]
    assert after["other_network"] == before["other_network"] - 4


def test_evidence_without_a_network_may_be_given_one_instead_of_a_route(logs, tmp_path):
    hint = "A route to - is for evidence that names no network. If you know its network, say it instead:\n"
    assert hint in ok("replay", *logs, "--out", tmp_path / "lake")
    flows = [flow("10:10:01", "10.1.0.9", "east")]
    (tmp_path / "flows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flows))
    assert hint not in ok("replay", *logs, "--out", tmp_path / "lake")
