"""The records of the system, read from `schemas/*.avsc`, as Arrow schemas.

The Avro files are the one definition of every record: names, types, units, docs. Everything else (Arrow schemas,
validation, reference pages) is derived here, so that a field is added in one place.

| Avro | Arrow |
|---|---|
| `string` | `string` |
| `int`, `long` | `int32`, `int64` |
| `float`, `double` | `float32`, `float64` |
| `boolean` | `bool` |
| `long` with the logical type `timestamp-micros` | `timestamp[us, tz=UTC]` |
| `enum` | `string`, one of the `symbols` |
| `array`, `record` | `list`, `struct` |
| a union of `null` and one of these | the same, nullable |
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NoReturn, TypeVar

import pyarrow as pa

from attribution.errors import SchemaError

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
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
#: Avro types with a logical type; of what other logical types mean, Arrow's plain type would say nothing.
_LOGICAL = {("long", "timestamp-micros"): TIMESTAMP}
_SUPPORTED = (
    f"{', '.join(_PRIMITIVES)}, long with logicalType timestamp-micros, enum, array, record, and a union of null and "
    "one of these"
)


@dataclass(frozen=True)
class Field:
    """One field of a record.

    Attributes:
        name: as in the Avro file; `item` for the items of an array.
        type: the Arrow type.
        nullable: whether it may be null.
        doc: what it means, in a sentence or two.
        default: what a field has that is absent, as JSON writes it; None for null, and where there is no default.
        symbols: of an enum, all values.
        parts: of an array, its items as one field; of a record, its fields.
    """

    name: str
    type: pa.DataType
    nullable: bool
    doc: str = ""
    default: object = None
    symbols: tuple[str, ...] = ()
    parts: tuple["Field", ...] = ()

    @property
    def arrow(self) -> pa.Field:
        """The field of an Arrow schema."""
        return pa.field(self.name, self.type, nullable=self.nullable)

    @property
    def is_nested(self) -> bool:
        """Whether it is an array or a record."""
        return bool(self.parts)


@dataclass(frozen=True)
class Record:
    """One record type: its name, its documentation and its fields in order."""

    name: str
    doc: str
    fields: tuple[Field, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The `pyarrow.Schema` of the record; nullability as in the Avro file."""
        return pa.schema([f.arrow for f in self.fields])

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
    """The record type `name`, one of `attribution.records.KINDS`.

    Raises:
        SchemaError: its Avro file has what is not supported; the message names the file and the field.
    """
    file = f"{name}.avsc"
    avro = _mapping(json.loads(_folder().joinpath(file).read_text(encoding="utf-8")), file)
    return Record(name=str(avro["name"]), doc=str(avro["doc"]), fields=_fields(avro, file))


def arrow_schema(name: str) -> pa.Schema:
    """The `pyarrow.Schema` of record type `name`."""
    return record(name).arrow


def completed(name: str, rows: Rows) -> Rows:
    """A batch or table of records that a version before this one wrote, with the fields that it did not know.

    They are null, or have their default. They stand where the record has them; columns that are none of its fields
    come last.

    Raises:
        KeyError: a field is missing that may not be null and has no default.
    """
    fields, known = record(name).fields, rows.schema.names
    if set(record(name).names) <= set(known):
        return rows
    columns, schema = [], []
    for field in fields:
        if field.name in known or not (field.nullable or field.default is not None):
            columns.append(rows.column(field.name))
            schema.append(rows.schema.field(field.name))
        else:
            columns.append(absent(field, rows.num_rows))
            schema.append(field.arrow)
    for column in rows.schema:
        if column.name not in record(name).names:
            columns.append(rows.column(column.name))
            schema.append(column)
    return type(rows).from_arrays(columns, schema=pa.schema(schema))


def absent(field: Field, rows: int) -> pa.Array:
    """The column of a field that no row has: its default where it may not be null, else nulls."""
    if field.nullable or field.default is None:
        return pa.nulls(rows, field.type)
    return pa.repeat(pa.scalar(field.default, field.type), rows)


def _folder() -> Traversable:
    """Where the Avro files are: in the installed package, or beside it in a checkout."""
    packaged = resources.files("attribution").joinpath("_schemas")
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parent.parent / "schemas"


def _fields(avro: dict[str, object], where: str) -> tuple[Field, ...]:
    """The fields of an Avro record; `where` is the file and the way to the record, for messages."""
    found = []
    for one in _sequence(avro.get("fields"), where):
        described = _mapping(one, where)
        name = str(described.get("name"))
        found.append(
            _field(
                described.get("type"),
                name,
                f"{where}, field {name}",
                doc=str(described.get("doc", "")),
                default=described.get("default"),
            )
        )
    return tuple(found)


def _field(avro: object, name: str, where: str, *, doc: str = "", default: object = None) -> Field:
    """The field of that name and Avro type."""
    nullable = isinstance(avro, list)
    if isinstance(avro, list):
        branches = [branch for branch in avro if branch != "null"]
        if len(branches) != 1 or len(branches) == len(avro) or isinstance(branches[0], list):
            _refuse(avro, where)
        (avro,) = branches
    described = avro if isinstance(avro, dict) else {"type": avro}
    kind, logical = described.get("type"), described.get("logicalType")
    symbols: tuple[str, ...] = ()
    parts: tuple[Field, ...] = ()
    arrow: pa.DataType
    if logical is not None:
        arrow = _LOGICAL.get((str(kind), str(logical))) or _refuse(avro, where)
    elif kind == "enum":
        arrow, symbols = pa.string(), tuple(map(str, _sequence(described.get("symbols"), where)))
    elif kind == "array":
        parts = (_field(described.get("items"), "item", f"{where}, its items"),)
        arrow = pa.list_(parts[0].arrow)
    elif kind == "record":
        parts = _fields(described, where)
        arrow = pa.struct([part.arrow for part in parts])
    else:
        arrow = _PRIMITIVES.get(str(kind)) or _refuse(avro, where)
    return Field(name, arrow, nullable, doc, default, symbols, parts)


def _refuse(avro: object, where: str) -> NoReturn:
    found = json.dumps(avro)
    raise SchemaError(f"cannot use schemas/{where}: the Avro type {found} is not supported; use {_SUPPORTED}")


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SchemaError(f"cannot use schemas/{where}: found {json.dumps(value)} where a JSON object belongs")
    return value


def _sequence(value: object, where: str) -> Sequence[object]:
    if not isinstance(value, list) or not value:
        raise SchemaError(f"cannot use schemas/{where}: found {json.dumps(value)} where a list of JSON values belongs")
    return value
