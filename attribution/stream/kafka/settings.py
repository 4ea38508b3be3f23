"""How to reach Kafka: one frozen object for every client, from a file and the environment, its secrets never shown."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from attribution.config import TABLES
from attribution.errors import ConfigError, unknown_name
from attribution.origins import Given

#: What the names of environment variables begin with; `password` is `ATTRIBUTION_KAFKA_PASSWORD`.
ENVIRONMENT_PREFIX = "ATTRIBUTION_KAFKA_"

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
#: SASL mechanism -> the Java class that speaks it, below the package of Kafka's clients.
MECHANISMS = {
    "PLAIN": "common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "common.security.scram.ScramLoginModule",
}
#: Settings that may be given as the name of a file that holds them, under their own name and this ending.
SECRETS = ("username", "password", "key_password")
_OF_FILE = "_file"

#: What every consumer reads. A row of an aborted transaction was never said: an owner that it names may be none.
READ_COMMITTED = {"isolation.level": "read_committed"}

_SERVERS = re.compile(r"\s*(?:\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}\s*")
_TABLE = "kafka"


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """What a client needs to reach the brokers.

    Attributes:
        bootstrap_servers: `host:port`, several separated by commas.
        security_protocol: one of `PROTOCOLS`.
        sasl_mechanism: one of `MECHANISMS`; for the SASL protocols.
        username: for SASL.
        password: for SASL.
        ca_file: PEM file of the authorities that sign the brokers' certificates; by default the system's authorities.
        certificate_file: PEM file of the client's own certificate chain, where brokers ask for one.
        key_file: PEM file of its private key, PKCS #8.
        key_password: of an encrypted private key.
    """

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        servers = self.bootstrap_servers.split(",")
        if not all(_SERVERS.fullmatch(server) for server in servers):
            raise ConfigError(
                f"bootstrap_servers: cannot read {self.bootstrap_servers!r}: write host:port, several with commas"
            )
        if self.security_protocol not in PROTOCOLS:
            raise ConfigError(
                f"security_protocol must be one of {', '.join(PROTOCOLS)}, found {self.security_protocol!r}"
            )
        self._check_sasl()
        self._check_tls()

    def _check_sasl(self) -> None:
        given = {name: getattr(self, name) for name in ("sasl_mechanism", "username", "password")}
        if not self.security_protocol.startswith("SASL_"):
            unused = [name for name, value in given.items() if value is not None]
            if unused:
                raise ConfigError(
                    f"{unused[0]} is set, but security_protocol is {self.security_protocol} and would not use it; "
                    "SASL_SSL would"
                )
            return
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise ConfigError(f"security_protocol {self.security_protocol} needs {missing[0]}")
        if self.sasl_mechanism not in MECHANISMS:
            raise ConfigError(f"sasl_mechanism must be one of {', '.join(MECHANISMS)}, found {self.sasl_mechanism!r}")

    def _check_tls(self) -> None:
        given = {name: getattr(self, name) for name in ("ca_file", "certificate_file", "key_file", "key_password")}
        if not self.security_protocol.endswith("SSL"):
            unused = [name for name, value in given.items() if value is not None]
            if unused:
                raise ConfigError(
                    f"{unused[0]} is set, but security_protocol is {self.security_protocol}, which is not encrypted; "
                    "SSL or SASL_SSL would use it"
                )
        if (self.certificate_file is None) != (self.key_file is None):
            raise ConfigError("certificate_file and key_file belong together; one of them is missing")
        for name in ("ca_file", "certificate_file", "key_file"):
            if given[name] is not None:
                _pem(given[name], name)

    def librdkafka(self) -> dict[str, str]:
        """The settings as clients of librdkafka (confluent-kafka, kcat) take them."""
        return _without_none(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "security.protocol": self.security_protocol,
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
                "ssl.ca.location": self.ca_file,
                "ssl.certificate.location": self.certificate_file,
                "ssl.key.location": self.key_file,
                "ssl.key.password": self.key_password,
            }
        )

    def java(self, *, shaded: bool = False) -> dict[str, str]:
        """The settings as Kafka's Java clients and Flink's connector take them, certificates included.

        Nothing but these properties has to reach the machines on which a client runs.

        Args:
            shaded: whether the client stands in Flink's fat jar (`flink-sql-connector-kafka`), whose classes have other
                names.

        Raises:
            ConfigError: the private key is in a form that Java does not read.
        """
        properties: dict[str, str | None] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
        }
        if self.sasl_mechanism is not None:
            package = "org.apache.flink.kafka.shaded.org.apache.kafka" if shaded else "org.apache.kafka"
            login = f"{package}.{MECHANISMS[self.sasl_mechanism]}"
            user, password = _jaas(self.username), _jaas(self.password)
            properties["sasl.jaas.config"] = f"{login} required username={user} password={password};"
        if self.ca_file is not None:
            properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _pem(self.ca_file, "ca_file")}
        if self.certificate_file is not None and self.key_file is not None:
            properties |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.certificate.chain": _pem(self.certificate_file, "certificate_file"),
                "ssl.keystore.key": _pkcs8(self.key_file),
                "ssl.key.password": self.key_password,
            }
        return _without_none(properties)

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        environment: Mapping[str, str] = os.environ,
        bootstrap_servers: str | None = None,
    ) -> Self:
        """Settings of a file and the environment, which wins over the file.

        Secrets may stand in files of their own: `password_file`, or `ATTRIBUTION_KAFKA_PASSWORD_FILE`, names one.

        Args:
            path: TOML with a table `[kafka]`, or JSON with an object `kafka`.
            environment: variables `ATTRIBUTION_KAFKA_…`, one a setting.
            bootstrap_servers: wins over both.

        Raises:
            ConfigError: a file cannot be read, or a setting is unknown, missing or does not fit.
        """
        given = given_kafka(path, environment=environment, bootstrap_servers=bootstrap_servers)
        values = {name: str(one.value) for name, one in given.items()}
        if not values.get("bootstrap_servers"):
            raise ConfigError(
                "no broker is named: set bootstrap_servers with --bootstrap-servers, in the file of --kafka-config, "
                f"or as {ENVIRONMENT_PREFIX}BOOTSTRAP_SERVERS"
            )
        made: dict[str, Any] = {name: _value(name, text) for name, text in _secrets_read(values).items()}
        return cls(**made)


def given_kafka(
    path: Path | None, *, environment: Mapping[str, str] = os.environ, bootstrap_servers: str | None = None
) -> dict[str, Given]:
    """What is given of the settings, all of it text; arguments and errors are those of `KafkaSettings.load`."""
    values = {} if path is None else _known(_table(path), str(path))
    given = {name: Given(text, str(path)) for name, text in values.items()}
    for name, text in _of_environment(environment).items():
        # A secret in the environment replaces that of the file, however either is given.
        other = name.removesuffix(_OF_FILE) if name.endswith(_OF_FILE) else name + _OF_FILE
        if other.removesuffix(_OF_FILE) in SECRETS:
            given.pop(other, None)
        given[name] = Given(text, f"{ENVIRONMENT_PREFIX}{name.upper()}")
    if bootstrap_servers is not None:
        given["bootstrap_servers"] = Given(bootstrap_servers, "--bootstrap-servers")
    return given


def _names() -> list[str]:
    return [f.name for f in fields(KafkaSettings)] + [name + _OF_FILE for name in SECRETS]


def _known(values: Mapping[str, object], where: str) -> dict[str, str]:
    """The values, which are text of settings that there are."""
    known = {}
    for name, value in values.items():
        if name not in _names():
            raise ConfigError(unknown_name(where, "setting", name, _names()))
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {name} must be text, found {type(value).__name__}")
        known[name] = value
    return known


def _of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    return _known(found, f"environment variables {ENVIRONMENT_PREFIX}…")


def _table(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        document: object = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read the Kafka settings {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError):
        # What the parser found is left out: it may show a secret.
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigError(f"the Kafka settings {path} are no {kind}") from None
    tables = document if isinstance(document, dict) else {}
    table = tables.get(_TABLE)
    if not isinstance(table, dict) or set(tables) - set(TABLES):
        raise ConfigError(f"{path}: the Kafka settings stand in one table, [{_TABLE}]")
    return table


def _secrets_read(values: Mapping[str, str]) -> dict[str, str]:
    """The values with the content of secret files in place of their names."""
    found = dict(values)
    for name in SECRETS:
        place = found.pop(name + _OF_FILE, None)
        if place is None:
            continue
        if name in found:
            raise ConfigError(f"{name} and {name}{_OF_FILE} are both set; leave one out")
        try:
            found[name] = Path(place).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {name}{_OF_FILE} {place}: {_why(error)}") from None
    return found


def _value(name: str, text: str) -> str | Path:
    if name.endswith(_OF_FILE):
        return Path(text)
    return text.upper() if name == "security_protocol" else text


def _pem(path: Path, name: str) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {name} {path}: {_why(error)}") from None
    if "-----BEGIN " not in text:
        raise ConfigError(f"{name} {path} is no PEM file: it has no line that starts with -----BEGIN")
    return text


def _why(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or "not readable") if isinstance(error, OSError) else "it is no text"


def _pkcs8(path: Path) -> str:
    text = _pem(path, "key_file")
    if "PRIVATE KEY-----" in text and not re.search(r"-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----", text):
        raise ConfigError(f"key_file {path} is not PKCS #8; convert it: openssl pkcs8 -topk8 -in KEY -out KEY.pk8")
    return text


def _jaas(text: str | None) -> str:
    """Text between quotes as JAAS configurations have it."""
    escaped = (text or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _without_none(values: Mapping[str, str | Path | None]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
