"""From paths to canonical batches: formats are told apart, damage ends one source only, everything is counted."""

import gzip
import io
import json
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.errors import RejectLimitError, SourceError
from attribution.sources import Ledger, format_names, read, registry
from attribution.sources.input.opening import OpenInput
from attribution.sources.records.model import ColumnarFormat

T0 = 1_767_225_600_000_000
FLOW = {"start": T0, "end": T0 + 5, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
HEARTBEAT = {"address": "10.0.0.1", "workload": "w", "start": T0}
FLOWS = b"".join(json.dumps(FLOW | {"local_port": n}).encode() + b"\n" for n in range(500))
VPC = b"""version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 eni-1 10.0.0.1 10.0.0.2 40000 443 6 10 840 1767225600 1767225660 ACCEPT OK
2 eni-1 - - - - - - - 1767225660 1767225720 - NODATA
"""


def reading(paths, **options):
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=options.pop("share", 1.0))
    batches = list(read(paths, ledger=ledger, **options))
    assert ledger.rows.total() == sum(b.batch.num_rows for b in batches)
    return batches, rejects, ledger


def test_sources_of_several_formats_are_read_as_what_they_are(tmp_path):
    (tmp_path / "a.parquet").write_bytes(FLOWS)
    (tmp_path / "b.json").write_bytes(gzip.compress(VPC))
    pq.write_table(pa.Table.from_pylist([HEARTBEAT]), tmp_path / "c.log")
    (tmp_path / "d.csv").write_text("10.0.0.0/8 corp\n")
    batches, rejects, ledger = reading([tmp_path])
    batches.sort(key=lambda b: b.source)
    assert [(b.kind, b.format, b.source, b.batch.num_rows) for b in batches] == [
        ("flow", "native", str(tmp_path / "a.parquet"), 500),
        ("flow", "vpc", str(tmp_path / "b.json"), 1),
        ("heartbeat", "native", str(tmp_path / "c.log"), 1),
        ("label", "prefixes", str(tmp_path / "d.csv"), 1),
    ]
    assert [b.flow_heartbeats for b in batches] == ["interval", "none", "interval", "interval"]
    assert rejects == []
    assert ledger.rows == {
        ("flow", "native"): 500,
        ("flow", "vpc"): 1,
        ("heartbeat", "native"): 1,
        ("label", "prefixes"): 1,
    }
    assert ledger.skipped == {("vpc", "no_data"): 1}


def test_only_the_wanted_kinds_are_given_and_the_others_counted(tmp_path):
    (tmp_path / "x").write_bytes(FLOWS + json.dumps(HEARTBEAT).encode())
    batches, _, ledger = reading([tmp_path / "x"], kinds=("heartbeat",))
    assert [(b.kind, b.batch.num_rows) for b in batches] == [("heartbeat", 1)]
    assert ledger.skipped == {("native", "other_kind"): 500}


def test_empty_files_are_skipped_and_counted(tmp_path):
    for name, content in {"a": b"", "b": b"\n \n", "c": gzip.compress(b""), "d": FLOWS}.items():
        (tmp_path / name).write_bytes(content)
    batches, rejects, ledger = reading([tmp_path])
    assert sum(b.batch.num_rows for b in batches) == 500
    assert rejects == []
    assert ledger.skipped == {("unknown", "empty_file"): 3}
    assert reading([tmp_path / "a"], format="vpc")[2].skipped == {("vpc", "empty_file"): 1}


def test_programs_beside_logs_are_skipped_and_counted(tmp_path):
    for name, content in {"a.sh": b"#!/bin/sh\necho\n", "b.log": FLOWS}.items():
        (tmp_path / name).write_bytes(content)
    batches, rejects, ledger = reading([tmp_path])
    assert (sum(b.batch.num_rows for b in batches), rejects) == (500, [])
    assert ledger.skipped == {("unknown", "program"): 1}


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, -1])
def test_a_truncated_source_gives_its_good_rows_and_the_others_are_read(tmp_path, keep):
    compressed = gzip.compress(FLOWS, mtime=0)
    cut = compressed[: int(len(compressed) * keep)] if keep > 0 else compressed[:keep]
    (tmp_path / "a").write_bytes(cut)
    (tmp_path / "b").write_bytes(FLOWS)
    batches, rejects, ledger = reading([tmp_path])
    rows = {b.source: 0 for b in batches}
    for found in batches:
        rows[found.source] += found.batch.num_rows
    assert rows[str(tmp_path / "b")] == 500
    kept = rows[str(tmp_path / "a")]
    assert 0 < kept <= 500
    assert [(r.source, r.line, r.reason) for r in rejects] == [(str(tmp_path / "a"), kept + 1, "truncated")]
    assert ledger.rejected == {("native", "truncated"): 1}


