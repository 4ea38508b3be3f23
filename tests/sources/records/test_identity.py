"""Records and files that are read twice are taken once; what looks alike and may be two stays two."""

import gzip
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.core.identity import BY_RECORD_ID
from attribution.sources import Ledger, Once, read
from attribution.sources.records.identity import BY_INTERFACE, TakenOnce

T0 = 1_767_225_600_000_000
FLOW = {"start": T0, "end": T0 + 5, "local_address": "10.0.0.1", "remote_address": "10.0.0.2", "local_port": 40000}
HEADER = (
    "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction\n"
)
VPC = "{eni} 10.0.1.10 10.0.2.20 40001 5432 6 10 {count} 1772445600 1772445650 ACCEPT OK {way}\n"
CONN = {
    "_path": "conn", "ts": 1772445600.5, "uid": "CAbc1", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "proto": "tcp",
    "id.resp_h": "10.0.0.2", "id.resp_p": 80, "conn_state": "SF", "_system_name": "s1", "duration": 1.5,
}  # fmt: skip
EVENT = {
    "time": "2026-03-02T10:00:00.1Z", "uuid": "u1", "verdict": "FORWARDED", "Type": "L3_L4", "node_name": "n1",
    "IP": {"source": "10.1.0.5", "destination": "10.1.0.9"}, "traffic_direction": "EGRESS",
    "l4": {"TCP": {"source_port": 41000, "destination_port": 8080}},
    "source": {"ID": 11, "namespace": "db", "pod_name": "a"}, "destination": {"namespace": "db", "pod_name": "b"},
}  # fmt: skip


def vpc(eni="eni-0a", count=1000, way="egress"):
    return VPC.format(eni=eni, count=count, way=way)


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def taken(folder, *contents, **options):
    """Flows that are taken of files with these contents, and what is skipped; no two files are the same."""
    for number, content in enumerate(contents):
        (folder / f"{number}").write_text(content)
    ledger = Ledger()
    found = list(read([folder], ledger=ledger, kinds=("flow",), **options))
    skipped = {reason: count for (_, reason), count in ledger.skipped.items() if reason in {"repeated", "same_file"}}
    rows = sum(one.batch.num_rows for one in found)
    assert sum(n for (kind, _), n in ledger.rows.items() if kind == "flow") == rows
    return rows, skipped


REPEATED = {
    "a row of an interface": (HEADER + vpc(), HEADER + vpc() + vpc(eni="eni-0b")),
    "a row of a log without directions": (HEADER + vpc(way="-"), HEADER + vpc(way="-") + vpc(eni="eni-0b")),
    "a connection of Zeek": (lines(CONN), lines(CONN, CONN | {"uid": "CAbc2"})),
    "an event of Hubble": (lines(EVENT), lines(EVENT, EVENT | {"uuid": "u2"})),
    "a native flow": (
        lines(FLOW | {"record_id": "a"}),
        lines(FLOW | {"record_id": "a"}, FLOW | {"record_id": "b"}),
    ),
}


@pytest.mark.parametrize("contents", REPEATED.values(), ids=REPEATED)
def test_a_record_with_an_identity_is_taken_once_and_the_repeat_is_counted(tmp_path, contents):
    assert taken(tmp_path, *contents) == (2, {"repeated": 1})


DISTINCT = {
    "interfaces": HEADER + vpc() + vpc(eni="eni-0b"),
    "ways": HEADER + vpc() + vpc(way="ingress"),
    "counts": HEADER + vpc() + vpc(count=1001),
    "rows of no interface": HEADER.removeprefix("interface-id ") + 2 * vpc().removeprefix("eni-0a "),
    "sensors": lines(CONN, CONN | {"_system_name": "s2"}),
    "times under one uuid": lines(EVENT, EVENT | {"time": "2026-03-02T10:00:00.2Z"}),
    "nodes under one uuid": lines(EVENT, EVENT | {"node_name": "n2"}),
    "pods under one uuid": lines(EVENT, EVENT | {"source": EVENT["source"] | {"pod_name": "c"}}),
    "events without a uuid": lines(*2 * [{k: v for k, v in EVENT.items() if k != "uuid"}]),
    "equal native flows": lines(FLOW, FLOW),
}


@pytest.mark.parametrize("content", DISTINCT.values(), ids=DISTINCT)
def test_records_that_differ_and_equal_rows_without_an_identity_stay_two(tmp_path, content):
    assert taken(tmp_path, content) == (2, {})


