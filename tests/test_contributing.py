"""CONTRIBUTING's recipes are true: what each adds, in a copy, is read, validated, asked about and documented."""

import json
import re

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from recipes import attribution, copied, follow, recipe, run

FLOW = {
    "start": "2026-03-02T00:00:00Z",
    "end": "2026-03-02T00:00:01Z",
    "local_address": "10.0.0.1",
    "remote_address": "10.0.0.2",
    "local_workload": "web-1",
    "protocol": 6,
}
MICROSECONDS = {"type": "long", "logicalType": "timestamp-micros"}
#: Avro type -> its Arrow type, a value and how the lake holds it, and values that are none of it.
TYPES = {
    "string": ("string", pa.string(), "blue", "blue", [["blue"], {"a": 1}]),
    "int": ("int", pa.int32(), 7, 7, ["many", 1 << 40, 1.5]),
    "long": ("long", pa.int64(), 1 << 40, 1 << 40, ["many", 1 << 70, 0.5]),
    "double": ("double", pa.float64(), 0.5, 0.5, ["many"]),
    "boolean": ("boolean", pa.bool_(), True, True, ["perhaps"]),
    "timestamp": (MICROSECONDS, pa.timestamp("us", tz="UTC"), FLOW["start"], None, ["yesterday"]),
    "array": ({"type": "array", "items": "string"}, None, ["a", "b"], ["a", "b"], ["a"]),
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(lake, folder):
    return ds.dataset(lake / folder, partitioning="hive").to_table()


@pytest.mark.parametrize("name", TYPES)
def test_a_field_of_each_type_is_read_validated_kept_and_documented(tmp_path, name):
    avro, arrow, good, kept, bad = TYPES[name]
    copy = copied(tmp_path / "copy")
    text, changed = re.subn(r'\["null", "int"\]', json.dumps(["null", avro]), recipe("Add a field"))
    assert changed == 2
    assert follow(text, copy) == 3
    flows = [FLOW | {"vlan": good}, FLOW, *(FLOW | {"vlan": value} for value in bad)]
    path = write(tmp_path / "flows.jsonl", flows)
    lake = tmp_path / "lake"
    attribution(copy, "replay", "--flows", path, "--out", lake, "--max-rejected-share", 1, status=3)
    found = read(lake, "attributed_flows")
    assert arrow is None or found.schema.field("vlan").type == arrow
    values = found.column("vlan").to_pylist()
    assert len(values) == 2
    assert None in values
    assert kept is None or kept in values
    rejects = [json.loads(line) for line in (lake / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(reject["line"] for reject in rejects) == list(range(3, 3 + len(bad)))
    assert all("vlan" in json.dumps(reject) for reject in rejects)
    assert "`vlan`" in (copy / "docs/reference/schemas.md").read_text(encoding="utf-8")


def test_the_simulated_fleet_lives_with_a_new_field(tmp_path):
    copy = copied(tmp_path / "copy")
    assert follow(recipe("Add a field"), copy) == 3
    for kind in ("heartbeat", "assignment", "name_binding", "label"):
        path = copy / "schemas" / f"{kind}.avsc"
        schema = json.loads(path.read_text(encoding="utf-8"))
        schema["fields"].append({"name": "added", "type": ["null", "int"], "default": None, "doc": "A new field."})
        path.write_text(json.dumps(schema), encoding="utf-8")
    fleet, names = tmp_path / "fleet", tmp_path / "names"
    attribution(copy, "simulate", "--scenario", "small", "--set", "duration=2m", "--out", fleet)
    attribution(copy, "simulate", "--scenario", "agility", "--set", "duration=2m", "--out", names)
    flows = ds.dataset(fleet / "flows.parquet").to_table()
    assert flows.column("vlan").null_count == flows.num_rows > 0


def test_a_record_kind_is_read_validated_kept_asked_and_documented(tmp_path):
    copy = copied(tmp_path / "copy")
    assert follow(recipe("Add a record kind"), copy) == 3
    rows = [{"time": FLOW["start"], "deployed_service": "web", "replicas": count} for count in (3, "many", None)]
    deployments = write(tmp_path / "deployments.jsonl", rows)
    flows = write(tmp_path / "flows.jsonl", [FLOW])
    lake = tmp_path / "lake"
    attribution(
        copy,
        "replay",
        "--flows",
        flows,
        "--deployments",
        deployments,
        "--out",
        lake,
        "--max-rejected-share",
        1,
        status=3,
    )
    kept = read(lake, "deployments")
    assert kept.column("replicas").to_pylist() == [3, None]
    assert "replicas='many'" in (lake / "rejects.jsonl").read_text(encoding="utf-8")
    asked = run(
        copy,
        "-c",
        f"""
from attribution.query.lake.session import LakeSession
from attribution.stream.buckets.payload import pack_rows, unpack_rows
from attribution.stream.topics import INPUT_TOPICS
with LakeSession({str(lake)!r}) as session:
    rows = session.table("deployments", "deployment")
kind, again = unpack_rows(pack_rows("deployment", rows.to_batches()[0]))
print(kind, again.num_rows, INPUT_TOPICS["deployment"])
""",
    )
    assert asked.split() == ["deployment", "2", "deployments"]
    documented = (copy / "docs/reference/schemas.md").read_text(encoding="utf-8")
    assert "`deployed_service`" in documented
    assert "--deployments PATH" in (copy / "docs/reference/cli.md").read_text(encoding="utf-8")


def test_a_query_is_asked_in_every_format_and_documented(tmp_path):
    copy = copied(tmp_path / "copy")
    assert follow(recipe("Add a query"), copy) == 5
    flows = write(tmp_path / "flows.jsonl", [FLOW, FLOW, FLOW | {"protocol": 17}])
    lake = tmp_path / "lake"
    attribution(copy, "replay", "--flows", flows, "--out", lake)
    found = json.loads(attribution(copy, "protocols", lake, "--format", "json"))
    assert found == [{"protocol": 6, "flows": 2}, {"protocol": 17, "flows": 1}]
    assert attribution(copy, "protocols", lake, "--protocol", "udp", "-f", "csv") == "protocol,flows\n17,1\n"
    assert "protocols" in attribution(copy, "--help")
    assert "\n## protocols\n" in (copy / "docs/reference/cli.md").read_text(encoding="utf-8")


def test_a_log_format_is_recognised_read_validated_and_documented(tmp_path):
    copy = copied(tmp_path / "copy")
    assert follow(recipe("Add a log format"), copy) == 5
    lines = [
        "#start end source destination bytes",
        "2026-03-02T00:00:00Z 2026-03-02T00:00:05Z 10.0.0.1 10.0.0.2 7",
        "2026-03-02T00:00:01Z 10.0.0.1 10.0.0.2",
        "2026-03-02T00:00:02Z 2026-03-02T00:00:05Z 10.0.0.1 host 7",
        "# the end",
    ]
    log = tmp_path / "plain.log"
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lake = tmp_path / "lake"
    told = json.loads(
        attribution(copy, "replay", "--flows", log, "--out", lake, "--max-rejected-share", 1, "-f", "json", status=3)
    )
    assert {row["reason"]: row["rows"] for row in told["skipped"]} == {"comment": 2}
    assert {row["reason"]: row["rows"] for row in told["rejected"]} == {"wrong_columns": 1, "not_an_address": 1}
    assert read(lake, "attributed_flows").column("bytes_sent").to_pylist() == [7]
    assert "[plain](../how-to/plain.md)" in (copy / "docs/reference/formats.md").read_text(encoding="utf-8")
    assert "The line is a comment." in (copy / "docs/reference/rejects.md").read_text(encoding="utf-8")
