"""Lists and records: their parts are checked as columns of their own, and a fault in a part is one of the row.

Both come as Arrow lists and structs, or as JSON text.

| column | items | check of the items | result |
|---|---|---|---|
| `[1, 2]` | `1, 2` | fine | `[1, 2]` |
| null | none | | null |
| `[3, "x"]` | `3, "x"` | the second is `not_a_number` | a fault of this row |
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int64
from attribution.schema import Field
from attribution.sources.records.casting import Cast, Check, plain_text, required
from attribution.sources.records.json_values import MIXED, Json, JsonObject, load, to_column


def lists(column: pa.Array, *, item: Field, check: Check) -> Cast:
    """Lists of `item`, each of which `check` passes."""
    column, unread = plain_text(decoded(column))
    items, lengths, known = _items(column)
    checked = required(check(items), item)
    parent = np.repeat(np.arange(len(column)), lengths)
    faults = [("not_a_list", _others(column, known, unread))]
    for reason, mask in checked.faults:
        faults.append((reason, np.bincount(parent[mask], minlength=len(column)) > 0))
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    values = pa.ListArray.from_arrays(
        pa.array(offsets), decoded(checked.values), type=pa.list_(item.arrow), mask=pa.array(~known)
    )
    return Cast(values, tuple((reason, mask) for reason, mask in faults if mask.any()))


def records(column: pa.Array, *, fields: Sequence[Field], checks: Sequence[Check]) -> Cast:
    """Records with these fields, each of which its check passes; other fields are ignored."""
    column, unread = plain_text(decoded(column))
    parts, known = _parts(column, fields)
    faults = [("not_a_record", _others(column, known, unread))]
    values = []
    for field, check in zip(fields, checks, strict=True):
        part = parts.get(field.name)
        checked = required(Cast(pa.nulls(len(column), field.type)) if part is None else check(part), field)
        faults += [(reason, mask & known) for reason, mask in checked.faults]
        values.append(decoded(checked.values))
    found = pa.StructArray.from_arrays(values, fields=[field.arrow for field in fields], mask=pa.array(~known))
    return Cast(found, tuple((reason, mask) for reason, mask in faults if mask.any()))


def _others(column: pa.Array, known: Bool, unread: Bool | None) -> Bool:
    """Rows that hold something else."""
    others: Bool = column.is_valid().to_numpy(zero_copy_only=False) & ~known
    return others if unread is None else others | unread


def _items(column: pa.Array) -> tuple[pa.Array, Int64, Bool]:
    """All items one after the other, how many each row has, and which rows are lists."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        return pc.list_flatten(column), lengths.astype(np.int64), column.is_valid().to_numpy(zero_copy_only=False)
    rows = [value if isinstance(value, list) else None for value in _values(column)]
    items = to_column([item for row in rows if row is not None for item in row], apart=True)
    lengths = np.array([0 if row is None else len(row) for row in rows], np.int64)
    return items, lengths, np.array([row is not None for row in rows], np.bool_)


def _parts(column: pa.Array, fields: Sequence[Field]) -> tuple[dict[str, pa.Array], Bool]:
    """The columns of the fields that are there, and which rows are records."""
    if pa.types.is_struct(column.type) and column.type != MIXED:
        parts = dict(zip((f.name for f in column.type), column.flatten(), strict=True))
        return parts, column.is_valid().to_numpy(zero_copy_only=False)
    rows: list[JsonObject | None] = [value if isinstance(value, dict) else None for value in _values(column)]
    made = {f.name: to_column([None if row is None else row.get(f.name) for row in rows], apart=True) for f in fields}
    return made, np.array([row is not None for row in rows], np.bool_)


def _values(column: pa.Array) -> list[Json]:
    """The JSON values of JSON text; None for what is no JSON."""
    if column.type == MIXED:
        column = pc.coalesce(*reversed(column.flatten()))
    if column.type != pa.string():
        return [None] * len(column)
    return [_value(text) for text in column.to_pylist()]


def _value(text: str | None) -> Json:
    try:
        return None if text is None else load(text)
    except (ValueError, RecursionError):
        return None
