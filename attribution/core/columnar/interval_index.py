"""All that touches an interval: which of the many intervals of a key do, how many, and where they are few, which.

Example: name 0 holds key 0 from 0 to 10 µs, name 1 from 5 to 20 µs, and name 0 again from 30 to 40 µs.

>>> index = IntervalIndex.of(
...     key=np.array([0, 0, 0]),
...     name=np.array([0, 1, 0], np.int32),
...     start=np.array([0, 5, 30]),
...     end=np.array([10, 20, 40]),
... )
>>> row = np.arange(3)  # three rows ask for key 0 from 8 to 9 µs, from 12 to 30 µs, and at 25 µs
>>> found = index.touching(row, np.zeros(3, np.int64), np.array([8, 12, 25]), np.array([9, 30, 25]), rows=3)
>>> found.count.tolist()
[2, 2, 0]
>>> [*zip(found.row.tolist(), found.name.tolist())]
[(0, 0), (0, 1), (1, 1), (1, 0)]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attribution.core.columnar.arrays import (
    NONE,
    joined_intervals,
    last_at_or_before,
    numbers_between,
    order_by,
    starts_of_runs,
)
from attribution.core.columnar.types import Int32, Int64

#: Candidates of a row that are listed; of more candidates only the number is known.
LISTED = 16
#: Intervals under one node of the tree, as a power of 2.
_FAN = 4


@dataclass(frozen=True)
class Candidates:
    """The names that each row of a batch may have.

    Attributes:
        count: how many candidates each row has. Where there are more than `LISTED`, a name counts once for each look-up
            and interval that gave it.
        row: a row, for each candidate of the rows that have `LISTED` candidates or fewer; in order.
        name: the candidate, a number.
    """

    count: Int32
    row: Int64
    name: Int32

    @classmethod
    def united(cls, parts: "Sequence[Candidates]", rows: int) -> "Candidates":
        """The candidates of several look-ups of the same rows, ordered by row and name."""
        total = sum((part.count for part in parts), np.zeros(rows, np.int32))
        row = np.concatenate([np.zeros(0, np.int64), *(part.row for part in parts)])
        name = np.concatenate([np.zeros(0, np.int32), *(part.name for part in parts)])
        few = np.flatnonzero(total[row] <= LISTED)
        few = few[order_by(row[few], name[few])]
        row, name = row[few], name[few]
        first = starts_of_runs(row, name)
        row, name = row[first], name[first]
        listed = np.bincount(row, minlength=rows).astype(np.int32)
        return cls(np.where(total <= LISTED, listed, total), row, name)

    @cached_property
    def only(self) -> Int32:
        """The candidate of each row that has one; `NONE` where a row has no candidate, or several."""
        found = np.full(len(self.count), NONE)
        alone = self.count[self.row] == 1
        found[self.row[alone]] = self.name[alone]
        return found


@dataclass(frozen=True)
class IntervalIndex:
    """Intervals of names on keys, ordered by key and start; the intervals of one name on one key are disjoint.

    Attributes:
        offset: first interval of each key, and one past the end.
        start: first moment, µs.
        end: last moment, µs.
        name: the name that holds the key.
        ends: the ends of each key's intervals, in order.
    """

    offset: Int64
    start: Int64
    end: Int64
    name: Int32
    ends: Int64

    @classmethod
    def of(cls, key: Int64, name: Int32, start: Int64, end: Int64) -> "IntervalIndex":
        """Intervals of keys from 0 on, in any order; intervals of one name on one key are joined where they touch."""
        order = order_by(key, name, start)
        key, name, start, end = key[order], name[order], start[order], end[order]
        first = starts_of_runs(key, name) if len(key) else np.zeros(0, np.bool_)
        begin, end = joined_intervals(first, start, end)
        key, name, start = key[begin], name[begin], start[begin]
        by_start = order_by(key, start)
        offset = np.searchsorted(key, np.arange(int(key[-1]) + 2 if len(key) else 1))
        return cls(offset, start[by_start], end[by_start], name[by_start], end[order_by(key, end)])

    def longer(self, more: int) -> "IntervalIndex":
        """The intervals when each lasts `more` µs longer."""
        key = np.repeat(np.arange(len(self.offset) - 1), np.diff(self.offset))
        return IntervalIndex.of(key, self.name, self.start, self.end + more)

    def touching(self, row: Int64, key: Int64, a: Int64, b: Int64, *, rows: int) -> Candidates:
        """The names whose intervals touch [a, b], as candidates of `rows` rows.

        Args:
            row: the row that asks each question.
            key: the key that it asks for.
            a: start of the asked interval, µs.
            b: end of the asked interval, µs.
            rows: how many rows there are.
        """
        low, length = self.offset[key], self.offset[key + 1] - self.offset[key]
        begun = low + _up_to(self.start, low, length, b)
        count = begun - low - _up_to(self.ends, low, length, a - 1)
        few = np.flatnonzero((count > 0) & (count <= LISTED))
        question, at = self._ending_from(low[few], begun[few], a[few])
        total = np.bincount(row, weights=count, minlength=rows).astype(np.int32)
        return Candidates(total, row[few][question], self.name[at])

    def _ending_from(self, low: Int64, high: Int64, a: Int64) -> tuple[Int64, Int64]:
        """The intervals in each [low, high) that end at `a` or later: number of the question, place of the interval.

        A tree over the ends passes over blocks of intervals that all ended before, and over blocks of such blocks.
        """
        top = _FAN * (len(self._latest) - 1)
        question, at = numbers_between(low >> top, ((high - 1) >> top) + 1)
        for level in range(len(self._latest) - 1, -1, -1):
            kept = self._latest[level][at] >= a[question]
            question, at = question[kept], at[kept]
            if level:
                shift = _FAN * (level - 1)
                first = np.maximum(at << _FAN, low[question] >> shift)
                last = np.minimum(((at + 1) << _FAN) - 1, (high[question] - 1) >> shift)
                inside, at = numbers_between(first, last + 1)
                question = question[inside]
        return question, at

    @cached_property
    def _latest(self) -> list[Int64]:
        """The latest end in each block of intervals: of 1, of 16, of 256, and so on."""
        levels = [self.end]
        while len(levels[-1]) > 1 << _FAN:
            below = levels[-1]
            levels.append(np.maximum.reduceat(below, np.arange(0, len(below), 1 << _FAN)))
        return levels


def _up_to(times: Int64, low: Int64, length: Int64, asked: Int64) -> Int64:
    """How many times in each [low, low + length) are `asked` or before; the times there are in order, one or more."""
    at = last_at_or_before(times, low, length, asked)
    return at - low + (times[at] <= asked)
