"""Native records as JSON, Parquet and Arrow: what is read, from which line, and what is set aside."""

import datetime as dt
import io
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_input import MemoryInput, rows_of

from attribution import schema
from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.core.flow_evidence.flow_heartbeats import FIELDS, FlowEvidence
from attribution.errors import SourceError
from attribution.sources import Ledger, read, registry
from attribution.sources.columnar import opening
from attribution.sources.formats.native.format import Native, is_native_flows, parquet_flows, parquet_starts
from attribution.sources.json.objects import object_lines


def parquet_heartbeats(path):
    evidence = FlowEvidence(Settings())
    return map(evidence.heartbeats, parquet_flows(path, FIELDS))


T0 = 1_767_225_600_000_000
ISO = "2026-01-01T00:00:00Z"
FLOW = {"start": T0, "end": T0 + 5, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
ROWS = {
    "flow": FLOW | {"bytes_sent": 7, "local_workload": "w", "observer": "n"},
    "heartbeat": {"address": "10.0.0.1", "workload": "w", "start": T0, "end": T0},
    "assignment": {"address": "10.0.0.9", "owner": "lb", "action": "assign", "time": T0},
    "name_binding": {"client_address": "10.0.0.1", "server_address": "9.9.9.9", "hostname": "a.b", "time": T0},
    "label": {"prefix": "10.0.0.0/8", "service": "corp"},
    "policy": {"policy": "free", "pool": "edge", "prefix": "192.0.2.0/24", "start": T0},
    "socket_rule": {"rule": "web", "prefix": "192.0.2.0/24", "service": "frontend", "port": 443, "protocol": 6},
}


class Read:
    """What reading one content gave: rows by kind, rejects as (line, reason), the ledger."""

    def __init__(self, path, content, **options):
        if content is not None:
            path.write_bytes(content)
        self.rejects = []
        self.ledger = Ledger(sink=self.rejects.append, max_rejected_share=1.0)
        self.batches = list(read([path], ledger=self.ledger, **options))
        self.rows = {}
        for found in self.batches:
            assert found.format == "native"
            assert found.source == str(path)
            times = {
                f.name: found.batch.column(f.name).cast(pa.int64())
                for f in found.batch.schema
                if f.type == schema.TIMESTAMP
            }
            columns = {name: times.get(name, found.batch.column(name)) for name in found.batch.schema.names}
            kept = [{k: v for k, v in row.items() if v is not None} for row in pa.table(columns).to_pylist()]
            self.rows.setdefault(found.kind, []).extend(kept)
        assert self.ledger.rows.total() == sum(map(len, self.rows.values()))

    @property
    def bad(self):
        return sorted((r.line, r.reason) for r in self.rejects)


def as_lines(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def whole(kind, row):
    return row | ({"basis": "window"} if kind == "flow" else {})


@pytest.mark.parametrize("kind", ROWS)
def test_a_record_of_each_kind_is_known_by_its_fields(tmp_path, kind):
    found = Read(tmp_path / "x", as_lines(ROWS[kind]))
    assert found.rows == {kind: [whole(kind, ROWS[kind])]}
    assert found.bad == []
    assert {b.flow_heartbeats for b in found.batches} == {"interval"}


def test_kinds_may_be_mixed_line_by_line(tmp_path):
    found = Read(tmp_path / "x", as_lines(*list(ROWS.values()) * 50))
    assert found.rows == {kind: [whole(kind, row)] * 50 for kind, row in ROWS.items()}


def test_times_of_both_forms_may_be_mixed(tmp_path):
    rows = [FLOW, FLOW | {"start": ISO}, FLOW | {"start": ISO, "end": "2026-01-01T00:00:00.000005Z"}] * 100
    found = Read(tmp_path / "x", as_lines(*rows))
    assert found.rows == {"flow": [FLOW | {"basis": "window"}] * 300}


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: json.dumps(rows).encode(),
        lambda rows: json.dumps(rows, indent=2).encode(),
        lambda rows: b"[" + b",\n".join(json.dumps(r).encode() for r in rows) + b"]\n",
        lambda rows: b"\n".join(json.dumps(r, indent=1).encode() for r in rows),
        lambda rows: b"".join(json.dumps(r).encode() for r in rows),
        lambda rows: b"\n\n".join(json.dumps(r).encode() for r in rows),
        lambda rows: b"\r\n".join(json.dumps(r).encode() for r in rows),
        lambda rows: b"\xef\xbb\xbf" + as_lines(*rows),
        lambda rows: b"".join(b"  " + json.dumps(r).encode() + b"  \n" for r in rows),
    ],
    ids=[
        "array",
        "indented array",
        "array of lines",
        "indented objects",
        "no newlines",
        "blank lines",
        "CRLF",
        "BOM",
        "indented",
    ],
)
def test_json_is_read_however_it_is_laid_out(tmp_path, write):
    rows = [FLOW | {"hostname": f"h{n}", "observer": 'a "quoted" {name}, \\ and ["more'} for n in range(40)]
    found = Read(tmp_path / "x", write(rows))
    expected = [row | {"basis": "window"} for row in rows]
    assert sorted(found.rows["flow"], key=lambda r: int(r["hostname"][1:])) == expected
    assert found.bad == []


