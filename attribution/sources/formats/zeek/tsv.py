r"""Zeek's tab-separated logs as columns: the header decides everything, and a new one may come at any line.

The `#fields` line names the columns, which may begin with some of the site's own. Concatenated rotated logs have a
header in the middle. Values escape what would break the format as `\x09`.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from attribution.core.columnar.types import Column, Int64
from attribution.sources.records.set_aside import OnBad
from attribution.sources.records.text_lines import has_lone_return, is_text

#: Fields of a record inside of a row, as a site writes them that joins names by `_`, and as Zeek does.
SCOPED = {
    name.replace(".", "_"): name
    for name in ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "id.ctx.vlan", "id.ctx.inner_vlan")
}
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


@dataclass
class Header:
    """What the `#` lines said last. A `#separator` begins a new header, of which nothing is known.

    Attributes:
        separator: of columns; null if the header's is not one character, so that its rows cannot be read.
        set_separator: of the items of sets and vectors.
        empty: what stands for an empty value.
        unset: what stands for no value.
        path: the kind of log: `conn`, `dns`; empty if the header does not say it.
        fields: names of the columns, as `Zeek` writes them by default.
    """

    separator: str | None = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str = ""
    fields: list[str] = field(default_factory=list)

    def take(self, line: bytes) -> "Header":
        """The header with one `#` line more; lines that say nothing about the columns pass."""
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("#separator"):
            # The one directive that is written with a space, for the separator is not known yet.
            said = _unescape(text.partition(" ")[2].encode()) or "\t"
            return Header(separator=said if len(said) == 1 and said.isascii() and said not in "\r\n" else None)
        name, *values = text.split(self.separator) if self.separator else ("",)
        if name == "#fields":
            return replace(self, fields=_as_by_default(values))
        if name == "#set_separator" and values:
            return replace(self, set_separator=_unescape(values[0].encode()) or self.set_separator)
        if name == "#path" and values:
            return replace(self, path=values[0])
        if name == "#empty_field" and values:
            return replace(self, empty=values[0])
        return replace(self, unset=values[0]) if name == "#unset_field" and values else self


@dataclass(frozen=True)
class Rows:
    """Rows of one log under one header.

    Attributes:
        path: the kind of log: `conn`, `dns`.
        header: in force for these rows.
        columns: the wanted fields; null where unset or empty, or where the log lacks them.
        lines: 1-based line of each row.
    """

    path: str
    header: Header
    columns: dict[str, Column]
    lines: Int64


class TsvReader:
    """Reads blocks of lines; the header is remembered from one to the next."""

    def __init__(
        self, wanted: Mapping[str, Mapping[str, pa.DataType]], telltale: Mapping[str, str] | None = None
    ) -> None:
        """Read the fields that `wanted` names for each log path, with the Arrow type to try first for each.

        A field whose values do not fit that type is text. Logs of other paths are yielded without columns. Of a header
        without a path, the fields of `telltale` say which log it is of.
        """
        self.header = Header()
        self._wanted = wanted
        self._telltale = telltale or {}
        self._as_text: set[tuple[str, ...]] = set()

    def read(self, block: bytes, first_line: int, on_bad: OnBad) -> Iterator[Rows]:
        """The rows of a block of whole lines, in order.

        Args:
            block: whole lines; the last may lack its newline.
            first_line: 1-based number of the block's first line.
            on_bad: told of every line that has another number of columns than its header, or no usable header. It is
                also told of lines that are no text, or have a carriage return inside.
        """
        at = 0
        while at < len(block):
            if block.startswith(b"#", at):
                end = block.find(b"\n", at) + 1 or len(block)
                self.header = self.header.take(block[at:end])
                first_line += 1
            else:
                end = block.find(b"\n#", at) + 1 or len(block)
                body = block[at:end]
                yield from self._body(body, first_line, on_bad)
                first_line += body.count(b"\n")
            at = end

    def _body(self, body: bytes, first_line: int, on_bad: OnBad) -> Iterator[Rows]:
        body, numbers = _sound_lines(body, first_line, on_bad)
        if not body:
            return
        if not self.header.fields:
            for number, line in zip(numbers.tolist(), body.split(b"\n"), strict=False):
                if line.strip():
                    on_bad(number, line, "unusable_header")
            return
        path = self.header.path or next((self._telltale[n] for n in self.header.fields if n in self._telltale), "")
        wanted = self._wanted.get(path)
        if wanted is None:
            yield Rows(path, self.header, {}, numbers)
            return
        columns, numbers = self._parse(body, numbers, wanted, on_bad)
        yield Rows(path, self.header, columns, numbers)

    def _parse(
        self, body: bytes, numbers: Int64, wanted: Mapping[str, pa.DataType], on_bad: OnBad
    ) -> tuple[dict[str, Column], Int64]:
        key = tuple(self.header.fields)
        if key not in self._as_text:
            try:
                return self._table(body, numbers, wanted, on_bad)
            except pa.ArrowInvalid:
                # A value does not fit its type, as ISO times do not. It is for validation to say so: all is text.
                self._as_text.add(key)
        return self._table(body, numbers, dict.fromkeys(wanted, pa.string()), on_bad)

    def _table(
        self, body: bytes, numbers: Int64, types: Mapping[str, pa.DataType], on_bad: OnBad
    ) -> tuple[dict[str, Column], Int64]:
        bad: list[tuple[int, str]] = []

        def set_aside(row: pcsv.InvalidRow) -> str:
            bad.append((row.number - 1, row.text))
            return "skip"

        # Two columns of one name would be read as the last; the site's own come first, so that Zeek's win.
        unique = {name: index for index, name in enumerate(self.header.fields)}
        names = [n if unique[n] == i else f"{n}\0{i}" for i, n in enumerate(self.header.fields)]
        present = [name for name in types if name in unique]
        table = pcsv.read_csv(
            io.BytesIO(body),
            read_options=pcsv.ReadOptions(column_names=names, use_threads=False, block_size=len(body) + 1),
            parse_options=pcsv.ParseOptions(
                delimiter=self.header.separator, quote_char=False, escape_char=False, invalid_row_handler=set_aside
            ),
            convert_options=pcsv.ConvertOptions(
                column_types={name: types[name] for name in present},
                include_columns=present,
                strings_can_be_null=True,
                null_values=[self.header.unset, self.header.empty],
            ),
        )
        for index, text in bad:
            if text.strip():
                on_bad(int(numbers[index]), text.encode(), "wrong_columns")
        if bad:
            numbers = np.delete(numbers, [index for index, _ in bad])
        columns = {
            name: table.column(name) if name in unique else pa.nulls(len(numbers), kind) for name, kind in types.items()
        }
        return columns, numbers


def unescape(column: Column) -> Column:
    r"""Text with Zeek's `\x09` escapes undone; the column itself where it has none."""
    if not pc.any(pc.match_substring(column, "\\x")).as_py():
        return column
    return pa.array([None if v is None else _unescape(v.encode()) for v in column.to_pylist()], pa.string())


