"""What heartbeats say to a batch of questions."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import NONE
from attribution.core.columnar.types import Int32, Int64, UInt8


@dataclass(frozen=True)
class OwnerAnswers(AlignedColumns):
    """For each question the ownership range that answers it, and why.

    Attributes:
        range: number of the range; `NONE` where no range answers.
        reason: code of the reason (`reasons.CODES`).
        distance: µs between the flow's start and the nearest piece; 0 where no range answers.
    """

    range: Int32
    reason: UInt8
    distance: Int64

    @classmethod
    def unnamed(cls, reason: UInt8) -> Self:
        """Answers that name nobody, for these reasons."""
        return cls(np.full(len(reason), NONE), reason, np.zeros(len(reason), np.int64))
