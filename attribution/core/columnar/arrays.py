"""Small columnar primitives that the core is written in: grouped scans, (group, time) order, dictionaries.

Everything works on whole numpy arrays. `group` always means dense, non-negative integers.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import encode as dictionary_of
from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Float64, Int32, Int64, Ints, UInt8

#: Before and after every time; far enough inside int64 that a few durations may be added.
NEVER_BEFORE = -(1 << 61)
NEVER_AFTER = 1 << 61

_INT64_BITS = 63


def order_by(*columns: Ints) -> Int64:
    """Row order by integer columns, the first of them foremost; ties in any order.

    The columns are combined into one number for each row, which is sorted once. Where that does not fit 63 bits, the
    rows are sorted by what is combined so far, and its ranks take its place: the next sort then finds them nearly in
    order. `np.lexsort` begins with the last column, and so takes apart what was in order by the first.
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
    # What is stable sorts small numbers by their digits, and any others three times as slowly.
    return np.argsort(key.astype(np.uint16), kind="stable") if size <= 1 << 16 else np.argsort(key)


def _from_zero(column: Ints, size: int) -> Int64:
    """Numbers below `size` that order as the column does: the distance from its smallest value, else its ranks."""
    low = column.min()
    if int(column.max()) - int(low) < size:
        return column - np.int64(low)
    return np.unique(column, return_inverse=True)[1]


def running_max(values: Int64, group: Int64) -> Int64:
    """Largest value so far within each group; rows are ordered by group.

    Every group is lifted above the one before it, so that one plain running maximum serves all; where that would not
    fit 63 bits, ranks are lifted in place of the values.
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
    """Mask of the rows that differ from the row before in any of the columns; the first row always does."""
    first = np.ones(len(columns[0]), np.bool_)
    if len(first) > 1:
        np.not_equal(columns[0][1:], columns[0][:-1], out=first[1:])
        for column in columns[1:]:
            first[1:] |= column[1:] != column[:-1]
    return first


def joined_spans(first: Bool, start: Int64, end: Int64, *, gap: int = 0) -> tuple[Int64, Int64]:
    """Spans joined where they touch, or are at most `gap` apart, within their groups: first row and end of each run.

    Args:
        first: the first row of each group; rows are ordered by group, then by start.
        start: first moment of each span.
        end: last moment of each.
        gap: largest difference of a start and the latest end before it that is joined over.
    """
    reach = running_max(end, np.cumsum(first) - 1)
    begin = first.copy()
    begin[1:] |= start[1:] > reach[:-1] + gap
    at = np.flatnonzero(begin)
    return at, reach[np.append(at[1:], len(start)) - 1] if len(start) else reach


def last_at_or_before(times: Int64, low: Int64, length: Int64, asked: Int64) -> Int64:
    """Binary search in many slices at once: the last position in [low, low + length) whose time is <= asked."""
    for _ in range((int(length.max(initial=1)) - 1).bit_length()):
        half = length >> 1
        low = low + half * (times.take(low + half) <= asked)
        length = length - half
    return low


def next_start(first: Bool, length: int) -> Int64:
    """For each row the position of the next run's start; `length` where there is none. `first` marks the starts."""
    positions = np.append(np.flatnonzero(first), length)
    return positions[np.cumsum(first)]


def alike_rows(table: Any) -> Int64:
    """A number for each row, alike for those that agree in all columns; Arrow's own grouping wants aligned buffers."""
    number = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        codes = pc.fill_null(pc.dictionary_encode(one_array(column)).indices, -1).to_numpy()
        _, number = np.unique(number * (table.num_rows + 1) + codes, return_inverse=True)
    return number


def spread(rows: Int64, size: int) -> Any:
    """Where each of `size` rows finds its answer among those of `rows`, for Arrow's `take`; null where it has none."""
    place = np.full(size, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return pa.array(place, mask=place < 0)


def encode(column: Any) -> tuple[Int32, Any]:
    """Codes and distinct values of a text column: (int32 codes with -1 for null, Arrow string array)."""
    column = dictionary_of(column)
    codes = column.indices
    if codes.null_count:
        codes = pc.fill_null(codes, -1)
    return codes.to_numpy(zero_copy_only=False), column.dictionary


def recode(codes: Int32, table: Int32) -> Int32:
    """`table[codes]` in which the code -1 stays -1."""
    return np.append(table, np.int32(-1))[codes]


def find(values: Any, known: Any) -> Int32:
    """Position of each text value among the `known` ones, -1 where it is none of them."""
    if len(known) == 0:
        return np.full(len(values), -1, np.int32)
    found = pc.fill_null(pc.index_in(values, value_set=known), -1)
    return found.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)


def microseconds(column: Any) -> Int64:
    """A timestamp column without nulls as int64 microseconds, without a copy where it is contiguous."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    # A view: a cast costs more than all else where batches are small.
    return column.view(pa.int64()).to_numpy(zero_copy_only=False)


def is_value(texts: Any, value: Any) -> Any:
    """Arrow mask of the rows that hold the text scalar `value`; null is none."""
    if isinstance(texts, pa.DictionaryArray):
        matches = pc.fill_null(pc.equal(texts.dictionary, value), False)
        return pc.fill_null(matches.take(texts.indices), False)
    return pc.fill_null(pc.equal(texts, value), False)


def text_blocks(texts: Any, rows: int) -> Iterator[tuple[int, UInt8, Int64]]:
    """The bytes of a plain text column without nulls, some rows at a time.

    Yields:
        The first row, the bytes of all texts from it on, and where each begins among them, with one past the end.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4) if len(texts) else np.zeros(1, np.int32)
    characters = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    for begin in range(0, len(texts), rows):
        some = bounds[begin : begin + rows + 1].astype(np.int64)
        yield begin, characters[some[0] : some[-1]], some - some[0]


def floats(column: Any, *, null: float) -> Float64:
    """A nullable column of floats with `null` in the place of nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return pc.fill_null(column, null).to_numpy(zero_copy_only=False)


def integers(column: Any, *, null: int) -> Int32:
    """A nullable integer column as int32 with `null` in the place of nulls."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        column = pc.fill_null(column.cast(pa.int32()), null)
    return column.cast(pa.int32()).to_numpy(zero_copy_only=False)
