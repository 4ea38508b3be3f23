"""Kafka values: what is written is read again, split as small as asked, and nothing that a stranger sends does harm."""

import json
import struct
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution import schema
from attribution.errors import WireError
from attribution.stream.wire import codec
from attribution.stream.wire.arrow_frames import LARGEST_ROWS
from attribution.stream.wire.dead_letters import REASONS, Rejected, dead_letter

T0 = 1_767_225_600_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
FLOW = {"start": T0, "end": T0 + 5_000, "local_address": "10.0.0.1", "remote_address": "10.0.0.2", "protocol": 6}
ROWS = {
    "flow": FLOW | {"bytes_sent": 7, "local_workload": "w", "observer": "n", "basis": "connection"},
    "heartbeat": {"address": "10.0.0.1", "workload": "w", "start": T0, "end": T0},
    "assignment": {"address": "10.0.0.9", "owner": "lb", "action": "assign", "time": T0},
    "name_binding": {"client_address": "10.0.0.1", "server_address": "9.9.9.9", "hostname": "a.b", "time": T0},
}


def columns(rows=8):
    """Flows as a producer may have them: other types, other order, spellings that are not canonical, nulls."""
    times = [START + timedelta(seconds=row) for row in range(rows)]
    return {
        "start": pa.array(times, schema.TIMESTAMP),
        "end": pa.array(times, pa.timestamp("ns", "UTC")),
        "local_address": pa.array([f"10.0.0.{row % 5}" for row in range(rows)]),
        "remote_address": pa.array([f"2001:DB8::{row:x}" for row in range(rows)], pa.large_string()),
        "local_port": pa.array([row if row % 3 else None for row in range(rows)], pa.int64()),
        "protocol": pa.array(["tcp" if row % 2 else "udp" for row in range(rows)]),
        "local_workload": pa.array([f"w{row % 3}ü" if row % 4 else None for row in range(rows)]),
        "hostname": pa.array(["a.b."] * rows, pa.string_view()),
        "extra": pa.array([[1]] * rows, pa.list_(pa.int64())),
    }


def dictionaries(found):
    return {name: c.dictionary_encode() if c.type == pa.string() else c for name, c in found.items()}


def stream(found, *, compression=None, metadata=None, chunk=None):
    table = pa.table(found).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return sink.getvalue().to_pybytes()


def flows(rows, **more):
    made = [FLOW | {"local_port": row, "end": T0 + row * 1000} | more for row in range(rows)]
    return codec.decode("flow", json.dumps(made).encode()).batch