def test_rows_keep_their_line_when_objects_span_lines(tmp_path):
    rows = [FLOW, FLOW | {"start": 5}, FLOW, FLOW | {"local_address": "x"}]
    for indent, height in ((None, 1), (1, 6)):
        content = b"\n".join(json.dumps(r, indent=indent).encode() for r in rows)
        found = Read(tmp_path / "x", content)
        assert found.bad == [(1 + height, "impossible_time"), (1 + 3 * height, "not_an_address")]
        content = (
            json.dumps(rows, indent=indent).encode() if indent else b"[\n" + b",\n".join(content.split(b"\n")) + b"]"
        )
        found = Read(tmp_path / "x", content)
        assert found.bad == [(2 + height, "impossible_time"), (2 + 3 * height, "not_an_address")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"start":', "malformed"),
        (b"{}", "unknown_kind"),
        (b'{"colour":"red"}', "unknown_kind"),
        (b'{"service":"x","region":"y"}', "unknown_kind"),
        (b"[1,2]", "malformed"),
        (b'"text"', "malformed"),
        (b"null", "malformed"),
        (b"# a comment", "malformed"),
        (b'{"local_address":"10.0.0.1","remote_address":"10.0.0.\xff"}', "not_text"),
        (b'{"remote_address":"10.0.0.1"}', "missing_field"),
        (b'{"workload":"w","start":1767225600000000}', "missing_field"),
        (b'{"owner":"x"}', "missing_field"),
        (b'{"prefix":"10.0.0.0/8"}', "missing_field"),
        (b'{"server_address":"10.0.0.1"}', "missing_field"),
        (
            b'{"start":{"a":1},"end":1767225600000000,"local_address":"10.0.0.1","remote_address":"10.0.0.1"}',
            "not_a_time",
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 150, 299])
def test_a_bad_line_costs_only_itself(tmp_path, line, reason, place):
    lines = [json.dumps(FLOW | {"local_port": n}).encode() for n in range(300)]
    lines[place] = line
    found = Read(tmp_path / "x", b"\n".join(lines) + b"\n")
    assert found.bad == [(place + 1, reason)]
    assert sorted(row["local_port"] for row in found.rows["flow"]) == [n for n in range(300) if n != place]
    assert found.ledger.rejected == {("native", reason): 1}


def test_a_last_line_that_was_cut_off_is_set_aside(tmp_path):
    content = as_lines(*[FLOW] * 5)
    found = Read(tmp_path / "x", content[:-30])
    assert len(found.rows["flow"]) == 4
    assert found.bad == [(5, "malformed")]


def test_an_array_that_was_cut_off_keeps_its_whole_objects(tmp_path):
    content = json.dumps([FLOW] * 5, indent=1).encode()
    found = Read(tmp_path / "x", content[:-20])
    assert len(found.rows["flow"]) == 4
    assert found.bad == [(1 + 4 * 6 + 1, "malformed")]


def test_what_stands_between_objects_is_set_aside(tmp_path):
    content = (
        b"[" + json.dumps(FLOW, indent=1).encode() + b"\n,\nnonsense\n" + json.dumps(FLOW, indent=1).encode() + b"]"
    )
    found = Read(tmp_path / "x", content)
    assert len(found.rows["flow"]) == 2
    assert found.bad == [(8, "malformed")]


def test_braces_that_do_not_match_end_the_source_after_its_good_objects(tmp_path):
    content = json.dumps([FLOW] * 3, indent=1).encode() + b"}\n" + json.dumps([FLOW] * 3, indent=1).encode()
    found = Read(tmp_path / "x", content)
    assert len(found.rows["flow"]) == 3
    assert found.bad == [(0, "unreadable")]
    assert "a closing brace without its opening one" in found.rejects[0].found


