"""`attribution inspect`: what programs read, its options, its errors, and that its command and its numbers hold."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_inspect_goldens import BEATS, CASES, FLOWS, NAMED, flow, inspected, jsonl
from verbs import csv_rows, ok, run

from attribution.inspection import inspect_logs
from attribution.sources.inputs import Inputs

#: In all of these most rows are rejected, or there is no flow.
NOTHING_TO_REPLAY = {"no_flows", "hubble_without_times"}


def inspection(folder, files, *arguments):
    result = inspected(folder, files, *arguments, "--format", "json")
    assert not result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("case", sorted(CASES.keys() - NOTHING_TO_REPLAY))
def test_the_command_runs_and_names_no_more_than_what_has_evidence(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = inspection(tmp_path, CASES[case])
    result = run(*found["command"][1:], "--format", "json")
    assert result.exit_code == (3 if case == "rejected_rows" else 0), result.output
    summary = json.loads(result.stdout)
    assert summary["flows"] == found["flows"]["rows"]
    for side in ("local", "remote"):
        named = sum(
            row["flows"]
            for row in summary["attributed"]
            if row["side"] == side and row["method"] not in {"none", "capture"}
        )
        assert named <= found["flows"]["addresses"][side]["flows_with_evidence"]


def test_a_program_reads_all_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = inspection(tmp_path, CASES["flows_name_networks"])
    assert [file.pop("file") for file in found["files"]] == ["logs/beats.jsonl", "logs/flows.jsonl"]
    assert found["files"][0] == {
        "format": "native", "wrapping": None, "read": {"heartbeat": 30}, "skipped": {}, "rejected": {},
        "trouble": None, "same_as": None, "whole": True, "option": "--heartbeats",
    }  # fmt: skip
    assert found["flows"]["first"] == "2026-03-02T10:00:00Z"
    assert found["flows"]["networks"]["remote"] == [{"name": "vpc-1", "flows": 30}]
    assert found["flows"]["addresses"]["remote"] == {
        "addresses": 1, "with_evidence": 0, "flows": 30, "flows_with_evidence": 0, "estimated": False,
        "elsewhere": [{"network": "vpc-1", "evidence_in": None, "addresses": 1}],
    }  # fmt: skip
    assert [one["code"] for one in found["findings"]] == ["other_network"]
    assert found["findings"][0]["page"] == "docs/how-to/networks.md"
    assert found["command"] == ["attribution", "replay", "--flows", "logs", "--out", "lake"]


def test_csv_has_a_row_for_each_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = csv_rows(inspected(tmp_path, CASES["files_that_are_no_logs"], "--format", "csv").stdout)
    assert {row["file"]: row["option"] for row in rows} == {
        "logs/cut.gz": "", "logs/flows.jsonl": "'--flows", "logs/empty.log": "", "logs/README.txt": "",
        "logs/notes.zip": "",
    }  # fmt: skip


def test_what_the_advice_says_mends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = inspection(tmp_path, CASES["flows_name_networks"])
    assert "--network logs/beats.jsonl=vpc-1." in found["findings"][0]["advice"]
    again = json.loads(ok("inspect", "logs", "--network", "logs/beats.jsonl=vpc-1", "--format", "json"))
    assert again["findings"] == []
    assert again["command"] == [
        "attribution", "replay", "--flows", "logs", "--network", "logs/beats.jsonl=vpc-1", "--out", "lake",
    ]  # fmt: skip
    assert json.loads(ok(*again["command"][1:], "--format", "json"))["next_step"] is None


def test_a_clock_that_is_ahead_is_told(tmp_path):
    path = tmp_path / "flows.jsonl"
    path.write_text(jsonl(FLOWS))
    last_us = 1772447345_000_000
    for ahead_us, told in ((30_000_000, []), (7_200_000_000, ["clock_ahead"])):
        found = inspect_logs(Inputs(flows=[path]), now_us=last_us - ahead_us)
        assert [one.code for one in found.findings if one.code == "clock_ahead"] == told


def test_reading_may_stop_early_and_then_it_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"a.jsonl": jsonl(FLOWS), "b.jsonl": jsonl([flow(1, **NAMED)])}
    shown = inspected(tmp_path, files, "--rows", 2).stdout
    assert "Of 1 file only the first rows were read (--rows)." in shown
    assert [file["whole"] for file in json.loads(ok("inspect", "logs", "--rows", 2, "--format", "json"))["files"]] == [
        False, True,
    ]  # fmt: skip


def test_an_option_for_each_path_is_in_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in (("flows 1.jsonl", jsonl(FLOWS)), ("beats.jsonl", jsonl(BEATS))):
        (tmp_path / name).write_text(content)
    (tmp_path / "ranges.csv").write_text("prefix,service\n8.8.0.0/16,dns\n")
    shown = ok("inspect", "*.jsonl", "ranges.csv", "--network", "ranges.csv=east")
    command = ["--flows '*.jsonl'", "--labels ranges.csv", "--network ranges.csv=east", "--out lake"]
    assert shown.endswith("".join(f" \\\n      {option}" for option in command) + "\n")
    shown = ok("inspect", "flows 1.jsonl", "beats.jsonl")
    command = ["--flows 'flows 1.jsonl'", "--heartbeats beats.jsonl", "--out lake"]
    assert shown.endswith("".join(f" \\\n      {option}" for option in command) + "\n")


def attribution(*arguments, stdin=None, **more):
    command = [sys.executable, "-m", "attribution", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, input=stdin, check=False, env=os.environ, **more)


def test_standard_input_is_read(tmp_path):
    done = attribution("inspect", "-", stdin=jsonl(FLOWS).encode(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"attribution replay --flows - --out lake" in done.stdout


def test_a_reader_that_stops_reading_is_no_error(tmp_path):
    (tmp_path / "flows.jsonl").write_text(jsonl(FLOWS))
    command = f"{sys.executable} -m attribution inspect flows.jsonl | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (b"1 file\n", b"")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing.log"], 1, "no such file or folder"),
        ([], 2, "Missing argument"),
        (["flows.jsonl", "--network", "pods.json=east"], 2, "no file, folder or pattern of an input"),
        (["flows.jsonl", "--input-format", "csv"], 2, "there is no format 'csv'"),
        (["flows.jsonl", "--rows", "0"], 2, "--rows"),
    ],
)
def test_errors_say_what_was_found_and_what_to_do(arguments, status, message, tmp_path):
    (tmp_path / "flows.jsonl").write_text(jsonl(FLOWS))
    done = attribution("inspect", *arguments, cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_names_out_of_logs_cannot_write_to_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = inspected(tmp_path, {"flows.jsonl": jsonl([flow(0, observer="a\x1b[2Jb", local_network="n\nm")])}).stdout
    assert "\x1b" not in shown
    assert "networks: n\\nm 100.0%" in shown


@pytest.mark.parametrize(
    ("place", "said"),
    [("schema", "can't decode byte 0xff"), ("column chunk", "the column zzzz is another one in a row group")],
)
def test_names_of_columns_that_are_no_text_are_damage_of_their_file_alone(place, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.Table.from_pylist([one | {"zzzz": 1} for one in FLOWS]), "logs.parquet", store_schema=False)
    content = (tmp_path / "logs.parquet").read_bytes()
    at = content.find(b"zzzz") if place == "schema" else content.rfind(b"zzzz")
    damaged = content[:at] + b"\xff" + content[at + 1 :]
    shown = inspected(tmp_path, {"a.parquet": damaged.decode("latin-1"), "b.jsonl": jsonl(FLOWS)})
    assert shown.exit_code == 3
    assert "logs/a.parquet   -        cannot be read" in shown.stdout
    assert said in " ".join(shown.stdout.split())
    assert "logs/b.jsonl     native   30 flows" in shown.stdout


def test_a_zeek_log_whose_set_separator_is_empty_is_read_with_the_usual_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fields = "#fields\tts\tid.orig_h\tquery\tqtype\trcode\tanswers\tTTLs\trejected\n"
    row = "1772445600.0\t10.0.0.1\ta.example\t1\t0\t192.0.2.1,192.0.2.2\t60.0,60.0\tF\n"
    header = "#separator \\x09\n#set_separator\t\n#path\tdns\n"
    shown = inspected(tmp_path, {"dns.log": header + fields + row}).stdout
    assert "zeek     2 name bindings" in shown