def plain(batch):
    """Rows without nulls, times as microseconds."""
    rows = pa.Table.from_batches([batch]).to_pylist()
    return [
        {
            name: (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]


def reasons(decoded):
    return [(rejected.row, rejected.reason) for rejected in decoded.rejects]


# What is written is read


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_what_is_written_is_read(kind, rows):
    batch = codec.decode(kind, json.dumps([ROWS[kind]] * rows).encode()).batch
    (message,) = codec.encode(kind, batch)
    assert message.value.startswith(b"\xff\xff\xff\xff")
    decoded = codec.decode(kind, message.value)
    assert decoded.rejects == []
    assert plain(decoded.batch) == plain(batch)
    whole = ROWS[kind] | ({"end": T0} if kind == "heartbeat" else {})
    assert plain(decoded.batch) == [whole] * rows


def test_messages_are_as_small_as_asked_keep_their_order_and_lose_nothing():
    batch = flows(5000, observer="node")
    messages = list(codec.encode("flow", batch, limit=12_000))
    assert len(messages) > 5
    assert max(len(message.value) for message in messages) <= 12_000
    rows = [row for message in messages for row in plain(codec.decode("flow", message.value).batch)]
    assert rows == plain(batch)
    assert sum(message.rows for message in messages) == 5000


def test_a_message_has_the_time_of_its_latest_row():
    times = [message.timestamp_ms for message in codec.encode("flow", flows(3000), limit=12_000)]
    counts = [message.rows for message in codec.encode("flow", flows(3000), limit=12_000)]
    assert times == [T0 // 1000 + sum(counts[: place + 1]) - 1 for place in range(len(counts))]
    (message,) = codec.encode("assignment", codec.decode("assignment", json.dumps(ROWS["assignment"]).encode()).batch)
    assert message.timestamp_ms == T0 // 1000


def test_a_row_that_fits_no_message_is_an_error_that_shows_it():
    batch = flows(2, observer="x" * 9000)
    with pytest.raises(WireError, match=r"cannot send a flow of \d+ bytes: a message holds 2000.*10\.0\.0\.1"):
        list(codec.encode("flow", batch, limit=2000))


def test_the_longest_row_that_is_read_can_be_written():
    text = {f.name for f in schema.record("flow").fields if f.type == pa.string()} - {
        "local_address", "remote_address", "wire_address", "remote_wire_address", "direction", "basis", "hostname"
    }  # fmt: skip
    batch = flows(1, **dict.fromkeys(text, "x" * codec.LONGEST_TEXT))
    assert batch.num_rows == 1
    assert len(list(codec.encode("flow", batch))) == 1


def test_a_slice_takes_only_its_own_values_along():
    batch = flows(4000)
    names = pa.array([f"workload-{row}" for row in range(4000)]).dictionary_encode()
    at = batch.schema.get_field_index("local_workload")
    batch = batch.set_column(at, pa.field("local_workload", names.type), names)
    messages = list(codec.encode("flow", batch, limit=20_000))
    found = [codec.decode("flow", message.value).batch.column("local_workload") for message in messages]
    assert [len(column.dictionary) for column in found] == [message.rows for message in messages]
    assert [name for column in found for name in column.to_pylist()] == names.to_pylist()


def test_no_rows_make_no_message_and_an_empty_value_reads_as_no_rows():
    assert list(codec.encode("flow", flows(0))) == []
    assert codec.decode("flow", codec.empty("flow")) == codec.Decoded(flows(0))


@pytest.mark.parametrize("span", ["interval", "start", "none"])
def test_what_flows_are_as_heartbeats_goes_along(span):
    (message,) = codec.encode("flow", flows(3), flow_heartbeats=span)
    assert codec.decode("flow", message.value).flow_heartbeats == span


def test_what_flows_are_as_heartbeats_is_one_of_three_words():
    decoded = codec.decode("flow", stream(columns(), metadata={"flow_heartbeats": "always"}))
    assert (decoded.batch.num_rows, reasons(decoded), decoded.flow_heartbeats) == (0, [(None, "unknown_value")], "none")


# What others write is read


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("encode", [dict, dictionaries])
def test_streams_of_other_producers_are_read(compression, chunk, encode):
    decoded = codec.decode("flow", stream(encode(columns()), compression=compression, chunk=chunk))
    assert decoded.rejects == []
    rows = plain(decoded.batch)
    assert [row["remote_address"] for row in rows] == [f"2001:db8::{row:x}".replace("::0", "::") for row in range(8)]
    assert rows[1] == {
        "start": T0 + 1_000_000,
        "end": T0 + 1_000_000,
        "local_address": "10.0.0.1",
        "remote_address": "2001:db8::1",
        "local_port": 1,
        "protocol": 6,
        "local_workload": "w1ü",
        "hostname": "a.b",
        "basis": "connection",
    }


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(FLOW),
        json.dumps([FLOW, FLOW]),
        json.dumps([FLOW, FLOW], indent=2),
        f"{json.dumps(FLOW)}\n{json.dumps(FLOW)}\n",
        f"\ufeff {json.dumps(FLOW)}",
    ],
)
def test_json_is_read_however_it_is_laid_out(value):
    decoded = codec.decode("flow", value.encode())
    assert decoded.rejects == []
    assert plain(decoded.batch) == [FLOW | {"basis": "connection"}] * value.count("local_address")


def test_an_empty_json_array_is_no_rows():
    assert codec.decode("flow", b"[]") == codec.Decoded(flows(0))


def test_what_was_attributed_before_is_no_observation():
    rows = [FLOW | {"local_workload": "w", "local_method": method} for method in ("capture", "heartbeat")]
    for value in (json.dumps(rows).encode(), stream({n: [r[n] for r in rows] for n in rows[0]})):
        workloads = codec.decode("flow", value).batch.column("local_workload").to_pylist()
        assert workloads == ["w", None]


# Bad rows


def test_good_rows_go_on_beside_bad_ones():
    rows = [FLOW, FLOW | {"local_address": "nobody"}, ROWS["heartbeat"], FLOW | {"start": 5}, FLOW, {"colour": "red"}]
    expected = [(2, "not_an_address"), (3, "wrong_kind"), (4, "impossible_time"), (6, "unknown_kind")]
    lines = "\n".join(map(json.dumps, rows)).encode()
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrow = stream({name: [row.get(name) for row in rows] for name in names})
    for value in (lines, arrow):
        decoded = codec.decode("flow", value)
        assert sorted(reasons(decoded)) == expected
        assert decoded.rejected_rows == 4
        assert plain(decoded.batch) == [FLOW | {"basis": "connection"}] * 2


def test_text_that_is_no_utf8_costs_its_row_only():
    found = columns()
    broken = pa.array([b"w", b"\xff\xfe", *[b"w"] * 6]).view(pa.string())
    for column in (broken, broken.view(pa.binary()).dictionary_encode()):
        decoded = codec.decode("flow", stream(found | {"local_workload": column}))
        assert reasons(decoded) == [(2, "not_text")]
        assert decoded.batch.num_rows == 7


def test_text_that_is_too_long_costs_its_row_only():
    long = ["w"] * 8
    long[3] = "w" * (codec.LONGEST_TEXT + 1)
    for column in (pa.array(long), pa.array(long).dictionary_encode()):
        decoded = codec.decode("flow", stream(columns() | {"local_workload": column}))
        assert decoded.rejects == [Rejected(4, "text_too_long", "local_workload has 16385 bytes")]
        assert decoded.batch.num_rows == 7


def test_rejects_are_listed_up_to_a_bound_and_then_counted():
    decoded = codec.decode("flow", b'{"a":1}\n' * 1500 + json.dumps(FLOW).encode())
    assert decoded.rejected_rows == 1500
    assert len(decoded.rejects) == codec.REJECTS_LISTED + 1
    assert decoded.rejects[-1] == Rejected(None, "more_rejects", "500 unknown_kind")
    assert decoded.batch.num_rows == 1


def test_a_dictionary_that_repeats_a_value_does_not_make_two_workloads_of_one():
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 4, pa.int8()), pa.array(["w", "w"]))
    column = codec.decode("flow", stream(columns() | {"local_workload": twice})).batch.column("local_workload")
    assert column.to_pylist() == ["w"] * 8
    assert not pa.types.is_dictionary(column.type) or len(column.dictionary) == 1


