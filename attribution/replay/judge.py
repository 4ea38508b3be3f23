"""Second pass: flows attributed and written, on all cores at once or slab by slab."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock, local
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.attributor import Attributor
from attribution.config import Settings
from attribution.core.columns import NEVER_AFTER, microseconds
from attribution.core.range_collector import SEVERAL, RangeCollector
from attribution.core.resolve import Resolver
from attribution.io.lake import write_table
from attribution.io.partitions import DailyWriter, HourlyWriter
from attribution.io.spool import Buckets
from attribution.replay.collect import Collection, Report
from attribution.replay.evidence_store import Slab
from attribution.replay.inputs import Limits
from attribution.replay.summary import Tally
from attribution.schema import ASSIGNMENT, HEARTBEAT, LABEL, NAME_BINDING

_OBSERVE: dict[str, Callable[[Attributor, Any], None]] = {
    HEARTBEAT: Attributor.observe,
    ASSIGNMENT: Attributor.observe_assignments,
    NAME_BINDING: Attributor.observe_names,
    LABEL: Attributor.observe_labels,
}
_FOLDERS = {ASSIGNMENT: "assignments", NAME_BINDING: "name_bindings", LABEL: "labels"}
#: Batches that wait for each worker while it is at work.
_AHEAD = 1


class Judge:
    """Attributes the flows of a collection and writes them under `folder`.

    Attributes:
        tally: flows attributed.
        ranges: ownership ranges written.
        slabs: spans of time that the history was cut into.
    """

    def __init__(self, collection: Collection, folder: Path, settings: Settings, limits: Limits) -> None:
        self._collection, self._folder = collection, folder
        self._settings, self._limits = settings, limits
        self._attributor = Attributor(settings)
        self._ranges = DailyWriter(folder / "ownership_ranges")
        self.tally = Tally()
        self.ranges = 0
        self.slabs = 1
        self._parts = 0

    def judge(self, report: Report) -> None:
        """Do all of it."""
        for kind, table in self._collection.store.in_memory():
            _OBSERVE[kind](self._attributor, table)
            if kind in _FOLDERS:
                write_table(table, self._folder / _FOLDERS[kind])
        if self._collection.store.fits:
            self._at_once(report)
        else:
            self._by_slabs(report)

    def _at_once(self, report: Report) -> None:
        """All evidence is known: batches in any order on all workers; while it is digested, flows are read ahead."""
        writers = _Writers(self._folder / "attributed_flows")
        lock = Lock()

        def work(flows: Any) -> None:
            attributed = digested.result().attribute(flows)
            writers.mine().write(attributed)
            with lock:
                self._count(attributed, report)

        def write_ranges() -> None:
            self._write_ranges(pa.Table.from_batches([digested.result().ownership.ranges()]))

        with ThreadPoolExecutor(self._limits.workers) as pool:
            digested = pool.submit(self._digest)
            under_way: deque[Future[None]] = deque([pool.submit(write_ranges)])
            read = 0
            for flows in self._collection.flows():
                under_way.append(pool.submit(work, flows))
                read += flows.nbytes
                if digested.done() or read > self._limits.flow_bytes:
                    while len(under_way) > _AHEAD * self._limits.workers:
                        under_way.popleft().result()
            for future in under_way:
                future.result()
            list(pool.map(HourlyWriter.close, writers.all))

    def _count(self, attributed: Any, report: Report) -> None:
        self.tally.add(attributed)
        report("attributing", self.tally.flows, self.tally.flows / max(self._collection.flow_rows, 1))

    def _digest(self) -> Resolver:
        """The rules over all evidence, whose tables are let go: what the flows ask is digested."""
        resolver = self._attributor.resolver()
        self._attributor = Attributor(self._settings)
        self._collection.store.close()
        return resolver

    def _by_slabs(self, report: Report) -> None:
        """Evidence of two slabs at a time: that of the flows' own, and of the next, which follows them."""
        slabs = self._collection.store.slabs()
        self.slabs = len(slabs)
        flows = self._flows_by_slab(slabs)
        collector = RangeCollector(self._settings)
        writer = HourlyWriter(self._folder / "attributed_flows", name="part-0")

        def write(batches: list[Any]) -> None:
            for attributed in batches:
                writer.write(attributed)
                self._count(attributed, report)

        for number, slab in enumerate(slabs):
            if number == 0:
                self._observe(slab)
            last = number + 1 == len(slabs)
            if not last:
                self._observe(slabs[number + 1])
            known_to = slabs[number + 2].start if number + 2 < len(slabs) else NEVER_AFTER
            for batch in flows.drain(number):
                self._attributor.hold(batch)
                write(self._attributor.advance(known_to, oldest=slab.start if number else -NEVER_AFTER))
            write(self._attributor.advance(known_to, oldest=NEVER_AFTER if last else slabs[number + 1].start))
            self._write_ranges(collector.collect(self._attributor.ownership_ranges(several=SEVERAL), known_to=known_to))
        writer.close()
        flows.close()

    def _observe(self, slab: Slab) -> None:
        for kind, batch in slab.evidence:
            _OBSERVE[kind](self._attributor, batch)
            if kind in _FOLDERS:
                self._parts += 1
                name = f"part-{self._parts}.parquet"
                write_table(pa.Table.from_batches([batch]), self._folder / _FOLDERS[kind], name=name)

    def _flows_by_slab(self, slabs: list[Slab]) -> Buckets:
        """The flows, put aside once more by the slab in which they start."""
        cuts = np.array([slab.start for slab in slabs[1:]], np.int64)
        buckets = Buckets(self._folder / ".slabs")
        for batch in self._collection.flows():
            number = np.searchsorted(cuts, microseconds(batch.column("start")), side="right")
            for slab in np.unique(number).tolist():
                buckets.add(slab, batch.filter(pa.array(number == slab)))
        return buckets

    def _write_ranges(self, table: Any) -> None:
        self.ranges += table.num_rows
        self._ranges.write(table)


class _Writers:
    """One writer for each thread that asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._local = local()
        self.all: list[HourlyWriter] = []

    def mine(self) -> HourlyWriter:
        """The calling thread's writer."""
        if not hasattr(self._local, "writer"):
            with self._lock:
                self._local.writer = HourlyWriter(self._folder, name=f"part-{len(self.all)}")
                self.all.append(self._local.writer)
        writer: HourlyWriter = self._local.writer
        return writer
