"""The evidence of a whole history, in memory where it fits and by the hour on disk where it does not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import HOUR, Settings
from attribution.core.columns import NEVER_BEFORE, microseconds
from attribution.core.compaction import compact
from attribution.core.heartbeats import Heartbeats
from attribution.io.spool import Buckets
from attribution.schema import HEARTBEAT, NAME_BINDING, arrow_schema

#: The kinds that grow with the length of the history, and the column that says when they begin.
_TIMED = {HEARTBEAT: "start", NAME_BINDING: "time"}


@dataclass(frozen=True)
class Slab:
    """A span of time and the evidence that begins in it.

    Attributes:
        start: its first microsecond.
        evidence: (kind, record batch), read from disk as it is asked for; once.
    """

    start: int
    evidence: Iterator[tuple[str, Any]]


class EvidenceStore:
    """Collects evidence of all kinds in any order.

    Args:
        folder: where evidence goes that does not fit.
        settings: the settings of the rules.
        limit: rows of heartbeats and name bindings that may stay in memory; about 1 KB each while they are digested.
    """

    def __init__(self, folder: Path, settings: Settings, *, limit: int) -> None:
        self._settings = settings
        self._limit = limit
        self._tables: dict[str, list[Any]] = {}
        self._rows = 0
        self._buckets = Buckets(folder)
        self._spilled = False

    @property
    def fits(self) -> bool:
        """Whether all evidence is in memory."""
        return not self._spilled

    def add(self, kind: str, batch: Any) -> None:
        """Add a canonical record batch of that kind."""
        if kind in _TIMED:
            self._rows += batch.num_rows
        self._tables.setdefault(kind, []).append(pa.Table.from_batches([batch]).cast(arrow_schema(kind)))
        if self._rows > self._limit:
            self._relieve()

    def _relieve(self) -> None:
        """Merge heartbeats that say the same; where that does not halve the rows, put all of them on disk."""
        if not self._spilled and HEARTBEAT in self._tables:
            heartbeats = Heartbeats.of(pa.concat_tables(self._tables[HEARTBEAT]))
            self._tables[HEARTBEAT] = [compact(heartbeats, self._settings, oldest=NEVER_BEFORE).table()]
            self._rows = sum(t.num_rows for kind in _TIMED for t in self._tables.get(kind, []))
        if self._spilled or self._rows > self._limit // 2:
            self._spilled = True
            for kind, column in _TIMED.items():
                for table in self._tables.pop(kind, []):
                    self._spill(kind, table, column)
            self._rows = 0

    def _spill(self, kind: str, table: Any, column: str) -> None:
        hour = microseconds(table.column(column)) // HOUR
        order = np.argsort(hour, kind="stable")
        table, hour = table.take(pa.array(order)), hour[order]
        numbers, begins = np.unique(hour, return_index=True)
        for number, begin, end in zip(
            numbers.tolist(), begins.tolist(), [*begins[1:].tolist(), len(hour)], strict=True
        ):
            for batch in table.slice(begin, end - begin).combine_chunks().to_batches():
                self._buckets.add((int(number), kind), batch)

    def in_memory(self) -> Iterator[tuple[str, Any]]:
        """The evidence that is in memory, as (kind, table): all of it where it fits, else that without a history."""
        for kind, tables in self._tables.items():
            if not (self._spilled and kind in _TIMED):
                yield kind, pa.concat_tables(tables)

    def slabs(self) -> list[Slab]:
        """The evidence on disk as slabs of whole hours in order, each within the limit if its hours are."""
        for kind, column in _TIMED.items():
            for table in self._tables.pop(kind, []):
                self._spill(kind, table, column)
        hours: dict[int, int] = {}
        for (hour, _), rows in self._buckets.rows.items():
            hours[hour] = hours.get(hour, 0) + rows
        groups: list[list[int]] = []
        filled = self._limit + 1
        for hour in sorted(hours):
            if filled + hours[hour] > self._limit // 2:
                groups.append([])
                filled = 0
            groups[-1].append(hour)
            filled += hours[hour]
        return [Slab(group[0] * HOUR, self._read(group)) for group in groups]

    def _read(self, hours: list[int]) -> Iterator[tuple[str, Any]]:
        for hour in hours:
            for kind in _TIMED:
                for batch in self._buckets.drain((hour, kind)):
                    yield kind, batch

    def close(self) -> None:
        """Forget everything."""
        self._tables.clear()
        self._buckets.close()
