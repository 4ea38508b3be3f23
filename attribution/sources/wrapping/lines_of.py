r"""Texts as lines: one record to a line, whatever line breaks it had, with the numbers that it had.

>>> lines_of(["{\n}", None, "a\n"], [3, 4, 6])
(3, b'{ }\n\n\na\n')
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Column, Int64
from attribution.sources.records.json_values import Json, load
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Lines, Report

_BLOCK_BYTES = 4 << 20
_ROWS = 10_000
_JSON = ("{", "[")


def lines_of(texts: Sequence[str | None], numbers: Sequence[int]) -> tuple[int, bytes]:
    """A block of lines, and the number of the first.

    Args:
        texts: in order; a null is a blank line. The line breaks of JSON become blanks; at the end of a text they are
            left out; others stay, so that such a text is several lines.
        numbers: of the lines, ascending; those between are blank lines.
    """
    if None not in texts and len(numbers) == numbers[-1] - numbers[0] + 1:
        block = "\n".join(texts)  # type: ignore[arg-type]
        if block.count("\n") == len(texts) - 1 and "\r" not in block:
            return numbers[0], block.encode("utf-8", "surrogatepass") + b"\n"
    first = following = numbers[0]
    parts = []
    for text, number in zip(texts, numbers, strict=True):
        parts.append("\n" * (number - following))
        parts.append(_one_line(text or ""))
        parts.append("\n")
        following = number + 1
    return first, "".join(parts).encode("utf-8", "surrogatepass")


def lines_of_column(texts: Column, numbers: Int64) -> tuple[int, bytes]:
    """As `lines_of`, with a column of text; one pass if the lines follow each other and have no line breaks."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    following = int(numbers[-1]) - int(numbers[0]) + 1 == len(numbers)
    if following and not column.null_count:
        block = _joined(column)
        if block is None:
            block = _joined(pc.utf8_rtrim(column, "\r\n"))
        if block is not None:
            return int(numbers[0]), block
    return lines_of(column.to_pylist(), numbers.tolist())


def blocks_of(texts: Iterable[str | None]) -> Lines:
    """Texts as blocks of lines, numbered from 1; each block as `lines_of`."""
    number, following = 1, iter(texts)
    while part := list(islice(following, _ROWS)):
        yield lines_of(part, range(number, number + len(part)))
        number += len(part)


def line_by_line(data: Input, report: Report, text_of: Callable[[Json], str | None]) -> Lines:
    """The text in the JSON value of each line, on the line that it had; a line without one is malformed."""
    for first_line, block in data.lines(_BLOCK_BYTES):
        values: list[str | None] = []
        for number, line in enumerate(block.removesuffix(b"\n").split(b"\n"), first_line):
            values.append(_text_in(line, number, report, text_of) if line.strip() else None)
        yield lines_of(values, range(first_line, first_line + len(values)))


def _text_in(line: bytes, number: int, report: Report, text_of: Callable[[Json], str | None]) -> str | None:
    reason = "malformed"
    try:
        text = text_of(load(line))
    except (ValueError, RecursionError) as error:
        text, reason = None, "not_text" if isinstance(error, UnicodeDecodeError) else reason
    if text is None:
        report.on_bad(number, line, reason)
    return text


def _joined(column: pa.Array) -> bytes | None:
    """The texts between line breaks; None if they have any of their own."""
    every = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    block: bytes = pc.binary_join(every, "\n")[0].as_buffer().to_pybytes() + b"\n"
    breaks = np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    return block if breaks == len(column) else None


def _one_line(text: str) -> str:
    text = text.rstrip("\r\n")
    if "\n" in text and text.lstrip().startswith(_JSON):
        return text.replace("\r", " ").replace("\n", " ")
    return text
