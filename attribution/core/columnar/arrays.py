"""Small operations on whole columns, in which the core is written: sorting, scans within groups, searches, text codes.

A `group` is always a dense, non-negative number. Rows that belong to one group stand together.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import dictionary_encoded, one_array
from attribution.core.columnar.types import Bool, Column, Float64, Int32, Int64, Ints, Texts, UInt8, UInt64

#: In the place of a number: there is none.
NONE = np.int32(-1)
#: In the place of a number: there are several, so that no single number is right.
SEVERAL = np.int32(-2)

#: Before and after every time; far enough inside int64 that a few durations may be added.
NEVER_BEFORE = -(1 << 61)
NEVER_AFTER = 1 << 61

_INT64_BITS = 63


def order_by(*columns: Ints) -> Int64:
    """Row order by integer columns, the first column foremost; equal rows in any order.

    The columns are combined into one number for each row, and these numbers are sorted once. If such a number would not
    fit 63 bits, the rows are sorted by the columns combined so far, and ranks take the place of these columns. The next
    sort then finds the rows nearly in order. (`np.lexsort` begins with the last column, and so destroys the order
    that the first column may have had.)
    """
    rows = len(columns[0])
    if rows == 0:
        return np.zeros(0, np.int64)
    key, *others = (_from_zero(column, (1 << _INT64_BITS) // rows) for column in columns)
    size = int(key.max()) + 1
    for number, column in enumerate(others):
        span = int(column.max()) + 1
        if size * span >= 1 << _INT64_BITS:
            order = np.argsort(key)
            rank = np.cumsum(starts_of_runs(key[order])) - 1
            return order[order_by(rank, *(other[order] for other in others[number:]))]
        key = key * np.int64(span) + column
        size *= span
    # The stable sort orders small numbers by their digits. For larger numbers it takes three times as long.
    return np.argsort(key.astype(np.uint16), kind="stable") if size <= 1 << 16 else np.argsort(key)


def _from_zero(column: Ints, size: int) -> Int64:
    """Numbers below `size` in the order of the column: distances from its smallest value, else ranks."""
    low = column.min()
    if int(column.max()) - int(low) < size:
        return column - np.int64(low)
    return np.unique(column, return_inverse=True)[1]


def running_max(values: Int64, group: Int64) -> Int64:
    """Largest value so far within each group; rows are ordered by group.

    Every group is lifted above the group before it, so that one plain running maximum serves all groups. If the lifted
    values would not fit 63 bits, the ranks of the values are lifted in their place.

    >>> running_max(np.array([5, 3, 8, 1, 2, 1]), np.array([0, 0, 0, 1, 1, 1]))
    array([5, 5, 8, 1, 2, 2])
    """
    if len(values) == 0:
        return values.copy()
    low = int(values.min())
    span = int(values.max()) - low + 1
    groups = int(group[-1]) + 1
    if groups * span < 1 << _INT64_BITS:
        lift = group * np.int64(span)
        return np.maximum.accumulate(values - low + lift) - lift + low
    distinct, rank = np.unique(values, return_inverse=True)
    lift = group * np.int64(len(distinct))
    return distinct[np.maximum.accumulate(rank + lift) - lift]


def starts_of_runs(*columns: npt.NDArray[Any]) -> Bool:
    """Mask of the rows that differ from the row before in any column; the first row always does.

    >>> starts_of_runs(np.array([7, 7, 7, 8]), np.array([1, 1, 2, 2]))
    array([ True, False,  True,  True])
    """
    first = np.ones(len(columns[0]), np.bool_)
    if len(first) > 1:
        np.not_equal(columns[0][1:], columns[0][:-1], out=first[1:])
        for column in columns[1:]:
            first[1:] |= column[1:] != column[:-1]
    return first


def joined_intervals(first: Bool, start: Int64, end: Int64, *, gap: int = 0) -> tuple[Int64, Int64]:
    """Closed intervals, joined within each group where they touch or are at most `gap` apart.

    Args:
        first: the first row of each group; rows are ordered by group, then by start.
        start: first moment of each interval.
        end: last moment of each interval.
        gap: largest difference of a start and the latest end before it that is joined over.

    Returns:
        For each joined interval the row in which it starts, and its end.

    >>> one_group = np.array([True, False, False])
    >>> joined_intervals(one_group, np.array([0, 5, 20]), np.array([9, 6, 30]))
    (array([0, 2]), array([ 9, 30]))
    """
    reach = running_max(end, np.cumsum(first) - 1)
    begin = first.copy()
    begin[1:] |= start[1:] > reach[:-1] + gap
    at = np.flatnonzero(begin)
    return at, reach[np.append(at[1:], len(start)) - 1] if len(start) else reach


def last_at_or_before(times: Int64 | UInt64, low: Int64, length: Int64, asked: Int64 | UInt64) -> Int64:
    """Binary search in many slices at once: the last position in [low, low + length) whose time is <= asked.

    Where every time of a slice is later, the position is `low`.

    >>> times = np.array([10, 20, 30, 5, 6])
    >>> last_at_or_before(times, np.array([0, 3]), np.array([3, 2]), np.array([25, 6]))
    array([1, 4])
    """
    for _ in range((int(length.max(initial=1)) - 1).bit_length()):
        half = length >> 1
        low = low + half * (times.take(low + half) <= asked)
        length = length - half
    return low


def is_among(values: UInt64, known: UInt64) -> Bool:
    """Whether each value is one of the known values, which are sorted.

    >>> is_among(np.array([7, 3], np.uint64), np.array([1, 3, 5], np.uint64))
    array([False,  True])
    """
    if len(known) == 0:
        return np.zeros(len(values), np.bool_)
    return np.asarray(known.take(np.searchsorted(known, values), mode="clip") == values)


def next_start(first: Bool, length: int) -> Int64:
    """For each row the position of the next run's start; `length` where there is none. `first` marks the starts.

    >>> next_start(np.array([True, False, True, True]), 4)
    array([2, 2, 3, 4])
    """
    positions = np.append(np.flatnonzero(first), length)
    return positions[np.cumsum(first)]


def numbers_between(first: Int64, stop: Int64) -> tuple[Int64, Int64]:
    """Every number of many intervals [first, stop), interval by interval: the interval of each, and the number.

    >>> numbers_between(np.array([3, 7]), np.array([5, 8]))
    (array([0, 0, 1]), array([3, 4, 7]))
    """
    count = stop - first
    before = np.cumsum(count) - count
    return np.repeat(np.arange(len(count)), count), np.arange(int(count.sum())) + np.repeat(first - before, count)


def alike_rows(table: pa.Table) -> Int64:
    """A number for each row, equal for rows that agree in all columns.

    Arrow's own grouping would want aligned buffers.
    """
    number = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        codes = pc.fill_null(pc.dictionary_encode(one_array(column)).indices, -1).to_numpy()
        _, number = np.unique(number * (table.num_rows + 1) + codes, return_inverse=True)
    return number


def spread(rows: Int64, size: int) -> pa.Int64Array:
    """Where each of `size` rows finds its answer among the answers of `rows`, for Arrow's `take`; null without one."""
    place = np.full(size, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return pa.array(place, mask=place < 0)


def encode(column: Texts) -> tuple[Int32, pa.StringArray]:
    """Codes and distinct values of a text column; the code of null is `NONE`."""
    encoded = dictionary_encoded(column)
    codes = encoded.indices
    if codes.null_count:
        codes = pc.fill_null(codes, -1)
    return codes.to_numpy(zero_copy_only=False), encoded.dictionary


def recode(codes: Int32, table: Int32) -> Int32:
    """`table[codes]` in which the code `NONE` stays `NONE`."""
    return np.append(table, NONE)[codes]


def find(values: pa.Array, known: pa.Array) -> Int32:
    """Position of each text value among the `known` ones; `NONE` where it is not known."""
    if len(known) == 0:
        return np.full(len(values), NONE)
    found = pc.fill_null(pc.index_in(values, value_set=known), -1)
    return found.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)