def test_an_array_is_read_in_pieces_without_losing_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("attribution.sources.json.objects._READ_BYTES", 97)
    rows = [FLOW | {"local_port": n, "observer": '\\"}{' * (n % 5)} for n in range(60)]
    rows[30]["start"] = 1
    found = Read(tmp_path / "x", json.dumps(rows, indent=1).encode())
    assert [row["local_port"] for row in found.rows["flow"]] == [n for n in range(60) if n != 30]
    assert found.bad == [(2 + 30 * 8, "impossible_time")]


def test_what_was_attributed_before_is_forgotten_and_what_was_captured_stays(tmp_path):
    names = {"local_workload": "w", "local_service": "s", "remote_workload": "x", "local_reason": "covered"}
    methods = ["heartbeat", "capture", "none", None, "label"]
    rows = [FLOW | names | {"local_method": method, "basis": "connection"} for method in methods]
    plain = FLOW | {"basis": "connection"}
    expected = [
        plain | ({"local_workload": "w", "local_service": "s"} if m in ("capture", None) else {}) for m in methods
    ]
    found = Read(tmp_path / "x", as_lines(*rows)).rows["flow"]
    assert sorted(found, key=lambda r: sorted(r.items())) == sorted(expected, key=lambda r: sorted(r.items()))
    table = pa.Table.from_pylist([r | {"start": T0} for r in rows])
    pq.write_table(table, tmp_path / "p")
    assert Read(tmp_path / "p", None).rows == {"flow": expected}
    assert [h for b in parquet_heartbeats(tmp_path / "p") for h in b.column("workload").to_pylist()] == ["w", "w"]


def canonical_table(kind="flow", rows=10):
    return pa.Table.from_pylist([whole(kind, ROWS[kind])] * rows, schema=schema.arrow_schema(kind))


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def arrow_file(table):
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


def arrow_stream(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


BINARY = pytest.mark.parametrize("write", [parquet, arrow_file, arrow_stream])


@BINARY
@pytest.mark.parametrize("kind", ROWS)
def test_columns_of_each_kind_are_read(tmp_path, write, kind):
    found = Read(tmp_path / "x", write(canonical_table(kind)))
    assert found.rows == {kind: [whole(kind, ROWS[kind])] * 10}
    assert found.bad == []


@BINARY
def test_columns_may_be_of_other_types_in_any_order_and_among_others(tmp_path, write):
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "extra": pa.array([[1], [2]]),
            "remote_port": pa.array([443, 80], pa.int64()),
            "end": pa.array([ISO, ISO]),
            "remote_address": pa.array(["10.0.0.2", "2001:DB8::1"], pa.large_string()),
            "local_address": pa.array(["10.0.0.1", "::ffff:10.0.0.3"]).dictionary_encode(),
            "start": pa.array([start, start], pa.timestamp("ns", "Europe/Berlin")),
            "bytes_sent": pa.array([1.0, 2.0], pa.float64()),
            "protocol": pa.array([6, 17], pa.uint8()),
            "local_workload": pa.array(["a", "b"], pa.string_view() if write is not parquet else pa.string()),
        }
    )
    assert Read(tmp_path / "x", write(table)).rows == {
        "flow": [
            {"start": T0, "end": T0, "local_address": "10.0.0.1", "remote_address": "10.0.0.2", "remote_port": 443,
             "protocol": 6, "bytes_sent": 1, "local_workload": "a", "basis": "connection"},
            {"start": T0, "end": T0, "local_address": "10.0.0.3", "remote_address": "2001:db8::1", "remote_port": 80,
             "protocol": 17, "bytes_sent": 2, "local_workload": "b", "basis": "window"},
        ]
    }  # fmt: skip


@BINARY
def test_bad_rows_are_set_aside_by_their_row(tmp_path, write):
    table = canonical_table(rows=10)
    times = pa.array([T0] * 4 + [5] + [T0] * 5).cast(schema.TIMESTAMP)
    addresses = pa.array(["10.0.0.1"] * 8 + ["x", "10.0.0.1"])
    table = table.set_column(0, "start", times).set_column(2, "local_address", addresses)
    found = Read(tmp_path / "x", write(table))
    assert found.bad == [(5, "impossible_time"), (9, "not_an_address")]
    assert len(found.rows["flow"]) == 8


