"""`attribution simulate` and `attribution evaluate`: options, formats, messages, exit statuses."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from truth_lake import lake_of, perfect

from attribution.cli import cli
from attribution.errors import LakeError, SourceError

FEW = ("--set", "connections=600")


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "fleet"
    assert run("simulate", "--seed", 3, "--out", folder, *FEW).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def lake(fleet, tmp_path_factory):
    return lake_of(perfect(pq.read_table(fleet / "truth.parquet")), tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def wrong(fleet, tmp_path_factory):
    """A lake that names a wrong workload for the remote side of one flow."""
    rows = perfect(pq.read_table(fleet / "truth.parquet"))
    first = pc.index(rows.column("remote_workload").is_valid(), True).as_py()
    named = rows.column("remote_workload").to_pylist()
    named[first] = "intruder-0.0"
    position = rows.column_names.index("remote_workload")
    return lake_of(rows.set_column(position, "remote_workload", pa.array(named)), tmp_path_factory.mktemp("wrong"))


def test_simulate_writes_the_folder_and_says_what_is_in_it(fleet, tmp_path):
    result = run("simulate", "--seed", 3, "--out", tmp_path / "again", *FEW)
    assert result.exit_code == 0
    rows = pq.ParquetFile(tmp_path / "again" / "truth.parquet").metadata.num_rows
    assert f"{rows:,} rows" in result.output
    assert "scenario small, seed 3" in result.output
    for path in fleet.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize(("flow_format", "file"), [("jsonl", "flows.jsonl"), ("vpc", "flows.log.gz")])
def test_simulate_writes_flows_as_text_too(tmp_path, flow_format, file):
    result = run("simulate", "--out", tmp_path / "fleet", "--flow-format", flow_format, *FEW)
    assert result.exit_code == 0
    assert (tmp_path / "fleet" / file).stat().st_size > 1000
    parameters = json.loads((tmp_path / "fleet" / "scenario.json").read_text())["parameters"]
    assert (parameters["window_share"] == 1) == (flow_format == "vpc")


def test_simulate_prints_the_parameters_and_writes_nothing(tmp_path):
    result = run("simulate", "--scenario", "hostile", "--set", "duration=2h", "--parameters", "--out", tmp_path / "f")
    assert result.exit_code == 0
    lines = dict(line.split("=") for line in result.output.splitlines())
    assert (lines["duration"], lines["heartbeat_loss"], lines["reuse_pause"]) == ("2h", "0.2", "0us")
    assert not (tmp_path / "f").exists()


def test_simulate_needs_a_folder():
    result = run("simulate")
    assert result.exit_code == 2
    assert "Missing option '--out'" in result.output


def test_simulate_refuses_what_it_cannot_do(tmp_path):
    assert run("simulate", "--out", tmp_path / "f", "--set", "hosts=0").exit_code == 2
    connections = run("simulate", "--out", tmp_path / "f", "--flow-format", "vpc", "--set", "window_share=0.5", *FEW)
    assert connections.exit_code == 2
    assert not (tmp_path / "f").exists()


def test_evaluate_shows_ours_and_the_baselines_side_by_side(fleet, lake):
    result = run("evaluate", "--attributed", lake, "--truth", fleet / "truth.parquet")
    assert result.exit_code == 0
    for text in ("time ranges", "latest event", "held-back events", "0 lost, 0 repeated", "gateway", "by kind"):
        assert text.lower() in result.output.lower()


def test_evaluate_as_json_has_everything_and_as_csv_a_row_a_system(fleet, lake):
    arguments = ("evaluate", "--attributed", lake, "--truth", fleet / "truth.parquet")
    everything = json.loads(run(*arguments, "--format", "json").output)
    assert everything["misattributed"] == 0
    assert everything["coverage"] == 1.0
    assert {"systems", "kinds", "reasons", "services", "clients"} < everything.keys()
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").output)))
    assert [row["system"] for row in rows] == ["time ranges", "latest event", "held-back events"]
    assert [int(row["misattributed"]) for row in rows] == [row["misattributed"] for row in everything["systems"]]
    assert rows[0]["flows"] == rows[0]["correct"]


def test_evaluate_shows_networks_and_what_systems_without_them_get_wrong(tmp_path):
    fleet, networks = tmp_path / "fleet", ("networks=2", "pool_services=2", "crossing_share=0.2")
    sets = [part for text in networks for part in ("--set", text)]
    assert run("simulate", "--seed", 3, "--out", fleet, *FEW, *sets).exit_code == 0
    lake = lake_of(perfect(pq.read_table(fleet / "truth.parquet")), tmp_path / "lake")
    arguments = ("evaluate", "--attributed", lake, "--truth", fleet / "truth.parquet")
    shown = run(*arguments).output
    for text in ("through a route", "other network", "latest event, by network", "nearest heartbeat"):
        assert text in shown
    everything = json.loads(run(*arguments, "--format", "json").output)
    ours = [row for row in everything["networks"] if row["system"] == "time ranges"]
    assert sum(row["correct"] for row in ours) == sum(row["flows"] for row in ours) > 100
    wrong = {row["system"]: row["misattributed"] for row in everything["systems"]}
    assert wrong["time ranges"] == 0 < wrong["latest event, by network"] < wrong["latest event"]
    bare = (*arguments, "--heartbeats", tmp_path / "none.parquet")
    assert isinstance(run(*bare).exception, SourceError)


def test_evaluate_without_events_shows_no_baselines(fleet, lake, tmp_path):
    alone = tmp_path / "truth.parquet"
    alone.write_bytes((fleet / "truth.parquet").read_bytes())
    systems = json.loads(run("evaluate", "--attributed", lake, "--truth", alone, "--format", "json").output)["systems"]
    assert [row["system"] for row in systems] == ["time ranges"]
    events = fleet / "workload_events.parquet"
    given = run("evaluate", "--attributed", lake, "--truth", alone, "--events", events, "--format", "json")
    assert len(json.loads(given.output)["systems"]) == 3


def test_a_longer_wait_makes_the_baselines_better(fleet, lake):
    def wrong_shares(*options):
        found = run("evaluate", "--attributed", lake, "--truth", fleet / "truth.parquet", "--format", "json", *options)
        return [row["correct"] for row in json.loads(found.output)["systems"]]

    assert wrong_shares("--hold-back", "1h")[2] > wrong_shares("--hold-back", "0s")[2]
    assert wrong_shares("--report-delay", "0s")[1] != wrong_shares("--report-delay", "10m")[1]


def test_fail_on_misattribution_tells_by_the_exit_status(fleet, lake, wrong):
    arguments = ("evaluate", "--truth", fleet / "truth.parquet", "--attributed")
    assert run(*arguments, lake, "--fail-on-misattribution").exit_code == 0
    assert run(*arguments, wrong).exit_code == 0
    failed = run(*arguments, wrong, "--fail-on-misattribution")
    assert failed.exit_code == 3
    assert "misattributed sides: 1;" in failed.output


def test_evaluate_says_what_is_no_lake(fleet, tmp_path):
    result = run("evaluate", "--attributed", tmp_path, "--truth", fleet / "truth.parquet")
    assert isinstance(result.exception, LakeError)
    assert str(tmp_path) in str(result.exception)


# Names on pools of addresses


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "names"
    assert run("simulate", "--scenario", "agility", "--seed", 2, "--out", folder, *FEW_REQUESTS).exit_code == 0
    return folder


FEW_REQUESTS = ("--set", "requests=1500", "--set", "window_share=0")


@pytest.fixture(scope="module")
def named(names, tmp_path_factory):
    lake = tmp_path_factory.mktemp("named") / "lake"
    evidence = [f"--{kind}={names / kind.replace('-', '_')}.parquet" for kind in KINDS]
    found = run(
        "replay", "--config", names / "settings.toml", "--flows", names / "flows.parquet", *evidence, "--out", lake
    )
    assert found.exit_code == 0, found.output
    return lake


KINDS = ("name-bindings", "policies", "socket-rules")


def test_names_are_replayed_from_the_files_and_none_is_wrong(names, named):
    arguments = ("evaluate", "--attributed", named, "--truth", names / "truth.parquet")
    shown = run(*arguments, "--fail-on-misattribution")
    assert shown.exit_code == 0
    for text in ("wrong names: 0;", "last name told to the client", "incomplete", "elsewhere", "dispatched"):
        assert text in shown.output
    everything = json.loads(run(*arguments, "--format", "json").output)
    ours, *baselines = everything["names"]["systems"]
    assert (ours["wrong"], len(baselines)) == (0, 2)
    assert min(row["wrong"] for row in baselines) > 0
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").output)))
    assert [row["system"] for row in rows] == [row["system"] for row in everything["names"]["systems"]]


def test_a_wrong_name_tells_by_the_exit_status(names, named, tmp_path):
    rows = pq.read_table(named / "attributed_flows")
    told = pc.index(rows.column("hostname_reason").cast(pa.string()), "told").as_py()
    for side in ("local", "remote"):
        said = rows.column(f"{side}_hostname").cast(pa.string()).to_pylist()
        said[told] = said[told] and "other.example"
        rows = rows.set_column(rows.column_names.index(f"{side}_hostname"), f"{side}_hostname", pa.array(said))
    lake = lake_of(rows.drop_columns(["date", "hour"]), tmp_path / "lake")
    failed = run("evaluate", "--attributed", lake, "--truth", names / "truth.parquet", "--fail-on-misattribution")
    assert failed.exit_code == 3
    assert "wrong names: 1;" in failed.output


def test_a_lake_without_names_cannot_be_held_against_them(names, tmp_path):
    lake = lake_of(perfect(pq.read_table(names / "truth.parquet")), tmp_path / "lake")
    result = run("evaluate", "--attributed", lake, "--truth", names / "truth.parquet")
    assert isinstance(result.exception, LakeError)
    assert "replay them with this version" in str(result.exception)


def test_agility_has_parameters_of_its_own(tmp_path):
    lines = run("simulate", "--scenario", "agility", "--set", "ttl=2m", "--parameters").output.splitlines()
    assert {"ttl=2m", "named_share=0.6"} < set(lines)
    refused = run("simulate", "--scenario", "agility", "--flow-format", "vpc", "--out", tmp_path / "f")
    assert refused.exit_code == 2
