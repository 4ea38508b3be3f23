"""The chain of methods: capture, heartbeats, assignment events, labels; and the columns of an attributed flow."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.places import without_networks
from attribution.core.addressing.sockets import asked_sockets
from attribution.core.columnar.arrays import NONE, SEVERAL, spread
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Column, Int8, Int32, Int64
from attribution.core.fallback.chain import Fallback, FallbackAnswers
from attribution.core.fallback.pools import PoolAnswers, PoolSpace, nothing, pool_columns
from attribution.core.flow_evidence.both_ends import OPEN
from attribution.core.flow_evidence.ends import at_remote_ends
from attribution.core.hostnames.choice import Hostnames, accepted_in_pool
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.index import OwnerAnswers
from attribution.core.ownership.lookup import ACCEPTED_IT, OPENED_IT, Ownership
from attribution.core.question import Question, Side, opened_and_accepted
from attribution.core.reasons import CLOSED, CODES
from attribution.core.side_answers import NOT_OPEN, SideAnswers, numbered_texts, why
from attribution.core.times import times_of
from attribution.records import EVIDENCE
from attribution.schema import (
    ASSIGNMENT,
    ATTRIBUTED_FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    POLICY,
    SOCKET_RULE,
    arrow_schema,
    record,
)

#: The fields of an attributed flow, in order.
_FIELDS = record(ATTRIBUTED_FLOW).names
_ABOUT_NAMES = ("hostname_reason", "hostname_count", "hostname_candidates")
_CLOSED = [CODES[name] for name in CLOSED]
#: Reasons of questions that old evidence leaves open.
_OPEN = [CODES["gap"], CODES["shared"]]
#: Reasons of the fallback if it knows something.
_SAID = [CODES[name] for name in ("dispatched", "rule_change", "assigned", "assignment_change", "prefix")]


class Resolver:
    """Attributes batches of flows from fixed evidence; immutable and safe to use from several threads.

    Attributes:
        ownership: what heartbeats say.
        fallback: what else is known.
        settings: the settings of the rules.
        workloads: the workloads and owners that answers name.
        services: the services that answers name.
    """

    ownership: Ownership
    fallback: Fallback
    settings: Settings
    workloads: pa.StringArray
    services: pa.StringArray

    def __init__(self, evidence: Mapping[str, pa.Table], settings: Settings) -> None:
        """Index the evidence: canonical tables by the kinds of their records, in any order."""
        tables = {kind: evidence.get(kind, arrow_schema(kind).empty_table()) for kind in EVIDENCE}
        if settings.one_space:
            tables = {kind: without_networks(table) for kind, table in tables.items()}
        self.settings = settings
        self._names = Hostnames(tables[NAME_BINDING], settings)
        self.fallback = Fallback(tables[ASSIGNMENT], tables[LABEL], tables[SOCKET_RULE], settings)
        self._pools = PoolSpace(tables[POLICY], settings)
        self._index(Heartbeats.of(tables[HEARTBEAT]))

    def with_heartbeats(self, heartbeats: Heartbeats, name_bindings: pa.Table | None = None) -> "Resolver":
        """A resolver over these heartbeats and the other evidence of this resolver, which is not indexed again.

        Args:
            heartbeats: they take the place of its own heartbeats.
            name_bindings: they take the place of its own name bindings, which stay by default.
        """
        other = copy(self)
        if name_bindings is not None:
            other._names = Hostnames(name_bindings, self.settings)  # noqa: SLF001 (its own class)
        other._index(heartbeats)  # noqa: SLF001 (its own class)
        return other

    def _index(self, heartbeats: Heartbeats) -> None:
        self.ownership = Ownership(heartbeats, self.settings).prepared()
        known = self.ownership.heartbeats
        self._owners_from, self._services_from = np.int32(len(known.workloads)), np.int32(len(known.services))
        self.workloads = pa.concat_arrays([known.workloads, self.fallback.owners])
        self.services = pa.concat_arrays([known.services, self.fallback.services])

    def attribute(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """The flows of a canonical record batch, attributed; same rows in the same order.

        Text columns that the evidence fills are dictionary-encoded; otherwise the schema is that of
        `schemas/attributed_flow.avsc`. Beside it stands `both_ends.OPEN` if far ends may answer some of the flows.
        """
        question = self.question(flows)
        return self._remote(self._local(flows, question), question)

    def attribute_local(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """The flows with their local side attributed: what `attribute_remote` takes, perhaps with other evidence."""
        return self._local(flows, self.question(flows))

    def attribute_remote(self, halves: pa.RecordBatch) -> pa.RecordBatch:
        """As `attribute`, for flows whose local side is attributed already: by `attribute_local` or `captured`."""
        return self._remote(halves, self.question(halves))

    def _remote(self, halves: pa.RecordBatch, question: Question) -> pa.RecordBatch:
        columns = dict(zip(halves.schema.names, halves.columns, strict=True))
        size = halves.num_rows
        for name in (*pool_columns("local"), "local_hostname"):
            columns.setdefault(name, nothing(size))
        pooled = self._pools.ask(halves, "remote", AskedPlaces.of(halves, "remote", self.settings), question)
        ends = at_remote_ends(halves)
        answers = self._side(ends, "remote", AskedPlaces.of(ends, "remote", self.settings), question, pooled)
        columns |= self._columns("remote", answers) | pooled.columns()
        if (answers.against != NOT_OPEN).any():
            columns[OPEN] = self._against(answers)
        networks = self.ownership.places.networks
        columns["remote_evidence_network"] = (
            numbered_texts(answers.network, networks) if len(networks) else nothing(size)
        )
        accepts = self._accepted(halves)
        names = self._names.columns(halves, "remote", ~accepts, pooled.inside, _closed(answers), question)
        if accepts.any():
            # What the local stage said of these flows stands.
            names |= {name: _either(accepts, columns[name], names[name]) for name in _ABOUT_NAMES if name in columns}
        columns |= names
        # What a caller keeps beside the fields of a flow stays with it.
        order = [*dict.fromkeys([*_FIELDS, *columns])]
        return pa.RecordBatch.from_arrays([columns[name] for name in order], names=order)

    def _against(self, answers: SideAnswers) -> pa.DictionaryArray:
        """The column `OPEN`."""
        names = pa.concat_arrays([pa.array([""]), self.workloads])
        return numbered_texts(np.where(answers.against == NOT_OPEN, NONE, answers.against + 1), names)

    def _accepted(self, flows: pa.RecordBatch) -> Bool:
        """Which flows came in to an address of the pool space."""
        if not self._pools:
            return np.zeros(flows.num_rows, np.bool_)
        return accepted_in_pool(flows, self._pools.contains(flows.column("local_address")))

    def question(self, flows: pa.RecordBatch) -> Question:
        """What each flow asks of the evidence on either side."""
        return Question.of(times_of(flows, self.settings), self.settings.clock_tolerance)

    def _side(
        self, flows: pa.RecordBatch, side: Side, asked: AskedPlaces, question: Question, pooled: PoolAnswers
    ) -> SideAnswers:
        """The answers for one side of flows, by the whole chain.

        Args:
            flows: record batch.
            side: the side.
            asked: its addresses, and what is known of their networks.
            question: the asked intervals.
            pooled: what policies say of that side.
        """
        sockets = asked_sockets(flows.column("protocol"), flows.column(f"{side}_port"))
        place, answers = self._by_heartbeats(asked, sockets, question, pooled, _opened(flows, side, question))
        parts = []
        rows = np.flatnonzero((answers.reason == CODES["unknown"]) | pooled.inside)
        if len(rows):
            found = self.fallback.ask(flows, side, asked, sockets, pooled, rows, question)
            parts.append((rows, self._of_fallback(found)))
        if self.settings.workload_memory < self.settings.retention:
            rows = np.flatnonzero(np.isin(answers.reason, _OPEN) & ~pooled.inside)
            seen = self.ownership.remembered(place[rows], question.take(rows))
            rows = rows[~seen]
            found = self.fallback.ask(flows, side, asked, sockets, pooled, rows, question)
            said = np.flatnonzero(np.isin(found.reason, _SAID))
            # What the far end says counts more than events and labels do.
            named = replace(self._of_fallback(found.take(said)), against=answers.against[rows[said]])
            parts.append((rows[said], named))
        old = np.flatnonzero(question.end - question.start > self.settings.retention)
        if len(old):
            parts.append((old, SideAnswers.unnamed(np.full(len(old), CODES["too_old"]))))
        untimed = np.flatnonzero(question.untimed)
        if len(untimed):
            parts.append((untimed, SideAnswers.unnamed(np.full(len(untimed), CODES["untimed"]))))
        return answers.with_parts(*parts)

    def _by_heartbeats(
        self, asked: AskedPlaces, sockets: Int32, question: Question, pooled: PoolAnswers, opened: Int8 | None
    ) -> tuple[Int32, SideAnswers]:
        """The places whose heartbeats are asked, and what these say; `opened` as of `Ownership.ask`."""
        chosen = self.ownership.choose(asked, question)
        answers = self.ownership.ask(chosen.place, sockets, question, opened)
        if len(chosen.closed):
            answers = answers.with_parts((chosen.closed, OwnerAnswers.unnamed(chosen.reason)))
        unnamed = answers.range < 0
        against = np.full(len(unnamed), NOT_OPEN)
        rows = np.flatnonzero(np.isin(answers.reason, _OPEN) & question.connection & ~pooled.inside)
        if len(rows):
            did = None if opened is None else opened[rows]
            touching = self.ownership.touching(chosen.place[rows], sockets[rows], question.take(rows), did)
            against[rows] = np.where(touching == SEVERAL, NOT_OPEN, touching)
        return chosen.place, SideAnswers(
            workload=self.ownership.workload_of(answers),
            service=self.ownership.service_of(answers, question),
            reason=answers.reason,
            distance=np.where(unnamed | pooled.inside, NONE, answers.distance),
            network=np.where(unnamed | pooled.inside, NONE, self.ownership.places.network_of(chosen.place)),
            against=against,
        )

    def _of_fallback(self, found: FallbackAnswers) -> SideAnswers:
        """The answers of the fallback, under the numbers of this resolver."""
        return SideAnswers(
            workload=np.where(found.owner < 0, NONE, found.owner + self._owners_from),
            service=np.where(found.service < 0, NONE, found.service + self._services_from),
            reason=found.reason,
            distance=np.full(len(found), NONE, np.int64),
            network=np.full(len(found), NONE),
            against=np.full(len(found), NOT_OPEN),
        )

    def _local(self, flows: pa.RecordBatch, question: Question) -> pa.RecordBatch:
        """The flows with the local side's columns: what was captured stands, the rest is asked."""
        asked = AskedPlaces.of(flows, "local", self.settings)
        pooled = self._pools.ask(flows, "local", asked, question)
        known = flows.column("local_workload").is_valid().to_numpy(zero_copy_only=False)
        if not known.any():
            columns = self._columns("local", self._side(flows, "local", asked, question, pooled))
        elif known.all():
            columns = _captured(flows.num_rows)
        else:
            columns = self._partly(flows, np.flatnonzero(~known), asked, question, pooled)
        columns |= pooled.columns()
        if pooled.inside.any():
            accepts = accepted_in_pool(flows, pooled.inside)
            # An address of the pool space is no network's of which heartbeats could speak.
            nothing_closed = np.zeros(flows.num_rows, np.bool_)
            columns |= self._names.columns(flows, "local", accepts, pooled.inside, nothing_closed, question)
        return _halves(flows, columns)

    def _partly(
        self, flows: pa.RecordBatch, rows: Int64, places: AskedPlaces, question: Question, pooled: PoolAnswers
    ) -> dict[str, Column]:
        """The local side's columns if only these rows are asked, and the others were captured."""
        size = flows.num_rows
        some = flows.take(pa.array(rows))
        asked = self._side(some, "local", places.take(rows), question.take(rows), pooled.take(rows))
        columns = self._columns("local", asked)
        index = spread(rows, size)
        known = index.is_null()
        columns = {name: column.take(index) for name, column in columns.items()}
        for name in ("local_workload", "local_service"):
            columns[name] = pc.if_else(known, flows.column(name).cast(pa.string()), columns[name].cast(pa.string()))
        for name, column in _captured(size).items():
            columns[name] = pc.if_else(known, decoded(column), decoded(columns[name]))
        return {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in columns.items()
        }

    def _columns(self, side: Side, answers: SideAnswers) -> dict[str, Column]:
        return {
            f"{side}_workload": pc.take(self.workloads, pa.array(answers.workload, mask=answers.workload < 0)),
            f"{side}_service": numbered_texts(answers.service, self.services),
            **why(side, answers.reason, answers.distance),
        }


