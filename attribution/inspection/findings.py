"""What stands between these logs and attribution, each finding with what to do about it and where to read more."""

import shlex
from collections.abc import Iterator

from attribution.inspection.finding import Facts, Finding
from attribution.inspection.lacks import Lack
from attribution.inspection.time_findings import gap_findings, share_of, time_findings
from attribution.inspection.two_names import two_names
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT
from attribution.sources.input.paths import STDIN, STDIN_NAME
from attribution.sources.registry import names

#: Share of flows whose remote address has evidence below which that is said.
_FEW = 0.5
#: Share of the addresses that flows and heartbeats both know at which their names differ before that is said.
_MANY_DIFFER = 0.5
#: Pairs of networks that are shown.
_SHOWN_PAIRS = 3


def findings(facts: Facts) -> list[Finding]:
    """All findings, those first that keep most from being attributed."""
    found = [*_missing(facts, needed=True), *_nothing(facts)]
    if facts.flows.rows:
        found += [*time_findings(facts), *_networks(facts), *_names(facts), *_unknown(facts)]
    return [*found, *_missing(facts, needed=False), *_sampling(facts), *gap_findings(facts), *_unreadable(facts)]


def _nothing(facts: Facts) -> Iterator[Finding]:
    explained = any(lack.wanted.needed and lack.everywhere for lack in facts.lacks)
    if not facts.flows.rows and not explained:
        yield Finding("no_flows", "There are no flows.", "Give flow logs as well.", "index")
    elif not facts.evidence.names_owners and not explained:
        yield Finding(
            "no_evidence",
            "Nothing says who held an address: no flow is evidence of its own workload, and there are neither "
            "heartbeats nor assignment events.",
            "Give heartbeats: pod lists, leases, or sightings of your own.",
            "how-to/heartbeats",
        )


def _missing(facts: Facts, *, needed: bool) -> Iterator[Finding]:
    """What formats want, those together that are got in one way."""
    together: dict[tuple[str, ...], list[Lack]] = {}
    for lack in facts.lacks:
        if lack.wanted.needed == needed:
            name = lack.known.name
            logs = f"{name} logs have" if lack.everywhere else f"In {lack.files} of {lack.of} {name} files there is"
            together.setdefault((logs, lack.wanted.get, f"how-to/{lack.known.how_to}"), []).append(lack)
    for (logs, get, page), lacks in together.items():
        items = tuple(f"{lack.wanted.name}: {lack.wanted.without}." for lack in lacks)
        if len(items) == 1:
            yield Finding("missing_field", f"{logs} no {items[0]}", get, page)
        else:
            yield Finding("missing_field", f"{logs} none of these:", get, page, items)


def _sampling(facts: Facts) -> Iterator[Finding]:
    flows = facts.flows
    if flows.rate_unknown:
        part = share_of(flows.rate_unknown, flows.rows)
        text = (
            f"{part} of the flows do not say of how many packets one was looked at: bytes and packets may be too low."
        )
        advice = "Let what exports the flows send its sampling rate. IPFIX and NetFlow v9 send it as an option."
        yield Finding("rate_unknown", text, advice, "how-to/goflow2")


def _unreadable(facts: Facts) -> Iterator[Finding]:
    unknown = [file for file in facts.files if not file.readable]
    if unknown:
        text = f"{_number(len(unknown), 'file')} cannot be read as a log of a known format."
        advice = (
            "Leave out what is no log. A table or JSON of flows or evidence is read by a --mapping of its columns "
            f"(docs/how-to/mapping.md). Else name its format with --input-format: {', '.join(names())}."
        )
        yield Finding("unknown_format", text, advice, "reference/formats")


def _networks(facts: Facts) -> Iterator[Finding]:
    named = [name for name, _ in facts.flows.places["local"].top("network")]
    if None in named and len(named) == 2:
        (name,) = (name for name in named if name)
        text = f"Some flows say that they are of {name}, others do not say their network."
        yield Finding("some_networks", text, f"If all are of {name}, say so: --network {name}.", "how-to/networks")
    pairs = facts.covered["local"].elsewhere + facts.covered["remote"].elsewhere
    for (asked, there), count in pairs.most_common(_SHOWN_PAIRS):
        has = "has" if count == 1 else "have"
        flows = f"are of {asked}" if asked else "name no network"
        evidence = f"is of {there}" if there else "names no network"
        text = f"{_addresses(count)} {has} evidence, but the flows {flows}, and the evidence {evidence}."
        if there is None:
            advice = f"If the evidence is of {asked}, say so: --network {_evidence_option(facts)}={asked}."
        elif asked is None:
            advice = f"If the flows are of {there}, say so: --network flows={there}."
        else:
            route = f"--route {asked},{there}"
            advice = f"If the two reach each other at these addresses, and none is in use in both, say so: {route}."
        yield Finding("other_network", text, advice, "how-to/networks")


def _names(facts: Facts) -> Iterator[Finding]:
    """Two names of one workload, which are two workloads to the rules."""
    found = two_names(facts.evidence)
    if found.differ > _MANY_DIFFER * found.both:
        text = (
            f"Flows and heartbeats both know {_addresses(found.both)}. At {found.differ:,} of them they name different "
            "workloads at one time. If these are two names of one workload, nobody is named there (conflict)."
        )
        advice = "Give one of the two: leave out the heartbeats, or say --no-flow-heartbeats."
        yield Finding("two_names", text, advice, "how-to/kubernetes")


def _unknown(facts: Facts) -> Iterator[Finding]:
    remote = facts.covered["remote"]
    if not facts.evidence.names_owners or remote.flows_with_evidence >= _FEW * remote.flows:
        return
    without = {"private": remote.private_without, "public": remote.public_without}
    parts = [f"{count:,} {kind} address{'' if count == 1 else 'es'}" for kind, count in without.items() if count]
    if not parts:
        return
    share = remote.flows_with_evidence / max(remote.flows, 1)
    few = f"Only {share:.0%} of the flows have" if remote.flows_with_evidence else "No flow has"
    text = f"{few} a remote address with evidence. Nothing is known of {' and '.join(parts)}."
    if remote.private_without >= remote.public_without:
        advice = "Give heartbeats of the workloads at the private addresses."
        page = "how-to/heartbeats"
    else:
        advice = "Give labels of public prefixes, as ip-ranges.json, and DNS answers for hostnames."
        page = "how-to/labels"
    yield Finding("few_known", text, advice, page)


def _addresses(count: int) -> str:
    return f"{count:,} address{'' if count == 1 else 'es'}"


def _evidence_option(facts: Facts) -> str:
    """What `--network` gives a network to, so that evidence has it."""
    kinds = {HEARTBEAT, ASSIGNMENT}
    files = [file for file in facts.files if kinds & file.read.keys()]
    if len(files) == 1 and FLOW not in files[0].read:
        return STDIN if files[0].name == STDIN_NAME else shlex.quote(files[0].name)
    options = {file.given_as for file in files}
    return "heartbeats" if options == {HEARTBEAT} and "--heartbeats" in facts.command else "PATH"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
