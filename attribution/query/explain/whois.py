"""Who held an address, and when: its ownership ranges, the control plane's events, its labels, its flows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attribution.config import NO_NETWORK
from attribution.core.addressing.sockets import Socket
from attribution.errors import BadValueError, QueryError
from attribution.query.explain.address_evidence import AddressEvidence, evidence_of, hole_row, in_order, parse_address
from attribution.query.explain.findings import Witness, verdict_row, witnesses
from attribution.query.explain.networks import SideNetworks, networks_of
from attribution.query.explain.path import path_of
from attribution.query.explain.verdict import FlowSide, Verdict, judge
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
    network: str | None = None


@dataclass(frozen=True, kw_only=True)
class FlowCount:
    """Flows of the address on one side, by how that side was answered; times are of flow starts.

    `network` is what the flows say of the network of the address, or the network that they see it from.
    """

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
    network: str | None = None


@dataclass(frozen=True, kw_only=True)
class Whois:
    """What the lake knows about one address.

    Attributes:
        evidence: ranges, events and labels; of one network, if that was asked for.
        policies: those that ever had the address in a pool, the longest prefix first.
        hostnames: the names that clients were told, the most frequent first.
        flows: how its flows were answered for.
        at: the moment asked about; None where none was.
        port: the port asked about; None for the whole address.
        protocol: IANA number of its transport protocol.
        verdict: what the rules say for a connection that begins and ends at that moment; None where none was asked.
        witnesses: the ranges that decided, then the nearest of everybody else; none where no moment was asked about.
        networks: what networks have to do with that; None where they have nothing to do with it.
    """

    evidence: AddressEvidence
    policies: tuple[PolicyRecord, ...]
    hostnames: tuple[ToldName, ...]
    flows: tuple[FlowCount, ...]
    at: datetime | None
    port: int | None
    protocol: int | None
    verdict: Verdict | None
    witnesses: tuple[Witness, ...]
    networks: SideNetworks | None

    @property
    def address(self) -> str:
        """The address in canonical text."""
        return self.evidence.address

    @property
    def known(self) -> bool:
        """Whether the lake has anything of the address."""
        evidence = self.evidence
        return any((evidence.ranges, evidence.assignments, evidence.labels, self.flows, self.hostnames, self.policies))

    @property
    def named_networks(self) -> tuple[str, ...]:
        """The networks that anything shown here names, in order."""
        found = {*self.evidence.networks, *(label.network for label in self.evidence.labels)}
        found |= {one.network for one in self.hostnames} | {one.network for one in self.flows}
        found |= {one.of_network for one in self.policies}
        return tuple(name for name in in_order(found) if name is not None)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON; durations in microseconds."""
        asked: dict[str, Any] = {}
        if self.verdict is not None:
            asked = {"at": self.at, "port": self.port, "protocol": self.protocol, **verdict_row(self.verdict)}
            asked["path"] = [vars(step) for step in path_of(self.verdict, self.verdict.reason)]
            asked["witnesses"] = [vars(witness) for witness in self.witnesses]
            asked["networks"] = self.networks.to_dict() if self.networks else None
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
                "network": one.network,
                "claim": one.claim,
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
    network: str | None = None,
    window: Window | str | None = None,
) -> Whois:
    """What the lake knows about an address, and with `at` who held it then by the rules.

    Args:
        lake: the lake's folder, or an open session.
        address: in any spelling.
        at: a moment; text as in `window.parse_time`.
        port: the port of the endpoint, where `at` asks for one.
        protocol: the transport protocol of that port, by name or number.
        network: the only network to show and to ask; `-` is that of evidence without one. By default all are shown, and
            `at` asks for a flow that does not say the network.
        window: which flows to count; by flow start.

    The answer is that for a connection that begins and ends at the moment. A real flow may get a better one: the log
    itself may have named its workload, and a connection that lasted may be answered by who was seen during it.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: the address, the port, the time or the window cannot be read; a port without a time, or of a
            protocol that has none. Or a network is asked for, and the lake was made as one space.
    """
    canonical = parse_address(address)
    socket = _socket(canonical, port, protocol, timed=at is not None)
    with opened(lake) as session:
        if network is not None and session.settings.one_space:
            raise QueryError(
                f"cannot ask who held {canonical} in {network!r}: {session.folder} was made with one_space, so that no "
                "rule asks for a network; leave the network out"
            )
        moment = parse_time(at, last=session.last_start()) if isinstance(at, str) else at
        evidence = evidence_of(session, canonical)
        verdict, networks = None, None
        seen_then: tuple[Witness, ...] = ()
        if moment is not None:
            named = None if network == NO_NETWORK else network
            asked = FlowSide(start=moment, end=moment, basis="connection", socket=socket, remote_network=named)
            verdict = judge(evidence, session.settings, asked)
            seen_then = witnesses(evidence, verdict, workload=verdict.workload, reason=verdict.reason)
            networks = networks_of(evidence, session.settings, asked, verdict)
        policies = policies_of(session, canonical)
        names = session.ask(_HOSTNAMES, address=canonical)
        counts = session.ask(_FLOWS, address=canonical, **session.window(window).parameters())
    return Whois(
        evidence=evidence if network is None else evidence.within(None if network == NO_NETWORK else network),
        policies=tuple(one for one in policies if network is None or one.of_network in (None, network)),
        hostnames=tuple(ToldName(**{**row, **seen(row)}) for row in names if _shown(row["network"], network)),
        flows=tuple(FlowCount(**{**row, **seen(row)}) for row in counts if _shown(row["network"], network)),
        at=moment,
        port=port,
        protocol=socket.protocol if socket else None,
        verdict=verdict,
        witnesses=seen_then,
        networks=networks,
    )


def _shown(of_row: str | None, network: str | None) -> bool:
    """Whether what is known in a network is shown."""
    return network is None or (of_row or NO_NETWORK) == network


def _socket(address: str, port: int | None, protocol: str | int, *, timed: bool) -> Socket | None:
    """The socket that is asked about; None for the whole address.

    Raises:
        QueryError: there is no such socket, or it is asked about without a time.
    """
    if port is None:
        return None
    if not timed or not 0 <= port <= LARGEST_PORT:
        found = f"port {port}, which is none" if timed else f"port {port} without a time"
        raise BadValueError(
            f"cannot ask who held {address}: found {found}; give a time and a port from 0 to {LARGEST_PORT}"
        )
    socket = Socket.of(protocol_number(protocol), port)
    if socket is None:
        raise BadValueError(f"cannot ask who held {address}: protocol {protocol!r} has no ports, found port {port}")
    return socket
