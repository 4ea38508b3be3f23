"""What one region says reaches the other: all of it, through crashes of the forwarder and of the peer's broker."""

import threading

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from topic_contents import messages

from attribution.cli import cli
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.client_metrics import Metrics
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.kafka.topic_setup import create_topics
from attribution.stream.regions.forward import Forwarder, Way
from attribution.testbed.cluster.processes import wait_until

PATIENCE_S = 60


@pytest.fixture
def way(broker, real_peer, prefix):
    create_topics(broker, prefix=prefix, peers=["west"], partitions=3)
    create_topics(reach(real_peer), prefix=prefix, peers=["east"], partitions=3)
    return Way(region="east", peer="west", prefix=prefix, peer_prefix=prefix)


def reach(real):
    return Broker(KafkaSettings(bootstrap_servers=real.bootstrap))


class Running:
    """A forwarder in a thread."""

    def __init__(self, broker, real_peer, way):
        self.metrics, self.said, self.error = Metrics(), [], None
        self._stop = threading.Event()
        forwarder = Forwarder(broker, reach(real_peer), way=way, metrics=self.metrics, say=self.said.append)
        self._thread = threading.Thread(target=self._run, args=[forwarder])

    def _run(self, forwarder):
        try:
            forwarder.run(self._stop.is_set)
        except Exception as error:  # noqa: BLE001 - the test is told
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert self.error is None

    def wait(self, count):
        def forwarded():
            assert self.error is None, self.error
            return self.metrics.total("attribution_forwarded_messages_total") >= count

        wait_until(forwarded, f"{count} messages forwarded", timeout_s=PATIENCE_S)


def say(real_broker, way, values, *, commit=True):
    """As the job does: in one transaction."""
    producer = Producer({"bootstrap.servers": real_broker.bootstrap, "transactional.id": way.source, "log_level": 0})
    producer.init_transactions(60)
    producer.begin_transaction()
    for value in values:
        producer.produce(way.source, value)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def arrived(real_peer, way):
    found = messages(real_peer.bootstrap, way.target)
    return sorted(message.value() for partition in found for message in partition)


def numbers(first, last):
    return [b"%03d" % number for number in range(first, last)]


def test_what_was_committed_goes_on_and_a_restart_sends_nothing_again(broker, real_broker, real_peer, way):
    say(real_broker, way, numbers(0, 40))
    say(real_broker, way, numbers(900, 910), commit=False)
    with Running(broker, real_peer, way) as forwarder:
        forwarder.wait(40)
        assert forwarder.said == []
    say(real_broker, way, numbers(40, 50))
    with Running(broker, real_peer, way) as forwarder:
        forwarder.wait(10)
    assert arrived(real_peer, way) == numbers(0, 50)
    assert forwarder.metrics.total("attribution_forward_waiting_messages") == 0
    # The marks of the transactions are no messages that somebody still has to read.
    assert forwarder.metrics.total("attribution_forward_lag_messages") == 0


def test_a_peer_that_is_down_is_waited_for(broker, real_broker, real_peer, way):
    say(real_broker, way, numbers(0, 5))
    real_peer.kill()
    with Running(broker, real_peer, way) as forwarder:
        wait_until(lambda: forwarder.said, "a word about the peer", timeout_s=PATIENCE_S)
        assert "trying again" in forwarder.said[0]
        real_peer.start_again()
        forwarder.wait(5)
        # And once more while it runs.
        real_peer.kill()
        say(real_broker, way, numbers(5, 9))
        real_peer.start_again()
        forwarder.wait(9)
    assert sorted(set(arrived(real_peer, way))) == numbers(0, 9)


def test_a_topic_that_is_missing_is_named_until_it_is_there(broker, real_broker, real_peer, prefix):
    create_topics(broker, prefix=prefix, peers=["west"], partitions=1)
    way = Way(region="north", peer="west", prefix=prefix, peer_prefix=prefix)
    say(real_broker, way, numbers(0, 1))
    with Running(broker, real_peer, way) as forwarder:
        wait_until(lambda: forwarder.said, "a word about the topic", timeout_s=PATIENCE_S)
        assert f"there is no topic {prefix}from-north" in forwarder.said[0]
        create_topics(reach(real_peer), prefix=prefix, peers=["north"], partitions=1)
        forwarder.wait(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "a b", "--peer", "west", "--peer-bootstrap-servers", "b:1"], "no region can be called 'a b'"),
        (["--region", "east", "--peer", "west"], "no broker is named"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(arguments, message):
    result = CliRunner().invoke(cli, ["forward", "--bootstrap-servers", "a:1", *arguments])
    assert result.exit_code
    assert message in f"{result.output}{result.exception}"
