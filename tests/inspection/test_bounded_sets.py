"""The sets of an inspection hold what was added, exactly if it is little, and about if it is much."""

import doctest
from collections import Counter
from importlib import import_module

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.inspection.busy_times import BusyTimes
from attribution.inspection.distinct import DistinctRows

SECOND, MINUTE = 1_000_000, 60_000_000


@pytest.mark.parametrize("module", ["inspection.distinct", "sources.inputs", "sources.records.wanted"])
def test_worked_examples_are_true(module):
    found = doctest.testmod(import_module(f"attribution.{module}"))
    assert (found.failed, found.attempted > 0) == (0, True)


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", None])), max_size=30)


@given(batches=st.lists(ROWS, max_size=4))
def test_few_rows_are_counted_as_they_are(batches):
    seen, expected = DistinctRows("address", "network", limit=8), Counter()
    for rows in batches:
        addresses, networks = ([row[at] for row in rows] for at in (0, 1))
        seen.add({"address": pa.array(addresses, pa.string()), "network": pa.array(networks, pa.string())})
        expected.update(rows)
    if seen.scale == 1:
        found = {(row["address"], row["network"]): row["rows"] for row in seen.table().to_pylist()}
        assert found == expected
        assert seen.count == len(expected)


def test_many_rows_are_estimated_in_bounded_memory_and_two_sets_are_sampled_alike():
    one, other = DistinctRows("address", limit=4096), DistinctRows("address", limit=1024)
    addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(50_000)]
    for begin in range(0, 50_000, 5_000):
        one.add({"address": pa.array(addresses[begin : begin + 5_000])})
        other.add({"address": pa.array(addresses[: begin + 5_000 : 10])})
    assert one.table().num_rows <= 4096 + 5_000
    assert one.count == pytest.approx(50_000, rel=0.1)
    assert other.count == pytest.approx(5_000, rel=0.2)
    scale = max(one.scale, other.scale)
    mine, theirs = (set(seen.table(scale).column("address").to_pylist()) for seen in (one, other))
    assert theirs <= mine
    assert len(theirs) * scale == pytest.approx(5_000, rel=0.2)


def test_gaps_are_far_longer_than_usual():
    busy = BusyTimes()
    busy.add(np.array([minute * MINUTE for minute in range(100) if not 40 <= minute < 70], np.int64))
    assert busy.gaps() == [(39 * MINUTE + SECOND, 70 * MINUTE)]
    assert busy.share_outside(0, 39 * MINUTE) == pytest.approx(30 / 70)


def test_rare_flows_are_no_gaps():
    busy = BusyTimes()
    busy.add(np.arange(0, 30, dtype=np.int64) * 60 * MINUTE)
    assert busy.gaps() == []


def test_times_far_apart_take_no_more_memory_and_the_gap_is_found():
    busy = BusyTimes()
    for begin in (0, 10**14):
        for part in range(4):
            busy.add(begin + (np.arange(50_000, dtype=np.int64) + part * 50_000) * SECOND)
    assert len(busy._busy) <= 1 << 16
    assert (busy.first, busy.last) == (0, 10**14 + 199_999 * SECOND)
    ((begin, end),) = busy.gaps()
    assert begin == pytest.approx(200_000 * SECOND, abs=16 * SECOND)
    assert end == pytest.approx(10**14, abs=16 * SECOND)
