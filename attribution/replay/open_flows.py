"""Flows that heartbeats leave open: put aside until the reports of their far ends are read."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.types import UInt64
from attribution.core.flow_evidence.both_ends import OPEN, Reports, asked_hashes, is_open, settled
from attribution.core.flow_evidence.reports import SCHEMA, is_report, reports_of
from attribution.lake.spool import Spool


class OpenFlows:
    """Attributed flows whose far ends may still name their remote workload.

    Which reports are needed is known only when all flows are attributed. So the flows are read once more, if any is
    open, and of their reports only those of open ends are kept.

    Args:
        folder: where flows go that do not fit into memory.
        settings: the settings of the rules.
        memory_bytes: how much of them stays in memory.
        asked: whether far ends are asked at all.
    """

    def __init__(self, folder: Path, settings: Settings, *, memory_bytes: int, asked: bool) -> None:
        self._settings, self._asked = settings, asked
        self._spool = Spool(folder, memory_bytes=memory_bytes)
        self._hashes: list[UInt64] = []
        self._asked_for = np.zeros(0, np.uint64)
        self._found: list[pa.RecordBatch] = []
        self._reports: Reports | None = None
        self._lock = Lock()

    @property
    def rows(self) -> int:
        """How many flows are put aside."""
        return self._spool.rows

    def without_open(self, attributed: pa.RecordBatch) -> pa.RecordBatch:
        """Put the open flows of a batch aside, and return the others; safe to call from several threads."""
        if OPEN not in attributed.schema.names:
            return attributed
        mask = is_open(attributed) & is_report(attributed, self._settings)
        if not self._asked or not mask.any():
            return settled(attributed, None, self._settings)
        aside = attributed.filter(pa.array(mask))
        hashes = asked_hashes(aside, self._settings)
        with self._lock:
            self._hashes.append(hashes)
            self._spool.add("", aside)
        return settled(attributed.filter(pa.array(~mask)), None, self._settings)

    def ask(self) -> None:
        """No more flows will be put aside: note which reports they ask for."""
        self._asked_for = np.unique(np.concatenate(self._hashes))
        self._hashes = []

    def take(self, flows: pa.RecordBatch) -> None:
        """Take the reports among flows that are asked for; safe to call from several threads."""
        found = reports_of(flows, self._settings, among=self._asked_for)
        with self._lock:
            self._found.append(found)

    def drain(self) -> Iterator[pa.RecordBatch]:
        """The flows that were put aside, for `settled`, when all reports are taken."""
        self._reports = Reports(pa.Table.from_batches(self._found, SCHEMA), self._settings)
        self._found = []
        yield from (batch for _, batch in self._spool.drain())

    def settled(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """Flows that were put aside, answered by the reports; safe to call from several threads."""
        return settled(flows, self._reports, self._settings)

    def close(self) -> None:
        """Forget everything."""
        self._spool.close()