def test_rows_of_parquet_are_numbered_through_all_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("attribution.sources.columnar.opening.ROWS", 3)
    ports = pa.array([1] * 16 + [70000])
    table = canonical_table(rows=17)
    table = table.set_column(table.schema.names.index("local_port"), "local_port", ports)
    found = Read(tmp_path / "x", parquet(table, row_group_size=7))
    assert found.bad == [(17, "impossible_port")]
    assert len(found.rows["flow"]) == 16


def test_text_with_few_values_comes_dictionary_encoded_from_parquet_and_other_text_plain(tmp_path):
    rows = [FLOW | {"region": "r", "local_workload": f"w{n}"} for n in range(2000)]
    table = pa.Table.from_pylist(rows)
    (batch,) = Read(tmp_path / "x", parquet(table)).batches
    assert pa.types.is_dictionary(batch.batch.column("region").type)
    assert batch.batch.column("local_workload").type == pa.string()


def test_a_column_whose_dictionary_overflowed_comes_plain(tmp_path):
    rows = [FLOW | {"region": "r", "local_workload": f"w{n:06}"} for n in range(2000)]
    content = parquet(pa.Table.from_pylist(rows), dictionary_pagesize_limit=100)
    (batch,) = Read(tmp_path / "x", content).batches
    assert pa.types.is_dictionary(batch.batch.column("region").type)
    assert batch.batch.column("local_workload").type == pa.string()


def test_of_a_parquet_file_only_what_is_being_read_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "ROWS", 5_000)
    rows, path = 200_000, tmp_path / "flows.parquet"
    names = pa.array(np.random.default_rng(1).integers(0, 1 << 62, rows)).cast(pa.string())
    table = pa.table(
        {name: [value] * rows for name, value in (FLOW | {"protocol": 6}).items()} | {"local_workload": names}
    )
    pq.write_table(table, path, row_group_size=5_000)
    del table, names
    before, most = pa.total_allocated_bytes(), 0
    for batch in parquet_heartbeats(path):
        most = max(most, pa.total_allocated_bytes() - before)
        rows -= batch.num_rows
    assert rows == 0
    assert most < path.stat().st_size / 2


def test_a_dictionary_that_holds_a_value_twice_does_not_make_two_of_it(tmp_path):
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["w", "w"]))
    table = pa.table({n: [v] * 2 for n, v in ROWS["heartbeat"].items()} | {"workload": twice})
    (found,) = Read(tmp_path / "x", arrow_stream(table)).batches
    column = found.batch.column("workload")
    assert column.to_pylist() == ["w", "w"]
    assert len(set(column.dictionary_encode().indices.to_pylist())) == 1


@pytest.mark.parametrize(
    ("write", "keep"),
    [(parquet, 0.5), (parquet, 0.99), (arrow_file, 0.5), (arrow_stream, 0.3), (arrow_stream, 0.7)],
)
def test_binary_content_that_was_cut_off_keeps_the_batches_before(tmp_path, write, keep):
    content = write(canonical_table(rows=300))
    (tmp_path / "a-good").write_bytes(as_lines(FLOW))
    (tmp_path / "b-cut").write_bytes(content[: int(len(content) * keep)])
    ledger = Ledger(max_rejected_share=1.0)
    rows = sum(b.batch.num_rows for b in read([tmp_path], ledger=ledger))
    assert (1 < rows < 300) == (write is arrow_stream)
    assert sum(ledger.rejected.values()) == 1
    assert {reason for _, reason in ledger.rejected} == {"unreadable"}


def test_parquet_with_damaged_pages_says_so(tmp_path):
    content = bytearray(parquet(canonical_table(rows=1000), compression="zstd"))
    content[4:400] = bytes(396)
    with pytest.raises(
        SourceError, match=r"cannot read .*x after row 0: .*; the file is damaged or incomplete, copy it"
    ):
        Read(tmp_path / "x", bytes(content))


