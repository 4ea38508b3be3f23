"""Raw columns become canonical batches; each bad row is set aside for one reason, with what was found."""

import datetime as dt
from decimal import Decimal

import added_fields
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution import schema
from attribution.sources.records.casting import EARLIEST, LATEST
from attribution.sources.records.model import Account, Block, Ledger
from attribution.sources.records.rejects import REASONS
from attribution.sources.records.validate import canonical

SECOND = 1_000_000
T0 = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
UTC = dt.UTC

FLOW = {
    "start": T0,
    "end": T0 + 5,
    "local_address": "10.0.0.1",
    "local_port": 40000,
    "remote_address": "10.0.0.2",
    "remote_port": 443,
    "protocol": 6,
    "direction": "egress",
    "bytes_sent": 10,
    "bytes_received": 20,
    "packets_sent": 1,
    "packets_received": 2,
    "tcp_flags": 27,
    "local_workload": "w",
    "local_service": "s",
    "hostname": "example.com",
    "observer": "o",
    "region": "r",
    "basis": "connection",
}
GOOD = {
    "flow": FLOW,
    "heartbeat": {"address": "10.0.0.1", "port": 80, "protocol": 6, "workload": "w", "start": T0, "end": T0 + 1},
    "assignment": {"address": "10.0.0.1", "owner": "lb", "action": "assign", "time": T0},
    "name_binding": {
        "client_address": "10.0.0.1",
        "server_address": "9.9.9.9",
        "hostname": "a.b",
        "time": T0,
        "ttl": 30,
    },
    "label": {"prefix": "10.0.0.0/8", "service": "corp"},
    "policy": {"policy": "free", "pool": "edge", "prefix": "192.0.2.0/24", "match": "a=b", "start": T0, "end": T0 + 1},
    "socket_rule": {"rule": "web", "prefix": "192.0.2.0/24", "service": "frontend", "start": T0, "end": T0 + 1},
}


def validated(kind, columns, *, first_line=1, **options):
    arrays = {name: c if isinstance(c, pa.Array | pa.ChunkedArray) else pa.array(c) for name, c in columns.items()}
    rows = {len(a) for a in arrays.values()}.pop()
    rejects = []
    ledger = Ledger(sink=rejects.append)
    lines = np.arange(first_line, first_line + rows, dtype=np.int64)
    batch = canonical(Block(kind, arrays, "here", lines), Account(ledger, "test", {}), **options)
    assert ledger.rows == ({(kind, "test"): batch.num_rows} if batch.num_rows else {(kind, "test"): 0})
    assert batch.num_rows + ledger.rejected.total() == rows
    expected = schema.arrow_schema(kind)
    if not options:
        assert batch.schema.names == expected.names
        for field, wanted in zip(batch.schema, expected, strict=True):
            is_text = field.type in (pa.string(), pa.dictionary(pa.int32(), pa.string()))
            assert field.type == wanted.type or (wanted.type == pa.string() and is_text), field
            assert field.nullable == wanted.nullable
    batch.validate(full=True)
    return batch, [(r.line, r.reason, r.found) for r in rejects], ledger


def row_of(kind, **changes):
    """One row with the changes; None leaves the field out."""
    values = GOOD[kind] | changes
    batch, rejects, _ = validated(kind, {name: [v] for name, v in values.items() if v is not None})
    return (batch.to_pylist()[0] if batch.num_rows else None), rejects


