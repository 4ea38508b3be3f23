"""Speed of a replay beside bare as-of joins and a plain copy, on the same input in the same run.

    python benchmarks/replay.py                       # the comparison, then growth
    python benchmarks/replay.py --flows 20000000 --engines ours --rounds 1

Engines take turns; only ratios mean something on a shared machine, and those of processor time more than those of
waiting. The floor is DuckDB's copy of the flows. Memory is the largest resident set of the engine's process.
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

from engines import ENGINES
from fleet_input import Size, make

FLOOR = "duckdb_copy"
#: As installed: with the modules compiled once, whatever the shell says.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Cost(NamedTuple):
    """What one run of an engine took."""

    seconds: float
    cpu: float
    peak: int


def run(engine: str, flows: Path, beats: Path, folder: Path) -> Cost:
    """The cost of one engine, in a process of its own: wall and CPU seconds, bytes."""
    out = folder / f"out-{engine}"
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    script = str(Path(__file__).with_name("engines.py"))
    began = time.perf_counter()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, script, engine, str(flows), str(beats), str(out)], ENVIRONMENT
    )
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{engine} failed with status {os.waitstatus_to_exitcode(status)}")
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def compare(size: Size, engines: list[str], rounds: int, folder: Path) -> None:
    flows, beats = make(folder / "input", size)
    print(f"\n{size}; {rounds} rounds in turn; {os.cpu_count()} cores")
    costs: dict[str, list[Cost]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine in engines:
            costs[engine].append(run(engine, flows, beats, folder))
    floor = costs.get(FLOOR)
    print(f"{'engine':<28}{'seconds':>9}{'flows/s':>12}{'to floor':>10}{'CPU s':>8}{'to floor':>10}{'peak MiB':>10}")
    for engine, found in costs.items():
        seconds, cpu, peak = (median(values) for values in zip(*found, strict=True))
        ratios = ["", ""]
        if floor:
            ratios = [f"{median(a[i] / b[i] for a, b in zip(found, floor, strict=True)):.2f}" for i in (0, 1)]
        print(
            f"{engine:<28}{seconds:>9.2f}{size.flows / seconds:>12,.0f}{ratios[0]:>10}{cpu:>8.2f}{ratios[1]:>10}"
            f"{peak / 2**20:>10,.0f}"
        )


def grow(full: Size, rounds: int, folder: Path) -> None:
    """CPU seconds of ours as one thing at a time grows tenfold, up to the full size."""
    tenth = {
        "flows": Size(full.flows // 10, full.ranges, full.addresses),
        "ranges": Size(full.flows, full.ranges // 10, full.addresses // 10),
        "addresses": Size(full.flows, full.ranges, full.addresses // 10),
    }
    print("\nours, as one thing grows tenfold (ranges grow with their addresses)")
    for what, small in tenth.items():
        inputs = {size: make(folder / f"grow-{what}-{i}", size) for i, size in enumerate((small, full))}
        ratios, taken = [], {}
        for _ in range(rounds):
            for size, (flows, beats) in inputs.items():
                taken[size] = run("ours", flows, beats, folder).cpu
            ratios.append(taken[full] / taken[small])
        print(f"  {what:<10} {taken[small]:>7.2f} s -> {taken[full]:>7.2f} s  ({median(ratios):.2f} times)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=Size.flows)
    parser.add_argument("--ranges", type=int, default=Size.ranges)
    parser.add_argument("--addresses", type=int, default=Size.addresses)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--growth", action="store_true", help="Also measure how the cost grows.")
    options = parser.parse_args()
    size = Size(options.flows, options.ranges, options.addresses)
    with tempfile.TemporaryDirectory() as folder:
        compare(size, options.engines, options.rounds, Path(folder))
        if options.growth:
            grow(size, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
