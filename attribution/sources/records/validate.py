"""Canonical batches from raw columns: the one place that decides whether a row is a record.

What each field must be follows from the record's Avro file (`checks`); what its fields must be to each other stands
here. Whole columns are checked first, and good ones cost a pass or two. Rows are looked at one by one only to say what
was wrong with the bad ones. A row has one reason: that of its first faulty field, in the order of the record.

Fields that the record does not have are ignored. A flow whose `basis` is not said is a `connection` if its protocol
makes connections, for only these have one peer from start to end, and a `window` otherwise.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.sockets import WITH_CONNECTIONS, WITH_PORTS
from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, Field, record
from attribution.sources.records.casting import Cast, Check, required
from attribution.sources.records.checks import checks
from attribution.sources.records.json_values import JSON_PART, MIXED, TEXT_PART
from attribution.sources.records.model import Account, Block, Reject

#: A reason, the rows that it holds for, and the field at fault.
_Fault = tuple[str, Bool, str]

_SHOWN = 160
#: Fields that are shown for a reason, or for a fault in a field, where it takes more than that field to see it.
_SHOWN_FOR = {
    "end": ("start", "end"),
    "port_without_protocol": ("port", "protocol"),
    "not_a_port_range": ("port", "last_port"),
    "claim_without_port": ("port", "last_port", "claim"),
}
_PORT_OF = {"wire_port": "wire_address", "remote_wire_port": "remote_wire_address"}
#: Records whose times were measured rather than decided.
_MEASURED = (FLOW, HEARTBEAT)
#: What logs round times to, beside microseconds.
_UNITS = (1_000_000, 1_000)
_WITH_PORTS = pa.array(WITH_PORTS, pa.int32())
_WITH_CONNECTIONS = pa.array(WITH_CONNECTIONS, pa.int32())


def canonical(block: Block, account: Account, *, only: Sequence[str] | None = None) -> pa.RecordBatch:
    """The rows of a block that are records; the others go to the ledger of the run.

    Args:
        block: raw columns; see `Block` for what they may hold.
        account: of the format; takes the rejects and the count of rows that passed.
        only: names of the fields to check and return; all of the record by default.

    Returns:
        A batch with the names, order and nullability of the record's Arrow schema. Text is `string` or
        `dictionary<int32, string>`, whichever costs less to make; everything else has the type of the schema.
    """
    rows = len(block.lines)
    fields = [field for field in record(block.kind).fields if only is None or field.name in only]
    check_of = checks(block.kind)
    casts = {field.name: _cast(block, field, check_of[field.name], rows) for field in fields}
    _fill_defaults(block.kind, casts)
    casts = {field.name: required(casts[field.name], field) for field in fields}
    faults = [(reason, mask, name) for name, cast in casts.items() for reason, mask in cast.faults]
    faults += _without_protocol(block.kind, casts)
    faults += _unranged(casts)
    faults += _claiming_more(casts)
    faults += _crossed(block.kind, casts)
    arrays = {name: cast.values for name, cast in casts.items()}
    if faults:
        bad = _reject(block, faults, account)
        arrays = {name: values.filter(pa.array(~bad)) for name, values in arrays.items()}
    schema = pa.schema([pa.field(f.name, arrays[f.name].type, nullable=f.nullable) for f in fields])
    batch = pa.record_batch(list(arrays.values()), schema=schema)
    account.passed(block.kind, batch.num_rows)
    return batch


def _cast(block: Block, field: Field, check: Check, rows: int) -> Cast:
    column = block.columns.get(field.name)
    if column is None or pa.types.is_null(column.type):
        return Cast(pa.nulls(rows, field.type))
    return check(one_array(column))


def _fill_defaults(kind: str, casts: dict[str, Cast]) -> None:
    """Fill in what may be left out: the basis of a flow, and the end of an instant."""
    if kind == FLOW and "basis" in casts and casts["basis"].values.null_count:
        casts["basis"] = _with_basis(casts["basis"], casts["protocol"].values)
    if kind == HEARTBEAT and casts["end"].values.null_count:
        end = casts["end"]
        casts["end"] = Cast(pc.coalesce(end.values, casts["start"].values), end.faults)


def _with_basis(basis: Cast, protocol: pa.Array) -> Cast:
    """`connection` where the protocol makes connections, else `window`, in the place of nulls."""
    connects = pc.is_in(protocol, value_set=_WITH_CONNECTIONS).cast(pa.int32())
    absent = pa.DictionaryArray.from_arrays(connects, pa.array(["window", "connection"]))
    if basis.values.null_count == len(basis.values):
        return Cast(absent, basis.faults)
    return Cast(pc.coalesce(basis.values.cast(pa.string()), absent.cast(pa.string())), basis.faults)


def _without_protocol(kind: str, casts: dict[str, Cast]) -> list[_Fault]:
    """Evidence of a port whose protocol has none, or is not said. Evidence of the whole address loses its protocol."""
    if kind not in (HEARTBEAT, ASSIGNMENT):
        return []
    port, protocol = casts["port"].values, casts["protocol"]
    if port.null_count == len(port):
        casts["protocol"] = Cast(pa.nulls(len(port), pa.int32()), protocol.faults)
        return []
    single = port.is_valid()
    casts["protocol"] = Cast(pc.if_else(single, protocol.values, pa.scalar(None, pa.int32())), protocol.faults)
    lost = pc.and_(single, pc.invert(pc.is_in(protocol.values, value_set=_WITH_PORTS)))
    return [("port_without_protocol", lost.to_numpy(zero_copy_only=False), "protocol")] if pc.any(lost).as_py() else []


def _unranged(casts: dict[str, Cast]) -> list[_Fault]:
    """A last port that is below the first, or the last of none; a port on the wire of no address."""
    found = []
    for name, beside, reason in (
        ("last_port", "port", "not_a_port_range"),
        *((port, address, "port_without_address") for port, address in _PORT_OF.items()),
    ):
        if name not in casts or casts[name].values.null_count == len(casts[name].values):
            continue
        values, others = casts[name].values, casts[beside].values
        wrong = pc.and_(values.is_valid(), others.is_null())
        if name == "last_port":
            wrong = pc.or_(wrong, pc.fill_null(pc.less(values, others), False))
        if pc.any(wrong).as_py():
            found.append((reason, wrong.to_numpy(zero_copy_only=False), name))
    return found


def _claiming_more(casts: dict[str, Cast]) -> list[_Fault]:
    """A claim that is not of one port: taken for an observation, it would say more than a connection shows."""
    if "claim" not in casts or casts["claim"].values.null_count == len(casts["claim"].values):
        return []
    single = pc.and_(casts["port"].values.is_valid(), casts["last_port"].values.is_null())
    wrong = pc.and_(casts["claim"].values.is_valid(), pc.invert(single))
    return [("claim_without_port", wrong.to_numpy(zero_copy_only=False), "claim")] if pc.any(wrong).as_py() else []


def _crossed(kind: str, casts: dict[str, Cast]) -> list[_Fault]:
    """Ends before starts, but for measured ones that only rounding put there: such a record ends when it starts."""
    if "end" not in casts:
        return []
    start, end = casts["start"].values, casts["end"].values
    early = pc.fill_null(pc.less(end, start), False)
    if not pc.any(early).as_py():
        return []
    rounded = pc.and_(early, pa.array(_by_rounding(start, end) & (kind in _MEASURED)))
    casts["end"] = Cast(pc.if_else(rounded, start, end), casts["end"].faults)
    wrong: Bool = pc.and_not(early, rounded).to_numpy(zero_copy_only=False)
    return [("end_before_start", wrong, "end")] if wrong.any() else []


def _by_rounding(start: pa.Array, end: pa.Array) -> Bool:
    """Whether less than the coarser unit of both times lies between them: each was rounded to a unit of its own.

    The unit of a time is the coarsest that it is a whole number of. Two times of the same unit are never so near.
    """
    moments = [pc.fill_null(time.cast(pa.int64()), 0).to_numpy(zero_copy_only=False) for time in (start, end)]
    gap = np.abs(moments[0] - moments[1])
    near: Bool = gap <= 1  # a double of seconds does not hold every microsecond
    for unit in _UNITS:
        near |= (gap < unit) & ((moments[0] % unit == 0) | (moments[1] % unit == 0))
    return near


def _reject(block: Block, faults: list[_Fault], account: Account) -> Bool:
    """Set the faulty rows aside, in row order, each for its first fault; the mask of all of them."""
    order = {field.name: place for place, field in enumerate(record(block.kind).fields)}
    faults = sorted(faults, key=lambda fault: (fault[0] == "end_before_start", order[fault[2]]))
    first = np.full(len(block.lines), -1, np.int32)
    for number, (_, mask, _) in reversed(list(enumerate(faults))):
        first[mask] = number
    bad = first >= 0
    for row in np.flatnonzero(bad).tolist():
        reason, _, name = faults[first[row]]
        shown = _SHOWN_FOR.get(reason, _SHOWN_FOR.get(name, (name,)))
        if reason == "port_without_address":
            shown = (_PORT_OF[name], name)
        found = _found(block, shown, row)
        account.reject(Reject(block.source, int(block.lines[row]), reason, found, block.kind))
    return bad


def _found(block: Block, shown: Sequence[str], row: int) -> str:
    return ", ".join(f"{part}={shown_value(block.columns.get(part), row)}"[:_SHOWN] for part in shown)


def shown_value(column: Column | None, row: int) -> str:
    """A value as a reject shows it, whatever it is."""
    if column is None:
        return "null"
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _time(column[row].cast(pa.int64()).as_py(), kind)
    try:
        value = column[row].as_py()
    except UnicodeDecodeError:
        return "text that is no UTF-8"
    except (ValueError, ArithmeticError, NotImplementedError):  # Arrow can hold it, Python cannot
        return f"a value of type {kind}"
    if kind == MIXED and value is not None and value[JSON_PART] is not None:
        return str(value[JSON_PART])
    if kind == MIXED and value is not None:
        value = value[TEXT_PART]
    return "null" if value is None else repr(value)


def _time(value: int | None, kind: pa.DataType) -> str:
    """A timestamp as a person reads it; in its own unit where that is beyond the years of a calendar."""
    if value is None:
        return "null"
    seconds = value / {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{value} {kind.unit}"
