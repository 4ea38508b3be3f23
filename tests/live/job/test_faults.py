"""Faults of everything around the job, on a real cluster: each flow comes out once, and none is named wrong."""

import json
import os
import random
import signal
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from history import found, send
from live_job import PATIENCE_S, LiveJob, attribution, wait_for_checkpoint

from attribution.core.columnar.dictionaries import plain
from attribution.records import BY_NAME, INPUT_RECORDS
from attribution.replay import Inputs, replay
from attribution.schema import ATTRIBUTED_FLOW, DEAD_LETTER, FLOW, HEARTBEAT, arrow_schema
from attribution.testbed.cluster.processes import wait_until
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.evaluate import evaluate_slices
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write

BEGIN = 1_767_225_600_000_000
HOUR_MS = 3_600_000
TEXTS = ("local_workload", "local_service", "hostname", "observer", "region")
#: A topic's `max.message.bytes` by default, less what a message has around its value: batch and record header.
GREATEST = 1_048_588 - 72
DEPTH = 500_000


def json_lines(rows, size):
    """A value of JSON lines of exactly so many bytes, which repeats the rows."""
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in rows.columns]
    lines = "".join(json.dumps(row) + "\n" for row in pa.table(columns, names=rows.schema.names).to_pylist()).encode()
    value = (lines * (size // len(lines) + 1))[:size]
    return value[: value.rindex(b"\n")].ljust(size, b"\n")


def repetitive(rows, *, text=0):
    """An Arrow value of flows of one connection after the other, which compresses to next to nothing."""
    same = {"local_address": "192.0.2.1", "remote_address": "192.0.2.2", "basis": "connection"}
    same |= {name: name.ljust(text, "x") for name in TEXTS}
    columns = []
    for field in arrow_schema(FLOW):
        if field.name in ("start", "end"):
            columns.append(pa.array(BEGIN + np.arange(rows), field.type))
        elif field.name in same:
            columns.append(pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [same[field.name]]))
        else:
            columns.append(pa.nulls(rows, field.type))
    batch = pa.record_batch(columns, names=arrow_schema(FLOW).names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


POISON = {
    "nothing": (b"", "no_value"),
    "a tombstone": (None, "no_value"),
    "noise": (random.Random(1).randbytes(GREATEST), "malformed"),
    "deep lists": (b'{"address":' + b"[" * DEPTH + b"]" * DEPTH + b"}", "malformed"),
    "deep objects": (b'{"a":' * (GREATEST // 5), "too_large"),
    "Arrow cut off": (repetitive(100)[:-200], "not_arrow"),
    "gigabytes in kilobytes": (repetitive(8000, text=16_000), "too_large"),
}


def test_poison_ends_as_dead_letters_and_the_largest_messages_go_through(broker, cluster, tmp_path, fleet):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "2h"}, labels=fleet.labels)
    job.start(parallelism=1)
    for value, _ in POISON.values():
        for kind in (FLOW, HEARTBEAT):
            job.send_value(kind, value, timestamp_ms=fleet.latest_ms)
    many, long = 1 << 18, 400
    for rows, text in ((many, 0), (long, 16_000)):
        job.send_value(FLOW, repetitive(rows, text=text), timestamp_ms=fleet.latest_ms)
    job.send_value(HEARTBEAT, json_lines(fleet.tables[HEARTBEAT], GREATEST), timestamp_ms=fleet.latest_ms)
    send(job, fleet.tables.items(), span=fleet.span)
    job.say_time(fleet.latest_ms + 24 * HOUR_MS)
    letters = Counter((letter["kind"], letter["reason"]) for letter in map(json.loads, job.received(DEAD_LETTER, 14)))
    assert letters == Counter((kind, reason) for _, reason in POISON.values() for kind in (FLOW, HEARTBEAT))
    tables = job.attributed(many + long + len(fleet.expected))
    assert sum(table.num_rows for table in tables) == many + long + len(fleet.expected)
    of_fleet = [table.filter(pc.not_equal(table["local_address"].cast(pa.string()), "192.0.2.1")) for table in tables]
    assert found(of_fleet) == fleet.expected
    job.stop()


def evaluated(history, tables):
    """What came out, held against the truth about all flows."""
    batches = [plain(rows) for table in tables for rows in table.combine_chunks().to_batches()]
    attributed = pa.concat_tables(pa.Table.from_batches([rows]).cast(arrow_schema(ATTRIBUTED_FLOW)) for rows in batches)
    return evaluate_slices([align(history.truth, attributed)], log=None, variants=())


def test_stalled_heartbeats_and_a_clock_that_jumps_delay_flows_and_name_nothing_wrong(broker, cluster, tmp_path, fleet):
    options = {"report_delay": "10s", "idle_after": "2s", "give_up_after": "5s", "settle_interval": "2s"}
    job = LiveJob(broker, cluster, tmp_path, stream=options, labels=fleet.labels)
    job.start(parallelism=1)
    pieces = fleet.in_time(200)
    parts = [pieces[len(pieces) * n // 5 : len(pieces) * (n + 1) // 5] for n in range(5)]
    flows = [sum(table.num_rows for kind, table in part if kind == FLOW) for part in parts]

    def came(parts):
        """Wait for the flows of so many parts, each once and none wrong; how many remote workloads were named."""
        job.flush()
        result = evaluated(fleet, job.attributed(sum(flows[:parts])))
        assert (result.misattributed, result.repeated, result.foreign) == (0, 0, 0)
        assert result.flows - result.lost == sum(flows[:parts])
        return result.systems()[0]["correct"]

    send(job, parts[0], span=fleet.span)
    # Heartbeats stop, and after a while everything: nothing says that time goes on behind the last flow.
    send(job, [piece for piece in parts[1] if piece[0] != HEARTBEAT], span=fleet.span)
    named = came(2)
    # They come back, those that were held up first.
    send(job, [piece for piece in parts[1] if piece[0] == HEARTBEAT] + parts[2], span=fleet.span)
    assert (came(3) - named) / flows[2] > named / sum(flows[:2])
    # The clock of who sends to one partition is an hour ahead, and is set right.
    for part, ahead_ms in ((parts[3], HOUR_MS), (parts[4], 0)):
        for number, (kind, table) in enumerate(part):
            partition = number % 2
            for rows in table.combine_chunks().to_batches():
                job.send(kind, rows, span=fleet.span, partition=partition, ahead_ms=ahead_ms * partition)
        if ahead_ms:
            came(4)
    job.say_time(fleet.latest_ms + 2 * HOUR_MS)
    came(5)
    job.stop()


def ended(process):
    """Wait until a command has ended well."""
    said = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, said


def read(lake, table):
    """All rows of a table, in an order that only their content decides."""
    found = [pq.read_table(path, partitioning=None) for path in (lake / table).rglob("*.parquet")]
    return sorted(repr(row) for part in found for row in part.to_pylist())


def rows_in(lake, table):
    return sum(pq.read_metadata(path).num_rows for path in (lake / table).rglob("*.parquet"))


def wait_for_rows(lake, table, rows):
    wait_until(lambda: rows_in(lake, table) >= rows, f"{rows} rows of {table}", timeout_s=PATIENCE_S)


def test_whatever_is_killed_under_load_the_lake_is_that_of_a_replay(broker, cluster, tmp_path):
    chosen = scenario("hostile", ("connections=3000", "duration=8m", "capture_share=0.6", "window_share=0.3"))
    write(simulate(chosen, seed=6), tmp_path / "fleet")
    plurals = [BY_NAME[kind].plural for kind in INPUT_RECORDS]
    files = {plural: tmp_path / "fleet" / f"{plural}.parquet" for plural in plurals}
    inputs = Inputs(**{plural: [path] for plural, path in files.items() if path.exists()})
    lake, expected = tmp_path / "lake", tmp_path / "expected"
    replay(inputs, expected, flows_are_heartbeats=False)

    options = {"report_delay": "10s", "settle_interval": "2s"}
    job = LiveJob(broker, cluster, tmp_path, stream=options, labels=pq.read_table(files["labels"]))
    job.start(parallelism=2)
    kafka = ("--bootstrap-servers", broker.bootstrap, "--topic-prefix", job.prefix)
    write_lake = ("lake", *kafka, "--out", lake, "--flush-interval", "500ms")
    load = ("--flows", files["flows"], "--heartbeats", files["heartbeats"], "--name-bindings", files["name_bindings"])
    # By itself: what was assigned before the fleet began would hold back a publisher that keeps pace.
    with attribution("publish", *kafka, "--assignments", files["assignments"]) as first:
        ended(first)
    with attribution("publish", *kafka, *load, "--no-flow-heartbeats", "--pace", "12x", "--finish") as publisher:
        with attribution(*write_lake) as writer:
            wait_for_rows(lake, "attributed_flows", 1)
            os.kill(cluster.python_workers()[0], signal.SIGKILL)
            wait_for_checkpoint(cluster, job)
            writer.kill()
        with attribution(*write_lake) as writer:
            # A writer that finds no broker when it starts ends.
            wait_for_rows(lake, "attributed_flows", rows_in(lake, "attributed_flows") + 1)
            broker.kill()
            broker.start_again()
            wait_for_checkpoint(cluster, job)
            cluster.kill_job_manager()
            cluster.start_job_manager()
            ended(publisher)
            for table in ("attributed_flows", "ownership_ranges"):
                wait_for_rows(lake, table, rows_in(expected, table))
            writer.terminate()
            ended(writer)
    for table in ("attributed_flows", "ownership_ranges"):
        assert read(lake, table) == read(expected, table)
    job.stop()
