"""A real Kafka broker (KRaft, one node) on loopback, from pinned jars."""

import os
import re
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from attribution.errors import ClusterError
from attribution.testbed.cluster.jars import jars
from attribution.testbed.cluster.processes import JAVA, Server, Stopped, free_ports, port_is_free, wait_until

_STARTED = "Kafka Server started"
_FORMAT_TIMEOUT_S = 120
_LOG_SETTINGS = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5p %c{1} - %m%n
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
logger.settings.name = org.apache.kafka.common.config
logger.settings.level = WARN
"""


class Broker(Stopped):
    """One broker that is its own controller, with its data and its log (`kafka.log`) in one folder.

    Use it as a context manager, or call `stop`. Topics are not made by themselves: an unknown topic is an error here as
    it is in production. The data outlive the broker, so that `start_again` goes on from them.
    """

    def __init__(self, server: Server, *, port: int, ports: list[int]) -> None:
        self.server = server
        #: What clients connect to.
        self.bootstrap = f"127.0.0.1:{port}"
        self._ports = ports

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        port: int | None = None,
        protocol: str = "PLAINTEXT",
        scram_users: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        heap: str = "512m",
    ) -> Self:
        """Start a broker and wait until it answers (about three seconds).

        Args:
            folder: For data, log and settings; made if absent. The data of an earlier broker in it are used.
            port: Where clients connect; by default that of the earlier broker, or a free one.
            protocol: Of the clients' listener: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT``, ``SASL_SSL``. What it needs
                (``ssl.keystore.type=PEM``, ``sasl.enabled.mechanisms=SCRAM-SHA-512``, …) goes into `properties`.
            scram_users: Name -> password, made (SCRAM-SHA-512) when the folder is new. The passwords are on the command
                line of the formatting tool for a moment: for tests.
            properties: More of `server.properties`; they win over what is set here.
            heap: Of the Java process, as in ``-Xmx``.

        Raises:
            ClusterError: The broker does not start; with what its log says.
        """
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "server.properties"
        earlier = _ports_of(settings)
        again = len(earlier) == 3 and all(map(port_is_free, earlier))
        spare, internal, controller = earlier if again else free_ports(3)
        port = port or spare
        settings.write_text(
            "".join(
                f"{key}={value}\n"
                for key, value in {
                    **_listeners(protocol, clients=port, internal=internal, controller=controller),
                    **_for_one_node(folder),
                    **(properties or {}),
                }.items()
            ),
            encoding="utf-8",
        )
        log_settings = folder / "log4j2.properties"
        log_settings.write_text(_LOG_SETTINGS, encoding="utf-8")
        java = [
            *(str(JAVA), f"-Xmx{heap}", "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={log_settings}"),
            *("-cp", os.pathsep.join(map(str, jars("broker")))),
        ]
        if not (folder / "data" / "meta.properties").exists():
            _format(java, settings, scram_users or {})
        server = Server(
            "the Kafka broker", folder / "kafka.log", [*java, "kafka.Kafka", str(settings)], environment=os.environ
        )
        broker = cls(server, port=port, ports=[port, internal, controller])
        try:
            broker.start_again()
        except BaseException:
            server.kill()
            raise
        return broker

    def start_again(self) -> None:
        """Start the same broker once more, on the same ports and data; it must have been stopped or killed.

        Raises:
            ClusterError: A port is still taken, or the broker does not start.
        """
        for port in self._ports:
            wait_until(lambda port=port: port_is_free(port), f"port {port} to be free", timeout_s=30)  # type: ignore[misc]
        self.server.start()
        self.server.wait_until(lambda: _STARTED in self.server.output() and _answers(self._ports[1]))

    def stop(self) -> None:
        """Stop the broker; kill it when it does not end."""
        self.server.stop()

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        self.server.kill()


def _ports_of(settings: Path) -> list[int]:
    """The ports of an earlier broker, in the order in which `_listeners` writes them."""
    if not settings.exists():
        return []
    (line,) = re.findall(r"^listeners=(.*)$", settings.read_text(encoding="utf-8"), re.MULTILINE)
    return [int(port) for port in re.findall(r":(\d+)", line)]


def _listeners(protocol: str, *, clients: int, internal: int, controller: int) -> dict[str, str]:
    """Three listeners, so that TLS and SASL of clients do not concern the broker's connections to itself."""
    outward = f"CLIENTS://127.0.0.1:{clients},INTERNAL://127.0.0.1:{internal}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"{outward},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": outward,  # the controller's must not be here
        "listener.security.protocol.map": f"CLIENTS:{protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
    }


def _for_one_node(folder: Path) -> dict[str, str]:
    return {
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        # There is one broker to keep a copy.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # The defaults (50 partitions each, 3 s of waiting for more consumers) are for large fleets of clients.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        # A broker that was killed may come back once its session has ended: 9 s by default.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.dedupe.buffer.size": str(16 << 20),  # 128 MB of a small heap otherwise
    }


def _format(java: list[str], settings: Path, scram_users: Mapping[str, str]) -> None:
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    users = [
        argument
        for name, password in scram_users.items()
        for argument in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
    ]
    # With `=`: one identifier in 64 starts with a dash and would be taken for an option.
    options = ["--standalone", f"--cluster-id={cluster_id}", f"--config={settings}"]
    done = subprocess.run(  # noqa: S603 - the command is made here, of files that we verified
        [*java, "kafka.tools.StorageTool", "format", *options, *users],
        capture_output=True,
        text=True,
        timeout=_FORMAT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        # Not the command: it holds passwords.
        raise ClusterError(f"cannot format the broker's folder {settings.parent}: {done.stdout}{done.stderr}")


def _answers(port: int) -> bool:
    """Whether a broker answers the first request of every client, which asks for the versions that it speaks."""
    api_versions = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, correlation id, no client id
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(api_versions)) + api_versions)
            answer = connection.recv(8)
    except OSError:
        return False
    return len(answer) == 8 and answer[4:] == api_versions[4:8]
