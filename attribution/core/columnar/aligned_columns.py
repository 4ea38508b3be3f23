"""Batches of values with several attributes: numpy columns of one length, which nobody writes to once they are made."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from attribution.core.columnar.types import Bool, Int64


@dataclass(frozen=True)
class AlignedColumns:
    """Base of frozen dataclasses whose fields are numpy columns of one length.

    A batch is built from its parts: values that are known for some rows replace these rows in a copy. Such a copy costs
    little beside the searches that fill the columns.
    """

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def take(self, rows: Int64) -> Self:
        """The values of these rows, in the order of `rows`."""
        return type(self)(*(column[rows] for column in vars(self).values()))

    def with_parts(self, *parts: tuple[Int64, Self]) -> Self:
        """A copy in which each part replaces the values of its rows.

        Args:
            parts: rows, and one value for each of them. If several parts have a row, the last part counts.
        """
        if not parts:
            return self
        columns = [column.copy() for column in vars(self).values()]
        for rows, part in parts:
            for column, values in zip(columns, vars(part).values(), strict=True):
                column[rows] = values
        return type(self)(*columns)

    def where(self, mask: Bool, other: Self) -> Self:
        """The values of `other` where the mask holds, and of this batch elsewhere."""
        both = zip(vars(self).values(), vars(other).values(), strict=True)
        return type(self)(*(np.where(mask, theirs, ours) for ours, theirs in both))
