"""The answers for one side of a batch of flows, and the columns of attributed flows that say them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import NONE
from attribution.core.columnar.types import Column, Int32, Int64, UInt8
from attribution.core.question import Side
from attribution.core.reasons import METHOD_OF, METHODS, REASONS

_METHOD_NAMES = pa.array(METHODS)
_REASON_NAMES = pa.array(REASONS)
#: The method of each reason, by the reason's code.
_METHOD = np.array([list(METHODS).index(METHOD_OF[reason]) for reason in REASONS], np.int8)


#: In the place of a workload: the far end is not asked.
NOT_OPEN = np.int32(-3)


@dataclass(frozen=True)
class SideAnswers(AlignedColumns):
    """The answers for one side of a batch of flows.

    Attributes:
        workload: number into `Resolver.workloads`; `NONE` where nobody is named.
        service: number into `Resolver.services`; `NONE` where none is named.
        reason: code of the reason.
        distance: µs to the evidence used; `NONE` where none was.
        network: number into `PlaceBook.networks` of the heartbeats used; `NONE` where these name none, or none were.
        against: where heartbeats leave it open whom the far end may name, who speaks against any other: a number into
            `Resolver.workloads`, or `NONE` for nobody. Otherwise `NOT_OPEN`.
    """

    workload: Int32
    service: Int32
    reason: UInt8
    distance: Int64
    network: Int32
    against: Int32

    @classmethod
    def unnamed(cls, reason: UInt8) -> Self:
        """Answers that name nobody, for these reasons."""
        nobody = np.full(len(reason), NONE)
        return cls(nobody, nobody, reason, nobody.astype(np.int64), nobody, np.full(len(reason), NOT_OPEN))


def why(side: Side, reason: UInt8, distance: Int64) -> dict[str, Column]:
    """The columns that say where a side's answer came from, why, and how far the evidence was."""
    return {
        f"{side}_method": pa.DictionaryArray.from_arrays(pa.array(_METHOD[reason]), _METHOD_NAMES),
        f"{side}_reason": pa.DictionaryArray.from_arrays(pa.array(reason.view(np.int8)), _REASON_NAMES),
        f"{side}_distance": pa.array(distance, mask=distance < 0),
    }


def numbered_texts(number: Int32, names: pa.StringArray) -> pa.DictionaryArray:
    """Texts by their numbers; null where a number is `NONE`."""
    return pa.DictionaryArray.from_arrays(pa.array(number, mask=number < 0), names)
