"""Simulated fleets through the job on a real cluster, and through a replay."""

import os
import random
import signal

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from agility import rows_by_number
from history import TIME, end_of, numbered, send
from live_job import LiveJob, wait_for_checkpoint

from attribution.config import Settings, format_duration
from attribution.records import BY_NAME
from attribution.replay import Inputs, replay
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE, arrow_schema

MINUTE_MS, DAY_MS = 60_000, 86_400_000
#: Records come so much later than others of their time, and the job waits twice as long for them.
DISORDER_MS = 5 * MINUTE_MS


def tables_of(simulation):
    flows = pa.Table.from_batches(list(simulation.flow_batches())).cast(arrow_schema(FLOW))
    return {
        HEARTBEAT: simulation.heartbeat_table(),
        ASSIGNMENT: simulation.assignment_table(),
        NAME_BINDING: simulation.name_table(),
        POLICY: simulation.policy_table(),
        SOCKET_RULE: simulation.rule_table(),
        LABEL: simulation.label_table(),
        FLOW: numbered(flows),
    }


def replayed(tables, settings, folder, *, flows_are_heartbeats):
    """The rows of a replay, by the number of their flow."""
    folder.mkdir()
    given = {}
    for kind, table in tables.items():
        path = folder / f"{kind}.parquet"
        pq.write_table(table, path)
        given[BY_NAME[kind].plural] = [path] if table.num_rows else []
    lake = folder / "lake"
    replay(Inputs(**given), lake, settings=settings, flows_are_heartbeats=flows_are_heartbeats)
    return rows_by_number(ds.dataset(lake / "attributed_flows", partitioning="hive").to_table().to_batches())


def disordered(tables, seed):
    """Pieces of all kinds, each of half a minute at the most, up to `DISORDER_MS` out of the order of time."""
    chosen, pieces = random.Random(seed), []
    for kind in TIME:
        for rows in tables[kind].sort_by(TIME[kind]).to_batches(max_chunksize=100):
            if rows.num_rows:
                piece = kind, pa.Table.from_batches([rows])
                pieces.append((max(end_of(*piece)) + chosen.randrange(DISORDER_MS), len(pieces), piece))
    return [piece for _, _, piece in sorted(pieces)]


def differing(settings):
    """The settings that are not the defaults, as a file has them."""
    default, given = Settings().to_dict(), settings.to_dict()
    return {
        name: format_duration(value) if isinstance(value, int) else value
        for name, value in given.items()
        if value != default[name]
    }


def through_the_job(broker, cluster, folder, tables, settings, *, seed):
    """The rows of the job, and those of a replay of the same records, by the number of their flow.

    The job dies once, and is stopped and started at another parallelism.
    """
    # A connection is a heartbeat when it is reported, too late for flows that went out before: then all wait for all.
    delay, span = ("1d", "interval") if seed % 2 else ("10m", "none")
    expected = replayed(tables, settings, folder / "replay", flows_are_heartbeats=span != "none")
    stream = {"report_delay": delay, "idle_after": "10m", "buckets": 4}
    job = LiveJob(broker, cluster, folder, stream=stream, attribution=differing(settings), labels=tables[LABEL])
    before, after = (1, 2) if seed % 2 else (2, 1)
    job.start(parallelism=before)
    send(job, [(kind, tables[kind]) for kind in (POLICY, SOCKET_RULE)])
    pieces = disordered(tables, seed)
    third = len(pieces) // 3
    send(job, pieces[:third], span=span)
    job.flush()
    for worker in cluster.python_workers():
        os.kill(worker, signal.SIGKILL)
    send(job, pieces[third : 2 * third], span=span)
    job.flush()
    # No job that restarts takes a savepoint.
    wait_for_checkpoint(cluster, job)
    job.start(parallelism=after, savepoint=job.stop())
    send(job, pieces[2 * third :], span=span)
    job.say_time(max(max(end_of(*piece)) for piece in pieces) + 3 * DAY_MS)
    found = rows_by_number(batch for table in job.attributed(len(expected)) for batch in table.to_batches())
    job.stop()
    return found, expected
