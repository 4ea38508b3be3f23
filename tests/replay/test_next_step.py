"""A run that named few remote sides ends with the most likely cause and the command that says more."""

import json
import shlex

import pytest
from verbs import ok, run

from attribution.errors import RejectLimitError


def at(minute):
    return f"2026-03-02T10:{minute:02}:00Z"


def flow(minute, **more):
    fields = {"local_address": "10.0.0.1", "remote_address": "10.0.0.2", "protocol": 6, "basis": "connection"}
    return fields | {"start": at(minute), "end": at(minute), "remote_port": 443} | more


def beat(minute, **more):
    return {"address": "10.0.0.2", "workload": "b-1", "start": at(minute), "end": at(minute)} | more


FLOWS = [flow(minute) for minute in range(4, 10)]
EVERY_MINUTE = range(15)
HUBBLE = {
    "flow": {
        "time": at(0), "verdict": "FORWARDED", "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"},
        "node_name": "n1", "source": {"namespace": "shop", "pod_name": "cart-0"},
    }
}  # fmt: skip

#: Case -> flows, heartbeats, reason, part of the cause.
CASES = {
    "no evidence": (FLOWS, [], "unknown", "There is no evidence of who held an address."),
    "nobody seen there": (FLOWS, [beat(4, address="10.0.0.3")], "unknown", "Nobody was seen at these addresses."),
    "other addresses": (FLOWS, [beat(4, address="10.0.0.3")], "unknown", "All heartbeats are of other addresses."),
    "two in a long time": (
        [flow(1, end=at(12), basis="window")],
        [*(beat(n) for n in range(5)), *(beat(n, workload="b-2") for n in range(6, 14))],
        "conflict",
        "The flows are long, and the addresses came from one workload to another",
    ),
    "another day": (
        FLOWS,
        [beat(0, start="2026-02-27T10:00:00Z", end="2026-02-27T10:10:00Z")],
        "unknown",
        "The flows start from 2026-03-02 10:04:00 to 2026-03-02 10:09:00, but the heartbeats are from 2026-02-27 ",
    ),
    "an hour before": (
        FLOWS,
        [beat(0, start="2026-03-02T09:00:00Z", end="2026-03-02T09:10:00Z")],
        "gap",
        "but the heartbeats are from 2026-03-02 09:00:00 to 2026-03-02 09:10:00 (UTC)",
    ),
    "rare heartbeats": (FLOWS, [beat(0), beat(14)], "gap", "Send one a minute."),
    "by port": (FLOWS, [beat(n, port=22, protocol=6) for n in EVERY_MINUTE], "shared", "heartbeats with port"),
    "two workloads": (
        FLOWS,
        [beat(n, workload=name) for n in EVERY_MINUTE for name in ("b-1", "b-2")],
        "conflict",
        "names that two sources spell differently",
    ),
    "another network": (FLOWS, [beat(n, network="east") for n in EVERY_MINUTE], "other_network", "--network"),
    "a field mask": ([HUBBLE], [], "unknown", "hubble logs have no source.ID, destination.ID: "),
}


@pytest.fixture
def logs(tmp_path):
    """Writes logs, and gives the options that name them."""

    def write(flows, beats):
        options = []
        for kind, rows in (("flows", flows), ("heartbeats", beats)):
            path = tmp_path / f"{kind}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            options += [f"--{kind}", str(path)] if rows else []
        return [*options, "--out", str(tmp_path / "lake")]

    return write


@pytest.mark.parametrize("case", CASES)
def test_the_most_likely_cause_is_told_with_the_command_that_says_more(case, logs):
    flows, beats, reason, cause = CASES[case]
    options = logs(flows, beats)
    step = json.loads(ok("replay", *options, "--format", "json"))["next_step"]
    assert (step["reason"], step["share"], step["share_of_reason"]) == (reason, 0, 1)
    assert cause in step["cause"]
    told = ok("replay", *options)
    assert f"No flow has a named remote side; 100.0% have the reason {reason}. {step['cause']}\n" in told
    last = told.splitlines()[-1]
    assert last == f"To learn more: {shlex.join(step['command'])}"
    assert run(*step["command"][1:]).exit_code == 0


def test_the_command_takes_what_the_run_was_told_of_its_inputs(logs):
    options = [*logs(FLOWS, [beat(4)]), "--network", "heartbeats=east", "--network", "west", "--input-format", "native"]
    flows, beats = options[1], options[3]
    step = json.loads(ok("replay", *options, "--format", "json"))["next_step"]
    networks = ["--network", f"{beats}=east", "--network", "west"]
    assert step["command"] == ["attribution", "inspect", flows, beats, *networks, "--input-format", "native"]
    assert run(*step["command"][1:]).exit_code == 0


@pytest.mark.parametrize(("named", "said"), [(3, True), (4, False)])
def test_nothing_is_said_if_half_of_the_remote_sides_are_named(named, said, logs):
    flows = [flow(minute) for minute in range(1, named + 1)]
    flows += [flow(4, remote_address="10.9.9.9") for _ in range(8 - named)]
    options = logs(flows, [beat(minute) for minute in EVERY_MINUTE])
    assert (json.loads(ok("replay", *options, "--format", "json"))["next_step"] is not None) == said
    assert ("To learn more" in ok("replay", *options)) == said


def test_a_run_that_rejects_too_much_names_the_command_that_says_more(logs):
    options = logs([{"flow": {**HUBBLE["flow"], "time": None}}], [])
    with pytest.raises(RejectLimitError, match=r"\nTo learn more: attribution inspect .*flows\.jsonl$"):
        raise run("replay", *options).exception
    found = json.loads(run("inspect", options[1], "--format", "json").stdout)
    assert found["findings"][0]["text"].startswith("hubble logs have no time:")


def test_nothing_is_said_without_flows(logs):
    assert "To learn more" not in ok("replay", *logs([], [beat(4)]), "--flows", logs([], [beat(4)])[1])


VPC = """version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 840 1767225600 1767225660 REJECT OK
2 eni-1 10.0.0.1 10.0.0.2 40001 443 6 10 840 1767225600 1767225660 REJECT OK
2 eni-1 - - - - - - - 1767225660 1767225720 - NODATA
"""


def test_a_run_all_of_whose_rows_were_skipped_says_why(tmp_path):
    path = tmp_path / "vpc.log"
    path.write_text(VPC)
    options = ("--flows", path, "--out", tmp_path / "lake")
    step = json.loads(ok("replay", *options, "--format", "json"))["next_step"]
    assert (step["reason"], step["share"], step["share_of_reason"]) == ("refused_traffic", 0, 2 / 3)
    told = ok("replay", *options)
    assert "66.7% of the skipped rows have the reason refused_traffic. Security group or network ACL" in told
    assert told.splitlines()[-1] == f"To learn more: attribution inspect {path}"


def test_the_command_names_a_file_that_looks_like_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-odd.jsonl").write_text(json.dumps(flow(4)) + "\n")
    last = ok("replay", "--flows", "-odd.jsonl", "--out", "lake").splitlines()[-1]
    words = shlex.split(last.removeprefix("To learn more: "))
    assert words == ["attribution", "inspect", "./-odd.jsonl"]
    assert run(*words[1:]).exit_code == 0