def micros(value):
    return value and (value - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_row_of_each_kind_passes_unchanged(kind):
    row, rejects = row_of(kind)
    assert rejects == []
    whole = dict.fromkeys(schema.record(kind).names) | GOOD[kind]
    assert row == {
        k: dt.datetime.fromtimestamp(v / 1e6, UTC) if k in ("start", "end", "time") else v for k, v in whole.items()
    } | {
        k: dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(microseconds=v)
        for k, v in whole.items()
        if k in ("start", "end", "time")
    }


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("flow", "local_address", "::ffff:10.0.0.9", "10.0.0.9"),
        ("flow", "remote_address", "2001:DB8:0::1", "2001:db8::1"),
        ("flow", "protocol", "TCP", 6),
        ("flow", "protocol", "ipv6-ICMP", 58),
        ("flow", "protocol", "17", 17),
        ("flow", "protocol", 255, 255),
        ("flow", "protocol", None, None),
        ("flow", "direction", "INGRESS", "ingress"),
        ("flow", "direction", None, None),
        ("flow", "basis", "Window", "window"),
        ("flow", "basis", None, "connection"),
        ("flow", "basis", "", "connection"),
        ("flow", "hostname", "WWW.Example.COM.", "www.example.com"),
        ("flow", "hostname", "", None),
        ("flow", "local_workload", "", None),
        ("flow", "local_workload", 12345, "12345"),
        ("flow", "local_port", "0", 0),
        ("flow", "local_port", 65535.0, 65535),
        ("flow", "local_port", "", None),
        ("flow", "bytes_sent", "12", 12),
        ("flow", "bytes_sent", 10**18, 10**18),
        ("flow", "flow_count", "12", 12),
        ("flow", "bytes_sent", Decimal(7), 7),
        ("flow", "tcp_flags", "18", 18),
        ("heartbeat", "service", "", None),
        ("heartbeat", "address", "10.0.0.1/32", "10.0.0.1"),
        ("assignment", "address", "2001:db8::1/128", "2001:db8::1"),
        ("assignment", "action", "RELEASE", "release"),
        ("name_binding", "hostname", "A.B.", "a.b"),
        ("name_binding", "hostname", "m\u00fcnchen.example", "m\u00fcnchen.example"),
        ("name_binding", "ttl", "0.5", 0.5),
        ("name_binding", "ttl", None, None),
        ("label", "prefix", "2001:DB8::/32", "2001:db8::/32"),
        ("label", "prefix", "10.1.2.3", "10.1.2.3/32"),
    ],
)
def test_values_are_brought_to_their_canonical_form(kind, field, value, expected):
    row, rejects = row_of(kind, **{field: value})
    assert rejects == []
    assert row[field] == expected


@pytest.mark.parametrize("encoded", [False, True])
def test_a_flow_without_a_basis_is_a_connection_only_where_its_protocol_makes_them(encoded):
    protocols = [6, 17, 33, 132, 136, 1, None, 17]
    given = [None] * 7 + ["connection"]
    columns = {name: [value] * 8 for name, value in GOOD["flow"].items()}
    columns |= {"protocol": protocols, "basis": given}
    for known in (given, [None] * 8):
        text = pa.array(known, pa.string())
        batch, bad, _ = validated("flow", columns | {"basis": text.dictionary_encode() if encoded else text})
        left_out = [{6: "connection", 33: "connection", 132: "connection"}.get(p, "window") for p in protocols]
        assert batch.column("basis").to_pylist() == [k or b for k, b in zip(known, left_out, strict=True)]
        assert not bad


def test_the_end_of_an_instant_may_be_left_out():
    row, rejects = row_of("heartbeat", end=None)
    assert rejects == []
    assert row["end"] == row["start"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", T0),
        ("2026-01-01T00:00:00", T0),
        ("2026-01-01 00:00:00", T0),
        ("2026-01-01T02:00:00+02:00", T0),
        ("2025-12-31T19:00:00-0500", T0),
        ("2026-01-01T00:00:00.5Z", T0 + 500_000),
        ("2026-01-01T00:00:00.000001Z", T0 + 1),
        ("2026-01-01T00:00:00.000001999Z", T0 + 1),
        ("2026-01-01T00:00:00.1234567+00:00", T0 + 123_456),
        (str(T0), T0),
        (f" {T0} ", T0),
        ("1990-01-01T00:00:00Z", EARLIEST),
        ("2099-12-31T23:59:59.999999Z", LATEST - 1),
    ],
)
def test_times_are_read_from_text_alone_and_in_any_company(text, expected):
    others = ["2026-01-01T00:00:00Z", str(T0), "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00"]
    for company in ([], *([other] for other in others), others):
        values = [text, *company]
        batch, rejects, _ = validated(
            "heartbeat",
            {"address": ["10.0.0.1"] * len(values), "workload": ["w"] * len(values), "start": values},
        )
        assert rejects == []
        assert micros(batch.column("start")[0].as_py()) == expected


