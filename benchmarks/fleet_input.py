"""Input of the speed benchmarks: flows and ownership ranges of a given size, the same for every engine.

Addresses have owners one after another, with pauses; flows are spread over a day between random addresses. A range is
given as one heartbeat that lasts as long: the as-of joins that we are compared with know nothing finer.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from attribution.schema import TIMESTAMP, arrow_schema

_T0 = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
_DAY = 86_400_000_000
_SERVICES = 2000
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    flows: int = 5_000_000
    ranges: int = 1_000_000
    addresses: int = 200_000

    def __str__(self) -> str:
        return f"{self.flows:,} flows, {self.ranges:,} ranges, {self.addresses:,} addresses"


def make(folder: Path, size: Size, *, seed: int = 1) -> tuple[Path, Path]:
    """Write flows.parquet and heartbeats.parquet; the same bytes for the same size and seed."""
    folder.mkdir(parents=True, exist_ok=True)
    flows, beats = folder / "flows.parquet", folder / "heartbeats.parquet"
    rng = np.random.default_rng(seed)
    addresses = pa.array([f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(size.addresses)])
    owners = max(1, size.ranges // size.addresses)
    workloads = pa.array([f"w-{i:08d}" for i in range(size.addresses * owners)])
    services = pa.array([f"service-{i}" for i in range(_SERVICES)])
    _heartbeats(beats, rng, addresses, workloads, services, owners)
    schema = arrow_schema("flow")
    with pq.ParquetWriter(flows, schema, compression="zstd") as writer:
        for begin in range(0, size.flows, _CHUNK):
            count = min(_CHUNK, size.flows - begin)
            low, high = (_T0 + _DAY * at // size.flows for at in (begin, begin + count))
            batch = _flows(rng, count, (low, high), addresses, workloads, services, owners)
            writer.write_table(pa.table(batch, schema=schema), row_group_size=131_072)
    return flows, beats


def _pick(values, index):
    return values.take(pa.array(index))


def _time(values):
    return pa.array(values).cast(TIMESTAMP)


def _heartbeats(path, rng, addresses, workloads, services, owners):
    count = len(workloads)
    cuts = np.sort(rng.integers(0, _DAY, (len(addresses), owners * 2)), axis=1)
    number = np.arange(count)
    table = pa.table(
        {
            "address": _pick(addresses, number // owners),
            "port": pa.nulls(count, pa.int32()),
            "last_port": pa.nulls(count, pa.int32()),
            "protocol": pa.nulls(count, pa.int32()),
            "workload": workloads,
            "service": _pick(services, number % _SERVICES),
            "start": _time(_T0 + cuts[:, 0::2].ravel()),
            "end": _time(_T0 + cuts[:, 1::2].ravel()),
            "observer": pa.nulls(count, pa.string()),
        },
        schema=arrow_schema("heartbeat"),
    )
    pq.write_table(table, path, compression="zstd")


def _flows(rng, count, span, addresses, workloads, services, owners):
    start = np.sort(rng.integers(*span, count))
    local, remote = rng.integers(0, len(addresses), (2, count))
    word = lambda *words: _pick(pa.array(words), rng.integers(0, len(words), count))  # noqa: E731
    number = lambda mean, sigma: pa.array(rng.lognormal(mean, sigma, count).astype(np.int64) + 1)  # noqa: E731
    return {
        "start": _time(start),
        "end": _time(start + rng.integers(0, 60_000_000, count)),
        "local_address": _pick(addresses, local),
        "local_port": pa.array(rng.integers(1024, 65536, count).astype(np.int32)),
        "remote_address": _pick(addresses, remote),
        "remote_port": pa.array(rng.choice(np.array([80, 443, 8080, 5432, 6379], np.int32), count)),
        "protocol": pa.array(np.full(count, 6, np.int32)),
        "wire_address": pa.nulls(count, pa.string()),
        "wire_port": pa.nulls(count, pa.int32()),
        "direction": word("ingress", "egress"),
        "bytes_sent": number(8, 2),
        "bytes_received": number(8, 2),
        "packets_sent": number(2, 1),
        "packets_received": number(2, 1),
        "tcp_flags": pa.array(rng.choice(np.array([2, 18, 27], np.int32), count)),
        "local_workload": _pick(workloads, local * owners),
        "local_service": _pick(services, local * owners % _SERVICES),
        "hostname": pa.nulls(count, pa.string()),
        "observer": word(*[f"node-{i}" for i in range(500)]),
        "region": word("eu-1"),
        "data_centre": pa.nulls(count, pa.string()),
        "basis": word("connection"),
    }
