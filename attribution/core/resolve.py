"""The chain of methods: capture, heartbeats, assignment events, labels; and the columns of an attributed flow."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.sockets import asked_sockets
from attribution.core.columnar.arrays import is_value, microseconds, spread
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int32, Int64, UInt8
from attribution.core.fallback.chain import Fallback
from attribution.core.fallback.pools import Pooled, PoolSpace, names_of, nothing
from attribution.core.hostnames.choice import Hostnames, accepted
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.lookup import Ownership
from attribution.core.question import Question
from attribution.core.reasons import CODES, METHOD_OF, METHODS, REASONS
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
)

_CONNECTION = pa.scalar("connection")
_ABOUT_NAMES = ("hostname_reason", "hostname_count", "hostname_candidates")
_METHOD_NAMES = pa.array(METHODS)
_REASON_NAMES = pa.array(REASONS)
_METHOD = np.array([list(METHODS).index(METHOD_OF[reason]) for reason in REASONS], np.int8)
#: What is left open where evidence is old, and what the fallback says when it knows something.
_OPEN = [CODES["gap"], CODES["shared"]]
_SAID = [CODES[name] for name in ("dispatched", "rule_change", "assigned", "assignment_change", "prefix")]


@dataclass
class Side:
    """The answers for one side of a batch of flows.

    Attributes:
        workload: number into `Resolver.workloads`, -1 where there is none.
        service: number into `Resolver.services`, -1 where there is none.
        reason: code of the reason.
        distance: microseconds to the evidence used; -1 where none was.
        pooled: what is known of its addresses as ones that policies hand out.
    """

    workload: Int32
    service: Int32
    reason: UInt8
    distance: Int64
    pooled: Pooled


class Resolver:
    """Attributes batches of flows from fixed evidence; immutable and safe to use from several threads."""

    def __init__(self, evidence: Mapping[str, Any], settings: Settings) -> None:
        """Digest the evidence: canonical tables by the kinds of their records, in any order."""
        tables = {kind: evidence.get(kind, arrow_schema(kind).empty_table()) for kind in EVIDENCE}
        self._settings = settings
        self._names = Hostnames(tables[NAME_BINDING], settings)
        self._fallback = Fallback(tables[ASSIGNMENT], tables[LABEL], tables[SOCKET_RULE], settings)
        self._pools = PoolSpace(tables[POLICY], settings)
        self._know(Heartbeats.of(tables[HEARTBEAT]))

    def knowing(self, heartbeats: Heartbeats, name_bindings: Any = None) -> "Resolver":
        """A resolver over these heartbeats and the other evidence of this one, which is not digested again.

        Args:
            heartbeats: in the place of its own.
            name_bindings: in the place of its own, a table; by default these stay.
        """
        other = copy(self)
        if name_bindings is not None:
            other._names = Hostnames(name_bindings, self._settings)  # noqa: SLF001 (its own class)
        other._know(heartbeats)  # noqa: SLF001 (its own class)
        return other

    def _know(self, heartbeats: Heartbeats) -> None:
        self.ownership = Ownership(heartbeats, self._settings).prepared()
        known = self.ownership.heartbeats
        self._owners_from, self._named_from = len(known.workloads), len(known.services)
        self.workloads = pa.concat_arrays([known.workloads, self._fallback.owners])
        self.services = pa.concat_arrays([known.services, self._fallback.services])

    def attribute(self, flows: Any) -> Any:
        """The flows of a canonical record batch, attributed; same rows in the same order.

        Text columns that the evidence fills are dictionary-encoded; otherwise the schema is that of
        `schemas/attributed_flow.avsc`.
        """
        question = self.question(flows)
        return self._remote(self._local(flows, question), question)

    def attribute_local(self, flows: Any) -> Any:
        """The flows with their local side attributed: what `attribute_remote` takes, perhaps with other evidence."""
        return self._local(flows, self.question(flows))

    def attribute_remote(self, halves: Any) -> Any:
        """As `attribute`, for flows whose local side is attributed already: by `attribute_local` or `captured`."""
        return self._remote(halves, self.question(halves))

    def _remote(self, halves: Any, question: Question) -> Any:
        columns = dict(zip(halves.schema.names, halves.columns, strict=True))
        size = halves.num_rows
        for name in (*names_of("local"), "local_hostname"):
            columns.setdefault(name, nothing(size))
        side = self._side(halves, "remote", question)
        columns |= self._columns("remote", side)
        accepts = self._accepted(halves)
        names = self._names.columns(halves, "remote", ~accepts, side.pooled.inside, question)
        if accepts.any():
            # What the local stage said of them stands.
            names |= {name: _either(accepts, columns[name], names[name]) for name in _ABOUT_NAMES if name in columns}
        columns |= names
        # What a caller keeps beside the fields of a flow stays with it.
        order = [*dict.fromkeys([*arrow_schema(ATTRIBUTED_FLOW).names, *columns])]
        return pa.RecordBatch.from_arrays([columns[name] for name in order], names=order)

    def _accepted(self, flows: Any) -> Bool:
        """Which flows came in to an address of the pool space."""
        if not self._pools:
            return np.zeros(flows.num_rows, np.bool_)
        return accepted(flows, self._pools.contains(flows.column("local_address")))

    def question(self, flows: Any) -> Question:
        """What each flow asks of the evidence on either side."""
        start, end = microseconds(flows.column("start")), microseconds(flows.column("end"))
        connection = is_value(flows.column("basis"), _CONNECTION).to_numpy(zero_copy_only=False)
        tolerance = self._settings.clock_tolerance
        return Question(start - tolerance, np.where(connection, start, end) + tolerance, start, end, connection)

    def _side(self, flows: Any, which: str, question: Question) -> Side:
        address = flows.column(f"{which}_address")
        sockets = asked_sockets(flows.column("protocol"), flows.column(f"{which}_port"))
        answer = self.ownership.ask(address, sockets, question)
        none = answer.range < 0
        pooled = self._pools.ask(flows, which, question)
        side = Side(
            workload=self.ownership.workload_of(answer),
            service=self.ownership.service_of(answer, question),
            reason=answer.reason,
            distance=np.where(none, np.int64(-1), answer.distance),
            pooled=pooled,
        )
        side.distance[pooled.inside] = -1
        rows = np.flatnonzero((side.reason == CODES["unknown"]) | pooled.inside)
        if len(rows):
            self._fall_back(side, flows, which, sockets, rows, question)
        if self._settings.workload_memory < self._settings.retention:
            unanswered = np.flatnonzero(np.isin(side.reason, _OPEN))
            seen = self.ownership.remembered(address.take(pa.array(unanswered)), question.take(unanswered))
            self._fall_back(side, flows, which, sockets, unanswered[~seen], question, only=_SAID)
        old = question.end - question.start > self._settings.retention
        if old.any():
            side.workload[old], side.service[old], side.distance[old] = -1, -1, -1
            side.reason[old] = CODES["too_old"]
        return side

    def _fall_back(
        self,
        side: Side,
        flows: Any,
        which: str,
        sockets: Int32,
        rows: Int64,
        question: Question,
        *,
        only: Any = None,
    ) -> None:
        """Write what the fallback says of these rows; `only` where its reason is one of these codes."""
        found = self._fallback.ask(flows, which, sockets, side.pooled, rows, question)
        said = np.ones(len(rows), np.bool_) if only is None else np.isin(found.reason, only)
        rows, owner, service = rows[said], found.owner[said], found.service[said]
        side.workload[rows] = np.where(owner < 0, -1, owner + self._owners_from)
        side.service[rows] = np.where(service < 0, -1, service + self._named_from)
        side.reason[rows] = found.reason[said]

    def _local(self, flows: Any, question: Question) -> Any:
        """The flows with the local side's columns: what was captured stands, the rest is asked."""
        known = flows.column("local_workload").is_valid().to_numpy(zero_copy_only=False)
        if not known.any():
            side = self._side(flows, "local", question)
            pooled, columns = side.pooled, self._columns("local", side)
        else:
            pooled = self._pools.ask(flows, "local", question)
            unknown = np.flatnonzero(~known)
            columns = self._partly(flows, unknown, question) if len(unknown) else _captured(flows.num_rows)
            columns |= pooled.columns()
        if pooled.inside.any():
            accepts = accepted(flows, pooled.inside)
            columns |= self._names.columns(flows, "local", accepts, pooled.inside, question)
        return _halves(flows, columns)

    def _partly(self, flows: Any, rows: Int64, question: Question) -> dict[str, Any]:
        """The local side's columns where only these rows are asked, and the others were captured."""
        size = flows.num_rows
        asked = self._side(flows.take(pa.array(rows)), "local", question.take(rows))
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

    def _columns(self, which: str, side: Side) -> dict[str, Any]:
        return {
            f"{which}_workload": pc.take(self.workloads, pa.array(side.workload, mask=side.workload < 0)),
            f"{which}_service": _dictionary(side.service, self.services),
            **_why(which, side.reason, side.distance),
            **side.pooled.columns(),
        }


