"""Heartbeats as they come: merged as they grow, and found again by address.

What was merged lies ordered by address, so that asking for a few addresses costs what is known about these; what came
since is looked through as a whole. That is never more than what was merged, or merging is due.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.address_book import AddressBook
from attribution.core.columns import Int64, encode, microseconds, starts_of_runs
from attribution.core.compaction import compact, still_asked
from attribution.core.sockets import SOCKETS, held_sockets
from attribution.schema import HEARTBEAT, arrow_schema

#: Fewer heartbeats than this are not worth merging.
_MERGE_FROM = 1024


class HeartbeatStore:
    """A set of heartbeats that grows and forgets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._merged = _Merged(arrow_schema(HEARTBEAT).empty_table())
        self._new: list[Any] = []
        #: Rows held.
        self.rows = 0

    @property
    def grown(self) -> bool:
        """Whether heartbeats have doubled since they were merged: so the cost of each stays constant."""
        return self.rows > 2 * self._merged.table.num_rows + _MERGE_FROM

    def add(self, heartbeats: Any) -> None:
        """Add rows of `schemas/heartbeat.avsc`, a table."""
        self._new.append(heartbeats)
        self.rows += heartbeats.num_rows

    def table(self) -> Any:
        """All of them."""
        return pa.concat_tables([self._merged.table, self._latest()])

    def about(self, addresses: Any, *, oldest: int) -> Any:
        """Those from which flows with these addresses (distinct Arrow text) that start at `oldest` (µs) are judged."""
        latest = self._latest()
        mentioned = pc.is_in(latest.column("address"), value_set=addresses)
        return pa.concat_tables([self._merged.about(addresses, self._settings, oldest), latest.filter(mentioned)])

    def merge(self, oldest: int) -> None:
        """Merge what says the same; forget what no flow that starts at `oldest` (µs) or later can ask for."""
        self._merged = _Merged(compact(self.table(), self._settings, oldest=oldest))
        self._new = []
        self.rows = self._merged.table.num_rows

    def _latest(self) -> Any:
        schema = arrow_schema(HEARTBEAT)
        if len(self._new) != 1:
            plain = [table.select(schema.names).cast(schema) for table in self._new]
            self._new = [pa.concat_tables(plain).combine_chunks() if plain else schema.empty_table()]
        return self._new[0].select(schema.names).cast(schema)


class _Merged:
    """A compacted table of heartbeats, ordered by address, and where each address stands in it."""

    def __init__(self, table: Any) -> None:
        self.table = table
        address, addresses = encode(table.column("address"))
        first = np.flatnonzero(starts_of_runs(address)) if table.num_rows else np.zeros(0, np.int64)
        self._book = AddressBook(addresses.take(pa.array(address[first])))
        # With one entry more, which -1 finds: no address.
        self._begin = np.append(first, 0)
        self._end = np.append(np.append(first[1:], table.num_rows) if len(first) else first, 0)
        self._key = address * np.int64(SOCKETS + 1) + held_sockets(table)
        self._seen_to = microseconds(table.column("end"))

    def about(self, addresses: Any, settings: Settings, oldest: int) -> Any:
        place = self._book.find(addresses)
        rows = _expanded(self._begin[place], self._end[place])
        rows = rows[still_asked(self._key[rows], self._seen_to[rows], settings, oldest=oldest)]
        return self.table.take(pa.array(rows))


def _expanded(begin: Int64, end: Int64) -> Int64:
    """All numbers of each [begin, end), one after the other."""
    size = end - begin
    return np.repeat(begin - np.cumsum(size) + size, size) + np.arange(size.sum())
