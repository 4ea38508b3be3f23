"""A history cut into slabs: spans of time, each with all evidence about the flows that are due in it.

A slab has the evidence that begins in it, and of what began before only what a later flow can still ask for. So every
heartbeat is digested about once, and memory is bounded by the busiest hours and not by the length of the history.
"""

from dataclasses import dataclass

import pyarrow as pa

from attribution.config import HOUR, Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.ownership.claims import with_counting_claims
from attribution.core.ownership.compaction import compact, current_names
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.replay.evidence_store import EvidenceStore
from attribution.schema import HEARTBEAT, NAME_BINDING, arrow_schema


@dataclass(frozen=True)
class Slab:
    """A span of time.

    Attributes:
        known_to_us: the moment before which all that begins is known; a whole hour, or after all time.
        heartbeats: all that a flow can ask for which is due before that moment.
        names: the same of name bindings, a table.
        new_names: the name bindings that begin in this slab, record batches.
    """

    known_to_us: int
    heartbeats: Heartbeats
    names: pa.Table
    new_names: list[pa.RecordBatch]


class Slabs:
    """The slabs of a history that is on disk, taken one after the other.

    Args:
        store: the evidence.
        settings: the settings of the rules.
        limit: rows of evidence that a slab may have, if a single hour does not have more.

    Attributes:
        count: slabs taken so far.
    """

    def __init__(self, store: EvidenceStore, settings: Settings, *, limit: int) -> None:
        self._store, self._settings, self._limit = store, settings, limit
        self._hours = store.by_hour()
        self._heartbeats = Heartbeats.of(arrow_schema(HEARTBEAT).empty_table())
        self._names = arrow_schema(NAME_BINDING).empty_table()
        self._known_to_us = NEVER_BEFORE
        self.count = 0

    def take(self) -> Slab | None:
        """The next slab; None after the last."""
        if not self._hours:
            return None
        filled = len(self._heartbeats) + self._names.num_rows
        hours: list[int] = []
        while self._hours and (not hours or filled + self._hours[0][1] <= self._limit):
            hour, rows = self._hours.pop(0)
            hours.append(hour)
            filled += rows
        heartbeats, names = self._store.read(hours)
        self._heartbeats = Heartbeats.joined([self._heartbeats, *heartbeats])
        self._names = pa.concat_tables([self._names, pa.Table.from_batches(names, self._names.schema)])
        self.count += 1
        known_to_us = self._known_to_us = self._hours[0][0] * HOUR if self._hours else NEVER_AFTER
        return Slab(known_to_us, self._heartbeats, self._names, names)

    def forget(self, oldest_us: int) -> None:
        """Let go of evidence that no flow which starts at `oldest_us` or later can ask for."""
        known = with_counting_claims(self._heartbeats, self._settings, forgotten_us=self._known_to_us)
        self._heartbeats = compact(known, self._settings, oldest=oldest_us).without_unused_text()
        self._names = current_names(self._names, self._settings, oldest_us)
