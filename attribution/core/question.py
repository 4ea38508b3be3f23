"""What a batch of flows asks of the evidence: an interval for each flow."""

from dataclasses import dataclass

from attribution.core.columnar.types import Bool, Int64


@dataclass(frozen=True)
class Question:
    """A batch of questions. All arrays have one length.

    Attributes:
        a: start of the asked interval, µs.
        b: end of the asked interval, µs.
        start: start of the flow, µs.
        end: end of the flow, µs.
        connection: whether the flow is a connection (`within` may apply).
    """

    a: Int64
    b: Int64
    start: Int64
    end: Int64
    connection: Bool

    def take(self, rows: Int64) -> "Question":
        """The questions of those rows."""
        return Question(self.a[rows], self.b[rows], self.start[rows], self.end[rows], self.connection[rows])
