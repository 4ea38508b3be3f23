"""JSON objects that are not one to a line: a JSON array, or objects one after the other over many lines.

They are cut apart by their braces, in bounded memory, and given back one to a line, so that what reads JSON lines reads
them too.
"""

import json
import re
from collections.abc import Iterator

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.errors import SourceError
from attribution.sources.records.model import Input
from attribution.sources.records.set_aside import OnBad

_READ_BYTES = 4 << 20
#: No record is as large; without a bound, JSON of another kind would be read into memory whole.
_LARGEST_OBJECT = 64 << 20
#: Lines looked at to tell JSON lines from the rest.
_LOOKED_AT = 20
_OPENING = (b"[", b"{", b"[{")
_BETWEEN = b" \t\r\n,[]"
_ESCAPE = re.compile(rb"\\.", re.DOTALL)


def is_json_lines(head: bytes) -> bool:
    """Whether JSON content that starts so has one object to a line; some lines may be broken.

    Of a document over many lines none or few are whole objects, and the first is an opening bracket.
    """
    lines = [line.strip() for line in head.split(b"\n")[:_LOOKED_AT]]
    lines = [line for line in lines if line]
    whole = [line.startswith(b"{") and line.endswith(b"}") and _is_object(line) for line in lines]
    if not any(whole):
        return False
    return 2 * sum(whole) >= len(whole) - 1 or lines[0] not in _OPENING


def first_objects(head: bytes) -> list[dict[str, object]]:
    """The whole JSON objects that content begins with, at most a few; for telling what it holds."""
    if is_json_lines(head):
        texts = [line for line in head.split(b"\n")[:_LOOKED_AT] if line.strip()]
    else:
        cut = _Cut(head, b"")
        texts = cut.objects()[:_LOOKED_AT]
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def object_lines(data: Input, on_bad: OnBad) -> Iterator[tuple[Int64, bytes]]:
    """The objects of the content, one to a line, with the 1-based line of the source on which each starts.

    Args:
        data: a JSON array of objects, or objects with white space or commas between them.
        on_bad: told of what stands between objects and belongs to none, and of an object that the content breaks off.

    Raises:
        SourceError: the braces do not match, or an object is larger than 64 MiB; what came before was yielded.
    """
    rest, line = b"", 1
    while chunk := data.read(_READ_BYTES):
        cut = _Cut(rest, chunk)
        objects = cut.objects()
        for place, found in cut.strays():
            on_bad(line + cut.lines_before(place), found, "malformed")
        if objects:
            yield line + cut.line_of_objects(), b"\n".join(objects) + b"\n"
        if cut.unmatched:
            raise SourceError(
                f"cannot read on in {data.name}: a closing brace without its opening one, after line {line}"
            )
        rest, line = cut.rest(), line + cut.lines_before(cut.end)
        if len(rest) > _LARGEST_OBJECT:
            raise SourceError(
                f"cannot read on in {data.name}: the object that starts at line {line} has more than 64 MiB"
            )
    if rest.strip(_BETWEEN) and getattr(data, "damage", None) is None:
        on_bad(line + _leading_lines(rest), rest.strip(_BETWEEN), "malformed")


class _Cut:
    """Where the top-level objects of a piece of text lie; the text starts outside of any string."""

    def __init__(self, rest: bytes, chunk: bytes) -> None:
        self._text = rest + chunk
        plain = _ESCAPE.sub(b"__", self._text) if b"\\" in self._text else self._text
        characters = np.frombuffer(plain, np.uint8)
        quotes = np.flatnonzero(characters == ord('"'))
        braces = np.flatnonzero((characters == ord("{")) | (characters == ord("}")))
        braces = braces[np.searchsorted(quotes, braces) % 2 == 0]
        opening = characters[braces] == ord("{")
        depth = np.cumsum(np.where(opening, 1, -1))
        self.unmatched = bool((depth < 0).any())
        if self.unmatched:
            good = int(np.argmax(depth < 0))
            braces, opening, depth = braces[:good], opening[:good], depth[:good]
        self._ends = braces[~opening & (depth == 0)]
        self._starts = braces[opening & (depth == 1)][: len(self._ends)]
        self._newlines = np.flatnonzero(characters == ord("\n"))
        #: Where the last whole object ends.
        self.end = int(self._ends[-1]) + 1 if len(self._ends) else 0

    def objects(self) -> list[bytes]:
        """The whole objects, each on one line."""
        text = self._text
        whole = [text[start : end + 1] for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True)]
        if len(self._newlines):
            whole = [one.replace(b"\n", b" ") if b"\n" in one else one for one in whole]
        return whole

    def line_of_objects(self) -> Int64:
        """Line breaks before each whole object."""
        return np.searchsorted(self._newlines, self._starts)

    def lines_before(self, place: int) -> int:
        """Line breaks before a place in the text."""
        return int(np.searchsorted(self._newlines, place))

    def strays(self) -> list[tuple[int, bytes]]:
        """What stands before and between the whole objects and is no separator: (place, text)."""
        found = []
        for start, end in zip([0, *(self._ends[:-1] + 1).tolist()], self._starts.tolist(), strict=False):
            between = self._text[start:end].strip(_BETWEEN)
            if between:
                found.append((self._text.index(between, start), between))
        return found

    def rest(self) -> bytes:
        """What stands behind the last whole object."""
        return self._text[self.end :]


def _leading_lines(text: bytes) -> int:
    return text[: len(text) - len(text.lstrip(_BETWEEN))].count(b"\n")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
