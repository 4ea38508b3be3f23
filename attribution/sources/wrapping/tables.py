"""Tables with one record as text in a column: CSV of CloudWatch Insights, Kibana, Grafana, and rows of Insights."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from attribution.errors import SourceError
from attribution.sources.json.documents import documents
from attribution.sources.records.json_values import Json
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.lines_of import lines_of, lines_of_column

#: What the column of the record is called, by whom most have.
_COLUMNS = ("@message", "message", "event.original", "log", "Line", "line", "_raw")
_BLOCK_BYTES = 4 << 20
_ROWS = 10_000
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_VALUE = re.compile(rb'"@message"\s*,\s*"value"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class CsvColumn:
    """A column of CSV with a header.

    Attributes:
        column: its name.
    """

    column: str

    @property
    def name(self) -> str:
        """As that of `Layer`."""
        return f"the column `{self.column}` of CSV"

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The values, numbered from 1; a row without one is skipped.

        Raises:
            SourceError: Arrow cannot read the table on; what came before was yielded.
        """
        number = 1

        def wrong_width(row: pa_csv.InvalidRow) -> str:
            report.on_bad(row.number or 0, row.text.encode("utf-8", "replace"), "wrong_columns")
            return "skip"

        try:
            reader = pa_csv.open_csv(
                _File(data),
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=wrong_width),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=[self.column],
                    column_types={self.column: pa.binary()},
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            for batch in reader:
                texts = _as_text(batch.column(0), number, report)
                if batch.num_rows:
                    yield lines_of_column(texts, np.arange(number, number + batch.num_rows))
                number += batch.num_rows
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise SourceError(f"cannot read on in {data.name} as CSV, after row {number - 1}: {error}") from None


def _as_text(column: pa.Array, number: int, report: Report) -> pa.Array:
    """The values as text; those that are no UTF-8 are set aside, those that are empty skipped."""
    if column.null_count:
        report.skip("no_record_inside", column.null_count)
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for row, value in enumerate(column.to_pylist(), number):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                report.on_bad(row, value, "not_text")
                texts.append(None)
        return pa.array(texts, pa.string())


class _File(io.RawIOBase):
    """An input as a file object that Arrow reads."""

    def __init__(self, data: Input) -> None:
        self._data = data

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes more; `b""` at the end."""
        return self._data.read(size if size >= 0 else _BLOCK_BYTES)


@dataclass(frozen=True)
class InsightsRows:
    """Rows of `aws logs get-query-results`: lists of fields, one of which is `@message`."""

    name: str = "rows of a CloudWatch Insights query"

    def peek(self, head: bytes) -> bytes:
        """The messages in the beginning of a document."""
        return _texts(_VALUE.findall(head))

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The messages, numbered from 1.

        Raises:
            SourceError: it is no JSON, or larger than 1 GiB.
        """
        number, texts = 1, list[str | None]()
        for document in documents(data):
            rows = document.get("results") if isinstance(document, dict) else None
            for row in rows if isinstance(rows, list) else ():
                texts.append(_message(row))
                if texts[-1] is None:
                    report.skip("no_record_inside", 1)
        for begin in range(0, len(texts), _ROWS):
            part = texts[begin : begin + _ROWS]
            yield lines_of(part, range(number + begin, number + begin + len(part)))


def _texts(quoted: list[bytes]) -> bytes:
    """JSON texts as lines."""
    found = []
    for text in quoted:
        with suppress(ValueError):
            found.append(str(json.loads(text)).replace("\n", " ").encode("utf-8", "replace") + b"\n")
    return b"".join(found)


def _message(row: Json) -> str | None:
    for field in row if isinstance(row, list) else ():
        if isinstance(field, dict) and field.get("field") == "@message":
            value = field.get("value")
            return value if isinstance(value, str) else None
    return None


@dataclass(frozen=True)
class Texts:
    """A JSON array of texts, as `--query 'events[].message'` prints them."""

    name: str = "a JSON array of texts"

    def peek(self, head: bytes) -> bytes:
        """The texts in the beginning of an array."""
        return _texts(_TEXT.findall(head))

    def unwrap(self, data: Input, report: Report) -> Lines:
        """The texts, numbered from 1.

        Raises:
            SourceError: it is no JSON, or larger than 1 GiB.
        """
        number = 1
        for document in documents(data):
            every = document if isinstance(document, list) else []
            for begin in range(0, len(every), _ROWS):
                part = every[begin : begin + _ROWS]
                texts = [value if isinstance(value, str) else None for value in part]
                if missing := texts.count(None):
                    report.skip("no_record_inside", missing)
                yield lines_of(texts, range(number, number + len(texts)))
                number += len(texts)


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that content with this beginning may have."""
    start = head.lstrip()
    if start.startswith(b"{") and b'"results"' in start and b'"field"' in start:
        yield InsightsRows()
    if start[:1] == b"[" and start[1:].lstrip()[:1] == b'"':
        yield Texts()
    line = start.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    try:
        names = next(csv.reader([line]), [])
    except csv.Error:
        return
    for column in _COLUMNS:
        if column in names and len(names) > 1:
            yield CsvColumn(column)
