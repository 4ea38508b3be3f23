"""How many bytes a row has: one that no message could carry on is not taken."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Column, Int64
from attribution.sources.columnar.soundness import TEXTS
from attribution.sources.records.model import Block

#: Bytes of a text, or of all that a list or a record holds; a row of texts as long still fits into a message.
LONGEST_TEXT = 16 << 10
#: Bytes of a number, or of what a list keeps for each item.
_OF_ITEM = 8


def long_rows(block: Block) -> dict[int, str]:
    """The rows with a text, a list or a record of more than `LONGEST_TEXT` bytes, and what was found in each."""
    found: dict[int, str] = {}
    for name, column in block.columns.items():
        size = _sizes(column)
        if size is not None:
            for row in np.flatnonzero(size > LONGEST_TEXT).tolist():
                found.setdefault(row, f"{name} has {size[row]} bytes")
    return found


def _sizes(column: Column) -> Int64 | None:
    """Bytes of each row's text, or of all that is in its list or record; None if no row has too many."""
    if pa.types.is_nested(column.type):
        return _nested(column)
    coded = pa.types.is_dictionary(column.type)
    texts = column.dictionary if coded else column
    if texts.type not in TEXTS:
        return None
    lengths = pc.binary_length(texts)
    if (pc.max(lengths).as_py() or 0) <= LONGEST_TEXT:
        return None
    lengths = pc.fill_null(lengths.take(column.indices) if coded else lengths, 0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def _nested(column: Column) -> Int64:
    """Bytes of all that each row holds; a number counts as eight."""
    rows = len(column)
    if pa.types.is_struct(column.type):
        return sum(map(_nested, column.flatten()), np.zeros(rows, np.int64))
    if pa.types.is_nested(column.type):
        parent = np.asarray(pc.list_parent_indices(column))
        items = _nested(pc.list_flatten(column)) + _OF_ITEM
        return np.bincount(parent, weights=items, minlength=rows).astype(np.int64)
    if column.type not in TEXTS:
        return np.full(rows, _OF_ITEM, np.int64)
    return pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
