"""The lines about rows say what kind of thing each is, and a refused flow is no rejected row."""

import json

from verbs import ok, run

VPC = """version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 840 1767225600 1767225660 ACCEPT OK
2 eni-1 10.0.0.1 10.0.0.2 40001 23 6 1 40 1767225600 1767225660 REJECT OK
"""


def test_refused_traffic_is_skipped_and_the_line_says_that_the_row_is_sound(tmp_path):
    (tmp_path / "vpc.log").write_text(VPC)
    told = " ".join(ok("replay", "--flows", tmp_path / "vpc.log", "--out", tmp_path / "lake").split())
    assert "skipped 1 refused_traffic (vpc)" in told
    assert "Skipped rows are sound, and left out on purpose." in told
    assert "ejected" not in told
    assert told.startswith("1 flow in ")


def test_rejected_rows_are_said_to_be_broken_with_the_file_that_has_them(tmp_path):
    row = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:05Z"}
    row |= {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    (tmp_path / "flows").write_text(
        "".join(json.dumps(row | {"local_port": n}) + "\n" for n in range(20)) + "{broken\n"
    )
    result = run("replay", "--flows", tmp_path / "flows", "--out", tmp_path / "lake")
    assert result.exit_code == 3
    told = " ".join(result.output.split())
    assert "rejected 1 malformed (native)" in told
    assert "Rejected rows are broken, so they are not used. They stand in" in told
    assert "Skipped" not in told


def test_one_range_is_a_range_and_one_flow_a_flow(tmp_path):
    flow = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:05Z", "local_workload": "a"}
    flow |= {"local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    (tmp_path / "flows").write_text(json.dumps(flow | {"sampling_rate": 0}) + "\n")
    (tmp_path / "beats").write_text(json.dumps({"start": flow["start"], "address": "10.0.0.2", "workload": "b"}) + "\n")
    sources = ("--flows", tmp_path / "flows", "--heartbeats", tmp_path / "beats")
    told = " ".join(ok("replay", *sources, "--no-flow-heartbeats", "--out", tmp_path / "lake").split())
    assert "1 ownership range. Lake" in told
    assert "The sampling rate of 1 flow is not known" in told