def test_arrow_columns_that_are_no_record_are_no_native_format():
    for write in (arrow_file, arrow_stream):
        assert isinstance(registry.detect(MemoryInput(write(canonical_table("label")))).format, Native)
        with pytest.raises(SourceError, match="it is Arrow with the columns a; "):
            registry.detect(MemoryInput(write(pa.table({"a": [1]}))))
    with pytest.raises(SourceError, match="is damaged or incomplete, copy it again"):
        registry.detect(MemoryInput(b"ARROW1"))
    with pytest.raises(SourceError, match="it starts with"):
        registry.detect(MemoryInput(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (as_lines(FLOW)[:-1], True),
        (b"# garbage\n" + as_lines(FLOW), True),
        (b"{garbage\n" + as_lines(FLOW), True),
        (b"\n\n" + as_lines(FLOW), True),
        (json.dumps([FLOW] * 3, indent=4).encode()[:500], True),
        (json.dumps([FLOW] * 900).encode()[:65536], True),
        (b'{"colour":"red"}\n', False),
        (b"{", False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_native_json_is_known_by_whole_objects_at_its_start(head, expected):
    assert Native().matches(head) is expected


def test_heartbeats_are_read_from_parquet_by_their_columns_alone(tmp_path):
    rows = [
        FLOW | {"local_workload": "a", "local_service": "s", "observer": "n", "remote_address": "nonsense"},
        FLOW | {"local_workload": None},
        FLOW | {"local_workload": "b", "basis": "window"},
        FLOW | {"local_workload": "c", "local_address": "nonsense"},
        FLOW | {"local_workload": "d", "local_address": "::ffff:10.0.0.4", "start": 5},
        FLOW | {"local_workload": "e", "local_address": "::ffff:10.0.0.5"},
    ]
    path = tmp_path / "flows"
    pq.write_table(pa.Table.from_pylist([{"basis": "connection"} | r for r in rows]), path)
    assert is_native_flows(path)
    batches = list(parquet_heartbeats(path))
    assert [b.column("address").to_pylist() for b in batches] == [["10.0.0.1", "10.0.0.5"]]
    assert [b.column("workload").to_pylist() for b in batches] == [["a", "e"]]
    assert [b.column("end").cast(pa.int64()).to_pylist() for b in batches] == [[T0 + 5, T0 + 5]]
    assert batches[0].schema.names == list(schema.record("heartbeat").names)
    assert [f.nullable for f in batches[0].schema] == [f.nullable for f in schema.arrow_schema("heartbeat")]


def test_flows_without_a_workload_column_or_without_rows_give_no_heartbeats(tmp_path):
    pq.write_table(pa.Table.from_pylist([FLOW]), tmp_path / "a")
    pq.write_table(canonical_table(rows=10).slice(0, 0), tmp_path / "b")
    assert list(parquet_heartbeats(tmp_path / "a")) == []
    assert sum(b.num_rows for b in parquet_heartbeats(tmp_path / "b")) == 0


def test_only_parquet_of_native_flows_is_taken_for_it(tmp_path):
    contents = {
        "heartbeats": parquet(canonical_table("heartbeat")),
        "other": parquet(pa.table({"a": [1]})),
        "json": as_lines(FLOW),
        "cut": parquet(canonical_table())[:-9],
        "empty": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert not is_native_flows(tmp_path / name), name
    assert not is_native_flows(tmp_path / "missing")
    assert not is_native_flows(tmp_path)


LINES = st.lists(
    st.one_of(
        st.builds(lambda port: json.dumps(FLOW | {"local_port": port}), st.integers(0, 65535)),
        st.builds(lambda port: json.dumps(FLOW | {"local_port": port, "start": ISO}), st.integers(0, 65535)),
        st.builds(lambda port: json.dumps(FLOW | {"local_port": port, "hostname": 'a\\"b'}), st.integers(0, 65535)),
        st.sampled_from(
            ["", "   ", "{", "{}", "nonsense", json.dumps(FLOW | {"start": 1}), json.dumps(FLOW | {"end": 1})]
        ),
        st.builds(lambda name: json.dumps(ROWS["heartbeat"] | {"workload": name}), st.text(min_size=1, max_size=5)),
    ),
    max_size=40,
)


@given(LINES, st.integers(60, 2000), st.booleans())
def test_every_line_is_a_row_or_a_reject_with_its_number(lines, block_bytes, final_newline):
    """Held to one line at a time; block size, neighbours and layout must not matter."""
    lines = [json.dumps(FLOW | {"local_port": 0}), *lines]
    good, bad = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            bad.append((number, "malformed"))
            continue
        if not row:
            bad.append((number, "unknown_kind"))
        elif "workload" in row:
            good.append(("heartbeat", row["workload"]))
        elif row["start"] == 1 or row["end"] == 1:
            bad.append((number, "impossible_time"))
        else:
            good.append(("flow", row["local_port"]))
    content = "\n".join(lines).encode() + (b"\n" if final_newline else b"")
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attribution.sources.json.pieces._BLOCK_BYTES", block_bytes)
        reader, writer = os.pipe()
        os.write(writer, content)
        os.close(writer)
        try:
            batches = list(read([f"/dev/fd/{reader}"], ledger=ledger, format="native"))
        finally:
            os.close(reader)
    rows = [
        (b.kind, value)
        for b in batches
        for value in b.batch.column("workload" if b.kind == "heartbeat" else "local_port").to_pylist()
    ]
    assert sorted((r.line, r.reason) for r in rejects) == bad
    assert sorted(rows, key=repr) == sorted(good, key=repr)


NAMES = st.text(alphabet='ab"\\{}[],:\n\u00e4 ', max_size=10)


@given(st.lists(NAMES, min_size=1, max_size=12), st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 300))
def test_documents_are_cut_into_their_objects_wherever_reading_stops(names, indent, in_array, read_bytes):
    rows = [FLOW | {"local_port": n, "observer": name, "extra": {"deep": [name]}} for n, name in enumerate(names)]
    texts = [json.dumps(row, indent=indent) for row in rows]
    text = json.dumps(rows, indent=indent) if in_array else " \n ".join(texts)
    # The line on which each object starts, by the text itself: an object's first key stands behind its brace.
    opening = [text.rfind("{", 0, at) for at in range(len(text)) if text.startswith('"start"', at)]
    lines = [text.count("\n", 0, at) + 1 for at in opening]
    assert len(lines) == len(rows)
    rejects = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attribution.sources.json.objects._READ_BYTES", read_bytes)
        found = {}
        data = MemoryInput(text)
        for numbers, block in object_lines(data, lambda *bad: rejects.append(bad)):
            for number, line in zip(numbers.tolist(), block.decode().split("\n"), strict=False):
                found[json.loads(line)["local_port"]] = (number, json.loads(line))
    assert rejects == []
    assert found == {n: (lines[n], row) for n, row in enumerate(rows)}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_parquet_file_says_before_which_moment_none_of_its_flows_starts(tmp_path, unit):
    moments = pa.array([1_767_225_600_007, 1_767_225_600_003, 1_767_225_600_011], pa.int64())
    start = moments.cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp(unit, "UTC"))
    pq.write_table(pa.table({"start": start}), tmp_path / "flows", row_group_size=2)
    assert parquet_starts(tmp_path / "flows") == [(2, 1_767_225_600_003_000), (1, 1_767_225_600_011_000)]


@pytest.mark.parametrize("start", [pa.array([1.5e9, 1.6e9]), pa.array(["2026-01-01T00:00:00Z", "5"]), pa.array([1, 2])])
def test_what_is_no_timestamp_may_start_at_any_time(tmp_path, start):
    pq.write_table(pa.table({"start": start}), tmp_path / "flows")
    assert parquet_starts(tmp_path / "flows") == [(2, NEVER_BEFORE)]


def test_a_parquet_file_without_statistics_may_start_at_any_time(tmp_path):
    start = pa.array([5, 6], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"start": start}), tmp_path / "flows", write_statistics=False)
    assert parquet_starts(tmp_path / "flows") == [(2, NEVER_BEFORE)]


