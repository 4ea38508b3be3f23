"""First pass: evidence to the store; flows aside, or left where they are if reading them again costs little."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.core.columnar.dictionaries import decoded
from attribution.core.flow_evidence.flow_heartbeats import FIELDS as HEARTBEAT_FIELDS
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.core.times import asked_times
from attribution.lake.layout import REJECTS
from attribution.lake.spool import Spool
from attribution.records import INPUT_RECORDS
from attribution.replay.evidence_store import EvidenceStore
from attribution.replay.task import Task
from attribution.schema import FLOW, HEARTBEAT, POLICY
from attribution.sources import Batch, Ledger, Once, Reject, read, total_bytes
from attribution.sources.formats.native.format import is_native_flows, parquet_flows, parquet_starts
from attribution.sources.input.paths import expand, found_files
from attribution.sources.pool_space import OUTSIDE, PoolPrefixes
from attribution.sources.records.model import Account
from attribution.sources.records.rejects import RejectsFile
from attribution.sources.registry import completed, read_order

#: Flows of which no source that is read later tells more; others are put aside under the name of their format.
_WHOLE = ""


class Collection:
    """The input of a run, read once: what the second pass needs. A context; what was put aside is gone after it.

    Attributes:
        ledger: rows read, skipped and rejected.
        store: the evidence.
        flow_rows: rows of flows that `flows` will give, at the most.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._inputs = task, task.inputs
        self._network_of_flows = task.inputs.network_of(FLOW)
        settings, limits = task.settings, task.limits
        self._rejects = RejectsFile(task.folder / REJECTS)
        self.ledger = Ledger(sink=self._rejects.write, max_rejected_share=limits.rejected_share)
        self.store = EvidenceStore(task.folder / ".evidence", settings, limit=limits.evidence_rows)
        self._spool = Spool(task.folder / ".flows", memory_bytes=limits.flow_bytes)
        self._evidence = FlowEvidence(settings)
        self._pool_space = PoolPrefixes(settings.pool_prefixes)
        # Flows that are evidence only are no flows of the run, so they have no share in it.
        self._once = Once()
        self._left: list[Path] = []
        # Files of flows that were found in folders.
        self._found: frozenset[str] = frozenset()
        # Whether any flow of the spool has a local workload.
        self._captured = False
        # Rows of flows as they are put aside or left, and the earliest start (µs) among them.
        self._starts: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._starts_left: list[tuple[int, int]] = []
        self._rows = 0
        self._bytes: int | None = None
        self.flow_rows = 0

    def collect(self) -> None:
        """Read everything but the flows that `flows` will read."""
        self._found = found_files(self._inputs.of(FLOW))
        told = self._inputs.format is not None or self._inputs.mappings
        native, others = ([], self._inputs.of(FLOW)) if told else _split(self._inputs.of(FLOW))
        # In the order in which they will be read again.
        self._left = native = sorted(native, key=lambda path: read_order(str(path)))
        given = {kind: (paths, kinds) for kind, paths, kinds in self._inputs.sources()}
        given[FLOW] = others, INPUT_RECORDS
        sizes = [total_bytes(paths) for paths in (native, *(paths for paths, _ in given.values())) if paths]
        self._bytes = None if None in sizes else sum(size for size in sizes if size)
        for path in native:
            if self._task.flows_are_heartbeats:
                network = self._network_of_flows(str(path), FLOW)
                for batch in parquet_flows(path, HEARTBEAT_FIELDS, network=network):
                    self.store.add(HEARTBEAT, self._evidence.heartbeats(batch))
                    self._count(batch.num_rows)
            self.ledger.consumed += path.stat().st_size
        for kind, (paths, kinds) in given.items():
            if paths:
                self._read(kind, paths, kinds)
        for path in native:
            earlier_us = self._task.settings.active_timeout
            self._starts_left += [(rows, max(at - earlier_us, NEVER_BEFORE)) for rows, at in parquet_starts(path)]
        self.flow_rows = sum(rows for rows, _ in self.starts())
        self._collect_claims()
        if not native:
            self.ledger.check()

    def _read(self, given_as: str, paths: Sequence[str | Path], kinds: Sequence[str]) -> None:
        """Read sources; flows that are given as another kind are evidence only."""
        keep_flows, inputs = given_as == FLOW, self._inputs
        sources = read(
            paths,
            ledger=self.ledger,
            format=inputs.format,
            kinds=kinds,
            network=inputs.network_of(given_as),
            seen_at=inputs.seen_at_of(given_as),
            mapping=inputs.mapping_of(given_as),
            once=self._once if keep_flows else None,
            found=self._found if keep_flows else None,
            alone=not (keep_flows and self._left),
        )
        for found in sources:
            trusted = self._task.flows_are_heartbeats or not keep_flows
            if found.kind == FLOW:
                if keep_flows:
                    self._leave_out(found)
                    aside = found.format if found.told_later else _WHOLE
                    self._spool.add(aside, found.batch)
                    self._captured |= found.batch.column("local_workload").null_count < found.batch.num_rows
                    start = int(asked_times(found.batch, self._task.settings)[0].min())
                    self._starts[aside].append((found.batch.num_rows, start))
                if trusted and found.flow_heartbeats != "none":
                    self.store.add(HEARTBEAT, self._evidence.heartbeats(found.batch, found.flow_heartbeats))
                    if not keep_flows:
                        self.store.add(HEARTBEAT, self._evidence.claims(found.batch, found.flow_heartbeats))
            elif found.kind == POLICY:
                self._add_policies(found)
            elif trusted or not found.shown_by_flows:
                self.store.add(found.kind, found.batch)
            self._count(found.batch.num_rows)

    def _collect_claims(self) -> None:
        """What connections claim of their own ports, where addresses are held by port; nowhere else it counts."""
        by_port = self.store.held_by_port
        if len(by_port) and self._task.flows_are_heartbeats:
            for flows in self.flows_again(HEARTBEAT_FIELDS):
                some = flows.filter(pc.is_in(decoded(flows.column("local_address")), value_set=by_port))
                self.store.add(HEARTBEAT, self._evidence.claims(some))

    def flows_again(self, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All flows whose local workload may be known, in some of their fields; may be asked several times."""
        for _, batch in self._spool.batches() if self._captured else ():
            yield batch.select(fields)
        for path in self._left:
            yield from parquet_flows(path, fields, network=self._network_of_flows(str(path), FLOW))

    def _add_policies(self, found: Batch) -> None:
        """Policies that stand elsewhere than among `Inputs.policies` may reach beyond the pool space."""
        own, beyond = self._pool_space.own(found.batch)
        if beyond:
            self.ledger.reject(found.format, Reject(found.source, 0, OUTSIDE, beyond, POLICY))
        self.store.add(POLICY, own)

    def _leave_out(self, flows: Batch) -> None:
        """Count the flows that are not attributed, since they start at another time; reports and evidence they stay."""
        if outside := self._task.span.outside(flows.batch):
            account = Account(self.ledger, flows.format, {})
            account.passed(FLOW, -outside)
            account.skip("outside_window", outside)

    def _count(self, rows: int) -> None:
        self._rows += rows
        share = min(self.ledger.consumed / self._bytes, 1) if self._bytes else None
        self._task.report("reading", self._rows, share)

    def starts(self) -> list[tuple[int, int]]:
        """When flows start: (rows, earliest start of these, µs) for all, in the order in which `flows` gives them.

        Rows that `flows` rejects are among them, so that what it gives next is never further on than it seems.
        """
        return [one for starts in (*self._starts.values(), self._starts_left) for one in starts]

    def flows(self) -> Iterator[pa.RecordBatch]:
        """The flows of all times as canonical record batches, each given once."""
        again = self._captured and self._task.flows_are_heartbeats
        for aside, batch in self._spool.batches() if again else self._spool.drain():
            yield batch if aside == _WHOLE else completed(aside, batch, self.ledger)
        if self._left:
            network = self._network_of_flows
            for found in read(self._left, ledger=self.ledger, kinds=(FLOW,), network=network, once=self._once):
                self._leave_out(found)
                yield found.batch
            self.ledger.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        self._spool.close()
        self._rejects.close()


def _split(paths: Sequence[str | Path]) -> tuple[list[Path], list[str | Path]]:
    """The files that are native flows in Parquet, and all others: columns of the former can be read by themselves."""
    native: list[Path] = []
    others: list[str | Path] = []
    for path in expand(paths):
        if path is not None and is_native_flows(path):
            native.append(path)
        else:
            others.append("-" if path is None else path)
    return native, others
