"""Between the plain records of the oracle, the Arrow batches of the package, and the rows of JSON lines files."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from oracle import (
    Assignment,
    Attributed,
    Flow,
    Handed,
    Heartbeat,
    Label,
    Name,
    NameBinding,
    OwnershipRange,
    Policy,
    Settings,
    Side,
    SocketRule,
)

from attribution import config, schema
from attribution.core.addressing.sockets import Socket, held_by

KINDS = {
    schema.FLOW: Flow,
    schema.HEARTBEAT: Heartbeat,
    schema.ASSIGNMENT: Assignment,
    schema.NAME_BINDING: NameBinding,
    schema.LABEL: Label,
    schema.POLICY: Policy,
    schema.SOCKET_RULE: SocketRule,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = {"start", "end", "time", "received"}


def batch(kind, records):
    """A record batch of the schema of `kind`; fields that the oracle's record lacks are null."""
    arrow = schema.arrow_schema(kind)
    columns = [pa.array([_canonical(kind, r, field.name) for r in records], field.type) for field in arrow]
    return pa.RecordBatch.from_arrays(columns, schema=arrow)


def _canonical(kind, record, name):
    """A field of the record, null where it has none; only of a port does evidence have a protocol."""
    if name == "protocol" and kind in (schema.HEARTBEAT, schema.ASSIGNMENT) and record.port is None:
        return None
    return getattr(record, name, None)


def socket_of(record, port):
    return Socket.of(record.protocol, port)


def held(heartbeat):
    """What a heartbeat is about, as a timeline takes it."""
    return held_by(heartbeat.protocol, heartbeat.port, heartbeat.last_port)


def stored_range(address, one):
    """A range of a timeline as one of the oracle's."""
    fields_ = vars(one).copy()
    protocol, port, last_port, *_ = *(fields_.pop("socket") or (None, None)), None
    return OwnershipRange(address, port, protocol, **fields_, last_port=last_port)


def package_settings(settings: Settings):
    return config.Settings(**{f.name: getattr(settings, f.name) for f in fields(Settings)})


def to_microseconds(text):
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def from_row(kind, row):
    """The oracle's record of a JSON object with ISO 8601 times; it takes no notice of fields that no rule uses."""
    known = {f.name for f in fields(KINDS[kind])}
    values = {name: to_microseconds(value) if name in TIMES else value for name, value in row.items() if name in known}
    absent = {f.name: None for f in fields(KINDS[kind]) if f.name not in values and f.default is not None}
    return KINDS[kind](**({n: v for n, v in absent.items() if n != "basis"} | values))


def answers(attributed_batch):
    """The answers in a batch of attributed flows, in its order, as the oracle gives them."""
    columns = {
        name: column.to_pylist() for name, column in zip(attributed_batch.schema.names, attributed_batch, strict=True)
    }
    return [
        Attributed(
            *(
                kind(*(columns[f"{side}_{f.name}"][row] for f in fields(kind)))
                for kind in (Side, Handed)
                for side in ("local", "remote")
            ),
            name=Name(*(columns[f.name][row] for f in fields(Name))),
            remote_evidence_network=columns["remote_evidence_network"][row],
        )
        for row in range(attributed_batch.num_rows)
    ]


def attributed_row(flow_row, answer):
    """A row of attributed flows: the flow's own JSON object and the answer, without nulls."""
    row = dict(flow_row)
    for side in ("local", "remote"):
        for part in (getattr(answer, side), getattr(answer, f"{side}_handed")):
            row |= {f"{side}_{f.name}": getattr(part, f.name) for f in fields(part)}
    row |= {f.name: getattr(answer.name, f.name) for f in fields(Name)}
    row["remote_evidence_network"] = answer.remote_evidence_network
    order = schema.record(schema.ATTRIBUTED_FLOW).names
    return {name: row[name] for name in order if row.get(name) is not None}


def ownership(range_batch):
    """A batch of ownership ranges as a list of the oracle's."""
    found = []
    for row in range_batch.to_pylist():
        holes = tuple((_microseconds(h["start"]), _microseconds(h["end"])) for h in row["holes"])
        start, end = _microseconds(row["start"]), _microseconds(row["end"])
        found.append(OwnershipRange(**(row | {"start": start, "end": end, "holes": holes})))
    return found


def seen(heartbeat_batch):
    """A batch of heartbeats as a list of the oracle's."""
    rows = heartbeat_batch.to_pylist()
    return [Heartbeat(**(row | {name: _microseconds(row[name]) for name in ("start", "end")})) for row in rows]


def _microseconds(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)
