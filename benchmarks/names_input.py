"""Input of `benchmarks/names_speed.py`: the flows of the replay benchmark, a share of them to names on a pool.

Clients are the workloads of `fleet_input.py`. Each DNS answer tells one client one name at a random address of a /20.
The name is drawn from a universe of names by Zipf's law with exponent 1. Each flow to the pool was opened under one of
the answers.
"""

from dataclasses import dataclass
from pathlib import Path

import fleet_input
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from attribution.schema import TIMESTAMP, arrow_schema

POOL = "198.18.0.0/20"
_POOL_SIZE = 1 << 12
_TTL = 300
_SECOND = 1_000_000
_KINDS = ("flows", "heartbeats", "name_bindings", "policies", "socket_rules")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    flows: int = 5_000_000
    names: int = 20_000_000
    bindings: int = 1_000_000
    pool_share: float = 0.5
    ranges: int = fleet_input.Size.ranges
    addresses: int = fleet_input.Size.addresses

    def __str__(self) -> str:
        return (
            f"{self.flows:,} flows, {self.pool_share:.0%} of them to {POOL}, {self.names:,} names to draw from, "
            f"{self.bindings:,} name bindings; {self.ranges:,} ranges of {self.addresses:,} addresses"
        )


@dataclass(frozen=True)
class Made:
    """The files by their kinds, and how many different names the bindings have."""

    files: dict[str, Path]
    distinct: int


def make(folder: Path, size: Size, *, seed: int = 1) -> Made:
    """Write all files; the same bytes for the same size and seed."""
    fleet = fleet_input.Size(size.flows, size.ranges, size.addresses)
    plain, _ = fleet_input.make(folder, fleet, seed=seed)
    files = {kind: folder / f"{kind}.parquet" for kind in _KINDS}
    rng = np.random.default_rng(seed + 1)
    groups = pq.ParquetFile(plain).metadata
    begin, end = (groups.row_group(i).column(0).statistics for i in (0, groups.num_row_groups - 1))
    first, last = (int(moment.timestamp() * _SECOND) for moment in (begin.min, end.max))
    time = np.sort(rng.integers(first, last, size.bindings))
    client = rng.integers(0, size.addresses, size.bindings)
    server = rng.integers(0, _POOL_SIZE, size.bindings)
    # Zipf's law with exponent 1: the logarithm of the rank is even.
    name = np.minimum(size.names ** rng.random(size.bindings), size.names - 1).astype(np.int64)
    distinct, place = np.unique(name, return_inverse=True)
    hostnames = pa.array([f"www.site-{number:08d}.example" for number in distinct.tolist()])
    _bindings(files["name_bindings"], time, client, server, hostnames.take(pa.array(place)))
    _send_to_pool(plain, size, (time, client, server), rng)
    _configuration(files)
    return Made(files, len(distinct))


def _texts(numbers, first):
    distinct, place = np.unique(numbers, return_inverse=True)
    texts = [
        f"{first + n >> 24}.{(first + n) >> 16 & 255}.{(first + n) >> 8 & 255}.{(first + n) & 255}"
        for n in distinct.tolist()
    ]
    return pa.array(texts).take(pa.array(place))


def _clients(numbers):
    return _texts(numbers, 10 << 24)


def _servers(numbers):
    return _texts(numbers, (198 << 24) + (18 << 16))


def _bindings(path, time, client, server, hostname):
    columns = {
        "client_address": _clients(client),
        "server_address": _servers(server),
        "hostname": hostname,
        "time": pa.array(time).cast(TIMESTAMP),
        "ttl": pa.array(np.full(len(time), float(_TTL))),
    }
    _write(path, "name_binding", columns, len(time))


def _send_to_pool(path, size, bindings, rng):
    """Let a share of the flows start under a binding: by its client, to its server, within its ttl."""
    time, client, server = bindings
    source = pq.ParquetFile(path)
    target = path.with_suffix(".partial")
    with pq.ParquetWriter(target, source.schema_arrow, compression="zstd") as writer:
        for batch in source.iter_batches(1 << 17):
            start = np.asarray(batch.column("start").cast(pa.int64()))
            # The last answer before the start, or one of some before it, if it still holds.
            found = np.searchsorted(time, start, side="right") - 1 - rng.integers(0, 200, len(start))
            goes = (rng.random(len(start)) < size.pool_share) & (found >= 0)
            goes &= start - time[np.maximum(found, 0)] <= _TTL * _SECOND
            found = np.maximum(found, 0)
            columns = {name: batch.column(name) for name in batch.schema.names}
            for name, texts in (
                ("local_address", _clients(client[found])),
                ("remote_address", _servers(server[found])),
            ):
                columns[name] = pa.array(np.where(goes, np.asarray(texts), np.asarray(columns[name])), pa.string())
            direction = np.where(goes, "egress", np.asarray(columns["direction"]))
            columns["direction"] = pa.array(direction, pa.string())
            writer.write_table(pa.table(columns, schema=source.schema_arrow), row_group_size=131_072)
    target.replace(path)


def _configuration(files):
    policies = [{"policy": "default", "pool": "wide", "prefix": POOL, "ttl": float(_TTL)}]
    ports = ((80, "web"), (443, "web"), (8080, "alternative"), (5432, "store"), (6379, "cache"))
    rules = [
        {"rule": service, "prefix": POOL, "port": port, "protocol": 6, "service": service} for port, service in ports
    ]
    for kind, rows in (("policy", policies), ("socket_rule", rules)):
        columns = {name: pa.array([row.get(name) for row in rows]) for name in rows[0]}
        _write(files[{"policy": "policies", "socket_rule": "socket_rules"}[kind]], kind, columns, len(rows))


def _write(path, kind, columns, rows):
    schema = arrow_schema(kind)
    filled = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema]
    pq.write_table(pa.table(filled, schema=schema), path, compression="zstd", row_group_size=131_072)
