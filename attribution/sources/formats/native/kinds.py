"""What a native record is, by the fields that it has."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Int64
from attribution.records import INPUT_RECORDS, TOLD_APART
from attribution.schema import FLOW, record
from attribution.sources.records.model import Block, Ledger, Reject

#: Of a flow that was attributed before: where its local workload came from.
LOCAL_METHOD = "local_method"
_CAPTURE = pa.scalar("capture", pa.string())

#: Every field that a native record can have.
FIELDS = (*dict.fromkeys(f.name for kind in INPUT_RECORDS for f in record(kind).fields), LOCAL_METHOD)
#: Those of them that are lists or records in some kind of record.
NESTED = frozenset(f.name for kind in INPUT_RECORDS for f in record(kind).fields if f.is_nested)


def kind_of(fields: Collection[str]) -> str | None:
    """The kind of record that has these fields, or None."""
    return next((kind.name for kind in TOLD_APART if set(kind.told_by) <= set(fields)), None)


def blocks(columns: dict[str, Any], lines: Int64, source: str, ledger: Ledger, name: str) -> Iterator[Block]:
    """Rows of mixed kinds as blocks of one kind each; rows of no kind are rejected.

    Args:
        columns: native fields, all of one length; some may be missing.
        lines: line of each row in the source.
        source: as a person names it.
        ledger: takes the rejects.
        name: of the format, for the counters.
    """
    left = np.ones(len(lines), np.bool_)
    for kind, mask in _masks(columns, len(lines)):
        mine = mask & left
        if mine.any():
            left &= ~mine
            yield _block(kind, columns, lines, source, None if mine.all() else mine)
        if not left.any():
            return
    for row in np.flatnonzero(left).tolist():
        known = [name for name, column in columns.items() if column[row].is_valid]
        found = f"fields: {', '.join(known) or 'none that is known'}"
        ledger.reject(name, Reject(source, int(lines[row]), "unknown_kind", found, "row"))


def _masks(columns: dict[str, Any], rows: int) -> Iterator[tuple[str, Bool]]:
    for kind in TOLD_APART:
        mask = np.ones(rows, np.bool_)
        for field in kind.told_by:
            mask &= _present(columns, field, rows)
        yield kind.name, mask
    # What is left is incomplete: it is rejected as the kind that it was meant to be.
    for kind in TOLD_APART:
        for field in kind.hints:
            yield kind.name, _present(columns, field, rows)


def _present(columns: dict[str, Any], field: str, rows: int) -> Bool:
    column = columns.get(field)
    if column is None or column.null_count == rows:
        return np.zeros(rows, np.bool_)
    if not column.null_count:
        return np.ones(rows, np.bool_)
    present: Bool = column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _block(kind: str, columns: dict[str, Any], lines: Int64, source: str, mine: Bool | None) -> Block:
    names = [*record(kind).names, LOCAL_METHOD] if kind == FLOW else record(kind).names
    chosen = {name: columns[name] for name in names if name in columns and columns[name].null_count < len(lines)}
    if mine is not None:
        rows = pa.array(mine)
        chosen, lines = {name: column.filter(rows) for name, column in chosen.items()}, lines[mine]
    return Block(kind, _forget_attribution(chosen), source, lines)


def _forget_attribution(columns: dict[str, Any]) -> dict[str, Any]:
    """Flows as they were logged: of flows that were attributed before, what was attributed is no observation."""
    method = columns.pop(LOCAL_METHOD, None)
    if method is None or method.null_count == len(method):
        return columns
    logged = pc.fill_null(pc.equal(method.cast(pa.string()), _CAPTURE), True)
    for name in ("local_workload", "local_service"):
        if name in columns:
            plain = columns[name].cast(pa.string())
            columns[name] = pc.if_else(logged, plain, pa.scalar(None, plain.type))
    return columns
