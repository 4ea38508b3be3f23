"""`attribution replay` as a user runs it: what it prints, what it leaves, and its exit status."""

import gzip
import json
import os
import subprocess
import sys

import pytest

FLOW = {
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-01T00:00:05Z",
    "local_address": "10.0.0.1",
    "local_port": 40000,
    "remote_address": "10.0.0.2",
    "remote_port": 443,
    "protocol": 6,
    "basis": "connection",
    "local_workload": "a-1",
    "local_service": "a",
}
BEAT = {"address": "10.0.0.2", "workload": "b-1", "service": "b"}


def attribution(*arguments, stdin=None, **environment):
    command = [sys.executable, "-m", "attribution", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, input=stdin, check=False, env=os.environ | environment)


@pytest.fixture
def folder(tmp_path):
    beats = [BEAT | {"start": f"2025-12-31T23:59:{s}Z", "end": f"2025-12-31T23:59:{s}Z"} for s in (10, 50)]
    beats.append(BEAT | {"start": "2026-01-01T00:00:40Z", "end": "2026-01-01T00:00:40Z"})
    (tmp_path / "beats.jsonl").write_text("".join(json.dumps(b) + "\n" for b in beats))
    (tmp_path / "flows.jsonl.gz").write_bytes(gzip.compress((json.dumps(FLOW) + "\n").encode() * 20))
    return tmp_path


def test_flows_are_attributed_and_the_status_is_zero(folder):
    done = attribution(
        "replay", "--flows", folder / "flows.jsonl.gz", "--heartbeats", folder / "beats.jsonl",
        "--out", folder / "lake", "--format", "json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    summary = json.loads(done.stdout)
    assert summary["flows"] == 20
    assert {(r["side"], r["method"], r["reason"], r["flows"]) for r in summary["attributed"]} == {
        ("local", "capture", "reported", 20),
        ("remote", "heartbeat", "bridged", 20),
    }


def test_what_was_there_twice_is_named_and_counted_and_the_status_is_zero(folder):
    named = json.dumps(FLOW | {"record_id": "r1"}) + "\n"
    for name, content in (("a", named), ("b", named), ("c", 2 * named)):
        (folder / name).write_text(content)
    flows = [value for name in "abc" for value in ("--flows", folder / name)]
    done = attribution("replay", *flows, "--out", folder / "lake", COLUMNS="300")
    assert done.returncode == 0
    told = " ".join(done.stdout.decode().split())
    assert "skipped 2 repeated (native)" in told
    assert "skipped 1 same_file (native)" in told
    assert f"{folder}/b has the content of {folder}/a, and was not read again." in told


def test_a_terminal_is_told_how_far_the_run_is(folder):
    arguments = ["replay", "--flows", folder / "flows.jsonl.gz", "--out", folder / "lake"]
    told = attribution(*arguments, FORCE_COLOR="1", TERM="xterm", COLUMNS="120").stderr.decode()
    assert all(word in told for word in ("reading", "attributing", "100 %", "20 rows"))


def test_the_table_says_what_was_read_and_where_the_lake_is(folder):
    done = attribution("replay", "--flows", folder / "flows.jsonl.gz", "--out", folder / "lake")
    text = done.stdout.decode()
    assert "20 flows in" in text
    assert str(folder / "lake") in text
    assert "20  flow (native)" in text


def test_a_run_without_a_flow_says_so(folder):
    done = attribution("replay", "--flows", folder / "beats.jsonl", "--out", folder / "lake")
    assert done.returncode == 0
    assert b"No flow was in what --flows names" in done.stdout


def test_rejected_rows_are_kept_with_their_line_and_the_status_tells(folder):
    bad = FLOW | {"remote_port": 99999}
    lines = [json.dumps(FLOW)] * 30 + [json.dumps(bad), "{broken"]
    done = attribution("replay", "--flows", "-", "--out", folder / "lake", stdin="\n".join(lines).encode())
    assert done.returncode == 3
    rejects = [json.loads(line) for line in (folder / "lake" / "rejects.jsonl").read_text().splitlines()]
    assert {(r["source"], r["line"], r["reason"]) for r in rejects} == {
        ("<stdin>", 31, "impossible_port"),
        ("<stdin>", 32, "malformed"),
    }
    assert b"30 flows in" in done.stdout
    # The names of the streaming job.
    assert json.loads((folder / "lake" / "lake.json").read_text())["summary"]["metrics"] == {
        "rows_in": 30,
        "dead_letters": 2,
        "attributed.local.capture.reported": 30,
        "attributed.remote.none.unknown": 30,
        "hostname.untold": 30,
    }


def test_too_many_rejected_rows_stop_the_run_and_leave_nothing(folder):
    lines = [json.dumps(FLOW), "{broken", "{broken"]
    done = attribution("replay", "--flows", "-", "--out", folder / "lake", stdin="\n".join(lines).encode())
    assert done.returncode == 1
    assert b"2 of 3 rows were rejected" in done.stderr
    assert not (folder / "lake").exists()


def test_a_truncated_file_costs_its_end_only(folder):
    rows = b"".join(json.dumps(FLOW | {"tcp_flags": i}).encode() + b"\n" for i in range(9000))
    (folder / "cut.gz").write_bytes(gzip.compress(rows)[:-200])
    done = attribution(
        "replay", "--flows", folder / "cut.gz", "--flows", folder / "flows.jsonl.gz", "--out", folder / "lake",
        "--format", "json",
    )  # fmt: skip
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert 20 < summary["flows"] < 9020
    assert [(r["reason"], r["rows"]) for r in summary["rejected"]] == [("truncated", 1)]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--flows", "missing.log"], 1, b"no such file"),
        (["--flows", "empty"], 1, b"no file in it"),
        (["--flows", "flows.jsonl.gz", "--max-gap", "soon"], 2, b"write a number and a unit"),
        (["--flows", "flows.jsonl.gz", "--hold", "1s"], 2, b"hold (1s) must be at least"),
        ([], 2, b"Missing option"),
    ],
)
def test_errors_say_what_was_found_and_what_to_do(folder, monkeypatch, arguments, status, message):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    done = attribution("replay", *arguments, "--out", "lake")
    assert done.returncode == status
    assert message in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (folder / "lake").exists()


