"""Attributed flows to Hive partitions `date=…/hour=…`, in row groups worth reading.

Rows are buffered per hour until they make a row group. What is buffered and how many files are open are both bounded,
whatever the order of the flows.
"""

from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.types import Int64
from attribution.lake.lake import parquet_writer
from attribution.schema import ATTRIBUTED_FLOW, arrow_schema

_HOUR = 3_600_000_000
#: Rows of a full row group.
ROW_GROUP = 131_072
#: Rows buffered over all hours before the fullest hour is written as it is.
_BUFFERED = 2 * ROW_GROUP
_OPEN_FILES = 24

#: Rows looked at to decide whether a column's values repeat enough for a dictionary.
_SAMPLE = 4096
#: Text stays dictionary-encoded where there are so many rows to each value.
_REPEATED = 4
_DIFFERENCES = "DELTA_BINARY_PACKED"


class HourlyWriter:
    """Writes batches of attributed flows under one folder; one for each thread that writes.

    Args:
        folder: the `attributed_flows` folder.
        name: part of the file names, different for each writer.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        self._folder = folder
        self._name = name
        self._parts = 0
        self._rows: dict[int, list[pa.RecordBatch]] = {}
        self._counts: dict[int, int] = {}
        self._open: OrderedDict[int, pq.ParquetWriter] = OrderedDict()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch of `schemas/attributed_flow.avsc`; its rows go to the hours in which they start."""
        for hour, rows in by_hour(batch):
            self._rows.setdefault(hour, []).append(rows)
            self._counts[hour] = self._counts.get(hour, 0) + rows.num_rows
            if self._counts[hour] >= ROW_GROUP:
                self._flush(hour)
        while sum(self._counts.values()) > _BUFFERED:
            self._flush(max(self._counts, key=self._counts.__getitem__))

    def close(self) -> None:
        """Write what is buffered and finish all files."""
        for hour in sorted(self._rows):
            self._flush(hour)
        while self._open:
            self._open.popitem()[1].close()

    def abandon(self) -> None:
        """Forget what is buffered and let go of all files as they are, for the caller to remove."""
        self._rows.clear()
        self._counts.clear()
        while self._open:
            writer = self._open.popitem()[1]
            try:
                writer.close()
            except OSError:
                writer.is_open = False  # or it would be closed again when it is collected
                with suppress(OSError):
                    writer.file_handle.close()

    def _flush(self, hour: int) -> None:
        del self._counts[hour]
        batches = self._rows.pop(hour)
        table = _as_file(batches, self._open[hour].schema if hour in self._open else _file_schema(batches))
        self._writer(hour, table).write_table(table, row_group_size=ROW_GROUP)

    def _writer(self, hour: int, table: pa.Table) -> pq.ParquetWriter:
        if hour not in self._open:
            if len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            moment = datetime.fromtimestamp(hour * 3600, UTC)
            place = self._folder / f"date={moment:%Y-%m-%d}" / f"hour={moment:%H}"
            path = place / f"{self._name}-{self._parts:04d}.parquet"
            self._open[hour] = parquet_writer(path, table.schema, **encodings(table))
            self._parts += 1
        self._open.move_to_end(hour)
        return self._open[hour]


def encodings(table: pa.Table) -> dict[str, Any]:
    """How to encode the columns of a file, by its first rows: a dictionary only where values repeat in them.

    A dictionary for values that hardly repeat is built and thrown away at half the writer's cost; other whole numbers
    pack best as differences, for the compressor then has a third of the bytes to go through.
    """
    head = table.slice(0, _SAMPLE)
    coded, packed, rising = [], {}, []
    for name, column in zip(head.schema.names, head.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            rising.append(name)
            packed[name] = _DIFFERENCES
        elif pa.types.is_nested(column.type):
            continue
        elif pa.types.is_dictionary(column.type) or _repeats(column):
            coded.append(name)
        elif pa.types.is_integer(column.type):
            packed[name] = _DIFFERENCES
    # Readers skip row groups by time; the smallest and largest text of a row group tells them nothing.
    return {"use_dictionary": coded, "column_encoding": packed, "write_statistics": rising}


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether a value stands twice or more, on the average; nulls are stored as no values."""
    return bool(2 * pc.count_distinct(column).as_py() <= len(column) - column.null_count)


def by_hour(batch: pa.RecordBatch, *, of: str = "start") -> list[tuple[int, pa.RecordBatch]]:
    """The rows of a batch by the hour (since 1970, UTC) of a column; no copy where they are in order of it."""
    hour: Int64 = microseconds(batch.column(of)) // _HOUR
    if len(hour) == 0:
        return []
    if np.any(hour[1:] < hour[:-1]):
        order = np.argsort(hour, kind="stable")
        batch, hour = batch.take(pa.array(order)), hour[order]
    cuts = np.flatnonzero(np.diff(hour)) + 1
    starts, stops = [0, *cuts.tolist()], [*cuts.tolist(), len(hour)]
    return [(int(hour[i]), batch.slice(i, j - i)) for i, j in zip(starts, stops, strict=True)]


def _file_schema(batches: list[pa.RecordBatch]) -> pa.Schema:
    """The record's schema for a file that begins with these rows, with text that repeats in them as dictionaries.

    Where all batches have a column so, and with few values, the writer takes it as it is: that costs a third of making
    text of it only for the writer to find its values again.
    """
    rows = sum(batch.num_rows for batch in batches)
    fields = []
    for field in arrow_schema(ATTRIBUTED_FLOW):
        columns = [batch.column(field.name) for batch in batches]
        kept = all(pa.types.is_dictionary(column.type) for column in columns)
        kept = kept and _REPEATED * sum(len(column.dictionary) for column in columns) <= rows
        fields.append(field.with_type(columns[0].type) if kept else field)
    return pa.schema(fields)


def _as_file(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """The batches as one table of a schema that says which text is dictionary-encoded."""
    columns = []
    for field in schema:
        chunked = pa.chunked_array([_as(batch.column(field.name), field.type) for batch in batches], field.type)
        columns.append(chunked.unify_dictionaries() if pa.types.is_dictionary(field.type) else chunked)
    return pa.table(columns, schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type).dictionary_encode()
    return column.cast(kind)


class DailyWriter:
    """Writes ownership ranges under one folder, by the day (UTC) in which they start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = 0

    def write(self, ranges: pa.Table) -> None:
        """Take a table of `schemas/ownership_range.avsc`; its rows go to files of their days."""
        day: Int64 = microseconds(ranges.column("start")) // (24 * _HOUR)
        for number in np.unique(day).tolist():
            moment = datetime.fromtimestamp(number * 24 * 3600, UTC)
            rows = ranges.filter(pa.array(day == number))
            path = self._folder / f"date={moment:%Y-%m-%d}" / f"part-{self._parts:04d}.parquet"
            with parquet_writer(path, rows.schema, **encodings(rows)) as writer:
                writer.write_table(rows, row_group_size=ROW_GROUP)
            self._parts += 1
