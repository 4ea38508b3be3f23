"""A table or JSON that a mapping file describes: CSV and its like, Parquet, Arrow, JSON in any layout.

The columns that the mapping names must be there; all others are ignored. In JSON and in Parquet a name with dots leads
into objects: `source.ip`. What the rows hold is checked as that of every other format is.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.identity import BY_RECORD_ID
from attribution.errors import SourceError, near_words
from attribution.sources.columnar.opening import SoundBatch, columns_of, is_columnar, sound_batches
from attribution.sources.columnar.soundness import sound
from attribution.sources.delimited.rows import Dialect, dialect_of, read_rows
from attribution.sources.json.lines import JsonLines
from attribution.sources.json.pieces import rows_of_json
from attribution.sources.mapping.convert import block_of
from attribution.sources.mapping.file import Mapped
from attribution.sources.mapping.shape import is_json, keys_of
from attribution.sources.records.model import Account, Block, Format, Input
from attribution.sources.records.set_aside import OnBad, bad_lines

#: Columns of a file that an error names.
_SHOWN = 60
_Columns = Iterator[tuple[Mapping[str, pa.Array], np.ndarray]]


class MappedFormat(Format):
    """What one mapping file describes."""

    name = "mapping"
    how_to = "mapping"
    identity = BY_RECORD_ID

    def __init__(self, mapping: Mapped) -> None:
        """Read by a mapping."""
        self._mapping = mapping
        self._wanted = mapping.wanted
        self.flow_heartbeats = mapping.flow_heartbeats

    def matches(self, head: bytes) -> bool:
        """Whether content that begins so has the columns; a table without a header may be anything."""
        if is_json(head):
            return not self._missing(keys_of(head))
        dialect = self._dialect(head)
        return dialect is not None and not self._missing(dialect.names)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Blocks of the mapping's kind.

        Raises:
            SourceError: a column is missing, or the content is damaged; what came before was yielded.
        """
        set_aside = bad_lines(account, data.name, self._mapping.kind)
        head = data.head()
        if is_columnar(head):
            parts = self._of_columns(data)
        elif is_json(head):
            parts = self._of_json(data, set_aside)
        else:
            parts = self._of_text(data, set_aside)
        for columns, lines in parts:
            block = block_of(self._mapping, columns, lines, data.name, account)
            if block is not None:
                yield block

    def _of_columns(self, data: Input) -> _Columns:
        names = columns_of(data)
        paths = {column: (column,) if column in names else tuple(column.split(".")) for column in self._wanted}
        self._check(data, {column for column, path in paths.items() if path[0] in names}, names)
        row = 1
        for batch in sound_batches(data, {path[0] for path in paths.values()}):
            columns = {column: found for column, path in paths.items() if (found := _at(batch, path)) is not None}
            yield columns, np.arange(row, row + batch.rows, dtype=np.int64)
            row += batch.rows

    def _of_json(self, data: Input, set_aside: OnBad) -> _Columns:
        keys = keys_of(data.head())
        if keys:
            self._check(data, keys, list(keys))
        paths = {column: keys.get(column, tuple(column.split("."))) for column in self._wanted}
        reader = JsonLines(paths, nested=tuple(paths), apart=True, any_order=True)
        yield from rows_of_json(data, reader, set_aside)

    def _of_text(self, data: Input, set_aside: OnBad) -> _Columns:
        dialect = self._dialect(data.head())
        if dialect is None:
            raise SourceError(
                f"cannot read {data.name} by the mapping {self._mapping.path}: it is neither JSON nor a table with a "
                "header; say its delimiter and its columns in [table]"
            )
        self._check(data, dialect.names, dialect.names)
        if twice := [column for column in self._wanted if dialect.names.count(column) > 1]:
            raise SourceError(f"cannot read {data.name}: it has the column {twice[0]} twice; leave one of them out")
        types = {column: pa.string() for column in self._wanted if column in dialect.names}
        for rows in read_rows(data, dialect, types, set_aside):
            yield rows.columns, rows.lines

    def _dialect(self, head: bytes) -> Dialect | None:
        said = self._mapping
        if said.columns:
            return Dialect(said.delimiter or ",", said.columns, header=False, nulls=said.nulls)
        found = dialect_of(head, said.delimiter)
        return None if found is None else Dialect(found.delimiter, found.names, nulls=said.nulls)

    def _missing(self, columns: Collection[str]) -> list[str]:
        return [column for column, optional in self._wanted.items() if not optional and column not in columns]

    def _check(self, data: Input, there: Collection[str], shown: Collection[str]) -> None:
        missing = self._missing(there)
        if missing:
            near = near_words(missing[0], shown)
            rather = f"; did you mean {' or '.join(near)}?" if near else ""
            raise SourceError(
                f"cannot read {data.name} by the mapping {self._mapping.path}: it has no column {', '.join(missing)}; "
                f"it has {', '.join(list(shown)[:_SHOWN]) or 'none'}{rather}"
            )


def _at(batch: SoundBatch, path: tuple[str, ...]) -> pa.Array | None:
    """The column at a path; null where a part of the path is none."""
    column = batch.columns.get(path[0])
    for name in path[1:]:
        if column is None:
            return None
        kind = column.type
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return pa.nulls(batch.rows, pa.string())
        column = pc.struct_field(column, kind.get_field_index(name))
    return column if column is None or len(path) == 1 else sound(column)