# Bad messages


DEEP = b'{"start":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
#: Just below the depth at which Python's own parser gives up.
NEARLY_TOO_DEEP = b'{"workload":' + b"[" * 900 + b"]" * 900 + b"}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no_value"),
        (b"", "no_value"),
        (b" \n", "no_value"),
        (b"\x00\x00\x00\x00\x01avro", "malformed"),
        (b"PAR1" + b"\0" * 50, "malformed"),
        (b"ARROW1\0\0" + b"\0" * 50, "malformed"),
        (b"\xff\xff\xff\xff", "not_arrow"),
        (b"\xff\xff\xff\xff\0\0\0\0", "not_arrow"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 64, "not_arrow"),
        (stream(columns())[:-9], "not_arrow"),
        (stream(columns())[:300], "not_arrow"),
        (stream(columns()) + b"more", "not_arrow"),
        (stream(columns()) * 2, "not_arrow"),
        (stream({"colour": ["red"]}), "unknown_kind"),
        (stream({"start": pa.array([[1]])}), "wrong_type"),
        (stream({"workload": pa.array([1], pa.decimal128(5))}), "wrong_type"),
        (stream({"address": pa.nulls(LARGEST_ROWS + 1)}), "too_large"),
        (stream({"workload": pa.array(["w" * 900]).take(pa.array([0] * 200_000))}, compression="zstd"), "too_large"),
        (stream({"workload": pa.array(["w" * 20_000] * 9000).dictionary_encode()}), "too_large"),
        (stream(dictionaries({name: pa.array(["w" * 9000] * 2000) for name in ("workload", "service")})), "too_large"),
        (b"{}" * (1 << 19), "too_large"),
        (b"{}" + b"\n" * (1 << 19), "too_large"),
        (b"[" + b" " * codec.LARGEST_VALUE, "too_large"),
        (DEEP, "malformed"),
        (NEARLY_TOO_DEEP, "malformed"),
        (b'{"start":' + b"9" * 100_000 + b"}", "malformed"),
        (b"[{]}", "malformed"),
        (b"{}}", "unknown_kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:30],
)
def test_a_message_that_is_none_is_rejected_with_its_reason(value, reason):
    decoded = codec.decode("heartbeat", value)
    assert decoded.batch.num_rows == 0
    assert decoded.batch.schema == schema.arrow_schema("heartbeat")
    assert reason in [rejected.reason for rejected in decoded.rejects]
    assert decoded.rejected_rows == len(decoded.rejects)


def test_a_deep_line_costs_only_itself():
    good = json.dumps(FLOW).encode()
    for deep in (DEEP, NEARLY_TOO_DEEP):
        decoded = codec.decode("flow", b"\n".join([good, deep, good]))
        assert reasons(decoded) == [(2, "malformed")]
        assert decoded.batch.num_rows == 2


def test_a_compressed_buffer_may_not_claim_more_than_is_allowed():
    value = bytearray(stream({"workload": ["w" * 5000]}, compression="lz4"))
    at = value.rindex(struct.pack("<q", 5000))
    value[at : at + 8] = struct.pack("<q", 1 << 40)
    assert reasons(codec.decode("heartbeat", bytes(value))) == [(None, "too_large")]
    value[at : at + 8] = struct.pack("<q", -2)
    assert reasons(codec.decode("heartbeat", bytes(value))) == [(None, "not_arrow")]


