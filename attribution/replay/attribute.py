"""Second pass: flows attributed and written on all cores, with all evidence at once or slab by slab."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, local
from typing import TypeVarTuple

import pyarrow as pa

from attribution.config import HOUR
from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.core.flow_evidence.reports import FIELDS as REPORT_FIELDS
from attribution.core.gate import Horizon, TimeGate
from attribution.core.ownership.range_collector import SEVERAL_SERVICES, RangeCollector
from attribution.core.resolve import Resolver
from attribution.core.unrouted import Unrouted, unrouted
from attribution.lake.lake import write_table
from attribution.lake.layout import FOLDERS
from attribution.lake.partitions import DailyWriter, HourlyWriter
from attribution.replay.collect import Collection
from attribution.replay.flow_order import FlowOrder
from attribution.replay.open_flows import OpenFlows
from attribution.replay.slabs import Slabs
from attribution.replay.summary import Tally
from attribution.replay.task import Task
from attribution.schema import ATTRIBUTED_FLOW, NAME_BINDING, OWNERSHIP_RANGE

#: Batches that wait for each worker while it is at work.
_AHEAD = 1
#: Share of the rows that may be in memory which a slab has; others are read while it is digested.
_SLAB = 0.6
#: Bytes of flows that wait while all evidence is digested, or a slab of it: then evidence has what memory there may be.
_AHEAD_BYTES, _AHEAD_BYTES_OF_SLAB = 256 << 20, 64 << 20
#: Ownership ranges that are made and written at a time.
_RANGES = 1 << 19

_Arguments = TypeVarTuple("_Arguments")


@dataclass(frozen=True)
class Attributed:
    """What an attribution pass did.

    Attributes:
        tally: the flows attributed.
        ranges: ownership ranges written.
        slabs: spans of time that the history was cut into.
    """

    tally: Tally
    ranges: int
    slabs: int


class AttributionPass:
    """Attributes the flows of a collection and writes them.

    Args:
        task: what the run was asked to do.
        collection: its input, collected.
    """

    def __init__(self, task: Task, collection: Collection) -> None:
        self._collection, self._folder = collection, task.folder
        self._settings, self._limits, self._span = task.settings, task.limits, task.span
        self._gate = TimeGate(task.settings)
        self._flows_out = _FlowsOut(task, expected=collection.flow_rows)
        self._ranges_out = _RangesOut(task)
        self._open = OpenFlows(
            task.folder / ".open",
            task.settings,
            memory_bytes=task.limits.flow_bytes // 2,
            asked=task.flows_are_heartbeats,
        )

    def run(self) -> Attributed:
        """Do all of it, once."""
        store = self._collection.store
        evidence = dict(store.in_memory())
        for kind, table in evidence.items():
            if kind in FOLDERS:
                write_table(table, self._folder / FOLDERS[kind])
        with _threads(self._limits.workers) as pool:
            slabs = self._at_once(evidence, pool) if store.fits else self._by_slabs(evidence, pool)
            if self._open.rows:
                self._ask_far_ends(pool)
            self._open.close()
            self._flows_out.close(pool)
        return Attributed(self._flows_out.tally, self._ranges_out.rows, slabs)

    def _at_once(self, evidence: dict[str, pa.Table], pool: ThreadPoolExecutor) -> int:
        """All evidence is known: flows in any order; while it is digested, they are read ahead."""
        resolver = pool.submit(self._digest, evidence)
        workers = _Workers(pool, self._limits.workers, ahead_bytes=_AHEAD_BYTES)
        workers.submit(self._ranges_out.write, resolver, NEVER_AFTER)
        for every in self._collection.flows():
            flows = self._span.inside(every)
            workers.submit(self._attribute, flows, resolver, Horizon())
            workers.wait_for_room(flows.nbytes, resolver)
        workers.finish()
        return 1

    def _digest(self, evidence: dict[str, pa.Table]) -> Resolver:
        """The rules over all evidence, whose tables are let go: what the flows ask is digested."""
        resolver = Resolver(evidence, self._settings)
        evidence.clear()
        self._collection.store.close()
        return resolver

    def _by_slabs(self, evidence: dict[str, pa.Table], pool: ThreadPoolExecutor) -> int:
        """Flows are held until the evidence of a slab is all that they can ask for."""
        slabs = Slabs(self._collection.store, self._settings, limit=int(_SLAB * self._limits.evidence_rows))
        rules = Resolver(evidence, self._settings)
        flows = FlowOrder(self._collection.flows(), self._collection.starts(), self._folder / ".slabs")
        workers = _Workers(pool, self._limits.workers, ahead_bytes=_AHEAD_BYTES_OF_SLAB)
        # An export asks for evidence from before its start: it is held before that evidence is forgotten.
        ahead_us = -(-self._settings.active_timeout // HOUR) * HOUR
        while (slab := slabs.take()) is not None:
            if slab.new_names:
                names = pa.Table.from_batches(slab.new_names)
                write_table(names, self._folder / FOLDERS[NAME_BINDING], name=f"part-{slabs.count}.parquet")
            resolver = pool.submit(rules.with_heartbeats, slab.heartbeats, slab.names)
            workers.submit(self._ranges_out.write, resolver, slab.known_to_us)
            horizon = Horizon(self._gate.forgotten_us)
            # Flows of earlier slabs may be due, though none starts in this one.
            self._attribute_due(slab.known_to_us, resolver, horizon, workers)
            for batch in flows.before(min(slab.known_to_us + ahead_us, NEVER_AFTER)):
                self._gate.hold(self._span.inside(batch))
                self._attribute_due(slab.known_to_us, resolver, horizon, workers)
            slabs.forget(self._gate.forget(slab.known_to_us))
            # The digest of the next slab would not fit beside this one.
            workers.finish()
            del resolver, slab
        flows.close()
        return slabs.count

    def _attribute_due(
        self, known_to_us: int, resolver: Future[Resolver], horizon: Horizon, workers: "_Workers"
    ) -> None:
        """Have the flows attributed that are due before a moment (µs)."""
        for due in self._gate.due(known_to_us - 1):
            workers.submit(self._attribute, due, resolver, horizon)
            workers.wait_for_room(due.nbytes, resolver)

    def _ask_far_ends(self, pool: ThreadPoolExecutor) -> None:
        """Read the flows again, for the reports of the far ends of those that are open, and write the latter."""
        workers = _Workers(pool, self._limits.workers, ahead_bytes=0)
        self._open.ask()
        for flows in self._collection.flows_again(REPORT_FIELDS):
            workers.submit(self._open.take, flows)
            workers.wait()
        workers.finish()
        for flows in self._open.drain():
            workers.submit(self._settle, flows)
            workers.wait()
        workers.finish()

    def _settle(self, flows: pa.RecordBatch) -> None:
        self._flows_out.write(self._open.settled(flows), Unrouted())

    def _attribute(self, flows: pa.RecordBatch, resolver: Future[Resolver], horizon: Horizon) -> None:
        """Attribute and write flows that are due; all assignment events are known, so that no flow waits on."""
        rules = resolver.result()
        released = self._gate.release(flows, rules.attribute(flows), horizon)
        for attributed in released.attributed:
            rest = self._open.without_open(attributed)
            self._flows_out.write(rest, unrouted(rules, rest))


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the block: after an error without what waits, and after Ctrl-C no one waits for them."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()


class _FlowsOut:
    """Writes and counts attributed flows, each thread to a file of its own.

    Attributes:
        tally: the flows written.
    """

    def __init__(self, task: Task, *, expected: int) -> None:
        self._folder, self._report = task.folder / FOLDERS[ATTRIBUTED_FLOW], task.report
        self._expected = expected
        self._lock, self._local = Lock(), local()
        self._writers: list[HourlyWriter] = []
        self.tally = Tally()

    def write(self, attributed: pa.RecordBatch, routes: Unrouted) -> None:
        """Write a batch, and count it with what routes would do for it; safe to call from several threads."""
        self._writer().write(attributed)
        with self._lock:
            self.tally.add(attributed)
            self.tally.unrouted.add(routes)
            self._report("attributing", self.tally.flows, self.tally.flows / max(self._expected, 1))

    def _writer(self) -> HourlyWriter:
        """The calling thread's writer."""
        if not hasattr(self._local, "writer"):
            with self._lock:
                self._local.writer = HourlyWriter(self._folder, name=f"part-{len(self._writers)}")
                self._writers.append(self._local.writer)
        writer: HourlyWriter = self._local.writer
        return writer

    def close(self, pool: ThreadPoolExecutor) -> None:
        """Finish all files."""
        list(pool.map(HourlyWriter.close, self._writers))


