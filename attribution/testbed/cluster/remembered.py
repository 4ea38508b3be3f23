"""Writes down the servers that outlive the process which started them, so that another process can end them."""

import json
from collections.abc import Iterable
from pathlib import Path

import psutil

from attribution.testbed.cluster.processes import Server, end_processes

_FILE = "processes.json"


def remember(folder: Path, servers: Iterable[Server]) -> None:
    """Write down the process ids of servers, each with its time of birth, because process ids are used again."""
    born = {str(server.pid): psutil.Process(server.pid).create_time() for server in servers}
    (folder / _FILE).write_text(json.dumps(born), encoding="utf-8")


def still_running(folder: Path) -> list[int]:
    """Process ids of the servers that were written down and still live."""
    file = folder / _FILE
    if not file.exists():
        return []
    born: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return [int(pid) for pid, at in born.items() if _birth(int(pid)) == at]


def end_all(folder: Path) -> int:
    """End the servers that were written down, and their child processes; returns the number of servers."""
    pids = still_running(folder)
    started = [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    end_processes([*pids, *started])
    (folder / _FILE).unlink(missing_ok=True)
    return len(pids)


def _birth(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
