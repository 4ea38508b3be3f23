"""Entries of the log."""

import pytest
from oracle import Flow, Heartbeat
from records import batch

from attribution.errors import ConfigError
from attribution.flink import payload
from attribution.schema import FLOW, HEARTBEAT, OWNERSHIP_RANGE, arrow_schema


@pytest.mark.parametrize("encode", [True, False])
def test_rows_come_back_as_they_were(encode):
    rows = batch(HEARTBEAT, [Heartbeat("10.0.0.1", None, "w", None, 1, 2)])
    place = rows.schema.get_field_index("workload")
    given = rows.set_column(place, "workload", rows.column("workload").dictionary_encode()) if encode else rows
    kind, found = payload.unpack_rows(payload.pack_rows(HEARTBEAT, given))
    assert kind == HEARTBEAT
    assert found.to_pylist() == rows.to_pylist()


def test_a_slice_takes_only_its_own_bytes_along():
    rows = batch(FLOW, [Flow(0, n, "10.0.0.1", 1, "10.0.0.2", 2) for n in range(10_000)])
    assert len(payload.pack_rows(FLOW, rows.slice(5000, 10))) < len(payload.pack_rows(FLOW, rows)) / 50


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
