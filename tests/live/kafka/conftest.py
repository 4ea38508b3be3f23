"""A real broker for all tests of a process, and topics of its own for each test."""

import secrets

import pytest
from confluent_kafka import Consumer, TopicPartition

from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.kafka.topic_setup import create_topics
from attribution.testbed.cluster.kafka import Broker as RealBroker


@pytest.fixture(scope="session")
def real_broker(tmp_path_factory):
    with RealBroker.start(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def broker(real_broker):
    return Broker(KafkaSettings(bootstrap_servers=real_broker.bootstrap))


@pytest.fixture
def prefix(broker):
    """The prefix of topics that were made for this test, with three partitions each."""
    prefix = f"test-{secrets.token_hex(4)}."
    create_topics(broker, prefix=prefix, partitions=3)
    return prefix


def messages(servers, topic, **config):
    """Everything in a topic, as lists of messages by partition."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False, **config})
    found = []
    try:
        for partition in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions):
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            found.append([])
            while not found[-1] or found[-1][-1].offset() < end - 1:
                if not end:
                    break
                message = consumer.poll(10)
                assert message is not None, f"{topic} ends at {end}, found {len(found[-1])}"
                assert message.error() is None, message.error()
                found[-1].append(message)
    finally:
        consumer.close()
    return found
