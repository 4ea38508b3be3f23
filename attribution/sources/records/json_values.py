"""JSON values, and columns of them."""

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypeGuard

import pyarrow as pa

from attribution.core.columnar.types import Column

#: What JSON can hold.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
#: A JSON object.
JsonObject: TypeAlias = dict[str, Json]

#: Parts of a `MIXED` column. No struct of a file is called so, or its rows would be taken for JSON that was read here.
TEXT_PART, JSON_PART = "attribution:text", "attribution:json"
#: Type of a column whose values have no type in common and some of which are lists or objects. Those are JSON text in
#: `JSON_PART`; all others are text in `TEXT_PART`.
MIXED = pa.struct([pa.field(TEXT_PART, pa.string()), pa.field(JSON_PART, pa.string())])

#: No record is nested as deeply.
_DEEPEST = 64
#: Doubles from here on do not tell neighbouring whole numbers apart.
_LARGEST_EXACT = 1 << 53


def is_nested(value: Json) -> TypeGuard[list[Json] | JsonObject]:
    """Whether the value is a list or an object."""
    return isinstance(value, list | dict)


def load(text: bytes | str) -> Json:
    """The JSON value of a text.

    Raises:
        ValueError: it is none, or nested so deeply that whoever walks through it runs out of stack.
        RecursionError: likewise.
    """
    value: Json = json.loads(text)
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened > _DEEPEST:
        level = [value]
        for _ in range(_DEEPEST):
            level = [inner for one in level for inner in _inner(one)]
        if level:
            raise ValueError(f"nested more than {_DEEPEST} deep")
    return value


def _inner(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def to_column(values: Sequence[Json], *, apart: bool = False) -> pa.Array:
    """An Arrow array of JSON values; text if they have no type in common.

    Args:
        values: any.
        apart: whether lists and objects among other values are told apart from text: the column is `MIXED`. Without
            it they are JSON text, as numbers and booleans are.
    """
    found = of_one_type(values)
    if found is not None:
        return found
    if not apart or not any(map(is_nested, values)):
        return pa.array(map(_as_text, values), pa.string(), size=len(values))
    plain = pa.array([None if is_nested(value) else _as_text(value) for value in values], pa.string())
    inner = pa.array([_as_text(value) if is_nested(value) else None for value in values], pa.string())
    null = pa.array([value is None for value in values])
    return pa.StructArray.from_arrays([plain, inner], fields=list(MIXED), mask=null)


def of_one_type(values: Sequence[Json]) -> pa.Array | None:
    """A column of values that have a type in common; None where they have none."""
    try:
        kind = without_nulls(pa.infer_type(values))
        return None if _makes_numbers_of_booleans(kind, values) else pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        return None


def object_at(value: Json, key: str) -> JsonObject:
    """The object under a key; an empty one if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def objects_at(value: Json, key: str) -> list[JsonObject]:
    """The objects in the list under a key; other items are left out."""
    found = value.get(key) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text_at(value: Json, key: str) -> str | None:
    """The text under a key; None if there is none, or an empty one."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def typed_column(values: Sequence[Json], kind: pa.DataType) -> pa.Array:
    """A column of values that all have one type; half of a surrogate pair, which no text can hold, becomes `?`."""
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_as_text(value) if isinstance(value, str) else value for value in values], kind)


def json_texts(column: Column) -> pa.Array:
    """Lists and objects as JSON text."""
    return pa.array(map(_as_text, column.to_pylist()), pa.string(), size=len(column))


def without_nulls(kind: pa.DataType) -> pa.DataType:
    """The type with text where no value was seen yet: a guess that the next block corrects."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(without_nulls(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, without_nulls(f.type)) for f in kind])
    return kind


def _makes_numbers_of_booleans(kind: pa.DataType, values: Sequence[Json]) -> bool:
    """Whether Arrow would: beside doubles it takes true for 1."""
    if pa.types.is_floating(kind):
        return any(isinstance(value, bool) for value in values)
    if pa.types.is_list(kind):
        items = [item for value in values if isinstance(value, list) for item in value]
        return _makes_numbers_of_booleans(kind.value_type, items)
    if pa.types.is_struct(kind):
        rows = [value for value in values if isinstance(value, dict)]
        return any(_makes_numbers_of_booleans(part.type, [row.get(part.name) for row in rows]) for part in kind)
    return False


def _as_text(value: Json) -> str | None:
    """The value as JSON writes it, text without its quotes; a whole number is one in any company."""
    if value is None:
        return None
    if isinstance(value, float) and abs(value) < _LARGEST_EXACT and value.is_integer():
        value = int(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else json.dumps(value)
