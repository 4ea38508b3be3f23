r"""Whole rows of delimited text, out of the chunks in which it is read; a quoted value may have line breaks.

>>> end_of_rows(b'a,"b\nc"\nd,"e\n')
8
"""

import csv
import io
import re
from collections.abc import Iterator

import numpy as np

from attribution.core.columnar.types import Int64
from attribution.errors import SourceError
from attribution.sources.records.model import Input

_READ_BYTES = 4 << 20
#: No row is as large; behind a quotation mark that is never closed, all that follows would be one row.
LARGEST_ROW = 64 << 20
#: Half of a surrogate pair, which stands for a byte that is no UTF-8.
SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTE, _BREAK, _RETURN = ord('"'), ord("\n"), ord("\r")


def whole_rows(data: Input) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole rows, each with the 1-based line on which it begins.

    Raises:
        SourceError: a row has more than 64 MiB; what came before was yielded.
    """
    line, rest = 1, b""
    while chunk := data.read(_READ_BYTES):
        rest += chunk
        whole = rest[: end_of_rows(rest)]
        rest = rest[len(whole) :]
        if len(rest) > LARGEST_ROW:
            raise SourceError(
                f"cannot read on in {data.name} as a table: the row on line {line + whole.count(_LF)} has over 64 MiB; "
                "a quotation mark may not be closed"
            )
        if whole:
            yield line, whole
            line += whole.count(_LF)
    if rest.strip():
        yield line, rest


def end_of_rows(text: bytes) -> int:
    """Where the last row that is whole ends: a line break outside of quotation marks."""
    outside = _ends(np.frombuffer(text, np.uint8))
    return int(outside[-1]) + 1 if len(outside) else 0


def lines_of_rows(text: bytes, first_line: int) -> Int64:
    """The line on which each row of whole rows begins; blank rows are none.

    Right where quotation marks stand around whole values only.
    """
    characters = np.frombuffer(text, np.uint8)
    ends = _ends(characters)
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    starts = np.append(0, ends[:-1] + 1)
    breaks = np.flatnonzero(characters == _BREAK)
    lines = first_line + np.searchsorted(breaks, starts)
    length = ends - starts
    with_return = (length == 1) & (characters[np.minimum(starts, len(text) - 1)] == _RETURN)
    found: Int64 = lines[(length > 0) & ~with_return]
    return found


def first_row(head: bytes, delimiter: str) -> list[str]:
    """The values of the first row that is not blank; none where it cannot be parsed."""
    try:
        return next((row for row in csv.reader(_text(head), delimiter=delimiter) if row), [])
    except csv.Error:
        return []


def rows_one_by_one(text: bytes, first_line: int, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """The rows that are not blank, each with its line; bytes that are no UTF-8 are halves of surrogate pairs.

    A row that cannot be parsed is None.
    """
    usual = csv.field_size_limit(LARGEST_ROW)
    try:
        reader = csv.reader(_text(text), delimiter=delimiter)
        while True:
            line = first_line + reader.line_num
            try:
                row = next(reader, None)
            except csv.Error:
                yield line, None
                continue
            if row is None:
                return
            if row:
                yield line, row
    finally:
        csv.field_size_limit(usual)


def _ends(characters: np.ndarray) -> Int64:
    quotes, breaks = np.flatnonzero(characters == _QUOTE), np.flatnonzero(characters == _BREAK)
    if not len(quotes):
        return breaks
    outside: Int64 = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return outside


def _text(text: bytes) -> io.StringIO:
    return io.StringIO(text.decode("utf-8", "surrogateescape"), newline="")


_LF = b"\n"
