"""AWS flow logs as text: VPC versions 2 to 10 in the default or any custom format, and transit gateways.

A file is lines of values between single spaces. Files that AWS delivers start with a header. Logs exported from
CloudWatch have none and may start each line with a timestamp. Without a header only the default format can be told, by
its 14 columns. Files put together carry a header in the middle, which may change the columns. What `table` reads are
the same logs as CSV and TSV, with a header.

Blocks of lines are read whole, as typed columns. This fails for a header, a line of the wrong length, or text where a
number belongs. Only such a block is looked at line by line, so that just its bad rows are set aside. `start` and `end`
are numbers in every layout, so a header in the middle never passes for a row.
"""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from attribution.core.columnar.types import Int64
from attribution.errors import SourceError
from attribution.schema import FLOW
from attribution.sources.formats.vpc.fields import VERSION_2, Layout, header_layout
from attribution.sources.formats.vpc.rows import SKIPS, RowReader
from attribution.sources.formats.vpc.table import dialect_of_log, read_table
from attribution.sources.formats.vpc.wants import WANTS
from attribution.sources.records.identity import BY_INTERFACE
from attribution.sources.records.model import Account, Block, FlowHeartbeats, Format, Input, Reject
from attribution.sources.records.text_lines import has_lone_return, is_text

