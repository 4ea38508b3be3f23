"""From messages to entries for the buckets."""

import pyarrow as pa
from oracle import Flow
from records import batch

from attribution.config import Settings
from attribution.flink.payload import unpack_rows
from attribution.flink.split import Splitter
from attribution.schema import FLOW


def test_many_rows_of_one_bucket_become_entries_of_bounded_size_in_their_order():
    """What compresses to one message may be a hundred megabytes; Flink cannot take that at once."""
    one = batch(FLOW, [Flow(0, 0, "10.0.0.1", None, "10.0.0.2", None, observer="n" * 1000)])
    rows = one.take([0] * 30_000)
    numbers = pa.array(range(30_000), pa.int64())
    numbered = rows.set_column(rows.schema.get_field_index("bytes_sent"), "bytes_sent", numbers)
    entries = list(Splitter(Settings(), buckets=16).split(FLOW, numbered))
    assert {entry.stage for entry in entries} == {"local"}
    assert max(len(entry.content) for entry in entries) < 5 << 20
    assert [n for entry in entries for n in unpack_rows(entry.content)[1].column("bytes_sent").to_pylist()] == list(
        range(30_000)
    )
