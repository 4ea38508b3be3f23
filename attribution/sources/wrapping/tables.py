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
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from attribution.core.columnar.dictionaries import one_array
from attribution.sources.delimited.cutting import SURROGATE, rows_one_by_one, whole_rows
from attribution.sources.json.documents import documents
from attribution.sources.records.json_values import Json
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Lines, Report
from attribution.sources.wrapping.lines_of import blocks_of, lines_of, lines_of_column

#: What the column of the record is called, by whom most have.
_COLUMNS = ("@message", "message", "event.original", "log", "Line", "line", "_raw")
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BEGINS_TEXTS = re.compile(rb'\[\s*(?:\[\s*(?:\d+\s*,\s*)?)?"')
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
            SourceError: a row has more than 64 MiB, as behind a quotation mark that is never closed.
        """
        names: list[str] = []
        number = 1
        for _, whole in whole_rows(data):
            lines, names, number = self._lines(whole, names, number, report)
            yield lines

    def _lines(
        self, rows: bytes, names: list[str], number: int, report: Report
    ) -> tuple[tuple[int, bytes], list[str], int]:
        """The values of whole rows as lines; the names of the columns, and the number of the next row."""
        if not names:
            header = next(csv.reader(io.StringIO(rows.decode("utf-8", "surrogateescape"), newline="")), [])
            first, _, following = rows.partition(b"\n")
            return self._lines(following, header, number, report) if first else ((number, b""), [], number)
        column = _parsed(rows, names, self.column)
        if column is not None:
            numbers = np.arange(number, number + len(column))
            return lines_of_column(column, numbers) if len(column) else (number, b""), names, number + len(column)
        place, texts = names.index(self.column), list[str | None]()
        for at, (_, row) in enumerate(rows_one_by_one(rows, 1, ","), number):
            texts.append(_value(row or [], place, len(names), at, report))
        numbers_of = range(number, number + len(texts))
        return lines_of(texts, numbers_of) if texts else (number, b""), names, number + len(texts)


def _parsed(rows: bytes, names: list[str], column: str) -> pa.Array | None:
    """The values of a column; None if a row is not as wide as the header, has no value, or is no UTF-8."""
    try:
        rows.decode()
        table = pa_csv.read_csv(
            pa.BufferReader(rows),
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(rows) + 1),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()}),
        )
    except (pa.ArrowInvalid, UnicodeError):
        return None
    found = one_array(table.column(0))
    return None if pc.any(pc.equal(pc.utf8_trim_whitespace(found), "")).as_py() else found


def _value(row: list[str], place: int, width: int, number: int, report: Report) -> str | None:
    """The value of a row; None if there is none, which is reported."""
    if len(row) != width:
        report.on_bad(number, ",".join(row).encode("utf-8", "surrogateescape"), "wrong_columns")
        return None
    value = row[place]
    if not value.strip():
        report.skip_blank(value)
        return None
    if not value.isascii() and SURROGATE.search(value):
        report.on_bad(number, value.encode("utf-8", "surrogateescape"), "not_text")
        return None
    return value


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
        return blocks_of(_messages(data, report))


def _messages(data: Input, report: Report) -> Iterator[str | None]:
    number = 0
    for document in documents(data, ("results",)):
        rows = document.get("results") if isinstance(document, dict) else None
        for row in rows if isinstance(rows, list) else [document]:
            number += 1
            text = _message(row)
            if isinstance(row, str):  # it cannot be read
                report.on_bad(number, row.encode("utf-8", "surrogatepass"), "malformed")
            elif text is None:
                report.skip("no_record_inside", 1)
            yield text


def _only_text(value: Json) -> str | None:
    """The value, or the only text in a list: a record, or a record with its time."""
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return texts[0] if len(texts) == 1 and texts[0].strip() else None


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
            return value if isinstance(value, str) and value.strip() else None
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
        return blocks_of(_every_text(data, report))


def _every_text(data: Input, report: Report) -> Iterator[str | None]:
    for document in documents(data):
        for value in document if isinstance(document, list) else ():
            text = _only_text(value)
            if text is None:
                report.skip("no_record_inside", 1)
            yield text


def candidates(head: bytes) -> Iterator[Layer]:
    """The wrappings of this kind that content with this beginning may have."""
    start = head.lstrip()
    if start.startswith(b"{") and b'"results"' in start and b'"field"' in start:
        yield InsightsRows()
    if _BEGINS_TEXTS.match(start):
        yield Texts()
    line = start.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    try:
        names = next(csv.reader([line]), [])
    except csv.Error:
        return
    for column in _COLUMNS:
        if column in names and len(names) > 1:
            yield CsvColumn(column)
