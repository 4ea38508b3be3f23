"""Buckets of addresses: the keys of the job's state, and the rows of a batch by bucket.

State is kept per bucket, not per address: one element is a batch of rows, and batches must stay dense.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from attribution.core.addressing.addresses import pack
from attribution.core.columnar.dictionaries import plain
from attribution.core.columnar.types import Int16, Texts

#: Odd constants of the finaliser of MurmurHash3 (Austin Appleby, public domain): every bit of the address counts.
_MIX = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_SHIFT = np.uint64(33)


def bucket_of(addresses: Texts, count: int) -> Int16:
    """The bucket of each address, 0 to `count` - 1; the same on every machine and in every version.

    Args:
        addresses: Arrow array of canonical text without nulls.
        count: number of buckets, at most 32768.
    """
    if pa.types.is_dictionary(addresses.type):
        rows = addresses.indices.to_numpy(zero_copy_only=False)
        return bucket_of(addresses.dictionary, count)[rows]
    high, low = pack(addresses)
    mixed = high * _MIX[1] ^ low
    for factor in _MIX:
        mixed ^= mixed >> _SHIFT
        mixed *= factor
    mixed ^= mixed >> _SHIFT
    return (mixed % np.uint64(count)).astype(np.int16)


def by_bucket(batch: pa.RecordBatch, address: str | Texts, count: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of a record batch by the bucket of an address, in the order of the buckets; text plain.

    Args:
        batch: the rows.
        address: the column of addresses, or its name.
        count: number of buckets.
    """
    if batch.num_rows == 0:
        return
    bucket = bucket_of(batch.column(address) if isinstance(address, str) else address, count)
    # Numbers of 16 bits are sorted by their digits, in one pass.
    order = np.argsort(bucket, kind="stable")
    bucket = bucket[order]
    batch = plain(batch.take(pa.array(order)))
    cuts = [0, *(np.flatnonzero(np.diff(bucket)) + 1).tolist(), len(bucket)]
    for begin, end in pairwise(cuts):
        yield int(bucket[begin]), batch.slice(begin, end - begin)