def microseconds(column: Column) -> Int64:
    """A timestamp column without nulls as int64 microseconds, without a copy where it is contiguous."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    # A view: a cast costs more than all else where batches are small.
    return column.view(pa.int64()).to_numpy(zero_copy_only=False)


def is_value(texts: pa.Array, value: pa.StringScalar) -> pa.BooleanArray:
    """Mask of the rows that hold the text `value`; a null does not."""
    if isinstance(texts, pa.DictionaryArray):
        matches = pc.fill_null(pc.equal(texts.dictionary, value), False)
        return pc.fill_null(matches.take(texts.indices), False)
    return pc.fill_null(pc.equal(texts, value), False)


def text_blocks(texts: pa.StringArray, rows: int) -> Iterator[tuple[int, UInt8, Int64]]:
    """The bytes of a plain text column without nulls, `rows` rows at a time.

    Yields:
        The first row of a block; the bytes of the block's texts, one text after the other; the place of each text among
        these bytes, and one past the end.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4) if len(texts) else np.zeros(1, np.int32)
    characters = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    for begin in range(0, len(texts), rows):
        some = bounds[begin : begin + rows + 1].astype(np.int64)
        yield begin, characters[some[0] : some[-1]], some - some[0]


def floats(column: Column, *, null: float) -> Float64:
    """A nullable column of floats with `null` in the place of nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return pc.fill_null(column, null).to_numpy(zero_copy_only=False)


def integers(column: Column, *, null: int) -> Int32:
    """A nullable integer column as int32 with `null` in the place of nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        column = pc.fill_null(column.cast(pa.int32()), null)
    return column.cast(pa.int32()).to_numpy(zero_copy_only=False)
