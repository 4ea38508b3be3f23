"""Heartbeats as they come: numbered once, merged as they grow, and found again by address.

They lie in runs, each ordered by address: one of what was merged, and one for each time that something was asked since.
To ask for a few addresses costs what is known about these, however much is known about others.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import find, order_by, recode
from attribution.core.columnar.types import Int32, Int64
from attribution.core.ownership.compaction import compact, still_asked
from attribution.core.ownership.heartbeats import COLUMNS, TEXTS, Heartbeats
from attribution.schema import HEARTBEAT, arrow_schema, completed

#: Fewer heartbeats than this are not worth merging.
_MERGE_FROM = 1024
#: Runs that are looked into one by one.
_RUNS = 8


class HeartbeatStore:
    """A set of heartbeats that grows and forgets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names: dict[str, Any] = {name: pa.array([], pa.string()) for name in TEXTS}
        self._runs: list[Heartbeats] = []
        self._new: list[Any] = []
        self._merged = 0
        #: Rows held.
        self.rows = 0

    @property
    def grown(self) -> bool:
        """Whether heartbeats have doubled since they were merged: so the cost of each stays constant."""
        return self.rows > 2 * self._merged + _MERGE_FROM

    def add(self, heartbeats: Any) -> None:
        """Add rows of `schemas/heartbeat.avsc`, a record batch or table."""
        self._new.append(heartbeats)
        self.rows += heartbeats.num_rows

    def all(self) -> Heartbeats:
        """All of them, in any order."""
        if not self._runs and len(self._new) == 1:
            return Heartbeats.of(self._new[0])
        self._number()
        return self._joined(self._runs)

    def about(self, addresses: Any, *, oldest: int) -> Heartbeats:
        """Those from which flows with these addresses (distinct Arrow text) that start at `oldest` (µs) are judged."""
        self._number()
        asked = find(addresses, self._names["address"])
        known = np.flatnonzero(asked >= 0)
        known = known[np.argsort(asked[known])]
        asked = asked[known]
        found = self._joined([self._of_addresses(run, asked, oldest) for run in self._runs])
        place = np.searchsorted(asked, found.address).astype(np.int32)
        return replace(found, address=place, addresses=addresses.take(pa.array(known)))

    def _of_addresses(self, run: Heartbeats, asked: Int32, oldest: int) -> Heartbeats:
        begin = np.searchsorted(run.address, asked, side="left")
        rows = _expanded(begin, np.searchsorted(run.address, asked, side="right"))
        kept = still_asked(run.address[rows], run.socket[rows], run.end[rows], self._settings, oldest=oldest)
        return run.take(rows[kept])

    def merge(self, oldest: int) -> None:
        """Merge what says the same; forget what no flow that starts at `oldest` (µs) or later can ask for."""
        # The names of what was forgotten go too.
        merged = compact(self.all(), self._settings, oldest=oldest).of_use()
        self._names = {name: getattr(merged, plural) for name, plural in TEXTS.items()}
        self._runs = [merged] if len(merged) else []
        self._new = []
        self._merged = self.rows = len(merged)

    def _number(self) -> None:
        """Make a run of what came since the last time."""
        if not self._new:
            return
        new = Heartbeats.of(_one_table(self._new))
        texts: dict[str, Any] = {}
        for name, plural in TEXTS.items():
            place, self._names[name] = _places(getattr(new, plural), self._names[name])
            texts[name] = recode(getattr(new, name), place)
        new = replace(new, **texts)
        self._runs.append(new.take(order_by(new.address, new.start)))
        self._new = []
        if len(self._runs) > _RUNS:
            # The first run is the merged one, and large; the others are joined with each other.
            later = self._joined(self._runs[1:])
            self._runs[1:] = [later.take(order_by(later.address, later.start))]

    def _joined(self, runs: list[Heartbeats]) -> Heartbeats:
        if not runs:
            runs = [Heartbeats.of(arrow_schema(HEARTBEAT).empty_table())]
        columns = {name: np.concatenate([getattr(run, name) for run in runs]) for name in COLUMNS}
        return Heartbeats(**columns, **{plural: self._names[name] for name, plural in TEXTS.items()})


def _one_table(parts: list[Any]) -> Any:
    """One table of record batches and tables; most are batches that have the record's own types, and many are small."""
    schema = arrow_schema(HEARTBEAT)
    fitting = [part for part in parts if isinstance(part, pa.RecordBatch) and part.schema.equals(schema)]
    others = [part for part in parts if not (isinstance(part, pa.RecordBatch) and part.schema.equals(schema))]
    tables = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in others]
    cast = [completed(HEARTBEAT, table).select(schema.names).cast(schema) for table in tables]
    return pa.concat_tables([pa.Table.from_batches(fitting, schema), *cast])


def _places(texts: Any, known: Any) -> tuple[Int32, Any]:
    """The place of each distinct text among the known ones, and these with the new ones behind them."""
    place = find(texts, known).copy()
    new = np.flatnonzero(place < 0)
    place[new] = np.arange(len(known), len(known) + len(new))
    return place, pa.concat_arrays([known, texts.take(pa.array(new))]) if len(new) else known


def _expanded(begin: Int64, end: Int64) -> Int64:
    """All numbers of each [begin, end), one after the other."""
    size = end - begin
    return np.repeat(begin - np.cumsum(size) + size, size) + np.arange(size.sum())
