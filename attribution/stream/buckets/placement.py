"""The keys under which Flink keeps the buckets: chosen so that the buckets fall evenly on workers.

Flink puts a key into one of `MAX_PARALLELISM` key groups by a hash, and gives each worker a run of key groups. Numbers
of buckets as keys would fall as the hash has it: of 16 buckets, 11 on one worker and 5 on the other.

Example: four buckets, each in the middle of a quarter of the key groups.

>>> key_groups(np.array(bucket_keys(4), np.uint32)).tolist()
[128, 384, 640, 896]
"""

from functools import cache
from typing import Final

import numpy as np

from attribution.core.columnar.types import Int64, UInt32

#: Number of key groups; no operator can have a higher parallelism. Part of the state's layout.
MAX_PARALLELISM: Final = 1024

#: What a row of one number has as hash in Flink, less the number.
_ROW = np.uint32(62)
#: Constants of MurmurHash3 for 32 bits (Austin Appleby, public domain), as Flink's `MathUtils.murmurHash` has them.
_BLOCK = (np.uint32(0xCC9E2D51), np.uint32(0x1B873593))
_FINAL = (np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35))
_ADDED = np.uint32(0xE6546B64)


def key_groups(keys: UInt32, count: int = MAX_PARALLELISM) -> Int64:
    """The key group of each key, a row of one number, as Flink's `KeyGroupRangeAssignment` finds it.

    Args:
        keys: numbers from 0 on.
        count: number of key groups.
    """
    mixed = _rotated((keys + _ROW) * _BLOCK[0], 15) * _BLOCK[1]
    mixed = _rotated(mixed, 13) * np.uint32(5) + _ADDED
    mixed ^= np.uint32(4)  # the number of bytes
    mixed = (mixed ^ (mixed >> np.uint32(16))) * _FINAL[0]
    mixed = (mixed ^ (mixed >> np.uint32(13))) * _FINAL[1]
    mixed ^= mixed >> np.uint32(16)
    # Flink takes 0 for the least number, whose sign cannot be turned; the remainder of either by a power of two is 0.
    return np.abs(mixed.view(np.int32).astype(np.int64)) % count


def _rotated(number: UInt32, bits: int) -> UInt32:
    return (number << np.uint32(bits)) | (number >> np.uint32(32 - bits))


@cache
def bucket_keys(buckets: int) -> tuple[int, ...]:
    """The key of each bucket, the same on every machine and in every version: the state is laid out by it.

    Each bucket is in the key group in the middle of its share of all key groups. So workers have as many buckets each,
    or one more, whatever the parallelism. (With more than 512 buckets: or one key group's more.)

    Args:
        buckets: how many there are.
    """
    wanted = (2 * np.arange(buckets) + 1) * MAX_PARALLELISM // (2 * buckets)
    size = MAX_PARALLELISM
    while True:
        size *= 2
        group = key_groups(np.arange(size, dtype=np.uint32))
        if (np.bincount(group, minlength=MAX_PARALLELISM) >= np.bincount(wanted, minlength=MAX_PARALLELISM)).all():
            break
    # The smallest numbers of each group, in their order. Buckets of one group follow each other.
    order = np.argsort(group, kind="stable")
    first_key = np.searchsorted(group[order], wanted)
    among = np.arange(buckets) - np.searchsorted(wanted, wanted)
    return tuple(order[first_key + among].tolist())
