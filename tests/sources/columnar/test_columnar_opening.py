"""Parquet and Arrow from strangers: what is encrypted, damaged or without a sound beginning, and text of any kind."""

import io
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.errors import SourceError
from attribution.sources import Ledger, read
from attribution.sources.columnar.parquet_footer import read_footer
from attribution.sources.columnar.thrift import read_struct

T0 = 1_767_225_600_000_000
ROW = {"start": T0, "end": T0 + 5, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}


def flows(rows=6, **columns):
    return pa.table({name: [value] * rows for name, value in ROW.items()} | columns)


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def arrow(table, made=pa.ipc.new_file, **options):
    sink = io.BytesIO()
    with made(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def stream(table, **options):
    return arrow(table, pa.ipc.new_stream, **options)


WRITERS = {"parquet": parquet, "arrow file": arrow, "arrow stream": stream}


def rows_of(path, content):
    """The rows that are read of a file with this content, and its rejects."""
    path.write_bytes(content)
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1.0)
    return [row for found in read([path], ledger=ledger) for row in found.batch.to_pylist()], rejects


def no_text(kind):
    """Six texts, of which the second one is no UTF-8 though its type says so, as an array of a type of text."""
    values = [b"ok", b"\xff\xfe\x80", b"ok", None, b"another text, which is longer than a view", b"ok"]
    if pa.types.is_dictionary(kind):
        plain = no_text(kind.value_type)
        return pa.DictionaryArray.from_arrays(pa.array(range(6), kind.index_type), plain)
    as_bytes = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return pa.array(values, as_bytes[kind]).view(kind)


TEXTS = [
    pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()), pa.dictionary(pa.uint32(), pa.string_view()),
]  # fmt: skip


@pytest.mark.parametrize("field", ["local_workload", "hostname", "local_address"])
@pytest.mark.parametrize("kind", TEXTS, ids=str)
@pytest.mark.parametrize("written", WRITERS)
def test_a_row_with_text_that_is_no_utf8_is_rejected_and_the_others_are_kept(tmp_path, written, kind, field):
    try:
        content = WRITERS[written](
            flows().drop_columns([field] if field in ROW else []).append_column(field, no_text(kind))
        )
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        pytest.skip("Arrow cannot write such a file")
    found, rejects = rows_of(tmp_path / "x", content)
    assert (2, "not_text") in {(reject.line, reject.reason) for reject in rejects}
    if field == "local_address":
        assert {reject.reason for reject in rejects} == {"not_text", "not_an_address", "missing_field"}
        return
    assert len(rejects) == 1
    assert [row[field] for row in found] == ["ok", "ok", None, "another text, which is longer than a view", "ok"]


@pytest.mark.parametrize("where", ["struct", "list"])
def test_a_row_with_such_text_inside_of_what_no_field_can_be_is_rejected(tmp_path, where):
    text = no_text(pa.dictionary(pa.int32(), pa.string()))
    bounds = pa.array(range(7), pa.int32())
    inside = pa.StructArray.from_arrays([text], ["a"]) if where == "struct" else pa.ListArray.from_arrays(bounds, text)
    found, rejects = rows_of(tmp_path / "x", stream(flows().append_column("hostname", inside)))
    assert found == []
    assert {reject.reason for reject in rejects} == {"not_text"}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), TEXTS[3], TEXTS[5]], ids=str)
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_an_arrow_file_whose_schema_lies_in_its_footer_only_is_read(tmp_path, kind, compression):
    names = pa.array([f"workload-with-a-long-name-{n % 2}" for n in range(6)])
    if pa.types.is_dictionary(kind):
        coded = names.dictionary_encode()
        column = pa.DictionaryArray.from_arrays(
            coded.indices.cast(kind.index_type), pa.array(coded.dictionary.to_pylist(), kind.value_type)
        )
    else:
        column = pa.array(names.to_pylist(), kind)
    content = bytearray(arrow(flows(local_workload=column), compression=compression))
    assert content[8:12] == b"\xff\xff\xff\xff"
    content[8:48] = bytes(40)  # no frame starts there any more
    found, rejects = rows_of(tmp_path / "x", bytes(content))
    assert rejects == []
    assert [row["local_workload"] for row in found] == names.to_pylist()


def footer(content):
    size = int.from_bytes(content[-8:-4], "little")
    return content[: -8 - size], content[-8 - size : -8]


def with_footer(data, changed):
    return data + changed + struct.pack("<I", len(changed)) + b"PAR1"


def encrypted(content, *, whole):
    """A file that says that it is encrypted, in the way of a file whose footer is, or whose footer stays plain."""
    data, plain = footer(content)
    # A field of its own comes before the end of the structure: 8, the algorithm, an empty structure.
    return b"PARE" + content[4:-4] + b"PARE" if whole else with_footer(data, plain[:-1] + b"\x1c\x00\x00")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("named", [None, "native", "vpc_parquet"])
def test_encrypted_parquet_is_refused_by_name_with_what_to_do(tmp_path, whole, named):
    content = encrypted(parquet(flows()), whole=whole)
    if not whole:
        assert 8 in read_struct(footer(content)[1])
    (tmp_path / "x").write_bytes(content)
    said = r"cannot read .*x: it is encrypted Parquet .*; write it without encryption, or leave it out"
    with pytest.raises(SourceError, match=said):
        list(read([tmp_path / "x"], ledger=Ledger(), format=named))


def test_a_damaged_file_costs_only_itself(tmp_path):
    contents = [written(flows())[:-40] for written in WRITERS.values()]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}-damaged").write_bytes(content)
    (tmp_path / "9-sound").write_bytes(parquet(flows()))
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1.0)
    found = [row for batch in read([tmp_path], ledger=ledger) for row in batch.batch.to_pylist()]
    assert len(found) == 6
    assert {Path(reject.source).name for reject in rejects} <= {"0-damaged", "1-damaged", "2-damaged"}
    assert {reject.reason for reject in rejects} == {"unreadable"}
    assert all(reject.source in reject.found for reject in rejects)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    table = pa.table([*flows().columns, flows()["start"]], names=[*flows().column_names, "start"])
    for written in (arrow, stream):
        (tmp_path / "x").write_bytes(written(table))
        with pytest.raises(SourceError, match="it has the column start twice"):
            list(read([tmp_path / "x"], ledger=Ledger()))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"start", b"stirt", "the column start is another one in a row group than in the schema"),
        (b"start", b"st\xffrt", "can't decode byte 0xff"),
    ],
)
def test_a_footer_that_contradicts_itself_is_refused(old, new, said):
    data, plain = footer(parquet(pa.table({"start": [1, 2, 3]}), store_schema=False))
    places = [at for at in range(len(plain)) if plain.startswith(old, at)]
    changed = plain.replace(old, new) if b"\xff" in new else plain[: places[-1]] + new + plain[places[-1] + len(old) :]
    with pytest.raises(ValueError, match=said):
        read_footer(io.BytesIO(with_footer(data, changed)))


def test_every_cut_of_a_footer_is_refused():
    data, plain = footer(parquet(flows()))
    for size in range(len(plain)):
        with pytest.raises(ValueError, match="its footer is damaged"):
            read_footer(io.BytesIO(with_footer(data, plain[:size])))


@pytest.mark.parametrize("nested", [b"\x1c", b"\x01\xbb", b"\x19"], ids=["structs", "maps", "lists"])
def test_what_is_nested_without_end_is_refused(nested):
    first = b"\x1b" if nested == b"\x01\xbb" else nested
    with pytest.raises(ValueError, match="it is nested more than 32 deep"):
        read_struct(first + nested * 5_000)
