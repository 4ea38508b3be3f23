"""`attribution lake`: the job's output topics to a Parquet lake."""

from pathlib import Path

import click

from attribution.cli.options.kafka import kafka_options, metrics_option
from attribution.cli.options.paths import LocalPath, refuse_urls
from attribution.cli.options.settings import settings_options
from attribution.cli.render.terminal import say, tell
from attribution.cli.stopping import finish_on_signals
from attribution.config import SECOND, Settings, parse_duration
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.lake_writer.lake_folder import open_lake, write_labels
from attribution.stream.lake_writer.writer import LakeWriter, Writing


@click.command(name="lake")
@click.option("--out", required=True, type=LocalPath(file_okay=False), help="Folder of the lake.")
@kafka_options
@click.option(
    "--labels", multiple=True, metavar="PATH", help="The labels that the job has, for questions about the lake."
)
@click.option(
    "--flush-interval",
    default="1m",
    show_default=True,
    metavar="DURATION",
    help="Rows become visible after this time at the latest.",
)
@click.option(
    "--flush-rows",
    type=click.IntRange(min=1),
    default=Writing.flush_rows,
    show_default=True,
    help="Rows of a partition become visible earlier if there are this many.",
)
@click.option("--stop-at-end", is_flag=True, help="Stop when all messages in the topics have been written.")
@click.option("--accept-loss", is_flag=True, help="Go on after messages that the broker deleted before they were read.")
@settings_options
@metrics_option
def command(
    *,
    out: Path,
    broker: Broker,
    prefix: str,
    labels: tuple[str, ...],
    flush_interval: str,
    flush_rows: int,
    stop_at_end: bool,
    accept_loss: bool,
    settings: Settings,
    metrics: Metrics,
) -> None:
    r"""Write what the streaming job attributes to a Parquet lake, until it is stopped.

    Every row is written once, whatever happens. Files are named by the offsets that they hold, and after a restart the
    writer goes on behind them. Several writers with one folder share the work. graph, whois, explain and talkers can
    read the lake while it is written. Give the command the settings of the job.

    SIGTERM and Ctrl-C finish what is open. If the disk is full, writing waits for room.

    \b
    Examples:
      attribution lake --bootstrap-servers localhost:9092 --out lake
      attribution lake --kafka-config kafka.toml --config rules.toml --out lake --flush-interval 5m --metrics-port 9100

    \b
    Exit status: 0 it was stopped, or everything is written (--stop-at-end), 1 it cannot go on,
    2 the command was wrong.
    """
    writing = Writing(
        group=open_lake(out, cluster=broker.cluster_id(), prefix=prefix, settings=settings),
        prefix=prefix,
        flush_s=parse_duration(flush_interval) / SECOND,
        flush_rows=flush_rows,
        stop_at_end=stop_at_end,
        accept_loss=accept_loss,
    )
    refuse_urls(labels)
    if labels:
        write_labels(out, labels)
    stopped = finish_on_signals()
    writer = LakeWriter(out, broker, writing=writing, metrics=metrics, say=say)
    writer.run(stopped.is_set)
    rows = metrics.total("attribution_lake_rows_total")
    tell(f"{rows:,.0f} rows written to {out}")
