"""Mutated Kafka values: whatever a value holds, it is decoded or rejected, and the process goes on."""

import io
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa
import pytest
from mutation import broken_bytes

from attribution.stream.wire.codec import decode

T0 = 1_767_225_600_000_000
SEEDS = 150
KINDS = {
    "plain": pa.string(),
    "views": pa.string_view(),
    "dictionaries": pa.dictionary(pa.int16(), pa.string()),
}


def value(kind, compression):
    names = pa.array([f"workload-with-a-long-name-{n % 3}" for n in range(20)])
    names = names.dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(names.to_pylist(), kind)
    table = pa.table({
        "start": [T0] * 20, "end": [T0] * 20, "local_address": ["10.0.0.1"] * 20, "remote_address": ["10.0.0.2"] * 20,
        "local_workload": names,
    })  # fmt: skip
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def decoded(name, compression, seeds):
    """Of mutated values those rejects that are mistakes of ours."""
    content = value(KINDS[name], compression)
    assert decode("flow", content).batch.num_rows == 20
    failed = []
    for seed in range(seeds):
        found = decode("flow", broken_bytes(random.Random(f"{name} {compression} {seed}"), content))
        found.batch.validate(full=True)
        found.batch.to_pylist()
        failed += [(seed, reject.found) for reject in found.rejects if reject.reason == "failed"]
    return failed


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("name", KINDS)
def test_mutated_values_are_decoded_or_rejected(name, compression):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        assert apart.submit(decoded, name, compression, SEEDS).result() == []
