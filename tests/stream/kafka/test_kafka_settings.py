"""Kafka settings: from file and environment, checked, rendered for both kinds of clients, and never shown."""

import json
import sys

import pytest
from click.testing import CliRunner

from attribution.cli import cli
from attribution.config import Settings
from attribution.errors import BrokerError, ConfigError
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.topics import TOPICS, topic_of

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n"
SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"}


@pytest.fixture
def tls(tmp_path):
    files = {"ca_file": PEM, "certificate_file": PEM, "key_file": KEY}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in files}


def settings(**values):
    return KafkaSettings(**{"bootstrap_servers": "localhost:9092"} | values)


def test_plain_settings_name_the_brokers_only():
    expected = {"bootstrap.servers": "a:1,[::1]:2", "security.protocol": "PLAINTEXT"}
    found = settings(bootstrap_servers="a:1,[::1]:2")
    assert found.librdkafka() == expected
    assert found.java() == expected


def test_sasl_over_tls_is_rendered_for_both_kinds_of_clients(tls):
    found = settings(**SASL | {"security_protocol": "SASL_SSL", "password": 'p"\\;'}, **tls | {"key_password": "k"})
    assert found.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": 'p"\\;',
        "ssl.ca.location": str(tls["ca_file"]),
        "ssl.certificate.location": str(tls["certificate_file"]),
        "ssl.key.location": str(tls["key_file"]),
        "ssl.key.password": "k",
    }
    login = 'common.security.scram.ScramLoginModule required username="u" password="p\\"\\\\;";'
    assert found.java() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f"org.apache.kafka.{login}",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": PEM,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": PEM,
        "ssl.keystore.key": KEY,
        "ssl.key.password": "k",
    }
    assert found.java(shaded=True)["sasl.jaas.config"] == f"org.apache.flink.kafka.shaded.org.apache.kafka.{login}"


def test_secrets_are_not_shown():
    shown = repr(settings(**SASL | {"username": "geheim", "password": "secret"}))
    assert "geheim" not in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bootstrap_servers": "localhost"}, "cannot read 'localhost': write host:port"),
        ({"security_protocol": "TLS"}, "security_protocol must be one of PLAINTEXT, .*found 'TLS'"),
        ({"password": "p"}, "password is set, but security_protocol is PLAINTEXT and would not use it"),
        (SASL | {"username": None}, "SASL_PLAINTEXT needs username"),
        (SASL | {"sasl_mechanism": "GSSAPI"}, "sasl_mechanism must be one of PLAIN, .*found 'GSSAPI'"),
        (SASL | {"key_password": "k"}, "key_password is set, but .* is not encrypted"),
    ],
)
def test_settings_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        settings(**values)


def test_certificate_files_are_looked_at(tls, tmp_path):
    with pytest.raises(ConfigError, match="certificate_file and key_file belong together"):
        settings(security_protocol="SSL", certificate_file=tls["certificate_file"])
    with pytest.raises(ConfigError, match=r"cannot read ca_file .*nowhere: No such file"):
        settings(security_protocol="SSL", ca_file=tmp_path / "nowhere")
    tls["ca_file"].write_text("MII=")
    with pytest.raises(ConfigError, match="is no PEM file"):
        settings(security_protocol="SSL", ca_file=tls["ca_file"])
    tls["key_file"].write_text(KEY.replace("PRIVATE", "RSA PRIVATE"))
    found = settings(security_protocol="SSL", certificate_file=tls["certificate_file"], key_file=tls["key_file"])
    with pytest.raises(ConfigError, match="not PKCS #8; convert it"):
        found.java()


TOML = '[kafka]\nbootstrap_servers = "file:1"\nsecurity_protocol = "sasl_plaintext"\nsasl_mechanism = "PLAIN"\n'


def test_the_environment_wins_over_the_file_and_secrets_may_have_files_of_their_own(tmp_path):
    (tmp_path / "secret").write_text("of a file\n")
    path = tmp_path / "kafka.toml"
    path.write_text(TOML + f'username = "u"\npassword_file = "{tmp_path / "secret"}"\n[attribution]\nhold = "5m"\n')
    assert Settings.from_toml(path).hold == 300_000_000
    found = KafkaSettings.load(path, environment={"ATTRIBUTION_KAFKA_USERNAME": "v", "HOME": "x"})
    assert found == settings(
        bootstrap_servers="file:1",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        username="v",
        password="of a file",  # noqa: S106 - the one above
    )
    found = KafkaSettings.load(path, environment={"ATTRIBUTION_KAFKA_PASSWORD": "w"}, bootstrap_servers="option:1")
    assert (found.password, found.bootstrap_servers) == ("w", "option:1")


def test_json_is_read_and_the_environment_alone_is_enough(tmp_path):
    path = tmp_path / "kafka.json"
    path.write_text(json.dumps({"kafka": {"bootstrap_servers": "json:1"}}))
    assert KafkaSettings.load(path, environment={}) == settings(bootstrap_servers="json:1")
    variables = {"ATTRIBUTION_KAFKA_BOOTSTRAP_SERVERS": "e:1"}
    assert KafkaSettings.load(environment=variables) == settings(bootstrap_servers="e:1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kafka]\npasswd = 'secret'", "unknown setting 'passwd'; the settings are bootstrap_servers"),
        ("[kafka]\n'isolation.level' = 'read_uncommitted'", "unknown setting 'isolation.level'; the settings are"),
        ("[kafka]\nbootstrap_servers = 9092", "bootstrap_servers must be text, found int"),
        ("[kafka]\n", "no broker is named: set bootstrap_servers"),
        ("password = 'secret", "are no TOML$"),
        ("bootstrap_servers = 'a:1'", r"stand in one table, \[kafka\]"),
        (TOML + "username = 'u'\npassword = 'secret'\npassword_file = 'x'", "password and password_file are both set"),
        (TOML + "username = 'u'\npassword_file = '/no/where'", "cannot read password_file /no/where: No such file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_without_showing_secrets(tmp_path, text, message):
    (tmp_path / "kafka.toml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        KafkaSettings.load(tmp_path / "kafka.toml", environment={})
    assert "secret" not in str(caught.value)


def test_topics_have_a_common_prefix():
    assert [topic_of(kind) for kind in ("flow", "name_binding", "dead_letter")] == [
        "flows",
        "name-bindings",
        "dead-letters",
    ]
    assert topic_of("flow", prefix="prod.") == "prod.flows"
    assert len(set(TOPICS.values())) == len(TOPICS) == 9
    with pytest.raises(ConfigError, match="the topic prefix 'a/b' does not fit"):
        topic_of("flow", prefix="a/b")


def test_a_client_library_that_is_not_installed_is_one_clear_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    arguments = ["topics", "check", "--bootstrap-servers", "localhost:9092"]
    with pytest.raises(BrokerError, match=r"needs Kafka's client, which is not installed .*flow-attribution\[kafka\]"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)
