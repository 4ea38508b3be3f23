"""`attribution replay`: flow logs in, a Parquet lake out."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from attribution.cli.options.inputs import input_options
from attribution.cli.options.moments import time_given
from attribution.cli.options.paths import LocalPath
from attribution.cli.options.settings import settings_options
from attribution.cli.render.ledger import ledger_lines
from attribution.cli.render.measures import counted, format_bytes, visible
from attribution.cli.render.output import Column, Output, output_options
from attribution.cli.render.progress import progress_line
from attribution.cli.render.terminal import work_is_done
from attribution.config import NO_NETWORK, Settings
from attribution.errors import RejectLimitError
from attribution.lake.layout import REJECTS
from attribution.query.lake.times import format_time, from_microseconds
from attribution.records import INPUT_RECORDS
from attribution.replay import DryRun, Inputs, Limits, Span, Summary, replay
from attribution.replay import dry_run as dry_run_of
from attribution.replay.next_step import inspect_command, next_step
from attribution.replay.summary import NetworkCount
from attribution.schema import FLOW
from attribution.sources.input.paths import STDIN

#: Exit status where the lake was written but rows had to be left out.
ROWS_REJECTED = 3

_COLUMNS = (
    Column(name="side"),
    Column(name="method"),
    Column(name="reason"),
    Column(name="flows", kind="count"),
    Column(name="share", kind="share"),
)


@click.command(name="replay")
@input_options(*INPUT_RECORDS, required=FLOW)
@click.option("--out", required=True, type=LocalPath(file_okay=False), help="Folder of the lake.")
@click.option(
    "--flow-heartbeats/--no-flow-heartbeats",
    default=True,
    show_default=True,
    help="Whether the workloads that the logs given as --flows name are evidence.",
)
@click.option("--since", callback=time_given, metavar="TIME", help="Attribute only flows that start then or later.")
@click.option("--until", callback=time_given, metavar="TIME", help="Attribute only flows that start before then.")
@settings_options
@click.option(
    "--max-rejected-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Stop when more than this share of the rows is rejected.",
)
@click.option(
    "--evidence-rows",
    type=click.IntRange(min=1000),
    default=Limits.evidence_rows,
    show_default=True,
    help="Heartbeats and DNS answers held in memory; a longer history goes through slabs of time.",
)
@click.option("--dry-run", is_flag=True, help="Read and count everything, say what would be written; write nothing.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads that attribute and write.  [default: one a core]")
@output_options()
def command(
    *,
    inputs: Inputs,
    out: Path,
    flow_heartbeats: bool,
    since: int | None,
    until: int | None,
    settings: Settings,
    max_rejected_share: float,
    evidence_rows: int,
    dry_run: bool,
    workers: int | None,
    output: Output,
) -> None:
    r"""Attribute flow logs and write the result as a Parquet lake.

    Formats are recognised by content, compressed or not. Flow logs: AWS VPC and transit gateway, Zeek, Cilium Hubble,
    NetObserv, goflow2. Evidence: Kubernetes pod lists and audit events, CloudTrail, dnstap, Route 53 Resolver query
    logs, ip-ranges.json, policy documents. Native records of any kind: JSON lines, Parquet, Arrow.

    --since and --until choose flows by their start (ISO 8601, UTC where no zone is named). Flows and evidence of other
    times are read and used as evidence all the same, so a flow has the answer that it has in a run over everything.

    The lake appears whole or not at all. Rows that cannot be used are kept in rejects.jsonl inside it, with the reason.

    \b
    Examples:
      attribution replay --flows flows.parquet --heartbeats beats.jsonl --out lake
      attribution replay --flows 's3-copy/**/*.log.gz' --heartbeats pods.json --labels ip-ranges.json --out lake
      zcat conn.log.gz | attribution replay --flows - --since 2026-03-02 --hold 6m --out lake

    \b
    Exit status: 0 all rows were used, 3 the lake was written but rows were rejected,
    1 nothing was written, 2 the command was wrong.
    """
    span = Span(since_us=since, until_us=until)
    limits = Limits(
        rejected_share=max_rejected_share, evidence_rows=evidence_rows, **({"workers": workers} if workers else {})
    )
    try:
        with progress_line() as progress:
            if dry_run:
                found = dry_run_of(inputs, out, settings=settings, limits=limits, span=span, progress=progress)
                _show_dry_run(found, out, output)
                return
            summary = replay(
                inputs,
                out,
                settings=settings,
                limits=limits,
                flows_are_heartbeats=flow_heartbeats,
                span=span,
                progress=progress,
            )
    except RejectLimitError as error:
        raise RejectLimitError(f"{error}\n{_to_learn_more(inputs)}") from error
    with work_is_done():
        _show(summary, inputs, output)
    if summary.rejected:
        sys.exit(ROWS_REJECTED)


def _show(summary: Summary, inputs: Inputs, output: Output) -> None:
    if output.format == "json":
        step = next_step(summary)
        command = None if step is None else vars(step) | {"command": inspect_command(inputs)}
        output.json({"lake": str(summary.lake), **summary.to_dict(), "next_step": command})
    else:
        note = "\n".join([*_note(summary), *_unused(summary, inputs), *_next_step(summary, inputs)])
        output.table(_COLUMNS, summary.rows(), title=_title(summary), note=note)


def _show_dry_run(found: DryRun, out: Path, output: Output) -> None:
    """Say what a run would do; end with the status that it would have for these inputs."""
    times = [None if at is None else from_microseconds(at) for at in (found.first_us, found.last_us)]
    if output.format == "table":
        span = " to ".join(format_time(at) for at in times if at is not None)
        lines = ["Dry run: nothing was written."]
        lines.append(f"{counted(found.flows, 'flow')} would be attributed{f', from {span}' if span else ''}.")
        lines += ledger_lines(found.ledger)
        size = "" if found.input_bytes is None else f"The input has {format_bytes(found.input_bytes)}. "
        lines.append(f"{size}The disk of the lake has {format_bytes(found.free_bytes)} free.")
        lines.append(f"The lake would be {'replaced' if found.replaces else 'made'}: {out}")
        output.document(lines)
    else:
        counts = found.ledger.to_dict()
        room = {"replaces": found.replaces, "free_bytes": found.free_bytes, "input_bytes": found.input_bytes}
        whole = {"lake": str(out), "dry_run": True, "flows": found.flows, "first": times[0], "last": times[1]}
        if output.format == "json":
            output.json(whole | counts | room)
        else:
            output.csv([*whole, *counts, *room], [whole | counts | room])
    if found.ledger.rejected:
        sys.exit(ROWS_REJECTED)


def _title(summary: Summary) -> str:
    rate = summary.tally.flows / summary.seconds if summary.seconds else 0
    named = ", ".join(f"{side} {summary.share_attributed(side):.1%}" for side in ("local", "remote"))
    flows = f"{summary.tally.flows:,} flow{'' if summary.tally.flows == 1 else 's'}"
    return f"{flows} in {summary.seconds:.1f} s ({rate:,.0f}/s), attributed: {named}"


def _note(summary: Summary) -> list[str]:
    lines = [f"{counted(summary.ranges, 'ownership range')}. Lake: {visible(str(summary.lake))}"]
    lines += ledger_lines(summary.ledger, kept_in=summary.lake / REJECTS)
    if not summary.tally.flows and any(reason == "outside_window" for _, reason in summary.ledger.skipped):
        lines.append(
            "No flow starts from --since to --until, so the lake has none; graph and talkers will show nothing."
        )
    elif not summary.tally.flows:
        lines.append("No flow was in what --flows names, so the lake has none; graph and talkers will show nothing.")
    lines += _about_networks(summary.networks())
    if summary.tally.rate_unknown:
        unknown = counted(summary.tally.rate_unknown, "flow")
        lines.append(f"The sampling rate of {unknown} is not known: bytes and packets may be too low.")
    return lines


def _unused(summary: Summary, inputs: Inputs) -> Iterator[str]:
    """Options that changed nothing."""
    if inputs.seen_at and not any(count for (_, name), count in summary.ledger.shown.items() if name == "listed"):
        yield "--seen-at changed nothing: no source is a list of pods."


def _next_step(summary: Summary, inputs: Inputs) -> Iterator[str]:
    """What to do next if little was attributed."""
    step = next_step(summary)
    if step is None:
        return
    if not summary.tally.flows:
        yield f"{step.share_of_reason:.1%} of the skipped rows have the reason {step.reason}. {step.cause}"
    else:
        named = f"Only {step.share:.1%} of the flows have" if step.share else "No flow has"
        yield f"{named} a named remote side; {step.share_of_reason:.1%} have the reason {step.reason}. {step.cause}"
    yield _to_learn_more(inputs)


def _to_learn_more(inputs: Inputs) -> str:
    """The command that says more; what came by standard input must come again."""
    command = inspect_command(inputs)
    again = ", with the same standard input" if STDIN in command else ""
    return visible(f"To learn more{again}: {shlex.join(command)}")


def _about_networks(count: NetworkCount) -> Iterator[str]:
    """How many sides networks leave open, and the options that would name them."""
    if count["other_network"]:
        yield f"{_sides(count['other_network'])} not named, because the evidence is another network's (other_network)."
    if count["routes"]:
        yield "Routes would name some. Declare a route only if you know that these addresses of the two networks reach"
        yield "each other, and that no address is in use in both:"
        width = max(len(one["route"]) for one in count["routes"])
        for one in count["routes"]:
            option = f"--route {shlex.quote(one['route']):{width}}"
            yield f"  {option}   evidence for {_sides(one['sides'])}, which would name {one['named']:,}"
    if count["more_routes"]:
        yield f"  and {count['more_routes']:,} more"
    if any(one["route"].endswith(f",{NO_NETWORK}") for one in count["routes"]):
        yield f"A route to {NO_NETWORK} is for evidence that names no network. If you know its network, say it instead:"
        yield "  --network heartbeats=NAME, or --network PATH=NAME for some of the files"
    if count["unsaid"]:
        yield f"Of {_sides(count['unsaid'])} the flow does not say the network: --network flows=NAME gives it one."
    if count["several_networks"]:
        yield (
            f"{_sides(count['several_networks'])} not named, because routes lead to several networks that have the "
            "address (several_networks): give the routes prefixes."
        )


def _sides(count: int) -> str:
    return counted(count, "side")
