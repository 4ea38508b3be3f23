"""Speed of a replay from text, beside others that read the same text, each on one core.

    python benchmarks/text.py --flows 2000000
    python benchmarks/text.py --flowlogs-pipeline ~/flowlogs-pipeline/flowlogs-pipeline

JSON lines and VPC flow logs (v2) in, Parquet (zstd) out; ours with all rules, against evidence of 100,000 ranges.
DuckDB parses the text and writes it as it is, to Parquet too. NetObserv's flowlogs-pipeline, if a binary is given,
reads the JSON lines, adds the label of one subnet to each and writes JSON. It reads no VPC text, so ours is compared
with its JSON. Engines take turns, each bound to one core. Only ratios mean something on a shared machine, and those of
processor time, in which the others' share of a core does not count.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from fleet_input import Size, make
from replay import ENVIRONMENT

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


def flowlogs_pipeline(text: str, binary: str, out: str) -> None:
    """Become the pipeline, its output in `out`; it stops when the file ends."""
    config = Path(out).with_suffix(".yaml")
    config.write_text(json.dumps(pipeline_config(text)))
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, sys.stdout.fileno())
    os.execv(binary, [binary, "--config", str(config), "--log-level", "error"])  # noqa: S606 - given by the caller


def pipeline_config(text: str) -> dict:
    """JSON lines of a file, one subnet label by the remote address, JSON lines to standard output."""
    label = {"type": "add_subnet_label", "add_subnet_label": {"input": "remote_address", "output": "remote_label"}}
    network = {"rules": [label], "subnetLabels": [{"name": "fleet", "cidrs": ["10.0.0.0/9"]}]}
    ingest = {"type": "file", "file": {"filename": text, "decoder": {"type": "json"}}}
    return {
        "pipeline": [{"name": "in"}, {"name": "label", "follows": "in"}, {"name": "out", "follows": "label"}],
        "parameters": [
            {"name": "in", "ingest": ingest},
            {"name": "label", "transform": {"type": "network", "network": network}},
            {"name": "out", "write": {"type": "stdout", "stdout": {"format": "json"}}},
        ],
    }


ENGINES = {"ours": ours, "duckdb": plain, "flowlogs-pipeline": flowlogs_pipeline}


def run(engine: str, text: Path, other: Path, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one engine on one core, in a process of its own."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--run", engine, str(text), str(other), str(out)]
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, command, ENVIRONMENT)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{engine} failed on {text.name}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def check_pipeline(out: Path, flows: int) -> None:
    """Stop unless the pipeline wrote every flow with its label."""
    with out.open() as lines:
        labelled = sum('"remote_label":"fleet"' in line for line in lines)
    if labelled != flows:
        sys.exit(f"flowlogs-pipeline wrote {labelled:,} labelled flows of {flows:,}")


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        ENGINES[sys.argv[2]](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flowlogs-pipeline", type=Path, metavar="BINARY", help="Run this one too.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flows, beats = make(folder / "input", Size(options.flows, 100_000, 20_000))
        json_lines, vpc = folder / "flows.jsonl", folder / "flows.log"
        for text, statement in ((json_lines, TO_JSON), (vpc, TO_VPC)):
            duckdb.sql(statement.format(flows=flows, out=text))
        runs = [(engine, text, beats) for text in (json_lines, vpc) for engine in ("ours", "duckdb")]
        if options.flowlogs_pipeline:
            runs.insert(0, ("flowlogs-pipeline", json_lines, options.flowlogs_pipeline))
        taken: dict[tuple, list] = {one: [] for one in runs}
        for _ in range(options.rounds):
            for one in runs:
                taken[one].append(run(*one, folder))
                if one[0] == "flowlogs-pipeline":
                    check_pipeline(folder / "out", options.flows)
        report(taken, options)


def report(taken: dict[tuple, list], options: argparse.Namespace) -> None:
    """Print medians, and of each pair of runs the ratio of processor times to the first engine's."""
    (first, *_), pairs = next(iter(taken.items()))
    print(f"{options.flows:,} flows, one core, {options.rounds} rounds in turn; speed by CPU seconds")
    print(f"{'input':<14}{'engine':<20}{'seconds':>9}{'CPU s':>8}{'flows/CPU s':>13}{'to ' + first:>22}")
    for (engine, text, _), found in taken.items():
        wall, cpu = (statistics.median(values) for values in zip(*found, strict=True))
        ratio = statistics.median(other[1] / mine[1] for mine, other in zip(found, pairs, strict=True))
        print(f"{text.name:<14}{engine:<20}{wall:>9.2f}{cpu:>8.2f}{options.flows / cpu:>13,.0f}{ratio:>22.2f}")


if __name__ == "__main__":
    main()
