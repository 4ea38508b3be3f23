"""Objects that are not one to a line: in an array, over several lines, or in the list of an envelope."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.errors import SourceError
from attribution.sources.json.braces import marks
from attribution.sources.json.objects import begins_json, is_json_lines
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.pieces import joined

_READ_BYTES = 4 << 20
#: No record is as large; without a bound, JSON of another kind would be read into memory whole.
_LARGEST_OBJECT = 64 << 20
#: A comma and a blank are between most objects.
_USUAL_GAP = 2
#: What stands between objects of a list, or behind the last document.
_BETWEEN = b" \t\r\n,[]"


@dataclass(frozen=True)
class Objects:
    """The objects at one depth of JSON documents, which may follow each other without anything between them.

    Attributes:
        name: as that of `Layer`.
        depth: how many braces are open inside of a record: 1 for documents themselves and items of an array, 2 for
            items in a list of a document.
    """

    name: str
    depth: int

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The objects, one to a line, numbered from 1.

        Raises:
            SourceError: braces do not match, or an object has more than 64 MiB; what came before was yielded.
        """
        cutter, number = ObjectCutter(self.depth), 1
        while chunk := data.read(_READ_BYTES):
            count, block, strays = cutter.cut(chunk, data.name)
            for before, stray in strays:
                report.on_bad(number + before, stray, "malformed")
            if count:
                yield number, block
                number += count
        if cutter.broken_off and getattr(data, "damage", None) is None:
            report.on_bad(number, cutter.rest.strip(_BETWEEN), "malformed")


class ObjectCutter:
    """Cuts the objects of one depth out of chunk after chunk.

    Attributes:
        rest: what was read and is no whole object yet.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._open = 0
        self.rest = b""

    def cut(self, chunk: bytes, source: str) -> tuple[int, bytes, list[tuple[int, bytes]]]:
        """How many objects are whole with this chunk, these objects, one to a line, and items that are no objects.

        An item that is none comes with the number of objects before it.

        Raises:
            SourceError: as `Objects.unwrap`.
        """
        text = self.rest + chunk
        found = marks(text)
        braces, opening = found.braces, found.opening
        depths = self._open + np.cumsum(np.where(opening, 1, -1))
        if len(depths) and int(depths.min()) < 0:
            raise SourceError(f"cannot read on in {source}: a closing brace without its opening one")
        ends = braces[~opening & (depths == self._depth - 1)] + 1
        starts = braces[opening & (depths == self._depth)][: len(ends)]
        strays = self._strays(text, starts, ends, braces)
        self.rest = text[int(ends[-1]) :] if len(ends) else text
        if len(self.rest) > _LARGEST_OBJECT:
            raise SourceError(f"cannot read on in {source}: an object has more than 64 MiB; write it as JSON lines")
        if not len(ends):
            return 0, b"", strays
        self._open = self._depth - 1
        # Line breaks stand between the parts of an object only: in its strings they are escaped.
        flat = text.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in text else text
        return len(ends), _on_lines(flat, starts, ends), strays

    def _strays(self, text: bytes, starts: Int64, ends: Int64, braces: Int64) -> list[tuple[int, bytes]]:
        """What stands between two objects of one list and is no separator."""
        if not len(ends):
            return []
        behind = np.concatenate([[0] if self._open == self._depth - 1 else starts[:1], ends[:-1]])
        # An object ends with a brace, and the next one begins with the next brace if both are in one list.
        wide = starts - behind > _USUAL_GAP
        found = []
        for place in np.flatnonzero(wide).tolist():
            begin, end = int(behind[place]), int(starts[place])
            between = text[begin:end].strip(_BETWEEN)
            other_list = self._depth > 1 and (
                np.searchsorted(braces, begin) != np.searchsorted(braces, end) or between.endswith(b":")
            )
            if between and not other_list:
                found.append((place, between))
        return found

    @property
    def broken_off(self) -> bool:
        """Whether the content ended in the middle of a document, or with something that is none."""
        found = marks(self.rest)
        open_at_end = self._open + 2 * int(np.count_nonzero(found.opening)) - len(found.braces)
        return open_at_end != 0 or (not len(found.braces) and bool(self.rest.strip(_BETWEEN)))


def _on_lines(text: bytes, starts: Int64, ends: Int64) -> bytes:
    """The objects between these places, one to a line."""
    if (starts[1:] <= ends[:-1]).any():
        return b"".join(text[start:end] + b"\n" for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
    # The byte behind each object becomes its line break.
    block = bytearray(joined(text + b"\n", starts, ends + 1))
    np.frombuffer(block, np.uint8)[np.cumsum(ends + 1 - starts) - 1] = ord("\n")
    return bytes(block)


#: Envelopes: what they are called, the beginning of the list that holds records, and the depth of its objects.
_ENVELOPES = (
    ("events of a CloudWatch subscription", re.compile(rb'(?<!\\)"logEvents"\s*:\s*\['), 2),
    ("events of `aws logs`", re.compile(rb'\A\s*\{\s*"events"\s*:\s*\[\s*\{'), 2),
    ("hits of an Elasticsearch search", re.compile(rb'(?<!\\)"hits"\s*:\s*\[\s*\{'), 3),
)


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that content with this beginning may have, the most telling first."""
    if not begins_json(head):
        return
    for name, telling, depth in _ENVELOPES:
        if telling.search(head):
            yield Objects(name, depth)
    if not is_json_lines(head):
        array = head.lstrip().startswith(b"[")
        yield Objects("a JSON array" if array else "JSON objects over several lines", 1)
