"""What stands between these logs and attribution, each finding with what to do about it and where to read more."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from attribution.config import HOUR, MINUTE, SECOND, Settings, format_duration
from attribution.core.question import Side
from attribution.inspection.coverage import Coverage
from attribution.inspection.evidence_facts import EvidenceFacts
from attribution.inspection.flow_facts import FlowFacts
from attribution.inspection.lacks import Lack
from attribution.inspection.log_file import LogFile
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT
from attribution.sources.input.opening import STDIN, STDIN_NAME
from attribution.sources.registry import names

#: A flow may end so much after now before a clock is said to be ahead.
_AHEAD_US = MINUTE
#: Share of the busy time of flows that may lie outside of the evidence before anything is said.
_OUTSIDE = 0.1
#: Share of flows whose remote address has evidence below which that is said.
_FEW = 0.5
#: Pairs of networks that are shown.
_SHOWN_PAIRS = 3
_DEFAULT = Settings()


@dataclass(frozen=True)
class Finding:
    """One thing to know or to mend.

    Attributes:
        code: what it is, in one word of a closed list.
        text: what was found; sentences, or a beginning that `items` end.
        advice: what to do; sentences.
        page: the page about it, below `docs/`, without `.md`.
        items: several things that were found, a sentence each.
    """

    code: str
    text: str
    advice: str
    page: str
    items: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The page as a path in the repository."""
        return f"docs/{self.page}.md"


@dataclass(frozen=True)
class Facts:
    """What findings are made of.

    Attributes:
        flows: of all logs.
        evidence: of all logs.
        covered: by side of flows.
        lacks: what formats want and logs have not.
        files: all of them.
        command: the words of the command that attributes them.
        now_us: the present, microseconds UTC.
    """

    flows: FlowFacts
    evidence: EvidenceFacts
    covered: Mapping[Side, Coverage]
    lacks: Sequence[Lack]
    files: Sequence[LogFile]
    command: Sequence[str]
    now_us: int


def findings(facts: Facts) -> list[Finding]:
    """All findings, those first that keep most from being attributed."""
    found = [*_missing(facts, needed=True), *_nothing(facts)]
    if facts.flows.rows:
        found += [*_clock(facts), *_times(facts), *_networks(facts), *_rare(facts), *_unknown(facts)]
    return [*found, *_missing(facts, needed=False), *_gaps(facts), *_unreadable(facts)]


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


def _unreadable(facts: Facts) -> Iterator[Finding]:
    unknown = [file for file in facts.files if not file.readable]
    if unknown:
        text = f"{_number(len(unknown), 'file')} cannot be read as a log of a known format."
        advice = f"Leave out what is no log. Else name its format with --input-format: {', '.join(names())}."
        yield Finding("unknown_format", text, advice, "reference/formats")


def _clock(facts: Facts) -> Iterator[Finding]:
    last = facts.flows.times.last
    if last is not None and last > facts.now_us + _AHEAD_US:
        text = f"The last flow ends {_span(last - facts.now_us)} after now: a clock is ahead, or a time zone is wrong."
        yield Finding("clock_ahead", text, "Set the clock of what writes the log, and write times in UTC.", "limits")


def _times(facts: Facts) -> Iterator[Finding]:
    span = facts.evidence.span()
    # An assignment event holds until the next one.
    if span is None or ASSIGNMENT in facts.evidence.kinds:
        return
    first, last = span[0] - _DEFAULT.max_gap, span[1] + _DEFAULT.max_gap
    outside = facts.flows.times.share_outside(first, last)
    if outside > _OUTSIDE:
        part = "All flows are" if outside == 1 else f"{outside:.0%} of the flows' time is"
        text = f"{part} outside of the time of the heartbeats, so nobody is named there."
        advice = "Give heartbeats of the same time as the flows, and look at clocks and time zones."
        yield Finding("other_times", text, advice, "how-to/heartbeats")


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


def _rare(facts: Facts) -> Iterator[Finding]:
    """Heartbeats that come less often than they are trusted to last."""
    if HEARTBEAT not in facts.evidence.kinds:
        return
    table = facts.evidence.kinds[HEARTBEAT].sightings.table()
    first, last, covered, rows = (table.column(name).to_numpy() for name in ("first", "last", "covered", "rows"))
    several = rows > 1
    if not several.any() and not np.median(covered):
        text = "Every workload was seen only once, so it is named for that moment only."
        yield Finding("seen_once", text, "Take heartbeats every minute.", "how-to/heartbeats")
        return
    if not several.any():
        return
    silence = np.maximum(last - first - covered, 0)[several] / (rows[several] - 1)
    usual = int(np.median(silence))
    if usual > _DEFAULT.max_gap:
        text = (
            f"Half of the workloads are seen every {_span(usual)} or less often. "
            f"A workload is trusted to survive {_span(_DEFAULT.max_gap)} of silence (--max-gap)."
        )
        advice = "Take heartbeats every minute. Or set --max-gap, if no address comes to another workload sooner."
        yield Finding("rare_heartbeats", text, advice, "how-to/tuning")


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


def _gaps(facts: Facts) -> Iterator[Finding]:
    gaps = facts.flows.times.gaps()
    if gaps:
        begin, end = gaps[0]
        more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        text = f"There are no flows for {_span(end - begin)}, from {_time(begin)}{more}."
        yield Finding("gap_in_time", text, "If a file is missing, give it, too.", "how-to/inspect")


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


def _span(microseconds: int) -> str:
    """A length of time, rounded: `26h`, `90s`."""
    unit = next((unit for unit in (24 * HOUR, HOUR, MINUTE, SECOND) if microseconds >= 2 * unit), SECOND)
    return format_duration(round(microseconds / unit) * unit)


def _time(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds / SECOND, UTC):%Y-%m-%d %H:%M:%S}"
