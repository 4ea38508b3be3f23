"""The keys of buckets: even on workers, and for ever the same."""

import numpy as np
import pytest

from attribution.stream.buckets.placement import MAX_PARALLELISM, bucket_keys, key_groups

PARALLELISMS = (*range(1, 17), 32, 64)


@pytest.mark.parametrize("buckets", [1, 2, 3, 16, 64, 100, 1000, 1024, 1700, 6700, 32768])
def test_buckets_fall_evenly_on_workers_whatever_the_parallelism(buckets):
    keys = bucket_keys(buckets)
    assert len(set(keys)) == buckets
    groups = key_groups(np.array(keys, np.uint32))
    for parallelism in PARALLELISMS:
        # As Flink's `computeOperatorIndexForKeyGroup` has it.
        loads = np.bincount(groups * parallelism // MAX_PARALLELISM, minlength=parallelism)
        # Key groups are not divided: with more buckets than half of them, a group more is two buckets and more.
        allowed = 1 if buckets <= MAX_PARALLELISM // 2 else 1 + -(-buckets // MAX_PARALLELISM)
        assert loads.max() - loads.min() <= allowed, (parallelism, loads)


def test_neighbours_stay_together_so_that_no_key_moves_but_those_at_the_ends_of_shares():
    groups = key_groups(np.array(bucket_keys(1000), np.uint32))
    assert (np.diff(groups) >= 0).all()


def test_keys_are_for_ever_the_same():
    """State is laid out by them: a change here would lose what a savepoint holds."""
    assert bucket_keys(1) == (2278,)
    assert bucket_keys(16) == (459, 696, 479, 113, 465, 1094, 1253, 1951, 1466, 2919, 48, 1477, 210, 1553, 13, 1150)
    assert sum(bucket_keys(32768)) == 554_674_973
