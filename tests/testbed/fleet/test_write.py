"""The folder of a simulation: files, formats, and what happens to what was there before."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.errors import ConfigError, LakeError
from attribution.schema import FLOW, HEARTBEAT, arrow_schema
from attribution.testbed.fleet.scenarios import Scenario, scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import EVENTS, TRUTH
from attribution.testbed.fleet.write import write

SMALL = scenario("small", ("connections=400",))
WINDOWS = scenario("small", ("connections=400", "window_share=1", "capture_share=0"))


def test_all_files_are_there_with_the_rows_that_are_reported(tmp_path):
    rows = write(simulate(SMALL, seed=1), tmp_path / "fleet")
    assert {p.name for p in (tmp_path / "fleet").iterdir()} == {*rows, "scenario.json"}
    for name, count in rows.items():
        assert pq.ParquetFile(tmp_path / "fleet" / name).metadata.num_rows == count
    assert rows["flows.parquet"] == rows["truth.parquet"] > 400
    for name, schema in (
        ("flows.parquet", arrow_schema(FLOW)),
        ("heartbeats.parquet", arrow_schema(HEARTBEAT)),
        ("truth.parquet", TRUTH),
        ("workload_events.parquet", EVENTS),
    ):
        assert pq.read_schema(tmp_path / "fleet" / name).equals(schema)


def test_the_scenario_file_makes_the_same_simulation_again(tmp_path):
    write(simulate(SMALL, seed=9), tmp_path / "one")
    document = json.loads((tmp_path / "one" / "scenario.json").read_text())
    again = scenario("hostile", tuple(f"{k}={v}" for k, v in document["parameters"].items()))
    assert again == SMALL
    write(simulate(again, seed=document["seed"]), tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_json_lines_hold_the_same_flows_as_parquet(tmp_path):
    sim = simulate(SMALL, seed=1)
    rows = write(sim, tmp_path / "fleet", flow_format="jsonl")
    lines = (tmp_path / "fleet" / "flows.jsonl").read_text().splitlines()
    flows = pa.Table.from_batches(list(sim.flow_batches())).to_pylist()
    assert len(lines) == rows["flows.jsonl"] == len(flows)
    for line, flow in zip(lines, flows, strict=True):
        read = json.loads(line)
        for name in ("start", "end"):
            assert read[name] == flow[name].isoformat(timespec="microseconds").replace("+00:00", "Z")
            del read[name], flow[name]
        assert read == flow


def test_vpc_text_holds_one_line_a_window_and_the_truth_says_what_its_reader_says(tmp_path):
    sim = simulate(WINDOWS, seed=1)
    rows = write(sim, tmp_path / "fleet", flow_format="vpc")
    header, *lines = gzip.decompress((tmp_path / "fleet" / "flows.log.gz").read_bytes()).decode().splitlines()
    fields = header.split(" ")
    flows = pa.Table.from_batches(list(sim.flow_batches())).to_pylist()
    assert len(lines) == rows["flows.log.gz"] == len(flows)
    truth = {tuple(str(v) for v in row.values()) for row in pq.read_table(tmp_path / "fleet" / "truth.parquet").select(
        ["start", "end", "local_address", "local_port", "remote_address", "remote_port", "observer"]
    ).to_pylist()}  # fmt: skip
    assert len(truth) == len(flows)
    for line, flow in zip(lines, flows, strict=True):
        read = dict(zip(fields, line.split(" "), strict=True))
        inward = flow["direction"] == "ingress"
        local, remote = ("dst", "src") if inward else ("src", "dst")
        assert (read[f"{local}addr"], read[f"{local}port"]) == (flow["local_address"], str(flow["local_port"]))
        assert read[f"{remote}addr"] == flow["remote_address"]
        assert read[f"{remote}port"] == str(flow["remote_port"])
        assert read["bytes"] == str(flow["bytes_received" if inward else "bytes_sent"])
        assert int(read["start"]) == flow["start"].timestamp()
        assert int(read["end"]) == flow["end"].timestamp() - 1
        assert (read["interface-id"], read["flow-direction"]) == (flow["observer"], flow["direction"])


def test_connections_cannot_be_written_as_vpc_text(tmp_path):
    with pytest.raises(ConfigError, match="window_share=1"):
        write(simulate(SMALL, seed=1), tmp_path / "fleet", flow_format="vpc")
    assert not list(tmp_path.iterdir())


def test_an_earlier_simulation_is_replaced_whole(tmp_path):
    write(simulate(SMALL, seed=1), tmp_path / "fleet")
    rows = write(simulate(SMALL, seed=2), tmp_path / "fleet", flow_format="jsonl")
    assert {p.name for p in (tmp_path / "fleet").iterdir()} == {*rows, "scenario.json"}
    assert [p.name for p in tmp_path.iterdir()] == ["fleet"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(LakeError, match="holds something else"):
        write(simulate(SMALL, seed=1), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match=r"cannot write a simulation to .*fleet"):
        write(simulate(SMALL, seed=1), tmp_path / "file" / "fleet")


def test_overrides_are_read_in_the_parameters_own_unit():
    changed = scenario("small", ("duration=2h", "services=3", "heartbeat_loss=0.25", "reuse_pause=0"))
    assert (changed.duration, changed.services, changed.heartbeat_loss) == (7_200_000_000, 3, 0.25)
    assert changed.reuse_pause == 0


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("gigantic", "services=3", "no scenario 'gigantic'; the scenarios are small"),
        ("small", "servces=3", "cannot set 'servces=3'"),
        ("small", "services", "cannot set 'services'"),
        ("small", "services=many", "services is a whole number"),
        ("small", "heartbeat_loss=most", "heartbeat_loss is a number"),
        ("small", "heartbeat_loss=1.5", "between 0 and 1"),
        ("small", "duration=soon", "cannot read the duration"),
        ("small", "hosts=0", "hosts must be more than zero"),
        ("small", "connections=-1", "connections must be zero or more"),
        ("small", "max_skew=600ms", "at most half of clock_tolerance"),
    ],
)
def test_what_cannot_be_simulated_is_refused(name, override, message):
    with pytest.raises(ConfigError, match=message):
        scenario(name, (override,))


def test_more_outside_endpoints_than_the_documentation_prefixes_hold_are_refused():
    with pytest.raises(ConfigError, match="unlabelled must be at most 254"):
        simulate(Scenario(unlabelled=300), seed=1)


@pytest.mark.parametrize(
    "override", ["connections=0", "external_services=0", "load_balancers=0", "unlabelled=0", "services=1"]
)
def test_a_fleet_may_lack_anything(tmp_path, override):
    rows = write(simulate(scenario("small", ("connections=300", override)), seed=1), tmp_path / "fleet")
    assert (rows["flows.parquet"] == 0) == (override == "connections=0")
