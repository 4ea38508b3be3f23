"""Values of the output topics: what the job writes is taken whole, anything else is set aside whole."""

import json

import pyarrow as pa
import pytest
from streamed import attributed

from attribution import schema
from attribution.stream.wire import codec
from attribution.stream.wire.arrow_frames import UnsoundError
from attribution.stream.wire.dead_letters import Rejected, dead_letter
from attribution.stream.wire.job_output import read_written


def value(batch):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_what_the_job_writes_is_read():
    (message,) = codec.encode("attributed_flow", attributed(range(50)))
    found = read_written("attributed_flow", message.value)
    assert pa.table(found.to_pydict(), schema=schema.arrow_schema("attributed_flow")).to_pylist() == (
        attributed(range(50)).to_pylist()
    )
    letter = dead_letter("flows", 1, 1 << 40, "flow", Rejected(None, "not_arrow", "x"))
    assert read_written("dead_letter", letter).to_pylist() == [json.loads(letter)]


def test_of_evidence_the_good_rows_are_taken():
    good = {"address": "10.0.0.9", "owner": "lb", "action": "assign", "time": 1_767_225_600_000_000}
    assert read_written("assignment", json.dumps([good, good | {"time": 5}]).encode()).num_rows == 1


def without(name):
    batch = attributed(range(3))
    return batch.select([n for n in batch.schema.names if n != name])


def changed(name, column):
    batch = attributed(range(3))
    return batch.set_column(batch.schema.get_field_index(name), name, column)


@pytest.mark.parametrize(
    ("kind", "content", "reason", "found"),
    [
        ("attributed_flow", None, "no_value", "0 bytes"),
        ("attributed_flow", b"noise", "not_arrow", "byte 0 starts no frame"),
        ("attributed_flow", value(without("local_method")), "missing_field", "there is no column local_method"),
        ("attributed_flow", value(changed("start", pa.array([1, 2, 3]))), "wrong_type", "column start is int64, not"),
        ("attributed_flow", value(changed("basis", pa.array(["x", None, "x"]))), "missing_field", "basis has nulls"),
        ("ownership_range", value(attributed(range(3))), "missing_field", "there is no column address"),
        ("dead_letter", b"[]", "malformed", "[]"),
        ("dead_letter", b"[" * 100_000, "malformed", "[[["),
        ("dead_letter", b'{"topic": "t"}', "malformed", "topic"),
        ("dead_letter", b'{"partition": 1e99}', "malformed", "partition"),
        ("dead_letter", b"\xff", "malformed", "\ufffd"),
    ],
)
def test_anything_else_is_refused_with_its_reason(kind, content, reason, found):
    with pytest.raises(UnsoundError) as caught:
        read_written(kind, content)
    assert caught.value.reason == reason
    assert found in caught.value.found