@pytest.mark.parametrize(
    "array",
    [
        pa.array([T0 // 1_000_000], pa.timestamp("s")),
        pa.array([T0 // 1000], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([T0], pa.timestamp("us", "UTC")),
        pa.array([T0 * 1000 + 999], pa.timestamp("ns")),
        pa.array([T0], pa.int64()),
        pa.array([T0], pa.uint64()),
        pa.array([float(T0)], pa.float64()),
        pa.array(["2026-01-01T00:00:00Z"]).dictionary_encode(),
        pa.array(["2026-01-01T00:00:00Z"], pa.large_string()),
        pa.chunked_array([pa.array([T0], pa.int64()), pa.array([], pa.int64())]),
    ],
    ids=lambda array: str(array.type),
)
def test_times_are_read_from_any_type(array):
    batch, rejects, _ = validated("heartbeat", {"address": ["10.0.0.1"], "workload": ["w"], "start": array})
    assert rejects == []
    assert batch.column("start").cast(pa.int64()).to_pylist() == [T0]


BAD = [
    ("flow", {"start": None}, "missing_field", "start=null"),
    ("flow", {"local_address": None}, "missing_field", "local_address=null"),
    ("flow", {"remote_address": ""}, "missing_field", "remote_address=''"),
    ("heartbeat", {"workload": ""}, "missing_field", "workload=''"),
    ("assignment", {"owner": None}, "missing_field", "owner=null"),
    ("name_binding", {"hostname": "."}, "missing_field", "hostname='.'"),
    ("label", {"service": None}, "missing_field", "service=null"),
    ("flow", {"start": "yesterday"}, "not_a_time", "start='yesterday'"),
    ("flow", {"start": "2026-02-30T00:00:00Z"}, "not_a_time", "start='2026-02-30T00:00:00Z'"),
    ("flow", {"end": True}, "not_a_time", f"start={T0}, end=True"),
    ("flow", {"start": 12.5}, "impossible_time", "start=12.5"),
    ("flow", {"start": 1_767_225_600}, "impossible_time", "start=1767225600"),
    ("flow", {"end": LATEST}, "impossible_time", f"start={T0}, end={LATEST}"),
    ("heartbeat", {"start": EARLIEST - 1}, "impossible_time", f"start={EARLIEST - 1}"),
    ("heartbeat", {"start": "0001-01-01T00:00:00Z"}, "impossible_time", "start='0001-01-01T00:00:00Z'"),
    ("heartbeat", {"start": "2600-01-01T00:00:00Z"}, "impossible_time", "start='2600-01-01T00:00:00Z'"),
    ("assignment", {"time": pa.scalar(10**17, pa.timestamp("s"))}, "impossible_time", "time=100000000000000000 s"),
    (
        "assignment",
        {"time": pa.scalar(12, pa.timestamp("ms"))},
        "impossible_time",
        "time=1970-01-01T00:00:00.012000+00:00",
    ),
    ("flow", {"end": T0 - SECOND}, "end_before_start", f"start={T0}, end={T0 - SECOND}"),
    ("flow", {"local_address": "010.0.0.1"}, "not_an_address", "local_address='010.0.0.1'"),
    ("flow", {"remote_address": "10.0.0.1:80"}, "not_an_address", "remote_address='10.0.0.1:80'"),
    ("flow", {"remote_address": 167772161}, "not_an_address", "remote_address=167772161"),
    ("name_binding", {"server_address": "example.com"}, "not_an_address", "server_address='example.com'"),
    ("assignment", {"address": "10.0.0.0/24"}, "not_an_address", "address='10.0.0.0/24'"),
    ("label", {"prefix": "10.0.0.1/8"}, "not_a_prefix", "prefix='10.0.0.1/8'"),
    ("policy", {"prefix": "192.0.2.1/24"}, "not_a_prefix", "prefix='192.0.2.1/24'"),
    ("name_binding", {"client_prefix": "10.0.0.1/8"}, "not_a_prefix", "client_prefix='10.0.0.1/8'"),
    ("policy", {"pool": ""}, "missing_field", "pool=''"),
    ("policy", {"match": "free"}, "not_a_match", "match='free'"),
    ("policy", {"match": "a=b,"}, "not_a_match", "match='a=b,'"),
    ("policy", {"match": "a="}, "not_a_match", "match='a='"),
    ("policy", {"match": "a=b,a=c"}, "not_a_match", "match='a=b,a=c'"),
    ("policy", {"end": T0 - 1}, "end_before_start", f"start={T0}, end={T0 - 1}"),
    ("policy", {"ttl": -1}, "impossible_ttl", "ttl=-1"),
    ("policy", {"priority": 1 << 31}, "impossible_priority", f"priority={1 << 31}"),
    ("socket_rule", {"last_port": 80}, "not_a_port_range", "port=null, last_port=80"),
    ("socket_rule", {"service": None}, "missing_field", "service=null"),
    ("socket_rule", {"protocol": "smtp"}, "impossible_protocol", "protocol='smtp'"),
    ("flow", {"bytes_sent": "+12"}, "not_a_number", "bytes_sent='+12'"),
    ("flow", {"local_port": "http"}, "not_a_number", "local_port='http'"),
    ("flow", {"local_port": 80.5}, "not_a_number", "local_port=80.5"),
    ("flow", {"bytes_sent": True}, "not_a_number", "bytes_sent=True"),
    ("flow", {"bytes_sent": float("nan")}, "not_a_number", "bytes_sent=nan"),
    ("flow", {"bytes_sent": Decimal("1.5")}, "not_a_number", "bytes_sent=Decimal('1.5')"),
    ("flow", {"local_port": 65536}, "impossible_port", "local_port=65536"),
    ("heartbeat", {"port": "-1"}, "impossible_port", "port='-1'"),
    ("heartbeat", {"protocol": None}, "port_without_protocol", "port=80, protocol=null"),
    ("heartbeat", {"protocol": 1}, "port_without_protocol", "port=80, protocol=1"),
    ("heartbeat", {"protocol": 256}, "impossible_protocol", "protocol=256"),
    ("heartbeat", {"last_port": 79}, "not_a_port_range", "port=80, last_port=79"),
    ("heartbeat", {"last_port": 65536}, "impossible_port", "last_port=65536"),
    ("flow", {"wire_port": 40000}, "port_without_address", "wire_address=null, wire_port=40000"),
    ("flow", {"wire_address": "nat-1"}, "not_an_address", "wire_address='nat-1'"),
    ("assignment", {"port": 80}, "port_without_protocol", "port=80, protocol=null"),
    ("flow", {"protocol": 256}, "impossible_protocol", "protocol=256"),
    ("flow", {"protocol": "quic"}, "impossible_protocol", "protocol='quic'"),
    ("flow", {"protocol": 6.5}, "impossible_protocol", "protocol=6.5"),
    ("flow", {"bytes_received": -1}, "impossible_count", "bytes_received=-1"),
    ("flow", {"flow_count": -1}, "impossible_count", "flow_count=-1"),
    ("flow", {"packets_sent": 10**18 + 1}, "impossible_count", f"packets_sent={10**18 + 1}"),
    ("flow", {"packets_sent": "9999999999999999999"}, "not_a_number", "packets_sent='9999999999999999999'"),
    ("flow", {"tcp_flags": 65536}, "impossible_flags", "tcp_flags=65536"),
    ("name_binding", {"ttl": -1.0}, "impossible_ttl", "ttl=-1.0"),
    ("name_binding", {"ttl": float("inf")}, "impossible_ttl", "ttl=inf"),
    ("name_binding", {"ttl": 2.0**31}, "impossible_ttl", "ttl=2147483648.0"),
    ("name_binding", {"ttl": "soon"}, "impossible_ttl", "ttl='soon'"),
    ("flow", {"direction": "up"}, "unknown_value", "direction='up'"),
    ("flow", {"basis": "guess"}, "unknown_value", "basis='guess'"),
    ("assignment", {"action": "move"}, "unknown_value", "action='move'"),
    ("flow", {"local_workload": b"\xff"}, "not_text", "local_workload=b'\\xff'"),
    ("flow", {"local_workload": ["a", "b"]}, "not_text", "local_workload=['a', 'b']"),
    ("flow", {"start": b"\xff"}, "not_a_time", "start=b'\\xff'"),
    ("flow", {"local_port": b"\xff"}, "not_a_number", "local_port=b'\\xff'"),
    ("flow", {"protocol": b"\xff"}, "impossible_protocol", "protocol=b'\\xff'"),
    ("name_binding", {"ttl": b"\xff"}, "impossible_ttl", "ttl=b'\\xff'"),
]

#: One column of each Arrow type that a file may have, two rows each.
OF_EACH_TYPE = [
    *(
        pa.array([1, None], pa.type_for_alias(name))
        for name in (
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "float32",
            "float64",
            "date32",
            "date64",
            "time32[s]",
            "time64[ns]",
            "duration[us]",
            "timestamp[s]",
            "timestamp[ns]",
        )
    ),
    pa.array([True, None]),
    pa.array([(1 << 64) - 1, 1 << 63], pa.uint64()),
    pa.array(np.array([1.5, np.nan], np.float16)),
    pa.array([float("nan"), float("-inf")]),
    pa.array([Decimal("1.5"), Decimal(2)]),
    pa.array([Decimal(10) ** 70, None], pa.decimal256(76)),
    pa.array([b"\xff", b"10.0.0.1"]),
    pa.array([b"\xff", b""], pa.large_binary()),
    pa.array([b"\xff", b"a"], pa.binary(1)),
    pa.array(["x", ""], pa.large_string()),
    pa.array(["x", "10.0.0.1"], pa.string_view()),
    pa.array(["x", ""]).dictionary_encode(),
    pa.array([b"\xff", b"1"]).dictionary_encode(),
    pa.array([b"\xff", b"1"], pa.large_binary()).dictionary_encode(),
    pa.array([1, None]).dictionary_encode(),
    pa.array([True, False]).dictionary_encode(),
    pa.array([1.5, None]).dictionary_encode(),
    pa.array([[1], None]),
    pa.array([["x"], []], pa.large_list(pa.string())),
    pa.array([["x"], None], pa.list_(pa.string(), 1)),
    pa.array([{"x": 1}, None]),
    pa.array([[("x", 1)], None], pa.map_(pa.string(), pa.int64())),
    pa.array([{}, None], pa.struct([])),
    pa.nulls(2),
    pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]),
    pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "2"])) if hasattr(pa, "json_") else pa.nulls(2),
    pa.RunEndEncodedArray.from_arrays([2], ["x"]),
    pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
]


