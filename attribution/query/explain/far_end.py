"""What the reports of both ends of a connection say of its remote workload, in words.

The rule is the core's (`core.both_ends`). Here it is asked again over the flows that the lake has between the same two
ends. Each of these flows says why it is a report of this connection, or why it is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa

from attribution.config import Settings
from attribution.core.flow_evidence.both_ends import LENGTHS, Likeness, Reports, likeness
from attribution.core.flow_evidence.reports import MIRRORED, is_report, reports_of
from attribution.query.explain.flow_selector import flow_key
from attribution.query.explain.verdict import Verdict, asked_end
from attribution.query.lake.flows import WINDOWED
from attribution.query.lake.query import Query
from attribution.query.lake.session import LakeSession, Row
from attribution.query.lake.times import format_span, from_microseconds, to_microseconds
from attribution.query.lake.window import Window
from attribution.schema import ATTRIBUTED_FLOW, arrow_schema

_REPORTS = Query(__package__, "reports_of_ends", standing_on=(WINDOWED,))
#: Flows that are compared, those that start nearest first.
_COMPARED = 1000
#: Where heartbeats leave a side open.
_OPEN = ("gap", "shared")
_TIMES = ("start", "end")
_COUNTS = ("bytes_sent", "bytes_received", "packets_sent", "packets_received")

#: What the reports say.
Outcome = Literal["named", "conflict", "missed", "third", "unfit", "absent", "no_report"]
_MEANINGS: dict[Outcome, str] = {
    "named": "The far end reported this connection. No third report fits, and nothing speaks against its workload.",
    "conflict": "The far end reported this connection, but another workload was seen at the address then.",
    "missed": (
        "By the flows of the lake the far end decides, but the run did not know that. An older version wrote the lake, "
        "or a report came too late. Replay the logs."
    ),
    "third": "A third report fits as well, so it is not certain which reports are of this connection.",
    "unfit": "The lake has flows of the far end, but none of them is surely of this connection.",
    "absent": "The lake has no flow that the far end reported between the same addresses and ports around then.",
    "no_report": "Only connections that were captured here, without a lag and with both ports, are compared.",
}


@dataclass(frozen=True, kw_only=True)
class EndReport:
    """One flow between the same ends.

    Attributes:
        end: `near` if it is of the same end as the explained flow, `far` if it is of the other end.
        flow: what `flow_selector.parse_flow` takes.
        fits: whether it is of the explained connection, as far as the two alone can tell.
        finding: why, or why not.
    """

    end: Literal["near", "far"]
    flow: str
    workload: str | None
    service: str | None
    observer: str | None
    began: datetime
    ended: datetime
    bytes_sent: int | None
    bytes_received: int | None
    packets_sent: int | None
    packets_received: int | None
    fits: bool
    finding: str


@dataclass(frozen=True, kw_only=True)
class FarEnd:
    """What the reports of both ends say of the remote side, if heartbeats leave it open.

    Attributes:
        outcome: `named` or `conflict` if the far end decided, and `missed` if it should have. Otherwise `third` (more
            reports than two fit), `unfit` (flows of the far end do not fit), `absent` (there are none) or `no_report`
            (the explained flow is none).
        workload, service: who the far end says that it is; None where no report is certain.
        against: who else was seen at the address in the asked interval.
        reports: flows of the far end, and third reports of this end that fit as well; those that fit first.
    """

    outcome: Outcome
    workload: str | None = None
    service: str | None = None
    against: tuple[str, ...] = ()
    reports: tuple[EndReport, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether the answer rests on the far end."""
        return self.outcome in ("named", "conflict")

    def answer(self, verdict: Verdict) -> tuple[str | None, str | None, str]:
        """Workload, service and reason, if heartbeats and what else is known give this verdict."""
        if not self.decided:
            return verdict.workload, verdict.service, verdict.reason
        return (None, None, "conflict") if self.against else (self.workload, self.service, "both_ends")

    @property
    def meaning(self) -> str:
        """The outcome in a sentence."""
        return _MEANINGS[self.outcome]

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**vars(self), "meaning": self.meaning, "reports": [vars(one) for one in self.reports]}


