"""Delimited text as columns: whole blocks by Arrow's parser, and row by row where a block has a row that does not fit.

Arrow's parser is fast but all or nothing, and it does not look whether text is UTF-8. So only a block that it cannot
read is parsed once more by Python, to set the bad rows aside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Int64
from attribution.sources.delimited.cutting import (
    SURROGATE,
    first_row,
    lines_of_rows,
    rows_one_by_one,
    whole_rows,
)
from attribution.sources.records.model import Input
from attribution.sources.records.set_aside import OnBad
from attribution.sources.records.text_lines import has_lone_return, is_text

#: What parts the values of a row, the most usual first.
DELIMITERS = (",", "\t", ";", "|")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: what parts values.
        names: of the columns, in order.
        header: whether the first row that is not blank has the names.
        nulls: values that stand for none.
    """

    delimiter: str
    names: tuple[str, ...]
    header: bool = True
    nulls: tuple[str, ...] = ("", "-")


@dataclass(frozen=True)
class Rows:
    """Rows of a table: the chosen columns, and the line on which each row begins."""

    columns: dict[str, pa.Array]
    lines: Int64


def dialect_of(head: bytes, delimiter: str | None = None) -> Dialect | None:
    r"""How a table with a header is written that begins so; None where its first row has one value.

    The delimiter is the usual one that gives the most columns, if nobody says it.

    >>> dialect_of(b'"a","b"\n1,2\n').names
    ('a', 'b')
    """
    head = head.removeprefix(_BYTE_ORDER_MARK)
    tried = DELIMITERS if delimiter is None else (delimiter,)
    found = [(first_row(head.lstrip(b"\r\n"), sign), sign) for sign in tried]
    names, sign = max(found, key=lambda one: len(one[0]))
    if len(names) < 2 or any("\n" in name for name in names):
        return None  # a quotation mark that is not closed would make a header of all rows
    return Dialect(sign, tuple(name.strip() for name in names))


def read_rows(data: Input, dialect: Dialect, types: Mapping[str, pa.DataType], on_bad: OnBad) -> Iterator[Rows]:
    """The rows of a table in bounded memory; those of another width, or with bytes that are no text, are set aside.

    Args:
        data: the table.
        dialect: how it is written.
        types: the columns to read, and their types. In a block with a value of another type the column is text.
        on_bad: told of each row that is set aside.

    Raises:
        SourceError: a row has more than 64 MiB; what came before was yielded.
    """
    begun = not dialect.header
    for first_line, whole in whole_rows(data):
        block, line = whole, first_line
        if first_line == 1:
            block = block.removeprefix(_BYTE_ORDER_MARK)
        if not block.strip():
            continue
        if not begun:
            blank = len(block) - len(block.lstrip(b"\r\n"))
            line += block[:blank].count(b"\n")
            header = block[blank:].partition(b"\n")[0] + b"\n"  # no name has a line break
            line, block, begun = line + header.count(b"\n"), block[blank + len(header) :], True
        if block.strip():
            yield from _rows(block, line, dialect, types, on_bad)


def _rows(block: bytes, line: int, dialect: Dialect, types: Mapping[str, pa.DataType], on_bad: OnBad) -> Iterator[Rows]:
    if is_text(block) and not has_lone_return(block):
        lines = lines_of_rows(block, line)
        for wanted in (types, dict.fromkeys(types, pa.string())):
            table = _parsed(block, dialect, wanted)
            if table is not None and table.num_rows == len(lines):
                yield Rows({name: one_array(table.column(name)) for name in types}, lines)
                return
    places = {name: dialect.names.index(name) for name in types}
    kept: list[list[str]] = []
    numbers = []
    for number, row in rows_one_by_one(block, line, dialect.delimiter):
        reason = "malformed" if row is None else _fault(row, dialect, places)
        if row is not None and reason is None:
            kept.append(row)
            numbers.append(number)
        else:
            text = dialect.delimiter.join(row or ())
            on_bad(number, text.encode("utf-8", "surrogateescape"), reason or "malformed")
    if kept:
        columns = {name: _column([row[at] for row in kept], dialect.nulls) for name, at in places.items()}
        yield Rows(columns, np.array(numbers, np.int64))


def _fault(row: Sequence[str], dialect: Dialect, places: Mapping[str, int]) -> str | None:
    if len(row) != len(dialect.names):
        return "wrong_columns"
    values = (row[at] for at in places.values())
    return "not_text" if any(not value.isascii() and SURROGATE.search(value) for value in values) else None


def _column(values: Sequence[str], nulls: Sequence[str]) -> pa.Array:
    return pa.array([None if value in nulls else value for value in values], pa.string())


def _parsed(block: bytes, dialect: Dialect, types: Mapping[str, pa.DataType]) -> pa.Table | None:
    """The block as a table of these columns; None where a row does not fit."""
    # Columns go by their place: a header may have a name twice.
    chosen = {str(dialect.names.index(name)): kind for name, kind in types.items()}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(block),
            read_options=pa_csv.ReadOptions(
                column_names=list(map(str, range(len(dialect.names)))), use_threads=False, block_size=len(block) + 1
            ),
            parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(chosen),
                column_types=chosen,
                null_values=list(dialect.nulls),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table.rename_columns(list(types))
