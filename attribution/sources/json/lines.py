"""Chosen fields of JSON lines as Arrow columns, with every line that is no JSON object set aside by its number.

Arrow's JSON reader is fast but all or nothing: one broken line, or one field that is a number here and text there,
fails the whole block. So the types are learned from the lines themselves. A block that fails is halved until only the
lines in question are left, and those few are read one by one. Lines whose fields have no type in common become pieces
of their own: else the list of a sound line would be text, because another line has text there.
"""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column, Int64
from attribution.sources.json.cutting import ShapedLines
from attribution.sources.json.field_types import changes, leaf, schema_of, signature
from attribution.sources.json.objects import is_json_lines
from attribution.sources.json.shapes import Path
from attribution.sources.records.json_values import (
    MIXED,
    Json,
    JsonObject,
    is_nested,
    json_texts,
    load,
    to_column,
)
from attribution.sources.records.set_aside import OnBad
from attribution.sources.records.text_lines import is_text

__all__ = ["JsonLines", "Path", "Piece", "first_object", "objects_of_lines"]

#: Lines looked at to learn the types of fields.
_SAMPLED_LINES = 64
#: Pieces of this many lines or fewer are read one by one when Arrow cannot read them.
_ONE_BY_ONE = 128
_NO_LINES: Int64 = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Piece:
    """Rows that were read together.

    Attributes:
        columns: every field of the reader; null where a line lacks it. A field whose value has no type, as a list of a
            number and a text, is JSON text. Where lists and objects are told apart, it is `MIXED` of
            `records.json_values`, as is a field that has several types among the lines of a piece.
        lines: 1-based line of each row.
    """

    columns: dict[str, Column]
    lines: Int64

    def __len__(self) -> int:
        return len(self.lines)


class JsonLines:
    """Reads the same fields from block after block; what it has learned about their types it keeps."""

    def __init__(
        self,
        fields: Mapping[str, Path],
        *,
        nested: Collection[str] = (),
        texts: Collection[str] = (),
        apart: bool = False,
        any_order: bool = False,
    ) -> None:
        """Prepare to read `fields`.

        Args:
            fields: name of each column, and where its value stands in the object.
            nested: names of those that may be lists or objects. A list or object in any other field is JSON text.
            texts: names of those in which a list or an object is no value: there it is null.
            apart: whether lists and objects are told apart from text in columns that have no one type. Such columns are
                `MIXED` of `records.json_values`, else JSON text.
            any_order: whether rows of a block may come in any order, and text dictionary-encoded; that is faster
                where lines have different fields.
        """
        self._any_order = any_order
        self._shaped = ShapedLines(fields)
        self._fields = dict(fields)
        self._nested = frozenset(nested)
        self._texts = frozenset(texts)
        self._apart = apart
        #: One value of each type that was seen of each field, by the name of the type.
        self._seen: dict[str, dict[str, Json]] = {name: {} for name in fields}
        self._schema: pa.Schema | None = None

    def read(self, block: bytes, first_line: int, on_bad: OnBad) -> Iterator[Piece]:
        """The rows of a block of whole lines, in as few pieces as the lines allow, in order if that was asked for.

        Args:
            block: whole lines; the last may lack its newline. Blank lines carry nothing.
            first_line: 1-based number of the block's first line.
            on_bad: told of every line that is no JSON object.
        """
        text = is_text(block)
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
            pieces = [Piece({name: decoded(c) for name, c in p.columns.items()}, p.lines) for p in pieces]
        return pieces, rest

    def _read_lines(self, lines: list[bytes], numbers: list[int], on_bad: OnBad) -> Iterator[Piece]:
        if not lines:
            return
        for schema in (self._schema, self._learn(_sample(lines[:: max(1, len(lines) // _SAMPLED_LINES)]))):
            joined = b"\n".join(lines)
            table = self._parse(joined, schema) if schema is not None and is_text(joined) else None
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
        objects: list[JsonObject] = []
        good = []
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
        cuts = [0, *([] if self._apart else changes(objects, self._fields)), len(objects)]
        for begin, end in pairwise(cuts):
            if end > begin:
                yield Piece(self._of_objects(objects[begin:end]), np.array(good[begin:end], dtype=np.int64))

    def _of_objects(self, objects: Sequence[JsonObject]) -> dict[str, Column]:
        columns = {}
        for name, path in self._fields.items():
            values = [self._value(name, leaf(one, path)) for one in objects]
            columns[name] = self._plain(name, to_column(values, apart=self._apart))
        return columns

    def _parse(self, block: bytes, schema: pa.Schema) -> pa.Table | None:
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

    def _columns(self, table: pa.Table) -> dict[str, Column]:
        found = {}
        for name, path in self._fields.items():
            column = table.column(path[0])
            column = pc.struct_field(column, list(path[1:])) if len(path) > 1 else column
            found[name] = self._plain(name, column)
        return found

    def _plain(self, name: str, column: Column) -> Column:
        """The column, without lists and objects if its field has none."""
        if not pa.types.is_nested(column.type) or name in self._nested or column.type == MIXED:
            return column
        return pa.nulls(len(column), pa.string()) if name in self._texts else json_texts(column)

    def _value(self, name: str, value: Json) -> Json:
        return None if name in self._texts and is_nested(value) else value

    def _learn(self, samples: Sequence[JsonObject]) -> pa.Schema | None:
        """The schema of these objects and of all before them; of these alone where they clash; None if they do too."""
        here: dict[str, dict[str, Json]] = {name: {} for name in self._fields}
        for name, path in self._fields.items():
            for sample in samples:
                value = leaf(sample, path)
                if value is not None:
                    here[name][signature(value)] = value
        together = {name: {**self._seen[name], **values} for name, values in here.items()}
        schema = schema_of(self._fields, together)
        if schema is None:
            return schema_of(self._fields, here)
        if samples:
            self._seen, self._schema = together, schema
        return schema


def first_object(head: bytes) -> JsonObject | None:
    """The first JSON object that is a line of `head`; None where there is none, or it is cut off.

    Lines before it may be broken if `head` has an object to a line otherwise.
    """
    return next(objects_of_lines(head), None)


def objects_of_lines(head: bytes) -> Iterator[JsonObject]:
    """The JSON objects among the first lines of `head`; none if the first line is none, and most lines are none."""
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:_SAMPLED_LINES] if line.strip()]
    if lines and (_sample(lines[:1]) or is_json_lines(head)):
        for line in lines:
            yield from _sample([line])


def _sample(lines: Sequence[bytes]) -> list[JsonObject]:
    samples = []
    for line in lines:
        try:
            value = load(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            samples.append(value)
    return samples
