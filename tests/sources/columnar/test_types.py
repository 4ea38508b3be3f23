"""Every type of Arrow in every field of every record: each row is read or rejected, and nothing is raised."""

import datetime as dt
import decimal
import io
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.records import INPUT_RECORDS
from attribution.schema import record
from attribution.sources import Ledger, read

T0 = 1_767_225_600_000_000
MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROWS = {
    "flow": {"start": T0, "end": T0, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"},
    "heartbeat": {"address": "10.0.0.1", "workload": "w", "start": T0, "end": T0},
    "assignment": {"address": "10.0.0.9", "owner": "lb", "action": "assign", "time": T0},
    "name_binding": {"client_address": "10.0.0.1", "server_address": "9.9.9.9", "hostname": "a.b", "time": T0},
    "label": {"prefix": "10.0.0.0/8", "service": "corp"},
    "policy": {"policy": "free", "pool": "edge", "prefix": "192.0.2.0/24", "start": T0},
    "socket_rule": {"rule": "web", "prefix": "192.0.2.0/24", "service": "frontend", "port": 443, "protocol": 6},
}
IDENTIFIER = uuid.UUID("0190b5d4-7f3a-7c2e-9b1f-0123456789ab")


def columns():
    """A column of three rows of each type, the second one null where it can be."""
    whole = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
    yield from (pa.array([6, None, 1], kind) for kind in whole)
    yield from (pa.array([6.0, None, 1.5], kind) for kind in (pa.float32(), pa.float64()))
    yield pa.array([np.float16(6), None, np.float16("nan")], pa.float16())
    yield from (pa.array([decimal.Decimal(6), None, decimal.Decimal("1.5")], kind) for kind in
                (pa.decimal128(9, 2), pa.decimal256(50, 2)))  # fmt: skip
    for unit in ("s", "ms", "us", "ns"):
        yield from (pa.array([MOMENT, None, MOMENT], pa.timestamp(unit, zone)) for zone in (None, "UTC", "Asia/Tokyo"))
        yield pa.array([5, None, 7], pa.duration(unit))
    yield pa.array([1, None, 2], pa.date32())
    yield pa.array([1 << 40, None, 2], pa.int64()).view(pa.date64())
    yield from (pa.array([5, None, 7], kind) for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us")))
    yield pa.array([5, None, 7], pa.time64("ns"))
    yield pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval())
    yield pa.array([True, None, False])
    yield pa.nulls(3)
    texts = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]
    yield from (pa.array(["10.0.0.1", None, "a text that is longer"], kind) for kind in texts)
    yield from (pa.array([bytes(size), None, b"x" * size], pa.binary(size)) for size in (0, 1, 4, 16, 20))
    yield from (pa.array(values).dictionary_encode() for values in (
        ["a", None, "b"], [6, None, 7], [MOMENT, None, MOMENT], [b"\xff", None, b"a"], [1.5, None, 2.0]
    ))  # fmt: skip
    inside = pa.field("item", pa.string_view())
    yield from (pa.array([["a"], None, []], kind) for kind in
                (pa.list_(pa.string()), pa.large_list(pa.string()),
                 pa.list_view(pa.string()), pa.large_list_view(pa.string()), pa.list_(inside)))  # fmt: skip
    yield pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2))
    yield pa.array([{"a": 1, "service": "x"}, None, {"a": 2, "service": None}])
    yield pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64()))
    yield pa.RunEndEncodedArray.from_arrays([2, 3], ["a", None], pa.run_end_encoded(pa.int32(), pa.string()))
    yield pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array(["a", "b"]), pa.array([5])]
    )
    yield pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array(["a", "", "b"]), pa.array([0, 5, 0])])
    extension = [
        ("uuid", (), pa.binary(16), [bytes(16), None, IDENTIFIER.bytes]),
        ("bool8", (), pa.int8(), [1, None, 0]),
    ]
    extension.append(("json_", (pa.string(),), pa.string(), ["{}", None, "[1]"]))
    for name, arguments, stored, values in extension:
        if hasattr(pa, name):
            yield pa.ExtensionArray.from_storage(getattr(pa, name)(*arguments), pa.array(values, stored))


COLUMNS = list(columns())


def stream(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(path, table, content=None):
    path.write_bytes(stream(table) if content is None else content)
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1.0)
    found = list(read([path], ledger=ledger, format="native"))
    assert set(ledger.skipped) <= {("native", "repeated")}
    for batch in found:
        batch.batch.validate(full=True)
    rows = [row for batch in found for row in batch.batch.to_pylist()]
    assert len(rows) + len(rejects) + ledger.skipped.total() == table.num_rows
    return rows, rejects


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type)[:40])
def test_a_column_of_any_type_in_any_field_is_read_or_rejected_row_by_row(tmp_path, column):
    for kind in INPUT_RECORDS:
        for field in record(kind).fields:
            row = {name: [value] * 3 for name, value in ROWS[kind].items() if name != field.name}
            table = pa.table({**row, field.name: column})
            _, rejects = read_table(tmp_path / "x", table)
            assert "unreadable" not in {reject.reason for reject in rejects}, (kind.name, field.name)


@pytest.mark.parametrize("written", ["arrow", "parquet"])
@pytest.mark.parametrize("kind", ["binary(16)", "uuid"])
@pytest.mark.parametrize("coded", [False, True])
def test_identifiers_of_16_bytes_are_uuids(tmp_path, kind, written, coded):
    column = pa.array([IDENTIFIER.bytes, None, bytes(16)], pa.binary(16))
    if kind == "uuid":
        if coded or not hasattr(pa, "uuid"):
            pytest.skip("Arrow makes none")
        column = pa.ExtensionArray.from_storage(pa.uuid(), column)
    if coded:
        column = column.dictionary_encode()
    table = pa.table({name: [value] * 3 for name, value in ROWS["flow"].items()} | {"local_workload": column})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    found, rejects = read_table(tmp_path / "x", table, sink.getvalue() if written == "parquet" else None)
    assert rejects == []
    assert [row["local_workload"] for row in found] == [str(IDENTIFIER), None, str(uuid.UUID(int=0))]


def test_bytes_in_columns_of_addresses_are_addresses(tmp_path):
    raw = pa.array([bytes([10, 0, 0, 1]), bytes([192, 0, 2, 9])], pa.binary(4))
    wide = pa.array(
        [bytes.fromhex("20010db8" + "0" * 23 + "1"), bytes(10) + b"\xff\xff\x0a\x00\x00\x07"], pa.binary(16)
    )
    table = pa.table({"start": [T0] * 2, "end": [T0] * 2, "local_address": raw, "remote_address": wide})
    found, rejects = read_table(tmp_path / "x", table)
    assert rejects == []
    assert [row["local_address"] for row in found] == ["10.0.0.1", "192.0.2.9"]
    assert [row["remote_address"] for row in found] == ["2001:db8::1", "10.0.0.7"]


def test_text_in_a_column_of_16_bytes_stays_text(tmp_path):
    fixed = pa.array([b"a-workload-of-16", b"192.168.100.2   "], pa.binary(16))
    row = {name: [value] * 2 for name, value in ROWS["flow"].items()}
    found, rejects = read_table(tmp_path / "x", pa.table(row | {"local_workload": fixed}))
    assert rejects == []
    assert [one["local_workload"] for one in found] == ["a-workload-of-16", "192.168.100.2   "]
    found, rejects = read_table(tmp_path / "x", pa.table(row | {"local_address": fixed}))
    assert [one["local_address"] for one in found] == ["192.168.100.2"]
    assert [(reject.line, reject.reason) for reject in rejects] == [(1, "not_an_address")]
