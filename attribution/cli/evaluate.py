"""`attribution evaluate`: a lake held against the truth of the simulation that it was made from."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from attribution.cli.options.paths import LocalPath
from attribution.cli.options.selection import duration
from attribution.cli.render.next_commands import next_commands
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.lake.lake import read_manifest
from attribution.lake.layout import MANIFEST
from attribution.testbed.evaluate.evaluate import evaluate
from attribution.testbed.evaluate.evaluation import Evaluation
from attribution.testbed.evaluate.names_evaluation import NamesEvaluation
from attribution.testbed.evaluate.outcomes import OURS
from attribution.testbed.fleet.write import EVENTS_FILE, HEARTBEATS_FILE, NAMES_FILE

#: Exit status where `--fail-on-misattribution` found something.
UNSOUND = 3

_SYSTEMS = (
    Column(name="system"),
    Column(name="correct", kind="count"),
    Column(name="misattributed", kind="count"),
    Column(name="unattributed", kind="count"),
    Column(name="misattributed_share", title="wrong", kind="share"),
    Column(name="attributed_share", title="attributed", kind="share"),
    Column(name="edges_true", title="true edges", kind="count", rank=4),
    Column(name="edges_claimed", title="claimed", kind="count", rank=3),
    Column(name="edges_false", title="false", kind="count", rank=1),
    Column(name="edges_missing", title="missing", kind="count", rank=2),
)
_KINDS = (
    Column(name="side"),
    Column(name="kind"),
    Column(name="flows", kind="count"),
    Column(name="correct", kind="count"),
    Column(name="misattributed", kind="count"),
    Column(name="unattributed", kind="count"),
    Column(name="attributed_share", title="attributed", kind="share"),
)
_NETWORKS = (
    Column(name="relation"),
    Column(name="told"),
    Column(name="flows", kind="count"),
    Column(name="correct", kind="count"),
    Column(name="misattributed", kind="count"),
    Column(name="unattributed", kind="count"),
    Column(name="other_network", kind="count"),
    Column(name="several_networks", kind="count"),
    Column(name="attributed_share", title="attributed", kind="share"),
)
_REASONS = (
    Column(name="side"),
    Column(name="reason"),
    Column(name="outcome"),
    Column(name="flows", kind="count"),
)
_NAMERS = (
    Column(name="system"),
    Column(name="flows", kind="count"),
    Column(name="correct", kind="count"),
    Column(name="wrong", kind="count"),
    Column(name="not_named", title="not named", kind="count"),
    Column(name="correct_share", title="named", kind="share"),
    Column(name="wrong_share", title="wrong", kind="share"),
    Column(name="wrong_elsewhere", title="others wrong", kind="count"),
)
_EVIDENCE = (
    Column(name="reason"),
    Column(name="basis"),
    Column(name="outcome"),
    Column(name="flows", kind="count"),
)
_POLICIES = (
    Column(name="truth"),
    Column(name="said"),
    Column(name="outcome"),
    Column(name="flows", kind="count"),
)


@click.command(name="evaluate")
@click.option("--attributed", required=True, type=LocalPath(), help="The lake that replay wrote.")
@click.option("--truth", required=True, type=LocalPath(), help="truth.parquet of the simulation.")
@click.option(
    "--events",
    type=LocalPath(),
    help=f"The events that an event-based system would get.  [default: {EVENTS_FILE} beside the truth, if it is there]",
)
@click.option(
    "--name-bindings",
    "names",
    type=LocalPath(),
    help=f"DNS answers for the baselines of names.  [default: {NAMES_FILE} beside the truth, where it has names]",
)
@click.option(
    "--heartbeats",
    type=LocalPath(),
    help=f"Heartbeats for a baseline of fleets with networks.  [default: {HEARTBEATS_FILE} beside the truth]",
)
@click.option(
    "--report-delay", metavar="DURATION", default="30s", show_default=True, callback=duration,
    help="Time between the end of a flow and its report, when the baseline of the latest event judges the flow.",
)  # fmt: skip
@click.option(
    "--hold-back", metavar="DURATION", default="10m", show_default=True, callback=duration,
    help="Time between the end of a flow and its judgement by the other baseline.",
)  # fmt: skip
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many services a table lists; 0 for all.",
)
@click.option("--fail-on-misattribution", is_flag=True, help=f"Exit with {UNSOUND} if anything is wrong.")
@output_options(columns=(*_SYSTEMS, *_KINDS, *_NETWORKS, *_REASONS, *_NAMERS, *_EVIDENCE, *_POLICIES))
def command(
    *,
    attributed: Path,
    truth: Path,
    events: Path | None,
    names: Path | None,
    heartbeats: Path | None,
    report_delay: int,
    hold_back: int,
    limit: int,
    fail_on_misattribution: bool,
    output: Output,
) -> None:
    r"""Compare a lake with the truth, and with event-based attribution.

    Each side of a flow counts as correct, misattributed (a wrong workload or service was named) or unattributed. Edges
    are pairs of services, and a false edge is not in the truth. CSV has a row for each system. JSON has everything.

    If the truth has networks, outcomes are also shown by how the networks of a flow relate. The baselines know no
    networks, but for those "by network".

    If the truth has names (scenario agility), hostnames and policies are judged, beside the last name seen or told.

    \b
    Examples:
      attribution evaluate --attributed lake --truth fleet/truth.parquet
      attribution evaluate --attributed lake --truth fleet/truth.parquet --fail-on-misattribution --format json

    \b
    Exit status: 0 evaluated; 3 with --fail-on-misattribution if anything was misattributed, lost or repeated;
    1 could not be evaluated, 2 the command was wrong.
    """
    if (attributed / MANIFEST).exists():
        read_manifest(attributed)
    result = evaluate(
        attributed,
        truth,
        events or _beside(truth, EVENTS_FILE),
        names=names or _beside(truth, NAMES_FILE),
        heartbeats=heartbeats or _beside(truth, HEARTBEATS_FILE),
        report_delay=report_delay,
        hold_back=hold_back,
    )
    if output.format == "json":
        output.json(result.to_dict())
    elif output.format == "csv":
        rows = result.names.systems() if result.names else result.systems()
        output.csv(list(rows[0]) if rows else ["system"], rows)
    else:
        output.document([*_document(result, limit or None), next_commands([_next(result, attributed)])])
    if fail_on_misattribution and not result.sound:
        sys.exit(UNSOUND)


def _next(result: Evaluation, lake: Path) -> list[str]:
    """The words of the question after the most frequent reason for which remote sides have no name, or of the graph."""
    for row in result.by_reason():
        if row["side"] == "remote" and row["outcome"] == "unattributed":
            return ["attribution", "talkers", str(lake), "--by", "address", "--reason", str(row["reason"])]
    return ["attribution", "graph", str(lake)]


def _beside(truth: Path, name: str) -> Path | None:
    """The file of that name in the folder of the truth, if it is there."""
    found = truth.parent / name
    return found if found.is_file() else None


def _document(result: Evaluation, limit: int | None) -> Sequence[Section | str]:
    if result.names:
        return _of_names(result, result.names)
    clients, services = result.by_client(), result.by_service()
    return [
        _summary(result),
        Section(
            columns=_SYSTEMS,
            rows=result.systems(),
            title="Flows to workloads, remote side; dependency edges of all flows",
        ),
        Section(
            columns=_KINDS,
            rows=[row for row in result.kinds() if row["system"] == OURS],
            title=f"By kind of endpoint: {OURS}",
        ),
        *_by_network(result),
        Section(columns=_REASONS, rows=result.by_reason(), title=f"By reason: {OURS} (remote side: to workloads)"),
        _by_service(result, "service", services, limit, title="Flows to each service: share misattributed"),
        _by_service(
            result, "client", clients, limit, title="What each service talks to: share misattributed, false edges"
        ),
    ]


def _by_network(result: Evaluation) -> Sequence[Section]:
    if not result.networks:
        return ()
    rows = [row for row in result.networks.rows() if row["system"] == OURS]
    title = f"By network, and by what the log told: {OURS} (remote side: to workloads)"
    return (Section(columns=_NETWORKS, rows=rows, title=title),)


def _of_names(result: Evaluation, names: NamesEvaluation) -> Sequence[Section | str]:
    lines = [
        _flows(result),
        f"wrong names: {names.wrong:,}; flows opened for one name that are named: {names.coverage:.2%}",
        f"candidates without the name: {names.without_truth:,}; wrong policies: {names.wrong_policies:,}",
        f"misattributed sides: {result.misattributed:,}",
    ]
    return [
        "\n".join(lines),
        Section(columns=_NAMERS, rows=names.systems(), title="Hostnames, of flows that were opened for one name"),
        Section(columns=_EVIDENCE, rows=names.by_evidence(), title=f"Hostnames by evidence: {OURS}"),
        Section(columns=_POLICIES, rows=names.by_policy_state(), title=f"Policies by their state: {OURS}"),
        Section(columns=_EVIDENCE, rows=names.by_service(), title=f"Services of servers by reason: {OURS}"),
    ]


def _flows(result: Evaluation) -> str:
    return f"{result.flows:,} flows, {result.lost:,} lost, {result.repeated:,} repeated, {result.foreign:,} unknown"


def _summary(result: Evaluation) -> str:
    lines = [_flows(result)]
    lines.append(f"misattributed sides: {result.misattributed:,}; flows to workloads attributed: {result.coverage:.2%}")
    return "\n".join(lines)


def _by_service(
    result: Evaluation, label: str, rows: Sequence[dict[str, Any]], limit: int | None, *, title: str
) -> Section:
    """One row a service; for each system the share that is wrong and, of a client, the edges that do not exist."""
    columns = [Column(name=label), Column(name="flows", kind="count")]
    for rank, system in enumerate(result.outcomes):
        columns.append(Column(name=f"{system} wrong", title=system, kind="share", rank=rank))
        if label == "client":
            columns.append(Column(name=f"{system} edges", title="false edges", rank=rank + 1))
    cells = []
    for row in rows[:limit]:
        cell = {label: row[label], "flows": row["flows"]}
        for system, counts in row["systems"].items():
            cell[f"{system} wrong"] = counts["misattributed"] / row["flows"]
            if label == "client":
                cell[f"{system} edges"] = f"{counts['edges_false']} of {counts['edges_claimed']}"
        cells.append(cell)
    more = len(rows) - len(cells)
    return Section(
        columns=columns, rows=cells, title=title, note=f"and {more} more: --limit 0 shows all" if more else ""
    )