@pytest.mark.parametrize("column", OF_EACH_TYPE, ids=lambda column: str(column.type)[:40])
@pytest.mark.parametrize("kind", GOOD)
def test_whatever_type_a_column_has_its_rows_are_kept_or_set_aside(kind, column):
    """`validated` asserts that all rows are accounted for."""
    good = {name: pa.array([value] * 2) for name, value in GOOD[kind].items()}
    for field in schema.record(kind).fields:
        _, rejects, _ = validated(kind, good | {field.name: column})
        assert {reason for _, reason, _ in rejects} <= set(REASONS)


def test_a_struct_of_a_file_is_no_text_whatever_its_parts_are_called():
    """Values of several JSON types stand in such a struct within a run; a file's own must not be taken for one."""
    own = pa.array([{"text": "x", "json": None}], pa.struct([("text", pa.string()), ("json", pa.string())]))
    good = {name: [value] for name, value in GOOD["assignment"].items()}
    batch, rejects, _ = validated("assignment", good | {"owner": own})
    assert batch.num_rows == 0
    assert [reason for _, reason, _ in rejects] == ["not_text"]


@pytest.mark.parametrize("change", [{"last_port": 90}, {"port": None, "protocol": None}])
def test_a_claim_is_of_one_port(change):
    """A range that a balancer is said to have would name its workload, and so would a whole address."""
    good = GOOD["heartbeat"] | {"last_port": None, "claim": "balanced"}
    rows = {name: [value, change.get(name, value)] for name, value in good.items()}
    batch, rejects, _ = validated("heartbeat", rows)
    assert batch.column("claim").to_pylist() == ["balanced"]
    assert [reason for _, reason, _ in rejects] == ["claim_without_port"]


