"""Speed of a replay of VPC flow logs in the wrappings of those who ship them, beside the plain log.

    python benchmarks/wrapped_logs.py --rows 1000000 --rounds 5

All files hold the same rows, and take turns, each in its own process. A ratio is the plain log's time by that of the
wrapped log in the same round. The median of the rounds is printed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

STREAM = "eni-0a1b2c3d4e5f6a7b8-all"
TIME = "2026-03-02T10:00:01.000Z"
#: Events in one object of a CloudWatch subscription.
_TOGETHER = 200


def rows(count: int) -> Iterator[str]:
    """Rows of the default format."""
    for n in range(count):
        start = 1772445601 + n // 500
        ends = f"10.0.{n % 13}.{n % 251} 10.0.{n % 17}.{n % 241} {32768 + n % 28000} 443 6"
        counts = f"{n % 91 + 1} {n % 9100 + 40} {start} {start + 40}"
        yield f"2 123456789012 eni-0a1b2c3d4e5f{n % 97:05x} {ends} {counts} ACCEPT OK"


def subscription(lines: Iterable[str]) -> Iterator[str]:
    """Objects as CloudWatch sends them, nothing between them."""
    about = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/vpc", "logStream": STREAM}
    following = iter(lines)
    while some := list(islice(following, _TOGETHER)):
        events = [{"id": str(3195310660696 + n), "timestamp": 1772445601000, "message": m} for n, m in enumerate(some)]
        yield json.dumps({**about, "subscriptionFilters": ["all"], "logEvents": events})


def insights(lines: Iterable[str]) -> Iterator[str]:
    """CSV of CloudWatch Insights."""
    yield "@timestamp,@message\n"
    yield from (f'2026-03-02 10:00:01.000,"{line}"\n' for line in lines)


WRAPPINGS: dict[str, Callable[[Iterable[str]], Iterable[str]]] = {
    "plain": lambda lines: (f"{line}\n" for line in lines),
    "CloudWatch subscription": subscription,
    "Firehose": lambda lines: (f"{json.dumps({'message': line})}\n" for line in lines),
    "Fluent Bit": lambda lines: (f"{json.dumps({'date': 1772445610.1, 'log': line})}\n" for line in lines),
    "aws logs tail": lambda lines: (f"{TIME} {STREAM} {line}\n" for line in lines),
    "Insights, CSV": insights,
    "CRI": lambda lines: (f"{TIME} stdout F {line}\n" for line in lines),
}


def run(log: Path, folder: Path) -> tuple[float, float]:
    """Seconds of waiting and of processor time of one replay."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    words = [sys.executable, "-m", "attribution", "replay", "--flows", str(log), "--out", str(folder / "lake")]
    began = time.perf_counter()
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(sys.executable, [*words, "--workers", "1"], os.environ, file_actions=silent)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"the replay of {log} failed with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Make the logs, replay them in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, wrap in enumerate(WRAPPINGS.values()):
            with (folder / f"{place}.log").open("w") as file:
                file.writelines(wrap(rows(given.rows)))
        costs: dict[str, list[tuple[float, float]]] = {wrapping: [] for wrapping in WRAPPINGS}
        for _ in range(given.rounds):
            for place, wrapping in enumerate(WRAPPINGS):
                costs[wrapping].append(run(folder / f"{place}.log", folder))
    print(f"{given.rows:,} rows, {given.rounds} rounds in turn, one worker")
    print(f"{'log':<26}{'seconds':>9}{'CPU s':>8}{'speed to plain':>16}{'by CPU':>8}")
    for wrapping, found in costs.items():
        ratios = [median(p[i] / f[i] for p, f in zip(costs["plain"], found, strict=True)) for i in (0, 1)]
        seconds, cpu = (median(values) for values in zip(*found, strict=True))
        print(f"{wrapping:<26}{seconds:>9.2f}{cpu:>8.2f}{ratios[0]:>16.2f}{ratios[1]:>8.2f}")


if __name__ == "__main__":
    main()
