"""What to do next if a run named few remote sides: the most likely cause, and the command that says more."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from attribution.config import SECOND
from attribution.core.reasons import METHOD_OF, REASONS
from attribution.replay.summary import Summary
from attribution.schema import ASSIGNMENT
from attribution.sources.input.paths import STDIN
from attribution.sources.inputs import Inputs
from attribution.sources.registry import SKIPS, lacking

#: Share of flows with a named remote side below which a run ends with a next step.
_LITTLE = 0.5

#: The most likely cause of each reason, and what to do; of other reasons their own meaning.
_CAUSES = {
    "unknown": (
        "Nobody was seen at these addresses. Give heartbeats of the workloads there, and labels of other addresses."
    ),
    "silent": "Nobody was seen at these addresses of workloads. Give heartbeats of them.",
    "gap": (
        "Heartbeats are rarer than --max-gap trusts workloads to survive. Send one a minute. Or raise --max-gap and "
        "--hold, if no address comes to another workload sooner. Near the beginning and the end of a log, give also "
        "logs of the time before and after."
    ),
    "shared": "Workloads share these addresses by port. Give heartbeats with port and protocol of what listens there.",
    "conflict": (
        "Two workloads were seen at one address at once. Look for names that two sources spell differently, clocks "
        "that differ (--clock-tolerance), and addresses that workloads share (--shared-prefix)."
    ),
    "other_network": "The evidence is of other networks. Say networks with --network, or declare routes with --route.",
    "several_networks": "Routes lead to several networks that have the address. Give the routes prefixes.",
    "untimed": (
        "The records do not show when their traffic was. Look at the clock of what writes the log (--max-lag), and at "
        "exporters that send no times of flows (--active-timeout)."
    ),
    "too_old": "The flows are longer than evidence counts. Raise --retention.",
    "unpooled": "No policy is known for these addresses of pools. Give --policies.",
}
#: Of `conflict`, if most of the flows are long.
_LONG = (
    "The flows are long, and the addresses came from one workload to another while they lasted. Let the log cut its "
    "records after a minute, or log connections with their own start."
)
#: Of `unknown`, if nobody was seen at any of the addresses.
_ELSEWHERE = (
    "Nobody was seen at these addresses. All heartbeats are of other addresses. Give heartbeats of the workloads "
    "there, and labels of the rest. If a translator stands in between, give logs from behind it."
)
#: Reasons that say that evidence is missing.
_NOT_SEEN = ("unknown", "silent", "gap")


@dataclass(frozen=True)
class NextStep:
    """What to do next.

    Attributes:
        reason: the most frequent reason for which the remote sides of flows have no name; without flows that for which
            rows were skipped.
        share: the share of all flows with a named remote side.
        share_of_reason: the share of all flows, or of all skipped rows, with that reason.
        cause: the most likely cause, and what to do about it; sentences.
    """

    reason: str
    share: float
    share_of_reason: float
    cause: str


def next_step(summary: Summary) -> NextStep | None:
    """The next step after a run; None if most remote sides were named, or no row was a flow."""
    flows, share = summary.tally.flows, summary.share_attributed("remote")
    if not flows:
        return _all_skipped(summary)
    if share >= _LITTLE:
        return None
    open_sides = [
        (count, reason)
        for (side, reason), count in summary.tally.by_reason.items()
        if side == "remote" and METHOD_OF[reason] == "none"
    ]
    count, reason = max(open_sides)
    return NextStep(reason, share, count / flows, _cause(summary, reason))


def _all_skipped(summary: Summary) -> NextStep | None:
    """The next step if flow logs were read, and all of their rows were left out; None if there were no such rows."""
    skipped = Counter[str]()
    for (name, reason), rows in summary.ledger.skipped.items():
        if reason in SKIPS.get(name, {}):
            skipped[reason] += rows
    if not skipped:
        return None
    reason, count = skipped.most_common(1)[0]
    meaning = next(meanings[reason] for meanings in SKIPS.values() if reason in meanings)
    return NextStep(
        reason,
        0.0,
        count / skipped.total(),
        f"{meaning} Give logs of traffic that reached somebody, or of another time.",
    )


def _cause(summary: Summary, reason: str) -> str:
    if reason in _NOT_SEEN:
        missing = [(known, one) for known, one in lacking(summary.ledger) if one.needed]
        if missing:
            known, one = missing[0]
            return f"{known.name} logs have no {one.name}: {one.without}. {one.get}"
        if not _has_evidence(summary):
            return (
                "There is no evidence of who held an address. Give heartbeats: pod lists, leases, or sightings of your "
                "own."
            )
        if apart := _apart(summary):
            return apart
        others = [one for (side, one), rows in summary.tally.by_reason.items() if side == "remote" and rows]
        if others == ["unknown"] and summary.heard_us is not None:
            return _ELSEWHERE
    if reason == "conflict" and 2 * summary.tally.long_conflicts > summary.tally.by_reason["remote", reason]:
        return _LONG
    return _CAUSES.get(reason, REASONS[reason])


def _has_evidence(summary: Summary) -> bool:
    events = any(rows for (kind, _), rows in summary.ledger.rows.items() if kind == ASSIGNMENT)
    return events or summary.heard_us is not None


def _apart(summary: Summary) -> str:
    """How flows and heartbeats lie in time, if neither reaches into the other; else empty."""
    heard, first, last = summary.heard_us, summary.tally.first, summary.tally.last
    if heard is None or first is None or last is None or (heard[0] <= last and first <= heard[1]):
        return ""
    return (
        f"The flows start from {_time(first)} to {_time(last)}, but the heartbeats are from {_time(heard[0])} to "
        f"{_time(heard[1])} (UTC). Give heartbeats of the same time, and look at clocks and time zones."
    )


def _time(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds / SECOND, UTC):%Y-%m-%d %H:%M:%S}"


def inspect_command(inputs: Inputs) -> list[str]:
    """The words of the `attribution inspect` command for the inputs of a run.

    >>> inspect_command(Inputs(flows=["-odd.log"], heartbeats=["beats"]))
    ['attribution', 'inspect', './-odd.log', 'beats']
    """
    paths = [
        f"./{path}" if str(path).startswith("-") and str(path) != STDIN else str(path)
        for _, given, _ in inputs.sources()
        for path in given
    ]
    return ["attribution", "inspect", *dict.fromkeys(paths), *inputs.options_by_path()]
