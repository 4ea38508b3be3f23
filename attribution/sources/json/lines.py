"""Chosen fields of JSON lines as Arrow columns, with every line that is no JSON object set aside by its number.

Arrow's JSON reader is fast but all or nothing: one broken line, or one field that is a number here and text there,
fails the whole block. So the types are learned from the lines themselves, a block that fails is halved until only the
lines in question are left, and those few are read one by one.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from attribution.core.columnar.types import Int64
from attribution.sources.json.cutting import ShapedLines
from attribution.sources.records.set_aside import OnBad

#: A field's place in the object: the keys from the outside in. Keys may hold dots (`id.orig_h`).
Path = tuple[str, ...]

#: Lines looked at to learn the types of fields.
_SAMPLED_LINES = 64
#: No record is nested as deeply.
_DEEPEST = 64
#: Pieces of this many lines or fewer are read one by one when Arrow cannot read them.
_ONE_BY_ONE = 128
_NO_LINES: Int64 = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Piece:
    """Rows that were read together.

    Attributes:
        columns: every field of the reader; null where a line lacks it. A field that has several types among the lines
            of a piece is text.
        lines: 1-based line of each row.
    """

    columns: dict[str, Any]
    lines: Int64

    def __len__(self) -> int:
        return len(self.lines)


class JsonLines:
    """Reads the same fields from block after block; what it has learned about their types it keeps."""

    def __init__(self, fields: Mapping[str, Path], *, any_order: bool = False) -> None:
        """Prepare to read `fields`.

        Args:
            fields: name of each column, and where its value stands in the object.
            any_order: whether rows of a block may come in any order, and text dictionary-encoded; that is faster
                where lines have different fields.
        """
        self._any_order = any_order
        self._shaped = ShapedLines(fields)
        self._fields = dict(fields)
        self._seen: dict[str, dict[str, Any]] = {name: {} for name in fields}
        self._schema: Any = None

    def read(self, block: bytes, first_line: int, on_bad: OnBad) -> Iterator[Piece]:
        """The rows of a block of whole lines, in as few pieces as the lines allow, in order if that was asked for.

        Args:
            block: whole lines; the last may lack its newline. Blank lines carry nothing.
            first_line: 1-based number of the block's first line.
            on_bad: told of every line that is no JSON object.
        """
        text = _is_text(block)
        pieces, rest = self._cut(block, first_line) if text else ([], None)
        yield from pieces
        if rest is not None:
            lines = block.split(b"\n") if len(rest) else []
            yield from self._read_numbered(((row + first_line, lines[row]) for row in rest.tolist()), on_bad)
            return
        count = block.count(b"\n") + (not block.endswith(b"\n") and bool(block))
        if self._schema is None:
            self._learn(_sample(block.split(b"\n", _SAMPLED_LINES)[:_SAMPLED_LINES]))
        # Every line must begin an object, or two on one line and a blank one would pass for two lines.
        begun = block.startswith(b"{") + block.count(b"\n{")
        if self._schema is not None and begun == count and text:
            table = self._parse(block, self._schema)
            if table is not None and table.num_rows == count:
                yield Piece(self._columns(table), np.arange(first_line, first_line + count, dtype=np.int64))
                return
        yield from self._read_numbered(enumerate(block.split(b"\n"), first_line), on_bad)

    def _read_numbered(self, numbered: Iterable[tuple[int, bytes]], on_bad: OnBad) -> Iterator[Piece]:
        lines, numbers = [], []
        for number, line in numbered:
            content = line.strip()
            if content.startswith(b"{"):
                lines.append(content)
                numbers.append(number)
            elif content:
                on_bad(number, line, "malformed")
        yield from self._read_lines(lines, numbers, on_bad)

    def _cut(self, block: bytes, first_line: int) -> tuple[list[Piece], Int64 | None]:
        """What could be cut out by the shape of the lines, and which lines are left; None for all."""
        found, rest = self._shaped.read(block) if block else ([], _NO_LINES)
        if not found:
            return [], None
        if not self._any_order and (len(rest) or len(found) > 1):
            self._shaped.pause()
            return [], None
        pieces = [Piece(columns, lines + first_line) for columns, lines in found]
        if not self._any_order:
            pieces = [Piece({name: _decoded(c) for name, c in p.columns.items()}, p.lines) for p in pieces]
        return pieces, rest

    def _read_lines(self, lines: list[bytes], numbers: list[int], on_bad: OnBad) -> Iterator[Piece]:
        if not lines:
            return
        for schema in (self._schema, self._learn(_sample(lines[:: max(1, len(lines) // _SAMPLED_LINES)]))):
            joined = b"\n".join(lines)
            table = self._parse(joined, schema) if schema is not None and _is_text(joined) else None
            if table is not None and table.num_rows == len(lines):
                yield Piece(self._columns(table), np.array(numbers, dtype=np.int64))
                return
        if len(lines) <= _ONE_BY_ONE:
            yield from self._read_one_by_one(lines, numbers, on_bad)
            return
        middle = len(lines) // 2
        yield from self._read_lines(lines[:middle], numbers[:middle], on_bad)
        yield from self._read_lines(lines[middle:], numbers[middle:], on_bad)

    def _read_one_by_one(self, lines: list[bytes], numbers: list[int], on_bad: OnBad) -> Iterator[Piece]:
        objects, good = [], []
        for line, number in zip(lines, numbers, strict=True):
            try:
                value = load(line)
            except (ValueError, RecursionError) as error:
                on_bad(number, line, "not_text" if isinstance(error, UnicodeDecodeError) else "malformed")
                continue
            if isinstance(value, dict):
                objects.append(value)
                good.append(number)
            else:
                on_bad(number, line, "malformed")
        if objects:
            columns = {name: to_column([_leaf(o, path) for o in objects]) for name, path in self._fields.items()}
            yield Piece(columns, np.array(good, dtype=np.int64))

    def _parse(self, block: bytes, schema: Any) -> Any:
        """The block as a table of the schema, or None where Arrow cannot read it so."""
        options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        try:
            # One chunk: a line can then never straddle two, and small chunks cost a third more.
            return pj.read_json(
                io.BytesIO(block),
                read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
                parse_options=options,
            )
        except pa.ArrowInvalid:
            return None

    def _columns(self, table: Any) -> dict[str, Any]:
        found = {}
        for name, path in self._fields.items():
            column = table.column(path[0])
            found[name] = pc.struct_field(column, list(path[1:])) if len(path) > 1 else column
        return found

    def _learn(self, samples: Sequence[dict[str, Any]]) -> Any:
        """The schema of these objects and of all before them; of these alone where they clash; None if they do too."""
        here: dict[str, dict[str, Any]] = {name: {} for name in self._fields}
        for name, path in self._fields.items():
            for sample in samples:
                value = _leaf(sample, path)
                if value is not None:
                    here[name][_signature(value)] = value
        together = {name: {**self._seen[name], **values} for name, values in here.items()}
        schema = _schema(self._fields, together)
        if schema is None:
            return _schema(self._fields, here)
        if samples:
            self._seen, self._schema = together, schema
        return schema


def load(line: bytes) -> Any:
    """The JSON value of a line.

    Raises:
        ValueError: it is none, or nested so deeply that whoever walks through it runs out of stack.
        RecursionError: likewise.
    """
    value = json.loads(line)
    if line.count(b"[") + line.count(b"{") > _DEEPEST:
        level = [value]
        for _ in range(_DEEPEST):
            level = [inner for one in level for inner in _inner(one)]
        if level:
            raise ValueError(f"nested more than {_DEEPEST} deep")
    return value


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def first_object(head: bytes) -> dict[str, Any] | None:
    """The JSON object on the first line of `head` that is not blank; None where there is none, or it is cut off."""
    for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                return None
            return value if isinstance(value, dict) else None
    return None


def to_column(values: Sequence[Any]) -> Any:
    """An Arrow array of JSON values; text where they have no type in common."""
    try:
        return pa.array(values, _without_nulls(pa.infer_type(values)))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else value.encode("utf-8", "replace").decode()
    return json.dumps(value)


def _decoded(column: Any) -> Any:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _is_text(block: bytes) -> bool:
    """Whether the block is UTF-8: Arrow does not look, and what it lets through breaks much later."""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sample(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    samples = []
    for line in lines:
        try:
            value = load(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            samples.append(value)
    return samples


def _leaf(value: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _signature(value: Any) -> str:
    """A name for the value's type: one value of each is remembered."""
    if not isinstance(value, list | dict):
        return type(value).__name__
    try:
        return str(pa.infer_type([value]))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return "mixed"


def _schema(fields: Mapping[str, Path], seen: Mapping[str, Mapping[str, Any]]) -> Any:
    """The Arrow schema of the fields, or None where a field has values that no one type can hold."""
    tree: dict[str, Any] = {}
    for name, path in fields.items():
        try:
            kind = pa.infer_type(list(seen[name].values()))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return None
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = _without_nulls(kind)
    return pa.schema([pa.field(key, _nested(node)) for key, node in tree.items()])


def _nested(node: Any) -> Any:
    if isinstance(node, dict):
        return pa.struct([pa.field(key, _nested(child)) for key, child in node.items()])
    return node


def _without_nulls(kind: Any) -> Any:
    """The type with text where nothing was seen yet: a guess that the next block corrects."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_without_nulls(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, _without_nulls(f.type)) for f in kind])
    return kind
