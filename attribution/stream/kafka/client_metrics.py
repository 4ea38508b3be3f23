"""What `publish`, `lake` and `forward` count: the closed list of names, and the Prometheus endpoint that shows them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from attribution.errors import BrokerError

if TYPE_CHECKING:
    from prometheus_client.core import Metric as MetricFamily


@dataclass(frozen=True)
class Metric:
    """One name.

    Attributes:
        kind: a counter only rises while the process lives; a gauge goes both ways.
        help: what it means.
        labels: names of its labels.
        worry: when to worry.
    """

    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    worry: str = ""


METRICS: dict[str, Metric] = {
    "attribution_published_rows_total": Metric(
        "counter",
        "Rows that the broker has acknowledged.",
        ("kind",),
        "It stands still while `attribution_publish_waiting_messages` is not 0: the broker takes nothing.",
    ),
    "attribution_published_messages_total": Metric(
        "counter",
        "Messages that the broker has acknowledged, those included that have no rows and only carry time.",
        ("kind",),
    ),
    "attribution_publish_failed_messages_total": Metric(
        "counter",
        "Messages that were given up.",
        ("kind",),
        "Any: `publish` ends with an error and says the first reason.",
    ),
    "attribution_publish_waiting_messages": Metric(
        "gauge",
        "Messages that wait to be acknowledged.",
        worry="It stays high: the broker is slower than the source.",
    ),
    "attribution_publish_time_seconds": Metric(
        "gauge", "Event time up to which everything was handed to the producer, in seconds since 1970."
    ),
    "attribution_lake_rows_total": Metric(
        "counter",
        "Rows in files that readers see.",
        ("topic",),
        "It stands still while `attribution_lake_lag_messages` rises.",
    ),
    "attribution_lake_files_total": Metric(
        "counter",
        "Files that were finished.",
        ("topic",),
        "Thousands an hour: flush less often, or use fewer partitions.",
    ),
    "attribution_lake_unreadable_messages_total": Metric(
        "counter",
        "Messages that are not what the job writes; they stand in `dead_letters`.",
        ("topic",),
        "Any: somebody else writes to the job's topics.",
    ),
    "attribution_lake_open_rows": Metric("gauge", "Rows in files that are not finished yet.", ("topic",)),
    "attribution_lake_lag_messages": Metric(
        "gauge",
        "Messages between the last one read and the end of the topic, over the partitions of this writer. Marks and "
        "aborted messages of transactions count as well, until everything committed was read: it is 0 then.",
        ("topic",),
        "It keeps rising: the writer is too slow, or waits for room on the disk.",
    ),
    "attribution_lake_partitions": Metric(
        "gauge",
        "Partitions that this writer has.",
        ("topic",),
        "The sum over all writers is less than the topic has: some partition is written by nobody.",
    ),
    "attribution_lake_write_failures_total": Metric(
        "counter",
        "Times that files could not be written; what was open was dropped, to be read again.",
        worry="Any: standard error says why; most often the disk is full.",
    ),
    "attribution_lake_waiting": Metric(
        "gauge",
        "1 while the writer waits because nothing can be written, else 0.",
        worry="1 for long: make room on the disk.",
    ),
    "attribution_lake_lost_messages_total": Metric(
        "counter",
        "Messages that the topic had deleted before they were read.",
        ("topic",),
        "Any: the topic keeps messages for too short a time.",
    ),
    "attribution_forwarded_messages_total": Metric(
        "counter", "Messages that the peer's broker has acknowledged; after a crash some are two.", ("peer",)
    ),
    "attribution_forward_waiting_messages": Metric(
        "gauge",
        "Messages that were read and not acknowledged yet.",
        ("peer",),
        "It stays high: the peer's broker cannot be reached, or is slow.",
    ),
    "attribution_forward_lag_messages": Metric(
        "gauge",
        "Messages between the last one read and the end of the topic; marks and aborted messages count as above.",
        ("peer",),
        "It keeps rising: as above, or no forwarder runs.",
    ),
}


class Metrics:
    """Values of `METRICS`; from any thread."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, tuple[str, ...]], float] = {}
        self._lock = threading.Lock()

    def add(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = _key(name, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + value

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._values[_key(name, labels)] = value

    def get(self, name: str, **labels: str) -> float:
        """A value; 0 before it was first set."""
        with self._lock:
            return self._values.get(_key(name, labels), 0)

    def total(self, name: str) -> float:
        """A value added up over its labels."""
        with self._lock:
            return sum(value for (key, _), value in self._values.items() if key == name)

    def collect(self) -> Iterator["MetricFamily"]:
        """All values, as prometheus-client asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

        with self._lock:
            values = sorted(self._values.items())
        for name, metric in METRICS.items():
            family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            found = family(name, metric.help, labels=metric.labels)
            for (key, labels), value in values:
                if key == name:
                    found.add_metric(labels, value)
            yield found

    def serve(self, port: int, *, host: str = "127.0.0.1") -> None:
        """Answer Prometheus on `port`, in a thread of its own, until the process ends.

        Raises:
            BrokerError: the client library is not installed, or the port is taken.
        """
        try:
            from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 - an extra
        except ImportError as error:
            install = "pip install 'flow-attribution[kafka]'"
            raise BrokerError(f"metrics need prometheus-client, which is not installed ({error}): {install}") from None
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise BrokerError(f"cannot serve metrics on {host}:{port}: {error.strerror}; choose another port") from None


def _key(name: str, labels: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    return name, tuple(labels[label] for label in METRICS[name].labels)
