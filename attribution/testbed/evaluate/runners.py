"""One simulation through each runner, held against its truth: the rules in memory, a replay, the job's stages."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from attribution.config import MINUTE, Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.dictionaries import plain
from attribution.replay import Inputs, Limits, replay
from attribution.schema import (
    ASSIGNMENT,
    ATTRIBUTED_FLOW,
    FLOW,
    HEARTBEAT,
    LABEL,
    NAME_BINDING,
    POLICY,
    SOCKET_RULE,
    arrow_schema,
)
from attribution.stream.topics import INPUT_TOPICS
from attribution.testbed.evaluate.alignment import align
from attribution.testbed.evaluate.baselines import EventLog, baselines
from attribution.testbed.evaluate.evaluate import evaluate, evaluate_slices
from attribution.testbed.evaluate.evaluation import Evaluation
from attribution.testbed.evaluate.network_baselines import NearestHeartbeats
from attribution.testbed.fleet.simulation import Simulation
from attribution.testbed.fleet.write import (
    EVENTS_FILE,
    FLOW_FILES,
    HEARTBEATS_FILE,
    NAMES_FILE,
    TRUTH_FILE,
    FlowFormat,
    write,
)
from attribution.testing import ABORT, CHECKPOINT, Item, Watermark, run

#: Records that the job meets together, before time moves on.
_PERIOD = 2 * MINUTE
#: The job's default `report_delay`: a hostile fleet reports later, and this costs coverage.
_REPORT_DELAY = MINUTE
#: Enough for the two sides of a flow to lie apart.
_BUCKETS = 2
#: How many of a hundred periods end with a checkpoint, and how many with a crash.
_CHECKPOINTS, _CRASHES = 20, 10


def through_core(simulation: Simulation, settings: Settings) -> Evaluation:
    """How right the rules are, if they know all evidence at once."""
    return _evaluated(simulation, core_answers(simulation, settings))


def core_answers(simulation: Simulation, settings: Settings) -> pa.Table:
    """The attributed flows of the rules, if they know all evidence at once."""
    attributor = Attributor(settings)
    for kind, table in (_evidence(simulation) | _configuration(simulation)).items():
        attributor.observe(kind, table)
    flows = list(simulation.flow_batches())
    for batch in flows:
        attributor.observe_flows(batch)
    return pa.Table.from_batches([plain(attributor.attribute(batch)) for batch in flows])


def through_replay(
    simulation: Simulation,
    settings: Settings,
    folder: Path,
    *,
    limits: Limits | None = None,
    flow_format: FlowFormat = "parquet",
) -> Evaluation:
    """How right a replay is, from the simulation's files to the lake.

    Args:
        simulation: the simulation.
        settings: the settings of the rules.
        folder: where the files and the lake go.
        limits: what the replay may use.
        flow_format: in which format the flows are written.

    Raises:
        SourceError: a file cannot be read.
        RejectLimitError: a row of a simulation was rejected.
    """
    fleet, lake = folder / "fleet", folder / "lake"
    write(simulation, fleet, flow_format=flow_format)
    inputs = Inputs(
        flows=[fleet / FLOW_FILES[flow_format]],
        heartbeats=[fleet / HEARTBEATS_FILE],
        assignments=[fleet / "assignments.parquet"],
        name_bindings=[fleet / NAMES_FILE],
        labels=[fleet / "labels.parquet"],
        policies=[fleet / "policies.parquet"] if simulation.scenario.pool_services else [],
        socket_rules=[fleet / "socket_rules.parquet"] if simulation.scenario.pool_services else [],
    )
    replay(inputs, lake, settings=settings, limits=limits)
    return evaluate(lake, fleet / TRUTH_FILE, fleet / EVENTS_FILE, heartbeats=fleet / HEARTBEATS_FILE)


def through_job(simulation: Simulation, settings: Settings, *, seed: int) -> Evaluation:
    """How right the job's stages are, if records come as they are reported and the job dies now and then.

    Args:
        simulation: the simulation.
        settings: the settings of the rules.
        seed: decides when the job saves its state and when it dies.
    """
    return _evaluated(simulation, job_answers(simulation, settings, seed=seed))


def job_answers(simulation: Simulation, settings: Settings, *, seed: int) -> pa.Table:
    """The attributed flows of the job's stages, in the order in which they went out; as of `through_job`."""
    labels = simulation.label_table().to_pylist()
    result = run(_feed(simulation, seed), settings=settings, labels=labels, buckets=_BUCKETS)
    return pa.Table.from_pylist(result.rows, schema=arrow_schema(ATTRIBUTED_FLOW))


def _evidence(simulation: Simulation) -> dict[str, pa.Table]:
    return {
        HEARTBEAT: simulation.heartbeat_table(),
        ASSIGNMENT: simulation.assignment_table(),
        NAME_BINDING: simulation.name_table(),
    }


def _configuration(simulation: Simulation) -> dict[str, pa.Table]:
    """What the job has as configuration, and not from a topic."""
    return {
        LABEL: simulation.label_table(),
        POLICY: simulation.policy_table(),
        SOCKET_RULE: simulation.rule_table(),
    }


def _evaluated(simulation: Simulation, attributed: pa.Table) -> Evaluation:
    part = align(pa.Table.from_batches(list(simulation.truth_batches())), attributed)
    return evaluate_slices(
        [part],
        log=EventLog(simulation.event_table()),
        variants=baselines(),
        nearest=lambda: NearestHeartbeats(simulation.heartbeat_table()),
    )


def _feed(simulation: Simulation, seed: int) -> Iterator[Item]:
    """What the job meets: the records of all kinds in the order of their delivery, and what happens to the job."""
    tables = _evidence(simulation) | {FLOW: pa.Table.from_batches(list(simulation.flow_batches()))}
    periods: dict[int, list[Item]] = {}
    for kind, table in tables.items():
        for period, rows in _by_period(table, "end" if kind in (FLOW, HEARTBEAT) else "time"):
            periods.setdefault(period, []).append((INPUT_TOPICS[kind], rows))
    random = np.random.default_rng(seed)
    for period in sorted(periods):
        yield from periods[period]
        yield Watermark((period + 1) * _PERIOD - 1 - _REPORT_DELAY)
        happens = random.integers(100)
        if happens < _CHECKPOINTS:
            yield CHECKPOINT
        elif happens < _CHECKPOINTS + _CRASHES:
            yield ABORT


def _by_period(table: pa.Table, seen: str) -> Iterator[tuple[int, pa.Table]]:
    """The rows that are delivered in each period: no row comes before the rows that stand before it."""
    if table.num_rows == 0:
        return
    period = np.maximum.accumulate(microseconds(table.column(seen))) // _PERIOD
    cuts = [0, *(np.flatnonzero(np.diff(period)) + 1).tolist(), len(period)]
    for begin, end in pairwise(cuts):
        yield int(period[begin]), table.slice(begin, end - begin)
