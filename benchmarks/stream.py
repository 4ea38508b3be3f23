"""Throughput of the streaming job beside the same join written otherwise, on a real broker and a real Flink cluster.

    .venv-flink/bin/python benchmarks/stream.py
    .venv-flink/bin/python benchmarks/stream.py --engines ours --longer 4

All read a backlog of the same flows and heartbeats from Kafka and write to Kafka, exactly once, with a parallelism of
one. Ours reads Arrow batches and applies all its rules, with and without the heartbeats that flows are. `per_flow` is a
PyFlink `KeyedCoProcessFunction` over one flow an element. `sql_join` is Flink SQL's event-time temporal join, which
runs in the JVM and needs no Python. Both read JSON, one row a message, and answer with the owner seen last. Engines
take turns on clusters of their own. Each runs once on fewer flows before, because Java spends half a minute of
processor time on compiling what it runs often. `per_flow` gets a hundredth of the flows, and as much less time and
heartbeats, because it is slow; `sql_join` gets a third. Only ratios mean something on a shared machine: those of
processor time a flow, and those of wall time if the machine is quiet. Processor time is of the TaskManager's Java, its
Python, the broker and the lake writer (for ours: `attribution lake` over the job's output, with its start). An engine
that takes longer than `--limit` is given up and said to have.

With `--longer N`, ours runs once more, on N times the flows over N times the event time. What it took more, by the
flows that it had more, is what a flow costs once everything has started: `sustained`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import processor_time  # noqa: E402 (it needs the checkout's own package)
from stream_input import PATIENCE_S, Fleet, Topics  # noqa: E402

from attribution.schema import ATTRIBUTED_FLOW  # noqa: E402
from attribution.stream.topics import topic_of  # noqa: E402
from attribution.testbed.cluster.flink import FlinkCluster  # noqa: E402
from attribution.testbed.cluster.kafka import Broker  # noqa: E402

DELAY_S = 10
JOBS = Path(__file__).parent / "stream_jobs"


@dataclass(frozen=True)
class Engine:
    """One way to write the join.

    Attributes:
        script: the job.
        flow_heartbeats: what kind of heartbeats its flows are; None for JSON input.
        share: of the input it gets one part in so many.
        settings: of its cluster.
    """

    script: Path
    flow_heartbeats: str | None = None
    share: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, servers: str, prefix: str, config: Path, *, buckets: int) -> list[str]:
        """Of the script."""
        if self.flow_heartbeats is None:
            return ["--bootstrap-servers", servers, "--prefix", prefix, "--delay", str(DELAY_S)]
        config.write_text(f'[stream]\nreport_delay = "{DELAY_S}s"\nbuckets = {buckets}\n')
        return ["--config", str(config), "--bootstrap-servers", servers, "--topic-prefix", prefix, "--name", prefix]


OURS = ROOT / "jobs" / "attribute_flows.py"
ENGINES = {
    "ours": Engine(OURS, "none"),
    "ours_with_flow_heartbeats": Engine(OURS, "interval"),
    # With the default of 1,000 keys in the state's cache, every flow would cost calls into the JVM.
    "per_flow": Engine(JOBS / "per_flow.py", share=100, settings={"python.state.cache-size": "100000"}),
    "sql_join": Engine(JOBS / "sql_join.py", share=3),
}


@dataclass(frozen=True)
class Took:
    """What an engine took, in seconds: of the clock, and of the processor by whose they were."""

    rows: int
    wall: float
    java: float
    python: float
    broker: float
    lake: float

    @property
    def processor(self) -> float:
        """Of all together."""
        return self.java + self.python + self.broker + self.lake

    def beyond(self, less: "Took") -> "Took":
        """What it took more than another one."""
        return Took(*(getattr(self, part.name) - getattr(less, part.name) for part in fields(self)))


def run(
    name: str, fleet: Fleet, broker: Broker, folder: Path, *, buckets: int, longer: int, limit_s: float
) -> dict[str, Took]:
    """Warm the cluster up with a third of the flows, then take the time of all; nothing if that took too long.

    Returns:
        By the engine's name, and where it ran longer what it took beyond that, as `sustained`.
    """
    engine = ENGINES[name]
    fleet = Fleet(fleet.flows // engine.share, fleet.addresses, max(1, fleet.seconds // engine.share))
    folder.mkdir()
    settings = {
        "execution.checkpointing.interval": "10 s",
        "taskmanager.memory.process.size": "3g",
        **engine.settings,
    }
    with FlinkCluster.start(
        folder / "flink", slots=1, settings=settings, environment={"PYTHONPATH": str(ROOT)}
    ) as cluster:
        sizes = [Fleet(fleet.flows // 3, fleet.addresses, fleet.seconds), fleet]
        if longer > 1 and engine.flow_heartbeats is not None:
            sizes.append(Fleet(fleet.flows * longer, fleet.addresses, fleet.seconds * longer))
        found: list[Took] = []
        for number, size in enumerate(sizes):
            took = run_job(f"{folder.name}-{number}", engine, size, broker, cluster, buckets=buckets, limit_s=limit_s)
            if took is None:
                return {}
            found.append(took)
    return {name: found[1]} | {f"{name}, sustained": found[2].beyond(found[1]) for _ in found[2:]}


def run_job(
    name: str, engine: Engine, fleet: Fleet, broker: Broker, cluster: FlinkCluster, *, buckets: int, limit_s: float
) -> Took | None:
    """From the moment that all tasks run to the last row of output; None if that did not come within the limit."""
    prefix, servers, topics = f"{name}.", broker.bootstrap, Topics(broker.bootstrap)
    rows = fleet.flows // fleet.seconds * fleet.seconds
    topics.create(prefix)
    topics.fill(prefix, fleet, flow_heartbeats=engine.flow_heartbeats)
    output = f"{prefix}json-attributed"
    count: Callable[[bytes], int] = lambda _value: 1  # noqa: E731 (one of two)
    if engine.flow_heartbeats is not None:
        output = topic_of(ATTRIBUTED_FLOW, prefix=prefix)
        count = lambda value: int(pa.ipc.open_stream(value).read_next_batch().num_rows)  # noqa: E731
    arguments = engine.arguments(servers, prefix, cluster.folder / f"{name}.toml", buckets=buckets)
    job = cluster.submit(engine.script, arguments)
    cluster.wait_for_state(job, "RUNNING", timeout_s=PATIENCE_S)
    before, began = processor_time.of_servers(cluster, broker), time.monotonic()
    found = topics.wait_for_rows(output, rows, count, limit_s=limit_s)
    wall, job_spent = time.monotonic() - began, processor_time.of_servers(cluster, broker)
    state = cluster.jobs().get(job, "gone")
    if state == "RUNNING":
        cluster.cancel(job)
    if found < rows:
        how = f"did not finish in {limit_s:g} s" if state == "RUNNING" else f"is {state} after {wall:.0f} s"
        print(f"{name}: {how}: {found:,} of {rows:,} rows", flush=True)
        return None
    java, python, broker_s = (after - earlier for after, earlier in zip(job_spent, before, strict=True))
    lake = 0.0
    if engine.flow_heartbeats is not None:
        lake, for_lake = _write_lake(servers, prefix, cluster.folder / f"{name}-lake", broker)
        broker_s += for_lake
    took = Took(rows, wall, java, python, broker_s, lake)
    print(f"{name}: {rows:,} flows in {wall:.1f} s, {took.processor:.1f} s of processor time", flush=True)
    return took


def _write_lake(servers: str, prefix: str, folder: Path, broker: Broker) -> tuple[float, float]:
    """Processor seconds of the lake's writer over all that the job has put out, and of the broker meanwhile."""
    command = [sys.executable, "-m", "attribution", "lake", "--out", str(folder), "--stop-at-end"]
    command += ["--bootstrap-servers", servers, "--topic-prefix", prefix]
    before, broker_before = processor_time.of_ended_children(), processor_time.of_broker(broker)
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 (our own command line)
    return processor_time.of_ended_children() - before, processor_time.of_broker(broker) - broker_before


