"""JSON objects that are not one to a line: a JSON array, or objects one after the other over many lines.

They are cut apart by their braces, in bounded memory, and given back one to a line, so that what reads JSON lines reads
them too.
"""

import json
import re
from collections.abc import Collection, Iterator

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.errors import SourceError
from attribution.sources.json.braces import marks
from attribution.sources.records.model import Input
from attribution.sources.records.set_aside import OnBad

_READ_BYTES = 4 << 20
#: No record is as large; without a bound, JSON of another kind would be read into memory whole.
_LARGEST_OBJECT = 64 << 20
#: Lines looked at to tell JSON lines from the rest.
_LOOKED_AT = 20
_OPENING = (b"[", b"{", b"[{")
_BETWEEN = b" \t\r\n,[]"
_BEGINS_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*)*\{")


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
        cut = _Cut(head)
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


def begins_json(head: bytes) -> bool:
    """Whether content begins with an object, or with arrays around one; a bracket alone may begin any text."""
    return _BEGINS_JSON.match(head) is not None


def begins_with(head: bytes, keys: Collection[str]) -> bool:
    """Whether one of the first objects has one of these keys, or is too long for `head` to tell."""
    found = first_objects(head)
    return not found or any(key in one for one in found for key in keys)


def object_lines(data: Input, on_bad: OnBad) -> Iterator[tuple[Int64, bytes]]:
    """The objects of the content, one to a line, with the 1-based line of the source on which each starts.

    Args:
        data: a JSON array of objects, or objects with white space or commas between them.
        on_bad: told of what stands between objects and belongs to none, and of an object that the content breaks off.

    An object of more than 64 MiB is left out: `on_bad` is told of its beginning.

    Raises:
        SourceError: the braces do not match; what came before was yielded.
    """
    rest, line, none = b"", 1, True
    chunk = data.read(_READ_BYTES)
    while chunk:
        cut = _Cut(rest + chunk)
        objects = cut.objects()
        for place, found in cut.strays():
            on_bad(line + cut.lines_before(place), found, "malformed")
        if objects:
            none = False
            yield line + cut.line_of_objects(), b"\n".join(objects) + b"\n"
        if cut.unmatched:
            raise SourceError(
                f"cannot read on in {data.name}: a closing brace without its opening one, after line {line}"
            )
        rest, line, chunk = cut.rest(), line + cut.lines_before(cut.end), b""
        if len(rest) > _LARGEST_OBJECT:
            on_bad(line + _leading_lines(rest), rest.strip(_BETWEEN), "line_too_long")
            chunk, lines = _behind_object(data, rest)
            rest, line = b"", line + lines
        chunk = chunk or data.read(_READ_BYTES)
    left = rest.strip(_BETWEEN)
    if none and b"]" not in rest:
        left = left or rest.strip()  # an array that breaks off where it begins
    if left and getattr(data, "damage", None) is None:
        on_bad(line + _leading_lines(rest), left, "malformed")


def _behind_object(data: Input, begun: bytes) -> tuple[bytes, int]:
    """What is read behind the end of an object of which only the beginning is held, and the lines up to there.

    All that is kept of the object is what it takes to find its end: how many braces are open, and whether in a text.

    Raises:
        SourceError: so many braces are open that they cannot be kept.
    """
    lines, opened = begun.count(b"\n"), _still_open(begun)
    if not opened.startswith(b"{"):  # no object, but something else between two objects
        return opened, lines
    while chunk := data.read(_READ_BYTES):
        text = opened + chunk
        cut = _Cut(text)
        if cut.first_end:
            return text[cut.first_end :], lines + cut.lines_before(cut.first_end)
        lines, opened = lines + chunk.count(b"\n"), _still_open(text)
        if len(opened) > _LARGEST_OBJECT:
            raise SourceError(f"cannot read on in {data.name}: more than {_LARGEST_OBJECT} braces are open")
    return b"", lines


def _still_open(text: bytes) -> bytes:
    """The shortest text in which the same braces and the same quote are open as at the end of `text`."""
    found = marks(text)
    depth = 2 * int(found.opening.sum()) - len(found.braces)
    return b"{" * depth + (b'"' if len(found.quotes) % 2 else b"") + (b"\\" if found.escape_open else b"")


class _Cut:
    """Where the top-level objects of a piece of text lie; the text starts outside of any string."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        found = marks(text)
        braces, opening = found.braces, found.opening
        depth = np.cumsum(np.where(opening, 1, -1))
        self.unmatched = bool((depth < 0).any())
        if self.unmatched:
            good = int(np.argmax(depth < 0))
            braces, opening, depth = braces[:good], opening[:good], depth[:good]
        self._ends = braces[~opening & (depth == 0)]
        self._starts = braces[opening & (depth == 1)][: len(self._ends)]
        self._newlines = np.flatnonzero(found.characters == ord("\n"))
        #: Where the first whole object ends, and where the last one does; 0 if there is none.
        self.first_end = int(self._ends[0]) + 1 if len(self._ends) else 0
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
