"""64-bit hashes of rows and of texts: the same in every process, on every machine and in every version.

They tell rows apart that are not made to look alike. Of n distinct rows, some two share a hash with a chance of about
n² / 2⁶⁵: of 16 million rows, one in 100,000.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.arrays import text_blocks
from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Column, Int64, Texts, UInt64

#: Texts that are hashed at a time: few enough that what is made of them stays in the processor's cache.
_ROWS = 1 << 13
_WORD = 8
_HALF, _THREE = np.uint64(32), np.uint64(3)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mixed(numbers: UInt64) -> UInt64:
    """The numbers with every bit spread over all bits; distinct numbers stay distinct.

    After Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
    """
    spread = (numbers ^ (numbers >> np.uint64(30))) * _MIX_1
    spread = (spread ^ (spread >> np.uint64(27))) * _MIX_2
    return spread ^ (spread >> np.uint64(31))


def hash_rows(columns: Mapping[str, Column]) -> UInt64:
    """One hash a row; rows hash alike if they agree in every field, whatever the order of the fields.

    A field that is null adds nothing, as if there were no such field. So a field that is null in all rows costs
    nothing, and a field that is added to a record changes no hash of before.

    Args:
        columns: field -> numbers, times or text of one length, at least one field; text may be dictionary-encoded.

    >>> rows = {"port": pa.array([1, 1, None]), "name": pa.array(["a", "b", "a"])}
    >>> port, name = (hash_rows({field: column}) for field, column in rows.items())
    >>> bool(port[0] == port[1]), bool(name[0] == name[2]), len(set(hash_rows(rows).tolist()))
    (True, True, 3)
    """
    total = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for field, column in columns.items():
        if column.null_count < len(column):
            total += _numbers(column) * _factor(field)
    return mixed(total)


def _factor(field: str) -> np.uint64:
    """An odd number of a field's own: odd numbers keep distinct values distinct."""
    return np.uint64(int.from_bytes(hashlib.blake2b(field.encode(), digest_size=_WORD).digest()) | 1)


def _numbers(column: Column) -> UInt64:
    """A number for each value, 0 for null; of whole numbers that are never negative."""
    array = one_array(column)
    if pa.types.is_dictionary(array.type) or pa.types.is_string(array.type):
        return hash_texts(array)
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    if array.null_count:
        array = pc.fill_null(array, -1)
    # One more than the value: 0 is a value, too.
    numbers = array.to_numpy(zero_copy_only=False).astype(np.int64)
    numbers += 1
    return numbers.view(np.uint64)


def hash_texts(texts: Texts) -> UInt64:
    """A hash of each text, 0 for null; text of Arrow's type `string`, or a dictionary of such text."""
    array = one_array(texts)
    if isinstance(array, pa.DictionaryArray):
        codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
        return np.append(hash_texts(array.dictionary), np.uint64(0))[codes]
    there = None if not array.null_count else array.is_valid().to_numpy(zero_copy_only=False)
    if there is not None:
        array = pc.fill_null(array, "")
    hashes = np.zeros(len(array), np.uint64)
    for begin, characters, bounds in text_blocks(array, _ROWS):
        hashes[begin : begin + len(bounds) - 1] = _hash_block(characters.tobytes(), bounds)
    if there is not None:
        hashes[~there] = 0
    return hashes


def _hash_block(characters: bytes, bounds: Int64) -> UInt64:
    """Texts eight bytes at a time: the next word of all texts that are so long is taken in one step."""
    # Any place of the text may be read as a word, also one near the end.
    words = np.ndarray((len(characters) + 1,), "<u8", characters + bytes(_WORD), strides=(1,))
    place, left = bounds[:-1], np.diff(bounds)
    hashes = (left + 1).astype(np.uint64) * _GOLDEN
    rows: Int64 | slice = slice(None)
    while True:
        more = left > 0
        if not more.all():
            rows, place, left = np.arange(len(hashes))[rows][more], place[more], left[more]
        if not len(place):
            return hashes
        # The bytes of the next text are shifted out.
        beyond = (_WORD - np.minimum(left, _WORD)).astype(np.uint64)
        hashes[rows] = _next(hashes[rows], words[place] << (beyond << _THREE))
        place, left = place + _WORD, left - _WORD


def _next(hashes: UInt64, word: UInt64) -> UInt64:
    multiplied = (hashes ^ word) * _MIX_1
    return multiplied ^ (multiplied >> _HALF)
