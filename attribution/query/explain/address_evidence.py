"""What the lake knows about one address, and what the rules make of it at a moment.

The rules themselves are the core's: `core.timeline.timeline` for ownership, `attribution.core.fallback.chain` for
endpoints that are no workload. The lake keeps ownership ranges, not heartbeats, so a range answers where a heartbeat
did. Who is named is the same. But `covered` may read `bridged`, `within` may read `gap`, and the distance may not be
known.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.addresses import canonical_address
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.sockets import Socket, asked_sockets, held_by
from attribution.core.fallback.chain import Fallback
from attribution.core.fallback.pools import PoolSpace
from attribution.core.question import Question, Side
from attribution.core.reasons import METHOD_OF, REASONS
from attribution.core.timeline.answer import ExplainedAnswer, Held
from attribution.core.timeline.timeline import OwnershipRange, Timeline
from attribution.errors import QueryError
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row
from attribution.query.lake.times import from_microseconds, to_microseconds
from attribution.schema import ASSIGNMENT, FLOW, LABEL, POLICY, SOCKET_RULE, arrow_schema

_RANGES = Query(__package__, "address_ranges")
_ASSIGNMENTS = Query(__package__, "address_assignments")
_LABELS = Query(__package__, "address_labels")

Basis = Literal["connection", "window"]
#: Last moment seen before a silence, and first moment seen after it.
Hole = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class HeldRange:
    """A range of `schemas/ownership_range.avsc`, without its address; `longest_gap` in microseconds."""

    port: int | None
    last_port: int | None = None
    protocol: int | None
    workload: str
    service: str | None
    start: datetime
    end: datetime
    longest_gap: int
    holes: tuple[Hole, ...]

    @property
    def held(self) -> Held:
        """What it is about."""
        return held_by(self.protocol, self.port, self.last_port)


@dataclass(frozen=True, kw_only=True)
class AssignmentEvent:
    """An event of `schemas/assignment.avsc`, without its address."""

    time: datetime
    action: str
    owner: str
    service: str | None
    kind: str | None
    port: int | None
    protocol: int | None


@dataclass(frozen=True, kw_only=True)
class LabelledPrefix:
    """A label of `schemas/label.avsc`."""

    prefix: str
    service: str
    kind: str | None
    region: str | None


@dataclass(frozen=True)
class AddressEvidence:
    """What the lake holds about one address: ranges and events by time, labels with the longest prefix first.

    Policies and socket rules are all that the lake has, as Arrow tables: there are few.
    """

    address: str
    ranges: tuple[HeldRange, ...]
    assignments: tuple[AssignmentEvent, ...]
    labels: tuple[LabelledPrefix, ...]
    policies: pa.Table
    rules: pa.Table


@dataclass(frozen=True, kw_only=True)
class FlowSide:
    """One side of a flow, as the rules ask about it.

    Attributes:
        start, end: of the flow.
        basis: whether the flow is a connection or a window.
        socket: of the side; None where it has none.
        side, direction, data_centre, region: what the rules about connections ask besides.
    """

    start: datetime
    end: datetime
    basis: Basis
    socket: Socket | None
    side: Side = "remote"
    direction: str | None = None
    data_centre: str | None = None
    region: str | None = None

    @classmethod
    def of(cls, flow: Row, side: Side) -> Self:
        """A side of a flow, which is a row of `schemas/attributed_flow.avsc`."""
        plain = {name: flow[name] for name in ("start", "end", "basis", "direction", "data_centre", "region")}
        return cls(socket=Socket.of(flow["protocol"], flow[f"{side}_port"]), side=side, **plain)


@dataclass(frozen=True)
class Verdict:
    """What the rules say about an address, or a socket of it, for one flow.

    Attributes:
        workload: who is named; None where nobody is, and for a label.
        service: the service, or the label's name.
        reason: a reason of `attribution.core.reasons`.
        pooled: whether the address is one that policies hand out, of which no heartbeat is asked.
        ownership: what the ownership ranges alone say, with the evidence.
        asked_from: start of the asked interval.
        asked_to: its end.
    """

    workload: str | None
    service: str | None
    reason: str
    pooled: bool
    ownership: ExplainedAnswer
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


def hole_row(hole: Hole) -> dict[str, datetime]:
    """A hole as in `schemas/ownership_range.avsc`."""
    return {"start": hole[0], "end": hole[1]}


def parse_address(text: str) -> str:
    """Canonical text of an address, however it is spelt; an IPv4-mapped IPv6 address is the IPv4 address.

    Raises:
        QueryError: the text is no address.
    """
    address = canonical_address(text.strip().removeprefix("[").removesuffix("]"))
    if address is None:
        raise QueryError(f"{text!r} is no address: write IPv4 or IPv6, without a port, prefix length or zone")
    return address


def evidence_of(session: LakeSession, address: str) -> AddressEvidence:
    """What the lake holds about a canonical address.

    Raises:
        LakeError: the lake cannot be read.
    """
    return AddressEvidence(
        address=address,
        ranges=tuple(_range(row) for row in session.ask(_RANGES, address=address)),
        assignments=tuple(
            AssignmentEvent(**{**row, "time": from_microseconds(row["time"])})
            for row in session.ask(_ASSIGNMENTS, address=address)
        ),
        labels=tuple(LabelledPrefix(**row) for row in session.ask(_LABELS, prefixes=_prefixes_around(address))),
        policies=session.table("policies", POLICY),
        rules=session.table("socket_rules", SOCKET_RULE),
    )


def judge(evidence: AddressEvidence, settings: Settings, asked: FlowSide) -> Verdict:
    """What the rules say about the address for a side of a flow."""
    first, last = to_microseconds(asked.start), to_microseconds(asked.end)
    connection, tolerance = asked.basis == "connection", settings.clock_tolerance
    low, high = first - tolerance, (first if connection else last) + tolerance
    address = ipaddress.ip_address(evidence.address)
    translated = any(address in ipaddress.ip_network(prefix) for prefix in settings.translated_prefixes)
    timeline = Timeline.from_ranges((_stored(one) for one in evidence.ranges), settings, translated=translated)
    answer = timeline.ask(asked.socket, first, last, basis=asked.basis)
    workload, service, reason = answer.workload, answer.service, answer.reason
    spans = [(to_microseconds(one.start), to_microseconds(one.end)) for one in evidence.ranges]
    remembered = any(b >= first - settings.workload_memory and a <= last + settings.hold for a, b in spans)
    pooled = any(address in ipaddress.ip_network(prefix) for prefix in settings.pool_prefixes)
    if reason == "unknown" or pooled or (reason in ("gap", "shared") and not remembered):
        a, b, s, e = (np.array([moment], np.int64) for moment in (low, high, first, last))
        said = _fallback(evidence, settings, asked, Question(a, b, s, e, np.array([connection])))
        if reason == "unknown" or pooled or said[2] not in ("silent", "unknown"):
            workload, service, reason = said
    return Verdict(workload, service, reason, pooled, answer, from_microseconds(low), from_microseconds(high))


def _fallback(
    evidence: AddressEvidence, settings: Settings, asked: FlowSide, question: Question
) -> tuple[str | None, str | None, str]:
    events = [{**vars(event), "address": evidence.address} for event in evidence.assignments]
    labels = [vars(label) for label in evidence.labels]
    fallback = Fallback(
        pa.Table.from_pylist(events, schema=arrow_schema(ASSIGNMENT)),
        pa.Table.from_pylist(labels, schema=arrow_schema(LABEL)),
        evidence.rules,
        settings,
    )
    protocol, port = asked.socket or (None, None)
    side = asked.side
    flow: dict[str, object] = {name: getattr(asked, name) for name in ("direction", "data_centre", "region")}
    flow |= {f"{side}_address": evidence.address, f"{side}_port": port, "protocol": protocol}
    flows = pa.RecordBatch.from_pylist([flow], schema=arrow_schema(FLOW))
    places = AskedPlaces.of(flows, side, settings)
    pooled = PoolSpace(evidence.policies, settings).ask(flows, side, places, question)
    sockets = asked_sockets(flows.column("protocol"), flows.column(f"{side}_port"))
    found = fallback.ask(flows, side, places, sockets, pooled, np.zeros(1, np.int64), question)
    owner, service = int(found.owner[0]), int(found.service[0])
    return (
        None if owner < 0 else fallback.owners[owner].as_py(),
        None if service < 0 else fallback.services[service].as_py(),
        list(REASONS)[int(found.reason[0])],
    )


def _range(row: Row) -> HeldRange:
    times = {name: from_microseconds(row[name]) for name in ("start", "end")}
    holes = tuple((from_microseconds(start), from_microseconds(end)) for start, end in row["holes"])
    return HeldRange(**{**row, **times, "holes": holes})


def _stored(one: HeldRange) -> OwnershipRange:
    holes = tuple((to_microseconds(start), to_microseconds(end)) for start, end in one.holes)
    start, end = to_microseconds(one.start), to_microseconds(one.end)
    return OwnershipRange(one.held, one.workload, one.service, start, end, one.longest_gap, holes)


def _prefixes_around(address: str) -> list[str]:
    """Every prefix that contains the address, the longest first: few enough to look each up, and exact."""
    host = ipaddress.ip_network(address)
    return [str(host.supernet(new_prefix=length)) for length in range(host.prefixlen, -1, -1)]
