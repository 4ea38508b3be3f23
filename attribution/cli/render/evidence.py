"""Tables of evidence, as `whois` and `explain` show it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attribution.cli.render.output import Column, Section
from attribution.query.explain.address_evidence import AssignmentEvent
from attribution.query.explain.far_end import FarEnd
from attribution.query.explain.findings import Witness
from attribution.query.explain.path import PathStep
from attribution.query.lake.protocols import port_name
from attribution.query.lake.times import format_moment
from attribution.query.lake.zones import ZONE

#: Shown only if a row names a network, as `evidence_section` does.
NETWORK = Column(name="network")
ASSIGNMENTS = (
    NETWORK,
    Column(name="time", kind="time"),
    Column(name="action"),
    Column(name="owner"),
    Column(name="service"),
    Column(name="kind", rank=1),
    Column(name="port", rank=2),
)
LABELS = (
    NETWORK,
    Column(name="prefix"),
    Column(name="service"),
    Column(name="kind", rank=1),
    Column(name="region", rank=1),
)
_WITNESSES = (
    Column(name="workload"),
    Column(name="service", rank=2),
    Column(name="port", rank=3),
    Column(name="seen", kind="prose"),
    Column(name="longest_gap", kind="span", rank=4),
    Column(name="finding", kind="prose"),
)
_PATH = (Column(name="asked", kind="prose"), Column(name="result"), Column(name="meaning", kind="prose"))
_REPORTS = (
    Column(name="end"),
    Column(name="workload"),
    Column(name="seen", kind="prose"),
    Column(name="bytes_sent", title="sent", kind="bytes", rank=1),
    Column(name="bytes_received", title="received", kind="bytes", rank=1),
    Column(name="observer", rank=2),
    Column(name="flow", rank=4),
    Column(name="finding", kind="prose"),
)
#: Others to show: who is further away says little about the answer.
_OTHERS = 10


def evidence_section(columns: Sequence[Column], rows: Sequence[Mapping[str, object]], title: str) -> Section:
    """A table of evidence; the column `NETWORK` is left out if no row names a network."""
    named = any(row.get(NETWORK.name) is not None for row in rows)
    return Section(columns=[one for one in columns if named or one is not NETWORK], rows=rows, title=title)


def assignment_rows(events: Sequence[AssignmentEvent]) -> list[dict[str, object]]:
    """Assignment events as rows of a table of `ASSIGNMENTS`."""
    return [vars(event) | {"port": port_name(event.port, event.protocol)} for event in events]


def path_sections(path: Sequence[PathStep]) -> list[Section]:
    """What was asked in turn, where it was more than the log."""
    rows = [vars(step) for step in path]
    return [Section(columns=_PATH, rows=rows, title="Path")] if len(rows) > 1 else []


def witness_sections(witnesses: Sequence[Witness]) -> list[Section]:
    """Who decided, and who else held the address and why it was not they."""
    sections = []
    for role, title in (("decided", "Evidence"), ("other", "Others who held the address")):
        found = [witness for witness in witnesses if witness.role == role]
        shown = found if role == "decided" else found[:_OTHERS]
        rows = [vars(one) | {"seen": seen_from_to(one), "port": _port(one)} for one in shown]
        columns = [
            column for column in _WITNESSES if column.name != "port" or any(one.port is not None for one in shown)
        ]
        note = f"and {len(found) - len(shown)} more, further away" if len(found) > len(shown) else ""
        if rows:
            sections.append(Section(columns=columns, rows=rows, title=title, note=note))
    return sections


def _port(one: Witness) -> str | None:
    """The port of a range, and what connections have to do with it."""
    name = port_name(one.port, one.protocol, one.last_port)
    marked = {"shown": "opened", "balanced": "balanced"}.get(one.claim or "")
    return f"{name} ({marked})" if marked else name


def far_end_sections(far_end: FarEnd | None) -> list[Section]:
    """The reports of the far end, and those that make it uncertain whose they are."""
    if far_end is None or not far_end.reports:
        return []
    shown = far_end.reports[:_OTHERS]
    rows = [vars(one) | {"end": f"{one.end} end", "seen": _exactly(one.began, one.ended)} for one in shown]
    rest = len(far_end.reports) - len(shown)
    note = f"and {rest} more, further away" if rest else ""
    return [Section(columns=_REPORTS, rows=rows, title="Reports of both ends", note=note)]


def _exactly(start: datetime, end: datetime) -> str:
    """From when to when, to the millisecond: connections of one port may be moments apart."""
    return f"{_to_the_millisecond(start)} to {_to_the_millisecond(end)}"


def _to_the_millisecond(moment: datetime) -> str:
    return f"{format_moment(moment, '%H:%M:%S')}.{moment.microsecond // 1000:03}"


def seen_from_to(one: Witness) -> str:
    """From when to when, as short as it is clear beside the flow: the year is that of the flow."""
    start, end = (moment.astimezone(ZONE.get()) for moment in (one.start, one.end))
    form = "%H:%M:%S" if end.date() == start.date() else "%m-%d %H:%M:%S"
    return f"{format_moment(start, '%m-%d %H:%M:%S')} to {format_moment(end, form)}"
