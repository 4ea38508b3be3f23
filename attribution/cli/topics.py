"""`attribution topics`: the topics of the streaming job, made and checked."""

import sys
from dataclasses import asdict

import click

from attribution.cli.options.group import SuggestingGroup
from attribution.cli.options.kafka import kafka_options
from attribution.cli.render.output import Column, Output, output_options
from attribution.cli.render.terminal import tell, work_is_done
from attribution.config import parse_duration
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.topic_setup import FOREVER, check_topics, create_topics
from attribution.stream.regions.region_file import check_region

_COLUMNS = (
    Column(name="topic"),
    Column(name="setting"),
    Column(name="found", kind="prose"),
    Column(name="wanted", kind="prose"),
    Column(name="why", kind="prose"),
)
#: Exit status where a topic will not do.
UNFIT = 3


@click.group(name="topics", cls=SuggestingGroup)
def command() -> None:
    r"""Create and check the Kafka topics of the streaming job.

    \b
    Examples:
      attribution topics create --bootstrap-servers localhost:9092
      attribution topics check --bootstrap-servers localhost:9092 --retention 7d
    """


def _retention(text: str) -> int:
    return FOREVER if text == "forever" else parse_duration(text)


_PEERS = click.option(
    "--peer", "peers", multiple=True, metavar="REGION", help="Another region. Each region has two topics. Repeatable."
)


@command.command()
@kafka_options
@_PEERS
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=8,
    show_default=True,
    help="How many partitions each topic has.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 100),
    help="How many replicas each partition has.  [default: that of the broker]",
)
@click.option(
    "--retention",
    default="forever",
    show_default=True,
    metavar="DURATION",
    help="How long messages are kept, counted from their event time. A history needs all of its age.",
)
def create(
    *, broker: Broker, prefix: str, peers: tuple[str, ...], partitions: int, replicas: int | None, retention: str
) -> None:
    r"""Make the topics that are not there, as the job needs them, and check all of them.

    Messages carry the event time as the time of their record. If the retention is shorter than a history is old, the
    broker deletes the history at once.

    \b
    Examples:
      attribution topics create --bootstrap-servers localhost:9092
      attribution topics create --kafka-config kafka.toml --topic-prefix prod. --partitions 32 --retention 7d
      attribution topics create --bootstrap-servers localhost:9092 --peer eu --peer us

    \b
    Exit status: 0 the topics will do, 3 a topic that was there will not, 1 the broker cannot be reached or refuses.
    """
    wanted = _retention(retention)
    _check_peers(peers)
    made = create_topics(
        broker, prefix=prefix, peers=peers, partitions=partitions, replicas=replicas or -1, retention_us=wanted
    )
    tell(*(f"created {name}" for name in made))
    _show(broker, prefix, peers, wanted, Output(format="table", path=None))


@command.command()
@kafka_options
@_PEERS
@click.option(
    "--retention",
    default="forever",
    show_default=True,
    metavar="DURATION",
    help="How long messages must be kept at least, counted from their event time.",
)
@output_options()
def check(*, broker: Broker, prefix: str, peers: tuple[str, ...], retention: str, output: Output) -> None:
    r"""Show what is wrong with the topics: missing ones, and settings that lose data or stop the job.

    \b
    Examples:
      attribution topics check --bootstrap-servers localhost:9092 --retention 7d

    \b
    Exit status: 0 the topics will do, 3 they will not, 1 the broker cannot be reached or refuses.
    """
    _check_peers(peers)
    _show(broker, prefix, peers, _retention(retention), output)


def _check_peers(peers: tuple[str, ...]) -> None:
    for peer in peers:
        if not check_region(peer):
            raise click.UsageError(f"no region can be called {peer!r}: letters, digits, dot, _ and -, 40 of them")


def _show(broker: Broker, prefix: str, peers: tuple[str, ...], retention: int, output: Output) -> None:
    problems = check_topics(broker, prefix=prefix, peers=peers, retention_us=retention)
    if problems or output.format != "table":
        with work_is_done():
            output.table(_COLUMNS, [asdict(problem) for problem in problems])
    else:
        tell("All topics are there and will do.")
    if problems:
        sys.exit(UNFIT)
