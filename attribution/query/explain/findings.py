"""A verdict in words: which ranges decided, and for everybody else who held the address, why it was not they."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from attribution.core.addressing.sockets import PortRange, Socket
from attribution.core.reasons import REASONS
from attribution.core.timeline.answer import Claim, Held
from attribution.query.explain.address_evidence import AddressEvidence, HeldRange
from attribution.query.explain.verdict import Verdict
from attribution.query.lake.times import format_span, from_microseconds, to_microseconds


@dataclass(frozen=True, kw_only=True)
class Witness:
    """One range as evidence for or against an answer.

    Attributes:
        role: `decided` where the answer rests on it, `other` where it does not.
        port: the port that it is about, or the first of a range; None for the whole address.
        last_port: the last one of a range.
        protocol: IANA number of the port's transport protocol.
        claim: `shown` for connections that were opened from the port, `balanced` for connections that were accepted
            there for others; None otherwise.
        longest_gap: longest silence within it, in microseconds.
        away: microseconds between it and the time asked about; 0 where it touches it.
        finding: what it means for the answer, in words.
        network: the network that it is evidence of; None for evidence without one.
    """

    role: Literal["decided", "other"]
    workload: str
    service: str | None
    port: int | None
    last_port: int | None
    protocol: int | None
    start: datetime
    end: datetime
    longest_gap: int
    away: int
    finding: str
    network: str | None = None
    claim: str | None = None


def witnesses(evidence: AddressEvidence, verdict: Verdict, *, workload: str | None, reason: str) -> tuple[Witness, ...]:
    """The ranges that decided, then the nearest one of everybody else, nearest first.

    Args:
        evidence: what the lake holds about the address.
        verdict: what the rules make of it.
        workload: who was named in the end; the attribution of a flow knew every heartbeat and may have known more.
        reason: why.
    """
    answer = verdict.ownership
    reading = _Reading(verdict, workload, reason)
    found = []
    for claim in (*answer.evidence, *answer.alternatives):
        decided = claim in answer.evidence or (reading.names(claim) and reason == "within")
        ranges = _ranges(evidence, answer.network, claim)
        witness = Witness(
            role="decided" if decided else "other",
            workload=claim.workload,
            service=claim.service,
            port=claim.socket.port if claim.socket else None,
            last_port=claim.socket.last_port if isinstance(claim.socket, PortRange) else None,
            protocol=claim.socket.protocol if claim.socket else None,
            start=from_microseconds(claim.start),
            end=from_microseconds(claim.end),
            longest_gap=max((one.longest_gap for one in ranges), default=0),
            away=max(claim.start - reading.b, reading.a - claim.end, 0),
            finding=reading.finding(claim),
            network=answer.network,
            claim=claim.claim,
        )
        found.append(witness)
    return tuple(sorted(found, key=lambda witness: witness.role))


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """The answer itself as a row."""
    return {
        "workload": verdict.workload,
        "service": verdict.service,
        "method": verdict.method,
        "reason": verdict.reason,
        "rule": REASONS[verdict.reason],
        "distance": verdict.ownership.distance,
        "asked_from": verdict.asked_from,
        "asked_to": verdict.asked_to,
    }


def _ranges(evidence: AddressEvidence, network: str | None, claim: Claim) -> list[HeldRange]:
    """The stored ranges of a network that a claim is made of."""
    return [
        one
        for one in evidence.ranges
        if one.workload == claim.workload
        and one.network == network
        and _is_about(one.held, claim.socket)
        and one.claim == claim.claim
        and to_microseconds(one.start) <= claim.end
        and to_microseconds(one.end) >= claim.start
    ]


def _is_about(stored: Held, claimed: Held) -> bool:
    """Whether a stored range is evidence for a key; that of ports is for every range of ports within it."""
    if isinstance(stored, PortRange) and isinstance(claimed, PortRange):
        return stored.holds(Socket(claimed.protocol, claimed.port)) and stored.last_port >= claimed.last_port
    return stored == claimed


def _elsewhere(claim: Claim) -> str:
    """Where evidence is that says nothing of the asked port."""
    if claim.socket is None:
        return "claims all of an address that others hold by port"
    return "behind a balancer" if claim.claim == "balanced" else "on another port"


class _Reading:
    """Puts what ranges mean for one answer into words."""

    def __init__(self, verdict: Verdict, workload: str | None, reason: str) -> None:
        self.a, self.b = to_microseconds(verdict.asked_from), to_microseconds(verdict.asked_to)
        self._holes = verdict.ownership.holes
        self._workload, self._reason = workload, reason

    def names(self, claim: Claim) -> bool:
        """Whether the claim's workload is the answer."""
        return claim.workload == self._workload

    def finding(self, claim: Claim) -> str:
        """What one range means for the answer."""
        touches = claim.start <= self.b and claim.end >= self.a
        if self.names(claim):
            return self._held(claim)
        if self._reason == "shared":
            return f"{self._when(claim)}, {_elsewhere(claim)}"
        if not touches:
            return self._when(claim)
        if self._reason == "conflict":
            return "held the address around that time, as did another: nobody is named"
        return self._not_all(claim)

    def _when(self, claim: Claim) -> str:
        if claim.end < self.a:
            return f"last seen {format_span(self.a - claim.end)} before the time asked about"
        if claim.start > self.b:
            return f"first seen {format_span(claim.start - self.b)} after the time asked about"
        return "seen around the time asked about"

    def _held(self, claim: Claim) -> str:
        match self._reason:
            case "covered":
                return "seen without interruption during all of the time asked about"
            case "bridged":
                return "seen before and after, nobody else between"
            case "within":
                begun = (self.a + self.b) // 2
                return f"first seen {format_span(claim.start - begun)} after the start, alone, with nobody before"
            case _:
                return self._when(claim)

    def _not_all(self, claim: Claim) -> str:
        """Why the only one who touches the time asked about is not named."""
        if self._holes:
            start, end = self._holes[0]
            return f"silent for {format_span(end - start)} then, while another was seen on the address"
        missing = []
        if claim.start > self.a:
            missing.append(f"first seen {format_span(claim.start - self.a)} after the beginning")
        if claim.end < self.b:
            missing.append(f"last seen {format_span(self.b - claim.end)} before the end")
        return (
            f"{' and '.join(missing)} of the time asked about" if missing else "contradicted by others on the address"
        )
