"""Canonical batches from raw columns: the one place that decides whether a row is a record.

Whole columns are checked first and good ones cost a pass or two; rows are looked at one by one only to say what was
wrong with the bad ones. A row has one reason: that of its first faulty field, in the order of the record.

Fields that the record does not have are ignored. A flow whose `basis` is not said is a `connection` if its protocol
makes connections, for only these have one peer from start to end, and a `window` otherwise.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.addresses import canonical as canonical_addresses
from attribution.core.addressing.addresses import canonical_hosts, canonical_prefixes
from attribution.core.addressing.sockets import WITH_CONNECTIONS, WITH_PORTS
from attribution.core.columnar.dictionaries import each_distinct, one_array
from attribution.core.columnar.types import Bool
from attribution.core.reasons import REASONS
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, Field, record
from attribution.sources.records import casting
from attribution.sources.records.casting import LARGEST_COUNT, Cast
from attribution.sources.records.model import Block, Ledger, Reject

#: A reason, the rows that it holds for, and the field at fault.
_Fault = tuple[str, Bool, str]

_HOSTNAME = r"\A[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\z"
#: Attributes of a query or of the place that answers it.
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.-]*")
_SHOWN = 160
#: Reasons that no other region can give.
_AT_HOME = ("reported", "region_silent")
#: Fields that are shown for a reason, or for a fault in a field, where it takes more than that field to see it.
_SHOWN_FOR = {
    "end": ("start", "end"),
    "port_without_protocol": ("port", "protocol"),
    "not_a_port_range": ("port", "last_port"),
    "port_without_address": ("wire_address", "wire_port"),
}
_WITH_PORTS = pa.array(WITH_PORTS, pa.int32())
_WITH_CONNECTIONS = pa.array(WITH_CONNECTIONS, pa.int32())


def canonical(block: Block, ledger: Ledger, source_format: str, *, only: Sequence[str] | None = None) -> Any:
    """The rows of a block that are records, as a `pyarrow.RecordBatch`; the others go to the ledger.

    Args:
        block: raw columns; see `Block` for what they may hold.
        ledger: takes the rejects and the count of rows that passed.
        source_format: name of the format, for the counters.
        only: names of the fields to check and return; all of the record by default.

    Returns:
        A batch with the names, order and nullability of the record's Arrow schema. Text is `string` or
        `dictionary<int32, string>`, whichever costs less to make; everything else has the type of the schema.
    """
    rows = len(block.lines)
    fields = [field for field in record(block.kind).fields if only is None or field.name in only]
    casts = {field.name: _cast(block, field, rows) for field in fields}
    _fill_defaults(block.kind, casts)
    faults = [(reason, mask, name) for name, cast in casts.items() for reason, mask in cast.faults]
    faults += _missing(fields, casts, faults)
    faults += _without_protocol(block.kind, casts)
    faults += _unranged(casts)
    faults += _crossed(casts)
    arrays = {name: cast.values for name, cast in casts.items()}
    if faults:
        bad = _reject(block, faults, ledger, source_format)
        arrays = {name: values.filter(pa.array(~bad)) for name, values in arrays.items()}
    schema = pa.schema([pa.field(f.name, arrays[f.name].type, nullable=f.nullable) for f in fields])
    batch = pa.record_batch(list(arrays.values()), schema=schema)
    ledger.rows[block.kind, source_format] += batch.num_rows
    return batch


def _words(*allowed: str) -> Callable[[Any], Cast]:
    """A check for text that is one of a few words, in any case."""

    def word(text: str) -> str | None:
        return text.lower() if text.lower() in allowed else None

    return partial(
        casting.mapped,
        function=partial(each_distinct, function=word, plain=rf"\A(?:{'|'.join(allowed)})\z"),
        reason="unknown_value",
    )


def _match(text: str) -> str | None:
    """The attribute=value pairs of a policy's `match`, each once and in order; None where it is none."""
    pairs = {tuple(part.strip() for part in pair.partition("=")) for pair in text.split(",")}
    names = {name for name, _, _ in pairs}
    if len(names) < len(pairs) or not all(_ATTRIBUTE.fullmatch(name) and value for name, _, value in pairs):
        return None
    return ",".join(sorted("".join(pair) for pair in pairs))


def _hostname(text: str) -> str | None:
    return text.lower().rstrip(".") or None


_ADDRESS = partial(casting.mapped, function=canonical_addresses, reason="not_an_address")
_PORT = partial(casting.integers, low=0, high=65535, reason="impossible_port", to=pa.int32())
_COUNT = partial(casting.integers, low=0, high=LARGEST_COUNT, reason="impossible_count", to=pa.int64())
_PRIORITY = partial(casting.integers, low=-(1 << 31), high=(1 << 31) - 1, reason="impossible_priority", to=pa.int32())
_NUMBER = partial(casting.integers, low=0, high=(1 << 63) - 1, reason="impossible_count", to=pa.int64())
_NAME = partial(
    casting.mapped, function=partial(each_distinct, function=_hostname, plain=_HOSTNAME), reason="missing_field"
)

