"""What a batch of flows asks of the evidence about one side: an interval for each flow."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.types import Bool, Int64

#: A side of a flow.
Side: TypeAlias = Literal["local", "remote"]
SIDES: tuple[Side, Side] = ("local", "remote")
OTHER_SIDE: dict[Side, Side] = {"local": "remote", "remote": "local"}


@dataclass(frozen=True)
class Question(AlignedColumns):
    """A batch of questions, one for each flow.

    Attributes:
        a: start of the asked interval, µs.
        b: end of the asked interval, µs.
        start: start of the flow, µs.
        end: end of the flow, µs.
        connection: whether the flow is a connection; it is a window otherwise.
    """

    a: Int64
    b: Int64
    start: Int64
    end: Int64
    connection: Bool
