"""What networks have to do with an answer, as `whois` and `explain` show it."""

from collections.abc import Iterator, Sequence

from attribution.cli.render.evidence import NETWORK, seen_from_to
from attribution.cli.render.output import Column, Section
from attribution.query.explain.networks import NetworkEvidence, SideNetworks

_STANDING = (
    NETWORK,
    Column(name="workload"),
    Column(name="service", rank=1),
    Column(name="seen", kind="prose"),
    Column(name="reason", title="says alone", kind="prose"),
)
_ROUTE = Column(name="route", title="reached by", kind="prose")
_OPTION = Column(name="option", title="would answer with", kind="prose")
_NO_NETWORK = "no network"
_ROUTES_ARE_TRUE = (
    "A route says that addresses of two networks reach each other, and that none is held in both: declare what is true."
)
_ROUTES_NEED_PREFIXES = "Routes with prefixes say which addresses are reached in which network."


def network_lines(networks: SideNetworks | None) -> Iterator[str]:
    """In which network a side was asked, and in which networks there is evidence."""
    if networks is None:
        return
    yield _asked(networks)
    standing = [_name(one.network) for one in networks.standing]
    if standing:
        answered = [_name(one.network) for one in networks.standing if one.answered]
        whose = f"that of {answered[0]} is asked" if answered else "none of it is asked"
        yield f"evidence counts in: {', '.join(standing)}; {whose}"


def network_sections(networks: SideNetworks | None, *, options: bool = False) -> list[Section]:
    """The evidence of each network, if networks leave open whose evidence answers.

    Args:
        networks: as of an explanation.
        options: whether to show which option of a run would let it answer.
    """
    if networks is None or not networks.standing or any(one.answered for one in networks.standing):
        return []
    rows = [_row(one) for one in networks.standing]
    more, note = [], ""
    if any(row["route"] for row in rows):
        more, note = [_ROUTE], _ROUTES_NEED_PREFIXES
    elif options and any(row["option"] for row in rows):
        more, note = [_OPTION], _ROUTES_ARE_TRUE if networks.network is not None else ""
    elif options and networks.said == "told":
        note = f"The log says that the address is in {networks.network}, so no route leads elsewhere."
    elif networks.said == "unsaid":
        note = "Say --network NAME to ask one network."
    return [Section(columns=[*_STANDING, *more], rows=rows, title="Evidence of each network", note=note)]


def _row(one: NetworkEvidence) -> dict[str, object]:
    said = one.verdict
    workloads = [said.workload] if said.workload else [witness.workload for witness in one.witnesses]
    services = [said.service] if said.service else [witness.service for witness in one.witnesses]
    return {
        "network": _name(one.network),
        "workload": _listed(workloads),
        "service": _listed(services),
        "seen": seen_from_to(one.witnesses[0]) if one.witnesses else None,
        "reason": said.reason,
        "route": one.route,
        "option": one.option,
    }


def _listed(names: Sequence[str | None]) -> str | None:
    return ", ".join(dict.fromkeys(filter(None, names))) or None


def _asked(networks: SideNetworks) -> str:
    others = [_name(name) for name in networks.candidates if name != networks.network]
    if networks.said == "unsaid":
        return "network: the flow does not say it"
    if networks.said == "told":
        return f"network: {networks.network}" + (f", or {' or '.join(others)}" if others else "")
    reached = f", from which routes lead to {', '.join(others)}" if others else ""
    return f"network: seen from {networks.network}{reached}"


def _name(network: str | None) -> str:
    return _NO_NETWORK if network is None else network
