"""Tests of records with a field of each Avro type; `test_each_avro_type.py` runs them on a package that has these."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from attribution import schema
from attribution.cli import cli
from attribution.sources import Ledger, read
from attribution.stream.wire import codec

TIME = {"type": "long", "logicalType": "timestamp-micros"}
LOW, NOTE = {"name": "low", "type": "int"}, {"name": "note", "type": ["null", "string"]}
PAIR = {"type": "record", "name": "pair", "fields": [LOW, NOTE]}
ADDED = {
    "a_string": "string",
    "an_int": "int",
    "a_long": "long",
    "a_float": "float",
    "a_double": "double",
    "a_boolean": "boolean",
    "a_moment": TIME,
    "an_enum": {"type": "enum", "name": "size", "symbols": ["Small", "LARGE"]},
    "an_array": {"type": "array", "items": "long"},
    "a_text_array": {"type": "array", "items": ["null", "string"]},
    "a_record": PAIR,
    "an_array_of_records": {"type": "array", "items": PAIR},
}
ADDED |= {f"{name}_or_null": avro for name, avro in ADDED.items()}
MOMENT = "2026-01-01T00:00:00Z"
T0 = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {
    "a_string": "x",
    "an_int": 1,
    "a_long": 1 << 40,
    "a_float": 0.5,
    "a_double": 0.1,
    "a_boolean": True,
    "a_moment": MOMENT,
    "an_enum": "Small",
    "an_array": [1, 2],
    "a_text_array": ["a", None],
    "a_record": {"low": 1, "note": "n"},
    "an_array_of_records": [{"low": 1, "note": None}],
}
#: What a value that is not as the record has it becomes.
READ = [
    ("a_string", 5, "5"),
    ("an_int", "-7", -7),
    ("an_int", 7.0, 7),
    ("an_int", -(1 << 31), -(1 << 31)),
    ("a_long", "9223372036854775807", (1 << 63) - 1),
    ("a_float", "1.5", 1.5),
    ("a_float", 3, 3.0),
    ("a_double", "1e300", 1e300),
    ("a_double", 5, 5.0),
    ("a_boolean", "FALSE", False),
    ("a_moment", 1_767_225_600_000_000, T0),
    ("an_enum", "small", "Small"),
    ("an_enum", "Large", "LARGE"),
    ("an_array", [], []),
    ("an_array", ["3", "4"], [3, 4]),
    ("an_array", "[3, 4]", [3, 4]),
    ("a_text_array", ["x"], ["x"]),
    ("a_record", {"low": "7", "other": 1}, {"low": 7, "note": None}),
    ("a_record", '{"low": 7}', {"low": 7, "note": None}),
    ("an_array_of_records", [{"low": 7}, {"low": 8, "note": "x"}], [{"low": 7, "note": None}, {"low": 8, "note": "x"}]),
]
NAN, INF = float("nan"), float("inf")
BAD = [
    ("a_string", "", "missing_field"),
    ("a_string", ["x"], "not_text"),
    ("a_string", {"x": 1}, "not_text"),
    ("a_string", [1, "x"], "not_text"),
    ("a_string", b"\xff", "not_text"),
    ("an_int", "x", "not_a_number"),
    ("an_int", b"\xff", "not_a_number"),
    ("an_int", 0.5, "not_a_number"),
    ("an_int", NAN, "not_a_number"),
    ("an_int", True, "not_a_number"),
    ("an_int", [1], "not_a_number"),
    ("an_int", {"x": 1}, "not_a_number"),
    ("an_int", 1 << 31, "out_of_range"),
    ("an_int", -(1 << 31) - 1, "out_of_range"),
    ("an_int", 1 << 63, "not_a_number"),
    ("a_long", 1 << 63, "not_a_number"),
    ("a_long", 10**30, "not_a_number"),
    ("a_long", "1.5", "not_a_number"),
    ("a_float", "x", "not_a_number"),
    ("a_float", NAN, "not_a_number"),
    ("a_float", 1e300, "out_of_range"),
    ("a_double", "x", "not_a_number"),
    ("a_double", True, "not_a_number"),
    ("a_double", NAN, "not_a_number"),
    ("a_double", INF, "out_of_range"),
    ("a_double", "1e999", "out_of_range"),
    ("a_double", [0.5], "not_a_number"),
    ("a_boolean", 1, "not_a_boolean"),
    ("a_boolean", "yes", "not_a_boolean"),
    ("a_boolean", [True], "not_a_boolean"),
    ("a_moment", "yesterday", "not_a_time"),
    ("a_moment", True, "not_a_time"),
    ("a_moment", [MOMENT], "not_a_time"),
    ("a_moment", 1, "impossible_time"),
    ("an_enum", "medium", "unknown_value"),
    ("an_enum", 3, "unknown_value"),
    ("an_enum", ["Small"], "not_text"),
    ("an_array", 1, "not_a_list"),
    ("an_array", "x", "not_a_list"),
    ("an_array", {"x": 1}, "not_a_list"),
    ("an_array", [1, "x"], "not_a_number"),
    ("an_array", [1, 0.5], "not_a_number"),
    ("an_array", [1, [2]], "not_a_number"),
    ("an_array", [1, None], "missing_field"),
    ("an_array", [1 << 63], "not_a_number"),
    ("a_text_array", [["x"]], "not_text"),
    ("a_text_array", "x", "not_a_list"),
    ("a_record", 1, "not_a_record"),
    ("a_record", [1], "not_a_record"),
    ("a_record", {"low": "x", "note": None}, "not_a_number"),
    ("a_record", {"low": 1 << 31, "note": None}, "out_of_range"),
    ("a_record", {"note": "x"}, "missing_field"),
    ("a_record", {"low": 1, "note": ["x"]}, "not_text"),
    ("an_array_of_records", [{"low": 1}, 2], "not_a_record"),
    ("an_array_of_records", [{"low": 1}, None], "missing_field"),
    ("an_array_of_records", [{"low": 1}, {"low": "x"}], "not_a_number"),
    *((name, None, "missing_field") for name in GOOD),
]
BASE = {
    "assignment": {"address": "10.0.0.2", "owner": "w", "action": "assign", "time": "2025-12-31T00:00:00Z"},
    "flow": {
        "start": MOMENT,
        "end": MOMENT,
        "local_address": "10.0.0.1",
        "remote_address": "10.0.0.2",
        "protocol": 6,
    },
}
KINDS = pytest.mark.parametrize("kind", BASE)


def row(kind, **changes):
    """A good row with both fields of each type, and the changes."""
    return BASE[kind] | GOOD | {f"{name}_or_null": value for name, value in GOOD.items()} | changes


def expected(**changes):
    """The added fields of a canonical row."""
    good = GOOD | {"a_moment": T0}
    return good | {f"{name}_or_null": value for name, value in good.items()} | {"with_default": 7} | changes


def added(batch):
    """The added fields of canonical rows."""
    batch.validate(full=True)
    return [{name: found[name] for name in (*ADDED, "with_default")} for found in batch.to_pylist()]


class Files:
    """Reads rows from a file as a run does."""

    @staticmethod
    def read(kind, path):
        rejects = []
        ledger = Ledger(sink=rejects.append, max_rejected_share=1)
        batches = [found.batch for found in read([path], ledger=ledger, kinds=(kind,))]
        found = [one for batch in batches for one in added(batch)]
        assert ledger.rows.total() == len(found)
        assert ledger.rejected.total() == len(rejects)
        return found, [(reject.line, reject.reason, reject.found) for reject in rejects]

    @classmethod
    def json_lines(cls, kind, rows, folder):
        path = folder / "rows.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
        return cls.read(kind, path)

    @classmethod
    def json_array(cls, kind, rows, folder):
        path = folder / "rows.json"
        path.write_text("[" + ",\n".join(json.dumps(one).replace("{", "{\n", 1) for one in rows) + "]")
        found, rejects = cls.read(kind, path)
        return found, [((line + 1) // 2, *rest) for line, *rest in rejects]

    @classmethod
    def parquet(cls, kind, rows, folder, **columns):
        path = folder / "rows.parquet"
        pq.write_table(table(rows, **columns), path)
        return cls.read(kind, path)

    @classmethod
    def arrow(cls, kind, rows, folder):
        path = folder / "rows.arrow"
        found = table(rows)
        with pa.ipc.new_file(path, found.schema) as writer:
            writer.write_table(found)
        return cls.read(kind, path)


class Wire:
    """Reads rows from a Kafka value as the job does."""

    @staticmethod
    def decode(kind, value):
        found = codec.decode(kind, value)
        assert found.rejected_rows == len(found.rejects)
        return added(found.batch), [(reject.row, reject.reason, reject.found) for reject in found.rejects]

    @classmethod
    def json(cls, kind, rows, _folder):
        return cls.decode(kind, "\n".join(json.dumps(one) for one in rows).encode())

    @classmethod
    def arrow(cls, kind, rows, _folder, **columns):
        found, sink = table(rows, **columns), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, found.schema) as writer:
            writer.write_table(found)
        return cls.decode(kind, sink.getvalue().to_pybytes())


JSON = [Files.json_lines, Files.json_array, Wire.json]
ARROW = [Files.parquet, Files.arrow, Wire.arrow]


def name_of(way):
    return way.__qualname__ if callable(way) else None


def table(rows, **columns):
    """Rows as Arrow; those columns that are not given are of the type of their values."""
    return pa.table({name: [one.get(name) for one in rows] for name in rows[0]} | columns)


@KINDS
@pytest.mark.parametrize("way", [*JSON, *ARROW], ids=name_of)
def test_good_rows_of_all_types_pass(kind, way, tmp_path):
    assert way(kind, [row(kind)] * 3, tmp_path) == ([expected()] * 3, [])


@KINDS
@pytest.mark.parametrize("way", [*JSON, *ARROW], ids=name_of)
def test_fields_that_may_be_null_may_be_absent(kind, way, tmp_path):
    without = {name: value for name, value in row(kind).items() if not name.endswith("_or_null")}
    nulls = expected(**dict.fromkeys(name for name in ADDED if name.endswith("_or_null")))
    assert way(kind, [without], tmp_path) == ([nulls], [])


SUFFIXES = pytest.mark.parametrize("suffix", ["", "_or_null"])


@SUFFIXES
@pytest.mark.parametrize("way", JSON, ids=name_of)
def test_values_of_json_are_brought_to_the_type_of_the_field(suffix, way, tmp_path):
    rows = [row("assignment", **{field + suffix: value}) for field, value, _ in READ]
    assert way("assignment", rows, tmp_path) == ([expected(**{f + suffix: value}) for f, _, value in READ], [])


@SUFFIXES
@pytest.mark.parametrize(("field", "value", "canonical"), READ)
@pytest.mark.parametrize("way", [Wire.json, Wire.arrow, Files.parquet], ids=name_of)
def test_a_value_is_brought_to_the_type_of_the_field(field, value, canonical, suffix, way, tmp_path):
    rows = [row("assignment", **{field + suffix: value})]
    assert way("assignment", rows, tmp_path) == ([expected(**{field + suffix: canonical})], [])


IN_JSON = [case for case in BAD if not isinstance(case[1], bytes)]


@pytest.mark.parametrize("company", [0, 1, 300])
@pytest.mark.parametrize("way", JSON, ids=name_of)
def test_bad_values_in_json_cost_their_rows_only(way, company, tmp_path):
    good = [row("assignment")] * company
    rows = [one for field, value, _ in IN_JSON for one in (*good[:3], row("assignment", **{field: value}))]
    found, rejects = way("assignment", [*rows, *good], tmp_path)
    step = min(company, 3) + 1
    reasons = [((at + 1) * step, reason) for at, (_, _, reason) in enumerate(IN_JSON)]
    assert sorted((line, reason) for line, reason, _ in rejects) == reasons
    assert found == [expected()] * (len(rows) + len(good) - len(IN_JSON))


@pytest.mark.parametrize(("field", "value", "reason"), IN_JSON)
def test_a_bad_value_in_json_alone_is_rejected(field, value, reason, tmp_path):
    found, [reject] = Wire.json("assignment", [row("assignment", **{field: value})], tmp_path)
    assert reject[:2] == (1, reason)
    assert reject[2].startswith(f"{field}=")
    assert found == []


@pytest.mark.parametrize(("field", "value", "reason"), BAD)
@pytest.mark.parametrize("way", [Wire.arrow, Files.parquet], ids=name_of)
def test_a_bad_value_in_arrow_costs_its_row_only(field, value, reason, way, tmp_path):
    """Beside the bad value stand nulls, as its column is of its type; beside null good values."""
    beside = GOOD[field] if value is None else None
    name = field if value is None or value == "" else f"{field}_or_null"
    try:
        column = pa.array([beside, value, beside])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return  # there is no such column
    rows = [row("assignment")] * 3
    found, rejects = way("assignment", rows, tmp_path, **{name: column})
    if rejects[0][1] == "wrong_type":  # a message with such a column is refused as a whole
        assert (rejects, found, way) == ([(None, "wrong_type", f"column {name} is {column.type}")], [], Wire.arrow)
        return
    bad = [2] if beside is not None or name.endswith("_or_null") else [1, 2, 3]
    assert [(line, why) for line, why, _ in rejects] == [(line, reason) for line in bad]
    good = expected() if beside is not None else expected(**{name: None})
    assert found == [good] * (3 - len(bad))


@KINDS
def test_what_is_read_is_sent_and_received(kind):
    batch = codec.decode(kind, json.dumps([row(kind)] * 5).encode()).batch
    (message,) = codec.encode(kind, batch)
    decoded = codec.decode(kind, message.value)
    assert (decoded.batch.to_pylist(), decoded.rejects) == (batch.to_pylist(), [])


@pytest.mark.parametrize("way", [Wire.json, Wire.arrow], ids=name_of)
def test_a_row_that_no_message_could_carry_on_is_rejected(way, tmp_path):
    for field, value in (
        ("an_array", list(range(1025))),
        ("a_text_array", ["x" * 20_000]),
        ("a_record", {"low": 1, "note": "x" * 20_000}),
        ("an_array_of_records", [{"low": 1, "note": "x" * 20}] * 1000),
    ):
        found, [reject] = way("assignment", [row("assignment"), row("assignment", **{field: value})], tmp_path)
        assert reject[:2] == (2, "text_too_long")
        assert reject[2].startswith(f"{field} has ")
        assert found == [expected()]


@pytest.mark.parametrize("way", ["json", "parquet"])
def test_a_replay_writes_the_fields_and_goes_on_past_a_bad_one(way, tmp_path):
    rows = [row("flow"), row("flow", an_int_or_null=None if way == "parquet" else "x"), row("flow")]
    path = tmp_path / f"flows.{way}"
    if way == "json":
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    else:
        found = table(rows)
        at = found.schema.get_field_index("an_int_or_null")
        pq.write_table(found.set_column(at, "an_int_or_null", pa.array(["1", "x", "1"])), path)
    events = tmp_path / "assignments.jsonl"
    events.write_text(json.dumps(row("assignment")) + "\n")
    given = ["--flows", path, "--assignments", events, "--out", tmp_path / "lake", "--max-rejected-share", "0.5"]
    ran = CliRunner().invoke(cli, ["replay", *map(str, given)])
    assert ran.exit_code == 3, ran.output
    written = pq.ParquetDataset(tmp_path / "lake" / "attributed_flows").read().to_pylist()
    assert [one["remote_method"] for one in written] == ["assignment"] * 2
    assert [{name: one[name] for name in (*ADDED, "with_default")} for one in written] == [expected()] * 2
    (reject,) = map(json.loads, (tmp_path / "lake" / "rejects.jsonl").read_text().splitlines())
    assert (reject["line"], reject["reason"], reject["found"]) == (2, "not_a_number", "an_int_or_null='x'")


def test_the_fields_are_there():
    for kind in BASE:
        assert set(ADDED) <= set(schema.record(kind).names)
