"""`attribution config`: every setting, its value, and where it comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TypeAlias

import click

from attribution.cli.options.paths import LocalPath
from attribution.cli.options.settings import given_options
from attribution.cli.render.output import Column, Output, output_options
from attribution.cli.render.terminal import tell
from attribution.config import format_duration, read_tables
from attribution.origins import Given, as_toml, settings_of, written
from attribution.stream.job import options as job
from attribution.stream.kafka import settings as kafka

_COLUMNS = (Column(name="table"), Column(name="setting"), Column(name="value"), Column(name="from"))
_HIDDEN = "(hidden)"
_Row: TypeAlias = dict[str, object]


@click.command(name="config")
@click.option("--show", is_flag=True, help="Show the settings; else they are only checked.")
@given_options
@click.option(
    "--kafka-config",
    type=LocalPath(exists=True, dir_okay=False),
    help="TOML or JSON file with a table [kafka].",
)
@output_options("toml")
def command(
    *, show: bool, given: dict[str, Given], config: Path | None, kafka_config: Path | None, output: Output
) -> None:
    r"""Check the settings, and show each with its value and where it comes from.

    An option wins over an environment variable, a variable over the file of --config, and the file over the default.
    The variable of a setting is ATTRIBUTION_ and its name: ATTRIBUTION_MAX_GAP=5m. Values of a list are parted by
    semicolons. ATTRIBUTION_STREAM_… are options of the streaming job, ATTRIBUTION_KAFKA_… settings of its clients.
    ATTRIBUTION_CONFIG names the file.

    With --format toml the answer is a file for --config. Secrets are not shown.

    \b
    Examples:
      attribution config --config rules.toml
      attribution config --show --max-gap 5m --hold 6m
      ATTRIBUTION_HOLD=6m attribution config --show --format toml > rules.toml

    \b
    Exit status: 0 the settings will do, 1 they will not, 2 the command was wrong.
    """
    rows = [*_rules(given), *_job(config), *_clients(config, kafka_config)]
    if output.format == "toml":
        output.text(_toml(rows))
    elif show or output.format != "table":
        shown = output.format == "json"
        output.table(_COLUMNS, rows if shown else [row | {"value": _text(row["value"])} for row in rows])
    else:
        places = dict.fromkeys(str(row["from"]) for row in rows if row["from"] != "default")
        tell(f"The settings will do. They come from {', '.join([*places, 'defaults'])}.")


def _rules(given: Mapping[str, Given]) -> Iterator[_Row]:
    for name, value in written(settings_of(given)).items():
        yield _row("attribution", name, value, given)


def _job(file: Path | None) -> Iterator[_Row]:
    given = job.given_options(file)
    for name, value in asdict(job.StreamOptions.load(file)).items():
        yield _row("stream", name, format_duration(value) if name in job.DURATIONS else value, given)


def _clients(config: Path | None, kafka_config: Path | None) -> Iterator[_Row]:
    """What is given of the settings of Kafka's clients; they have no defaults of their own."""
    file = kafka_config or (config if config and "kafka" in read_tables(config) else None)
    given = kafka.given_kafka(file)
    if "bootstrap_servers" in given:
        kafka.KafkaSettings.load(file)
    order = [field.name for field in fields(kafka.KafkaSettings)]
    for name in sorted(given, key=lambda name: order.index(name) if name in order else len(order)):
        value = _HIDDEN if name in kafka.SECRETS else given[name].value
        yield _row("kafka", name, value, given)


def _row(table: str, name: str, value: object, given: Mapping[str, Given]) -> _Row:
    return {"table": table, "setting": name, "value": value, "from": given[name].origin if name in given else "default"}


def _text(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(rows: list[_Row]) -> str:
    """The tables, without secrets and without options of the job that have their defaults."""
    tables: dict[str, dict[str, object]] = {}
    for row in rows:
        if row["value"] != _HIDDEN and (row["table"] == "attribution" or row["from"] != "default"):
            tables.setdefault(str(row["table"]), {})[str(row["setting"])] = row["value"]
    return "\n".join(as_toml(table, values) for table, values in tables.items())