#: What each field must be; fields that are not named here are text.
_CHECKS: dict[str, Callable[[Any], Cast]] = {
    "start": casting.times,
    "end": casting.times,
    "time": casting.times,
    "local_address": _ADDRESS,
    "remote_address": _ADDRESS,
    "wire_address": _ADDRESS,
    "wire_port": _PORT,
    "client_address": _ADDRESS,
    "server_address": _ADDRESS,
    # An assignment may name its address as a prefix of full length; for a heartbeat that does no harm.
    "address": partial(casting.mapped, function=canonical_hosts, reason="not_an_address"),
    "prefix": partial(casting.mapped, function=canonical_prefixes, reason="not_a_prefix"),
    "port": _PORT,
    "client_prefix": partial(casting.mapped, function=canonical_prefixes, reason="not_a_prefix"),
    "match": partial(casting.mapped, function=partial(each_distinct, function=_match), reason="not_a_match"),
    "priority": _PRIORITY,
    "last_port": _PORT,
    "local_port": _PORT,
    "remote_port": _PORT,
    "protocol": casting.protocols,
    "bytes_sent": _COUNT,
    "bytes_received": _COUNT,
    "packets_sent": _COUNT,
    "packets_received": _COUNT,
    "tcp_flags": partial(casting.integers, low=0, high=65535, reason="impossible_flags", to=pa.int32()),
    "ttl": casting.durations,
    "hostname": _NAME,
    "direction": _words("ingress", "egress"),
    "basis": _words("connection", "window"),
    "action": _words("assign", "release"),
    "question": _NUMBER,
    "row": partial(casting.integers, low=0, high=(1 << 31) - 1, reason="impossible_count", to=pa.int32()),
    "remote_reason": _words(*(reason for reason in REASONS if reason not in _AT_HOME)),
    "remote_distance": _COUNT,
}


def _cast(block: Block, field: Field, rows: int) -> Cast:
    column = block.columns.get(field.name)
    if column is None or pa.types.is_null(column.type):
        return Cast(pa.nulls(rows, field.type))
    return _CHECKS.get(field.name, casting.texts)(one_array(column))


def _fill_defaults(kind: str, casts: dict[str, Cast]) -> None:
    """Fill in what may be left out: the basis of a flow, and the end of an instant."""
    if kind == FLOW and "basis" in casts and casts["basis"].values.null_count:
        casts["basis"] = _with_basis(casts["basis"], casts["protocol"].values)
    if kind == HEARTBEAT and casts["end"].values.null_count:
        end = casts["end"]
        casts["end"] = Cast(pc.coalesce(end.values, casts["start"].values), end.faults)


def _with_basis(basis: Cast, protocol: Any) -> Cast:
    """`connection` where the protocol makes connections, else `window`, in the place of nulls."""
    connects = pc.is_in(protocol, value_set=_WITH_CONNECTIONS).cast(pa.int32())
    absent = pa.DictionaryArray.from_arrays(connects, pa.array(["window", "connection"]))
    if basis.values.null_count == len(basis.values):
        return Cast(absent, basis.faults)
    return Cast(pc.coalesce(basis.values.cast(pa.string()), absent.cast(pa.string())), basis.faults)


def _missing(fields: list[Field], casts: dict[str, Cast], faults: list[_Fault]) -> list[_Fault]:
    """Where a field that must be there is not, and not because of a fault of its own."""
    found = []
    for field in fields:
        values = casts[field.name].values
        if not field.nullable and values.null_count:
            absent = values.is_null().to_numpy(zero_copy_only=False)
            for _, mask, name in faults:
                if name == field.name:
                    absent &= ~mask
            found.append(("missing_field", absent, field.name))
    return found


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
        ("wire_port", "wire_address", "port_without_address"),
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


def _crossed(casts: dict[str, Cast]) -> list[_Fault]:
    if "end" not in casts:
        return []
    early = pc.less(casts["end"].values, casts["start"].values)
    if not pc.any(early).as_py():
        return []
    return [("end_before_start", pc.fill_null(early, False).to_numpy(zero_copy_only=False), "end")]


def _reject(block: Block, faults: list[_Fault], ledger: Ledger, source_format: str) -> Bool:
    """Set the faulty rows aside, in row order, each for its first fault; the mask of all of them."""
    order = {field.name: place for place, field in enumerate(record(block.kind).fields)}
    faults = sorted(faults, key=lambda fault: (fault[0] == "end_before_start", order[fault[2]]))
    first = np.full(len(block.lines), -1, np.int32)
    for number, (_, mask, _) in reversed(list(enumerate(faults))):
        first[mask] = number
    bad = first >= 0
    for row in np.flatnonzero(bad).tolist():
        reason, _, name = faults[first[row]]
        found = _found(block, _SHOWN_FOR.get(reason, _SHOWN_FOR.get(name, (name,))), row)
        ledger.reject(source_format, Reject(block.source, int(block.lines[row]), reason, found, block.kind))
    return bad


def _found(block: Block, shown: Sequence[str], row: int) -> str:
    return ", ".join(f"{part}={_value(block.columns.get(part), row)}"[:_SHOWN] for part in shown)


def _value(column: Any, row: int) -> str:
    if column is None:
        return "null"
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _time(column[row].cast(pa.int64()).as_py(), kind)
    try:
        value = column[row].as_py()
    except UnicodeDecodeError:
        return "text that is no UTF-8"
    return "null" if value is None else repr(value)


def _time(value: int | None, kind: Any) -> str:
    """A timestamp as a person reads it; in its own unit where that is beyond the years of a calendar."""
    if value is None:
        return "null"
    seconds = value / {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{value} {kind.unit}"
