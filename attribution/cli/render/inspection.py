"""What logs hold, as `inspect` shows it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attribution.cli.render.inspection_rows import evidence_rows
from attribution.cli.render.measures import counted, format_share, visible
from attribution.cli.render.next_commands import command_line
from attribution.cli.render.output import Column, Section
from attribution.core.question import SIDES
from attribution.inspection import Inspection
from attribution.inspection.coverage import Coverage
from attribution.inspection.distinct import DistinctRows
from attribution.inspection.log_file import LogFile
from attribution.query.lake.times import format_moment, format_span, from_microseconds
from attribution.query.lake.zones import zone_name
from attribution.records import BY_NAME
from attribution.sources.records.model import ANY_FORMAT
from attribution.sources.records.rejects import REASONS
from attribution.sources.registry import SKIPS

#: Files that are listed one by one, names of observers and networks, and errors.
_LISTED_FILES, _LISTED_NAMES, _LISTED_TROUBLES = 20, 3, 3
_FOUND = 100

_FILES = (
    Column(name="file"),
    Column(name="format"),
    Column(name="holds", kind="prose"),
    Column(name="skipped", kind="count"),
    Column(name="rejected", kind="count"),
)
_LEFT_OUT = (
    Column(name="left_out"),
    Column(name="reason"),
    Column(name="format"),
    Column(name="rows", kind="count"),
    Column(name="meaning", kind="prose"),
)
_SIDES = (
    Column(name="side"),
    Column(name="addresses", kind="count"),
    Column(name="with_evidence", kind="count"),
    Column(name="flows", kind="count"),
    Column(name="flows_with_evidence", kind="count", title="with evidence"),
    Column(name="share", kind="share"),
)
_EVIDENCE = (
    Column(name="evidence"),
    Column(name="records", kind="count"),
    Column(name="addresses", kind="count"),
    Column(name="names", kind="count"),
    Column(name="networks", rank=1),
    Column(name="first", kind="time"),
    Column(name="last", kind="time"),
)


def as_document(found: Inspection) -> Iterator[Section | str]:
    """The inspection for people."""
    yield _files(found.files)
    yield from _left_out(found.files)
    if found.flows.rows:
        rows = [{"side": side, **_side(found.covered[side])} for side in SIDES]
        yield from _about_flows(found)
        note = "Numbers of addresses are estimates." if any(one.about for one in found.covered.values()) else ""
        yield Section(columns=_SIDES, rows=rows, note=note)
    if evidence := evidence_rows(found):
        shown = [row | {"networks": _listed(row["networks"])} for row in evidence]
        yield Section(columns=_EVIDENCE, rows=shown, title="Evidence")
    if found.findings:
        yield "\nFindings"
        for number, one in enumerate(found.findings, 1):
            yield visible(f"{number}. {one.text}")
            yield from (visible(f"   - {item}") for item in one.items)
            yield visible(f"   {one.advice} See {one.path}.")
    if found.command:
        yield "\nTo attribute the flows:"
        yield command_line(found.command)


def _files(files: Sequence[LogFile]) -> Section:
    rows: list[dict[str, object]] = [
        {
            "file": file.name,
            "format": file.format,
            "holds": _holds(file),
            "skipped": file.skipped.total(),
            "rejected": file.rejected.total(),
        }
        for file in files
    ]
    if len(files) > _LISTED_FILES:
        rows = _together(files)
    troubles = [visible(file.trouble) for file in files if file.trouble]
    notes = troubles[:_LISTED_TROUBLES]
    if len(troubles) > _LISTED_TROUBLES:
        notes.append(f"So are {len(troubles) - _LISTED_TROUBLES:,} more.")
    partly = sum(not file.whole for file in files)
    if partly:
        notes.append(f"Of {counted(partly, 'file')} only the first rows were read (--rows).")
    return Section(columns=_FILES, rows=rows, title=counted(len(files), "file"), note="\n".join(notes))


def _together(files: Sequence[LogFile]) -> list[dict[str, object]]:
    """One row for all files of one format that hold the same kinds of records."""
    alike: dict[tuple[str | None, str | None], list[LogFile]] = {}
    for file in files:
        alike.setdefault((file.format, file.given_as), []).append(file)
    return [
        {
            "file": f"{counted(len(group), 'file')}, as {group[0].name}",
            "format": name,
            "holds": _records(sum((file.read for file in group), start=Counter())) if name else _holds(group[0]),
            "skipped": sum(file.skipped.total() for file in group),
            "rejected": sum(file.rejected.total() for file in group),
        }
        for (name, _), group in alike.items()
    ]


def _holds(file: LogFile) -> str:
    if file.same_as:
        return f"the same as {file.same_as}"
    if file.trouble and not file.read:
        return "cannot be read"
    return _records(file.read) + (f", in {file.wrapping}" if file.wrapping else "")


def _records(read: Mapping[str, int]) -> str:
    parts = [
        counted(rows, BY_NAME[kind].name.replace("_", " "), BY_NAME[kind].plural.replace("_", " "))
        for kind, rows in read.items()
    ]
    return ", ".join(parts) or "no records"


def _left_out(files: Sequence[LogFile]) -> Iterator[Section]:
    skipped: Counter[tuple[str | None, str]] = Counter()
    rejected: Counter[tuple[str | None, str]] = Counter()
    firsts: dict[str, str] = {}
    for file in files:
        skipped.update({(file.format, reason): rows for reason, rows in file.skipped.items()})
        if file.readable:
            rejected.update({(file.format, reason): rows for reason, rows in file.rejected.items()})
        for reason, one in file.first_rejects.items():
            if file.readable:
                firsts.setdefault(reason, f"First {reason}: line {one.line} of {one.source}: {one.found[:_FOUND]}")
    rows = [
        {"left_out": how, "reason": reason, "format": name, "rows": count, "meaning": _meaning(name, reason)}
        for how, counts in (("rejected", rejected), ("skipped", skipped))
        for (name, reason), count in counts.most_common()
    ]
    if rows:
        yield Section(columns=_LEFT_OUT, rows=rows, title="Left out", note="\n".join(firsts.values()))


def _meaning(name: str | None, reason: str) -> str | None:
    return SKIPS.get(name or "", {}).get(reason) or ANY_FORMAT.get(reason) or REASONS.get(reason)


def _about_flows(found: Inspection) -> Iterator[str]:
    flows = found.flows
    first, last = from_microseconds(flows.times.first), from_microseconds(flows.times.last)
    yield "\nFlows"
    if first is not None and last is not None:
        length = format_span((flows.times.last or 0) - (flows.times.first or 0))
        seen = f"from {format_moment(first)} to {format_moment(last)} {zone_name()}"
        yield f"{counted(flows.rows, 'flow')} {seen} ({length})"
    networks = {side: _tops(flows.places[side], "network", flows.rows) for side in SIDES}
    if networks["local"] == networks["remote"]:
        yield f"networks: {networks['local']}"
    else:
        yield from (f"{side} networks: {text}" for side, text in networks.items())
    yield f"observers: {_tops(flows.observers, 'observer', flows.rows)}"
    yield f"local workload named: {format_share(flows.captured, flows.rows)}"
    if flows.windows:
        share = format_share(flows.windows, flows.rows)
        yield f"windows: {share} of the flows, the longest {format_span(flows.longest_window_us)}"


def _tops(rows: DistinctRows, name: str, total: int) -> str:
    """The values with most flows, each with its share."""
    top = rows.top(name)
    if [value for value, _ in top] == [None]:
        return "none named"
    parts = [f"{visible(value or 'not named')} {format_share(count, total)}" for value, count in top[:_LISTED_NAMES]]
    more = [f"{len(top) - _LISTED_NAMES:,} more"] if len(top) > _LISTED_NAMES else []
    return ", ".join([*parts, *more])


def _side(one: Coverage) -> dict[str, object]:
    return {
        "addresses": one.addresses,
        "with_evidence": one.with_evidence,
        "flows": one.flows,
        "flows_with_evidence": one.flows_with_evidence,
        "share": one.flows_with_evidence / one.flows if one.flows else None,
    }


def _listed(found: object) -> str:
    names = [name or "-" for name in found] if isinstance(found, list) else []
    more = [f"{len(names) - _LISTED_NAMES:,} more"] if len(names) > _LISTED_NAMES else []
    return ", ".join([*names[:_LISTED_NAMES], *more])