def test_a_truncated_source_of_which_nothing_can_be_read_is_an_error_alone_and_a_reject_in_company(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(FLOWS)[:12])
    with pytest.raises(SourceError, match=r"cannot read .*a to its end: the gzip data ends in the middle"):
        reading([tmp_path / "a"])
    (tmp_path / "b").write_bytes(FLOWS)
    assert [(r.line, r.reason) for r in reading([tmp_path])[1]] == [(1, "truncated")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello, world\n", r"it starts with b'hello, world\\n'; the formats are aws_ip_ranges, cloudtrail, .*, zeek"),
        (b"BZh91AY&SY", "it is bzip2: decompress it first"),
        (b"\xfd7zXZ\0\0", "it is xz: decompress it first"),
        (b"PK\x03\x04more", "it is a zip archive: unpack it first"),
        (b"\xff\xfe{\0", "it is UTF-16 text: write it as UTF-8"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "it is a packet capture: let Zeek make logs of it"),
        (b"Obj\x01\x04", "it is Avro: convert it to Parquet"),
        (b'{"colour":"red"}\n', "it starts with"),
        (b"PAR1 but nothing more", r"it starts as Parquet but has no readable end; .*copy it again"),
    ],
)
def test_a_source_of_no_known_format_is_an_error_alone_and_a_reject_in_company(tmp_path, content, said):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SourceError, match=said) as raised:
        reading([tmp_path / "a"])
    assert str(tmp_path / "a") in str(raised.value)
    (tmp_path / "b").write_bytes(FLOWS)
    batches, rejects, _ = reading([tmp_path])
    assert sum(b.batch.num_rows for b in batches) == 500
    assert [(r.line, r.reason) for r in rejects] == [(0, "unreadable" if b"PAR1" in content else "unknown_format")]


def test_parquet_of_no_known_columns_names_them(tmp_path):
    pq.write_table(pa.table({"colour": [1], "shape": [2]}), tmp_path / "a")
    with pytest.raises(SourceError, match="it is Parquet with the columns colour, shape; the formats are"):
        reading([tmp_path / "a"])


def test_a_named_format_is_taken_without_looking(tmp_path):
    (tmp_path / "x").write_bytes(b'{"colour":"red"}\n' * 30 + FLOWS)
    with pytest.raises(SourceError, match=r"cannot tell the format(.*)say so with --input-format NAME"):
        reading([tmp_path / "x"])
    batches, rejects, _ = reading([tmp_path / "x"], format="native")
    assert sum(b.batch.num_rows for b in batches) == 500
    assert [(r.line, r.reason) for r in rejects] == [(n, "unknown_kind") for n in range(1, 31)]


def test_a_format_that_does_not_exist_is_refused_with_the_list(tmp_path):
    (tmp_path / "x").write_bytes(FLOWS)
    with pytest.raises(SourceError, match=r"there is no format 'csv'; the formats are .*native.*vpc"):
        reading([tmp_path / "x"], format="csv")


def test_reading_stops_while_it_goes_on_when_most_rows_are_bad(tmp_path):
    bad = json.dumps(FLOW | {"start": 1}).encode() + b"\n"
    (tmp_path / "a").write_bytes(FLOWS + bad * 600)
    (tmp_path / "b").write_bytes(b"never reached: of no known format")
    with pytest.raises(RejectLimitError, match=r"^600 of 1100 rows were rejected(.|\n)*600 impossible_time \(native\)"):
        reading([tmp_path / "a", tmp_path / "b"], share=0.1)


