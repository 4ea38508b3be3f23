"""Endpoints that are no workload: socket rules, assignment events, then labels, and never inside the workload space."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, split_sockets
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import NONE, encode
from attribution.core.columnar.types import Int32, Int64, Records, UInt8
from attribution.core.fallback.assignments import AssignmentIndex, AssignmentState
from attribution.core.fallback.labels import LabelIndex
from attribution.core.fallback.pools import PoolAnswers
from attribution.core.fallback.socket_rules import RuleIndex, RuleState
from attribution.core.question import Question, Side, opened_and_accepted
from attribution.core.reasons import CLOSED, CODES

#: The reason of each `AssignmentState` that networks leave open; 0 for the other states.
_OF_CLOSED = np.array([0, 0, 0, CODES["other_network"], CODES["several_networks"]], np.uint8)
#: Where these are the reason, no rule is asked.
_CLOSED = [CODES[name] for name in ("silent", *CLOSED)]


@dataclass(frozen=True)
class FallbackAnswers(AlignedColumns):
    """What the fallback says to each question.

    Attributes:
        owner: number into `Fallback.owners`; `NONE` where nobody is named.
        service: number into `Fallback.services`; `NONE` where none is named.
        reason: code of `silent`, `dispatched`, `rule_change`, `assigned`, `assignment_change`, `other_network`,
            `several_networks`, `prefix` or `unknown`; in the pool space `pooled` or `unpooled` in the place of those
            from `assigned` on.
    """

    owner: Int32
    service: Int32
    reason: UInt8

    @classmethod
    def unnamed(cls, reason: UInt8) -> Self:
        """Answers that name nobody, for these reasons."""
        return cls(np.full(len(reason), NONE), np.full(len(reason), NONE), reason)


class Fallback:
    """Answers questions about addresses without evidence.

    Attributes:
        assignments: what the events say.
        owners: the owners named by assignment events.
        services: the services named by assignment events, by labels and by socket rules.
    """

    assignments: AssignmentIndex
    owners: pa.StringArray
    services: pa.StringArray

    def __init__(self, assignments: Records, labels: Records, rules: pa.Table, settings: Settings) -> None:
        """Index canonical tables of `schemas/assignment.avsc`, `schemas/label.avsc` and `schemas/socket_rule.avsc`."""
        self._workloads = PrefixTable.of_prefixes(settings.workload_prefixes + settings.translated_prefixes)
        self.assignments = AssignmentIndex(assignments, settings)
        self._labels = LabelIndex(labels, settings)
        named, names = encode(labels.column("service"))
        self._label_service = np.append(named, NONE) + np.int32(len(self.assignments.services))
        self.owners = self.assignments.owners
        self._rules, self._connections = RuleIndex(rules, settings), settings.ports_of_connections
        self._lifetime = settings.connection_lifetime
        self._rules_from = np.int32(len(self.assignments.services) + len(names))
        self.services = pa.concat_arrays([self.assignments.services, names, self._rules.services])

    def ask(
        self,
        flows: pa.RecordBatch,
        side: Side,
        places: AskedPlaces,
        sockets: Int32,
        pooled: PoolAnswers,
        rows: Int64,
        question: Question,
    ) -> FallbackAnswers:
        """What is known of some addresses and sockets without heartbeats.

        Args:
            flows: record batch.
            side: the side that is asked about.
            places: the addresses of that side, and what is known of their networks.
            sockets: the sockets of that side, as of `asked_sockets`.
            pooled: what policies say of the addresses of that side.
            rows: the flows that are asked about.
            question: the asked intervals of all flows.
        """
        outside = np.flatnonzero(~pooled.inside[rows])
        asked = rows[outside]
        answers = self._by_events(places.take(asked), sockets[asked], question.take(asked))
        if len(outside) < len(rows):
            handed_out = pooled.handed_out[rows]
            in_pools = FallbackAnswers.unnamed(np.where(handed_out, CODES["pooled"], CODES["unpooled"]))
            answers = in_pools.with_parts((outside, answers))
        if self._rules:
            return self._by_rules(answers, flows, side, places, sockets, rows, question.take(rows))
        return answers

    def _by_rules(
        self,
        answers: FallbackAnswers,
        flows: pa.RecordBatch,
        side: Side,
        places: AskedPlaces,
        sockets: Int32,
        rows: Int64,
        question: Question,
    ) -> FallbackAnswers:
        """The answers of socket rules where they say something outside the workload space; `answers` elsewhere."""
        opens, accepts = (mask[rows] for mask in opened_and_accepted(flows, side))
        socket = sockets[rows]
        port = split_sockets(socket)[1]
        of_connection = (socket != ANY_SOCKET) & (port >= self._connections.start) & (port < self._connections.stop)
        may_accept = np.flatnonzero(~opens & (accepts | ~of_connection) & ~np.isin(answers.reason, _CLOSED))
        # Rules decide when a connection is opened, and a window may show a connection that was opened long before.
        opened = np.where(question.connection, question.a, question.a - self._lifetime)
        sides = self._rules.sides(flows, places, socket[may_accept], rows[may_accept])
        said = self._rules.ask(sides, replace(question, a=opened).take(may_accept))
        speaks = np.flatnonzero(said.state != RuleState.NOTHING)
        said = said.take(speaks)
        dispatched = said.state == RuleState.DISPATCHED
        by_rules = FallbackAnswers(
            owner=np.full(len(said), NONE),
            service=np.where(dispatched, said.service + self._rules_from, NONE),
            reason=np.where(dispatched, CODES["dispatched"], CODES["rule_change"]),
        )
        return answers.with_parts((may_accept[speaks], by_rules))

    def _by_events(self, asked: AskedPlaces, socket: Int32, question: Question) -> FallbackAnswers:
        """The answers of assignment events and labels."""
        assigned = self.assignments.ask(asked, socket, question.a, question.b)
        owned = assigned.state == AssignmentState.ASSIGNED
        changed = assigned.state == AssignmentState.CHANGED
        closed = assigned.state > AssignmentState.CHANGED
        silent = self._workloads.contains(asked.address)
        label = self._labels.match(asked)
        labelled = ~owned & (label >= 0)
        service = np.where(labelled, self._label_service[label], assigned.service)
        # The later a reason is put here, the earlier it is tried.
        reason = np.where(labelled, CODES["prefix"], CODES["unknown"])
        reason = np.where(owned, CODES["assigned"], reason)
        reason = np.where(changed, CODES["assignment_change"], reason)
        reason = np.where(closed, _OF_CLOSED[assigned.state], reason)
        nobody = changed | closed | silent
        return FallbackAnswers(
            owner=np.where(nobody, NONE, assigned.owner),
            service=np.where(nobody, NONE, service),
            reason=np.where(silent, CODES["silent"], reason),
        )
