"""AWS flow logs in Parquet: the same rows as in text, in the types that AWS writes."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_input import rows_of

from attribution.errors import SourceError
from attribution.records import INPUT_RECORDS
from attribution.schema import arrow_schema
from attribution.sources.formats.vpc.parquet import VpcParquet
from attribution.sources.formats.vpc.text import VpcText
from attribution.sources.input.opening import open_inputs

DATA = Path(__file__).parents[1] / "data" / "aws"
INT32 = {"version", "srcport", "dstport", "protocol", "tcp_flags", "traffic_path", "encryption_status"}
INT64 = {"packets", "bytes", "start", "end"}


def as_parquet(text, *, dash_is_null=True):
    """A text log as the Parquet file that AWS would have written."""
    header, *lines = text.splitlines()
    names = [name.replace("-", "_") for name in header.split()]
    columns = {}
    for name, values in zip(names, zip(*(line.split() for line in lines), strict=True), strict=True):
        kept = [None if value == "-" and (dash_is_null or name in INT32 | INT64) else value for value in values]
        kind = pa.int32() if name in INT32 else pa.int64() if name in INT64 else pa.string()
        columns[name] = pa.array([int(v) if v and kind != pa.string() else v for v in kept], kind)
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def without_line(rows):
    return {kind: [{k: v for k, v in row.items() if k != "line"} for row in found] for kind, found in rows.items()}


@pytest.mark.parametrize("dash_is_null", [True, False])
@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.log")))
def test_parquet_says_what_text_says(name, dash_is_null):
    text = (DATA / name).read_text()
    from_text, text_ledger = rows_of(VpcText(), text)
    from_parquet, ledger = rows_of(VpcParquet(), as_parquet(text, dash_is_null=dash_is_null))
    assert without_line(from_parquet) == without_line(from_text)
    assert {reason: n for (_, reason), n in ledger.skipped.items()} == {
        reason: n for (_, reason), n in text_ledger.skipped.items()
    }
    assert ledger.rejected == {}


def test_rows_are_counted_from_one():
    rows, _ = rows_of(VpcParquet(), as_parquet((DATA / "vpc_v2.log").read_text()))
    assert [row["line"] for row in rows["flow"]] == [1, 5, 6]


def test_a_bad_row_is_rejected_with_its_number():
    text = "srcaddr dstaddr srcport start end\n10.0.0.1 10.0.0.2 70000 1700000000 1700000001\n"
    rows, ledger = rows_of(VpcParquet(), as_parquet(text + "10.0.0.1 10.0.0.2 443 1700000000 1700000001\n"))
    assert [row["line"] for row in rows["flow"]] == [2]
    assert [(r.line, r.reason) for r in ledger.rejects] == [(1, "impossible_port")]


@pytest.mark.parametrize("layout", ["2023/11/14", "year=2023/month=11/day=14/hour=22"])
def test_plain_and_hive_folders_are_read_alike(tmp_path, layout):
    path = tmp_path / "AWSLogs" / layout / "123456789010_vpcflowlogs_eu-west-1_fl-0a_20231114T2215Z_0a.log.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(as_parquet((DATA / "vpc_v2.log").read_text()))
    for opened in open_inputs([tmp_path]):
        rows, _ = rows_of(VpcParquet(), opened)
        assert len(rows["flow"]) == 3


def test_numbers_as_text_and_names_with_hyphens_are_read_too():
    out = io.BytesIO()
    columns = {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": "1700000000", "end": "1700000001"}
    columns |= {"log-status": "OK", "srcport": "443"}
    pq.write_table(pa.table({name: [value] for name, value in columns.items()}), out)
    rows, _ = rows_of(VpcParquet(), out.getvalue())
    assert rows["flow"][0]["local_port"] == 443
    assert rows["flow"][0]["end"] == 1700000001_999999


def test_a_file_without_a_needed_column_is_refused():
    text = "srcaddr dstaddr start\n10.0.0.1 10.0.0.2 1700000000\n"
    with pytest.raises(SourceError, match=r"cannot read memory .*no column end; create"):
        rows_of(VpcParquet(), as_parquet(text))


@pytest.mark.parametrize("damage", [lambda file: file[:100], lambda file: file[:40] + b"\xff" * 400 + file[440:]])
def test_a_damaged_file_is_refused(damage):
    file = damage(as_parquet((DATA / "vpc_v2.log").read_text()))
    with pytest.raises(SourceError, match=r"cannot read memory.*; the file is damaged or incomplete, copy it again"):
        rows_of(VpcParquet(), file)


def test_it_is_told_by_its_columns():
    assert VpcParquet().matches_columns(frozenset({"srcaddr", "dstaddr", "start", "end"}))
    assert VpcParquet().matches_columns(frozenset({"account-id", "pkt-srcaddr"}))
    assert VpcParquet().matches_columns(frozenset({"tgw_id", "start"}))
    assert not VpcParquet().matches(b"PAR1")


@pytest.mark.parametrize("kind", INPUT_RECORDS)
def test_native_records_are_not_taken_for_it(kind):
    assert not VpcParquet().matches_columns(frozenset(arrow_schema(kind).names))