def test_text_and_parquet_of_one_log_are_one_log(tmp_path):
    names = [name.replace("-", "_") for name in HEADER.split()]
    values = [int(value) if value.isdigit() else value for value in vpc().split()]
    pq.write_table(pa.Table.from_pylist([dict(zip(names, values, strict=True))]), tmp_path / "p")
    assert taken(tmp_path, HEADER + vpc()) == (1, {"repeated": 1})


def test_a_copy_of_a_file_compressed_or_linked_is_read_once_and_named(tmp_path):
    content = lines(*({**FLOW, "local_port": port} for port in range(2000)))
    assert len(content) > 1 << 17
    (tmp_path / "a").write_text(content)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c.gz").write_bytes(gzip.compress(content.encode()))
    (tmp_path / "d").write_text(content[:-2] + " }\n")
    ledger = Ledger()
    assert sum(one.batch.num_rows for one in read([tmp_path], ledger=ledger)) == 4000
    assert ledger.skipped == {("native", "same_file"): 2}
    assert ledger.same_files == [(str(tmp_path / name), str(tmp_path / "a")) for name in ("b", "c.gz")]


def test_small_files_are_compared_whole_and_damaged_or_empty_ones_never(tmp_path):
    content = lines(FLOW)
    (tmp_path / "a").write_text(content)
    (tmp_path / "b").write_text(content + lines(FLOW))
    for name in ("c.gz", "d.gz"):
        (tmp_path / name).write_bytes(gzip.compress(content.encode())[:-4])
    for name in ("e", "f"):
        (tmp_path / name).write_text("")
    ledger = Ledger(max_rejected_share=1)
    assert sum(one.batch.num_rows for one in read([tmp_path], ledger=ledger)) == 5
    assert ledger.skipped == {("unknown", "empty_file"): 2}


def test_standard_input_and_one_content_of_two_networks_are_no_repeats(tmp_path, monkeypatch):
    (tmp_path / "a").write_text(lines(FLOW))
    shutil.copy(tmp_path / "a", tmp_path / "b")
    ledger = Ledger()
    found = read([tmp_path], ledger=ledger, network=lambda source, _kind: source[-1])
    assert [one.batch.column("local_network").to_pylist() for one in found] == [["a"], ["b"]]
    with (tmp_path / "a").open() as given:
        monkeypatch.setattr("sys.stdin", given)
        found = list(read([tmp_path / "a", "-"], ledger=ledger))
    assert (len(found), ledger.skipped) == (2, {})


def test_what_one_option_reads_is_no_repeat_for_another(tmp_path):
    once = Once()
    content = HEADER + vpc()
    assert taken(tmp_path, content, once=once) == (1, {})
    assert taken(tmp_path, content + vpc(eni="eni-0b"), once=once) == (1, {"repeated": 1})
    assert taken(tmp_path, content, once=once) == (0, {"same_file": 1})
    assert taken(tmp_path, content) == (1, {})


def canonical_flows(folder, content):
    (folder / "x").write_text(content)
    (found,) = read([folder / "x"], ledger=Ledger(), kinds=("flow",))
    return found.batch


def test_an_id_is_the_same_in_every_run_and_stands_only_where_there_is_an_identity(tmp_path):
    flows = canonical_flows(tmp_path, HEADER + vpc() + vpc(eni="-") + vpc(way="ingress"))
    ids = [TakenOnce(named=True).first(flows, BY_INTERFACE).column("record_id").to_pylist() for _ in range(2)]
    assert ids[0] == ids[1]
    assert ids[0][1] is None
    assert len(set(ids[0])) == 3
    assert {len(one) for one in ids[0] if one} == {16}
    hashes, known = BY_INTERFACE.hashes(flows)
    assert known.tolist() == [True, False, True]
    assert ids[0][0] == f"{hashes[0]:016x}"
    assert TakenOnce().first(flows, BY_INTERFACE).column("record_id").null_count == 3


def test_at_least_half_of_the_identities_that_may_be_remembered_are(tmp_path):
    many = canonical_flows(tmp_path, lines(*({**FLOW, "record_id": f"id-{n}"} for n in range(100))))
    once = TakenOnce(remembered=40)
    for at in range(0, 100, 7):
        assert once.first(many.slice(at, 7), BY_RECORD_ID).num_rows == min(7, 100 - at)
    assert once.first(many.slice(82), BY_RECORD_ID).num_rows == 0
    assert once.first(many.slice(0, 50), BY_RECORD_ID).num_rows == 50
