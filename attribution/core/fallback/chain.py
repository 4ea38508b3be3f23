"""Endpoints that are no workload: socket rules, assignment events, then labels, and never inside the workload space."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, split_sockets
from attribution.core.columnar.arrays import encode, is_value
from attribution.core.columnar.types import Int32, Int64, UInt8
from attribution.core.fallback.assignments import ASSIGNED, CHANGED, AssignmentIndex
from attribution.core.fallback.pools import Pooled
from attribution.core.fallback.socket_rules import DISPATCHED, NOTHING, Dispatched, RuleIndex
from attribution.core.question import Question
from attribution.core.reasons import CODES

_EGRESS, _INGRESS = pa.scalar("egress"), pa.scalar("ingress")
#: The directions in which a side opened the flow, and accepted it.
_OPENED_BY = {"local": (_EGRESS, _INGRESS), "remote": (_INGRESS, _EGRESS)}


@dataclass
class Found:
    """What the fallback says to each question.

    Attributes:
        owner: number into `Fallback.owners`, -1 where there is none.
        service: number into `Fallback.services`, -1 where there is none.
        reason: code of `silent`, `dispatched`, `rule_change`, `assigned`, `assignment_change`, `prefix` or `unknown`;
            `pooled` or `unpooled` in the place of the last four in the pool space.
    """

    owner: Int32
    service: Int32
    reason: UInt8


class Fallback:
    """Answers questions about addresses without evidence.

    Attributes:
        owners: Arrow text, the owners named by assignment events.
        services: Arrow text, the services named by assignment events, by labels and by socket rules.
    """

    def __init__(self, assignments: Any, labels: Any, rules: Any, settings: Settings) -> None:
        """Digest canonical tables of `schemas/assignment.avsc`, `schemas/label.avsc` and `schemas/socket_rule.avsc`."""
        self._workloads = PrefixTable.of_prefixes(settings.workload_prefixes + settings.translated_prefixes)
        self._assignments = AssignmentIndex(assignments)
        self._labels = PrefixTable(labels)
        named, names = encode(labels.column("service"))
        self._label_service = np.append(named, np.int32(-1)) + np.int32(len(self._assignments.services))
        self.owners = self._assignments.owners
        self._rules, self._connections = RuleIndex(rules), settings.ports_of_connections
        self._lifetime = settings.connection_lifetime
        self._rules_from = np.int32(len(self._assignments.services) + len(names))
        self.services = pa.concat_arrays([self._assignments.services, names, self._rules.services])

    def ask(self, flows: Any, which: str, sockets: Int32, pooled: Pooled, rows: Int64, question: Question) -> Found:
        """What is known of some addresses and sockets without heartbeats.

        Args:
            flows: record batch.
            which: the side that is asked about, `local` or `remote`.
            sockets: that side's, as of `asked_sockets`.
            pooled: what is known of that side's addresses as ones that policies hand out.
            rows: the flows that are asked about.
            question: the asked intervals of all flows.
        """
        nobody = np.full(len(rows), -1, np.int32)
        reason = np.where(pooled.handed[rows], np.uint8(CODES["pooled"]), np.uint8(CODES["unpooled"]))
        found = Found(nobody, nobody.copy(), reason)
        others = np.flatnonzero(~pooled.inside[rows])
        if len(others):
            asked = rows[others]
            address = flows.column(f"{which}_address").take(pa.array(asked))
            known = self._known(address, sockets[asked], question.take(asked))
            found.owner[others], found.service[others], found.reason[others] = known.owner, known.service, known.reason
        if self._rules:
            self._dispatch(flows, which, sockets, rows, question.take(rows), found)
        return found

    def _dispatch(self, flows: Any, which: str, sockets: Int32, rows: Int64, question: Question, found: Found) -> None:
        """Write what socket rules say where they say something, but inside the workload space."""
        directions = [is_value(flows.column("direction"), direction) for direction in _OPENED_BY[which]]
        opens, accepts = (mask.to_numpy(zero_copy_only=False)[rows] for mask in directions)
        socket = sockets[rows]
        port = split_sockets(socket)[1]
        of_connection = (socket != ANY_SOCKET) & (port >= self._connections.start) & (port < self._connections.stop)
        may_accept = np.flatnonzero(~opens & (accepts | ~of_connection) & (found.reason != CODES["silent"]))
        # Rules decide when a connection is opened, and a window may show one that was opened long before.
        opened = np.where(question.connection, question.a, question.a - self._lifetime)
        sides = self._rules.sides(flows, which, socket[may_accept], rows[may_accept])
        self._write(self._rules.ask(sides, replace(question, a=opened).take(may_accept)), may_accept, found)

    def _write(self, said: Dispatched, rows: Int64, found: Found) -> None:
        some = said.state != NOTHING
        rows, one, service = rows[some], said.state[some] == DISPATCHED, said.service[some]
        found.owner[rows] = -1
        found.service[rows] = np.where(one, service + self._rules_from, -1)
        found.reason[rows] = np.where(one, CODES["dispatched"], CODES["rule_change"])

    def _known(self, address: Any, socket: Int32, question: Question) -> Found:
        """What assignment events and labels say."""
        assigned = self._assignments.ask(address, socket, question.a, question.b)
        label = self._labels.match(address)
        owned, labelled = assigned.state == ASSIGNED, label >= 0
        service = np.where(owned, assigned.service, np.where(labelled, self._label_service[label], -1))
        reason = np.where(labelled, np.uint8(CODES["prefix"]), np.uint8(CODES["unknown"]))
        reason[owned] = CODES["assigned"]
        owner = assigned.owner
        changed = assigned.state == CHANGED
        reason[changed] = CODES["assignment_change"]
        silent = self._workloads.contains(address)
        reason[silent] = CODES["silent"]
        nothing = changed | silent
        return Found(np.where(nothing, -1, owner), np.where(nothing, -1, service).astype(np.int32), reason)
