"""The evidence that an attributor knows: heartbeats, the tables of all other kinds, and the rules over both."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.places import without_networks
from attribution.core.columnar.arrays import NEVER_BEFORE
from attribution.core.columnar.dictionaries import decoded
from attribution.core.flow_evidence.ends import remote_end, shows_remote_wire
from attribution.core.gate import Sides
from attribution.core.ownership.compaction import current_names, distinct_rows
from attribution.core.ownership.heartbeat_store import HeartbeatStore
from attribution.core.ownership.lookup import Ownership
from attribution.core.resolve import Resolver
from attribution.core.times import asked_times
from attribution.records import EVIDENCE
from attribution.schema import HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE, arrow_schema, completed

_TABLES = tuple(kind for kind in EVIDENCE if kind != HEARTBEAT)


class EvidenceMemory:
    """A set of evidence of all kinds that grows and forgets.

    Args:
        settings: the settings of the rules.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heartbeats = HeartbeatStore(settings)
        self._evidence: dict[str, list[pa.Table]] = {kind: [] for kind in _TABLES}
        self._resolver: Resolver | None = None
        self._rules: Resolver | None = None

    def observe(self, kind: str, rows: pa.RecordBatch | pa.Table) -> None:
        """Add canonical rows of `schemas/KIND.avsc`, of any version."""
        if rows.num_rows == 0:
            return
        if self._settings.one_space:
            rows = without_networks(rows)
        self._resolver = None
        if kind == HEARTBEAT:
            self._heartbeats.add(rows)
            return
        self._evidence[kind].append(completed(kind, _table(rows)).select(arrow_schema(kind).names))
        if kind != NAME_BINDING:
            self._rules = None

    def replace_labels(self, labels: pa.RecordBatch | pa.Table) -> None:
        """Use these labels in the place of all that were observed."""
        self._evidence[LABEL] = [labels]
        self._resolver = self._rules = None

    def resolver(self) -> Resolver:
        """The rules over all of it; immutable, kept until evidence is added."""
        if self._resolver is None:
            self._resolver = self._configured().with_heartbeats(self._heartbeats.all(), self._gathered(NAME_BINDING))
        return self._resolver

    def resolver_about(self, batches: list[pa.RecordBatch], sides: Sides) -> Resolver:
        """The rules over the evidence that these flows ask for."""
        oldest_us = min(int(asked_times(batch, self._settings)[0].min()) for batch in batches)
        asked = asked_addresses(batches, sides)
        names = self._gathered(NAME_BINDING)
        names = names.filter(pc.is_in(names.column("server_address"), value_set=asked))
        return self._configured().with_heartbeats(self._heartbeats.for_addresses(asked, oldest=oldest_us), names)

    def ownership(self, *, begun_by_us: int | None = None) -> Ownership:
        """What heartbeats say; if a moment (µs) is given, as if there were none but those that begin by then."""
        heartbeats = self._heartbeats.all()
        if begun_by_us is not None:
            heartbeats = heartbeats.take(np.flatnonzero(heartbeats.start <= begun_by_us))
        return Ownership(heartbeats, self._settings)

    @property
    def heartbeat_rows(self) -> int:
        """How many heartbeats are kept."""
        return self._heartbeats.rows

    @property
    def grown(self) -> bool:
        """Whether there are so many new heartbeats that to forget pays."""
        return self._heartbeats.grown

    def forget(self, oldest_us: int, *, complete_to_us: int = NEVER_BEFORE) -> None:
        """Merge evidence that says the same; forget what no flow that starts at `oldest_us` or later can ask for.

        Claims that do not count go, too, if they start before `complete_to_us`: up to there all evidence is known.
        """
        self._heartbeats.merge(oldest_us, complete_to=complete_to_us)
        self._evidence[NAME_BINDING] = [current_names(self._gathered(NAME_BINDING), self._settings, oldest_us)]
        for kind in (POLICY, SOCKET_RULE):
            # Those that ended say whose an address was last, so they stay; but each may be sent many times.
            self._evidence[kind] = [distinct_rows(self._gathered(kind))]
        self._resolver = None

    def heartbeat_table(self) -> pa.Table:
        """The heartbeats: a table of `schemas/heartbeat.avsc`."""
        return self._heartbeats.all().table()

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """All other evidence, as (kind, table)."""
        for kind in _TABLES:
            yield kind, self._gathered(kind)

    def _configured(self) -> Resolver:
        """The rules over all evidence but heartbeats and name bindings, of which more comes all the time."""
        if self._rules is None:
            tables = {kind: self._gathered(kind) for kind in _TABLES if kind != NAME_BINDING}
            self._rules = Resolver(tables, self._settings)
        return self._rules

    def _gathered(self, kind: str) -> pa.Table:
        schema, tables = arrow_schema(kind), self._evidence[kind]
        table = pa.concat_tables(table.cast(schema) for table in tables) if tables else schema.empty_table()
        self._evidence[kind] = [table]
        return table


def asked_addresses(batches: list[pa.RecordBatch], sides: Sides) -> pa.Array:
    """The distinct addresses, Arrow text, of the sides of flows that are attributed."""
    names = ["local_address", "remote_address"] if sides == "both" else [f"{sides}_address"]
    columns = [batch.column(name) for batch in batches for name in names]
    if sides != "local":
        columns += [remote_end(batch)[0] for batch in batches if shows_remote_wire(batch)]
    return pa.concat_arrays([decoded(column.unique()) for column in columns]).unique()


def _table(rows: pa.RecordBatch | pa.Table) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
