"""Folders that are no lakes, and lakes that say what is not so: an error that names the path, never an empty answer."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from verbs import run

from attribution.errors import LakeError

VERBS = [
    ["graph", "{}"], ["talkers", "{}"], ["whois", "{}", "10.0.0.1"], ["explain", "{}", "--edge", "a", "b"],
    ["agility", "load", "{}"], ["agility", "stale", "{}"], ["agility", "astray", "{}"],
    ["evaluate", "--attributed", "{}", "--truth", "{}"],
]  # fmt: skip


def refused(verb, lake):
    result = run(*(word.format(lake) for word in verb))
    assert isinstance(result.exception, LakeError), (verb, result.exception)
    return str(result.exception)


@pytest.fixture
def copy(lake, tmp_path):
    return shutil.copytree(lake, tmp_path / "copy")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_what_is_no_lake_is_named(verb, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("missing", "empty", "file"):
        assert str(tmp_path / name) in refused(verb, tmp_path / name)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize(
    "text",
    [
        "{nope", "", "[" * 100_000, "[]", "null", '{"format": 3}', '{"format": "2"}', '{"settings": {}}',
        '{"format": ' + "9" * 5000 + "}", '{"format": 2, "settings": [1]}', '{"format": 2, "summary": 7}',
        '{"format": 2, "settings": null}', '{"format": 2, "stream": "x"}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_an_odd_manifest_is_an_error(verb, copy, text):
    (copy / "lake.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert str(copy) in refused(verb, copy)


@pytest.mark.parametrize("verb", VERBS[:-1], ids=" ".join)
@pytest.mark.parametrize(
    "setting",
    [("max_gap", 10**30), ("hold", -1), ("retention", "x"), ("routes", [1]), ("shared_prefixes", [["a"]])],
    ids=lambda setting: setting[0],
)
def test_settings_that_cannot_be_are_an_error(verb, copy, setting):
    manifest = json.loads((copy / "lake.json").read_text())
    settings = manifest.get("settings", {}) | {setting[0]: setting[1]}
    (copy / "lake.json").write_text(json.dumps(manifest | {"settings": settings}))
    assert str(copy) in refused(verb, copy)


@pytest.mark.parametrize("name", ["date=2026-99-99", "date=99999-01-01", "date=", "date=x", "date=2026-01-05/hour=24"])
def test_a_partition_that_no_run_writes_is_an_error(copy, name):
    (copy / "attributed_flows" / name).mkdir(parents=True)
    assert str(copy / "attributed_flows" / name) in refused(["graph", "{}"], copy)


def test_a_lake_that_has_fewer_flows_than_it_says_is_an_error(copy):
    manifest = json.loads((copy / "lake.json").read_text())
    shutil.rmtree(copy / "attributed_flows")
    (copy / "lake.json").write_text(json.dumps(manifest | {"summary": {"flows": 7}}))
    assert "tells of 7 flows" in refused(["graph", "{}"], copy)
    (copy / "lake.json").write_text(json.dumps(manifest | {"summary": {"flows": 0}}))
    assert run("graph", copy).exit_code == 0


@pytest.mark.parametrize("time", [2**62, -(2**62)])
def test_times_outside_of_all_years_are_an_error(copy, time):
    path = next((copy / "attributed_flows").rglob("*.parquet"))
    table = pq.ParquetFile(path).read()
    index = table.schema.get_field_index("start")
    odd = pa.array([time] * table.num_rows, pa.int64()).cast(table.schema.field("start").type)
    pq.write_table(table.set_column(index, "start", odd), path)
    assert "outside of the years" in refused(["graph", "{}"], copy)
