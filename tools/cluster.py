"""A real Kafka broker and a real Flink cluster on this machine, which go on when this script has ended.

    python tools/cluster.py start .cluster
    python tools/cluster.py stop .cluster

Everything that they write is below the folder; free ports of 127.0.0.1 are taken.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from attribution.cluster.flink import FlinkCluster
from attribution.cluster.kafka import Broker
from attribution.cluster.remembered import end_all, remember, still_running
from attribution.errors import AttributionError, ClusterError


def start(folder: Path) -> None:
    """Start both and say where they are.

    Raises:
        ClusterError: They run already, or do not start.
    """
    if still_running(folder):
        raise ClusterError(f"a cluster runs already in {folder}: stop it first (make cluster-stop)")
    print("Starting a Kafka broker and a Flink cluster; the first time, their jars are fetched.", flush=True)
    with ExitStack() as ended_on_failure:
        broker = ended_on_failure.enter_context(Broker.start(folder / "kafka"))
        cluster = ended_on_failure.enter_context(FlinkCluster.start(folder / "flink", recovery=True))
        remember(folder, [broker.server, *cluster.servers])
        ended_on_failure.pop_all()
    print(f"""
  Kafka       {broker.bootstrap}
  Flink       {cluster.url}
  Logs        {broker.server.log}
              {cluster.folder / "log"}
  State       {cluster.folder / "checkpoints"}

Stop them with `make cluster-stop`.""")


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
