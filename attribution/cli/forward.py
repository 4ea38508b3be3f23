"""`attribution forward`: what the job of one region says to another, to that one's broker."""

from pathlib import Path

import click

from attribution.cli.options.kafka import kafka_options, metrics_option
from attribution.cli.options.paths import LocalPath
from attribution.cli.render.terminal import say, tell
from attribution.cli.stopping import finish_on_signals
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.regions.forward import Forwarder, Way
from attribution.stream.regions.region_file import check_region


@click.command(name="forward")
@kafka_options
@click.option("--region", required=True, help="The region at home.")
@click.option("--peer", required=True, metavar="REGION", help="The region to which messages go.")
@click.option("--peer-bootstrap-servers", metavar="HOST:PORT", help="The brokers of the peer, separated by commas.")
@click.option(
    "--peer-kafka-config",
    type=LocalPath(exists=True, dir_okay=False),
    help="As --kafka-config, for the brokers of the peer; no variables win over the file.",
)
@click.option("--peer-topic-prefix", default="", metavar="TEXT", help="What the names of the peer's topics begin with.")
@metrics_option
def command(
    *,
    broker: Broker,
    prefix: str,
    region: str,
    peer: str,
    peer_bootstrap_servers: str | None,
    peer_kafka_config: Path | None,
    peer_topic_prefix: str,
    metrics: Metrics,
) -> None:
    r"""Forward what this region's job says to another region, until it is stopped.

    Questions about flows to the other region, and answers to the questions of that region, go from the topic to-PEER at
    home to the topic from-REGION at the peer. Each region needs a forwarder for every other region. Several forwarders
    from one region to another share the work.

    Nothing is lost: while the peer or the way to it is down, messages wait in the topic at home.

    \b
    Examples:
      attribution forward --bootstrap-servers east:9092 --region east --peer west --peer-bootstrap-servers west:9092
      attribution forward --kafka-config east.toml --region east --peer west --peer-kafka-config west.toml

    \b
    Exit status: 0 it was stopped, 1 a broker refuses a message for ever, 2 the command was wrong.
    """
    for name in (region, peer):
        if not check_region(name):
            raise click.UsageError(f"no region can be called {name!r}: letters, digits, dot, _ and -, 40 of them")
    settings = KafkaSettings.load(peer_kafka_config, environment={}, bootstrap_servers=peer_bootstrap_servers)
    away = Broker(settings, client_id=f"attribution-forward-{region}")
    stopped = finish_on_signals()
    way = Way(region=region, peer=peer, prefix=prefix, peer_prefix=peer_topic_prefix)
    forwarder = Forwarder(broker, away, way=way, metrics=metrics, say=say)
    forwarder.run(stopped.is_set)
    tell(f"{metrics.total('attribution_forwarded_messages_total'):,.0f} messages forwarded to {peer}")
