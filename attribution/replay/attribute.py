"""Second pass: flows attributed and written on all cores, with all evidence at once or slab by slab."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock, local
from typing import Any

import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, microseconds
from attribution.core.held_flows import HeldFlows
from attribution.core.ownership.range_collector import SEVERAL, RangeCollector
from attribution.core.resolve import Resolver
from attribution.core.too_old import too_old
from attribution.lake.lake import write_table
from attribution.lake.partitions import DailyWriter, HourlyWriter
from attribution.replay.collect import Collection, Report
from attribution.replay.flow_order import FlowOrder
from attribution.replay.inputs import Limits
from attribution.replay.slabs import Slab, Slabs
from attribution.replay.summary import Tally
from attribution.schema import ASSIGNMENT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE

_FOLDERS = {
    ASSIGNMENT: "assignments",
    NAME_BINDING: "name_bindings",
    LABEL: "labels",
    POLICY: "policies",
    SOCKET_RULE: "socket_rules",
}
#: Batches that wait for each worker while it is at work.
_AHEAD = 1
#: Share of the rows that may be in memory which a slab has; others are read while it is digested.
_SLAB = 0.6
#: Bytes of flows that wait while all evidence is digested, or a slab of it: then evidence has what memory there may be.
_AHEAD_BYTES, _AHEAD_BYTES_OF_SLAB = 256 << 20, 64 << 20
#: Ownership ranges that are made and written at a time.
_RANGES = 1 << 19


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
        self._ranges = DailyWriter(folder / "ownership_ranges")
        self._writers = _Writers(folder / "attributed_flows")
        self._counting = Lock()
        self.tally = Tally()
        self.ranges = 0
        self.slabs = 1

    def judge(self, report: Report) -> None:
        """Do all of it."""
        evidence = dict(self._collection.store.in_memory())
        for kind, name in _FOLDERS.items():
            if kind in evidence:
                write_table(evidence[kind], self._folder / name)
        with ThreadPoolExecutor(self._limits.workers) as pool:
            if self._collection.store.fits:
                self._at_once(pool, evidence, report)
            else:
                self._by_slabs(pool, evidence, report)
            list(pool.map(HourlyWriter.close, self._writers.all))

    def _at_once(self, pool: ThreadPoolExecutor, evidence: dict[str, Any], report: Report) -> None:
        """All evidence is known: flows in any order; while it is digested, they are read ahead."""

        def digest() -> Resolver:
            """The rules over all evidence, whose tables are let go: what the flows ask is digested."""
            resolver = Resolver(evidence, self._settings)
            evidence.clear()
            self._collection.store.close()
            return resolver

        resolver = pool.submit(digest)
        crew = _Crew(pool, self._limits.workers, ahead_bytes=_AHEAD_BYTES)
        crew.give(partial(self._collect_ranges, resolver, RangeCollector(self._settings), NEVER_AFTER))
        for flows in self._collection.flows():
            crew.attribute(flows, resolver, partial(self._attribute, report=report))
        crew.finish()

    def _by_slabs(self, pool: ThreadPoolExecutor, evidence: dict[str, Any], report: Report) -> None:
        """Flows are held until the evidence of a slab is all that they can ask for."""
        slabs = Slabs(self._collection.store, self._settings, limit=int(_SLAB * self._limits.evidence_rows))
        rules = Resolver(evidence, self._settings)
        flows = FlowOrder(self._collection.flows(), self._collection.starts(), self._folder / ".slabs")
        held = HeldFlows(self._settings.hold)
        collector = RangeCollector(self._settings)
        crew = _Crew(pool, self._limits.workers, ahead_bytes=_AHEAD_BYTES_OF_SLAB)
        forgotten = NEVER_BEFORE
        while (slab := slabs.take()) is not None:
            self._write_names(slab, slabs.count)
            resolver = pool.submit(rules.knowing, slab.heartbeats, slab.names)
            crew.give(partial(self._collect_ranges, resolver, collector, slab.known_to))
            work = partial(self._attribute, report=report, forgotten=forgotten)
            for batch in flows.before(slab.known_to):
                held.add(batch)
                for due in held.due(slab.known_to - 1):
                    crew.attribute(due, resolver, work)
            forgotten = min(held.earliest_start, slab.known_to)
            slabs.forget(forgotten)
            # The digest of the next slab would not fit beside this one.
            crew.finish()
            del resolver, slab, work
        flows.close()
        self.slabs = slabs.count

    def _attribute(self, flows: Any, resolver: Resolver, *, report: Report, forgotten: int = NEVER_BEFORE) -> None:
        attributed = resolver.attribute(flows)
        late = microseconds(flows.column("start")) < forgotten
        if late.any():
            attributed = too_old(attributed, late)
        self._writers.mine().write(attributed)
        with self._counting:
            self.tally.add(attributed)
            report("attributing", self.tally.flows, self.tally.flows / max(self._collection.flow_rows, 1))

    def _collect_ranges(self, resolver: Future[Resolver], collector: RangeCollector, known_to: int) -> None:
        """Write the ownership ranges that nothing after `known_to` can extend, some at a time."""
        ownership = resolver.result().ownership
        ranges = ownership.evidence.ranges
        settled, open_ones = collector.settled(ranges.start, ranges.end, known_to=known_to)
        for begin in range(0, len(settled), _RANGES):
            found = ownership.ranges(among=settled[begin : begin + _RANGES])
            self._write_ranges(pa.Table.from_batches([found]))
        found = ownership.ranges(several=SEVERAL, among=open_ones)
        self._write_ranges(collector.collect(found, known_to=known_to))

    def _write_ranges(self, ranges: Any) -> None:
        self.ranges += ranges.num_rows
        self._ranges.write(ranges)

    def _write_names(self, slab: Slab, number: int) -> None:
        if slab.new_names:
            table = pa.Table.from_batches(slab.new_names)
            write_table(table, self._folder / _FOLDERS[NAME_BINDING], name=f"part-{number}.parquet")


class _Crew:
    """Work that is given to threads, no more of it at a time than what they need to go on."""

    def __init__(self, pool: ThreadPoolExecutor, workers: int, *, ahead_bytes: int) -> None:
        self._pool, self._workers, self._ahead_bytes = pool, workers, ahead_bytes
        self._under_way: deque[Future[None]] = deque()
        self._ahead = 0

    def give(self, work: Callable[[], None]) -> None:
        """Have something done."""
        self._under_way.append(self._pool.submit(work))

    def attribute(self, flows: Any, resolver: Future[Resolver], work: Callable[[Any, Resolver], None]) -> None:
        """Have a batch attributed; while the evidence is digested, some may wait."""
        self.give(lambda: work(flows, resolver.result()))
        self._ahead = 0 if resolver.done() else self._ahead + flows.nbytes
        if resolver.done() or self._ahead > self._ahead_bytes:
            while len(self._under_way) > _AHEAD * self._workers:
                self._under_way.popleft().result()

    def finish(self) -> None:
        """Wait until all is done."""
        while self._under_way:
            self._under_way.popleft().result()


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
