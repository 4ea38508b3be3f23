"""Batches of values with several attributes: numpy columns of one length, which nobody writes to once they are made."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from attribution.core.columnar.types import Bool, Int64


@dataclass(frozen=True)
class AlignedColumns:
    """Base of frozen dataclasses whose fields are numpy columns of one length.

    A batch is built from its parts: values that are known for some rows replace these rows in a copy. Such a copy costs
    little beside the searches that fill the columns.
    """

    def __len__(self) -> int:
        return len(self._columns()[0])

    def take(self, rows: Int64) -> Self:
        """The values of these rows, in the order of `rows`."""
        return type(self)(*(column[rows] for column in self._columns()))

    def with_rows(self, rows: Int64, part: Self) -> Self:
        """A copy in which `part`, one value for each of `rows`, replaces the values of these rows."""
        columns = [column.copy() for column in self._columns()]
        for column, values in zip(columns, part._columns(), strict=True):
            column[rows] = values
        return type(self)(*columns)

    def where(self, mask: Bool, other: Self) -> Self:
        """The values of `other` where the mask holds, and of this batch elsewhere."""
        both = zip(self._columns(), other._columns(), strict=True)
        return type(self)(*(np.where(mask, theirs, ours) for ours, theirs in both))

    def _columns(self) -> list[npt.NDArray[Any]]:
        return [getattr(self, field.name) for field in fields(self)]
