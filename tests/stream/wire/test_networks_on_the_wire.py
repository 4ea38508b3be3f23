"""Networks and identities on topics: every kind carries its own, and values of before have none."""

import json

import pyarrow as pa
import pytest

from attribution import schema
from attribution.records import INPUT_RECORDS, KINDS, REGION_RECORDS
from attribution.stream.wire import codec
from attribution.stream.wire.job_output import read_written

T0 = 1_767_225_600_000_000
CARRIED = ("network", "local_network", "remote_network", "remote_evidence_network", "relay_address", "record_id")
ADDRESSES = {"relay_address"}
#: A row of each kind, with what its fields without a default need.
NEEDED = {
    "start": T0,
    "end": T0 + 5,
    "time": T0,
    "address": "10.0.0.1",
    "local_address": "10.0.0.1",
    "remote_address": "10.0.0.2",
    "client_address": "10.0.0.1",
    "server_address": "10.0.0.2",
    "hostname": "a.b",
    "workload": "w",
    "owner": "lb",
    "action": "assign",
    "pool": "p",
    "policy": "q",
    "prefix": "10.0.0.0/8",
    "rule": "r",
    "service": "s",
    "priority": 1,
    "basis": "window",
    "hostname_reason": "untold",
    "question": 7,
    "row": 0,
    "longest_gap": 0,
    "holes": [],
    **{f"{side}_method": "heartbeat" for side in ("local", "remote")},
    **{f"{side}_reason": "covered" for side in ("local", "remote")},
}
SENT = [kind.name for kind in KINDS if kind.on_topic or kind.name in REGION_RECORDS]
CARRYING = [kind for kind in SENT if set(schema.record(kind).names) & {*CARRIED}]


def row_of(kind):
    names = schema.record(kind).names
    row = {name: value for name, value in NEEDED.items() if name in names}
    return row | {name: "10.0.0.9" if name in ADDRESSES else f"{name} 1" for name in CARRIED if name in names}


def batch_of(kind, row):
    return pa.RecordBatch.from_pylist([row], schema=schema.arrow_schema(kind))


def carried(batch):
    return {name: batch.column(name).to_pylist() for name in CARRIED if name in batch.schema.names}


def decoded(kind, value):
    if kind in REGION_RECORDS:
        found, read = codec.decode_of_region(value)
        assert found == kind
    elif kind in INPUT_RECORDS:
        read = codec.decode(kind, value)
    else:
        return read_written(kind, value)
    assert read.rejects == []
    return read.batch


def test_all_kinds_of_evidence_flows_ranges_and_questions_carry_networks():
    inputs = {"flow", "heartbeat", "assignment", "name_binding", "policy", "socket_rule"}
    assert set(CARRYING) == inputs | {"attributed_flow", "ownership_range", "question", "answer"}


@pytest.mark.parametrize("kind", CARRYING)
def test_what_a_kind_carries_goes_through_its_topic(kind):
    row = row_of(kind)
    (message,) = codec.encode(kind, batch_of(kind, row))
    expected = {name: [row[name]] for name in row if name in CARRIED}
    assert carried(decoded(kind, message.value)) == expected
    if kind in INPUT_RECORDS:
        assert carried(codec.decode(kind, json.dumps(row).encode()).batch) == expected


@pytest.mark.parametrize("kind", CARRYING)
def test_a_value_of_before_has_none(kind):
    batch = batch_of(kind, row_of(kind))
    older = batch.select([name for name in batch.schema.names if name not in CARRIED])
    sink = pa.BufferOutputStream()
    metadata = {"record": kind} if kind in REGION_RECORDS else None
    older = older.replace_schema_metadata(metadata)
    with pa.ipc.new_stream(sink, older.schema) as writer:
        writer.write_batch(older)
    found = decoded(kind, sink.getvalue().to_pybytes())
    assert found.num_rows == 1
    assert set(map(tuple, carried(found).values())) == {(None,)}