def far_end_of(session: LakeSession, flow: Row, verdict: Verdict) -> FarEnd | None:
    """What the reports of both ends say; None where heartbeats decide, and where the question does not arise.

    Args:
        session: the lake.
        flow: a row of `schemas/attributed_flow.avsc`; start and end are times or microseconds.
        verdict: what the rules make of the lake's evidence of its remote side.

    Raises:
        LakeError: the lake cannot be read.
    """
    answer, settings = verdict.ownership, session.settings
    if verdict.pooled or answer.reason not in _OPEN:
        return None
    flows = _between_the_ends(session, flow)
    asked = reports_of(_batch([flow]), settings)
    if asked.num_rows == 0:
        far = tuple(_far_flows(flows, flow, settings, None))
        return FarEnd(outcome="no_report", reports=far) if far else None
    reports = Reports(pa.Table.from_batches([reports_of(_batch(flows), settings)]), settings)
    place = reports.far_report_of(asked)
    far = tuple(sorted(_far_flows(flows, flow, settings, asked), key=lambda one: not one.fits))
    if place[0] < 0:
        fitting = [one for one in far if one.fits]
        thirds = tuple(_thirds(flows, flow, settings, asked)) if len(fitting) == 1 else ()
        outcome: Outcome = "third" if fitting else "unfit" if far else "absent"
        return FarEnd(outcome=outcome, reports=(*far, *thirds))
    (named,) = reports.take(place).to_pylist()
    # On the asked keys, the ranges of an answer that is `gap` are those that touch the asked interval.
    touching = {one.workload for one in answer.evidence} if answer.reason == "gap" else set()
    against = tuple(sorted(touching - {named["workload"]}))
    known = flow["remote_reason"] in ("both_ends", "conflict")
    return FarEnd(
        outcome=("conflict" if against else "named") if known else "missed",
        workload=named["workload"],
        service=named["service"],
        against=against,
        reports=far,
    )


def _between_the_ends(session: LakeSession, flow: Row) -> list[Row]:
    """The flows between the ends of a flow, from either end, those that start nearest first."""
    hold = timedelta(microseconds=session.settings.hold)
    first, last = (from_microseconds(flow[name]) if isinstance(flow[name], int) else flow[name] for name in _TIMES)
    address, port = _near_end(flow)
    far_address, far_port = asked_end(flow, "remote")
    return session.ask(
        _REPORTS,
        **Window(first - hold, last + hold).parameters(),
        protocol=flow["protocol"],
        address=address,
        port=port,
        far_address=far_address,
        far_port=far_port,
        start=to_microseconds(first),
        limit=_COMPARED,
    )


