r"""Texts as lines: one record to a line, whatever line breaks it had, with the numbers that it had.

>>> lines_of(["{\n}", None, "a\n"], [3, 4, 6])
(3, b'{ }\n\n\na\n')
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Column, Int64

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
