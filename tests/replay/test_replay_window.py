"""A run over a window of flows gives each of them the answer that a run over everything gives it."""

import json

import pyarrow.parquet as pq
import pytest
from ends_world import connection, heartbeat, lake_of
from verbs import ok, run

from attribution.config import HOUR, MINUTE
from attribution.errors import ConfigError
from attribution.lake.lake import read_manifest
from attribution.replay import Inputs, Limits, Span, replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write

#: Scenario -> what it has: far ends, ports, networks, late records and windows.
FLEETS = {
    "hostile": ("connections=3000", "duration=3h"),
    "gateway": ("connections=3000", "duration=3h"),
}


def rows(lake):
    files = sorted((lake / "attributed_flows").rglob("*.parquet"))
    found = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    return sorted(found, key=lambda row: json.dumps(row, default=str))


def inside_of(span, row):
    start_us = row["start"].timestamp() * 1_000_000
    return (span.since_us or 0) <= round(start_us) < (span.until_us or 1 << 62)


@pytest.fixture(scope="module", params=FLEETS)
def fleet(request, tmp_path_factory):
    """The folder of a fleet."""
    folder = tmp_path_factory.mktemp(request.param)
    write(simulate(scenario(request.param, FLEETS[request.param]), seed=5), folder)
    return folder


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("evidence_rows", [2_000_000, 1000], ids=["whole", "slabs"])
def test_flows_of_a_window_have_the_answers_of_a_run_over_everything(fleet, form, evidence_rows, tmp_path):
    flows = fleet / "flows.parquet"
    if form == "jsonl":
        table = pq.read_table(flows).to_pylist()
        flows = tmp_path / "flows.jsonl"
        flows.write_text("".join(json.dumps(row, default=lambda value: value.isoformat()) + "\n" for row in table))
    inputs = Inputs(
        flows=[flows], heartbeats=[fleet / "heartbeats.parquet"], assignments=[fleet / "assignments.parquet"]
    )
    limits = Limits(evidence_rows=evidence_rows)
    everything = replay(inputs, tmp_path / "whole", limits=limits)
    assert (everything.slabs > 1) == (evidence_rows < 2_000_000)
    whole = rows(tmp_path / "whole")
    first = everything.tally.first
    for since_us, until_us in (
        (first + HOUR, first + 2 * HOUR),
        (first + 97 * MINUTE + 1, None),
        (None, first + 11 * MINUTE),
        (first + HOUR, first + HOUR + 1),
    ):
        span = Span(since_us=since_us, until_us=until_us)
        found = replay(inputs, tmp_path / "part", limits=limits, span=span)
        inside = [row for row in whole if inside_of(span, row)]
        assert rows(tmp_path / "part") == inside
        assert found.tally.flows == len(inside)
        assert found.ledger.skipped["native", "outside_window"] == len(whole) - len(inside)
        assert found.ledger.rows["flow", "native"] == len(inside)
        assert found.ledger.rows["heartbeat", "native"] == everything.ledger.rows["heartbeat", "native"]
        assert found.ranges == everything.ranges
        assert read_manifest(tmp_path / "part")["summary"]["window"] == span.to_dict()
    assert any(row["remote_reason"] == "both_ends" for row in whole) or "gateway" not in fleet.name


def test_the_far_end_of_a_flow_may_lie_outside_and_a_flow_outside_is_a_heartbeat(tmp_path):
    # The reports begin 0.4 s apart, on both sides of the beginning of the window.
    flows = [
        connection("02:00.2", "02:30", "10.0.0.1:40000", "10.0.9.9:8080", "web"),
        connection("01:59.8", "02:30", "10.0.9.9:8080", "10.0.0.1:40000", "api", direction="ingress"),
        connection("02:10", "02:11", "10.0.0.7:40001", "10.0.0.1:443", "db"),
    ]
    ports = [heartbeat("10.0.9.9", "other", "00:00", "09:00", port=22, protocol=6)]
    lake_of(tmp_path, flows, ports)
    expected = [row for row in rows(tmp_path / "lake") if row["start"].second != 59]
    given = ["--flows", tmp_path / "flows.jsonl", "--heartbeats", tmp_path / "heartbeats.jsonl"]
    ok("replay", *given, "--since", "2026-03-12T11:02:00Z", "--out", tmp_path / "part")
    assert rows(tmp_path / "part") == expected
    assert "both_ends" in {row["remote_reason"] for row in expected}


def test_what_a_person_gives_is_read_and_told(tmp_path):
    flows = [
        connection(f"0{minute}:00", f"0{minute}:01", "10.0.0.1:4000", "10.0.0.2:443", "web") for minute in range(6)
    ]
    lake_of(tmp_path, flows)
    given = ("replay", "--flows", tmp_path / "flows.jsonl", "--out", tmp_path / "part")
    told = " ".join(ok(*given, "--since", "2026-03-12T11:02", "--until", "2026-03-12T11:05:00+00:00").split())
    assert told.startswith("3 flows in")
    assert "skipped 3 outside_window (native)" in told
    told = " ".join(ok(*given, "--since", "2026-03-13").split())
    assert "No flow starts from --since to --until" in told
    result = run(*given, "--since", "yesterday")
    assert result.exit_code == 2
    assert "'yesterday' is no time; write ISO 8601" in result.output
    with pytest.raises(ConfigError, match="it ends at or before its beginning"):
        raise run(*given, "--since", "2026-03-13", "--until", "2026-03-12").exception
