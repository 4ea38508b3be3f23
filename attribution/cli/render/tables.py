"""Tables as lines of text: columns as wide as they need to be, or as a terminal lets them.

Rich draws tables well but slowly, a millisecond a row; thousands of edges are common here, so the lines are made by
hand and rich only colours them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len, chop_cells

from attribution.cli.render.measures import format_bytes, format_count, format_factor, format_share, visible
from attribution.query.lake.times import format_moment, format_span

Kind = Literal["text", "prose", "number", "count", "bytes", "share", "factor", "time", "span"]

_NOTHING = "-"
#: Blanks between two columns.
_BETWEEN = 3
#: How a line of text begins that has an indentation, a number or a dash.
_INDENT = re.compile(r"^ *(?:\d+\. |- )?")
#: No column that may be narrowed becomes narrower.
_NARROWEST = 12
_MAY_BE_NARROWED = ("text", "prose")
#: What stands for the middle of a cell that does not fit.
_CUT = "…"

#: How a table shows the values of each kind of column.
_SHOWN: dict[Kind, Callable[[Any], str]] = {
    "text": lambda value: visible(str(value)),
    "prose": lambda value: visible(str(value)),
    "number": lambda value: visible(str(value)),
    "count": format_count,
    "bytes": format_bytes,
    "share": lambda value: format_share(round(value * 10**9), 10**9),
    "factor": format_factor,
    "time": format_moment,
    "span": format_span,
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        name: the key of its value in a row; its heading in CSV.
        title: heading in a table; the name where it is empty.
        kind: how a table shows its values. `count` and `bytes` are numbers, `share` a number from 0 to 1, and `factor`
            how many times more. `time` is a datetime, `span` microseconds. `number` is shown as it is. Where a terminal
            is narrow, `text` is shortened in the middle, and `prose` goes on in the next line.
        rank: where a terminal is narrow, columns of rank 0 are shown first, then those of the lowest rank.
    """

    name: str
    title: str = ""
    kind: Kind = "text"
    rank: int = 0

    @property
    def heading(self) -> str:
        """What stands above it in a table."""
        return self.title or self.name.replace("_", " ")

    def cell(self, value: object) -> str:
        """A value as the table shows it."""
        return _NOTHING if value is None else _SHOWN[self.kind](value)


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table in a document for people; the note stands below it."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, object]]
    title: str = ""
    note: str = ""


class Verbatim(str):
    """Text whose lines are never broken, such as commands: a person copies it."""

    __slots__ = ()


@dataclass(frozen=True)
class Line:
    """A line of text without its end, and the rich style of it."""

    text: str
    style: str = ""


def lay_out(parts: Sequence[Section | str], width: int | None) -> Iterator[Line]:
    """Text and tables one after the other, as lines.

    Args:
        parts: text of our own, or tables. What does not print becomes its escape: names come out of logs. Lines that
            are wider than the terminal are broken, but for those of `Verbatim`.
        width: of the terminal, in cells; None for as wide as it needs to be.
    """
    for number, part in enumerate(parts):
        if isinstance(part, str):
            yield from _prose(part, None if isinstance(part, Verbatim) else width)
            continue
        if number:
            yield Line("")
        yield from _section(part, width)


def _section(section: Section, width: int | None) -> Iterator[Line]:
    if section.title:
        yield from _prose(section.title, width, style="bold")
    if section.rows:
        cells = [[column.cell(row.get(column.name)) for column in section.columns] for row in section.rows]
        needed = [max(map(cell_len, texts)) for texts in zip(*([*_headings(section.columns)], *cells), strict=True)]
        kept = _fitting(section.columns, needed, width)
        columns = [section.columns[index] for index in kept]
        shown = [[row[index] for index in kept] for row in cells]
        widths = _narrowed(columns, [needed[index] for index in kept], width)
        yield from _table(columns, shown, widths)
        for text in _what_is_not_shown(section.columns, kept, cut=_are_cut(columns, shown, widths)):
            yield from _prose(text, width, style="dim")
    if section.note:
        yield from _prose(section.note, width, style="dim")


def _what_is_not_shown(columns: Sequence[Column], kept: Sequence[int], *, cut: bool) -> Iterator[str]:
    left_out = [column.name for index, column in enumerate(columns) if index not in kept]
    if left_out:
        noun = "column" if len(left_out) == 1 else "columns"
        yield f"{noun} left out at this width: {', '.join(left_out)} (--columns chooses, --format json or csv has all)"
    if cut:
        yield f"{_CUT} stands for what does not fit at this width: --columns leaves out others, --format csv has all"


