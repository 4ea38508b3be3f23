"""From messages to entries for the buckets."""

import pyarrow as pa
from oracle import Flow
from records import batch

from attribution.config import Settings
from attribution.schema import FLOW, HEARTBEAT
from attribution.stream.buckets.partitioning import bucket_of
from attribution.stream.buckets.payload import REPORTS, unpack_reports, unpack_rows
from attribution.stream.job.split import Splitter


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


def test_a_translated_connection_is_a_heartbeat_in_the_bucket_of_the_address_that_the_wire_shows():
    flow = Flow(1, 9, "10.0.0.1", 51_000, "10.0.0.9", 443, local_workload="w")
    rows = batch(FLOW, [flow])
    for name, value in (("wire_address", "203.0.113.9"), ("wire_port", 40_001)):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), pa.array([value], rows.schema.field(name).type))
    settings, count = Settings(translated_prefixes=("203.0.113.0/24",)), 64
    found = {
        (entry.stage, entry.bucket, row["address"], row["port"], row["workload"])
        for entry in Splitter(settings, buckets=count).split(FLOW, rows)
        if entry.content[:1] != REPORTS
        for kind, part in [unpack_rows(entry.content)]
        if kind == HEARTBEAT
        for row in part.to_pylist()
    }
    # Beside the two addresses, what the connection claims of its own port.
    expected = {("10.0.0.1", None), ("10.0.0.1", 51_000), ("203.0.113.9", 40_001)}
    assert found == {
        (stage, int(bucket_of(pa.array([address]), count)[0]), address, port, "w")
        for stage in ("local", "remote")
        for address, port in expected
    }


def test_a_connection_is_a_report_in_the_bucket_of_its_local_end_unless_its_end_may_be_a_timeout():
    rows, count = batch(FLOW, [Flow(1, 9, "10.0.0.1", 51_000, "10.0.0.9", 443, local_workload="w")]), 64
    for span, expected in (("interval", ["w"]), ("start", []), ("none", [])):
        entries = list(Splitter(Settings(), buckets=count).split(FLOW, rows, span))
        reports = [entry for entry in entries if entry.content[:1] == REPORTS]
        assert [one for entry in reports for one in unpack_reports(entry.content)["workload"].to_pylist()] == expected
        assert {entry.bucket for entry in reports} <= {int(bucket_of(pa.array(["10.0.0.1"]), count)[0])}
