"""What a batch of flows asks of the evidence about one side: an interval for each flow."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa

from attribution.config import Microseconds
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import is_value
from attribution.core.columnar.types import Bool, Int64
from attribution.core.times import FlowTimes

#: A side of a flow.
Side: TypeAlias = Literal["local", "remote"]
SIDES: tuple[Side, Side] = ("local", "remote")
OTHER_SIDE: dict[Side, Side] = {"local": "remote", "remote": "local"}

_EGRESS, _INGRESS = pa.scalar("egress"), pa.scalar("ingress")
#: The directions of flows that a side opened, and that it accepted.
_OPENED_AND_ACCEPTED: dict[Side, tuple[pa.StringScalar, pa.StringScalar]] = {
    "local": (_EGRESS, _INGRESS),
    "remote": (_INGRESS, _EGRESS),
}


def opened_and_accepted(flows: pa.RecordBatch, side: Side) -> tuple[Bool, Bool]:
    """Which flows a side opened, and which it accepted; neither where the direction is not known."""
    masks = (is_value(flows.column("direction"), way) for way in _OPENED_AND_ACCEPTED[side])
    opened, accepted = (mask.to_numpy(zero_copy_only=False) for mask in masks)
    return opened, accepted


@dataclass(frozen=True)
class Question(AlignedColumns):
    """A batch of questions, one for each flow.

    Attributes:
        a: start of the asked interval, µs.
        b: end of the asked interval, µs.
        start: start of the flow, µs.
        end: end of the flow, µs.
        connection: whether the flow is a connection; it is a window otherwise.
        untimed: whether the flow does not show when it was, so that nobody answers.
    """

    a: Int64
    b: Int64
    start: Int64
    end: Int64
    connection: Bool
    untimed: Bool

    @classmethod
    def of(cls, times: FlowTimes, clock_tolerance: Microseconds) -> Self:
        """What flows of these times ask."""
        start, end = times.start, times.end
        last = np.where(times.connection, start, end)
        return cls(start - clock_tolerance, last + clock_tolerance, start, end, times.connection, times.untimed)
