"""A lake opened for questions: its Parquet folders as DuckDB views, its SQL files as named questions."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from attribution.config import Settings
from attribution.errors import ConfigError, LakeError
from attribution.lake.lake import check_partitions, read_manifest
from attribution.lake.layout import FOLDERS, MANIFEST, PARTITIONS
from attribution.lake.staging import scratch
from attribution.query.lake.query import Query
from attribution.query.lake.selection import Selection
from attribution.query.lake.times import from_microseconds
from attribution.query.lake.window import Window, parse_window
from attribution.schema import ATTRIBUTED_FLOW, arrow_schema, record

#: A row of an answer, column -> value; the SQL alone says which type a column has.
Row = dict[str, Any]

_GLOB_CHARACTER = re.compile(r"([*?\[])")

_MACROS = Query(__package__, "macros")
_EXTENT = Query(__package__, "extent")


class LakeSession:
    """One lake and an in-memory DuckDB over it; use it as a context manager, or close it.

    Raises:
        LakeError: the folder is no lake, or its lake.json is of a format that this version does not read.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        manifest = read_manifest(self.folder)
        try:
            #: The settings with which the lake's flows were attributed.
            # Where the lake does not say which ports are ephemeral, its version knew of none.
            given = {"ephemeral_ports": ""} | manifest.get("settings", {})
            self.settings = Settings.from_dict(given, where=str(self.folder / MANIFEST))
        except ConfigError as error:
            raise LakeError(f"cannot open the lake {self.folder}: {error}; replay the logs with this version") from None
        # Spilled data belongs in the system's folder for such things, not in whatever folder the person stands in;
        # and nothing that a question needs may be fetched from a network.
        try:
            self._scratch = scratch("attribution-query")
        except OSError as error:
            raise LakeError(f"cannot make a folder for a while: {error.strerror}; let TMPDIR name one") from None
        self._connection = duckdb.connect(
            config={"temp_directory": str(self._scratch.path), "autoinstall_known_extensions": False}
        )
        try:
            grown = "stream" in manifest
            for kind, name in FOLDERS.items():
                check_partitions(self.folder / name, PARTITIONS[kind])
                self._create_view(name, kind, PARTITIONS[kind], grown=grown)
            self._check_flows(manifest)
            self._connection.execute(_MACROS.sql)
        except LakeError:
            self.close()
            raise
        except duckdb.Error as error:
            self.close()
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the database; further questions fail."""
        self._connection.close()
        self._scratch.close()

    def ask(self, query: Query, **parameters: object) -> list[Row]:
        """The rows that answer a query, each as column -> value.

        Parameters that the query does not use are left out, so that one set of filters serves several queries.

        Raises:
            LakeError: DuckDB cannot read the lake's files.
        """
        result = self._execute(query.sql, query, parameters)
        names = [column[0] for column in result.description or ()]
        try:
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        except duckdb.Error as error:
            raise self._failure(error) from error

    def keep(self, table: str, query: Query, **parameters: object) -> None:
        """Keep the answer to a query as the temporary table `table`, for other queries to read.

        Raises:
            LakeError: DuckDB cannot read the lake's files.
        """
        self._execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query.sql}", query, parameters)

    def add(self, table: str, query: Query, **parameters: object) -> None:
        """Add the answer to a query to a temporary table that `keep` made.

        Raises:
            LakeError: DuckDB cannot read the lake's files.
        """
        self._execute(f"INSERT INTO {table} {query.sql}", query, parameters)

    def table(self, folder: str, kind: str) -> pa.Table:
        """All rows of a folder of the lake, with the columns of its record in their order.

        Raises:
            LakeError: DuckDB cannot read the lake's files.
        """
        schema = arrow_schema(kind)
        columns = ", ".join(f'"{name}"' for name in schema.names)
        try:
            rows = self._connection.sql(f"SELECT {columns} FROM {folder}").to_arrow_table()
        except duckdb.Error as error:
            raise self._failure(error) from error
        return rows.cast(pa.schema([pa.field(f.name, f.type) for f in schema]))

    def give(self, name: str, rows: pa.Table) -> None:
        """Make a table of rows that queries can read beside the lake's."""
        self._connection.from_arrow(rows).create_view(name)

    def extent(self) -> Window:
        """From the first flow to just after the start of the last one; both None where the lake has no flows."""
        (row,) = self.ask(_EXTENT)
        last = row["last_start"]
        return Window(from_microseconds(row["first_start"]), from_microseconds(None if last is None else last + 1))

    def last_start(self) -> datetime | None:
        """Start of the last flow, from which relative times count back; None where the lake has no flows."""
        (row,) = self.ask(_EXTENT)
        return from_microseconds(row["last_start"])

    def window(self, window: Window | str | None) -> Window:
        """`window` itself, or the window that the text means on this lake, or the open one.

        Raises:
            QueryError: the text is no window.
        """
        if window is None:
            return Window()
        return window if isinstance(window, Window) else parse_window(window, last=self.last_start())

    def parameters(self, selection: Selection) -> dict[str, object]:
        """The parameters that SQL binds for a selection on this lake.

        Raises:
            QueryError: the window of the selection cannot be read.
        """
        return selection.parameters(self.window(selection.window))

    def _execute(self, sql: str, query: Query, parameters: Mapping[str, object]) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql, {name: parameters[name] for name in query.parameters})
        except duckdb.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: duckdb.Error) -> LakeError:
        # What follows the first line shows the SQL, which is ours and no help.
        found, _, _ = str(error).strip().partition("\n")
        file = None if ".parquet" in found else self._damaged_file()
        return LakeError(
            f"cannot read the lake {self.folder}: {f'{file}: ' if file else ''}{found}; "
            "if a file is damaged or missing, replay the logs into a new folder"
        )

    def _check_flows(self, manifest: Mapping[str, Any]) -> None:
        """Refuse a lake that says that it has flows, and has none."""
        told, folder = manifest.get("summary", {}).get("flows"), self.folder / FOLDERS[ATTRIBUTED_FLOW]
        if isinstance(told, int) and told > 0 and not any(folder.glob("*/*/*.parquet")):
            raise LakeError(
                f"cannot read the lake {self.folder}: {MANIFEST} tells of {told:,} flows, and {folder} has none; copy "
                "the lake again, or replay the logs"
            )

    def _damaged_file(self) -> Path | None:
        """The first file of the lake that cannot be read: DuckDB does not always say which one it was."""
        files = sorted(file for name in FOLDERS.values() for file in (self.folder / name).rglob("*.parquet"))
        # The footers first: to read them is quick.
        for question in (
            "SELECT 1 FROM read_parquet($file) LIMIT 0",
            "SELECT count(COLUMNS(*)) FROM read_parquet($file)",
        ):
            for file in files:
                escaped = _GLOB_CHARACTER.sub(r"[\1]", str(file))
                try:
                    with duckdb.connect(config={"autoinstall_known_extensions": False}) as apart:
                        apart.execute(question, {"file": escaped}).fetchall()
                except duckdb.Error:
                    return file
        return None

    def _create_view(self, name: str, kind: str, levels: tuple[str, ...], *, grown: bool) -> None:
        """A view of a folder; where several versions may have added files to it, these differ in their columns."""
        folder = self.folder / name
        pattern = "/".join([f"{level}=*" for level in levels] + ["*.parquet"])
        if any(folder.glob(pattern)):
            escaped = _GLOB_CHARACTER.sub(r"[\1]", str(folder)).replace("'", "''")
            # A view takes no parameters, and a relation with parameters is a copy in memory in some versions. Dates and
            # hours stay the text that they are: DuckDB leaves files out by comparing it.
            options = "hive_partitioning = true, hive_types_autocast = false" + ", union_by_name = true" * grown
            # file_row_number and filename tell two rows apart that are alike.
            options += ", filename = true, file_row_number = true"
            files = f"read_parquet('{escaped}/{pattern}', {options})"
            found = {row[0] for row in self._connection.execute(f"DESCRIBE FROM {files}").fetchall()}
            lacking = [f.name for f in record(kind).fields if f.nullable and f.name not in found]
            columns = ", ".join(["*", *(f'NULL AS "{field}"' for field in lacking)])
            self._connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns} FROM {files}")
            return
        schema = arrow_schema(kind)
        for level in levels:
            schema = schema.append(pa.field(level, pa.string()))
        schema = schema.append(pa.field("filename", pa.string())).append(pa.field("file_row_number", pa.int64()))
        self._connection.from_arrow(schema.empty_table()).create_view(name)


@contextmanager
def opened(lake: LakeSession | Path | str) -> Iterator[LakeSession]:
    """The session itself, or one over the folder that is closed again afterwards.

    Raises:
        LakeError: the folder is no lake.
    """
    if isinstance(lake, LakeSession):
        yield lake
        return
    with LakeSession(lake) as session:
        yield session
