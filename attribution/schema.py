"""The records of the system, read from `schemas/*.avsc`, as Arrow schemas.

The Avro files are the one definition of every record: names, types, units, docs. Everything else (Arrow schemas,
validation, reference pages) is derived here, so that a field is added in one place.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

FLOW = "flow"
HEARTBEAT = "heartbeat"
ASSIGNMENT = "assignment"
NAME_BINDING = "name_binding"
LABEL = "label"
POLICY = "policy"
SOCKET_RULE = "socket_rule"
ATTRIBUTED_FLOW = "attributed_flow"
OWNERSHIP_RANGE = "ownership_range"
DEAD_LETTER = "dead_letter"
QUESTION = "question"
ANSWER = "answer"

#: Every time in the system: microseconds, UTC.
TIMESTAMP = pa.timestamp("us", tz="UTC")

#: A record batch, or a table.
Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)

_PRIMITIVES = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True)
class Field:
    """One field of a record: its Arrow type, whether it may be null, and its documentation."""

    name: str
    type: pa.DataType
    nullable: bool
    doc: str
    default: object = None


@dataclass(frozen=True)
class Record:
    """One record type: its name, its documentation and its fields in order."""

    name: str
    doc: str
    fields: tuple[Field, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The `pyarrow.Schema` of the record; nullability as in the Avro file."""
        return pa.schema([pa.field(f.name, f.type, nullable=f.nullable) for f in self.fields])

    @property
    def names(self) -> tuple[str, ...]:
        """Field names, in order."""
        return tuple(f.name for f in self.fields)

    def __getitem__(self, name: str) -> Field:
        """The field of that name; `KeyError` where there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


@cache
def record(name: str) -> Record:
    """The record type `name`, one of `attribution.records.KINDS`."""
    avro = json.loads(_folder().joinpath(f"{name}.avsc").read_text(encoding="utf-8"))
    fields = tuple(_field(f) for f in avro["fields"])
    return Record(name=avro["name"], doc=avro["doc"], fields=fields)


def arrow_schema(name: str) -> pa.Schema:
    """The `pyarrow.Schema` of record type `name`."""
    return record(name).arrow


def completed(name: str, rows: Rows) -> Rows:
    """A batch or table of records that a version before this one wrote, with nulls for the fields it did not know.

    They stand where the record has them; columns that are none of its fields come last.

    Raises:
        KeyError: a field that may not be null is missing.
    """
    fields, known = record(name).fields, rows.schema.names
    if set(record(name).names) <= set(known):
        return rows
    columns, schema = [], []
    for field in fields:
        if field.name in known or not field.nullable:
            columns.append(rows.column(field.name))
            schema.append(rows.schema.field(field.name))
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
            schema.append(pa.field(field.name, field.type))
    for field in rows.schema:
        if field.name not in record(name).names:
            columns.append(rows.column(field.name))
            schema.append(field)
    return type(rows).from_arrays(columns, schema=pa.schema(schema))


def _folder() -> Traversable:
    """Where the Avro files are: in the installed package, or beside it in a checkout."""
    packaged = resources.files("attribution").joinpath("_schemas")
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parent.parent / "schemas"


def _field(avro: dict[str, Any]) -> Field:
    kind, nullable = _arrow_type(avro["type"])
    return Field(avro["name"], kind, nullable, avro.get("doc", ""), avro.get("default"))


def _arrow_type(avro: Any) -> tuple[Any, bool]:
    if isinstance(avro, list):
        (inner,) = [branch for branch in avro if branch != "null"]
        return _arrow_type(inner)[0], True
    if isinstance(avro, str):
        return _PRIMITIVES[avro], False
    if avro.get("logicalType") == "timestamp-micros":
        return TIMESTAMP, False
    if avro["type"] == "array":
        return pa.list_(pa.field("item", _arrow_type(avro["items"])[0], nullable=False)), False
    if avro["type"] == "record":
        return pa.struct(
            [pa.field(f["name"], _arrow_type(f["type"])[0], nullable=False) for f in avro["fields"]]
        ), False
    raise ValueError(f"unsupported Avro type {avro!r}")
