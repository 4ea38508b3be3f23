"""`attribution explain`: why a flow or an edge was attributed as it was."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from attribution.cli.options.selection import counted_back, lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.evidence import (
    ASSIGNMENTS,
    LABELS,
    assignment_rows,
    evidence_section,
    far_end_sections,
    path_sections,
    witness_sections,
)
from attribution.cli.render.explained_edge import write_edge
from attribution.cli.render.measures import format_bytes, format_count
from attribution.cli.render.networks import network_lines, network_sections
from attribution.cli.render.output import Output, Section, output_options
from attribution.core.reasons import CLOSED, HOSTNAME_REASONS
from attribution.query.explain.edge import explain_edge
from attribution.query.explain.findings import Witness
from attribution.query.explain.flow import FlowExplanation, SideExplanation, explain_flow
from attribution.query.explain.flow_selector import flow_key, parse_flow, selector
from attribution.query.explain.path import held_name
from attribution.query.explain.verdict import Verdict
from attribution.query.lake.protocols import port_name, protocol_name
from attribution.query.lake.selection import EVERY_FLOW, Selection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_moment, format_span
from attribution.query.lake.zones import zone_name
from attribution.query.pools.policy_records import POLICY_STATES

#: Reasons that assignment events and labels decide, or would.
_ANSWERED_WITHOUT_EVIDENCE = ("assigned", "assignment_change", "prefix", "unknown", "silent", *CLOSED)


@click.command(name="explain")
@lake_argument
@click.option(
    "--flow",
    "flow_text",
    metavar="LOCAL,REMOTE,START",
    help="Explain this flow: both addresses with or without :PORT, and the start.",
)
@click.option("--local", metavar="ADDRESS[:PORT]", help="Explain the flow with this local endpoint.")
@click.option("--remote", metavar="ADDRESS[:PORT]", help="Explain the flow with this remote endpoint.")
@click.option(
    "--start",
    metavar="TIME",
    help="Explain the flow with this start, as exact as you know it: 10:00:05 is any time in that second.",
)
@click.option(
    "--network",
    metavar="NAME",
    help="Explain the flow that was seen in this network; - is a flow that does not say the network.",
)
@click.option(
    "--edge", nargs=2, metavar="CLIENT SERVER", help="Explain this edge. The ends are called as in the graph."
)
@click.option(
    "--examples",
    metavar="N",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="With --edge: how many flows to show for each method and reason.",
)
@selection_options()
@timezone_option
@output_options()
def command(
    *,
    lake: Path,
    flow_text: str | None,
    local: str | None,
    remote: str | None,
    start: str | None,
    network: str | None,
    edge: tuple[str, str] | None,
    examples: int,
    selection: Selection,
    output: Output,
) -> None:
    r"""Show why a flow or an edge was attributed as it was.

    For a flow, the command says which rule gave the answer of each side. It also shows the evidence behind the answer,
    how old the evidence is, who else held the address, and why the answer is not that workload. If the evidence is
    another network's, the command says whose, and which option would let it answer.

    If heartbeats leave the remote side open, the command shows what the far end reported, and why that is the same
    connection, or why it is not. If the record does not show when it was, the command says what to set.

    For an edge, the command counts the flow records by method and reason, with examples. It also shows who else held
    the addresses of the edge. Filters choose the flows of an edge.

    \b
    Examples:
      attribution explain lake --flow 10.0.0.5:40112,10.0.0.9:443,2026-01-05T12:00:00Z
      attribution explain lake --remote 10.0.0.9 --start 2026-01-05T12:00
      attribution explain lake --edge checkout payments --window -1h..
      attribution explain lake --edge checkout '(unattributed: gap)' --format json
    """
    pointed = [local, remote, start]
    ways = (flow_text is not None) + any(text is not None for text in pointed) + (edge is not None)
    if ways != 1:
        raise click.UsageError("Say one thing to explain: --flow, or --local, --remote and --start, or --edge.")
    if edge is not None and network is not None:
        raise click.UsageError("--network chooses a flow: use it without --edge.")
    if edge is None and selection != EVERY_FLOW:
        raise click.UsageError("Filters choose the flows of an edge: use them with --edge.")
    with LakeSession(lake) as session:
        if edge is not None:
            say_unknown_names(session, selection, empty=True)
            asked = counted_back(session, selection.window)
            write_edge(explain_edge(session, *edge, selection, examples=examples), output, asked=asked)
            return
        last = session.last_start()
        if flow_text is not None:
            which = parse_flow(flow_text, last=last)
        else:
            which = selector(local=local, remote=remote, start=start, last=last)
        _write_flow(explain_flow(session, replace(which, network=network)), output)


def _write_flow(found: FlowExplanation, output: Output) -> None:
    if output.format == "json":
        output.json(found.to_dict())
    elif output.format == "csv":
        rows = [_witness_row(side, witness) for side in (found.local, found.remote) for witness in side.witnesses]
        output.csv(["side", "address", *Witness.__dataclass_fields__], rows)
    else:
        sides = (part for side in (found.local, found.remote) for part in _side(side, found.flow))
        output.document([_flow_head(found), *sides])


def _witness_row(side: SideExplanation, witness: Witness) -> dict[str, object]:
    return {"side": side.side, "address": side.address, **vars(witness)}


def _flow_head(found: FlowExplanation) -> str:
    flow = found.flow
    traffic = [
        f"{format_bytes(flow[name])} {name.removeprefix('bytes_')}"
        for name in ("bytes_sent", "bytes_received")
        if flow[name] is not None
    ]
    facts = [flow["basis"], protocol_name(flow["protocol"]), flow["direction"], *traffic]
    logged = [
        f"by {flow['observer']}" if flow["observer"] else None,
        f"in {flow['region']}" if flow["region"] else None,
    ]
    start = format_moment(flow["start"], "%Y-%m-%d %H:%M:%S.%f")
    end = format_moment(flow["end"], "%H:%M:%S.%f")
    lines = [
        f"Flow {flow_key(flow)}",
        f"{start} to {end} {zone_name()}: {', '.join(filter(None, facts))}",
    ]
    if flow["wire_address"]:
        port = port_name(flow["wire_port"], flow["protocol"])
        lines.append(f"on the wire its local end is {flow['wire_address']}" + (f" port {port}" if port else ""))
    if flow["remote_wire_address"]:
        port = port_name(flow["remote_wire_port"], flow["protocol"])
        lines.append(f"on the wire its remote end is {flow['remote_wire_address']}" + (f" port {port}" if port else ""))
    if any(logged):
        lines.append("logged " + " ".join(filter(None, logged)))
    lines += [f"time: {one.meaning} {one.advice}".rstrip() for one in found.timing.findings]
    lines += _hostname(flow)
    if found.alike > 1:
        lines.append(f"{found.alike} rows of the lake have these ends and this start; this is the first")
    return "\n".join(lines)


def _hostname(flow: Mapping[str, Any]) -> Iterator[str]:
    """The hostname of the server with the reason, or why there is none; nothing where the log says nothing of it."""
    reason = flow["hostname_reason"]
    why = f" ({reason}: {HOSTNAME_REASONS[reason]})" if reason else ""
    names = {side: flow[f"{side}_hostname"] for side in ("local", "remote") if flow[f"{side}_hostname"]}
    for side, name in names.items():
        yield f"hostname of the {side} end: {name}{why}"
    if flow["hostname_count"] and not names:
        yield f"hostname of the server: none of {format_count(flow['hostname_count'])}{why}"
    if flow["hostname_candidates"]:
        yield f"candidates: {', '.join(flow['hostname_candidates'].split())}"


def _side(side: SideExplanation, flow: Mapping[str, Any]) -> list[Section | str]:
    lines = [
        "",
        f"{side.side.capitalize()} end {_endpoint(side)}: {_who(side)}",
        f"{side.method}, {side.reason}: {side.rule}",
    ]
    pool, policy, state = (flow[f"{side.side}_{name}"] for name in ("pool", "policy", "policy_state"))
    if pool:
        lines.append(f"pool {pool}, policy {policy}, {state}: {POLICY_STATES[state]}")
    if side.distance:
        lines.append(f"nearest evidence: {format_span(side.distance)} from the start of the flow")
    if side.verdict is not None:
        lines += _asked(side, side.verdict)
    lines += network_lines(side.networks)
    sections: list[Section | str] = [
        "\n".join(lines),
        *network_sections(side.networks, options=True),
        *path_sections(side.path),
        *far_end_sections(side.far_end),
        *witness_sections(side.witnesses),
    ]
    if side.reason in _ANSWERED_WITHOUT_EVIDENCE:
        events, labels = side.evidence.assignments, side.evidence.labels
        tables = (
            evidence_section(ASSIGNMENTS, assignment_rows(events), "Assignment events"),
            evidence_section(LABELS, [vars(label) for label in labels], "Labels, longest prefix first"),
        )
        sections += [table for table in tables if table.rows]
    return sections


def _endpoint(side: SideExplanation) -> str:
    return side.address if side.port is None else f"{side.address} port {port_name(side.port, side.protocol)}"


def _who(side: SideExplanation) -> str:
    if side.method == "none":
        return "unattributed"
    if side.method == "policy":
        return "nobody's"
    return (
        f"{side.service} ({side.workload})" if side.service and side.workload else side.service or side.workload or "-"
    )


def _asked(side: SideExplanation, verdict: Verdict) -> Iterator[str]:
    """For when and where evidence was asked."""
    if verdict.reason == "untimed":
        return
    if side.wire_address is not None:
        at = side.wire_address if side.wire_port is None else f"{side.wire_address} port {side.wire_port}"
        yield f"asked where the wire shows it: {at}"
    low, high = verdict.asked_from, verdict.asked_to
    asked = " to ".join(format_moment(moment, "%H:%M:%S.%f") for moment in (low, high))
    yield f"time asked about: {asked}; {_key(verdict)}"


def _key(verdict: Verdict) -> str:
    if verdict.ownership.reason in CLOSED:
        return "networks leave open which heartbeats to ask"
    if not (verdict.ownership.evidence or verdict.ownership.alternatives):
        return "no heartbeat of the address counts"
    return f"asked of the heartbeats of {held_name(verdict.ownership.socket)}"