#: Bytes read at a time, and parsed at a time: the parser is fastest while a piece stays in the processor's cache.
_BLOCK = 8 << 20
_PIECE = 256 << 10

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
_INTERFACE = re.compile(r"eni-[0-9a-z]+")
_STATUSES = frozenset({"OK", "NODATA", "SKIPDATA"})
_OUTCOMES = frozenset({"ACCEPT", "REJECT", *_STATUSES})
#: No field's name has a digit, and hardly any row is without one.
_MAYBE_HEADER = re.compile(rb"[a-z_${} -]+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200


class VpcText(Format):
    """AWS flow logs as text, recognised by their header or, without one, by their rows."""

    name = "vpc"
    how_to = "vpc-flow-logs"
    skips = SKIPS
    lead = FLOW
    identity = BY_INTERFACE
    wants = WANTS
    flow_heartbeats: FlowHeartbeats = "none"

    def matches(self, head: bytes) -> bool:
        """Whether the first line is a flow log's header, also of CSV, or a row of the default format."""
        words = _first_words(head)
        return header_layout(words) is not None or _layout_of_row(words) is not None or dialect_of_log(head) is not None

    def resembles(self, head: bytes) -> bool:
        """Whether the first line has an interface and an outcome among its values, in an order that is not known."""
        words = _first_words(head)
        return any(map(_INTERFACE.fullmatch, words)) and not _OUTCOMES.isdisjoint(words)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Flows of the rows, and at the end the heartbeats of the ECS tasks that they name.

        Raises:
            SourceError: the first line is neither a header with the fields that a flow needs, nor a default row.
        """
        dialect = dialect_of_log(data.head())
        if dialect is not None:
            yield from read_table(data, dialect, account)
            return
        lines = _Lines(data.name, account)
        for first_line, block in data.lines(_BLOCK):
            yield from lines.flows(block, first_line)
        heartbeats = lines.rows.heartbeats()
        if heartbeats is not None:
            yield heartbeats


class _Lines:
    """Turns blocks of lines into flows, with the layout of the last header."""

    def __init__(self, source: str, account: Account) -> None:
        self.rows = RowReader(source, account)
        self._source = source
        self._account = account
        self._layout: Layout | None = None

    def flows(self, block: bytes, first_line: int) -> Iterator[Block]:
        """The flows of a block of whole lines, of which the first is line `first_line` of the source."""
        if first_line == 1:
            block = block.removeprefix(_BYTE_ORDER_MARK)
        end = block.find(b"\n") + 1 or len(block)
        if self._is_header(block[:end], first_line):
            block, first_line = block[end:], first_line + 1
        if self._layout is not None and not self._layout.missing and not has_lone_return(block):
            table = _parse(block, self._layout, self._layout.types, piece=_PIECE)
            if table is not None:
                yield from self._made(table, np.arange(first_line, first_line + table.num_rows, dtype=np.int64))
                return
        yield from self._line_by_line(block.split(b"\n"), first_line)

    def _line_by_line(self, lines: list[bytes], first_line: int) -> Iterator[Block]:
        """As `flows`, for blocks that hold a header or cannot be read whole."""
        kept: list[tuple[int, bytes]] = []
        for number, line in enumerate(lines, first_line):
            if not line.strip():
                continue
            layout = self._layout
            if self._is_header(line, number):
                yield from self._rows(kept, layout)
                kept = []
            else:
                kept.append((number, line))
        yield from self._rows(kept, self._layout)

    def _is_header(self, line: bytes, number: int) -> bool:
        """Whether the line is a header; if so, or if it is the first line of all, it decides the layout.

        Raises:
            SourceError: it is the first line of all, and leaves the layout unknown or useless.
        """
        if not line.strip() or (self._layout is not None and not _MAYBE_HEADER.fullmatch(line.strip())):
            return False
        words = _words(line)
        found = header_layout(words)
        if self._layout is None:
            self._layout = found or _layout_of_row(words)
            self._check_first(words, number)
        elif found is not None:
            self._layout = found
        return found is not None

    def _check_first(self, words: list[str], number: int) -> None:
        where = f"cannot read {self._source} as a flow log of AWS"
        if self._layout is None:
            raise SourceError(
                f"{where}: line {number} is no header but a row of {len(words)} columns, and only the default format "
                f"of {len(VERSION_2)} can be told without one; put the log's format as the first line, as in "
                f"'srcaddr dstaddr start end'"
            )
        if self._layout.missing:
            raise SourceError(
                f"{where}: the header on line {number} lacks {', '.join(self._layout.missing)}; "
                f"create the flow log with a format that has these fields"
            )

    def _rows(self, lines: list[tuple[int, bytes]], layout: Layout | None) -> Iterator[Block]:
        """The flows of lines that are no headers; lines that do not fit the layout are rejected."""
        if not lines or layout is None:
            return
        good, numbers = [], []
        for number, line in lines:
            values = line.split()
            if layout.missing:
                self._reject(number, "unusable_header", line, f"no {', '.join(layout.missing)} in the header above")
            elif len(values) != len(layout.columns):
                self._reject(number, "wrong_columns", line, f"{len(values)} columns, expected {len(layout.columns)}")
            elif not is_text(line):
                self._reject(number, "not_text", line, "no UTF-8")
            else:
                good.append(b" ".join(values))
                numbers.append(number)
        if good:
            block = b"\n".join(good)
            for types in (layout.types, layout.as_text):
                table = _parse(block, layout, types, piece=len(block) + 1)
                if table is not None:
                    yield from self._made(table, np.array(numbers, np.int64))
                    return

    def _made(self, table: pa.Table, lines: Int64) -> Iterator[Block]:
        block = self.rows.flows(table, lines)
        if block is not None:
            yield block

    def _reject(self, number: int, reason: str, line: bytes, what: str) -> None:
        found = f"{what}: {line.decode('utf-8', 'replace')[:_SHOWN]}"
        self._account.reject(Reject(self._source, number, reason, found, FLOW))


def _parse(block: bytes, layout: Layout, types: dict[str, pa.DataType], *, piece: int) -> pa.Table | None:
    """The block as a table of the columns that are read, or None where a line does not fit."""
    try:
        return pa_csv.read_csv(
            pa.BufferReader(block),
            read_options=pa_csv.ReadOptions(column_names=layout.columns, use_threads=False, block_size=piece),
            parse_options=pa_csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                include_columns=layout.read, column_types=types, null_values=["-"], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None


def _words(line: bytes) -> list[str]:
    return line.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace").split()


def _first_words(head: bytes) -> list[str]:
    return _words(next((line for line in head.split(b"\n") if line.strip()), b""))


def _layout_of_row(words: list[str]) -> Layout | None:
    """The default layout, with the timestamp before it that CloudWatch exports, where a row fits it."""
    stamped = words[1:] if words and _TIMESTAMP.fullmatch(words[0]) else words
    fits = len(stamped) == len(VERSION_2) and stamped[-2] in {*_OUTCOMES, "-"} and stamped[-1] in _STATUSES
    if not fits or not stamped[0].isdigit():
        return None
    return Layout(VERSION_2 if stamped is words else ("timestamp", *VERSION_2))


FORMATS: tuple[Format, ...] = (VpcText(),)
