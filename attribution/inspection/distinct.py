"""Distinct rows and how often each comes, in bounded memory: a sample of them where there are very many.

A hash decides what is kept, so that two sets can be compared that are samples. After Gibbons: "Distinct sampling for
highly-accurate answers to distinct values queries and event reports" (VLDB 2001).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded, one_array
from attribution.core.columnar.hashing import hash_rows
from attribution.core.columnar.types import Bool, Column

#: Distinct rows that are kept of one set, and batches that wait to be put together.
_LIMIT, _WAITING = 1 << 18, 64
#: What is kept of all rows that are alike: column -> how it is put together.
_TOGETHER = {"first": "min", "last": "max", "covered": "sum", "rows": "sum"}


class DistinctRows:
    """Collects the distinct rows of some columns of text.

    >>> seen = DistinctRows("address")
    >>> seen.add({"address": pa.array(["10.0.0.1", "10.0.0.2", "10.0.0.1"])})
    >>> seen.count, seen.top("address")
    (2, [('10.0.0.1', 2), ('10.0.0.2', 1)])

    Args:
        names: the columns. The values of the first are kept or left out: sets with one first column are sampled alike.
        limit: rows that are kept at the most.

    Attributes:
        scale: how many values of the first column each kept one stands for, a power of two; 1 where all are kept.
    """

    def __init__(self, *names: str, limit: int = _LIMIT) -> None:
        self._names, self._limit = names, limit
        self._schema = pa.schema([*((name, pa.string()) for name in names), *((n, pa.int64()) for n in _TOGETHER)])
        self._parts: list[pa.Table] = []
        self.scale = 1

    def add(self, columns: Mapping[str, Column], times: tuple[Column, Column] | None = None) -> None:
        """Count rows.

        Args:
            columns: text by name; other columns are ignored.
            times: starts and ends, microseconds as integers. Without them, `first`, `last` and `covered` are null.
        """
        texts = [decoded(one_array(columns[name])).cast(pa.string()) for name in self._names]
        start, end = times or (pa.nulls(len(texts[0]), pa.int64()),) * 2
        ones = pa.array(np.ones(len(texts[0]), np.int64))
        table = pa.table([*texts, start, end, pc.subtract(end, start), ones], schema=self._schema)
        self._parts.append(_merged(self._sampled(table, self.scale), self._names))
        if len(self._parts) > _WAITING or sum(part.num_rows for part in self._parts) > self._limit:
            self._compact()

    def _compact(self) -> None:
        table = _merged(pa.concat_tables(self._parts), self._names)
        # Half of the room is for what comes, so that little is put together again and again.
        while table.num_rows > self._limit // 2:
            self.scale *= 2
            table = self._sampled(table, self.scale)
        self._parts = [table]

    def _sampled(self, table: pa.Table, scale: int) -> pa.Table:
        if scale == 1:
            return table
        kept: Bool = hash_rows({"": table.column(self._names[0])}) % np.uint64(scale) == 0
        return table.filter(pa.array(kept))

    def table(self, scale: int = 1) -> pa.Table:
        """The kept rows: the columns; `first`, `last`, `covered` in microseconds; `rows`, how often the row came.

        Args:
            scale: the scale of another set with the same first column, so that the two can be compared.
        """
        if len(self._parts) > 1:
            self._parts = [_merged(pa.concat_tables(self._parts), self._names)]
        table = self._parts[0] if self._parts else self._schema.empty_table()
        return self._sampled(table, scale if scale > self.scale else 1)

    @property
    def count(self) -> int:
        """How many distinct rows there are, or about how many; a row of nulls is none."""
        table = self.table()
        there = np.zeros(table.num_rows, np.bool_)
        for name in self._names:
            there |= table.column(name).is_valid().to_numpy()
        return int(np.count_nonzero(there)) * self.scale

    def top(self, name: str) -> list[tuple[str | None, int]]:
        """The values of one column with their rows, or about so many, the most rows first."""
        table = self.table().group_by(name, use_threads=False).aggregate([("rows", "sum")])
        found = [(row[name], row["rows_sum"] * self.scale) for row in table.to_pylist()]
        return sorted(found, key=lambda pair: (-pair[1], pair[0] or ""))


def _merged(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The table with one row of those that are alike."""
    found = table.group_by(list(names), use_threads=False).aggregate(list(_TOGETHER.items()))
    together = [f"{column}_{how}" for column, how in _TOGETHER.items()]
    return found.select([*names, *together]).rename_columns([*names, *_TOGETHER])
