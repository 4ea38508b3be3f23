"""Attributed flows as files: every row once, in its hour, as plain text whatever its encoding on the way."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.config import HOUR
from attribution.lake import partitions
from attribution.lake.partitions import HourlyWriter
from attribution.schema import ATTRIBUTED_FLOW, arrow_schema

T0 = 1_767_225_600_000_000
SCHEMA = arrow_schema(ATTRIBUTED_FLOW)
ROW = {
    "end": T0,
    "local_address": "10.0.0.1",
    "remote_address": "10.0.0.2",
    "basis": "connection",
    "local_method": "heartbeat",
    "local_reason": "covered",
    "remote_method": "none",
    "remote_reason": "gap",
}


def batch(services, *, start=T0, encoded=()):
    """A row for each local service, the columns named in `encoded` as dictionaries."""
    rows = [dict.fromkeys(SCHEMA.names) | ROW | {"start": start, "local_service": s} for s in services]
    made = pa.Table.from_pylist(rows, schema=SCHEMA).to_batches()[0]
    columns = {
        name: column.dictionary_encode() if name in encoded else column
        for name, column in zip(SCHEMA.names, made.columns, strict=True)
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def written(folder, batches):
    """The files that the batches are written to, by their place under the folder."""
    writer = HourlyWriter(folder, name="part")
    for one in batches:
        writer.write(one)
    writer.close()
    return {path.relative_to(folder).as_posix(): pq.ParquetFile(path) for path in sorted(folder.rglob("*.parquet"))}


TEXT = ("local_service", "basis", "local_reason")


@pytest.mark.parametrize("first", [(), TEXT])
@pytest.mark.parametrize("second", [(), TEXT])
@pytest.mark.parametrize("row_group", [1, 1000])
def test_text_is_the_same_however_its_batches_were_encoded(tmp_path, monkeypatch, first, second, row_group):
    monkeypatch.setattr(partitions, "ROW_GROUP", row_group)
    one, other = ["a", None, "b"] * 8, ["b", "c"] * 8
    files = written(tmp_path, [batch(one, encoded=first), batch(other, encoded=second)])
    (file,) = files.values()
    table = file.read()
    assert table.column("local_service").to_pylist() == one + other
    assert set(table.column("basis").to_pylist()) == {"connection"}
    assert set(table.column("local_reason").to_pylist()) == {"covered"}


def test_files_say_nothing_of_dictionaries(tmp_path):
    (file,) = written(tmp_path, [batch(["a"] * 100, encoded=TEXT)]).values()
    assert file.schema_arrow.field("local_service").type == pa.string()
    assert file.schema_arrow.names == SCHEMA.names


def test_a_dictionary_of_more_values_than_the_rows_use_is_not_written(tmp_path):
    many = pa.array([f"service-{n}" for n in range(10_000)])
    one = batch(["x"] * 8)
    services = pa.DictionaryArray.from_arrays(pa.array([7, 9] * 4, pa.int32()), many)
    one = one.set_column(SCHEMA.get_field_index("local_service"), "local_service", services)
    (file,) = written(tmp_path, [one]).values()
    assert file.read().column("local_service").to_pylist() == ["service-7", "service-9"] * 4
    column = file.metadata.row_group(0).column(SCHEMA.get_field_index("local_service"))
    assert column.total_uncompressed_size < 1000


def test_every_row_is_in_its_hour(tmp_path):
    batches = [batch(["a", "b"], start=T0 + hour * HOUR) for hour in (3, 1, 3)]
    files = written(tmp_path, batches)
    assert {place.rsplit("/", 1)[0]: file.metadata.num_rows for place, file in files.items()} == {
        "date=2026-01-01/hour=01": 2,
        "date=2026-01-01/hour=03": 4,
    }


def test_a_dictionary_is_made_only_where_the_values_that_are_there_repeat():
    chosen = partitions.encodings(
        pa.table(
            {
                "often": ["a", "b"] * 8,
                "rarely": [None if i % 2 else f"w-{i}" for i in range(16)],
                "few": [1, 2] * 8,
                "many": [i * i for i in range(16)],
                "start": pa.array(range(16), pa.timestamp("us", "UTC")),
            }
        )
    )
    assert chosen["use_dictionary"] == ["often", "few"]
    assert chosen["column_encoding"] == dict.fromkeys(["many", "start"], "DELTA_BINARY_PACKED")
    assert chosen["write_statistics"] == ["start"]