def captured(flows: Any) -> Any:
    """Flows whose local workload was known at capture, as `Resolver.attribute_local` gives them: no evidence asked."""
    return _halves(flows, _captured(flows.num_rows))


def _captured(rows: int) -> dict[str, Any]:
    """The columns of the local side of flows whose workload there was captured."""
    return _why("local", np.full(rows, CODES["reported"], np.uint8), np.full(rows, -1, np.int64))


def _either(mask: Bool, one: Any, other: Any) -> Any:
    """A column with the rows of one where the mask holds, of another elsewhere."""
    return pc.if_else(pa.array(mask), decoded(one), decoded(other))


def _halves(flows: Any, local: dict[str, Any]) -> Any:
    """The flows with the columns of their local side put in."""
    columns = dict(zip(flows.schema.names, flows.columns, strict=True)) | local
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _why(which: str, reason: UInt8, distance: Int64) -> dict[str, Any]:
    """The columns that say where a side's answer came from, why, and how far the evidence was."""
    return {
        f"{which}_method": pa.DictionaryArray.from_arrays(pa.array(_METHOD[reason]), _METHOD_NAMES),
        f"{which}_reason": pa.DictionaryArray.from_arrays(pa.array(reason.view(np.int8)), _REASON_NAMES),
        f"{which}_distance": pa.array(distance, mask=distance < 0),
    }


def _dictionary(number: Int32, names: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(number, mask=number < 0), names)