def split(column: Column, header: Header) -> Column:
    """A text column of sets or vectors as lists; items are still escaped."""
    return pc.split_pattern(column, header.set_separator)


def _unescape(value: bytes) -> str:
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), value).decode("utf-8", "replace")


def _as_by_default(names: list[str]) -> list[str]:
    """The names of columns with a dot between a record and its field, where a site chose `_` (`default_scope_sep`)."""
    return [name if SCOPED.get(name, name) in names else SCOPED[name] for name in names]


def _sound_lines(body: bytes, first_line: int, on_bad: OnBad) -> tuple[bytes, Int64]:
    """The lines that are not blank and are text of one line, and their numbers; the others are set aside."""
    blank = body.startswith((b"\n", b"\r\n")) or b"\n\n" in body or b"\n\r\n" in body
    if not blank and is_text(body) and not has_lone_return(body):
        count = body.count(b"\n") + (not body.endswith(b"\n"))
        return body, np.arange(first_line, first_line + count, dtype=np.int64)
    kept, numbers = [], []
    for number, line in enumerate(body.split(b"\n"), first_line):
        content = line.removesuffix(b"\r")
        if not is_text(content):
            on_bad(number, line, "not_text")
        elif b"\r" in content:
            on_bad(number, line, "malformed")
        elif content.strip():
            kept.append(content)
            numbers.append(number)
    return b"\n".join(kept), np.array(numbers, np.int64)
