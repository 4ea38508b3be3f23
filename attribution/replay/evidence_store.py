"""The evidence of a whole history, in memory where it fits and by the hour on disk where it does not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.places import without_networks
from attribution.core.addressing.sockets import held_sockets
from attribution.core.columnar.arrays import NEVER_BEFORE, microseconds
from attribution.core.columnar.dictionaries import decoded
from attribution.core.ownership.compaction import compact, shrinks
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.keys import is_explicit
from attribution.lake.partitions import by_hour
from attribution.lake.spool import Buckets
from attribution.replay.heartbeat_runs import HeartbeatRuns
from attribution.schema import HEARTBEAT, NAME_BINDING, arrow_schema

#: The kinds that grow with the length of the history.
_TIMED = (HEARTBEAT, NAME_BINDING)
#: Heartbeats are merged where that leaves no more than this share of them.
_WORTH = 0.8


class EvidenceStore:
    """Collects evidence of all kinds in any order.

    Args:
        folder: where evidence goes that does not fit.
        settings: the settings of the rules.
        limit: rows of heartbeats and name bindings that may stay in memory; about 1 KB each while they are digested.

    Attributes:
        heard_us: the start of the first heartbeat and the end of the last, microseconds; None without heartbeats.
    """

    def __init__(self, folder: Path, settings: Settings, *, limit: int) -> None:
        self._settings = settings
        self._limit = limit
        self._tables: dict[str, list[pa.Table]] = {}
        self._rows = 0
        self._heartbeats = HeartbeatRuns(folder / "heartbeats")
        self._names = Buckets(folder / "names")
        self._spilled = False
        self._by_port: list[pa.Array] = []
        self.heard_us: tuple[int, int] | None = None

    @property
    def fits(self) -> bool:
        """Whether all evidence is in memory."""
        return not self._spilled

    def add(self, kind: str, batch: pa.RecordBatch) -> None:
        """Add a canonical record batch of that kind."""
        if kind in _TIMED:
            self._rows += batch.num_rows
        if kind == HEARTBEAT and batch.num_rows:
            self._hear(batch)
            self._note_ports(batch)
        if self._settings.one_space:
            batch = without_networks(batch)
        self._tables.setdefault(kind, []).append(pa.Table.from_batches([batch]).cast(arrow_schema(kind)))
        if self._rows > self._limit:
            self._relieve()

    @property
    def held_by_port(self) -> pa.Array:
        """The addresses of which there is explicit evidence of ports, each once."""
        return pa.concat_arrays([pa.array([], pa.string()), *self._by_port]).unique()

    def _note_ports(self, heartbeats: pa.RecordBatch) -> None:
        port = heartbeats.column("port")
        if port.null_count < len(port):
            explicit = pa.array(is_explicit(held_sockets(heartbeats)))
            self._by_port.append(decoded(heartbeats.column("address").filter(explicit)).unique())

    def _hear(self, heartbeats: pa.RecordBatch) -> None:
        start, end = (microseconds(heartbeats.column(name)) for name in ("start", "end"))
        first, last = int(start.min()), int(end.max())
        before = self.heard_us or (first, last)
        self.heard_us = min(first, before[0]), max(last, before[1])

    def _relieve(self) -> None:
        """Merge heartbeats that say the same; where that does not halve the rows, put all of them on disk."""
        heartbeats = self._merged()
        rows = len(heartbeats) + sum(table.num_rows for table in self._tables.get(NAME_BINDING, []))
        if not self._spilled and rows <= self._limit // 2:
            self._tables[HEARTBEAT] = [heartbeats.table()]
            self._rows = rows
            return
        self._spilled = True
        self._rows = 0
        self._heartbeats.add(heartbeats)
        for table in self._tables.pop(NAME_BINDING, []):
            for batch in table.to_batches():
                for hour, part in by_hour(batch, of="time"):
                    self._names.add(hour, part)

    def _merged(self) -> Heartbeats:
        """The heartbeats that are in memory, which are let go."""
        tables = self._tables.pop(HEARTBEAT, None) or [arrow_schema(HEARTBEAT).empty_table()]
        heartbeats = Heartbeats.of(pa.concat_tables(tables))
        if not shrinks(heartbeats, self._settings, share=_WORTH):
            return heartbeats
        return compact(heartbeats, self._settings, oldest=NEVER_BEFORE)

    def in_memory(self) -> Iterator[tuple[str, pa.Table]]:
        """The evidence that is in memory, as (kind, table): all of it where it fits, else that without a history."""
        for kind, tables in self._tables.items():
            if not (self._spilled and kind in _TIMED):
                yield kind, pa.concat_tables(tables)

    def by_hour(self) -> list[tuple[int, int]]:
        """The hours, since 1970, in which evidence begins, in order, each with its rows; puts all of it on disk."""
        self._spilled = True
        self._relieve()
        return sorted((Counter(self._heartbeats.rows) + Counter(self._names.rows)).items())

    def read(self, hours: Sequence[int]) -> tuple[list[Heartbeats], list[pa.RecordBatch]]:
        """What begins in these hours: sets of heartbeats, and record batches of name bindings, which are given once."""
        return self._heartbeats.read(hours), [batch for hour in hours for batch in self._names.drain(hour)]

    def close(self) -> None:
        """Forget everything."""
        self._tables.clear()
        self._heartbeats.close()
        self._names.close()
