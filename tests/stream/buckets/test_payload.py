"""Entries of the log."""

import pyarrow as pa
import pytest
from oracle import Flow, Heartbeat
from records import batch

from attribution.config import Settings
from attribution.errors import ConfigError
from attribution.records import INPUT_RECORDS
from attribution.schema import FLOW, HEARTBEAT, LABEL, OWNERSHIP_RANGE, arrow_schema
from attribution.stream.buckets import payload


@pytest.mark.parametrize("encode", [True, False])
def test_rows_come_back_as_they_were(encode):
    rows = batch(HEARTBEAT, [Heartbeat("10.0.0.1", None, "w", None, 1, 2)])
    place = rows.schema.get_field_index("workload")
    given = rows.set_column(place, "workload", rows.column("workload").dictionary_encode()) if encode else rows
    kind, found = payload.unpack_rows(payload.pack_rows(HEARTBEAT, given))
    assert kind == HEARTBEAT
    assert found.to_pylist() == rows.to_pylist()


def test_every_kind_has_a_tag_of_its_own():
    tags = {}
    for kind in set(INPUT_RECORDS) - {LABEL}:
        entry = payload.pack_rows(kind, pa.RecordBatch.from_pylist([], schema=arrow_schema(kind)))
        tags[entry[:1]] = payload.kind_of(entry)
        assert payload.unpack_rows(entry)[0] == kind
    assert set(tags.values()) == set(INPUT_RECORDS) - {LABEL}
    others = {payload.WATERMARK, payload.SNAPSHOT, payload.POSTPONED, payload.TIME, payload.CROSSING}
    assert not set(tags) & (others | {payload.ANSWERS, payload.OPEN, payload.DONE})


def test_a_slice_takes_only_its_own_bytes_along():
    rows = batch(FLOW, [Flow(0, n, "10.0.0.1", 1, "10.0.0.2", 2) for n in range(10_000)])
    few = payload.pack_rows(FLOW, batch(FLOW, [Flow(0, 1, "10.0.0.1", 1, "10.0.0.2", 2)] * 10))
    assert len(payload.pack_rows(FLOW, rows.slice(5000, 10))) < 1.1 * len(few)


@pytest.mark.parametrize("size", [1, 10_000])
def test_packed_flows_tell_their_times_and_unfold_to_what_they_were(size):
    rows = batch(FLOW, [Flow(n, 2 * n, "10.0.0.1", 1, "10.0.0.2", 2) for n in range(size)])
    packed = payload.PackedFlows(payload.pack_rows(FLOW, rows), Settings())
    start, end = packed.times()
    assert (start.tolist(), end.tolist()) == ([*range(size)], [*range(0, 2 * size, 2)])
    assert packed.unfold().equals(rows)


def test_many_rows_take_less_than_half_of_their_size():
    rows = batch(FLOW, [Flow(n, 2 * n, f"10.0.0.{n % 200}", n, "10.0.0.2", 2) for n in range(10_000)])
    assert len(payload.pack_rows(FLOW, rows)) < rows.nbytes / 2


def test_many_rows_are_packed_in_several_entries_in_their_order():
    rows = batch(FLOW, [Flow(0, n, "10.0.0.1", 1, "10.0.0.2", 2) for n in range(100_000)])
    entries = list(payload.pack_pieces(FLOW, rows))
    assert len(entries) > 1
    parts = [payload.unpack_rows(entry)[1] for entry in entries]
    assert max(part.nbytes for part in parts) <= 5 << 20
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([rows]))


def test_of_no_rows_there_is_no_entry():
    assert list(payload.pack_pieces(FLOW, batch(FLOW, []))) == []


@pytest.mark.parametrize("moment", [0, -5, 1 << 61, -(1 << 61)])
@pytest.mark.parametrize("pack", [payload.pack_watermark, payload.pack_time])
def test_a_moment_comes_back(pack, moment):
    assert payload.unpack_moment(pack(moment)) == moment


@pytest.mark.parametrize("closed_before", [None, 17])
def test_a_snapshot_comes_back(closed_before):
    ranges = arrow_schema(OWNERSHIP_RANGE).empty_table()
    entry = payload.pack_snapshot(b"state", ranges, closed_before)
    state, (found, closed) = payload.unpack_snapshot(entry)
    assert (state, closed) == (b"state", closed_before)
    assert found.schema == ranges.schema


def test_a_snapshot_of_a_later_version_is_refused():
    entry = payload.pack_snapshot(b"", arrow_schema(OWNERSHIP_RANGE).empty_table(), None)
    later = entry[:1] + bytes([payload.VERSION + 1]) + entry[2:]
    with pytest.raises(ConfigError, match=f"version {payload.VERSION + 1}"):
        payload.unpack_snapshot(later)
