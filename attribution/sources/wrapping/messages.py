"""Records that stand under a key of JSON lines: as text, as an object, or under their kind."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.sources.json.field_types import leaf
from attribution.sources.json.lines import JsonLines, Path, Piece
from attribution.sources.json.objects import first_objects
from attribution.sources.records.json_values import Json, JsonObject, load
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.lines_of import line_by_line, lines_of, lines_of_column

_BLOCK_BYTES = 4 << 20
#: What CloudWatch sends to find out whether anybody listens.
_CONTROL = "CWL CONTROL MESSAGE"

#: Where those who ship logs put the line that they read, or the object that they made of it.
_PATHS: tuple[Path, ...] = (
    ("message",),
    ("event", "original"),
    ("log",),
    ("@message",),
    ("textPayload",),
    ("jsonPayload",),
    ("_source",),
    ("result", "_raw"),
    ("_raw",),
    ("payload",),
    ("MESSAGE",),
    ("body",),
)
_LOOKED_AT = 3
#: The end of a message that EKS has cut, because CloudWatch takes no longer ones.
_CUT = b"[Truncated...]"
#: Keys of a line of Docker's log driver, which cuts long lines: only the last part ends with a line break.
_DOCKER = frozenset({"log", "stream", "time"})


@dataclass(frozen=True)
class Message:
    """A text or an object under one key of each line.

    Attributes:
        path: the keys that lead to it, from the outside in.
        in_parts: whether a text without a line break at its end goes on in the next one.
    """

    path: Path
    in_parts: bool = False

    @property
    def name(self) -> str:
        """As that of `Layer`."""
        return f"the key `{'.'.join(self.path)}`"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The texts and objects, each on the line that it had."""
        reader = JsonLines({"text": self.path}, texts=("text",))
        begun = ""
        for first_line, block in data.lines(_BLOCK_BYTES):
            pieces = list(reader.read(block, first_line, report.on_bad))
            if not pieces:
                continue
            texts, numbers = _together(pieces)
            if self.in_parts and texts.null_count == 0:
                values = texts.to_pylist()
                if begun or any(not value.endswith("\n") for value in values):
                    joined, begun = _whole_lines(values, begun)
                    for text in filter(None, joined):
                        report.skip_blank(text)
                    yield lines_of(joined, numbers.tolist())
                    continue
            elif texts.null_count:
                texts = self._looked_up(texts, numbers, block, first_line, report)
            texts = _without_control(texts, report)
            yield lines_of_column(texts, numbers)
        if begun:
            report.on_bad(0, begun.encode("utf-8", "replace"), "truncated")

    def _looked_up(self, texts: pa.Array, numbers: "np.ndarray", block: bytes, first: int, report: Report) -> pa.Array:
        """The texts, with objects for those that are none; what has nothing there is skipped."""
        lines = block.split(b"\n")
        values = texts.to_pylist()
        for row in np.flatnonzero(np.asarray(texts.is_null())).tolist():
            line = lines[int(numbers[row]) - first]
            try:
                value = leaf(load(line), self.path)
            except (ValueError, RecursionError):  # nested more deeply than whoever found the message looks
                report.on_bad(int(numbers[row]), line, "malformed")
                continue
            if value is None:
                report.skip("no_record_inside", 1)
            else:
                values[row] = _text(value)
        return pa.array(values, pa.string())


@dataclass(frozen=True)
class UnderKind:
    """An object under a single key that says what it is: `{"conn": {…}}`.

    The key becomes the field `_path`, as Zeek calls it, of an object that has none.
    """

    name: str = "objects under their kind"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The objects, each on the line that it had."""
        return line_by_line(data, report, _inner)


@dataclass(frozen=True)
class OnlyObjects:
    """The whole JSON objects among messages of several programs; it has no name of its own."""

    name: str = ""

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The objects, each on the line that it had; messages that are none are skipped."""
        for first_line, block in data.lines(_BLOCK_BYTES):
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            if block.startswith(b"{") + block.count(b"\n{") == lines and _CUT not in block:
                yield first_line, block
                continue
            found, left_out = [], Counter[str]()
            for line in block.removesuffix(b"\n").split(b"\n"):
                content = line.strip()
                reason = "other_program" if content[:1] not in (b"", b"{") else ""
                reason = "cut_by_service" if content.endswith(_CUT) else reason
                left_out[reason] += 1
                found.append(b"" if reason else line)
            for reason in filter(None, left_out):
                report.skip(reason, left_out[reason])
            yield first_line, b"\n".join(found) + b"\n"


def _inner(outer: Json) -> str | None:
    found = _kind_of(outer)
    return None if found is None else _text({"_path": found[0], **found[1]})


def _kind_of(value: Json) -> tuple[str, JsonObject] | None:
    """The only key of an object, and the object under it."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, inner),) = value.items()
    return (kind, inner) if isinstance(inner, dict) else None


def _together(pieces: list[Piece]) -> tuple[pa.Array, "np.ndarray"]:
    """The texts of a block and their lines, in the order of the lines."""
    columns = [one_array(piece.columns["text"]) for piece in pieces]
    texts = pa.concat_arrays([one if one.type == pa.string() else one.cast(pa.string()) for one in columns])
    numbers = np.concatenate([piece.lines for piece in pieces])
    if len(pieces) > 1 and (np.diff(numbers) < 0).any():
        order = np.argsort(numbers, kind="stable")
        texts, numbers = texts.take(pa.array(order)), numbers[order]
    return texts, numbers


def _whole_lines(values: list[str], begun: str) -> tuple[list[str | None], str]:
    """Texts with their parts joined at the last one, and the part that goes on in the next block."""
    joined: list[str | None] = []
    for value in values:
        begun += value
        if value.endswith("\n"):
            joined.append(begun)
            begun = ""
        else:
            joined.append(None)
    return joined, begun


def _without_control(texts: pa.Array, report: Report) -> pa.Array:
    """The texts without what CloudWatch says to itself; blank ones are counted."""
    blank = pc.sum(pc.equal(pc.utf8_trim_whitespace(texts), "")).as_py()
    if blank:
        report.skip("no_record_inside", blank)
    control = pc.starts_with(texts, _CONTROL)
    count = pc.sum(control).as_py()
    if not count:
        return texts
    report.skip("control_message", count)
    return pc.if_else(control, pa.scalar(None, pa.string()), texts)


def _text(value: Json) -> str:
    # Whatever an object holds, its text is ASCII; half of a surrogate pair stays escaped.
    return value if isinstance(value, str) else json.dumps(value)


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that JSON lines with this beginning may have."""
    found: dict[Layer, None] = {}
    # The first objects of an envelope may be others than those with records.
    for one in first_objects(head)[:_LOOKED_AT]:
        row: JsonObject = one  # type: ignore[assignment]
        for path in _PATHS:
            value = leaf(row, path)
            if isinstance(value, dict) or (isinstance(value, str) and value.strip()):
                found[Message(path, in_parts=path == ("log",) and row.keys() >= _DOCKER)] = None
        if _kind_of(row) is not None:
            found[UnderKind()] = None
    yield from found
