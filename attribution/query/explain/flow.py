"""Why one flow was attributed as it was: which rule, which evidence, how old it is, and why nobody else."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attribution.config import NO_NETWORK
from attribution.core.addressing.sockets import PortRange
from attribution.core.question import Side
from attribution.core.reasons import REASONS
from attribution.errors import QueryError
from attribution.query.explain.address_evidence import AddressEvidence, evidence_of, hole_row
from attribution.query.explain.findings import Witness, witnesses
from attribution.query.explain.flow_selector import FlowSelector, flow_key
from attribution.query.explain.networks import SideNetworks, networks_of
from attribution.query.explain.path import PathStep, path_of
from attribution.query.explain.verdict import FlowSide, Verdict, judge
from attribution.query.lake.flows import WINDOWED
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
        workload, service, method, reason, distance: the answer, as the lake holds it; distance in microseconds.
        rule: the reason in a sentence.
        asked: the asked interval; None where the log itself named the workload.
        key_port, key_protocol: the port whose evidence was asked; None for that of the whole address.
        witnesses: the ranges that decided, then the nearest of everybody else, each with what it means.
        holes: the silences for which nobody is named.
        networks: what networks have to do with the answer; None if none is named.
        verdict: what the rules make of the lake's ranges; it may say less than the answer, which knew every heartbeat.
        evidence: everything that the lake holds about the address.
    """

    side: Side
    address: str
    port: int | None
    protocol: int | None
    workload: str | None
    service: str | None
    method: str
    reason: str
    distance: int | None
    verdict: Verdict | None
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
        return witnesses(self.evidence, self.verdict, workload=self.workload, reason=self.reason)

    @property
    def path(self) -> tuple[PathStep, ...]:
        """What was asked in turn, by the lake's ranges, and why the rest was not."""
        return path_of(self.verdict, self.reason)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON; durations in microseconds."""
        verdict = self.verdict
        key = verdict.ownership.socket if verdict else None
        return {
            "side": self.side,
            "address": self.address,
            "port": self.port,
            "protocol": self.protocol,
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
    """

    flow: Row
    local: SideExplanation
    remote: SideExplanation
    alike: int

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return {
            "flow": dict(self.flow) | {"protocol_name": protocol_name(self.flow["protocol"])},
            "alike": self.alike,
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
            raise QueryError(
                f"no flow of {session.folder} has {selector}; leave out a condition to see which there are"
            )
        if len({_identity(row) for row in rows}) > 1:
            raise QueryError(_several(rows))
        times = {name: from_microseconds(rows[0][name]) for name in ("start", "end")}
        flow = {name: value for name, value in rows[0].items() if name != "total"} | times
        return FlowExplanation(
            flow=flow,
            local=_side(session, flow, "local"),
            remote=_side(session, flow, "remote"),
            alike=rows[0]["total"],
        )


def _side(session: LakeSession, row: Row, side: Side) -> SideExplanation:
    address, port, protocol = row[f"{side}_address"], row[f"{side}_port"], row["protocol"]
    evidence = evidence_of(session, address)
    verdict, networks = None, None
    if row[f"{side}_method"] != "capture":
        asked = FlowSide.of(row, side)
        verdict = judge(evidence, session.settings, asked)
        networks = networks_of(evidence, session.settings, asked, verdict)
    return SideExplanation(
        side=side,
        address=address,
        port=port,
        protocol=protocol,
        **{name: row[f"{side}_{name}"] for name in ("workload", "service", "method", "reason", "distance")},
        verdict=verdict,
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
