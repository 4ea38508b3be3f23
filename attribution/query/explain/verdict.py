"""What the rules make of one address at a moment, by all that a lake knows about it.

The rules themselves are the core's: `core.timeline` for ownership and networks, `core.fallback.chain` for endpoints
that are no workload. The lake keeps ownership ranges, not heartbeats, so a range answers where a heartbeat did. Who is
named is the same. But `covered` may read `bridged`, `within` may read `gap`, and the distance may not be known.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.places import without_networks
from attribution.core.addressing.sockets import Socket, asked_sockets
from attribution.core.fallback.chain import Fallback
from attribution.core.fallback.pools import PoolSpace
from attribution.core.flow_evidence.ends import at_remote_ends
from attribution.core.question import Question, Side
from attribution.core.reasons import METHOD_OF, REASONS
from attribution.core.timeline.address_timeline import AddressTimeline
from attribution.core.timeline.answer import ExplainedAnswer
from attribution.core.timeline.networks import AskedNetworks
from attribution.core.times import FlowTimes, times_of
from attribution.query.explain.address_evidence import AddressEvidence, Hole
from attribution.query.lake.session import Row
from attribution.query.lake.times import from_microseconds
from attribution.schema import ASSIGNMENT, FLOW, LABEL, arrow_schema

_NETWORKS = ("local_network", "remote_network")
#: What is plain of a flow in the question about one of its sides.
_OF_FLOWS = ("start", "end", "received", "basis", "protocol", "direction", "data_centre", "region", *_NETWORKS)

Basis = Literal["connection", "window", "export"]


@dataclass(frozen=True, kw_only=True)
class FlowSide:
    """One side of a flow, as the rules ask about it.

    Attributes:
        start, end: of the record.
        basis: whether the flow is a connection or a window, or shows the time of its export only.
        received: when the record was received; None where it does not show that.
        socket: of the side, as the wire shows it; None where it has none.
        recorded_address: the address in the record, of which policies are asked; None where the wire shows the same.
        side, protocol, direction, data_centre, region: what the rules about connections ask besides.
        local_network, remote_network: what the flow says of networks; None where it does not.
    """

    start: datetime
    end: datetime
    basis: Basis
    socket: Socket | None
    received: datetime | None = None
    recorded_address: str | None = None
    side: Side = "remote"
    protocol: int | None = None
    direction: str | None = None
    data_centre: str | None = None
    region: str | None = None
    local_network: str | None = None
    remote_network: str | None = None

    @classmethod
    def of(cls, flow: Row, side: Side) -> Self:
        """A side of a flow, which is a row of `schemas/attributed_flow.avsc`."""
        plain = {name: flow[name] for name in _OF_FLOWS}
        address, port = asked_end(flow, side)
        recorded = flow[f"{side}_address"]
        return cls(
            socket=Socket.of(flow["protocol"], port),
            recorded_address=None if recorded == address else recorded,
            side=side,
            **plain,
        )

    def record(self, address: str) -> pa.RecordBatch:
        """The flow as a batch of one, as far as the question about this side needs it; the side is at the address."""
        protocol, port = self.socket or (self.protocol, None)
        flow: dict[str, object] = {name: getattr(self, name) for name in _OF_FLOWS}
        flow |= {"protocol": protocol, f"{self.side}_address": self.recorded_address or address}
        flow |= {f"{self.side}_port": port}
        if self.recorded_address is not None:
            flow |= {"remote_wire_address": address, "remote_wire_port": port}
        return pa.RecordBatch.from_pylist([flow], schema=arrow_schema(FLOW))

    @property
    def networks(self) -> AskedNetworks:
        """What the flow says of the network of its address."""
        if self.side == "local":
            return AskedNetworks.of_local(self.local_network)
        return AskedNetworks.of_remote(self.local_network, self.remote_network)


@dataclass(frozen=True)
class Verdict:
    """What the rules say about an address, or a socket of it, for one flow.

    Attributes:
        workload: who is named; None where nobody is, and for a label.
        service: the service, or the label's name.
        reason: a reason of `attribution.core.reasons`.
        pooled: whether the address is one that policies hand out, of which no heartbeat is asked.
        ownership: what the ownership ranges alone say, with the evidence.
        networks: what was taken for said of the network of the address.
        asked_from: start of the asked interval.
        asked_to: its end.
    """

    workload: str | None
    service: str | None
    reason: str
    pooled: bool
    ownership: ExplainedAnswer
    networks: AskedNetworks
    asked_from: datetime
    asked_to: datetime

    @property
    def method(self) -> str:
        """Where the answer comes from."""
        return METHOD_OF[self.reason]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The silences for which nobody is named."""
        return tuple((from_microseconds(start), from_microseconds(end)) for start, end in self.ownership.holes)


