"""A file and a message that hold the same rows make the same records, the same rejects and the same counters."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.sources import Ledger, read
from attribution.stream.wire import codec

T0 = "2026-01-01T00:00:00Z"
FLOW = {
    "start": T0,
    "end": T0,
    "local_address": "10.0.0.1",
    "local_port": 1000,
    "remote_address": "10.0.0.2",
    "remote_port": 443,
    "protocol": 6,
    "local_workload": "w",
}
GOOD = {
    "flow": FLOW,
    "heartbeat": {"address": "10.0.0.1", "workload": "w", "start": T0, "end": T0},
    "assignment": {"address": "10.0.0.1", "owner": "o", "action": "assign", "time": T0},
    "name_binding": {"client_address": "10.0.0.1", "server_address": "192.0.2.1", "hostname": "a.b", "time": T0},
    "policy": {"policy": "p", "pool": "edge", "prefix": "192.0.2.0/24"},
    "socket_rule": {"rule": "r", "prefix": "192.0.2.0/24", "service": "s"},
}
#: Changes of a flow that make it a bad one.
BAD = [
    {"start": None},
    {"start": "yesterday"},
    {"end": "1980-01-01T00:00:00Z"},
    {"local_address": "010.0.0.1"},
    {"local_address": None, "remote_address": None, "local_workload": None},
    {"remote_port": 70000},
    {"local_port": "http"},
    {"protocol": "smtp"},
    {"bytes_sent": -1},
    {"bytes_sent": 1 << 70},
    {"direction": "up"},
    {"local_workload": ["w"]},
    {"local_workload": {"w": 1}},
    {"hostname": [1, "x"]},
]
GOOD_CHANGES = [{}, {"remote_port": "443"}, {"protocol": "TCP"}, {"direction": "INGRESS"}, {"local_method": "label"}]
ODD_METHODS = [{"local_method": method} for method in (["capture"], {"a": 1}, "", 5)]
ROWS = [FLOW | change for pair in zip((GOOD_CHANGES + ODD_METHODS) * 2, BAD, strict=False) for change in pair]


def of_file(kind, path):
    """Records, rejects and counters of a file, as a run reads it."""
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1)
    rows = [row for found in read([path], ledger=ledger, kinds=(kind,)) for row in found.batch.to_pylist()]
    assert ledger.rows.total() == len(rows)
    return rows, [(r.line, r.reason, r.found) for r in rejects], Counter(dict(ledger.rejected))


def of_message(kind, value):
    """The same of a message, as the job reads it."""
    found = codec.decode(kind, value)
    rejects = [(r.row, r.reason, r.found) for r in found.rejects]
    assert found.rejected_rows == len(rejects)
    return found.batch.to_pylist(), rejects, Counter(("native", reason) for _, reason, _ in rejects)


def ordered(found):
    rows, rejects, counters = found
    return sorted(rows, key=repr), sorted(rejects), counters


def as_stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


JSON = {
    "lines": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "array": json.dumps,
    "indented": lambda rows: json.dumps(rows, indent=1),
    "with broken lines": lambda rows: "".join(json.dumps(row) + "\n{oops\n" for row in rows),
}


@pytest.mark.parametrize("copies", [1, 20])
@pytest.mark.parametrize("form", JSON)
def test_json_is_read_alike(form, copies, tmp_path):
    text = JSON[form](ROWS * copies)
    path = tmp_path / "rows.json"
    path.write_text(text)
    rows, rejects, counters = ordered(of_file("flow", path))
    assert (rows, rejects, counters) == ordered(of_message("flow", text.encode()))
    assert len(rows) == len(BAD) * copies
    assert sum(count for (_, reason), count in counters.items() if reason != "malformed") == len(BAD) * copies


def columns():
    """Columns of all kinds of trouble, eight rows each; most of the rows are good."""
    plain = {name: pa.array([value] * 8) for name, value in FLOW.items()}
    broken = pa.array([b"w", b"\xff", None, b"", b"x", b"y", b"z", b"w"])
    texts = pa.array(["w", None, "", "x", "y", "z", "w", "w"])
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None, 0, 1, 2, 0], pa.int8()), pa.array(["w", "w", "x"]))
    return {
        "plain": plain,
        "bad values": plain
        | {
            "start": pa.array([T0, "x", T0, None, T0, T0, T0, T0]),
            "local_port": pa.array([1, 70000, None, -1, 5, 6, 7, 8], pa.int32()),
        },
        "large text": plain | {"local_workload": texts.cast(pa.large_string())},
        "text of bytes": plain | {"local_workload": broken},
        "text that is no UTF-8": plain | {"local_workload": broken.view(pa.string())},
        "addresses that are no UTF-8": plain | {"remote_address": broken.view(pa.string())},
        "dictionary": plain | {"local_workload": texts.dictionary_encode()},
        "dictionary of what is no UTF-8": plain | {"local_workload": broken.dictionary_encode()},
        "dictionary with a value twice": plain | {"local_workload": twice},
        "views": plain | {"local_workload": pa.array(texts.to_pylist(), pa.string_view())},
        "numbers as doubles": plain | {"remote_port": pa.array([1.0, 1.5, float("nan"), None, 2.0, 3.0, 4.0, 5.0])},
        "attributed before": plain | {"local_method": pa.array(["capture", "label", None, "none"] * 2)},
    }


WITH_REJECTS = {
    "bad values",
    "text of bytes",
    "text that is no UTF-8",
    "addresses that are no UTF-8",
    "dictionary of what is no UTF-8",
    "numbers as doubles",
}


@pytest.mark.parametrize("name", columns())
@pytest.mark.parametrize("form", ["stream", "file", "parquet"])
def test_columns_are_read_alike(name, form, tmp_path):
    table = pa.table(columns()[name])
    path = tmp_path / "rows"
    if form == "stream":
        path.write_bytes(as_stream(table))
    elif form == "file":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif name != "views":  # which old versions of Arrow do not write to Parquet
        pq.write_table(table, path)
    else:
        return
    rows, rejects, counters = of_file("flow", path)
    assert (rows, rejects, counters) == of_message("flow", as_stream(table))
    assert len(rows) + len(rejects) == 8
    assert (rejects == []) == (name not in WITH_REJECTS)


@pytest.mark.parametrize("kind", GOOD)
def test_rows_of_each_kind_are_read_alike(kind, tmp_path):
    rows = [GOOD[kind], GOOD[kind] | dict.fromkeys(GOOD[kind]), GOOD[kind] | {"start": "?", "time": "?"}]
    path = tmp_path / "rows.jsonl"
    path.write_text(JSON["lines"](rows))
    assert ordered(of_file(kind, path)) == ordered(of_message(kind, path.read_bytes()))


def test_rows_of_other_kinds_are_left_out_of_both(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(JSON["lines"](list(GOOD.values())))
    for kind in GOOD:
        ledger = Ledger()
        (found,) = read([path], ledger=ledger, kinds=(kind,))
        decoded = codec.decode(kind, path.read_bytes())
        assert found.batch.to_pylist() == decoded.batch.to_pylist()
        assert ledger.skipped == {("native", "other_kind"): len(GOOD) - 1}
        assert Counter(r.reason for r in decoded.rejects) == {"wrong_kind": len(GOOD) - 1}
