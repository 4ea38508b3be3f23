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
from attribution.core.question import Question, Side
from attribution.core.reasons import METHOD_OF, REASONS
from attribution.core.timeline.address_timeline import AddressTimeline
from attribution.core.timeline.answer import ExplainedAnswer
from attribution.core.timeline.networks import AskedNetworks
from attribution.query.explain.address_evidence import AddressEvidence, Hole
from attribution.query.lake.session import Row
from attribution.query.lake.times import from_microseconds, to_microseconds
from attribution.schema import ASSIGNMENT, FLOW, LABEL, arrow_schema

_NETWORKS = ("local_network", "remote_network")
#: What is plain of a flow in the question about one of its sides.
_OF_FLOWS = ("start", "end", "basis", "protocol", "direction", "data_centre", "region", *_NETWORKS)

Basis = Literal["connection", "window"]


@dataclass(frozen=True, kw_only=True)
class FlowSide:
    """One side of a flow, as the rules ask about it.

    Attributes:
        start, end: of the flow.
        basis: whether the flow is a connection or a window.
        socket: of the side; None where it has none.
        side, protocol, direction, data_centre, region: what the rules about connections ask besides.
        local_network, remote_network: what the flow says of networks; None where it does not.
    """

    start: datetime
    end: datetime
    basis: Basis
    socket: Socket | None
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
        return cls(socket=Socket.of(flow["protocol"], flow[f"{side}_port"]), side=side, **plain)

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


def judge(evidence: AddressEvidence, settings: Settings, asked: FlowSide) -> Verdict:
    """What the rules say about the address for a side of a flow."""
    first, last = to_microseconds(asked.start), to_microseconds(asked.end)
    connection, tolerance = asked.basis == "connection", settings.clock_tolerance
    low, high = first - tolerance, (first if connection else last) + tolerance
    networks, answer = _by_heartbeats(evidence, settings, asked)
    workload, service, reason = answer.workload, answer.service, answer.reason
    chosen = [one.stored for one in evidence.ranges if settings.one_space or one.network == answer.network]
    remembered = any(
        one.end >= first - settings.workload_memory and one.start <= last + settings.hold for one in chosen
    )
    pooled = _in_prefixes(evidence.address, settings.pool_prefixes)
    forgotten = reason in ("gap", "shared") and not remembered
    if reason != "too_old" and (reason == "unknown" or pooled or forgotten):
        a, b, s, e = (np.array([moment], np.int64) for moment in (low, high, first, last))
        said = _fallback(evidence, settings, asked, Question(a, b, s, e, np.array([connection]), np.array([False])))
        if reason == "unknown" or pooled or said[2] not in ("silent", "unknown"):
            workload, service, reason = said
    times = from_microseconds(low), from_microseconds(high)
    return Verdict(workload, service, reason, pooled, answer, networks, *times)


def _by_heartbeats(
    evidence: AddressEvidence, settings: Settings, asked: FlowSide
) -> tuple[AskedNetworks, ExplainedAnswer]:
    """What the ranges say, and what was asked of them."""
    timeline = AddressTimeline.from_ranges(evidence.address, (one.stored for one in evidence.ranges), settings)
    times = to_microseconds(asked.start), to_microseconds(asked.end)
    return asked.networks, timeline.ask(asked.socket, *times, basis=asked.basis, networks=asked.networks)


def _fallback(
    evidence: AddressEvidence, settings: Settings, asked: FlowSide, question: Question
) -> tuple[str | None, str | None, str]:
    assignments, labels = _tables(evidence)
    tables = [assignments, labels, evidence.rules, evidence.policies]
    if settings.one_space:
        tables = [without_networks(table) for table in tables]
    assignments, labels, rules, policies = tables
    fallback = Fallback(assignments, labels, rules, settings)
    protocol, port = asked.socket or (asked.protocol, None)
    side = asked.side
    flow: dict[str, object] = {name: getattr(asked, name) for name in _OF_FLOWS}
    flow |= {f"{side}_address": evidence.address, f"{side}_port": port, "protocol": protocol}
    flows = pa.RecordBatch.from_pylist([flow], schema=arrow_schema(FLOW))
    places = AskedPlaces.of(flows, side, settings)
    pooled = PoolSpace(policies, settings).ask(flows, side, places, question)
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