def test_a_missing_path_is_an_error_before_anything_is_read(tmp_path):
    (tmp_path / "a").write_bytes(FLOWS)
    with pytest.raises(SourceError, match="no such file"):
        next(read([tmp_path / "a", tmp_path / "gone"], ledger=Ledger()))


def test_a_wrong_header_is_an_error_alone_and_a_reject_in_company(tmp_path):
    (tmp_path / "a").write_bytes(VPC.replace(b" start ", b" star "))
    with pytest.raises(SourceError, match=r"cannot.* By its content it is vpc; name another with --input-format"):
        reading([tmp_path / "a"])
    with pytest.raises(SourceError, match=r"cannot.*has these fields$"):
        reading([tmp_path / "a"], format="vpc")
    (tmp_path / "b").write_bytes(FLOWS)
    batches, rejects, _ = reading([tmp_path])
    assert {b.format for b in batches} == {"native"}
    assert len(rejects) == 1


def test_ssl_logs_are_read_before_the_conn_log_of_the_same_hour(tmp_path):
    for number, name in enumerate(("conn.log", "ssl.log", "other")):
        (tmp_path / name).write_bytes(FLOWS + json.dumps(FLOW | {"local_port": 1000 + number}).encode())
    batches, _, _ = reading([tmp_path])
    names = [b.source.rpartition("/")[2] for b in batches]
    assert names.index("ssl.log") < names.index("conn.log")


def test_the_formats_have_names_of_their_own_and_native_is_last():
    names = [known.name for known in registry.FORMATS]
    assert len(set(names)) == len(names)
    assert format_names() == tuple(sorted(names))
    assert names[-1] == "native"
    assert {registry.by_name(name).name for name in names} == set(names)


@pytest.mark.parametrize(
    "head", [b"", b"\n", b"\0" * 100, b"\xff" * 100, b"{", b"[", b"{}", b"[]", b"#", b"PAR1", b"-", b"," * 99]
)
def test_no_format_stumbles_over_an_odd_beginning(tmp_path, head):
    for known in registry.FORMATS:
        assert known.matches(head) in (True, False)
        if isinstance(known, ColumnarFormat):
            assert known.matches_columns(frozenset()) is False
    (tmp_path / "x").write_bytes(head)
    with OpenInput(tmp_path / "x") as source, pytest.raises(SourceError):
        registry.detect(source)


@pytest.mark.parametrize("stored", ["plain", "gzip", "parquet", "parquet in gzip", "arrow"])
def test_standard_input_may_hold_any_format(monkeypatch, stored):
    table = pa.Table.from_pylist([FLOW] * 500)
    sink = io.BytesIO()
    if stored.startswith("parquet"):
        pq.write_table(table, sink)
    elif stored == "arrow":
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        sink.write(FLOWS if stored == "plain" else gzip.compress(FLOWS))
    content = gzip.compress(sink.getvalue()) if stored.endswith("in gzip") else sink.getvalue()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    batches, rejects, _ = reading(["-"])
    assert sum(b.batch.num_rows for b in batches) == 500
    assert {b.source for b in batches} == {"<stdin>"}
    assert rejects == []


@pytest.mark.parametrize("name", ["conn.log", "conn.json.log", "dns.log", "dns.json.log"])
@pytest.mark.parametrize("keep", [0.4, 0.8])
def test_truncation_costs_no_format_its_good_rows(tmp_path, name, keep):
    content = (Path(__file__).parent / "data" / "zeek" / name).read_bytes()
    compressed = gzip.compress(content, mtime=0)
    cut = compressed[: int(len(compressed) * keep)]
    (tmp_path / "cut").write_bytes(cut)
    whole = zlib.decompressobj(wbits=31).decompress(cut)
    (tmp_path / "whole").write_bytes(whole[: whole.rfind(b"\n") + 1])
    found = {}
    for file in ("cut", "whole"):
        batches, rejects, ledger = reading([tmp_path / file])
        found[file] = [(b.kind, b.batch.to_pylist()) for b in batches], ledger.skipped
        expected = [(whole.count(b"\n") + 1, "truncated")] if file == "cut" else []
        assert [(r.line, r.reason) for r in rejects] == expected
    assert found["cut"] == found["whole"]
    assert found["cut"][0]