def _opened(flows: pa.RecordBatch, side: Side, question: Question) -> Int8 | None:
    """What each connection's side did, as of `Ownership.ask`; None if no flow says it."""
    direction = flows.column("direction")
    if direction.null_count == len(direction) or not question.connection.any():
        return None
    opened, accepted = opened_and_accepted(flows, side)
    did = np.where(opened, OPENED_IT, np.where(accepted, ACCEPTED_IT, np.int8(NONE)))
    return np.where(question.connection, did, np.int8(NONE))


def _closed(answers: SideAnswers) -> Bool:
    """Whether networks leave open who each answer is about."""
    return np.isin(answers.reason, _CLOSED)


def captured(flows: pa.RecordBatch) -> pa.RecordBatch:
    """Flows whose local workload was known at capture, as `Resolver.attribute_local` gives them: no evidence asked."""
    return _halves(flows, _captured(flows.num_rows))


def _captured(rows: int) -> dict[str, Column]:
    """The columns of the local side of flows whose workload there was captured."""
    return why("local", np.full(rows, CODES["reported"]), np.full(rows, NONE, np.int64))


def _either(mask: Bool, one: Column, other: Column) -> Column:
    """A column with the values of `one` where the mask holds, and of `other` elsewhere."""
    return pc.if_else(pa.array(mask), decoded(one), decoded(other))


def _halves(flows: pa.RecordBatch, local: Mapping[str, Column]) -> pa.RecordBatch:
    """The flows with the columns of their local side put in."""
    columns = {**dict(zip(flows.schema.names, flows.columns, strict=True)), **local}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