def asked_end(flow: Row, side: Side) -> tuple[str, int | None]:
    """Address and port at which a side of a flow is asked: the remote end as the wire shows it."""
    end = "remote_wire" if side == "remote" and flow["remote_wire_address"] is not None else side
    return flow[f"{end}_address"], flow[f"{end}_port"]


def judge(evidence: AddressEvidence, settings: Settings, asked: FlowSide) -> Verdict:
    """What the rules say about the address for a side of a flow."""
    record = asked.record(evidence.address)
    times = times_of(record, settings)
    question = Question.of(times, settings.clock_tolerance)
    interval = from_microseconds(int(question.a[0])), from_microseconds(int(question.b[0]))
    if times.untimed[0]:
        nothing = ExplainedAnswer(None, None, "untimed", None, None)
        return Verdict(None, None, "untimed", False, nothing, asked.networks, *interval)
    answer = _by_heartbeats(evidence, settings, asked, times)
    workload, service, reason = answer.workload, answer.service, answer.reason
    pooled = _in_prefixes(asked.recorded_address or evidence.address, settings.pool_prefixes)
    forgotten = reason in ("gap", "shared") and not _remembered(evidence, settings, answer.network, question)
    if reason != "too_old" and (reason == "unknown" or pooled or forgotten):
        said = _fallback(evidence, settings, asked.side, record, question)
        if reason == "unknown" or pooled or said[2] not in ("silent", "unknown"):
            workload, service, reason = said
    return Verdict(workload, service, reason, pooled, answer, asked.networks, *interval)


def _by_heartbeats(evidence: AddressEvidence, settings: Settings, asked: FlowSide, times: FlowTimes) -> ExplainedAnswer:
    """What the ranges say."""
    timeline = AddressTimeline.from_ranges(evidence.address, (one.stored for one in evidence.ranges), settings)
    basis = "connection" if times.connection[0] else "window"
    start, end = int(times.start[0]), int(times.end[0])
    opened = None
    if asked.direction is not None:
        opened = asked.direction == ("egress" if asked.side == "local" else "ingress")
    return timeline.ask(asked.socket, start, end, basis=basis, opened=opened, networks=asked.networks)


def _remembered(evidence: AddressEvidence, settings: Settings, network: str | None, question: Question) -> bool:
    """Whether the address is still taken for a workload's in a network."""
    oldest = from_microseconds(int(question.start[0]) - settings.workload_memory)
    latest = from_microseconds(int(question.end[0]) + settings.hold)
    chosen = (one for one in evidence.ranges if settings.one_space or one.network == network)
    return any(one.end >= oldest and one.start <= latest for one in chosen)


def _fallback(
    evidence: AddressEvidence, settings: Settings, side: Side, record: pa.RecordBatch, question: Question
) -> tuple[str | None, str | None, str]:
    assignments, labels = _tables(evidence)
    tables = [assignments, labels, evidence.rules, evidence.policies]
    if settings.one_space:
        tables = [without_networks(table) for table in tables]
    assignments, labels, rules, policies = tables
    fallback = Fallback(assignments, labels, rules, settings)
    pooled = PoolSpace(policies, settings).ask(record, side, AskedPlaces.of(record, side, settings), question)
    flows = at_remote_ends(record)
    places = AskedPlaces.of(flows, side, settings)
    sockets = asked_sockets(flows.column("protocol"), flows.column(f"{side}_port"))
    found = fallback.ask(flows, side, places, sockets, pooled, np.zeros(1, np.int64), question)
    owner, service = int(found.owner[0]), int(found.service[0])
    return (
        None if owner < 0 else fallback.owners[owner].as_py(),
        None if service < 0 else fallback.services[service].as_py(),
        list(REASONS)[int(found.reason[0])],
    )


def _tables(evidence: AddressEvidence) -> tuple[pa.Table, pa.Table]:
    """The events and the labels as tables of their records."""
    events = [{**vars(event), "address": evidence.address} for event in evidence.assignments]
    labels = [vars(label) for label in evidence.labels]
    return (
        pa.Table.from_pylist(events, schema=arrow_schema(ASSIGNMENT)),
        pa.Table.from_pylist(labels, schema=arrow_schema(LABEL)),
    )


def _in_prefixes(address: str, prefixes: Iterable[str]) -> bool:
    """Whether one of the prefixes contains the address."""
    asked = ipaddress.ip_address(address)
    return any(asked in ipaddress.ip_network(prefix) for prefix in prefixes)