def test_settings_of_a_file_are_used_and_options_win(folder):
    (folder / "rules.toml").write_text('[attribution]\nmax_gap = "30s"\nhold = "2m"\n')
    arguments = ["replay", "--flows", folder / "flows.jsonl.gz", "--heartbeats", folder / "beats.jsonl"]
    arguments += ["--config", folder / "rules.toml", "--out", folder / "lake", "--format", "json"]
    reasons = {r["reason"] for r in json.loads(attribution(*arguments).stdout)["attributed"] if r["side"] == "remote"}
    assert reasons == {"gap"}
    summary = json.loads(attribution(*arguments, "--max-gap", "1m").stdout)
    assert {r["reason"] for r in summary["attributed"] if r["side"] == "remote"} == {"bridged"}


@pytest.mark.parametrize(
    ("networks", "reason"),
    [
        ((), "bridged"),
        (("east",), "bridged"),
        (("flows=east", "heartbeats=east"), "bridged"),
        (("flows=east", "heartbeats=west"), "other_network"),
        (("east", "beats.jsonl=west"), "other_network"),
        (("flows=east",), "other_network"),
        (("heartbeats=west",), "other_network"),
    ],
)
def test_an_address_is_answered_in_the_network_that_its_source_was_given(folder, monkeypatch, networks, reason):
    monkeypatch.chdir(folder)
    given = [word for network in networks for word in ("--network", network)]
    done = attribution(
        "replay",
        "--flows",
        "flows.jsonl.gz",
        "--heartbeats",
        "beats.jsonl",
        *given,
        "--out",
        "lake",
        "--format",
        "json",
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found = {(r["side"], r["reason"]) for r in json.loads(done.stdout)["attributed"] if r["flows"]}
    assert found == {("local", "reported"), ("remote", reason)}


@pytest.mark.parametrize("network", ["heartbeat=east", "assignments=east", "east,west", "nowhere=east"])
def test_a_network_for_no_input_is_refused_in_one_message(folder, network):
    done = attribution("replay", "--flows", folder / "flows.jsonl.gz", "--out", folder / "lake", "--network", network)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1].startswith(f"Error: --network {network}: ")
    assert done.stderr.count(b"Error: ") == 1
    assert not (folder / "lake").exists()


def test_the_time_of_a_list_is_said_to_be_of_no_use_without_a_list(folder):
    given = ("replay", "--flows", folder / "flows.jsonl.gz", "--seen-at", "2026-01-01T00:00:00Z")
    said = b"--seen-at changed nothing: no source is a list of pods."
    assert said in attribution(*given, "--out", folder / "lake").stdout
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"uid": "u", "name": "p"}, "status": {"podIP": "10.0.0.2"}}
    (folder / "pods.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": [pod]}))
    assert said not in attribution(*given, "--heartbeats", folder / "pods.json", "--out", folder / "other").stdout
