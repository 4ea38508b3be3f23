"""The whole streaming system on this machine: broker, Flink, job, lake, fleet. It goes on when this script has ended.

    python tools/cluster.py start .cluster
    python tools/cluster.py stop .cluster

Everything that it writes is below the folder; free ports of 127.0.0.1 are taken.
"""

import argparse
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from attribution.errors import AttributionError, ClusterError
from attribution.stream.topics import TOPICS
from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.kafka import Broker
from attribution.testbed.cluster.processes import Server
from attribution.testbed.cluster.remembered import end_all, remember, still_running

JOB = Path(__file__).resolve().parent.parent / "jobs" / "attribute_flows.py"
_COMMAND = [sys.executable, "-m", "attribution"]
_ALIVE = ("CREATED", "INITIALIZING", "RUNNING", "RESTARTING")
#: Files of a simulated fleet, and the options of `publish` for them.
_FLEET = {
    "flows": "--flows",
    "heartbeats": "--heartbeats",
    "name_bindings": "--name-bindings",
}


def start(folder: Path) -> None:
    """Start all of it and say where it is.

    Raises:
        ClusterError: It runs already, or a part does not start.
    """
    if still_running(folder):
        raise ClusterError(f"a cluster runs already in {folder}: stop it first (make cluster-stop)")
    print("Starting a Kafka broker and a Flink cluster; the first time, their jars are fetched.", flush=True)
    with ExitStack() as ended_on_failure:
        broker = ended_on_failure.enter_context(Broker.start(folder / "kafka"))
        cluster = ended_on_failure.enter_context(FlinkCluster.start(folder / "flink", recovery=True))
        print("Starting the job, the writer of the lake, and a simulated fleet.", flush=True)
        kafka = ["--bootstrap-servers", broker.bootstrap]
        _attribution("topics", "create", *kafka, "--partitions", "4")
        # The ZooKeeper of an earlier run in this folder brings its job back by itself.
        if not any(state in _ALIVE for state in cluster.jobs().values()):
            cluster.submit(JOB, kafka)
        lake = folder / "lake"
        writer = _server(folder, "lake", [*kafka, "--out", str(lake), "--flush-interval", "10s"])
        ended_on_failure.callback(writer.stop)
        servers = [broker.server, *cluster.servers, writer]
        fleet = folder / "fleet"
        if not fleet.exists():
            _attribution("simulate", "--scenario", "gateway", "--out", str(fleet))
            # What was assigned long before the fleet's first flow would hold back a publisher that keeps pace with it.
            _attribution("publish", *kafka, "--assignments", str(fleet / "assignments.parquet"))
            sources = [part for name, option in _FLEET.items() for part in (option, str(fleet / f"{name}.parquet"))]
            servers.append(_server(folder, "publish", [*kafka, *sources, "--pace", "60x", "--finish"]))
        remember(folder, servers)
        ended_on_failure.pop_all()
    print(f"""
  Kafka       {broker.bootstrap}; topics {", ".join(TOPICS.values())}
  Flink       {cluster.url}
  Lake        {lake}
  Logs        {broker.server.log}
              {cluster.folder / "log"}
              {folder / "lake.log"}, {folder / "publish.log"}
  State       {cluster.folder / "checkpoints"}

The fleet's hour passes in a minute. Ask the lake meanwhile: {Path(sys.executable).parent / "attribution"} graph {lake}
Stop all of it with `make cluster-stop`.""")


def _attribution(*arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 (our own command line)
        [*_COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ClusterError(f"attribution {arguments[0]} failed: {done.stderr or done.stdout}")


def _server(folder: Path, verb: str, arguments: list[str]) -> Server:
    server = Server(f"attribution {verb}", folder / f"{verb}.log", [*_COMMAND, verb, *arguments], os.environ)
    server.start()
    return server


def stop(folder: Path) -> None:
    """End what `start` started in this folder."""
    print(f"Ended {end_all(folder)} servers of {folder}.")


def main() -> int:
    """Start or stop; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        {"start": start, "stop": stop}[arguments.what](arguments.folder.resolve())
    except AttributionError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
