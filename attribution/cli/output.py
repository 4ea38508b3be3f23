"""The options and the formats that every verb shares: a table for people, JSON and CSV for programs, to a file or not.

Machine formats hold numbers as they are and times in ISO 8601; tables hold both as people read them. A table on a
terminal leaves out its least important columns where the terminal is narrow, and says so; elsewhere it is as wide as it
needs to be. Colours appear on terminals only (and not where `NO_COLOR` is set).
"""

import csv
import functools
import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from attribution.errors import AttributionError
from attribution.query.measures import (
    format_bytes,
    format_count,
    format_factor,
    format_share,
    format_span,
    visible,
)
from attribution.query.window import format_time

Kind = Literal["text", "number", "count", "bytes", "share", "factor", "time", "span"]

#: Wide enough for any row: output that is not for a terminal is never cut.
_UNBOUNDED = 1_000_000
_NOTHING = "-"
#: Blanks between two columns.
_BETWEEN = 3


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        name: the key of its value in a row; its heading in CSV.
        title: heading in a table; the name where it is empty.
        kind: how a table shows its values: `count` and `bytes` are numbers, `share` a number from 0 to 1, `factor` how
            many times more, `time` a datetime, `span` microseconds; `number` is shown as it is.
        rank: 0 is always shown; where a terminal is narrow, of the others first those of the lowest rank.
        style: rich style of its cells.
    """

    name: str
    title: str = ""
    kind: Kind = "text"
    rank: int = 0
    style: str = ""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the answer goes and in which format; made by `output_options`."""

    format: str
    path: Path | None

    def table(
        self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, title: str = "", note: str = ""
    ) -> None:
        """Write rows in the chosen format, which is table, json or csv; title and note appear in tables only.

        JSON and CSV hold every key of the rows, also those that are no column.
        """
        if self.format == "json":
            self.json(list(rows))
        elif self.format == "csv":
            self.csv(list(rows[0]) if rows else [column.name for column in columns], rows)
        else:
            self.document([Section(columns=columns, rows=rows, title=title, note=note)])

    def document(self, parts: Sequence["Section | str"]) -> None:
        """Write text and tables one after the other, for people."""
        if self.path is None and sys.stdout.isatty():
            _print(Console(highlight=False), parts)
            return
        target = io.StringIO()
        _print(Console(file=target, highlight=False, width=_UNBOUNDED, color_system=None), parts)
        # Cells are padded to the width of their column, also the last one.
        self.text("".join(f"{line.rstrip()}\n" for line in target.getvalue().removesuffix("\n").split("\n")))

    def json(self, value: Any) -> None:
        """Write a value as JSON, indented by two; times become ISO 8601."""
        self.text(json.dumps(value, indent=2, ensure_ascii=False, default=_json, allow_nan=False) + "\n")

    def csv(self, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as CSV with a header; lists and objects inside become JSON."""
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_csv(row.get(name)) for name in names] for row in rows)
        self.text(target.getvalue())

    def text(self, text: str) -> None:
        """Write text as it is: to standard output, or to the file, which appears when it is whole.

        Raises:
            OutputError: the file cannot be written.
        """
        if self.path is None:
            click.echo(text.encode(), nl=False)
            return
        _write_whole(self.path, text)


class OutputError(AttributionError):
    """The answer cannot be written where it was to go."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table in a document for people."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    note: str = ""


def output_options(*more: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options `--format` and `--output`, as one argument `output` of the decorated command function.

    Args:
        more: formats of this verb beside table, json and csv.
    """
    formats = ("table", "json", "csv", *more)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
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
            "-o",
            "--output",
            "path",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write to this file instead of standard output.",
        )
        @functools.wraps(function)
        def wrapped(*args: Any, format_: str, path: Path | None, **kwargs: Any) -> Any:
            return function(*args, output=Output(format=format_, path=path), **kwargs)

        return wrapped

    return decorate


def _write_whole(path: Path, text: str) -> None:
    """Write beside the target, then rename: who reads the target sees the old or the new text, whole."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with staged.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        staged.replace(path)
    except OSError as error:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another file with --output") from error


def _print(console: Console, parts: Sequence[Section | str]) -> None:
    for number, part in enumerate(parts):
        if number and isinstance(part, Section):
            console.print()
        if isinstance(part, str):
            console.print(Text(visible_lines(part)))
        else:
            _print_section(console, part)


def _print_section(console: Console, section: Section) -> None:
    if section.title:
        console.print(Text(visible_lines(section.title), style="bold"))
    cells = [[_cell(column, row.get(column.name)) for column in section.columns] for row in section.rows]
    kept = _fitting(section.columns, cells, console.width)
    if section.rows:
        _print_rows(
            console, [section.columns[index] for index in kept], [[row[index] for index in kept] for row in cells]
        )
    left_out = [_heading(column) for index, column in enumerate(section.columns) if index not in kept]
    if left_out and section.rows:
        columns = "column" if len(left_out) == 1 else "columns"
        text = f"{columns} left out at this width: {', '.join(left_out)} (--format json or csv has all)"
        console.print(Text(text, style="dim"))
    if section.note:
        console.print(Text(visible_lines(section.note), style="dim"))


def _print_rows(console: Console, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        number = column.kind not in ("text", "time")
        table.add_column(
            _heading(column), justify="right" if number else "left", no_wrap=number, overflow="fold", style=column.style
        )
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(Padding(table, 0, expand=False))


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns to show: those of rank 0, and of the others, the lowest rank first, each that still fits."""
    wide = [
        max(cell_len(_heading(column)), *(cell_len(row[index]) for row in cells)) + _BETWEEN if cells else 0
        for index, column in enumerate(columns)
    ]
    kept = {index for index, column in enumerate(columns) if column.rank == 0}
    taken = sum(wide[index] for index in kept)
    for index in sorted(range(len(columns)), key=lambda index: columns[index].rank):
        if index not in kept and taken + wide[index] <= width + _BETWEEN:
            kept.add(index)
            taken += wide[index]
    return sorted(kept)


def _heading(column: Column) -> str:
    return column.title or column.name.replace("_", " ")


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return _NOTHING
    return _SHOWN[column.kind](value)


def visible_lines(text: str) -> str:
    """Text of our own with line ends; whatever else does not print becomes its escape."""
    return "\n".join(visible(line) for line in text.split("\n"))


#: How a table shows the values of each kind of column.
_SHOWN: dict[Kind, Callable[[Any], str]] = {
    "text": lambda value: visible(str(value)),
    "number": lambda value: visible(str(value)),
    "count": format_count,
    "bytes": format_bytes,
    "share": lambda value: format_share(round(value * 10**9), 10**9),
    "factor": format_factor,
    "time": lambda value: f"{value:%Y-%m-%d %H:%M:%S}",
    "span": format_span,
}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def _csv(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_json, allow_nan=False)
    return value
