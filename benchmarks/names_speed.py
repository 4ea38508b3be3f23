"""Speed of a replay with name and pool look-ups beside the same replay without, on the same flows in the same run.

    python benchmarks/names_speed.py
    python benchmarks/names_speed.py --flows 1000000 --bindings 5000000 --rounds 1

Engines take turns, each in a process of its own; only ratios mean something on a shared machine, and those of processor
time more than those of waiting. The flows, and the heartbeats of their ends, are the same for all of them.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from names_input import POOL, Size, make

#: What each engine reads beside flows and heartbeats, and whether it knows the pool space.
ENGINES = {
    "without": ((), False),
    "names": (("name_bindings",), False),
    "pools": (("policies", "socket_rules"), True),
    "names_and_pools": (("name_bindings", "policies", "socket_rules"), True),
}
FLOOR = "without"
#: As installed: with the modules compiled once, whatever the shell says.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Cost(NamedTuple):
    """What one run of an engine took."""

    seconds: float
    cpu: float
    peak: int


def engine(name: str, folder: Path, out: Path) -> None:
    """Run one engine in this process."""
    from attribution.config import Settings
    from attribution.replay import Inputs, replay

    kinds, in_pool = ENGINES[name]
    files = {kind: [folder / f"{kind}.parquet"] for kind in ("flows", "heartbeats", *kinds)}
    settings = Settings(pool_prefixes=(POOL,) if in_pool else (), named_prefixes=("10.0.0.0/8",))
    # The ranges are the evidence here, as in `benchmarks/replay.py`; flows are not to be heartbeats on top of it.
    summary = replay(Inputs(**files), out, settings=settings, flows_are_heartbeats=False)
    print(f"  {name}: {summary.slabs} slabs", file=sys.stderr)


def run(name: str, folder: Path) -> Cost:
    """The cost of one engine, in a process of its own: wall and CPU seconds, bytes."""
    out = folder / f"out-{name}"
    command = [sys.executable, str(Path(__file__)), "--engine", name, str(folder), str(out)]
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, command, ENVIRONMENT)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{name} failed with status {os.waitstatus_to_exitcode(status)}")
    named = _named(out)
    shutil.rmtree(out)
    print(f"  {name}: {seconds:.1f} s, {named}", file=sys.stderr)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _named(lake: Path) -> str:
    """How many flows have a name, and a pool."""
    import pyarrow.dataset as ds

    flows = ds.dataset(lake / "attributed_flows", format="parquet", partitioning="hive")
    counts = {name: flows.count_rows(filter=ds.field(name).is_valid()) for name in ("remote_hostname", "remote_pool")}
    return ", ".join(f"{name} of {count:,} flows" for name, count in counts.items())


def compare(size: Size, engines: list[str], rounds: int, folder: Path) -> None:
    made = make(folder, size)
    print(f"{size}; {made.distinct:,} different names told; {rounds} rounds in turn; {os.cpu_count()} cores")
    costs: dict[str, list[Cost]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name in engines:
            costs[name].append(run(name, folder))
    print(
        f"{'engine':<18}{'seconds':>9}{'flows/s':>12}{'to without':>12}{'CPU s':>8}{'to without':>12}{'peak MiB':>10}"
    )
    for name, found in costs.items():
        seconds, cpu, peak = (median(values) for values in zip(*found, strict=True))
        floor = costs[FLOOR]
        ratios = [median(one[i] / other[i] for one, other in zip(found, floor, strict=True)) for i in (0, 1)]
        print(
            f"{name:<18}{seconds:>9.2f}{size.flows / seconds:>12,.0f}{ratios[0]:>12.2f}{cpu:>8.2f}{ratios[1]:>12.2f}"
            f"{peak / 2**20:>10,.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=Size.flows)
    parser.add_argument("--names", type=int, default=Size.names, help="names that answers are drawn from")
    parser.add_argument("--bindings", type=int, default=Size.bindings)
    parser.add_argument("--pool-share", type=float, default=Size.pool_share)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--engine", nargs=3, metavar=("NAME", "FOLDER", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        engine(given.engine[0], Path(given.engine[1]), Path(given.engine[2]))
        return
    engines = [FLOOR, *(name for name in given.engines if name != FLOOR)]
    size = Size(given.flows, given.names, given.bindings, given.pool_share)
    with tempfile.TemporaryDirectory() as folder:
        compare(size, engines, given.rounds, Path(folder))


if __name__ == "__main__":
    main()
