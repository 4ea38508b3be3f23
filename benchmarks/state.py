"""What the streaming job keeps: bytes of state and of memory a million ranges, and what a round costs.

A bucket as the job has it, without Flink. Heartbeats of so many ranges come as the splitter sends them. Then flows are
held, the bucket settles, and a round judges flows. One thing at a time grows tenfold.

    python benchmarks/state.py
"""

import argparse
import gc
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import psutil
import pyarrow as pa

from attribution.config import MINUTE, SECOND, Settings
from attribution.schema import FLOW, HEARTBEAT, LABEL, TIMESTAMP, arrow_schema
from attribution.stream.buckets import payload
from attribution.stream.buckets.bucket import Bucket

BEGIN = 1_770_000_000 * SECOND
BATCH = 5_000


@dataclass(frozen=True)
class Size:
    """Of each address so many ranges, of each range so many heartbeats a minute apart; so many flows held."""

    addresses: int = 10_000
    ranges: int = 1
    heartbeats: int = 10
    flows: int = 100_000


def record_batch(kind, columns, rows):
    schema = arrow_schema(kind)
    made = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(made, schema=schema)


def filled(size, bucket):
    """Let the bucket take everything; return its clock at the end."""
    random = np.random.default_rng(1)
    text = np.array([f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(size.addresses)])
    moment = BEGIN
    for number in range(size.ranges):
        workload = np.array([f"pod-{number}-{i:x}-{i * 7919 % 65536:04x}" for i in range(size.addresses)])
        service = np.array([f"service-{i % 300}" for i in range(size.addresses)])
        for _ in range(size.heartbeats):
            moment += MINUTE
            at = pa.array(moment + random.integers(0, 30 * SECOND, size.addresses)).cast(TIMESTAMP)
            columns = {"address": text, "workload": workload, "service": service, "start": at, "end": at}
            batch = record_batch(HEARTBEAT, columns, size.addresses)
            for begin in range(0, size.addresses, BATCH):
                bucket.take(payload.pack_rows(HEARTBEAT, batch.slice(begin, BATCH)), 0)
        moment += 10 * MINUTE
    for begin in range(0, size.flows, BATCH):
        rows = min(BATCH, size.flows - begin)
        start = pa.array(moment - 12 * MINUTE + random.integers(0, MINUTE, rows)).cast(TIMESTAMP)
        local, remote = random.integers(0, size.addresses, (2, rows))
        columns = {
            "start": start, "end": start, "local_address": text[local], "remote_address": text[remote],
            "local_port": random.integers(30_000, 60_000, rows), "remote_port": np.full(rows, 443),
            "protocol": np.full(rows, 6), "bytes_sent": random.integers(100, 100_000, rows),
            "bytes_received": random.integers(100, 100_000, rows), "local_workload": text[local],
            "basis": np.full(rows, "connection"),
        }  # fmt: skip
        bucket.take(payload.pack_rows(FLOW, record_batch(FLOW, columns, rows)), 0)
    return moment


def measure(size):
    """State bytes and memory bytes of all, and processor seconds of settling and of a round that judges every flow."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    bucket = Bucket(Settings(), sides="remote", labels=arrow_schema(LABEL).empty_table())
    moment = filled(size, bucket)
    gc.collect()
    pa.default_memory_pool().release_unused()
    memory = process.memory_info().rss - before
    begun = time.process_time()
    entries, _ = bucket.settle()
    settled = time.process_time() - begun
    begun = time.process_time()
    due, _ = bucket.advance(moment + 10 * MINUTE)
    took = time.process_time() - begun
    if sum(batch.num_rows for batch in due) != size.flows:
        raise SystemExit("not every flow came out")
    kinds = {payload.kind_of(entry): 0 for entry in entries}
    for entry in entries:
        kinds[payload.kind_of(entry)] += len(entry)
    return kinds, memory, settled, took


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--times", type=int, default=10, help="how many times as large each thing becomes")
    times = parser.parse_args().times
    base = Size()
    grown = {
        "as it is": base,
        "addresses": replace(base, addresses=base.addresses * times),
        "ranges": replace(base, ranges=base.ranges * times),
        "heartbeats": replace(base, heartbeats=base.heartbeats * times),
        "held flows": replace(base, flows=base.flows * times),
    }
    print(f"{'grown':<12}{'heartbeats':>11}{'bytes each':>11}{'flows':>10}{'bytes each':>11}{'RSS MiB':>9}"
          f"{'settle s':>10}{'round s':>9}{'µs a flow':>10}")  # fmt: skip
    # Each in a process of its own: memory that another one gave back would hide what this one takes.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        for what, size in grown.items():
            kinds, memory, settled, took = processes.submit(measure, size).result()
            beats = size.addresses * size.ranges * size.heartbeats
            cells = f"{beats:>11,}{kinds[HEARTBEAT] / beats:>11.1f}{size.flows:>10,}{kinds[FLOW] / size.flows:>11.1f}"
            cells += f"{memory / 2**20:>9.0f}{settled:>10.2f}{took:>9.2f}{took / size.flows * 1e6:>10.2f}"
            print(f"{what:<12}{cells}", flush=True)


if __name__ == "__main__":
    main()