def test_offsets_and_indices_that_lead_out_of_their_buffers_are_noticed():
    offsets = pa.py_buffer(struct.pack("<3i", 0, 100_000, 2))
    text = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ab")])
    assert reasons(codec.decode("heartbeat", stream({"workload": text}))) == [(None, "not_arrow")]
    outside = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int8()), pa.array(["w"]), safe=False)
    assert reasons(codec.decode("heartbeat", stream({"workload": outside}))) == [(None, "not_arrow")]


def test_dictionaries_come_once_and_whole():
    table = pa.table({"workload": pa.chunked_array([pa.array(c).dictionary_encode() for c in (["a"], ["a", "b"])])})
    for deltas in (True, False):
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        (rejected,) = codec.decode("heartbeat", sink.getvalue().to_pybytes()).rejects
        assert rejected == Rejected(None, "not_arrow", "dictionary 0 is not sent once and whole")


SOUND = [
    stream(encode(columns(rows)), compression=compression, chunk=chunk)
    for rows in (1, 8)
    for compression in (None, "lz4")
    for chunk in (None, 3)
    for encode in (dict, dictionaries)
] + [json.dumps(list(ROWS.values()), indent=indent).encode() for indent in (None, 1)]

NUMBERS = st.sampled_from([0, 1, -1, 8, 64, 255, 2**20, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63)])
CHANGES = st.one_of(
    st.tuples(st.just("byte"), st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    st.tuples(st.just("number"), st.floats(0, 1, exclude_max=True), NUMBERS),
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 8)),
    st.tuples(st.just("double"), st.floats(0, 1), st.integers(1, 8)),
)


def changed(value, changes):
    value = bytearray(value)
    for what, where, how in changes:
        at = int(where * len(value))
        if what == "byte" and value:
            value[at] = how
        elif what == "number":
            at -= at % 4
            value[at : at + 8] = struct.pack("<q", how)
        elif what == "cut":
            del value[at:]
        elif what == "drop":
            del value[at - at % 8 : at - at % 8 + 8 * how]
        elif what == "double":
            at -= at % 8
            value[at:at] = value[at : at + 8 * how]
    return bytes(value)


@given(st.sampled_from(SOUND), st.lists(CHANGES, min_size=1, max_size=5), st.sampled_from(sorted(ROWS)))
def test_a_damaged_message_is_read_as_far_as_it_can_be_trusted(value, changes, kind):
    decoded = codec.decode(kind, changed(value, changes))
    decoded.batch.validate(full=True)
    assert decoded.batch.schema.names == list(schema.record(kind).names)
    assert {rejected.reason for rejected in decoded.rejects} <= set(REASONS) - {"failed"}
    assert (decoded.rejected_rows == 0) == (decoded.rejects == [])


@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xff\xff\xff", b"{", b"["]))
def test_noise_is_no_record(noise, start):
    decoded = codec.decode("flow", start + noise)
    assert decoded.batch.num_rows == 0
    assert {rejected.reason for rejected in decoded.rejects} <= set(REASONS) - {"failed"}


# Dead letters


def test_a_dead_letter_is_json_of_its_schema():
    letter = json.loads(dead_letter("flows", 3, 17, "flow", Rejected(None, "not_arrow", "\udcff" + "x" * 900)))
    assert tuple(letter) == schema.record(schema.DEAD_LETTER).names
    assert letter["found"] == "\\udcff" + "x" * 499
    assert letter | {"found": ""} == {
        "topic": "flows",
        "partition": 3,
        "offset": 17,
        "row": None,
        "kind": "flow",
        "reason": "not_arrow",
        "found": "",
    }


@pytest.mark.parametrize("kind", ["flow", "heartbeat", "assignment", "name_binding"])
def test_rows_of_long_after_their_report_are_rejected_and_counted_in_one_letter(kind):
    batch = codec.decode(kind, json.dumps([ROWS[kind]] * 3).encode()).batch
    (message,) = codec.encode(kind, batch)
    latest = message.timestamp_ms * 1000
    assert codec.decode(kind, message.value, reported_us=latest - codec.FARTHEST_AHEAD).batch.num_rows == 3
    decoded = codec.decode(kind, message.value, reported_us=latest - codec.FARTHEST_AHEAD - 1000)
    assert (decoded.batch.num_rows, decoded.rejected_rows) == (0, 3)
    (letter,) = decoded.rejects
    assert (letter.row, letter.reason, letter.found[:6]) == (None, "ahead_of_report", "3 rows")
