"""Throughput of the streaming job beside the same join written otherwise, on a real broker and a real Flink cluster.

    .venv-flink/bin/python benchmarks/stream.py --flows 600000

All read a backlog of the same flows and heartbeats from Kafka and write to Kafka, exactly once, with a parallelism of
one. Ours reads Arrow batches and applies all its rules, with and without the heartbeats that flows are. `per_flow` is
a PyFlink `KeyedCoProcessFunction` over one flow an element, `sql_join` Flink SQL's event-time temporal join, which
runs in the JVM and needs no Python; both read JSON, one row a message, and answer with the owner seen last. Engines
take turns on clusters of their own. Only ratios mean something on a shared machine: those of processor time, of the
TaskManager and its Python processes, and those of wall time where the machine is quiet.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from stream_input import PATIENCE_S, Fleet, Topics  # noqa: E402 (it needs the checkout's own package)

from attribution.cluster.flink import FlinkCluster  # noqa: E402
from attribution.cluster.kafka import Broker  # noqa: E402
from attribution.schema import ATTRIBUTED_FLOW  # noqa: E402
from attribution.streaming.topics import topic_of  # noqa: E402

DELAY_S = 10
#: As for a job that is not meant to grow beyond two parallel shares: fewer buckets make denser batches.
BUCKETS = 2
JOBS = Path(__file__).parent / "stream_jobs"


@dataclass(frozen=True)
class Engine:
    """One way to write the join.

    Attributes:
        script: the job.
        flow_heartbeats: what kind of heartbeats its flows are; None for JSON input.
    """

    script: Path
    flow_heartbeats: str | None = None

    def arguments(self, servers: str, prefix: str, config: Path) -> list[str]:
        """Of the script."""
        if self.flow_heartbeats is None:
            return ["--bootstrap-servers", servers, "--prefix", prefix, "--delay", str(DELAY_S)]
        config.write_text(f'[stream]\nreport_delay = "{DELAY_S}s"\nbuckets = {BUCKETS}\n')
        return ["--config", str(config), "--bootstrap-servers", servers, "--topic-prefix", prefix, "--name", prefix]


OURS = ROOT / "jobs" / "attribute_flows.py"
ENGINES = {
    "ours": Engine(OURS, "none"),
    "ours_with_flow_heartbeats": Engine(OURS, "interval"),
    "per_flow": Engine(JOBS / "per_flow.py"),
    "sql_join": Engine(JOBS / "sql_join.py"),
}


def run(name: str, fleet: Fleet, topics: Topics, servers: str, folder: Path) -> tuple[float, float]:
    """Wall and processor seconds from the moment that all tasks run to the last row of output."""
    engine, prefix = ENGINES[name], f"{folder.name}."
    folder.mkdir()
    topics.create(prefix)
    topics.fill(prefix, fleet, flow_heartbeats=engine.flow_heartbeats)
    output = f"{prefix}json-attributed"
    count: Callable[[bytes], int] = lambda _value: 1  # noqa: E731 (one of two)
    if engine.flow_heartbeats is not None:
        output = topic_of(ATTRIBUTED_FLOW, prefix=prefix)
        count = lambda value: int(pa.ipc.open_stream(value).read_next_batch().num_rows)  # noqa: E731
    settings = {
        "execution.checkpointing.interval": "2 s",
        "taskmanager.memory.process.size": "3g",
        # For `per_flow`: with the default of 1,000 keys, every flow would cost calls into the JVM.
        "python.state.cache-size": "100000",
    }
    with FlinkCluster.start(
        folder / "flink", slots=1, settings=settings, environment={"PYTHONPATH": str(ROOT)}
    ) as cluster:
        job = cluster.submit(engine.script, engine.arguments(servers, prefix, folder / "job.toml"))
        cluster.wait_for_state(job, "RUNNING", timeout_s=PATIENCE_S)
        before, began = _processor_seconds(cluster), time.monotonic()
        topics.wait_for_rows(output, fleet.flows // fleet.seconds * fleet.seconds, count)
        return time.monotonic() - began, _processor_seconds(cluster) - before


def _processor_seconds(cluster: FlinkCluster) -> float:
    """Of the TaskManager and the Python processes of its operators."""
    total = 0.0
    for server in cluster.task_managers:
        process = psutil.Process(server.pid)
        for one in (process, *process.children(recursive=True)):
            spent = one.cpu_times()
            total += spent.user + spent.system
    return total


def main() -> None:
    """Run the engines in turn and print what they did, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=600_000)
    parser.add_argument("--addresses", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=600, help="event time that the flows are spread over")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    given = parser.parse_args()
    fleet = Fleet(given.flows, given.addresses, given.seconds)
    wall: dict[str, list[float]] = {name: [] for name in given.engines}
    processor: dict[str, list[float]] = {name: [] for name in given.engines}
    with tempfile.TemporaryDirectory(prefix="stream-benchmark-") as temporary:
        folder = Path(temporary)
        with Broker.start(folder / "kafka") as broker:
            topics = Topics(broker.bootstrap)
            for number in range(given.rounds):
                for name in given.engines:
                    took = run(name, fleet, topics, broker.bootstrap, folder / f"{name}-{number}")
                    wall[name].append(took[0])
                    processor[name].append(took[1])
                    print(f"{name}: {took[0]:.1f} s, {took[1]:.1f} s of processor time", flush=True)
    first = given.engines[0]
    print(f"\nTimes as fast as {first}, by wall and by processor time:")
    print(f"{'engine':28}{'flows/s':>10}{'flows/CPU s':>13}{'wall':>9}{'CPU':>9}")
    for name in given.engines:
        seconds, spent = statistics.median(wall[name]), statistics.median(processor[name])
        ratio, spent_ratio = statistics.median(wall[first]) / seconds, statistics.median(processor[first]) / spent
        print(f"{name:28}{given.flows / seconds:10,.0f}{given.flows / spent:13,.0f}{ratio:9.2f}{spent_ratio:9.2f}")


if __name__ == "__main__":
    main()