def main() -> None:
    """Run the engines in turn and print what they did, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=3_000_000)
    parser.add_argument("--addresses", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=600, help="event time that the flows are spread over")
    # As for a job that is not meant to grow beyond two parallel shares: fewer buckets make denser batches.
    parser.add_argument("--buckets", type=int, default=2, help="of ours; more make smaller batches")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--longer", type=int, default=1, help="how many times as many flows ours gets once more")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which an engine is given up")
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    given = parser.parse_args()
    fleet = Fleet(given.flows, given.addresses, given.seconds)
    results: dict[str, list[Took]] = {}
    with tempfile.TemporaryDirectory(prefix="stream-benchmark-") as temporary:
        folder = Path(temporary)
        with Broker.start(folder / "kafka") as broker:
            for number in range(given.rounds):
                for name in given.engines:
                    results.setdefault(name, [])
                    place = folder / f"{name}-{number}"
                    how = {"buckets": given.buckets, "longer": given.longer}
                    found = run(name, fleet, broker, place, **how, limit_s=given.limit)
                    for which, took in found.items():
                        results.setdefault(which, []).append(took)
    report(results)


def report(results: dict[str, list[Took]]) -> None:
    """Print the medians, and how many times as long as the first engine each takes."""
    parts = ("wall", "java", "python", "broker", "lake", "processor")
    medians = {
        name: {part: statistics.median(1e6 * getattr(one, part) / one.rows for one in found) for part in parts}
        for name, found in results.items()
        if found
    }
    first = medians.get(next(iter(results)))
    print("\nMicroseconds a flow (`processor` is all but `wall`), and how many times as long as the first:")
    print(f"{'engine':38}{''.join(f'{part:>10}' for part in parts)}{'wall':>10}{'processor':>10}")
    for name in results:
        if name not in medians:
            print(f"{name:38}{'did not finish':>14}")
            continue
        took = medians[name]
        times = [took[part] / first[part] for part in ("wall", "processor")] if first else []
        print(f"{name:38}{''.join(f'{value:10.2f}' for value in (*took.values(), *times))}")


if __name__ == "__main__":
    main()