def _batch(flows: Sequence[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([*flows], schema=arrow_schema(ATTRIBUTED_FLOW))


def _far_flows(
    flows: Sequence[Row], flow: Row, settings: Settings, asked: pa.RecordBatch | None
) -> Iterator[EndReport]:
    """The flows of the far end, each with why it is of the flow's connection or not; alike ones once."""
    address, port = asked_end(flow, "remote")
    known = set()
    for one in flows:
        if _near_end(one) != (address, port):
            continue
        made = _end_report(one, "far", *_finding(one, settings, asked))
        if made not in known:
            known.add(made)
            yield made


def _thirds(flows: Sequence[Row], flow: Row, settings: Settings, asked: pa.RecordBatch) -> Iterator[EndReport]:
    """The flows of the flow's own end that fit the one far report that fits the flow, without the flow itself."""
    address, port = asked_end(flow, "remote")
    batches = [(one, reports_of(_batch([one]), settings)) for one in flows]
    far = next(
        batch for one, batch in batches
        if _near_end(one) == (address, port) and batch.num_rows and _misfit(asked, batch, settings) is None
    )  # fmt: skip
    for one, batch in batches:
        another = batch.num_rows and batch.column("own")[0] == asked.column("own")[0] and not batch.equals(asked)
        if another and _misfit(batch, far, settings) is None:
            yield _end_report(one, "near", True, "has the ends of this flow, and fits the report of the far end, too")


def _finding(one: Row, settings: Settings, asked: pa.RecordBatch | None) -> tuple[bool, str]:
    """Whether a flow of the far end fits the asked report, and why or why not."""
    if one["local_method"] != "capture":
        return False, "its own workload was not captured, so it can name nobody"
    if one["basis"] != "connection":
        return False, f"is no connection but of basis {one['basis']}"
    batch = _batch([one])
    if not is_report(batch, settings)[0]:
        return False, "was received late, so its clock may be wrong"
    if asked is None:
        return False, "is a report, but the explained flow is none"
    report = reports_of(batch, settings)
    misfit = _misfit(asked, report, settings)
    if misfit is not None:
        return False, misfit
    alike, equal = likeness(asked, report)
    shared = int(alike.shared[0])
    counters = ", and its counters are equal" if equal[0] else ""
    return True, f"overlaps this flow by {format_span(shared)}{counters}"


def _misfit(asked: pa.RecordBatch, report: pa.RecordBatch, settings: Settings) -> str | None:
    """Why a report of the far end is not surely of the asked report's connection; None if it is."""
    if report.column("own")[0] != asked.column("mirror")[0]:
        return "is of another network"
    alike, equal = likeness(asked, report)
    if alike.fits(equal, settings)[0]:
        return None
    unlike = _unlike(alike, asked, settings)
    if unlike is None and equal[0] and alike.shared[0] >= 0:
        lengths, most = int(alike.lengths_apart[0]), settings.clock_tolerance // LENGTHS
        return f"lasted {format_span(lengths)} longer or shorter, and short reports must agree to {format_span(most)}"
    return unlike or _too_short(int(alike.shared[0]), asked, report, settings)


def _unlike(alike: Likeness, asked: pa.RecordBatch, settings: Settings) -> str | None:
    """Why a report did not begin and end close to the asked report; None if it did."""
    starts, ends = int(alike.starts_apart[0]), int(alike.ends_apart[0])
    tolerance, slack = settings.clock_tolerance, settings.hold // 2
    if alike.one_way[0]:
        done = "accepted" if asked.column("direction")[0].as_py() == "ingress" else "opened"
        return f"both ends say that they {done} it, so these are two connections"
    if starts > tolerance:
        return f"began {format_span(starts)} apart, which is more than clock_tolerance ({format_span(tolerance)})"
    if ends > slack:
        return f"ended {format_span(ends)} apart, which is more than half of hold ({format_span(slack)})"
    return None


def _too_short(shared: int, asked: pa.RecordBatch, report: pa.RecordBatch, settings: Settings) -> str:
    """Why a report that is close to the asked report is not surely of its connection."""
    if shared < 0:
        return f"was at another time: {format_span(-shared)} lie between the two"
    tolerance = format_span(settings.clock_tolerance)
    counters = _counters(asked, report)
    return f"overlaps by {format_span(shared)} only, not more than clock_tolerance ({tolerance}), and its {counters}"


def _counters(asked: pa.RecordBatch, report: pa.RecordBatch) -> str:
    """Why counters are not equal."""
    both = [(name, asked.column(name)[0].as_py(), report.column(other)[0].as_py()) for name, other in MIRRORED.items()]
    if any(name.startswith("bytes") and None in (ours, theirs) for name, ours, theirs in both):
        return "counters are not all known"
    for name, ours, theirs in both:
        if None not in (ours, theirs) and ours != theirs:
            unit, way = name.split("_")
            other = "received" if way == "sent" else "sent"
            return f"counters differ: {unit} {way} here {ours}, {other} there {theirs}"
    return "counters are all 0"


def _near_end(flow: Row) -> tuple[str, int | None]:
    """The local end of a flow as the wire shows it."""
    end = "local" if flow["wire_address"] is None else "wire"
    return flow[f"{end}_address"], flow[f"{end}_port"]


def _end_report(flow: Row, end: Literal["near", "far"], fits: bool, finding: str) -> EndReport:  # noqa: FBT001
    plain = {name: flow[name] for name in ("observer", *_COUNTS)}
    return EndReport(
        end=end,
        flow=flow_key(flow),
        workload=flow["local_workload"],
        service=flow["local_service"],
        began=from_microseconds(flow["start"]),
        ended=from_microseconds(flow["end"]),
        fits=fits,
        finding=finding,
        **plain,
    )
