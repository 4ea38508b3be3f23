"""Rows of aborted transactions were never said: neither the job nor the lake takes one."""

import pyarrow as pa
import pyarrow.parquet as pq
from history import end_of, found, send
from live_job import LiveJob

from attribution.config import Settings
from attribution.schema import ATTRIBUTED_FLOW, FLOW, HEARTBEAT, NAME_BINDING
from attribution.stream.kafka.broker import Broker
from attribution.stream.kafka.settings import KafkaSettings
from attribution.stream.lake_writer.lake_folder import open_lake
from attribution.stream.lake_writer.writer import LakeWriter, Writing

HOUR_MS = 3_600_000
GHOST = "ghost"
#: The fields that name somebody.
NAMES = {FLOW: "local_workload", HEARTBEAT: "workload", NAME_BINDING: "hostname", ATTRIBUTED_FLOW: "remote_workload"}


def ghosts(kind, table):
    """The same rows, which name a ghost."""
    if kind not in NAMES:
        return table
    place = table.schema.get_field_index(NAMES[kind])
    names = pa.array([GHOST] * table.num_rows).cast(table.schema.field(place).type)
    return table.set_column(place, table.schema.field(place), names)


def written(lake, folder):
    return pa.concat_tables(pq.ParquetFile(path).read() for path in (lake / folder).rglob("*.parquet"))


def test_aborted_flows_heartbeats_and_results_are_nowhere(broker, cluster, tmp_path, fleet):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s"}, labels=fleet.labels)
    job.start(parallelism=1)
    pieces = fleet.in_time(200)
    step = len(pieces) // 6 + 1
    for begin in range(0, len(pieces), step):
        part = pieces[begin : begin + step]
        # Before each row its ghost, which would be the owner, or the flow that came first; and a time far ahead.
        with job.transaction(commit=False):
            send(job, [(kind, ghosts(kind, table)) for kind, table in part], span=fleet.span)
            job.say_time(fleet.latest_ms + HOUR_MS)
        with job.transaction(commit=True):
            send(job, part, span=fleet.span)
        job.say_time(max(end_of(*part[-1])))
    job.say_time(fleet.latest_ms + HOUR_MS)
    # Nothing but an aborted transaction is at the end of each partition.
    with job.transaction(commit=False):
        send(job, [(kind, ghosts(kind, table)) for kind, table in pieces[-step:]], span=fleet.span)
        job.say_time(fleet.latest_ms + 2 * HOUR_MS)
    attributed = job.attributed(len(fleet.expected))
    assert found(attributed) == fleet.expected
    job.stop()

    with job.transaction(commit=False):
        for table in attributed:
            for rows in ghosts(ATTRIBUTED_FLOW, table).to_batches():
                job.send(ATTRIBUTED_FLOW, rows)
    reach, lake = Broker(KafkaSettings(bootstrap_servers=broker.bootstrap)), tmp_path / "lake"
    group = open_lake(lake, cluster=reach.cluster_id(), prefix=job.prefix, settings=Settings())
    LakeWriter(lake, reach, writing=Writing(group=group, prefix=job.prefix, stop_at_end=True)).run()
    assert found([written(lake, "attributed_flows")]) == fleet.expected
    assert written(lake, "name_bindings").num_rows == fleet.tables[NAME_BINDING].num_rows
    assert GHOST not in written(lake, "name_bindings").column("hostname").to_pylist()
