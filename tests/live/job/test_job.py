"""The job on a real cluster and a real broker gives, row for row, what the attributor gives in memory."""

import json
import os
import random
import signal
from collections import Counter

import pyarrow as pa
import pytest
from agility import agility, rows_by_number
from golden_cases import CASES
from history import TIME, History, end_of, found, send
from live_job import SCRIPT, LiveJob, count, wait_for_checkpoint
from records import batch

from attribution.config import format_duration
from attribution.core.attributor import Attributor
from attribution.core.reasons import METHOD_OF
from attribution.errors import ClusterError
from attribution.schema import (
    ASSIGNMENT,
    DEAD_LETTER,
    FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    POLICY,
    SOCKET_RULE,
    arrow_schema,
)
from attribution.testbed.cluster.processes import wait_until

DAYS = 86_400_000


@pytest.fixture(scope="module")
def goldens():
    """The golden cases that need no settings of their own, as one history: they lie on some days, at many addresses."""
    cases = [case for case in CASES if not (case.folder / "settings.toml").exists()]
    assert len(cases) > 8
    made = {kind: [] for kind in (HEARTBEAT, ASSIGNMENT, NAME_BINDING, FLOW)}
    for case in cases:
        made[HEARTBEAT] += case.evidence.heartbeats
        made[ASSIGNMENT] += case.evidence.assignments
        made[NAME_BINDING] += case.evidence.name_bindings
        made[FLOW] += case.flows
    return History({kind: pa.Table.from_batches([batch(kind, rows)]) for kind, rows in made.items()}, no_labels())


def no_labels():
    return arrow_schema(LABEL).empty_table()


def test_one_record_a_message_in_the_order_of_time(broker, cluster, tmp_path, goldens):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s", "buckets": 4})
    job.start(parallelism=1)
    send(job, goldens.in_time(1))
    job.say_time(goldens.latest_ms + DAYS)
    assert found(job.attributed(len(goldens.expected))) == goldens.expected
    job.stop()


def test_everything_at_once_and_shuffled_on_two_workers(broker, cluster, tmp_path, goldens):
    # Longer than all cases together: whatever comes first, nothing is late.
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "30d"})
    assert goldens.latest_ms - min(map(min, goldens.times_ms)) < 30 * DAYS
    pieces = goldens.in_time(3)
    random.Random(1).shuffle(pieces)
    send(job, pieces)
    job.say_time(goldens.latest_ms + 32 * DAYS)
    job.start(parallelism=2)
    assert found(job.attributed(len(goldens.expected))) == goldens.expected
    job.stop()


def test_a_simulated_fleet_through_savepoints_on_one_and_two_workers(broker, cluster, tmp_path, fleet):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s"}, labels=fleet.labels)
    pieces = fleet.in_time(200)
    third = len(pieces) // 3
    job.start(parallelism=1)
    for parallelism, part in ((2, pieces[:third]), (1, pieces[third : 2 * third])):
        send(job, part, span=fleet.span)
        job.say_time(max(end_of(*part[-1])))
        savepoint = job.stop()
        job.start(parallelism=parallelism, savepoint=savepoint)
    send(job, pieces[2 * third :], span=fleet.span)
    job.say_time(fleet.latest_ms + DAYS)
    assert found(job.attributed(len(fleet.expected))) == fleet.expected
    job.stop()


def test_killed_workers_and_a_killed_task_manager_lose_and_double_nothing(broker, cluster, tmp_path, fleet):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s"}, labels=fleet.labels)
    pieces = fleet.in_time(200)
    job.start(parallelism=1)
    third = len(pieces) // 3
    send(job, pieces[:third], span=fleet.span)
    job.say_time(max(end_of(*pieces[third - 1])))
    for worker in cluster.python_workers():
        os.kill(worker, signal.SIGKILL)
    send(job, pieces[third : 2 * third], span=fleet.span)
    job.flush()
    cluster.kill_task_manager()
    cluster.start_task_manager()
    send(job, pieces[2 * third :], span=fleet.span)
    job.say_time(fleet.latest_ms + DAYS)
    assert found(job.attributed(len(fleet.expected))) == fleet.expected
    job.stop()


