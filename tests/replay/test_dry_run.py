"""A dry run counts what the run counts, ends with its status, and writes nothing."""

import json
from pathlib import Path

import pytest
from ends_world import connection, heartbeat
from verbs import csv_rows, run

from attribution.errors import LakeError, RejectLimitError, SourceError
from attribution.lake.lake import read_manifest
from attribution.stream.kafka import broker

DATA = Path(__file__).parent.parent / "sources" / "data"
COUNTS = ("flows", "read", "skipped", "same_files", "no_logs", "rejected")


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    flows = [
        connection(f"0{n}:00", f"0{n}:01", "10.0.0.1:4000", "10.0.0.2:443", "web", record_id=f"r{n}") for n in range(9)
    ]
    lines = [json.dumps(flow) for flow in [*flows, flows[0]]]
    Path("logs/flows.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n")
    Path("logs/copy.jsonl").write_text("\n".join([*lines, "{broken"]) + "\n")
    Path("logs/README").write_text("These are logs.\n")
    Path("beats.jsonl").write_text(json.dumps(heartbeat("10.0.0.2", "api", "00:00", "09:00")) + "\n")
    return "replay", "--flows", "logs", "--heartbeats", "beats.jsonl", "--out", "lake"


def files():
    return sorted(str(path) for path in Path().rglob("*"))


@pytest.mark.parametrize(
    "more", [(), ("--since", "2026-03-12T11:02", "--until", "2026-03-12T11:05", "--max-rejected-share", 0.3)]
)
def test_it_counts_as_the_run_does_with_its_status_and_writes_nothing(logs, more):
    before = files()
    dry = run(*logs, *more, "--dry-run", "--format", "json")
    assert files() == before
    wet = run(*logs, *more, "--format", "json")
    found, done = json.loads(dry.stdout), json.loads(wet.stdout)
    assert dry.exit_code == wet.exit_code == 3
    assert {name: found[name] for name in COUNTS} == {name: done[name] for name in COUNTS}
    assert found["first"].removesuffix("Z") == done["first"].removesuffix("+00:00")
    assert found["last"].removesuffix("Z") == done["last"].removesuffix("+00:00")
    assert (found["lake"], found["replaces"]) == ("lake", False)
    assert json.loads(run(*logs, "--dry-run", "--format", "json").stdout)["replaces"]
    assert csv_rows(run(*logs, *more, "--dry-run", "--format", "csv").stdout)[0]["flows"] == str(done["flows"])


@pytest.mark.parametrize("source", ["zeek", "hubble", "netobserv", "kubernetes_audit", "aws", "goflow2"])
def test_it_counts_logs_of_formats_as_the_run_does(source, tmp_path):
    given = ("replay", "--flows", DATA / source, "--out", tmp_path / "lake", "--max-rejected-share", 1)
    dry = run(*given, "--dry-run", "--format", "json")
    wet = run(*given, "--format", "json")
    assert dry.exit_code == wet.exit_code
    if wet.exit_code in (0, 3):
        found, done = json.loads(dry.stdout), json.loads(wet.stdout)
        assert {name: found[name] for name in COUNTS} == {name: done[name] for name in COUNTS}


def test_a_person_is_told_what_would_be_written_where(logs):
    told = run(*logs, "--dry-run").stdout
    assert told.startswith("Dry run: nothing was written.\n9 flows would be attributed, from 2026-03-12T11:00:00Z to ")
    assert "The lake would be made: lake\n" in told
    assert "free." in told
    assert "rejected            1  malformed (native)" in told


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (("--flows", "nowhere", "--out", "lake"), SourceError),
        (("--flows", "logs", "--out", "beats.jsonl"), SystemExit),
        (("--flows", "logs", "--out", "logs"), LakeError),
        (("--flows", "logs", "--out", "beats.jsonl/lake"), LakeError),
        (("--flows", "logs", "--out", "lake", "--max-rejected-share", "0.01"), RejectLimitError),
    ],
)
def test_what_stops_a_run_stops_a_dry_run(logs, given, error):
    assert logs
    with pytest.raises(error):
        raise run("replay", *given, "--dry-run").exception


def test_a_lake_stays_as_it_is(logs):
    assert run(*logs).exit_code == 3
    before = read_manifest(Path("lake"))
    assert run(*logs, "--dry-run").exit_code == 3
    assert read_manifest(Path("lake")) == before


def test_what_would_be_sent_where_is_told_without_a_broker(logs, monkeypatch):
    monkeypatch.setattr(broker, "_library", lambda: None)
    place = ("--bootstrap-servers", "127.0.0.1:1", "--topic-prefix", "prod.")
    result = run("publish", *logs[1:-2], *place, "--dry-run", "--format", "json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == [
        {"topic": "prod.flows", "kind": "flow", "rows": 9},
        {"topic": "prod.heartbeats", "kind": "heartbeat", "rows": 1},
    ]
    told = " ".join(run("publish", *logs[1:-2], *place, "--dry-run").stdout.split())
    assert "Dry run: nothing was sent to 127.0.0.1:1" in told
