"""Who held an address, and when: its ownership ranges, the control plane's events, its labels, its flows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attribution.core.addressing.sockets import Socket
from attribution.errors import QueryError
from attribution.query.explain.address_evidence import (
    AddressEvidence,
    FlowSide,
    Verdict,
    evidence_of,
    hole_row,
    judge,
    parse_address,
)
from attribution.query.explain.findings import Witness, verdict_row, witnesses
from attribution.query.explain.path import path_of
from attribution.query.lake.flows import WINDOWED
from attribution.query.lake.protocols import LARGEST_PORT, protocol_number
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, opened
from attribution.query.lake.times import parse_time, seen
from attribution.query.lake.window import Window
from attribution.query.pools.policy_records import PolicyRecord, policies_of

_HOSTNAMES = Query(__package__, "address_hostnames")
_FLOWS = Query(__package__, "address_flows", standing_on=(WINDOWED,))


@dataclass(frozen=True, kw_only=True)
class ToldName:
    """A hostname by which clients were told the address: how often, by how many of them, from when to when."""

    hostname: str
    answers: int
    clients: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class FlowCount:
    """Flows of the address on one side, by how that side was answered; times are of flow starts."""

    side: str
    method: str
    reason: str
    service: str | None
    pool: str | None
    policy: str | None
    policy_state: str | None
    flows: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, kw_only=True)
class Whois:
    """What the lake knows about one address.

    Attributes:
        evidence: ranges, events and labels.
        policies: those that ever had the address in a pool, the longest prefix first.
        hostnames: the names that clients were told, the most frequent first.
        flows: how its flows were answered for.
        at: the moment asked about; None where none was.
        port: the port asked about; None for the whole address.
        protocol: IANA number of its transport protocol.
        verdict: what the rules say for a connection that begins and ends at that moment; None where none was asked.
    """

    evidence: AddressEvidence
    policies: tuple[PolicyRecord, ...]
    hostnames: tuple[ToldName, ...]
    flows: tuple[FlowCount, ...]
    at: datetime | None
    port: int | None
    protocol: int | None
    verdict: Verdict | None

    @property
    def address(self) -> str:
        """The address in canonical text."""
        return self.evidence.address

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The ranges that decided, then the nearest of everybody else; none where no moment was asked about."""
        if self.verdict is None:
            return ()
        return witnesses(self.evidence, self.verdict, workload=self.verdict.workload, reason=self.verdict.reason)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON; durations in microseconds."""
        asked: dict[str, Any] = {}
        if self.verdict is not None:
            asked = {"at": self.at, "port": self.port, "protocol": self.protocol, **verdict_row(self.verdict)}
            asked["path"] = [vars(step) for step in path_of(self.verdict, self.verdict.reason)]
            asked["witnesses"] = [vars(witness) for witness in self.witnesses]
        return {
            "address": self.address,
            "answer": asked or None,
            "ranges": self.range_rows(),
            "assignments": [vars(event) for event in self.evidence.assignments],
            "labels": [vars(label) for label in self.evidence.labels],
            "policies": [one.to_dict() for one in self.policies],
            "hostnames": [vars(name) for name in self.hostnames],
            "flows": [vars(count) for count in self.flows],
        }

    def range_rows(self) -> list[dict[str, object]]:
        """The ranges as rows, each with its length in microseconds."""
        return [
            {
                "address": self.address,
                "port": one.port,
                "last_port": one.last_port,
                "protocol": one.protocol,
                "workload": one.workload,
                "service": one.service,
                "start": one.start,
                "end": one.end,
                "length": (one.end - one.start) // timedelta(microseconds=1),
                "longest_gap": one.longest_gap,
                "holes": [hole_row(hole) for hole in one.holes],
            }
            for one in self.evidence.ranges
        ]


def whois(
    lake: LakeSession | Path | str,
    address: str,
    *,
    at: datetime | str | None = None,
    port: int | None = None,
    protocol: str | int = "tcp",
    window: Window | str | None = None,
) -> Whois:
    """What the lake knows about an address, and with `at` who held it then by the rules.

    Args:
        lake: the lake's folder, or an open session.
        address: in any spelling.
        at: a moment; text as in `window.parse_time`.
        port: the port of the endpoint, where `at` asks for one.
        protocol: the transport protocol of that port, by name or number.
        window: which flows to count; by flow start.

    The answer is that for a connection that begins and ends at the moment. A real flow may get a better one: the log
    itself may have named its workload, and a connection that lasted may be answered by who was seen during it.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the address, the port, the time or the window cannot be read; a port without a time, or of a
            protocol that has none.
    """
    canonical = parse_address(address)
    if port is not None and (at is None or not 0 <= port <= LARGEST_PORT):
        found = f"port {port} without a time" if at is None else f"port {port}, which is none"
        raise QueryError(
            f"cannot ask who held {canonical}: found {found}; give a time and a port from 0 to {LARGEST_PORT}"
        )
    socket = None if port is None else Socket.of(protocol_number(protocol), port)
    if port is not None and socket is None:
        raise QueryError(f"cannot ask who held {canonical}: protocol {protocol!r} has no ports, found port {port}")
    with opened(lake) as session:
        moment = parse_time(at, last=session.last_start()) if isinstance(at, str) else at
        evidence = evidence_of(session, canonical)
        verdict = None
        if moment is not None:
            asked = FlowSide(start=moment, end=moment, basis="connection", socket=socket)
            verdict = judge(evidence, session.settings, asked)
        policies = policies_of(session, canonical)
        names = session.ask(_HOSTNAMES, address=canonical)
        counts = session.ask(_FLOWS, address=canonical, **session.window(window).parameters())
    return Whois(
        evidence=evidence,
        policies=policies,
        hostnames=tuple(ToldName(**{**row, **seen(row)}) for row in names),
        flows=tuple(FlowCount(**{**row, **seen(row)}) for row in counts),
        at=moment,
        port=port,
        protocol=socket.protocol if socket else None,
        verdict=verdict,
    )
