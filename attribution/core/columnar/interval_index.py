"""All that touches: which of the many spans of a key touch an interval, how many they are, and where few, which."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from attribution.core.columnar.arrays import joined_spans, last_at_or_before, order_by, starts_of_runs
from attribution.core.columnar.types import Int32, Int64

#: Candidates of a flow that are listed; of more only the number is known.
LISTED = 16
#: Spans under one node of the tree, as a power of 2.
_FAN = 4


@dataclass(frozen=True)
class Candidates:
    """The names that each row of a batch may have.

    Attributes:
        count: how many there are; where more than `LISTED`, each counted once for each network of clients and span.
        row: a row, for each candidate of the rows that have `LISTED` or fewer; in order.
        name: the candidate, a number; in order within a row.
    """

    count: Int32
    row: Int64
    name: Int32

    @classmethod
    def united(cls, parts: "Sequence[Candidates]", rows: int) -> "Candidates":
        """The candidates of several look-ups of the same rows."""
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
        """The one candidate of each row; -1 where there is none, or several."""
        found = np.full(len(self.count), -1, np.int32)
        alone = self.count[self.row] == 1
        found[self.row[alone]] = self.name[alone]
        return found


@dataclass(frozen=True)
class Spans:
    """Spans of names on keys, disjoint for each name of a key; by key and start.

    Attributes:
        offset: first span of each key, and one past the end.
        start: first moment, µs.
        end: last moment, µs.
        name: whose it is.
        ends: the ends of each key's spans, in order.
    """

    offset: Int64
    start: Int64
    end: Int64
    name: Int32
    ends: Int64

    @classmethod
    def of(cls, key: Int64, name: Int32, start: Int64, end: Int64) -> "Spans":
        """Spans of keys from 0 on, in any order; those of one name on one key are merged where they touch."""
        order = order_by(key, name, start)
        key, name, start, end = key[order], name[order], start[order], end[order]
        first = starts_of_runs(key, name) if len(key) else np.zeros(0, np.bool_)
        begin, end = joined_spans(first, start, end)
        key, name, start = key[begin], name[begin], start[begin]
        by_start = order_by(key, start)
        offset = np.searchsorted(key, np.arange(int(key[-1]) + 2 if len(key) else 1))
        return cls(offset, start[by_start], end[by_start], name[by_start], end[order_by(key, end)])

    def longer(self, more: int) -> "Spans":
        """The spans when each lasts so much (µs) longer."""
        key = np.repeat(np.arange(len(self.offset) - 1), np.diff(self.offset))
        return Spans.of(key, self.name, self.start, self.end + more)

    def touching(self, row: Int64, key: Int64, a: Int64, b: Int64, *, rows: int) -> Candidates:
        """The names whose spans touch intervals [a, b], as candidates of `rows` rows.

        Args:
            row: the row of each question.
            key: its key.
            a: start of its interval, µs.
            b: end of its interval, µs.
            rows: how many rows there are.
        """
        low, length = self.offset[key], self.offset[key + 1] - self.offset[key]
        begun = low + _up_to(self.start, low, length, b)
        count = begun - low - _up_to(self.ends, low, length, a - 1)
        few = np.flatnonzero((count > 0) & (count <= LISTED))
        question, at = self._open(low[few], begun[few], a[few])
        total = np.bincount(row, weights=count, minlength=rows).astype(np.int32)
        return Candidates(total, row[few][question], self.name[at])

    def _open(self, low: Int64, high: Int64, a: Int64) -> tuple[Int64, Int64]:
        """The spans in each [low, high) that end at `a` or later: number of the question, and place of the span.

        Blocks of spans, and blocks of these, that all ended before are passed over.
        """
        question = np.arange(len(low))
        first, last = low >> (_FAN * (len(self._latest) - 1)), (high - 1) >> (_FAN * (len(self._latest) - 1))
        question, at = _each(question, first, last)
        for level in range(len(self._latest) - 1, -1, -1):
            kept = self._latest[level][at] >= a[question]
            question, at = question[kept], at[kept]
            if level:
                shift = _FAN * (level - 1)
                first = np.maximum(at << _FAN, low[question] >> shift)
                last = np.minimum(((at + 1) << _FAN) - 1, (high[question] - 1) >> shift)
                inside, at = _each(np.arange(len(question)), first, last)
                question = question[inside]
        return question, at

    @cached_property
    def _latest(self) -> list[Int64]:
        """The latest end in each block of spans: of one, of 16, of 256, and so on."""
        levels = [self.end]
        while len(levels[-1]) > 1 << _FAN:
            below = levels[-1]
            levels.append(np.maximum.reduceat(below, np.arange(0, len(below), 1 << _FAN)))
        return levels


def _up_to(times: Int64, low: Int64, length: Int64, asked: Int64) -> Int64:
    """How many of the times in each [low, low + length), which are in order and not none, are `asked` or before."""
    at = last_at_or_before(times, low, length, asked)
    return at - low + (times[at] <= asked)


def _each(question: Int64, first: Int64, last: Int64) -> tuple[Int64, Int64]:
    """Every number from `first` to `last` of each question, with the question."""
    count = last - first + 1
    before = np.cumsum(count) - count
    return np.repeat(question, count), np.arange(int(count.sum())) + np.repeat(first - before, count)