@pytest.mark.parametrize(("kind", "change", "reason", "found"), BAD)
def test_a_bad_row_is_set_aside_for_its_reason_and_its_neighbours_are_kept(kind, change, reason, found):
    assert reason in REASONS
    ((field, value),) = change.items()
    good = GOOD[kind]
    columns = {name: pa.array([v] * 3) for name, v in good.items()}
    if isinstance(value, pa.Scalar):
        columns[field] = pa.array([None, value.value, None], pa.int64()).cast(value.type)
    elif value is None or type(value) is type(good.get(field)):
        columns[field] = pa.array([good.get(field), value, good.get(field)])
    else:  # of another type than the good values: a column of its own kind, absent in the other rows
        columns[field] = pa.array([None, value, None])
    batch, rejects, ledger = validated(kind, columns, first_line=11)
    assert (12, reason, found) in rejects
    assert ledger.rejected["test", reason] >= 1
    required = not schema.record(kind)[field].nullable and field not in ("end", "basis")
    if columns[field].null_count == 2 and required:
        assert [(line, why) for line, why, _ in rejects if line != 12] == [(11, "missing_field"), (13, "missing_field")]
    elif field != "end" or kind != "flow" or columns[field].null_count != 2:
        assert batch.num_rows == 2
        assert len(rejects) == 1


