"""The options that every verb with Kafka shares."""

import functools
from collections.abc import Callable
from pathlib import Path

import click

from attribution.cli.options.paths import LocalPath
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.kafka.settings import ENVIRONMENT_PREFIX, KafkaSettings
from attribution.stream.topics import topic_of

_FILE = LocalPath(exists=True, dir_okay=False)


def kafka_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the connection, as two arguments `broker` and `prefix` of the decorated command function.

    Secrets are no options: the command line of a process can be read by others.
    """

    @functools.wraps(function)
    def wrapped(
        *args: object, bootstrap_servers: str | None, kafka_config: Path | None, topic_prefix: str, **given: object
    ) -> None:
        topic_of("flow", prefix=topic_prefix)
        settings = KafkaSettings.load(kafka_config, bootstrap_servers=bootstrap_servers)
        broker = Broker(settings, client_id=f"attribution-{function.__module__.rpartition('.')[2]}")
        function(*args, broker=broker, prefix=topic_prefix, **given)

    decorated: Callable[..., None] = wrapped
    for option in (
        click.option("--topic-prefix", default="", metavar="TEXT", help="What the names of all topics begin with."),
        click.option(
            "--kafka-config",
            type=_FILE,
            help="TOML or JSON file with a table [kafka]: protocol, credentials, certificates. "
            f"Variables {ENVIRONMENT_PREFIX}… win over the file.",
        ),
        click.option("--bootstrap-servers", metavar="HOST:PORT", help="The brokers, separated by commas."),
    ):
        decorated = option(decorated)
    return decorated


def metrics_option(function: Callable[..., None]) -> Callable[..., None]:
    """Where to answer Prometheus, as one argument `metrics` of the decorated command function."""

    @functools.wraps(function)
    def wrapped(*args: object, metrics_port: int | None, metrics_host: str, **given: object) -> None:
        metrics = Metrics()
        if metrics_port is not None:
            metrics.serve(metrics_port, host=metrics_host)
        function(*args, metrics=metrics, **given)

    decorated = click.option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        help="Address on which metrics are served to Prometheus.",
    )(wrapped)
    return click.option(
        "--metrics-port",
        type=click.IntRange(1, 65535),
        help="Port on which metrics are served to Prometheus.  [default: none]",
    )(decorated)
