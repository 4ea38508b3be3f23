"""The seam between the rules and what runs them: evidence goes in, flows are held, attributed flows come out.

The streaming job drives it; a replay, which has all evidence before the first flow, uses the same rules without it. It
knows no clock and no I/O: time is the watermark that it is given.
"""

from collections import Counter
from functools import reduce
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, microseconds
from attribution.core.columnar.dictionaries import plain
from attribution.core.held_flows import HeldFlows, by_age, unfolded
from attribution.core.ownership.compaction import current_names, distinct_rows
from attribution.core.ownership.heartbeat_store import HeartbeatStore
from attribution.core.ownership.lookup import Ownership
from attribution.core.resolve import Resolver, captured, of_fallback
from attribution.core.too_old import too_old
from attribution.errors import ConfigError
from attribution.schema import (
    ASSIGNMENT,
    FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    POLICY,
    SOCKET_RULE,
    arrow_schema,
    completed,
)

#: Version of `Attributor.snapshot`, and the first one that can be read. Evidence of a port in version 1 does not say of
#: which protocol, so that nothing sound can be made of it; a reader of a later version must read 2 and all that follow.
#: 3: ranges of ports, which a reader of 2 would take for their first port. 4: policies, socket rules, and name bindings
#: for networks of clients, which a reader of 3 would take for their resolver's own.
SNAPSHOT_VERSION, _OLDEST_VERSION = 4, 2

#: Which sides of a flow are attributed.
Sides = Literal["both", "local", "remote"]

#: What a snapshot calls flows that wait, with or without their local side.
_HELD = "held"
_EVIDENCE = (ASSIGNMENT, NAME_BINDING, LABEL, POLICY, SOCKET_RULE)
_START_OF_TIME = -(1 << 61)


