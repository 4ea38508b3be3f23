"""The types of fields of JSON objects: which values one Arrow column can hold, and the schema of them all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa

from attribution.sources.json.shapes import Path
from attribution.sources.records.json_values import Json, JsonObject, of_one_type, without_nulls

#: The signature of a value that Arrow has no type for.
_NO_TYPE = "mixed"
#: Whole numbers from here on have more than 64 bits.
_BEYOND = 1 << 63
#: The type of a field, or those of an object's fields by their names.
_Tree: TypeAlias = "pa.DataType | dict[str, _Tree]"


def leaf(value: Json, path: Path) -> Json:
    """The value at a path; None where there is none."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def changes(objects: Sequence[JsonObject], fields: Mapping[str, Path]) -> Iterator[int]:
    """Where an object has a field of another type than the objects before it, since the last such place."""
    seen: dict[str, dict[str, Json]] = {}
    for place, one in enumerate(objects):
        values = {name: value for name, path in fields.items() if (value := leaf(one, path)) is not None}
        if not all(_together(seen.get(name, {}), value) for name, value in values.items()):
            yield place
            seen = {}
        for name, value in values.items():
            seen.setdefault(name, {})[signature(value)] = value


def signature(value: Json) -> str:
    """A name for the value's type: one value of each is remembered."""
    if isinstance(value, int) and abs(value) >= _BEYOND:
        return _NO_TYPE
    if not isinstance(value, list | dict):
        return type(value).__name__
    found = of_one_type([value])
    return _NO_TYPE if found is None else str(found.type)


def schema_of(fields: Mapping[str, Path], seen: Mapping[str, Mapping[str, Json]]) -> pa.Schema | None:
    """The Arrow schema of the fields, or None where a field has values that no one type can hold."""
    tree: dict[str, _Tree] = {}
    for name, path in fields.items():
        try:
            kind = pa.infer_type(list(seen[name].values()))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            return None
        node = tree
        for key in path[:-1]:
            inner = node.setdefault(key, {})
            if not isinstance(inner, dict):  # another field is the whole of what this one is a part of
                return None
            node = inner
        node[path[-1]] = without_nulls(kind)
    return pa.schema([pa.field(key, _nested(node)) for key, node in tree.items()])


def _nested(node: _Tree) -> pa.DataType:
    if isinstance(node, dict):
        return pa.struct([pa.field(key, _nested(child)) for key, child in node.items()])
    return node


def _together(seen: Mapping[str, Json], value: Json) -> bool:
    """Whether a value has a type in common with one value of each type seen before."""
    name = signature(value)
    return not seen or (name in seen and name != _NO_TYPE) or of_one_type([*seen.values(), value]) is not None
