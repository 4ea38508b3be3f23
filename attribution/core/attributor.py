"""The seam between the rules and what runs them: evidence goes in, flows are held, attributed flows come out.

The streaming job drives it; a replay, which has all evidence before the first flow, uses the same rules without it. It
knows no clock and no I/O: time is the watermark that it is given.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, microseconds
from attribution.core.columnar.dictionaries import plain
from attribution.core.columnar.types import Int32, UInt64
from attribution.core.evidence_memory import EvidenceMemory
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence, FlowHeartbeats
from attribution.core.flow_evidence.report_memory import ReportMemory
from attribution.core.flow_evidence.reports import reports_of
from attribution.core.gate import Horizon, Released, Sides, TimeGate
from attribution.core.held_flows import Folded, by_age
from attribution.core.identity import FlowMemory
from attribution.core.resolve import Resolver, captured
from attribution.core.snapshot import Snapshot, packed, unpacked
from attribution.schema import (
    FLOW,
    HEARTBEAT,
    completed,
)

#: What a snapshot calls flows that wait, with or without their local side.
_HELD = "held"
#: What a snapshot calls flows that were due, and wait on for assignment events.
_POSTPONED = "postponed"
#: What a snapshot calls the reports of connections.
_REPORTS = "reports"
#: What a snapshot calls the identities of the flows that have gone out.
_IDENTITIES = "identities"


class Attributor:
    """Collects evidence, holds flows until the watermark says that theirs is complete, and attributes them.

    Two ways to use it: `attribute`, if all evidence is known (replay of history), or `hold` and `advance`, if time goes
    on. Both give the same rows for the same evidence, if none comes later than the watermark allows.

    Args:
        settings: the settings of the rules.
        index_per_batch: whether each batch of flows is judged by an index of the evidence of its own addresses. This
            pays if evidence comes between batches of flows. Otherwise one index of all evidence serves them.
        sides: which sides of a flow it attributes. A stream keeps the evidence of each address in one place. It
            attributes the `local` side of a flow where the evidence of the local address is, then the `remote` side. A
            flow that comes for its remote side has its local side attributed, or had it captured.

    Attributes:
        settings: the settings of the rules.
        counters: `late_heartbeats` (came below the watermark), `flows_held`, `flows_released`, `flows_too_old`,
            `flows_repeated` (went out before, by their `record_id`).
    """

    def __init__(self, settings: Settings, *, sides: Sides = "both", index_per_batch: bool = False) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self._sides, self._index_per_batch = sides, index_per_batch
        self._evidence = EvidenceMemory(settings)
        self._gate = TimeGate(settings, sides=sides)
        self._memory = FlowMemory(settings)
        self._reports = ReportMemory(settings)
        self._flows = FlowEvidence(settings)

    def observe(self, kind: str, rows: pa.RecordBatch | pa.Table) -> None:
        """Add evidence.

        Args:
            kind: one of `attribution.records.EVIDENCE`.
            rows: canonical rows of `schemas/KIND.avsc`.
        """
        if kind == HEARTBEAT:
            late = int((microseconds(rows.column("end")) < self.watermark_us).sum())
            self.counters["late_heartbeats"] += late
        self._evidence.observe(kind, rows)

    def observe_flows(self, flows: pa.RecordBatch, span: FlowHeartbeats = "interval") -> None:
        """Add what flows with a known local workload show: heartbeats, claims of their ports, and reports.

        Args:
            flows: canonical flows.
            span: what they are as heartbeats, as of `FlowEvidence.heartbeats`.
        """
        self._evidence.observe(HEARTBEAT, self._flows.heartbeats(flows, span))
        self._evidence.observe(HEARTBEAT, self._flows.claims(flows, span))
        if span == "interval":
            self._reports.add(reports_of(flows, self.settings))

    def observe_reports(self, reports: pa.RecordBatch) -> None:
        """Add reports of flows and of their far ends: a batch of `attribution.core.flow_evidence.reports.SCHEMA`."""
        self._reports.add(reports)

    def expect_reports_from(self, moment_us: int) -> None:
        """Take the reports that ended before a moment (µs) for incomplete, so that no flow near them is answered."""
        self._reports.complete_from_us = moment_us

    def replace_labels(self, labels: pa.RecordBatch | pa.Table) -> None:
        """Use these labels, a table of `schemas/label.avsc`, in the place of all that were observed."""
        self._evidence.replace_labels(labels)

    def resolver(self) -> Resolver:
        """The rules over the evidence as it is now; immutable, kept until evidence is added."""
        return self._evidence.resolver()

    def attribute(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """Attribute a record batch of flows with the evidence as it is now, whatever the watermark."""
        return self._reports.settled(self._attributed(flows, self.resolver()), NEVER_BEFORE)

    def _attributed(self, flows: pa.RecordBatch, resolver: Resolver) -> pa.RecordBatch:
        if self._sides == "both":
            return resolver.attribute(flows)
        if self._sides == "local":
            return resolver.attribute_local(flows)
        return resolver.attribute_remote(flows if "local_method" in flows.schema.names else captured(flows))

    def ownership_ranges(self, *, several: str | None = None, begun_by_us: int | None = None) -> pa.RecordBatch:
        """The ownership ranges of the evidence as it is now: a record batch of `schemas/ownership_range.avsc`.

        Args:
            several: service of a range whose heartbeats name several, as of `Ownership.ranges`.
            begun_by_us: as if there were no heartbeats but those that begin at this moment or before.
        """
        return self._evidence.ownership(begun_by_us=begun_by_us).ranges(several=several)

    @property
    def watermark_us(self) -> int:
        """Up to when (µs) evidence is taken as complete."""
        return self._gate.watermark_us

    @property
    def held(self) -> int:
        """How many flows are held."""
        return self._gate.held.rows

    @property
    def heartbeats(self) -> int:
        """How many heartbeats are kept."""
        return self._evidence.heartbeat_rows

    @property
    def next_due_us(self) -> int:
        """The watermark (µs) at which the first of the held flows is due; after all time if none is held."""
        return self._gate.held.next_due_us

    def hold(self, flows: pa.RecordBatch | Folded, *, arrived_us: int = 0) -> None:
        """Keep flows until `advance` finds them due, or `give_up` that they have waited too long.

        Args:
            flows: record batch of `schemas/flow.avsc`, or `attribution.core.held_flows.Folded` flows.
            arrived_us: a moment of the caller's own clock, for `give_up`.
        """
        before = self.held
        self._gate.hold(flows, arrived_us=arrived_us)
        self.counters["flows_held"] += self.held - before

    def advance(self, watermark_us: int, *, oldest_us: int | None = None) -> Released:
        """Take evidence up to `watermark_us` as complete; return what became of the flows that are due.

        A flow is due when the watermark has reached its end plus `hold`. All evidence that was seen while the flow
        lasted is known by then, and so is evidence that begins up to `max_gap` after it. A flow that no heartbeat
        answers waits for `assignment_hold`.

        Args:
            watermark_us: it never goes back.
            oldest_us: no flow that starts before this is expected; by default `retention` before the watermark. A flow
                that comes after its evidence was forgotten goes out with the reason `too_old`.
        """
        before_us = self.watermark_us
        due = self._gate.due(watermark_us)
        # At the end of time no flow is too old to be remembered.
        reached_us = before_us if self.watermark_us >= NEVER_AFTER else self.watermark_us
        known_from_us = self._reports.known_from_us(before_us)
        released = self._release(due, Horizon(self._gate.forgotten_us, self.watermark_us), reached_us, known_from_us)
        for flows in released.postponed:
            self._gate.postpone(flows)
        if self._evidence.grown:
            self.compact(self.watermark_us - self.settings.retention if oldest_us is None else oldest_us)
        return released

    def give_up(self, arrived_before_us: int) -> list[pa.RecordBatch]:
        """Attribute the flows that were held since before a moment of the caller's clock, due or not.

        Evidence that is missing costs them coverage, never correctness. For a stream whose watermark stands still.
        """
        stale = self._gate.stale(arrived_before_us)
        # Reports that are under way might fit as well.
        return self._release(stale, Horizon(self._gate.forgotten_us), self.watermark_us, NEVER_AFTER).attributed

    def skip(self, watermark_us: int) -> None:
        """As `advance`, but drop the flows that are due: they went out before, and this is the history after that."""
        self._let_out(self._gate.due(watermark_us))

    def postpone(self, flows: pa.RecordBatch, *, arrived_us: int) -> None:
        """Hold flows that `advance` had postponed: as `hold`, but for `assignment_hold`."""
        # `skip` took them for flows that had gone out.
        self._memory.stayed(flows)
        self._gate.postpone(flows, arrived_us=arrived_us)

    def _release(
        self, flows: list[pa.RecordBatch], horizon: Horizon, reached_us: int, reports_from_us: int
    ) -> Released:
        """Attribute flows that the gate let through, but for those that went out before.

        Args:
            flows: the flows.
            horizon: the evidence that there is.
            reached_us: to where time has come.
            reports_from_us: all reports that ended from this moment on are known.
        """
        flows, repeated = self._first(flows, reached_us)
        released = Released.joined(
            self._gate.release(
                batch, self._reports.settled(self._attributed(batch, resolver), reports_from_us), horizon
            )
            for batch, resolver in self._judged_by(flows)
        )
        self._let_out(released.attributed)
        if repeated:
            self.counters["flows_repeated"] += repeated
            released = replace(released, repeated=repeated)
        self.counters["flows_released"] += released.rows
        if released.too_old:
            self.counters["flows_too_old"] += released.too_old
        return released

    def _first(self, flows: list[pa.RecordBatch], reached_us: int) -> tuple[list[pa.RecordBatch], int]:
        """The flows that have not gone out, and how many others there are; flows go out by their remote side."""
        return (flows, 0) if self._sides == "local" else self._memory.first(flows, reached_us)

    def _let_out(self, flows: list[pa.RecordBatch]) -> None:
        if self._sides != "local":
            self._memory.went_out(flows)

    @property
    def identities(self) -> tuple[UInt64, Int32]:
        """The flows that have gone out and are remembered, as `FlowMemory.identities`."""
        return self._memory.identities

    def remember(self, hashes: UInt64, minutes: Int32) -> None:
        """Take flows for flows that have gone out: `identities` of an earlier attributor."""
        self._memory.add(hashes, minutes)

    def _judged_by(self, flows: list[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, Resolver]]:
        """The flows, each batch with the rules over the evidence that it asks for."""
        if not self._index_per_batch:
            for batch in flows:
                yield batch, self.resolver()
            return
        # What is known about the addresses of many flows is digested once for all of them.
        for group in by_age(flows, self.settings):
            resolver = self._evidence.resolver_about(group, self._sides)
            for batch in group:
                yield batch, resolver

    def compact(self, oldest_us: int) -> None:
        """Merge heartbeats, and forget evidence that no flow which starts at `oldest_us` or later can ask for."""
        forgotten_us = self._gate.forget(oldest_us)
        # A heartbeat that lasts up to `hold` is reported when it ends.
        self._evidence.forget(forgotten_us, complete_to_us=max(self.watermark_us - self.settings.hold, NEVER_BEFORE))
        self._memory.forget(self.watermark_us)
        self._reports.forget(self.watermark_us)

    @property
    def known_heartbeats(self) -> pa.Table:
        """The heartbeats that are kept: a table of `schemas/heartbeat.avsc`."""
        return self._evidence.heartbeat_table()

    @property
    def known_reports(self) -> pa.Table:
        """The reports that are kept: a table of `attribution.core.flow_evidence.reports.SCHEMA`."""
        return self._reports.table()

    @property
    def held_flows(self) -> list[pa.RecordBatch | Folded]:
        """The flows that are held, as they are held: record batches, and what was folded."""
        return self._gate.held.flows

    def snapshot(self, *, rows: bool = True) -> bytes:
        """All state as bytes, read by `restore`.

        Args:
            rows: whether with the heartbeats, the reports, the held flows and the flows that have gone out, which are
                most of it. Whoever keeps these apart gives them back by `observe`, `observe_reports`, `hold` and
                `remember` after `restore`.
        """
        tables = [*self._evidence.tables()]
        if rows:
            tables.append((HEARTBEAT, self.known_heartbeats))
            tables.append((_REPORTS, self.known_reports))
            tables.append((_IDENTITIES, pa.table(dict(zip(("hash", "minute"), self.identities, strict=True)))))
            for postponed, batch in self._gate.held.by_wait():
                tables.append((_POSTPONED if postponed else _HELD, pa.Table.from_batches([plain(batch)])))
        return packed(Snapshot(tables, self.watermark_us, self._gate.forgotten_us))

    @classmethod
    def restore(
        cls,
        snapshot: bytes,
        settings: Settings,
        *,
        sides: Sides = "both",
        index_per_batch: bool = False,
        arrived_us: int = 0,
    ) -> "Attributor":
        """An attributor in the state of `snapshot`; counters begin at zero, and the held flows arrived at `arrived_us`.

        Raises:
            ConfigError: the snapshot was written by a version that this one does not know.
        """
        state = unpacked(snapshot)
        made = cls(settings, sides=sides, index_per_batch=index_per_batch)
        made._gate = TimeGate(settings, sides=sides, watermark_us=state.watermark_us, forgotten_us=state.forgotten_us)
        for kind, older in state.tables:
            if kind == _IDENTITIES:
                made.remember(older.column("hash").to_numpy(), older.column("minute").to_numpy())
                continue
            if kind == _REPORTS:
                for batch in older.to_batches():
                    made.observe_reports(batch)
                continue
            waiting = {_HELD: made._gate.hold, _POSTPONED: made._gate.postpone}.get(kind)
            table = completed(kind if waiting is None else FLOW, older)
            if waiting is None:
                made._evidence.observe(kind, table)
                continue
            for batch in table.to_batches():
                waiting(batch, arrived_us=arrived_us)
        return made