class Attributor:
    """Collects evidence, holds flows until the watermark says that theirs is complete, and attributes them.

    Two ways to use it: `attribute`, where all evidence is known (replay of history), or `hold` and `advance`, where
    time goes on. Both give the same rows for the same evidence, if none comes later than the watermark allows.

    Args:
        settings: the settings of the rules.
        passing: whether evidence goes on coming between batches of flows, so that each batch is judged by the evidence
            of its own addresses, and no index of all evidence is made for it.
        sides: which sides of a flow it attributes. A stream that keeps the evidence of each address in one place
            attributes the `local` side where the evidence of the local address is, then the `remote` one; a flow that
            comes for its remote side only is one of which `local` made a half, or whose local side was captured.

    Attributes:
        settings: the settings of the rules.
        postponed: the flows, record batches, that the last `advance` found due and left for `assignment_hold`.
        counters: `late_heartbeats` (came below the watermark), `flows_held`, `flows_released`, `flows_too_old`.
    """

    def __init__(self, settings: Settings, *, sides: Sides = "both", passing: bool = False) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self.postponed: list[Any] = []
        self._sides, self._passing = sides, passing
        self._heartbeats = HeartbeatStore(settings)
        self._evidence: dict[str, list[Any]] = {kind: [] for kind in _EVIDENCE}
        self._held = HeldFlows(settings.hold)
        self._watermark = _START_OF_TIME
        self._last_arrived = 0
        self._resolver: Resolver | None = None
        self._rules: Resolver | None = None
        self._forgotten = _START_OF_TIME

    def observe(self, heartbeats: Any) -> None:
        """Add heartbeats: a canonical record batch or table of `schemas/heartbeat.avsc`."""
        late = int((microseconds(heartbeats.column("end")) < self._watermark).sum())
        self.counters["late_heartbeats"] += late
        if heartbeats.num_rows:
            self._heartbeats.add(heartbeats)
            self._resolver = None

    def observe_assignments(self, assignments: Any) -> None:
        """Add assignment events of `schemas/assignment.avsc`."""
        self._add(ASSIGNMENT, assignments)

    def observe_names(self, bindings: Any) -> None:
        """Add name bindings of `schemas/name_binding.avsc`."""
        self._add(NAME_BINDING, bindings)

    def observe_labels(self, labels: Any) -> None:
        """Add labels of `schemas/label.avsc`."""
        self._add(LABEL, labels)

    def observe_policies(self, policies: Any) -> None:
        """Add policies of `schemas/policy.avsc`."""
        self._add(POLICY, policies)

    def observe_rules(self, rules: Any) -> None:
        """Add socket rules of `schemas/socket_rule.avsc`."""
        self._add(SOCKET_RULE, rules)

    def replace_labels(self, labels: Any) -> None:
        """Use these labels, a table of `schemas/label.avsc`, in the place of all that were observed."""
        self._evidence[LABEL] = [labels]
        self._resolver = self._rules = None

    def _add(self, kind: str, rows: Any) -> None:
        if rows.num_rows:
            self._evidence[kind].append(completed(kind, _table(rows)).select(arrow_schema(kind).names))
            self._resolver = None
            if kind != NAME_BINDING:
                self._rules = None

    def resolver(self) -> Resolver:
        """The rules over the evidence as it is now; immutable, kept until evidence is added."""
        if self._resolver is None:
            self._resolver = self._configured().knowing(self._heartbeats.all(), self._gathered(NAME_BINDING))
        return self._resolver

    def _configured(self) -> Resolver:
        """The rules over all evidence but heartbeats and name bindings, of which more comes all the time."""
        if self._rules is None:
            tables = {kind: self._gathered(kind) for kind in _EVIDENCE if kind != NAME_BINDING}
            self._rules = Resolver(tables, self.settings)
        return self._rules

    def _gathered(self, kind: str) -> Any:
        table = _joined(kind, self._evidence[kind])
        self._evidence[kind] = [table]
        return table

    def attribute(self, flows: Any) -> Any:
        """Attribute a record batch of flows with the evidence as it is now, whatever the watermark."""
        return self._attributed(flows, self.resolver())

    def _attributed(self, flows: Any, resolver: Resolver) -> Any:
        if self._sides == "both":
            return resolver.attribute(flows)
        if self._sides == "local":
            return resolver.attribute_local(flows)
        return resolver.attribute_remote(flows if "local_method" in flows.schema.names else captured(flows))

    def ownership_ranges(self, *, several: str | None = None, begun_by: int | None = None) -> Any:
        """The ownership ranges of the evidence as it is now: a record batch of `schemas/ownership_range.avsc`.

        Args:
            several: service of a range whose heartbeats name several, as of `Ownership.ranges`.
            begun_by: as if there were no heartbeats but those that begin at this moment (µs) or before.
        """
        heartbeats = self._heartbeats.all()
        if begun_by is not None:
            heartbeats = heartbeats.take(np.flatnonzero(heartbeats.start <= begun_by))
        return Ownership(heartbeats, self.settings).ranges(several=several)

    @property
    def watermark(self) -> int:
        """Up to when (µs) evidence is taken as complete."""
        return self._watermark

    @property
    def held(self) -> int:
        """How many flows are held."""
        return self._held.rows

    @property
    def heartbeats(self) -> int:
        """How many heartbeats are kept."""
        return self._heartbeats.rows

    @property
    def next_due(self) -> int:
        """The watermark (µs) at which the first of the held flows is due; after all time where none is held."""
        return self._held.next_due

    def hold(self, flows: Any, *, arrived: int = 0) -> None:
        """Keep flows until `advance` finds them due, or `give_up` that they have waited too long.

        Args:
            flows: record batch of `schemas/flow.avsc`, or `attribution.core.held_flows.Folded` flows.
            arrived: a moment of the caller's own clock, for `give_up`.
        """
        before = self._held.rows
        self._last_arrived = max(self._last_arrived, arrived)
        self._held.add(flows, arrived=arrived)
        self.counters["flows_held"] += self._held.rows - before

    def advance(self, watermark: int, *, oldest: int | None = None) -> list[Any]:
        """Take evidence up to `watermark` (µs) as complete; return the flows that are due, attributed.

        A flow is due when the watermark has reached its end plus `hold`: what begins up to `max_gap` after it, and all
        that was seen while it lasted, is known by then. One that no heartbeat answers waits for `assignment_hold`.

        Args:
            watermark: µs; it never goes back.
            oldest: no flow that starts before this is expected any more; by default `retention` before the watermark.
                One that comes after its evidence was forgotten goes out with the reason `too_old`.
        """
        self._watermark = max(self._watermark, watermark)
        oldest = self._watermark - self.settings.retention if oldest is None else oldest
        attributed = self._judge(self._held.due(self._watermark), until=self._watermark)
        if self._heartbeats.grown:
            self.compact(oldest)
        return attributed

    def give_up(self, arrived_before: int) -> list[Any]:
        """Attribute the flows that were held since before a moment of the caller's clock, due or not.

        Evidence that is missing costs them coverage, never correctness. For a stream whose watermark stands still.
        """
        return self._judge(self._held.stale(arrived_before))

    def skip(self, watermark: int) -> None:
        """As `advance`, but drop the flows that are due: they went out before, and this is the history after that."""
        self._watermark = max(self._watermark, watermark)
        self._held.due(self._watermark)

    def postpone(self, flows: Any, *, arrived: int) -> None:
        """Hold flows that `advance` had postponed: as `hold`, but for `assignment_hold`."""
        self._held.add(flows, arrived=arrived, hold=self.settings.assignment_hold)

    def _judge(self, released: list[Any], *, until: int = NEVER_AFTER) -> list[Any]:
        """Attribute flows; put off those that wait for assignment events which may be reported after `until`."""
        self.postponed = []
        if self._passing:
            # What is known about the addresses of many flows is digested once for all of them.
            attributed = [
                self._judge_batch(batch, resolver, until)
                for group in by_age(released, self.settings)
                for resolver in [self._resolver_about(group)]
                for batch in group
            ]
        else:
            attributed = [self._judge_batch(batch, self.resolver(), until) for batch in released]
        for flows in self.postponed:
            self.postpone(flows, arrived=self._last_arrived)
        self.counters["flows_released"] += sum(batch.num_rows for batch in attributed)
        return [batch for batch in attributed if batch.num_rows]

    def _resolver_about(self, batches: list[Any]) -> Resolver:
        """The rules over the evidence that these flows ask for."""
        oldest = min(int(microseconds(batch.column("start")).min()) for batch in batches)
        asked = asked_addresses(batches, self._sides)
        names = self._gathered(NAME_BINDING)
        names = names.filter(pc.is_in(names.column("server_address"), value_set=asked))
        return self._configured().knowing(self._heartbeats.about(asked, oldest=oldest), names)

    def _judge_batch(self, flows: Any, resolver: Resolver, until: int) -> Any:
        attributed = self._attributed(flows, resolver)
        forgotten = microseconds(flows.column("start")) < self._forgotten
        if forgotten.any():
            self.counters["flows_too_old"] += int(forgotten.sum())
            attributed = too_old(attributed, forgotten, sides=self._sides)
        wait = self.settings.assignment_hold
        early = microseconds(flows.column("end")) > until - wait
        if wait <= self.settings.hold or not early.any():
            return attributed
        sides = ("local", "remote") if self._sides == "both" else (self._sides,)
        waits = pc.and_(pa.array(early), reduce(pc.or_, [of_fallback(attributed, side) for side in sides]))
        if not pc.any(waits).as_py():
            return attributed
        self.postponed.append(flows.filter(waits))
        return attributed.filter(pc.invert(waits))

    def compact(self, oldest: int) -> None:
        """Merge heartbeats, and forget evidence that no flow which starts at `oldest` (µs) or later can ask for."""
        self._forgotten = max(self._forgotten, min(oldest, self._held.earliest_start))
        self._heartbeats.merge(self._forgotten)
        self._evidence[NAME_BINDING] = [current_names(self._gathered(NAME_BINDING), self.settings, self._forgotten)]
        for kind in (POLICY, SOCKET_RULE):
            # Those that ended say whose an address was last, so they stay; but each may be sent many times.
            self._evidence[kind] = [distinct_rows(self._gathered(kind))]
        self._resolver = None

    @property
    def known_heartbeats(self) -> Any:
        """The heartbeats that are kept: a table of `schemas/heartbeat.avsc`."""
        return self._heartbeats.all().table()

    @property
    def held_flows(self) -> list[Any]:
        """The flows that are held, as they are held: record batches, and what was folded."""
        return self._held.flows

    def snapshot(self, *, rows: bool = True) -> bytes:
        """All state as bytes: a sequence of Arrow IPC streams, each with a header; read by `restore`.

        Args:
            rows: whether with the heartbeats and the held flows, which are most of it. Whoever keeps these apart gives
                them back by `observe` and `hold` after `restore`.
        """
        sink = pa.BufferOutputStream()
        parts = [(kind, _joined(kind, tables)) for kind, tables in self._evidence.items()]
        if rows:
            parts.append((HEARTBEAT, self.known_heartbeats))
            parts += [(_HELD, pa.Table.from_batches([plain(batch)])) for batch in unfolded(self.held_flows)]
        for kind, table in parts:
            meta = {
                "kind": kind,
                "version": str(SNAPSHOT_VERSION),
                "watermark": str(self._watermark),
                "forgotten": str(self._forgotten),
            }
            marked = table.replace_schema_metadata(meta)
            with pa.ipc.new_stream(sink, marked.schema) as writer:
                writer.write_table(marked)
        return sink.getvalue().to_pybytes()

    @classmethod
    def restore(
        cls, snapshot: bytes, settings: Settings, *, sides: Sides = "both", passing: bool = False, arrived: int = 0
    ) -> "Attributor":
        """An attributor in the state of `snapshot`; counters begin at zero, and the held flows arrived at `arrived`.

        Raises:
            ConfigError: the snapshot was written by a version that this one does not know.
        """
        made = cls(settings, sides=sides, passing=passing)
        source = pa.BufferReader(snapshot)
        while source.tell() < len(snapshot):
            table = pa.ipc.open_stream(source).read_all()
            meta = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
            if not _OLDEST_VERSION <= int(meta["version"]) <= SNAPSHOT_VERSION:
                raise ConfigError(
                    f"cannot restore a snapshot of version {meta['version']}: this version reads {_OLDEST_VERSION} to "
                    f"{SNAPSHOT_VERSION}; start without it and read the evidence again"
                )
            made._watermark = int(meta["watermark"])
            made._forgotten = int(meta["forgotten"])
            table = completed(FLOW if meta["kind"] == _HELD else meta["kind"], table.replace_schema_metadata(None))
            if meta["kind"] == _HELD:
                for batch in table.to_batches():
                    made._held.add(batch, arrived=arrived)
            elif meta["kind"] == HEARTBEAT:
                made._heartbeats.add(table)
            else:
                made._add(meta["kind"], table)
        return made


def asked_addresses(batches: list[Any], sides: Sides) -> Any:
    """The distinct addresses, Arrow text, of the sides of flows that are attributed."""
    names = ["local_address", "remote_address"] if sides == "both" else [f"{sides}_address"]
    columns = [batch.column(name) for batch in batches for name in names]
    return pa.concat_arrays([column.unique().cast(pa.string()) for column in columns]).unique()


def _table(rows: Any) -> Any:
    return rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])


def _joined(kind: str, tables: list[Any]) -> Any:
    schema = arrow_schema(kind)
    return pa.concat_tables(table.cast(schema) for table in tables) if tables else schema.empty_table()
