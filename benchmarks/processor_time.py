"""Processor time of what a streaming benchmark has started."""

import resource

import psutil

from attribution.testbed.cluster.flink import FlinkCluster
from attribution.testbed.cluster.kafka import Broker


def of_servers(cluster: FlinkCluster, broker: Broker) -> tuple[float, float, float]:
    """Seconds of the TaskManagers' Java, of its Python, and of the broker."""
    managers = [psutil.Process(server.pid) for server in cluster.task_managers]
    pythons = [one for manager in managers for one in manager.children(recursive=True)]
    return sum(map(_seconds, managers)), sum(map(_seconds, pythons)), of_broker(broker)


def of_broker(broker: Broker) -> float:
    """Seconds of the broker."""
    return _seconds(psutil.Process(broker.server.pid))


def of_ended_children() -> float:
    """Seconds of the processes that this one started and waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _seconds(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)
