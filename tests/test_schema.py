"""The records are as their Avro files say; what the reader does not support is refused with the file and the field."""

import json

import pyarrow as pa
import pytest

from attribution import schema
from attribution.errors import SchemaError
from attribution.records import KINDS

TIME = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads a record whose fields have the given Avro types."""
    monkeypatch.setattr(schema, "_folder", lambda: tmp_path)

    def read(**types):
        fields = [{"name": name, "type": avro, "doc": "Some."} for name, avro in types.items()]
        avro = {"type": "record", "name": "thing", "doc": "A thing.", "fields": fields}
        (tmp_path / "thing.avsc").write_text(json.dumps(avro))
        return schema.record.__wrapped__("thing")

    return read


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_record_can_be_read(kind):
    found = schema.record(kind)
    assert found.name == kind
    assert found.arrow.names == list(found.names)
    assert all(field.doc for field in found.fields)


@pytest.mark.parametrize(
    ("avro", "arrow"),
    [
        ("string", pa.string()),
        ({"type": "string"}, pa.string()),
        ("int", pa.int32()),
        ("long", pa.int64()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("boolean", pa.bool_()),
        (TIME, pa.timestamp("us", "UTC")),
        ({"type": "enum", "name": "size", "symbols": ["S", "L"]}, pa.string()),
        ({"type": "array", "items": "long"}, pa.list_(pa.field("item", pa.int64(), nullable=False))),
        ({"type": "array", "items": ["null", TIME]}, pa.list_(pa.field("item", pa.timestamp("us", "UTC")))),
        (
            {
                "type": "record",
                "name": "pair",
                "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["string", "null"]}],
            },
            pa.struct([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.string())]),
        ),
    ],
)
def test_each_avro_type_has_its_arrow_type(read, avro, arrow):
    found = read(plain=avro, nullable=["null", avro])
    assert found["plain"].arrow == pa.field("plain", arrow, nullable=False)
    assert found["nullable"].arrow == pa.field("nullable", arrow, nullable=True)


def test_an_enum_knows_its_symbols_and_a_nested_field_its_parts(read):
    pair = {"type": "record", "name": "pair", "fields": [{"name": "a", "type": "int", "doc": "First."}]}
    found = read(size={"type": "enum", "name": "size", "symbols": ["S", "L"]}, pairs={"type": "array", "items": pair})
    assert found["size"].symbols == ("S", "L")
    (item,) = found["pairs"].parts
    assert [(part.name, part.doc) for part in item.parts] == [("a", "First.")]
    assert found["pairs"].is_nested
    assert not found["size"].is_nested


@pytest.mark.parametrize(
    "avro",
    [
        "bytes",
        "null",
        "colour",
        None,
        [],
        ["null"],
        ["string"],
        ["int", "string"],
        ["null", "int", "string"],
        ["null", ["null", "int"]],
        {"type": "map", "values": "int"},
        {"type": "fixed", "name": "mac", "size": 6},
        {"type": "long", "logicalType": "timestamp-millis"},
        {"type": "int", "logicalType": "timestamp-micros"},
        {"type": "bytes", "logicalType": "decimal", "precision": 4},
    ],
)
def test_a_type_that_is_not_supported_is_refused_by_file_and_field(read, avro):
    pattern = r"cannot use schemas/thing\.avsc, field odd: the Avro type .* is not supported; use string, int, "
    with pytest.raises(SchemaError, match=pattern):
        read(fine="int", odd=avro)


@pytest.mark.parametrize(
    ("avro", "where"),
    [
        ({"type": "array", "items": "bytes"}, "field odd, its items"),
        ({"type": "array"}, "field odd, its items"),
        ({"type": "record", "name": "inner", "fields": [{"name": "a", "type": "bytes"}]}, "field odd, field a"),
    ],
)
def test_a_part_that_is_not_supported_is_named(read, avro, where):
    with pytest.raises(SchemaError, match=rf"cannot use schemas/thing\.avsc, {where}: the Avro type"):
        read(odd=avro)


@pytest.mark.parametrize(
    "avro", [{"type": "enum", "name": "size"}, {"type": "enum", "symbols": []}, {"type": "record", "fields": ["a"]}]
)
def test_a_type_that_is_not_whole_is_refused(read, avro):
    with pytest.raises(SchemaError, match=r"cannot use schemas/thing\.avsc, field odd: found"):
        read(odd=avro)


def test_a_field_that_is_absent_has_its_default():
    field = schema.Field("size", pa.int32(), nullable=False, default=7)
    assert schema.absent(field, 2).to_pylist() == [7, 7]
    field = schema.Field("tags", pa.list_(pa.int32()), nullable=False, default=[1])
    assert schema.absent(field, 2).to_pylist() == [[1], [1]]
    assert schema.absent(schema.Field("size", pa.int32(), nullable=True), 2).to_pylist() == [None, None]
    rows = pa.record_batch({"start": [], "end": [], "local_address": [], "remote_address": []})
    assert schema.completed("flow", rows)["basis"].type == pa.string()
