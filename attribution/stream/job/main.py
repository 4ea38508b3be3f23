"""From the command line of `flink run` to a running job."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.util.exceptions import TableException
from pyflink.util.java_utils import get_j_env_configuration

from attribution.errors import AttributionError, ConfigError
from attribution.origins import given_settings, settings_file, settings_of
from attribution.sources import read_labels
from attribution.stream.job.options import StreamOptions
from attribution.stream.job.savepoint import check_savepoint
from attribution.stream.job.topology import Job, build
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.kafka.topic_setup import check_topics
from attribution.stream.regions.border import Border

#: Of Flink's own settings, what this job does best with; the cluster's configuration, or `-D`, may say otherwise.
_PREFERRED = {
    # Each operator's Python hands its output on, and releases its timers, at the end of a bundle; the watermark waits
    # for it, passes four operators one after the other, and waits for a buffer to be sent between each two of them.
    "python.fn-execution.bundle.time": "50",
    "pipeline.auto-watermark-interval": "50 ms",
    "execution.buffer-timeout.interval": "10 ms",
    # A bundle is kept in memory, and an element can have some 4 MB.
    "python.fn-execution.bundle.size": "100",
    # Else all that a bundle adds to a state is sent as one message, and one of 100 MB ends in a job that hangs.
    "python.state.cache-size": "0",
}
#: Flink's setting with the savepoint, or checkpoint, that the job starts from.
_SAVEPOINT = "execution.state-recovery.path"


def main(arguments: list[str] | None = None) -> None:
    """Build the job from its arguments and submit it; exit with status 2 and one message where that cannot be."""
    given = _parser().parse_args(arguments)
    try:
        environment = StreamExecutionEnvironment.get_execution_environment()
        said = _said(environment)
        environment.configure(_preferred(said))
        if location := said.get(_SAVEPOINT):
            check_savepoint(location)
        _build(environment, _job(given))
    except AttributionError as error:
        sys.stderr.write(f"attribute_flows: {error}\n")
        sys.exit(2)
    environment.execute(given.name)


def _said(environment: StreamExecutionEnvironment) -> dict[str, str]:
    """What the environment's configuration says."""
    known = get_j_env_configuration(environment._j_stream_execution_environment)  # noqa: SLF001 (the only way to it)
    said: dict[str, str] = Configuration(j_configuration=known).to_dict()
    return said


def _preferred(said: dict[str, str]) -> Configuration:
    """What is preferred where the environment's configuration does not say."""
    preferred = Configuration()
    for name, value in _PREFERRED.items():
        if name not in said:
            preferred.set_string(name, value)
    return preferred


def _build(environment: StreamExecutionEnvironment, job: Job) -> None:
    try:
        build(environment, job)
    except TableException as error:
        if "Could not find any factory for identifier 'kafka'" not in str(error):
            raise
        raise ConfigError(
            "Flink does not find its Kafka connector: put flink-sql-connector-kafka into the `lib` folder of every "
            "machine of the cluster and of this one; "
            "`python -m attribution.testbed.cluster.jars copy connector DIR` fetches it"
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="attribute_flows", description=__doc__)
    parser.add_argument("--config", type=Path, help="TOML file with the tables [attribution] and [stream]")
    parser.add_argument("--kafka-config", type=Path, help="TOML or JSON file with the table [kafka]")
    parser.add_argument("--bootstrap-servers", help="host:port, several with commas; wins over file and environment")
    parser.add_argument("--topic-prefix", default="", help="what the names of all topics begin with")
    parser.add_argument("--labels", nargs="*", default=[], help="prefixes with names: files as `replay --labels` takes")
    parser.add_argument("--name", default="attribute-flows", help="name of the job; each on one broker needs another")
    return parser


def _job(given: argparse.Namespace) -> Job:
    config = settings_file(given.config)
    kafka = KafkaSettings.load(given.kafka_config, bootstrap_servers=given.bootstrap_servers)
    options = StreamOptions.load(config)
    settings = settings_of(given_settings(config))
    regions = Path(options.regions).resolve()
    border = Border(options.region, regions, settings, buckets=options.buckets) if options.region else None
    _check_topics(Broker(kafka, client_id=given.name), given.topic_prefix, border.peers if border else ())
    return Job(
        name=given.name,
        kafka=kafka.java(shaded=True),
        prefix=given.topic_prefix,
        settings=settings,
        options=options,
        labels=read_labels(given.labels),
        # A job with a region but without others is one without regions.
        border=border if border and border.peers else None,
    )


def _check_topics(broker: Broker, prefix: str, peers: Sequence[str]) -> None:
    """Without its topics the job would start, fail and start again, for ever."""
    missing = [found.topic for found in check_topics(broker, prefix=prefix, peers=peers) if found.setting == "topic"]
    if missing:
        raise ConfigError(
            f"there is no topic {', '.join(missing)}: `attribution topics create` makes it, or --topic-prefix is wrong"
        )