def _headings(columns: Sequence[Column]) -> list[str]:
    return [column.heading for column in columns]


def _fitting(columns: Sequence[Column], needed: Sequence[int], width: int | None) -> list[int]:
    """The columns to show, those of the lowest rank first.

    Columns of rank 0 may be narrowed to fit, and the last of them give way if they still do not. Of the others, each is
    shown that fits as wide as it needs to be.
    """
    if width is None:
        return list(range(len(columns)))
    kept = [index for index, column in enumerate(columns) if column.rank == 0] or [0]
    while len(kept) > 1 and _taken(_least(columns[index], needed[index]) for index in kept) > width:
        kept.pop()
    for index in sorted(range(len(columns)), key=lambda index: columns[index].rank):
        if columns[index].rank and index not in kept and _taken(needed[one] for one in (*kept, index)) <= width:
            kept.append(index)
    return sorted(kept)


def _taken(widths: Iterable[int]) -> int:
    """Cells of a line with columns so wide."""
    found = list(widths)
    return sum(found) + _BETWEEN * (len(found) - 1)


def _least(column: Column, needed: int) -> int:
    return min(needed, _NARROWEST) if column.kind in _MAY_BE_NARROWED else needed


def _narrowed(columns: Sequence[Column], needed: Sequence[int], width: int | None) -> list[int]:
    """Widths that fit: the widest column of text gives way, until the next one is as wide."""
    widths = list(needed)
    if width is None:
        return widths
    texts = [index for index, column in enumerate(columns) if column.kind in _MAY_BE_NARROWED]
    while _taken(widths) > width:
        widest = max(texts, key=lambda index: widths[index], default=-1)
        if widest < 0 or widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    # A single column that is still too wide is cut, whatever it holds.
    return widths if len(widths) > 1 else [min(widths[0], width)]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[Line]:
    right = [column.kind not in (*_MAY_BE_NARROWED, "time") for column in columns]
    headings = [[shortened(heading, its)] for heading, its in zip(_headings(columns), widths, strict=True)]
    for text in _row(headings, widths, right):
        yield Line(text, "bold")
    yield Line("─" * _taken(widths))
    for row in rows:
        for text in _row([_lines(*cell) for cell in zip(columns, row, widths, strict=True)], widths, right):
            yield Line(text)


def _lines(column: Column, cell: str, width: int) -> list[str]:
    return _wrapped(cell, width) if column.kind == "prose" else [shortened(cell, width)]


def _are_cut(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> bool:
    """Whether a cell does not stand there whole."""
    cut = [index for index, column in enumerate(columns) if column.kind != "prose"]
    return any(cell_len(row[index]) > widths[index] for row in rows for index in cut)


def _row(cells: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    """The lines of one row: more than one where a cell goes on."""
    for number in range(max(map(len, cells))):
        texts = [lines[number] if number < len(lines) else "" for lines in cells]
        yield (" " * _BETWEEN).join(map(_padded, texts, widths, right)).rstrip()


def shortened(text: str, width: int) -> str:
    """The text in at most `width` cells, by leaving out its middle.

    >>> shortened("checkout-7f9c6d5b8-x2x4q", 15)
    'checkou…8-x2x4q'
    """
    if cell_len(text) <= width:
        return text
    head = _start(text, width // 2)
    tail = _start(text[::-1], width - cell_len(head) - cell_len(_CUT))[::-1]
    return f"{head}{_CUT}{tail}"


def _start(text: str, width: int) -> str:
    """As much of the start of a text as has at most `width` cells."""
    taken = 0
    for number, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:number]
    return text


def _padded(text: str, width: int, right: bool) -> str:  # noqa: FBT001 - a column of a map, not a switch
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def _prose(text: str, width: int | None, *, style: str = "") -> Iterator[Line]:
    for line in text.split("\n"):
        shown = visible(line)
        if width is None or cell_len(shown) <= width:
            yield Line(shown, style)
            continue
        # What is indented, or an item of a list, goes on where its text begins.
        begin = len(shown) - len(_INDENT.sub("", shown, count=1))
        first, *others = _wrapped(shown[begin:], width - begin)
        yield Line(shown[:begin] + first, style)
        yield from (Line(" " * begin + part, style) for part in others)


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, between words where it can; a longer word is cut up, never off."""
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        pieces = chop_cells(word, width) if cell_len(word) > width else [word]
        lines += pieces if lines[-1] else []
        if not lines[-1]:
            lines[-1:] = pieces
    return lines