@pytest.mark.parametrize(
    "junk", [b'{"a": "' + b"x" * 900_000 + b'{"}', b'{"a": {"b": [' + b'{},"}",' * 99_999 + b"1]}}"]
)
@pytest.mark.parametrize("read_bytes", [997, 1 << 16, 1 << 22])
def test_an_object_that_is_too_long_costs_only_itself(tmp_path, monkeypatch, junk, read_bytes):
    monkeypatch.setattr("attribution.sources.json.objects._LARGEST_OBJECT", 5000)
    monkeypatch.setattr("attribution.sources.json.objects._READ_BYTES", read_bytes)
    first, second, third = (json.dumps(FLOW | {"local_port": port}).encode() for port in (1, 2, 99_999))
    found = Read(tmp_path / "x", b"[\n" + first + b",\n" + junk + b",\n" + second + b",\n\n" + third + b"]\n")
    assert [port for one in found.batches for port in one.batch.column("local_port").to_pylist()] == [1, 2]
    assert found.bad == [(3, "line_too_long"), (6, "impossible_port")]


@pytest.mark.parametrize(("content", "rejected"), [("[", 1), ("[\n", 1), ("[]", 0), ("[\n]\n", 0)])
def test_an_array_that_breaks_off_where_it_begins_is_one_reject(content, rejected):
    _, ledger = rows_of(Native(), content)
    assert ledger.rejected.total() == rejected
