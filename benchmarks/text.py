"""Speed of a replay from text, beside DuckDB's plain conversion of the same text to Parquet, each on one core.

    python benchmarks/text.py --flows 2000000

JSON lines and VPC flow logs (v2) in, Parquet (zstd) out; ours with all rules, against evidence of 100,000 ranges.
DuckDB parses the text and writes it as it is. Engines take turns, each bound to one core; only ratios mean something
on a shared machine.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from fleet_input import Size, make

VPC = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
#: DuckDB writes the texts: both hold the same flows.
TO_JSON = """
    copy (select * exclude (start, "end", hostname), epoch_us(start) as start, epoch_us("end") as "end" from '{flows}')
    to '{out}' (format json)
"""
TO_VPC = """
    copy (select 2 as version, '123456789010' as "account-id", 'eni-' || md5(observer)[:17] as "interface-id",
                 local_address as srcaddr, remote_address as dstaddr, local_port as srcport, remote_port as dstport,
                 protocol, packets_sent as packets, bytes_sent as bytes, epoch_ms(start) // 1000 as start,
                 epoch_ms("end") // 1000 as "end", 'ACCEPT' as action, 'OK' as "log-status" from '{flows}')
    to '{out}' (format csv, delimiter ' ', header true)
"""


def ours(text: str, beats: str, out: str) -> None:
    from attribution.replay import Inputs, Limits, replay

    limits = Limits(workers=1)
    replay(Inputs(flows=[text], heartbeats=[beats]), Path(out), flows_are_heartbeats=False, limits=limits)


def plain(text: str, beats: str, out: str) -> None:  # noqa: ARG001 - it attributes nothing
    read = (
        f"read_json('{text}', format='newline_delimited')"
        if text.endswith("jsonl")
        else f"read_csv('{text}', delim=' ')"
    )
    duckdb.sql(f"set threads = 1; copy (select * from {read}) to '{out}' (format parquet, compression zstd)")


ENGINES = {"ours": ours, "duckdb": plain}


def run(engine: str, text: Path, beats: Path, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one engine on one core, in a process of its own."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--run", engine, str(text), str(beats), str(out)]
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{engine} failed on {text.name}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        ENGINES[sys.argv[2]](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flows, beats = make(folder / "input", Size(options.flows, 100_000, 20_000))
        texts = {"JSON lines": folder / "flows.jsonl", "VPC v2": folder / "flows.log"}
        for text, statement in zip(texts.values(), (TO_JSON, TO_VPC), strict=True):
            duckdb.sql(statement.format(flows=flows, out=text))
        print(f"{options.flows:,} flows, one core, {options.rounds} rounds in turn")
        print(f"{'input':<12}{'engine':<10}{'seconds':>9}{'flows/s':>12}{'CPU s':>8}{'to duckdb':>11}")
        for what, text in texts.items():
            taken = {engine: [] for engine in ENGINES}
            for _ in range(options.rounds):
                for engine in ENGINES:
                    taken[engine].append(run(engine, text, beats, folder))
            for engine, pairs in taken.items():
                wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
                ratio = statistics.median(a[0] / b[0] for a, b in zip(pairs, taken["duckdb"], strict=True))
                print(f"{what:<12}{engine:<10}{wall:>9.2f}{options.flows / wall:>12,.0f}{cpu:>8.2f}{ratio:>11.2f}")


if __name__ == "__main__":
    main()
