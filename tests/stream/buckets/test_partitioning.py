"""Buckets of addresses."""

import numpy as np
import pyarrow as pa
import pytest
from oracle import Heartbeat
from records import batch

from attribution.schema import HEARTBEAT
from attribution.stream.buckets.partitioning import bucket_of, by_bucket


def test_the_bucket_of_an_address_never_changes():
    """State is laid out by it: a change here would lose what a savepoint holds."""
    addresses = pa.array(["10.0.0.1", "10.0.0.2", "192.0.2.255", "2001:db8::1", "::1"])
    assert bucket_of(addresses, 128).tolist() == [109, 120, 86, 13, 44]


@pytest.mark.parametrize("count", [2, 16, 100])
def test_neighbouring_addresses_spread_evenly(count):
    addresses = pa.array([f"10.1.{i >> 8}.{i & 255}" for i in range(20_000)])
    sizes = np.bincount(bucket_of(addresses, count), minlength=count)
    assert sizes.min() > 0.7 * 20_000 / count
    assert sizes.max() < 1.3 * 20_000 / count


def test_text_with_and_without_a_dictionary_falls_alike():
    addresses = pa.array(["10.0.0.1", "2001:db8::1", "10.0.0.1"])
    assert bucket_of(addresses, 7).tolist() == bucket_of(addresses.dictionary_encode(), 7).tolist()


def test_every_row_goes_to_one_bucket_in_its_order():
    rows = batch(HEARTBEAT, [Heartbeat(f"10.0.0.{n % 9}", None, str(n), None, n, n) for n in range(100)])
    split = list(by_bucket(rows, "address", 4))
    assert [number for number, _ in split] == sorted({number for number, _ in split})
    found = [workload for _, part in split for workload in part.column("workload").to_pylist()]
    assert sorted(found, key=int) == [str(n) for n in range(100)]
    for number, part in split:
        assert set(bucket_of(part.column("address"), 4).tolist()) == {number}
        numbers = [int(workload) for workload in part.column("workload").to_pylist()]
        assert numbers == sorted(numbers)


def test_no_rows_make_no_parts():
    assert list(by_bucket(batch(HEARTBEAT, []), "address", 4)) == []
