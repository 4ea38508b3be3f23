"""A client of the shared broker, and topics of its own for each test."""

import secrets

import pytest

from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.kafka.topic_setup import create_topics


@pytest.fixture
def broker(real_broker):
    return Broker(KafkaSettings(bootstrap_servers=real_broker.bootstrap))


@pytest.fixture
def unused():
    """A prefix of topics that nobody has made."""
    return f"test-{secrets.token_hex(4)}."


@pytest.fixture
def prefix(broker, unused):
    """The prefix of topics that were made for this test, with three partitions each."""
    create_topics(broker, prefix=unused, partitions=3)
    return unused
