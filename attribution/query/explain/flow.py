"""Why one flow was attributed as it was: which rule, which evidence, how old it is, and why nobody else."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attribution.config import NO_NETWORK
from attribution.core.addressing.sockets import PortRange
from attribution.core.question import Side
from attribution.core.reasons import REASONS
from attribution.errors import QueryError, SeveralFlowsError
from attribution.query.explain.address_evidence import AddressEvidence, evidence_of, hole_row
from attribution.query.explain.far_end import FarEnd, far_end_of
from attribution.query.explain.findings import Witness, witnesses
from attribution.query.explain.flow_selector import FlowSelector, flow_key
from attribution.query.explain.networks import SideNetworks, networks_of
from attribution.query.explain.path import PathStep, path_of
from attribution.query.explain.timing import FlowTiming
from attribution.query.explain.verdict import FlowSide, Verdict, asked_end, judge
from attribution.query.lake.flows import WINDOWED
from attribution.query.lake.names import NameKind, is_known, unknown
from attribution.query.lake.protocols import protocol_name
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row, opened
from attribution.query.lake.times import from_microseconds

FIND_FLOWS = Query(__package__, "find_flows", standing_on=(WINDOWED,))
#: Flows that are listed where a person's words fit several.
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class SideExplanation:
    """Why one side of a flow was answered as it was.

    Attributes:
        side: `local` or `remote`.
        address, port, protocol: the endpoint.
        wire_address, wire_port: the endpoint as the wire shows it, whose evidence was asked; None where it is the same.
        workload, service, method, reason, distance: the answer, as the lake holds it; distance in microseconds.
        rule: the reason in a sentence.
        asked: the asked interval; None where the log itself named the workload.
        key_port, key_protocol: the port whose evidence was asked; None for that of the whole address.
        witnesses: the ranges that decided, then the nearest of everybody else, each with what it means.
        holes: the silences for which nobody is named.
        far_end: what the reports of both ends say; None where heartbeats decide, and for the local side.
        networks: what networks have to do with the answer; None if none is named.
        verdict: what the rules make of the lake's ranges; it may say less than the answer, which knew every heartbeat.
        evidence: everything that the lake holds about the address.
    """

    side: Side
    address: str
    port: int | None
    protocol: int | None
    wire_address: str | None
    wire_port: int | None
    workload: str | None
    service: str | None
    method: str
    reason: str
    distance: int | None
    verdict: Verdict | None
    far_end: FarEnd | None
    networks: SideNetworks | None
    evidence: AddressEvidence

    @property
    def rule(self) -> str:
        """The reason in a sentence."""
        return REASONS[self.reason]

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """The ranges that decided, then the nearest of everybody else; none where the log named the workload."""
        if self.verdict is None:
            return ()
        if self.far_end is not None and self.far_end.decided:
            # What the ranges say is that by them nobody is named.
            found = witnesses(self.evidence, self.verdict, workload=None, reason=self.verdict.ownership.reason)
            return tuple(replace(one, role="other") for one in found)
        return witnesses(self.evidence, self.verdict, workload=self.workload, reason=self.reason)

    @property
    def recomputed(self) -> tuple[str | None, str | None, str] | None:
        """Workload, service and reason by what the lake holds; None where the log named the workload.

        The answer knew every heartbeat, and the lake has ranges. So these may say less.
        """
        verdict = self.verdict
        if verdict is None or self.far_end is not None:
            return self.far_end.answer(verdict) if self.far_end and verdict else None
        return verdict.workload, verdict.service, verdict.reason

    @property
    def path(self) -> tuple[PathStep, ...]:
        """What was asked in turn, by the lake's ranges, and why the rest was not."""
        return path_of(self.verdict, self.reason, self.far_end)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON; durations in microseconds."""
        verdict = self.verdict
        key = verdict.ownership.socket if verdict else None
        return {
            "side": self.side,
            "address": self.address,
            "port": self.port,
            "protocol": self.protocol,
            "wire_address": self.wire_address,
            "wire_port": self.wire_port,
            "workload": self.workload,
            "service": self.service,
            "method": self.method,
            "reason": self.reason,
            "rule": self.rule,
            "distance": self.distance,
            "asked_from": verdict.asked_from if verdict else None,
            "asked_to": verdict.asked_to if verdict else None,
            "key_port": key.port if key else None,
            "key_last_port": key.last_port if isinstance(key, PortRange) else None,
            "key_protocol": key.protocol if key else None,
            "path": [vars(step) for step in self.path],
            "witnesses": [vars(witness) for witness in self.witnesses],
            "far_end": self.far_end.to_dict() if self.far_end else None,
            "networks": self.networks.to_dict() if self.networks else None,
            "holes": [hole_row(hole) for hole in verdict.holes] if verdict else [],
            "assignments": [vars(event) for event in self.evidence.assignments],
            "labels": [vars(label) for label in self.evidence.labels],
        }


@dataclass(frozen=True, kw_only=True)
class FlowExplanation:
    """One flow, as a row of `schemas/attributed_flow.avsc`, and both its sides.

    Attributes:
        alike: how many rows of the lake have the same endpoints and start; the first is explained.
        timing: when the flow may have been.
    """

    flow: Row
    timing: FlowTiming
    local: SideExplanation
    remote: SideExplanation
    alike: int

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return {
            "flow": dict(self.flow) | {"protocol_name": protocol_name(self.flow["protocol"])},
            "alike": self.alike,
            "timing": self.timing.to_dict(),
            "local": self.local.to_dict(),
            "remote": self.remote.to_dict(),
        }


def explain_flow(lake: LakeSession | Path | str, selector: FlowSelector) -> FlowExplanation:
    """Why the one flow that the selector fits was attributed as it was.

    Raises:
        LakeError: the folder is no lake, or cannot be read.
        QueryError: no flow fits, or several do; the message lists the first of them as selectors that fit one each.
    """
    with opened(lake) as session:
        conditions = {name: value for name, value in vars(selector).items() if name != "starts"}
        rows = session.ask(FIND_FLOWS, **conditions, **selector.starts.parameters(), limit=1000)
        if not rows:
            raise QueryError(f"no flow of {session.folder} has {selector}; {_why_none(session, selector)}")
        if len({_identity(row) for row in rows}) > 1:
            raise SeveralFlowsError(_several(rows))
        times = {name: from_microseconds(rows[0][name]) for name in ("start", "end", "received")}
        flow = {name: value for name, value in rows[0].items() if name != "total"} | times
        return FlowExplanation(
            flow=flow,
            timing=FlowTiming.of(FlowSide.of(flow, "remote"), session.settings),
            local=_side(session, flow, "local"),
            remote=_side(session, flow, "remote"),
            alike=rows[0]["total"],
        )


def _why_none(session: LakeSession, asked: FlowSelector) -> str:
    """Which of the conditions no flow of the lake meets by itself, or else what to do."""
    conditions: tuple[tuple[NameKind, str | None], ...] = (
        ("local address", asked.local_address),
        ("remote address", asked.remote_address),
        ("network", asked.network if asked.network != NO_NETWORK else None),
    )
    for kind, name in conditions:
        if name is not None and not is_known(session, kind, name):
            return unknown(session, kind, name)
    return "leave out a condition to see which there are"


def _side(session: LakeSession, row: Row, side: Side) -> SideExplanation:
    address, port = asked_end(row, side)
    on_wire = side == "remote" and row["remote_wire_address"] is not None
    evidence = evidence_of(session, address)
    verdict, networks, far_end = None, None, None
    if row[f"{side}_method"] != "capture":
        asked = FlowSide.of(row, side)
        verdict = judge(evidence, session.settings, asked)
        networks = networks_of(evidence, session.settings, asked, verdict)
        far_end = far_end_of(session, row, verdict) if side == "remote" else None
    return SideExplanation(
        side=side,
        address=row[f"{side}_address"],
        port=row[f"{side}_port"],
        protocol=row["protocol"],
        wire_address=address if on_wire else None,
        wire_port=port if on_wire else None,
        **{name: row[f"{side}_{name}"] for name in ("workload", "service", "method", "reason", "distance")},
        verdict=verdict,
        far_end=far_end,
        networks=networks,
        evidence=evidence,
    )


def _identity(row: Row) -> tuple[object, ...]:
    """What tells flows apart that a person may point at."""
    ends = ("start", "local_address", "local_port", "remote_address", "remote_port", "local_network")
    return tuple(row[name] for name in ends)


def _several(rows: Sequence[Row]) -> str:
    named = len({row["local_network"] for row in rows}) > 1
    networks = (f" --network {shlex.quote(row['local_network'] or NO_NETWORK)}" if named else "" for row in rows)
    keys = list(dict.fromkeys(f"{flow_key(row)}{network}" for row, network in zip(rows, networks, strict=True)))
    listed = "".join(f"\n  --flow {key}" for key in keys[:_LISTED])
    more = "" if len(keys) <= _LISTED else "\n  ..."
    return f"{rows[0]['total']} flows fit; say more of the one that you mean, or take one of these:{listed}{more}"
