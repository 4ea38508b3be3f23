"""`attribution publish`: logs into the topics of the streaming job."""

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from attribution.cli.options.inputs import input_options
from attribution.cli.options.kafka import kafka_options, metrics_option
from attribution.cli.options.paths import LocalPath
from attribution.cli.options.settings import settings_options
from attribution.cli.render.ledger import ledger_lines
from attribution.cli.render.output import Column, Output, output_options
from attribution.cli.render.terminal import work_is_done
from attribution.cli.replay import ROWS_REJECTED
from attribution.config import SECOND, Settings, parse_duration
from attribution.errors import ConfigError
from attribution.records import BY_NAME
from attribution.schema import POLICY
from attribution.sources import Ledger
from attribution.sources.inputs import Inputs
from attribution.sources.pool_space import with_pools_of
from attribution.sources.records.rejects import RejectsFile
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.publish.publish import Published, Sending, finish_after, publish, would_publish
from attribution.stream.topics import INPUT_TOPICS, topic_of

_COLUMNS = (Column(name="kind"), Column(name="rows", kind="count"), Column(name="messages", kind="count"))
_WOULD = (Column(name="topic"), Column(name="kind"), Column(name="rows", kind="count"))
#: What `--finish` without a value stands for.
_BY_SETTINGS = "by settings"


@click.command(name="publish")
@input_options(*INPUT_TOPICS)
@click.option(
    "--flow-heartbeats/--no-flow-heartbeats",
    default=True,
    show_default=True,
    help="Whether connections with a known local workload are heartbeats of it.",
)
@kafka_options
@click.option("--pace", metavar="FACTORx", help="Send as fast as time went by: 1x, or 60x for an hour a minute.")
@click.option(
    "--period",
    metavar="DURATION",
    help="How finely evidence and flows take turns; longer makes denser messages.  [default: 10s with --pace, else 1m]",
)
@click.option(
    "--finish",
    is_flag=False,
    flag_value=_BY_SETTINGS,
    metavar="[DURATION]",
    help="At the end move time on by this much, so that the job releases the last flows.  "
    "[without a value: hold, max_gap and 10 minutes]",
)
@click.option(
    "--max-rejected-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Send nothing when more than this share of the rows is rejected.",
)
@click.option("--dry-run", is_flag=True, help="Read and count everything, say what would be sent where; send nothing.")
@click.option("--rejects", type=LocalPath(dir_okay=False), help="File for the rejected rows.")
@settings_options
@metrics_option
@output_options()
def command(
    *,
    inputs: Inputs,
    flow_heartbeats: bool,
    broker: Broker,
    prefix: str,
    pace: str | None,
    period: str | None,
    finish: str | None,
    max_rejected_share: float,
    dry_run: bool,
    rejects: Path | None,
    settings: Settings,
    metrics: Metrics,
    output: Output,
) -> None:
    r"""Send logs to the Kafka topics of the streaming job.

    Reads what replay reads. Everything is read first, then sent in the order in which it was reported, evidence before
    flows; the command ends when the broker has acknowledged every message.

    The job releases a flow once time has come to its end and hold. Time stands still after the last message: --finish
    moves it on. Later messages with earlier times are late, so use it for a history that is complete.

    \b
    Examples:
      attribution publish --bootstrap-servers localhost:9092 --flows flows.parquet --heartbeats beats.parquet --finish
      attribution publish --kafka-config kafka.toml --flows 's3-copy/**/*.log.gz' --heartbeats pods.json --pace 60x

    \b
    Exit status: 0 all rows were delivered, 3 all but rejected ones were, 1 something was not delivered,
    2 the command was wrong.
    """
    if not inputs:
        options = ", ".join(BY_NAME[kind].option for kind in INPUT_TOPICS)
        raise click.UsageError(f"nothing to publish: give one or more of {options}")
    settings = with_pools_of(inputs.of(POLICY), settings, format=inputs.format, mapping=inputs.mapping_of(POLICY))
    sending = Sending(
        prefix=prefix,
        period_us=_period_us(period or ("10s" if pace else "1m")),
        pace=_pace(pace),
        finish_us=None
        if finish is None
        else finish_after(settings)
        if finish == _BY_SETTINGS
        else parse_duration(finish),
    )
    with ExitStack() as left:
        kept = left.enter_context(RejectsFile(rejects)) if rejects else None
        ledger = Ledger(sink=kept.write if kept else None, max_rejected_share=max_rejected_share)
        if dry_run:
            _show_dry_run(
                would_publish(inputs, settings=settings, flows_are_heartbeats=flow_heartbeats, ledger=ledger),
                ledger,
                broker,
                prefix,
                output,
            )
            return
        published = publish(
            inputs,
            broker,
            settings=settings,
            flows_are_heartbeats=flow_heartbeats,
            sending=sending,
            ledger=ledger,
            metrics=metrics,
        )
    rows = [
        {"kind": kind, "rows": published.rows[kind], "messages": published.messages[kind]}
        for kind in published.messages
    ]
    with work_is_done():
        output.table(_COLUMNS, rows, title=_title(published), note=_note(published, rejects))
    if ledger.rejected:
        sys.exit(ROWS_REJECTED)


def _show_dry_run(rows: dict[str, int], ledger: Ledger, broker: Broker, prefix: str, output: Output) -> None:
    """Say what would be sent; end with the status that sending it would have for these inputs."""
    shown = [{"topic": topic_of(kind, prefix=prefix), "kind": kind, "rows": count} for kind, count in rows.items()]
    last = f"Dry run: nothing was sent to {broker.servers}, and the topics were not checked."
    output.table(_WOULD, shown, note="\n".join([*ledger_lines(ledger), last]))
    if ledger.rejected:
        sys.exit(ROWS_REJECTED)


def _period_us(text: str) -> int:
    period = parse_duration(text)
    if not period or 3600 * SECOND % period:
        raise ConfigError(f"--period must divide an hour, found {text}; 10s or 1m would")
    return period


def _pace(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        pace = float(text.removesuffix("x"))
    except ValueError:
        pace = 0
    if not 0 < pace < float("inf"):
        raise ConfigError(f"cannot read the pace {text!r}: write a number and x, like 1x or 60x")
    return pace


def _title(published: Published) -> str:
    total, rate = published.rows.total(), published.rows.total() / max(published.took_s, 1e-9)
    return f"{total:,} rows delivered in {published.took_s:.1f} s ({rate:,.0f}/s)"


def _note(published: Published, rejects: Path | None) -> str:
    lines = []
    if published.first_us is not None and published.last_us is not None:
        first, last = (
            datetime.fromtimestamp(t / SECOND, UTC).isoformat() for t in (published.first_us, published.last_us)
        )
        lines.append(f"Reported from {first} to {last}.")
    return "\n".join([*lines, *ledger_lines(published.ledger, kept_in=rejects)])
