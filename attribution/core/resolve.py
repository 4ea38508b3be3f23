"""The chain of methods: capture, heartbeats, assignment events, labels; and the columns of an attributed flow."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columns import Int32, Int64, is_value, microseconds
from attribution.core.fallback import Fallback
from attribution.core.heartbeats import Heartbeats
from attribution.core.index import Question
from attribution.core.names import NameIndex
from attribution.core.ownership import Ownership
from attribution.core.reasons import CODES, METHOD_OF, METHODS, REASONS
from attribution.core.sockets import asked_sockets
from attribution.schema import ASSIGNMENT, ATTRIBUTED_FLOW, HEARTBEAT, LABEL, NAME_BINDING, arrow_schema

_EVIDENCE = (HEARTBEAT, ASSIGNMENT, NAME_BINDING, LABEL)
_CONNECTION = pa.scalar("connection")
_METHOD_NAMES = pa.array(METHODS)
_REASON_NAMES = pa.array(REASONS)
_METHOD = np.array([list(METHODS).index(METHOD_OF[reason]) for reason in REASONS], np.int8)
#: What is left open where evidence is old, and what the fallback says when it knows something.
_OPEN = [CODES["gap"], CODES["shared"]]
_FALLBACK = pa.array(["assigned", "assignment_change", "prefix", "unknown"])
_SAID = [CODES["assigned"], CODES["assignment_change"], CODES["prefix"]]


@dataclass
class Side:
    """The answers for one side of a batch of flows.

    Attributes:
        workload: number into `Resolver.workloads`, -1 where there is none.
        service: number into `Resolver.services`, -1 where there is none.
        reason: code of the reason.
        distance: microseconds to the evidence used; -1 where none was.
    """

    workload: Int32
    service: Int32
    reason: npt.NDArray[np.uint8]
    distance: Int64


def of_fallback(attributed: Any, side: str) -> Any:
    """Which flows of an attributed batch the fallback answered on a side, or might have: an Arrow mask."""
    reason = attributed.column(f"{side}_reason")
    reason = reason.dictionary_decode() if pa.types.is_dictionary(reason.type) else reason
    return pc.is_in(reason, value_set=_FALLBACK)


class Resolver:
    """Attributes batches of flows from fixed evidence; immutable and safe to use from several threads."""

    def __init__(
        self, *, heartbeats: Heartbeats, assignments: Any, name_bindings: Any, labels: Any, settings: Settings
    ) -> None:
        """Digest the evidence: heartbeats, and canonical Arrow tables of the other records' schemas, in any order."""
        self._settings = settings
        self._names = NameIndex(name_bindings, settings)
        self._fallback = Fallback(assignments, labels, settings)
        self._know(heartbeats)

    @classmethod
    def of(cls, evidence: Mapping[str, Any], settings: Settings) -> "Resolver":
        """The rules over tables by the kinds of their records; there is no evidence of a kind that is not there."""
        tables = {kind: evidence.get(kind, arrow_schema(kind).empty_table()) for kind in _EVIDENCE}
        return cls(
            heartbeats=Heartbeats.of(tables[HEARTBEAT]),
            assignments=tables[ASSIGNMENT],
            name_bindings=tables[NAME_BINDING],
            labels=tables[LABEL],
            settings=settings,
        )

    def knowing(self, heartbeats: Heartbeats, name_bindings: Any = None) -> "Resolver":
        """A resolver over these heartbeats and the other evidence of this one, which is not digested again.

        Args:
            heartbeats: in the place of its own.
            name_bindings: in the place of its own, a table; by default these stay.
        """
        other = copy(self)
        if name_bindings is not None:
            other._names = NameIndex(name_bindings, self._settings)  # noqa: SLF001 (its own class)
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
        columns |= self._columns("remote", self._side(halves, "remote", question))
        columns["remote_hostname"] = self._hostname(halves, question)
        # What a caller keeps beside the fields of a flow stays with it.
        names = [*dict.fromkeys([*arrow_schema(ATTRIBUTED_FLOW).names, *columns])]
        return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)

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
        side = Side(
            workload=self.ownership.workload_of(answer),
            service=self.ownership.service_of(answer, question),
            reason=answer.reason,
            distance=np.where(none, np.int64(-1), answer.distance),
        )
        rows = np.flatnonzero(side.reason == CODES["unknown"])
        if len(rows):
            self._fall_back(side, rows, address, sockets, question)
        if self._settings.workload_memory < self._settings.retention:
            unanswered = np.flatnonzero(np.isin(side.reason, _OPEN))
            seen = self.ownership.remembered(address.take(pa.array(unanswered)), question.take(unanswered))
            self._fall_back(side, unanswered[~seen], address, sockets, question, only=_SAID)
        old = question.end - question.start > self._settings.retention
        if old.any():
            side.workload[old], side.service[old], side.distance[old] = -1, -1, -1
            side.reason[old] = CODES["too_old"]
        return side

    def _fall_back(
        self, side: Side, rows: Int64, address: Any, sockets: Int32, question: Question, *, only: Any = None
    ) -> None:
        """Write what the fallback says of these rows; `only` where its reason is one of these codes."""
        found = self._fallback.ask(address.take(pa.array(rows)), sockets[rows], question.take(rows))
        said = np.ones(len(rows), np.bool_) if only is None else np.isin(found.reason, only)
        rows, owner, service = rows[said], found.owner[said], found.service[said]
        side.workload[rows] = np.where(owner < 0, -1, owner + self._owners_from)
        side.service[rows] = np.where(service < 0, -1, service + self._named_from)
        side.reason[rows] = found.reason[said]

    def _local(self, flows: Any, question: Question) -> Any:
        """The flows with the local side's columns: what was captured stands, the rest is asked."""
        known = flows.column("local_workload").is_valid().to_numpy(zero_copy_only=False)
        if known.all():
            return captured(flows)
        if not known.any():
            return _halves(flows, self._columns("local", self._side(flows, "local", question)))
        size = flows.num_rows
        side = Side(
            workload=np.full(size, -1, np.int32),
            service=np.full(size, -1, np.int32),
            reason=np.full(size, CODES["reported"], np.uint8),
            distance=np.full(size, -1, np.int64),
        )
        rows = np.flatnonzero(~known)
        part = flows.select(["local_address", "local_port", "protocol"]).take(pa.array(rows))
        asked = self._side(part, "local", question.take(rows))
        for name in ("workload", "service", "reason", "distance"):
            getattr(side, name)[rows] = getattr(asked, name)
        columns = self._columns("local", side)
        for name in ("local_workload", "local_service"):
            found, given = columns[name].cast(pa.string()), flows.column(name).cast(pa.string())
            columns[name] = pc.if_else(pa.array(known), given, found).dictionary_encode()
        return _halves(flows, columns)

    def _columns(self, which: str, side: Side) -> dict[str, Any]:
        return {
            f"{which}_workload": pc.take(self.workloads, pa.array(side.workload, mask=side.workload < 0)),
            f"{which}_service": _dictionary(side.service, self.services),
            **_why(which, side.reason, side.distance),
        }

    def _hostname(self, flows: Any, question: Question) -> Any:
        """The record's own hostname, else the one that the client's name bindings leave."""
        given = flows.column("hostname")
        if len(self._names.hostnames) == 0:
            return given
        client, server = flows.column("local_address"), flows.column("remote_address")
        found = _dictionary(self._names.ask(client, server, question.a, question.b), self._names.hostnames)
        if given.null_count == len(given):
            return found
        return pc.coalesce(given.cast(pa.string()), found.cast(pa.string()))


def captured(flows: Any) -> Any:
    """Flows whose local workload was known at capture, as `Resolver.attribute_local` gives them: no evidence asked."""
    reason = np.full(flows.num_rows, CODES["reported"], np.uint8)
    return _halves(flows, _why("local", reason, np.full(flows.num_rows, -1, np.int64)))


def _halves(flows: Any, local: dict[str, Any]) -> Any:
    """The flows with the columns of their local side put in."""
    columns = dict(zip(flows.schema.names, flows.columns, strict=True)) | local
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _why(which: str, reason: npt.NDArray[np.uint8], distance: Int64) -> dict[str, Any]:
    """The columns that say where a side's answer came from, why, and how far the evidence was."""
    return {
        f"{which}_method": pa.DictionaryArray.from_arrays(pa.array(_METHOD[reason]), _METHOD_NAMES),
        f"{which}_reason": pa.DictionaryArray.from_arrays(pa.array(reason.view(np.int8)), _REASON_NAMES),
        f"{which}_distance": pa.array(distance, mask=distance < 0),
    }


def _dictionary(number: Int32, names: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(number, mask=number < 0), names)
