"""An edge of the graph, explained: how its flows were answered for, and who else held its addresses."""

from dataclasses import replace

from attribution.cli.render.evidence import NETWORK, evidence_section
from attribution.cli.render.measures import counted, format_count
from attribution.cli.render.output import Column, Output, Section
from attribution.core.reasons import REASONS
from attribution.query.explain.edge import EdgeExplanation

_PARTS = (
    Column(name="source", title="client end"),
    Column(name="target", title="server end"),
    Column(name="records", kind="count"),
    Column(name="flows", title="that count", kind="count"),
    Column(name="bytes", kind="bytes", rank=1),
    Column(name="source_distance", title="oldest (client)", kind="span", rank=1),
    Column(name="target_distance", title="oldest (server)", kind="span", rank=1),
    Column(name="first_seen", kind="time", rank=3),
    Column(name="last_seen", kind="time", rank=2),
)
_EXAMPLES = (
    Column(name="ends", rank=3),
    Column(name="flow", kind="prose"),
    Column(name="source_workload", title="client workload", rank=2),
    Column(name="target_workload", title="server workload", rank=1),
)
_ALTERNATIVES = (
    NETWORK,
    Column(name="address"),
    Column(name="side", rank=3),
    Column(name="workload"),
    Column(name="service", rank=1),
    Column(name="away", title="from nearest flow", kind="span"),
    Column(name="near_flows", title="flows within max_gap", kind="count", rank=2),
)


def write_edge(found: EdgeExplanation, output: Output, *, asked: str = "") -> None:
    """Write the explanation of an edge in the chosen format; what `asked` says of the window stands first."""
    if output.format == "json":
        output.json(found.to_dict())
        return
    if output.format == "csv":
        rows = [part.to_dict() | {"examples": [example.flow for example in part.examples]} for part in found.parts]
        output.csv(list(rows[0]), rows)
        return
    records, flows = (sum(getattr(part, name) for part in found.parts) for name in ("records", "flows"))
    head = f"{found.source} → {found.target}: {counted(records, 'flow record')}"
    if flows != records:
        head += f", of which {format_count(flows)} count: others report the traffic of the rest"
    parts = [
        vars(part)
        | {
            "source": f"{part.source_method}, {part.source_reason}",
            "target": f"{part.target_method}, {part.target_reason}",
        }
        for part in found.parts
    ]
    reasons = dict.fromkeys(reason for part in found.parts for reason in (part.source_reason, part.target_reason))
    examples = [
        vars(example) | {"ends": f"{part.source_reason}, {part.target_reason}"}
        for part in found.parts
        for example in part.examples
    ]
    rest = found.alternative_count - len(found.alternatives)
    note = f"and {format_count(rest)} more, further away" if rest else ""
    others = [vars(alternative) for alternative in found.alternatives]
    output.document([
        *filter(None, [asked]),
        head,
        Section(columns=_PARTS, rows=parts, title="How both ends were answered for"),
        "\n".join(f"{reason}: {REASONS[reason]}" for reason in reasons),
        Section(columns=_EXAMPLES, rows=examples, title="Examples, oldest evidence first (--flow tells more)"),
        replace(evidence_section(_ALTERNATIVES, others, "Others who held these addresses within a day"), note=note)
        if others
        else "\nNobody else held these addresses within a day of the flows.",
    ])  # fmt: skip