def test_a_crash_after_the_last_message_delays_what_is_due_and_holds_back_nothing(broker, cluster, tmp_path, fleet):
    # What is due waits for its bucket's next round, and the crash comes before.
    options = {"report_delay": "10s", "idle_after": "2s", "round_interval": "40s", "settle_interval": "2s"}
    job = LiveJob(broker, cluster, tmp_path, stream=options, labels=fleet.labels)
    pieces = fleet.in_time(200)
    job.start(parallelism=2)
    send(job, pieces[: len(pieces) // 2], span=fleet.span)
    job.say_time(max(end_of(*pieces[len(pieces) // 2])))
    released = sum(table.num_rows for table in job.attributed(1))
    send(job, pieces[len(pieces) // 2 :], span=fleet.span)
    job.say_time(fleet.latest_ms + 3_600_000)
    wait_for_checkpoint(cluster, job)
    assert sum(table.num_rows for table in job.attributed(released)) < len(fleet.expected)
    os.kill(cluster.python_workers()[0], signal.SIGKILL)
    assert found(job.attributed(len(fleet.expected))) == fleet.expected
    assert sum(table.num_rows for table in job.ranges(1))
    job.stop()


def test_policies_socket_rules_and_names_of_pools_give_the_rows_of_the_rules(broker, cluster, tmp_path):
    history = agility(11)
    attributor = Attributor(history.settings)
    attributor.observe(HEARTBEAT, history.tables[HEARTBEAT])
    attributor.observe(NAME_BINDING, history.tables[NAME_BINDING])
    attributor.observe(POLICY, history.tables[POLICY])
    attributor.observe(SOCKET_RULE, history.tables[SOCKET_RULE])
    (flows,) = history.tables[FLOW].combine_chunks().to_batches()
    attributor.observe_flows(flows)
    expected = rows_by_number([attributor.attribute(flows)])

    given = {name: value for name, value in history.settings.to_dict().items() if isinstance(value, list)}
    given["connection_lifetime"] = format_duration(history.settings.connection_lifetime)
    # Flows are heartbeats when they are reported, too late for those that went out before, so all is late by a day.
    job = LiveJob(
        broker, cluster, tmp_path, stream={"report_delay": "1d", "idle_after": "10m", "buckets": 4}, attribution=given
    )
    job.start(parallelism=2)
    pieces = [
        (kind, rows.sort_by(TIME[kind]).slice(at, 100))
        for kind, rows in history.tables.items()
        if kind in TIME
        for at in range(0, rows.num_rows, 100)
    ]
    send(job, [(kind, history.tables[kind]) for kind in (POLICY, SOCKET_RULE)])
    send(job, sorted(pieces, key=lambda piece: max(end_of(*piece))))
    outside = {"policy": "x", "pool": "y", "prefix": "10.0.0.0/8"}
    job.send_value(POLICY, json.dumps(outside).encode(), timestamp_ms=1)
    job.say_time(max(max(end_of(*piece)) for piece in pieces) + 3 * DAYS)
    assert rows_by_number(b for t in job.attributed(len(expected)) for b in t.to_batches()) == expected
    (letter,) = map(json.loads, job.received(DEAD_LETTER, 1))
    assert (letter["kind"], letter["reason"]) == (POLICY, "outside_pools")
    job.stop()


def test_rows_that_are_none_become_dead_letters_and_the_rest_goes_on(broker, cluster, tmp_path, goldens):
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "10s"})
    job.start(parallelism=1)
    begun = min(end_of(FLOW, goldens.tables[FLOW]))
    good = '{"address": "10.0.0.1", "workload": "w", "start": "2026-03-11T00:00:00Z"}'
    job.send_value(HEARTBEAT, f'{good}\n{{"address": "nowhere"}}'.encode(), timestamp_ms=begun, partition=1)
    job.send_value(FLOW, b"\xff\xff\xff\xff cut off", timestamp_ms=begun, partition=0)
    send(job, goldens.in_time(50))
    job.say_time(goldens.latest_ms + DAYS)
    letters = sorted((json.loads(value) for value in job.received(DEAD_LETTER, 2)), key=lambda letter: letter["kind"])
    assert [(letter["kind"], letter["partition"], letter["offset"], letter["row"]) for letter in letters] == [
        (FLOW, 0, 0, None),
        (HEARTBEAT, 1, 0, 2),
    ]
    attributed = job.attributed(len(goldens.expected))
    assert found(attributed) == goldens.expected

    rows = 1 + sum(table.num_rows for table in goldens.tables.values())
    wait_until(lambda: count(cluster, job, "rows_in") == rows, f"{rows} rows_in", timeout_s=60)
    assert count(cluster, job, "dead_letters") == 2
    reasons = Counter(reason for table in attributed for reason in table.column("remote_reason").to_pylist())

    def counted():
        return {reason: count(cluster, job, f"attributed.remote.{METHOD_OF[reason]}.{reason}") for reason in reasons}

    wait_until(lambda: counted() == reasons, str(reasons), timeout_s=60, found=lambda: str(counted()))
    assert count(cluster, job, "flows_held") == 0
    assert count(cluster, job, "state_bytes") > 0
    assert count(cluster, job, "heartbeats_known") > 0
    assert len(cluster.metrics(job.job_id, named=".release_latency_ms")) == 2
    job.stop()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topic-prefix", "elsewhere."], "there is no topic elsewhere.flows"),
        (["--config", "absent.toml"], "cannot read the configuration absent.toml"),
        (["--bootstrap-servers", "127.0.0.1:1"], "127.0.0.1:1"),
    ],
)
def test_a_job_that_cannot_start_says_why(broker, cluster, arguments, message):
    with pytest.raises(ClusterError, match=message) as raised:
        cluster.submit(SCRIPT, ["--bootstrap-servers", broker.bootstrap, *arguments])
    said = [line for line in str(raised.value).splitlines() if line.startswith("attribute_flows: ")]
    assert len(said) == 1
