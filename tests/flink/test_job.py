"""The job on a real cluster and a real broker gives, row for row, what the attributor gives in memory."""

import itertools
import json
import os
import random
import signal

import numpy as np
import pyarrow as pa
import pytest
from golden_cases import CASES
from live_job import SCRIPT, LiveJob
from records import answers, batch

from attribution.attributor import Attributor
from attribution.config import Settings
from attribution.core.distinct import plain
from attribution.core.flow_heartbeats import flow_heartbeats
from attribution.core.range_collector import RangeCollector
from attribution.errors import ClusterError
from attribution.schema import ASSIGNMENT, DEAD_LETTER, FLOW, HEARTBEAT, LABEL, NAME_BINDING, arrow_schema
from attribution.simulate.scenarios import scenario
from attribution.simulate.simulation import simulate

DAYS = 86_400_000
PERIOD_MS = 30_000
TIME = {HEARTBEAT: "end", ASSIGNMENT: "time", NAME_BINDING: "time", FLOW: "end"}


class Input:
    """Records of all kinds, the flows numbered by their observer, and the answers that they must get."""

    def __init__(self, tables, labels, *, span="interval"):
        flows = tables[FLOW]
        numbers = pa.array([str(number) for number in range(flows.num_rows)])
        self.tables = tables | {FLOW: flows.set_column(flows.schema.get_field_index("observer"), "observer", numbers)}
        self.labels, self.span = labels, span
        flows = self.tables[FLOW].combine_chunks().to_batches()[0]
        self._attributor = Attributor(Settings())
        self._attributor.observe(self.tables[HEARTBEAT])
        self._attributor.observe(flow_heartbeats(flows, span))
        self._attributor.observe_assignments(self.tables[ASSIGNMENT])
        self._attributor.observe_names(self.tables[NAME_BINDING])
        self._attributor.observe_labels(labels)
        self.expected = answers(plain(self._attributor.attribute(flows)))

    @property
    def ranges(self):
        found = RangeCollector(Settings()).collect(self._attributor.ownership_ranges(), known_to=1 << 61)
        return sorted(map(repr, found.to_pylist()))

    @property
    def latest_ms(self):
        return max(max(end_of(kind, table)) for kind, table in self.tables.items() if table.num_rows)

    def in_time(self, rows):
        """Pieces of at most so many rows and half a minute, of all kinds, in the order in which they were reported."""
        pieces = []
        for kind, table in self.tables.items():
            ordered = table.sort_by(TIME[kind])
            period = np.array(end_of(kind, ordered), np.int64) // PERIOD_MS
            cuts = [0, *(np.flatnonzero(np.diff(period)) + 1).tolist(), len(period)]
            for begin, end in itertools.pairwise(cuts):
                pieces += [(kind, ordered.slice(at, min(rows, end - at))) for at in range(begin, end, rows)]
        return sorted(pieces, key=lambda piece: max(end_of(*piece)))


def end_of(kind, table):
    return [moment // 1000 for moment in table.column(TIME[kind]).cast(pa.int64()).to_pylist()]


def send(job, pieces, *, span="interval"):
    for kind, table in pieces:
        for rows in table.combine_chunks().to_batches():
            job.send(kind, rows, span=span if kind == FLOW else None)


def found(tables):
    """The answer of each flow, in the order of their numbers; every number once."""
    pairs = []
    for table in tables:
        for rows in table.combine_chunks().to_batches():
            pairs += zip(rows.column("observer").to_pylist(), answers(plain(rows)), strict=True)
    assert len(pairs) == len({number for number, _ in pairs})
    return [answer for _, answer in sorted(pairs, key=lambda pair: int(pair[0]))]


@pytest.fixture(scope="module")
def goldens():
    """The golden cases that need no settings of their own, as one history: they lie on one day, at many addresses."""
    cases = [case for case in CASES if not (case.folder / "settings.toml").exists()]
    assert len(cases) > 8
    made = {kind: [] for kind in (HEARTBEAT, ASSIGNMENT, NAME_BINDING, FLOW)}
    for case in cases:
        made[HEARTBEAT] += case.evidence.heartbeats
        made[ASSIGNMENT] += case.evidence.assignments
        made[NAME_BINDING] += case.evidence.name_bindings
        made[FLOW] += case.flows
    return Input({kind: pa.Table.from_batches([batch(kind, rows)]) for kind, rows in made.items()}, no_labels())


@pytest.fixture(scope="module")
def fleet():
    chosen = scenario("hostile", ("connections=3000", "duration=20m", "capture_share=0.6", "window_share=0.3"))
    made = simulate(chosen, seed=5)
    flows = pa.Table.from_batches(list(made.flow_batches())).cast(arrow_schema(FLOW))
    tables = {
        HEARTBEAT: made.heartbeat_table(),
        ASSIGNMENT: made.assignment_table(),
        NAME_BINDING: made.name_table(),
        FLOW: flows,
    }
    # Explicit heartbeats only: a connection is one when it is reported, too late for flows that went out before.
    return Input(tables, made.label_table(), span="none")


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
    job = LiveJob(broker, cluster, tmp_path, stream={"report_delay": "2d"})
    pieces = goldens.in_time(3)
    random.Random(1).shuffle(pieces)
    send(job, pieces)
    job.say_time(goldens.latest_ms + 4 * DAYS)
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
    assert found(job.attributed(len(goldens.expected))) == goldens.expected
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