@pytest.mark.parametrize("kind", ["heartbeat", "assignment"])
@pytest.mark.parametrize("port", [[None, 80], [None, None]])
def test_evidence_of_a_whole_address_has_no_protocol(kind, port):
    columns = {name: [value] * 2 for name, value in GOOD[kind].items()} | {"port": port, "protocol": ["tcp", "UDP"]}
    batch, rejects, _ = validated(kind, columns)
    assert rejects == []
    assert batch.column("protocol").to_pylist() == [None if p is None else 17 for p in port]


@pytest.mark.parametrize(
    ("given", "canonical_match"),
    [("b=2,a=1", "a=1,b=2"), (" a = 1 ,a=1", "a=1"), ("a=x=y", "a=x=y"), ("", None), (None, None)],
)
def test_a_match_is_a_sorted_list_of_its_pairs(given, canonical_match):
    columns = {name: [value] for name, value in GOOD["policy"].items()} | {"match": pa.array([given], pa.string())}
    batch, rejects, _ = validated("policy", columns)
    assert rejects == []
    assert batch.column("match").to_pylist() == [canonical_match]


def test_a_rule_of_a_port_may_be_for_all_protocols_and_configuration_may_have_one_end_only():
    columns = {name: [value] for name, value in GOOD["socket_rule"].items()} | {"port": [443], "start": [None]}
    batch, rejects, _ = validated("socket_rule", columns)
    assert rejects == []
    (row,) = batch.to_pylist()
    assert (row["port"], row["protocol"], row["start"]) == (443, None, None)


def test_every_reason_that_validation_gives_is_tried_here():
    elsewhere = {
        "malformed", "wrong_columns", "unusable_header", "unknown_kind", "unknown_format",
        "truncated", "corrupt", "line_too_long", "unreadable", "outside_pools",
    }  # fmt: skip
    of_types = {reason for _, _, reason in added_fields.BAD}
    of_several_fields = {"claim_without_port"}  # `test_a_claim_is_of_one_port`
    assert {reason for _, _, reason, _ in BAD} | of_types | of_several_fields == set(REASONS) - elsewhere


def test_a_row_with_several_faults_has_the_first_in_the_order_of_the_record():
    _, rejects, _ = validated(
        "flow",
        {
            "start": [T0 + 9, None, 5],
            "end": [T0, T0, T0],
            "local_address": ["10.0.0.1", "x", "x"],
            "remote_address": ["y", "y", "y"],
        },
    )
    assert [(line, reason) for line, reason, _ in rejects] == [
        (1, "not_an_address"),
        (2, "missing_field"),
        (3, "impossible_time"),
    ]