class _RangesOut:
    """Writes ownership ranges, each when no later evidence can extend it.

    Attributes:
        rows: ranges written.
    """

    def __init__(self, task: Task) -> None:
        self._writer = DailyWriter(task.folder / FOLDERS[OWNERSHIP_RANGE])
        self._collector = RangeCollector(task.settings)
        self.rows = 0

    def write(self, resolver: Future[Resolver], known_to_us: int) -> None:
        """Write the ranges that nothing after `known_to_us` can extend, some at a time; one call after the other.

        Args:
            resolver: the rules over the evidence that begins before that moment, and is not forgotten.
            known_to_us: later than in the call before.
        """
        ownership = resolver.result().ownership
        ranges = ownership.tables.ranges
        settled, open_ones = self._collector.settled(ranges.start, ranges.end, known_to=known_to_us)
        for begin in range(0, len(settled), _RANGES):
            found = ownership.ranges(among=settled[begin : begin + _RANGES])
            self._write(pa.Table.from_batches([found]))
        found = ownership.ranges(several=SEVERAL_SERVICES, among=open_ones)
        self._write(self._collector.collect(found, known_to=known_to_us))

    def _write(self, ranges: pa.Table) -> None:
        self.rows += ranges.num_rows
        self._writer.write(ranges)


class _Workers:
    """Work for threads, no more of it at a time than what they need to go on.

    Args:
        pool: the threads.
        count: how many there are.
        ahead_bytes: bytes of flows that may wait while evidence is digested.
    """

    def __init__(self, pool: ThreadPoolExecutor, count: int, *, ahead_bytes: int) -> None:
        self._pool, self._count, self._ahead_bytes = pool, count, ahead_bytes
        self._under_way: deque[Future[None]] = deque()
        self._waiting_bytes = 0

    def submit(self, work: Callable[[*_Arguments], None], *arguments: *_Arguments) -> None:
        """Have something done."""
        self._under_way.append(self._pool.submit(work, *arguments))

    def wait_for_room(self, submitted_bytes: int, resolver: Future[Resolver]) -> None:
        """Wait until more flows may be submitted; while the evidence about them is digested, some may wait.

        Args:
            submitted_bytes: bytes of the flows that were submitted last.
            resolver: what they wait for.
        """
        digested = resolver.done()
        self._waiting_bytes = 0 if digested else self._waiting_bytes + submitted_bytes
        if digested or self._waiting_bytes > self._ahead_bytes:
            self.wait()

    def wait(self) -> None:
        """Wait until more may be submitted."""
        while len(self._under_way) > _AHEAD * self._count:
            self._under_way.popleft().result()

    def finish(self) -> None:
        """Wait until all is done."""
        while self._under_way:
            self._under_way.popleft().result()
