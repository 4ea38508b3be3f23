"""Native rows, from a file or from a message, as blocks of one kind each: the one place that reads them.

A file and a message that hold the same rows make the same blocks, and so the same records and the same rejects.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int64
from attribution.records import INPUT_RECORDS, TOLD_APART
from attribution.schema import FLOW, record
from attribution.sources.json.lines import JsonLines
from attribution.sources.json.pieces import rows_of_json
from attribution.sources.records.casting import texts
from attribution.sources.records.model import Account, Block, Input, Ledger, Reject
from attribution.sources.records.set_aside import bad_lines

#: Name of the format.
NAME = "native"
#: Of a flow that was attributed before: where its local workload came from.
LOCAL_METHOD = "local_method"
_CAPTURE = pa.scalar("capture", pa.string())

#: Every field that a native record can have.
FIELDS = (*dict.fromkeys(f.name for kind in INPUT_RECORDS for f in record(kind).fields), LOCAL_METHOD)
#: Those of them that are lists or records in some kind of record.
NESTED = frozenset(f.name for kind in INPUT_RECORDS for f in record(kind).fields if f.is_nested)


def account_of(ledger: Ledger) -> Account:
    """The ledger for native rows."""
    return Account(ledger, NAME, {})


def kind_of(fields: Collection[str]) -> str | None:
    """The kind of record that has these fields, or None."""
    return next((kind.name for kind in TOLD_APART if set(kind.told_by) <= set(fields)), None)


def decode_columns(columns: Mapping[str, pa.Array], lines: Int64, source: str, account: Account) -> Iterator[Block]:
    """Blocks of one kind each, of rows of any kinds; rows of no kind are rejected.

    Args:
        columns: native fields, all of one length and sound (`soundness`); some may be missing.
        lines: line of each row in the source.
        source: as a person names it.
        account: takes the rejects.
    """
    only = _only_kind(columns)
    if only is not None:
        yield _block(only, columns, lines, source, None)
        return
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
        account.reject(Reject(source, int(lines[row]), "unknown_kind", found, "row"))


def decode_json(data: Input, account: Account) -> Iterator[Block]:
    """Blocks of JSON lines, of a JSON array of objects, or of objects that span lines.

    Raises:
        SourceError: it cannot be cut into objects; what came before was yielded.
    """
    set_aside = bad_lines(account, data.name, "row")
    reader = JsonLines({field: (field,) for field in FIELDS}, nested=FIELDS, apart=True, any_order=True)
    for columns, lines in rows_of_json(data, reader, set_aside):
        yield from decode_columns(columns, lines, data.name, account)


def _only_kind(columns: Mapping[str, pa.Array]) -> str | None:
    """The kind of all rows where it can be told without looking at each, as in most files; None elsewhere."""
    for kind in TOLD_APART:
        telling = [columns[field] for field in kind.told_by if field in columns]
        if len(telling) == len(kind.told_by) and all(column.null_count < len(column) for column in telling):
            return None if any(column.null_count for column in telling) else kind.name
    return None


def _masks(columns: Mapping[str, pa.Array], rows: int) -> Iterator[tuple[str, Bool]]:
    for kind in TOLD_APART:
        mask = np.ones(rows, np.bool_)
        for field in kind.told_by:
            mask &= _present(columns, field, rows)
        yield kind.name, mask
    # What is left is incomplete: it is rejected as the kind that it was meant to be.
    for kind in TOLD_APART:
        for field in kind.hints:
            yield kind.name, _present(columns, field, rows)


def _present(columns: Mapping[str, pa.Array], field: str, rows: int) -> Bool:
    column = columns.get(field)
    if column is None or column.null_count == rows:
        return np.zeros(rows, np.bool_)
    if not column.null_count:
        return np.ones(rows, np.bool_)
    present: Bool = column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _block(kind: str, columns: Mapping[str, pa.Array], lines: Int64, source: str, mine: Bool | None) -> Block:
    names = [*record(kind).names, LOCAL_METHOD] if kind == FLOW else record(kind).names
    chosen = {name: columns[name] for name in names if name in columns and columns[name].null_count < len(lines)}
    if mine is not None:
        rows = pa.array(mine)
        chosen, lines = {name: column.filter(rows) for name, column in chosen.items()}, lines[mine]
    return Block(kind, _forget_attribution(chosen), source, lines)


def _forget_attribution(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Flows as they were logged: of flows that were attributed before, what was attributed is no observation."""
    method = columns.pop(LOCAL_METHOD, None)
    if method is None or method.null_count == len(method):
        return columns
    captured = pc.fill_null(pc.equal(decoded(texts(method).values), _CAPTURE), False)
    logged = pc.or_(method.is_null(), captured)
    for name in ("local_workload", "local_service"):
        if name in columns:
            plain = decoded(columns[name])
            columns[name] = pc.if_else(logged, plain, pa.scalar(None, plain.type))
    return columns