def test_fields_that_a_record_does_not_have_are_ignored():
    batch, rejects, _ = validated(
        "label", {"prefix": ["10.0.0.0/8"], "service": ["x"], "colour": ["red"], "start": ["?"]}
    )
    assert rejects == []
    assert batch.num_rows == 1


def test_chosen_fields_are_checked_alone():
    columns = {"start": [T0, 5], "end": [T0, T0], "local_address": ["10.0.0.1", "10.0.0.1"]}
    batch, rejects, _ = validated("flow", columns, only=("start", "end", "local_address"))
    assert batch.schema.names == ["start", "end", "local_address"]
    assert [(line, reason) for line, reason, _ in rejects] == [(2, "impossible_time")]


def test_a_batch_of_no_rows_is_one():
    batch, rejects, _ = validated("flow", {name: pa.array([], pa.string()) for name in FLOW})
    assert (batch.num_rows, rejects) == (0, [])


def test_a_batch_in_which_every_row_is_bad_is_empty():
    rows = 3000
    columns = {name: [v] * rows for name, v in FLOW.items()} | {"start": ["never"] * rows}
    batch, rejects, ledger = validated("flow", columns)
    assert batch.num_rows == 0
    assert ledger.rejected == {("test", "not_a_time"): rows}
    assert [line for line, _, _ in rejects] == list(range(1, rows + 1))


def test_dictionary_encoded_text_stays_so_and_what_no_row_uses_harms_none():
    services = pa.DictionaryArray.from_arrays(pa.array([0, 2, None], pa.int8()), pa.array(["s", "unused", "", None]))
    directions = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int32()), pa.array(["egress", "INGRESS", "up"]))
    columns = {name: [v] * 3 for name, v in FLOW.items()} | {"local_service": services, "direction": directions}
    batch, rejects, _ = validated("flow", columns)
    assert rejects == []
    assert batch.column("local_service").to_pylist() == ["s", None, None]
    assert batch.column("direction").to_pylist() == ["egress", "ingress", "egress"]
    assert pa.types.is_dictionary(batch.column("local_service").type)


@given(
    st.lists(
        st.tuples(
            st.integers(EARLIEST - 2, LATEST + 1) | st.sampled_from([EARLIEST - 1, EARLIEST, LATEST - 1, LATEST]),
            st.integers(-2, 65537),
            st.sampled_from(["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "10.0.0.256", "host", None]),
            st.sampled_from([6, 17, 33, 132, 136, 1, 300, None]),
        ),
        max_size=40,
    ),
    st.booleans(),
)
def test_exactly_the_rows_that_are_fine_one_by_one_pass_together(rows, as_text):
    def fine(time, port, address, protocol):
        held = 0 <= port <= 65535 and protocol in (6, 17, 33, 132, 136)
        return EARLIEST <= time < LATEST and held and address in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1")

    def numbers(value):
        return value if value is None else str(value) if as_text else value

    kind = pa.string() if as_text else pa.int64()
    batch, rejects, _ = validated(
        "heartbeat",
        {
            "address": pa.array([a for _, _, a, _ in rows], pa.string()),
            "port": pa.array([numbers(p) for _, p, _, _ in rows], kind),
            "protocol": pa.array([numbers(p) for *_, p in rows], kind),
            "workload": pa.array([f"w{n}" for n in range(len(rows))], pa.string()),
            "start": pa.array([numbers(t) for t, *_ in rows], kind),
        },
    )
    assert batch.column("workload").to_pylist() == [f"w{n}" for n, row in enumerate(rows) if fine(*row)]
    assert [line for line, _, _ in rejects] == [n for n, row in enumerate(rows, 1) if not fine(*row)]
    good = [row for row in rows if fine(*row)]
    assert batch.column("start").cast(pa.int64()).to_pylist() == [t for t, *_ in good]
    assert batch.column("port").to_pylist() == [p for _, p, _, _ in good]
