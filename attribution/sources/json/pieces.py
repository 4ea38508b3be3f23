"""Rows of JSON in any of its layouts: an object to a line, an array of objects, objects over several lines."""

from collections.abc import Iterator

import pyarrow as pa

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Int64
from attribution.sources.json.lines import JsonLines
from attribution.sources.json.objects import is_json_lines, object_lines
from attribution.sources.records.model import Input
from attribution.sources.records.set_aside import OnBad

_BLOCK_BYTES = 4 << 20


def rows_of_json(data: Input, reader: JsonLines, on_bad: OnBad) -> Iterator[tuple[dict[str, pa.Array], Int64]]:
    """The fields of `reader` of all objects, some rows at a time, with the line on which each object begins.

    Raises:
        SourceError: it cannot be cut into objects; what came before was yielded.
    """
    if is_json_lines(data.head()):
        for first_line, block in data.lines(_BLOCK_BYTES):
            for piece in reader.read(block, first_line, on_bad):
                yield {field: one_array(column) for field, column in piece.columns.items()}, piece.lines
        return
    for numbers, block in object_lines(data, on_bad):

        def set_object_aside(place: int, content: bytes, reason: str, numbers: Int64 = numbers) -> None:
            on_bad(int(numbers[place - 1]), content, reason)

        for piece in reader.read(block, 1, set_object_aside):
            columns = {field: one_array(column) for field, column in piece.columns.items()}
            yield columns, numbers[piece.lines - 1]
