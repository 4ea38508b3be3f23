"""What logs hold, as `inspect` writes it for programs."""

from attribution.core.question import SIDES
from attribution.inspection import Inspection
from attribution.inspection.coverage import Coverage
from attribution.inspection.distinct import DistinctRows
from attribution.query.lake.times import from_microseconds
from attribution.records import BY_NAME
from attribution.schema import FLOW


def file_rows(found: Inspection) -> list[dict[str, object]]:
    """One row a file."""
    return [
        {
            "file": file.name,
            "format": file.format,
            "wrapping": file.wrapping or None,
            "read": dict(sorted(file.read.items())),
            "skipped": dict(sorted(file.skipped.items())),
            "rejected": dict(sorted(file.rejected.items())),
            "trouble": file.trouble or None,
            "same_as": file.same_as or None,
            "whole": file.whole,
            "option": BY_NAME[file.given_as].option if file.given_as else None,
        }
        for file in found.files
    ]


def as_json(found: Inspection) -> dict[str, object]:
    """The inspection for programs."""
    flows = found.flows
    return {
        "files": file_rows(found),
        "flows": {
            "rows": flows.rows,
            "first": from_microseconds(flows.times.first),
            "last": from_microseconds(flows.times.last),
            "gaps": [[from_microseconds(begin), from_microseconds(end)] for begin, end in flows.times.gaps()],
            "local_workload_named": flows.captured,
            "windows": flows.windows,
            "longest_window_us": flows.longest_window_us,
            "sampling_rate_unknown": flows.rate_unknown,
            "exports": flows.exports,
            "received_late": flows.late,
            "received_early": flows.early,
            "observers": flows.observers.count,
            "networks": {side: _counted(flows.places[side], "network") for side in SIDES},
            "addresses": {side: _coverage(found.covered[side]) for side in SIDES},
        },
        "evidence": evidence_rows(found),
        "findings": [
            {"code": one.code, "text": one.text, "items": list(one.items), "advice": one.advice, "page": one.path}
            for one in found.findings
        ],
        "command": found.command,
    }


def _counted(rows: DistinctRows, name: str) -> list[dict[str, object]]:
    return [{"name": value, "flows": count} for value, count in rows.top(name)]


def _coverage(one: Coverage) -> dict[str, object]:
    return {
        "addresses": one.addresses,
        "with_evidence": one.with_evidence,
        "flows": one.flows,
        "flows_with_evidence": one.flows_with_evidence,
        "elsewhere": [
            {"network": asked, "evidence_in": there, "addresses": count}
            for (asked, there), count in one.elsewhere.most_common()
        ],
        "estimated": one.about,
    }


def evidence_rows(found: Inspection) -> list[dict[str, object]]:
    """One row for each kind of evidence."""
    return [
        {
            "evidence": "flows that name their workload" if kind == FLOW else BY_NAME[kind].plural.replace("_", " "),
            "records": one.rows,
            "addresses": one.addresses,
            "names": one.names.count,
            "networks": [name for name, _ in one.sightings.top("network")],
            "first": from_microseconds(one.times.first),
            "last": from_microseconds(one.times.last),
        }
        for kind, one in sorted(found.evidence.kinds.items(), key=lambda item: list(BY_NAME).index(item[0]))
    ]
