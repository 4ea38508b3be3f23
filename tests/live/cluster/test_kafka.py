"""A real broker: it comes back with its data, and talks TLS and SASL where it is told to."""

import socket

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from secured import scram_over_tls

from attribution.errors import ClusterError
from attribution.testbed.cluster.kafka import Broker


def silent(*_):
    """For errors that a test expects; librdkafka would print them."""


def make_topic(bootstrap, name, **settings):
    client = AdminClient({"bootstrap.servers": bootstrap, "error_cb": silent, **settings})
    client.create_topics([NewTopic(name, 1, 1)], request_timeout=20)[name].result()
    return topics(bootstrap, **settings)


def topics(bootstrap, **settings):
    client = AdminClient({"bootstrap.servers": bootstrap, "error_cb": silent, "log_level": 0, **settings})
    return set(client.list_topics(timeout=10).topics)


def test_a_broker_that_is_killed_or_stopped_comes_back_at_the_same_address_with_its_data(tmp_path):
    with Broker.start(tmp_path) as broker:
        make_topic(broker.bootstrap, "one")
        broker.kill()
        with pytest.raises(KafkaException):
            topics(broker.bootstrap)
        broker.start_again()
        assert topics(broker.bootstrap) == {"one"}
        broker.stop()
        broker.start_again()
        assert topics(broker.bootstrap) == {"one"}
    assert not broker.server.running
    with Broker.start(tmp_path) as another:
        assert another.bootstrap == broker.bootstrap
        assert topics(another.bootstrap) == {"one"}


def test_a_folder_whose_ports_are_taken_is_used_at_others(tmp_path):
    with Broker.start(tmp_path) as broker:
        make_topic(broker.bootstrap, "one")
    with socket.create_server(("127.0.0.1", int(broker.bootstrap.rpartition(":")[2]))), Broker.start(tmp_path) as other:
        assert other.bootstrap != broker.bootstrap
        assert topics(other.bootstrap) == {"one"}


def test_clients_need_the_certificate_and_the_password_where_the_listener_asks_for_them(tmp_path):
    properties = scram_over_tls(tmp_path)
    client = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "writer",
        "sasl.password": "the-secret",
    }
    with Broker.start(
        tmp_path / "kafka", protocol="SASL_SSL", scram_users={"writer": "the-secret"}, properties=properties
    ) as broker:
        assert make_topic(broker.bootstrap, "one", **client) == {"one"}
        with pytest.raises(KafkaException):
            topics(broker.bootstrap, **client | {"sasl.password": "another"})
        with pytest.raises(KafkaException):
            topics(broker.bootstrap)


def test_a_broker_that_cannot_start_says_why(tmp_path):
    with pytest.raises(ClusterError, match=r"(?s)the Kafka broker ended while.*key store password is not"):
        Broker.start(tmp_path, protocol="SSL", properties={"ssl.keystore.location": "server.pem"})


def test_a_folder_that_cannot_be_formatted_is_told_without_the_passwords(tmp_path):
    with pytest.raises(ClusterError, match="cannot format") as error:
        Broker.start(tmp_path, scram_users={"writer": "short]"}, properties={"node.id": "-7"})
    assert "short" not in str(error.value)
