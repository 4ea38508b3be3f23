"""The options and the formats that every verb shares: a table for people, JSON and CSV for programs, to a file or not.

Machine formats hold numbers as they are and times in ISO 8601; tables hold both as people read them. A table on a
terminal leaves out its least important columns where the terminal is narrow, and says so; elsewhere it is as wide as it
needs to be. Colours appear on terminals only (and not where `NO_COLOR` is set).
"""

import csv
import functools
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from attribution.cli.options.paths import LocalPath
from attribution.cli.render.columns import ChosenColumns, complete_columns
from attribution.cli.render.tables import Column, Section, lay_out
from attribution.cli.render.terminal import OutputError, answer
from attribution.lake.whole_file import check_writable, write_whole
from attribution.query.lake.times import format_time

#: How text begins that spreadsheets take for a formula.
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the wide ones

__all__ = ["Column", "Output", "OutputError", "Section", "output_options"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the answer goes and in which format; made by `output_options`."""

    format: str
    path: Path | None
    columns: ChosenColumns = field(default_factory=ChosenColumns)

    def table(
        self, columns: Sequence[Column], rows: Sequence[Mapping[str, object]], *, title: str = "", note: str = ""
    ) -> None:
        """Write rows in the chosen format, which is table, json or csv; title and note appear in tables only.

        JSON and CSV hold every key of the rows, also those that are no column.
        """
        if self.format == "json":
            self.json_rows(rows)
        elif self.format == "csv":
            self.csv(list(rows[0]) if rows else [column.name for column in columns], rows)
        else:
            self.document([Section(columns=columns, rows=rows, title=title, note=note)])

    def document(self, parts: Sequence[Section | str]) -> None:
        """Write text and tables one after the other, for people; of the tables the columns that were chosen."""
        parts = self.columns.parts(parts)
        if self.path is None and sys.stdout is not None and sys.stdout.isatty():
            console = Console(highlight=False, soft_wrap=True)
            with console.capture() as shown:
                for line in lay_out(parts, console.width):
                    console.print(Text(line.text, style=line.style))
            answer(shown.get())
            return
        self.text("".join(f"{line.text}\n" for line in lay_out(parts, None)))

    def json_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write a list of rows as JSON, with the columns that were chosen."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        self._json(self.columns.rows(names, rows) if rows and self.columns.names else list(rows))

    def json(self, value: object) -> None:
        """Write a value as JSON, indented by two; times become ISO 8601.

        Raises:
            click.UsageError: columns were chosen, and the value is no list of rows.
        """
        if self.columns.names:
            raise click.UsageError("this JSON is one object: leave out --columns, or take --format csv")
        self._json(value)

    def _json(self, value: object) -> None:
        self.text(json.dumps(value, indent=2, ensure_ascii=False, default=_json, allow_nan=False) + "\n")

    def csv(self, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
        """Write rows as CSV with a header; lists and objects inside become JSON.

        Text that a spreadsheet would run as a formula begins with an apostrophe here. JSON has the text as it is.
        """
        if self.columns.names:
            rows = self.columns.rows(names, rows)
            names = self.columns.names
        target = _CsvLines()
        # With this line end, a carriage return inside of a cell is quoted as a line feed is.
        writer = csv.writer(target, lineterminator="\r\n")
        writer.writerow(names)
        writer.writerows([_csv(row.get(name)) for name in names] for row in rows)
        self.text("".join(target))

    def text(self, text: str) -> None:
        """Write text as it is: to standard output, or to the file, which appears when it is whole.

        Raises:
            OutputError: it cannot be written.
        """
        if self.path is None:
            answer(text)
            return
        try:
            # Bytes that are no UTF-8, as in names of files, are lone surrogates here.
            write_whole(self.path, [text.encode("utf-8", "backslashreplace")])
        except BrokenPipeError:
            pass  # who reads the pipe has enough
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def check(self) -> None:
        """Find out, before there is an answer, that it cannot be written.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            if self.path is not None:
                check_writable(self.path)
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def output_options(*more: str, columns: Iterable[Column] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options `--format`, `--columns` and `--output`, as one argument `output` of the decorated command function.

    Args:
        more: formats of this verb beside table, json and csv.
        columns: those that its tables may have. Columns of an answer may always be chosen; these may be missing there.
    """
    formats = ("table", "json", "csv", *more)
    known = tuple(columns)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "-f",
            "--format",
            "format_",
            type=click.Choice(formats),
            default="table",
            show_default=True,
            help="How to write it.",
        )
        @click.option(
            "--columns",
            metavar="A,B,...",
            shell_complete=complete_columns(known),
            help="Write these columns of tables, CSV and lists of JSON, in this order.",
        )
        @click.option(
            "-o",
            "--output",
            "path",
            type=LocalPath(dir_okay=False),
            help="Write to this file instead of standard output.",
        )
        @functools.wraps(function)
        def wrapped(*args: object, format_: str, path: Path | None, columns: str | None, **given: object) -> None:
            output = Output(format=format_, path=path, columns=ChosenColumns.of(columns, known))
            output.check()
            function(*args, output=output, **given)

        return wrapped

    return decorate


def _cannot_write(path: Path | None, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose another file with --output")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


class _CsvLines(list[str]):
    """Lines of CSV, which end with a line feed only."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def _csv(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_RUN_BY_SPREADSHEETS) and not _is_number(value) else value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_json, allow_nan=False)
    return value
