"""Every verb over TLS with SCRAM, certificates made here; what is wrong is said, secrets are not."""

import json
import os
import subprocess
import sys

import pytest
import trustme
from confluent_kafka import Producer
from secured import scram_over_tls
from streamed import T0, attributed, numbers_in

from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.wire import codec
from attribution.testbed.cluster.kafka import Broker as RealBroker

USER, PASSWORD = "attribution", 'geheim "\\; 1'


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A broker that wants both, and the settings of a client as a file; the password in another one."""
    folder = tmp_path_factory.mktemp("secured")
    properties = scram_over_tls(folder)
    (folder / "password").write_text(PASSWORD + "\n")
    users = {USER: PASSWORD}
    with RealBroker.start(folder / "kafka", protocol="SASL_SSL", scram_users=users, properties=properties) as broker:
        settings = {
            "bootstrap_servers": broker.bootstrap,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "username": USER,
            "password_file": str(folder / "password"),
            "ca_file": str(folder / "ca.pem"),
        }
        (folder / "kafka.json").write_text(json.dumps({"kafka": settings}))
        yield folder / "kafka.json"


def run(*arguments, **environment):
    variables = {name: value for name, value in os.environ.items() if "ATTRIBUTION" not in name}
    call = [sys.executable, "-m", "attribution", *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=variables | environment)
    assert PASSWORD not in done.stdout + done.stderr
    return done


def test_every_verb_works_over_tls_with_a_password(secured, tmp_path):
    connection = ("--kafka-config", secured)
    assert run("topics", "create", *connection, "--partitions", 1).returncode == 0
    flows = tmp_path / "flows"
    flows.write_text(json.dumps({"start": T0, "end": T0, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}))
    done = run("publish", *connection, "--flows", flows, "--finish")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 rows delivered")
    (message,) = codec.encode("attributed_flow", attributed(range(10)))
    producer = Producer(KafkaSettings.load(secured, environment={}).librdkafka())
    producer.produce("attributed-flows", message.value, timestamp=message.timestamp_ms)
    assert producer.flush(30) == 0
    done = run("lake", *connection, "--out", tmp_path / "lake", "--stop-at-end")
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers_in(tmp_path / "lake") == list(range(10))


@pytest.mark.parametrize(
    ("environment", "status", "found"),
    [
        ({"ATTRIBUTION_KAFKA_PASSWORD": "wrong"}, 1, "SASL authentication error"),
        ({"ATTRIBUTION_KAFKA_CA_FILE": __file__}, 2, "is no PEM file"),
    ],
)
def test_what_is_wrong_is_one_clear_message(secured, environment, status, found):
    done = run("topics", "check", "--kafka-config", secured, **environment)
    assert done.returncode == status
    assert found in done.stderr.splitlines()[-1]
    assert "wrong" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_whose_certificate_nobody_signed_is_not_talked_to(secured, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    done = run("topics", "check", "--kafka-config", secured, ATTRIBUTION_KAFKA_CA_FILE=str(tmp_path / "other.pem"))
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
