"""What every wrapping is: content in, lines of the content inside out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from attribution.sources.records.model import Input
from attribution.sources.records.set_aside import OnBad

#: Blocks of whole lines, each with the 1-based number of its first line.
Lines = Iterator[tuple[int, bytes]]


@dataclass(frozen=True)
class Report:
    """Where a wrapping says what it left out, and what it may take from around a record.

    Attributes:
        on_bad: told of what cannot be unwrapped.
        skip: told of what holds no record on purpose: a reason of `sources.records.model.ANY_FORMAT`, and a count.
        labels: names of labels that are fields of the record; all others are not.
    """

    on_bad: OnBad
    skip: Callable[[str, int], None]
    labels: frozenset[str] = field(default=frozenset())

    def skip_blank(self, text: str) -> None:
        """Count a record that is none, if the text is blank: nobody after this counts blank lines."""
        if not text.strip():
            self.skip("no_record_inside", 1)


class Layer(Protocol):
    """One wrapping around all records of a source."""

    @property
    def name(self) -> str:
        """What a person calls it, after "in"; empty if it goes without saying."""

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The content inside, a record or a line of text to a line.

        A wrapping that has one record to a line keeps the number of each line: what is left out is a blank line.
        Of others, a line is the number of the record.
        """


@runtime_checkable
class WholeLayer(Layer, Protocol):
    """A wrapping that can be taken off whole documents only, of which a beginning is none."""

    def peek(self, head: bytes) -> bytes:
        """Lines of the content inside, of a beginning."""
