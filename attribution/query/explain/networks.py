"""Which network's evidence answered for one side of a flow, what that of the others says, and what would let it answer.

Who may answer is the core's to say (`core.timeline.networks`); here it is asked again, and put into words.
"""

import shlex
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.routes import route_between
from attribution.core.reasons import CLOSED
from attribution.core.timeline.networks import AskedNetworks
from attribution.query.explain.address_evidence import AddressEvidence, in_order
from attribution.query.explain.findings import Witness, verdict_row, witnesses
from attribution.query.explain.verdict import FlowSide, Verdict, judge
from attribution.query.lake.times import to_microseconds

#: How a flow gives the network of an address, as of `SideNetworks.said`.
Said = Literal["told", "view", "unsaid"]


@dataclass(frozen=True, kw_only=True)
class NetworkEvidence:
    """What the evidence of one network says of the address, asked as if no other network had evidence.

    Attributes:
        network: the network; None for evidence without one.
        answered: whether it is this evidence that answered.
        route: the route of the settings that makes the network a candidate; None if no route does, or none has to.
        verdict: what the rules say by this evidence alone.
        witnesses: the ranges behind that.
        option: the option of `attribution replay` that would let it answer; None if no option would, or none has to.
    """

    network: str | None
    answered: bool
    route: str | None
    verdict: Verdict
    witnesses: tuple[Witness, ...]
    option: str | None

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "network": self.network,
            "answered": self.answered,
            "route": self.route,
            "option": self.option,
            **verdict_row(self.verdict),
            "witnesses": [vars(witness) for witness in self.witnesses],
        }


@dataclass(frozen=True, kw_only=True)
class SideNetworks:
    """In which networks one side of a flow was asked, and in which there was evidence.

    Attributes:
        network: the network that the flow gives; None if it gives none.
        said: `told` if it is the network of the address, `view` if the address is seen from it, `unsaid` if there is
            none.
        candidates: the networks in which the address may be held, in order, none first.
        standing: the networks whose evidence stands for the flow, likewise.
    """

    network: str | None
    said: Said
    candidates: tuple[str | None, ...]
    standing: tuple[NetworkEvidence, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**vars(self), "standing": [one.to_dict() for one in self.standing]}


def networks_of(
    evidence: AddressEvidence, settings: Settings, asked: FlowSide, verdict: Verdict
) -> SideNetworks | None:
    """What networks have to do with an answer; None if neither the flow nor the evidence that stands names one.

    Args:
        evidence: what the lake holds about the address.
        settings: the settings of the rules.
        asked: the side.
        verdict: the answer, as of `judge`.
    """
    said = verdict.networks
    names = _standing(evidence, verdict)
    if settings.one_space or verdict.pooled or (said.first is None and not any(names)):
        return None
    candidates = said.candidates(evidence.address, settings)
    unsaid = replace(asked, local_network=None, remote_network=None)
    standing = []
    for name in names:
        alone = _alone(evidence, name)
        by_it = judge(alone, settings, unsaid)
        seen = witnesses(alone, by_it, workload=by_it.workload, reason=by_it.reason)
        one = NetworkEvidence(
            network=name,
            answered=name in candidates and verdict.reason not in CLOSED,
            route=_route(name, evidence.address, settings, said) if name in candidates else None,
            verdict=by_it,
            witnesses=tuple(replace(witness, network=name) for witness in seen),
            option=_option(name, said) if verdict.reason == "other_network" else None,
        )
        standing.append(one)
    return SideNetworks(
        network=said.first,
        said="unsaid" if said.first is None else "told" if said.told else "view",
        candidates=in_order(candidates),
        standing=tuple(standing),
    )


def _standing(evidence: AddressEvidence, verdict: Verdict) -> tuple[str | None, ...]:
    """The networks in which heartbeats stand; if none do and events are asked, those in which events stand."""
    if verdict.ownership.networks or verdict.ownership.reason != "unknown":
        return verdict.ownership.networks
    last = to_microseconds(verdict.asked_to)
    known = {one.network for one in evidence.assignments if to_microseconds(one.time) <= last}
    return tuple(network for network in evidence.networks if network in known)


def _alone(evidence: AddressEvidence, network: str | None) -> AddressEvidence:
    """The evidence of one network and what holds in it, as if there were no networks."""

    def within(table: pa.Table) -> pa.Table:
        kept = [row for row in table.to_pylist() if row["network"] in (None, network)]
        return pa.Table.from_pylist([row | {"network": None} for row in kept], schema=table.schema)

    mine = evidence.within(network)
    return replace(
        evidence,
        ranges=tuple(replace(one, network=None) for one in mine.ranges),
        assignments=tuple(replace(one, network=None) for one in mine.assignments),
        labels=tuple(replace(one, network=None) for one in mine.labels),
        policies=within(evidence.policies),
        rules=within(evidence.rules),
    )


def _route(network: str | None, address: str, settings: Settings, asked: AskedNetworks) -> str | None:
    """The first route of the settings that makes the network a candidate; None if it is one without any."""
    if network == asked.first:
        return None
    alone = ((text, replace(settings, routes=(text,))) for text in settings.routes)
    return next((text for text, one in alone if network in asked.candidates(address, one)), None)


def _option(network: str | None, asked: AskedNetworks) -> str | None:
    """The option that would make the evidence of a network answer, if it stands in no candidate."""
    if asked.first is None:
        return None if network is None else f"--network {shlex.quote(f'flows={network}')}"
    # No route leads from where the log tells that the address is, but to evidence without a network.
    if asked.told and network is not None:
        return None
    route = route_between(asked.first, network)
    return None if route is None else f"--route {shlex.quote(route)}"
