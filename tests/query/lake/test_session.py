import json
import shutil

import pytest
from tiny_lake import FLOWS, RANGES, at, write_lake

from attribution.errors import LakeError
from attribution.lake.layout import LAKE_FORMAT
from attribution.query.explain.whois import whois
from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda _: None, "no such folder"),
        (lambda path: path.mkdir(), "no lake.json"),
        (lambda path: path.write_text("x"), "cannot read"),
        (lambda path: (path.mkdir(), (path / "lake.json").write_text("{")), "cannot read"),
        (lambda path: (path.mkdir(), (path / "lake.json").write_text('{"format": 99}')), "format 99"),
        # Its ownership ranges of a port do not say of which protocol.
        (lambda path: (path.mkdir(), (path / "lake.json").write_text('{"format": 1}')), r"format 1, .*replay again"),
    ],
    ids=["absent", "another folder", "a file", "half a manifest", "a later format", "an earlier format"],
)
def test_what_is_no_lake_is_refused_and_said(tmp_path, make, found):
    make(tmp_path / "it")
    with pytest.raises(LakeError, match=found) as caught:
        LakeSession(tmp_path / "it")
    assert str(tmp_path / "it") in str(caught.value)


def test_settings_that_this_version_does_not_know_are_refused(tmp_path):
    (tmp_path / "lake.json").write_text(json.dumps({"format": LAKE_FORMAT, "settings": {"luck": 7}}))
    with pytest.raises(LakeError, match=r"unknown setting 'luck'.*replay"):
        LakeSession(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    lake = write_lake(tmp_path / "lake", flows=FLOWS)
    damaged = next(lake.glob("attributed_flows/*/hour=12/*.parquet"))
    damaged.write_bytes(b"PAR1 no longer")
    with pytest.raises(LakeError, match=r"hour=12.*replay the logs"):
        graph(lake)


@pytest.mark.parametrize("part", ["footer", "pages"])
def test_a_damaged_file_is_named_also_where_duckdb_does_not_name_it(tmp_path, part):
    lake = write_lake(tmp_path / "lake", flows=FLOWS)
    damaged = next(lake.glob("attributed_flows/*/hour=12/*.parquet"))
    content = damaged.read_bytes()
    size = int.from_bytes(content[-8:-4], "little") + 8
    broken = content[:4] + b"\xff" * (len(content) - size - 4) + content[-size:]
    if part == "footer":
        broken = content[:-size] + b"\xff" * (size - 8) + content[-8:]
    damaged.write_bytes(broken)
    with pytest.raises(LakeError, match=r"hour=12.*replay the logs"), LakeSession(lake) as session:
        session.table("attributed_flows", "attributed_flow")


def test_folders_that_a_lake_does_not_have_are_empty(tmp_path):
    lake = write_lake(tmp_path / "lake", flows=FLOWS)
    assert sorted(path.name for path in lake.iterdir()) == ["attributed_flows", "lake.json"]
    found = whois(lake, "10.0.0.1", at="2026-01-05T12:00:10")
    assert (found.evidence.ranges, found.evidence.assignments, found.evidence.labels, found.hostnames) == (
        (),
        (),
        (),
        (),
    )
    assert found.verdict.reason == "unknown"
    lake = write_lake(tmp_path / "other", ranges=RANGES)
    assert graph(lake).totals.flows == 0
    assert len(whois(lake, "10.0.0.1").evidence.ranges) == 1


def test_a_folder_whose_name_looks_like_a_pattern_is_one_folder(tmp_path):
    lake = write_lake(tmp_path / "we[i]rd '*' {a,b}? lake", flows=FLOWS)
    shutil.copytree(lake, tmp_path / "weird '*' {a,b}? lake")
    assert graph(lake).totals.records == len(FLOWS)


def test_a_window_reads_only_the_files_of_its_hours(tmp_path):
    lake = write_lake(tmp_path / "lake", flows=FLOWS)
    (path,) = lake.glob("attributed_flows/*/hour=13/*.parquet")
    content = path.read_bytes()
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:4] + bytes(len(content) - 4 - footer) + content[-footer:])
    assert graph(lake, GraphSelection(window=Window(None, at("13:00:00")))).totals.flows == 7
    with pytest.raises(LakeError):
        graph(lake, GraphSelection(window=Window(None, at("13:00:01"))))
