"""Compares attributed flows, and the answers of event-based attribution, with the truth."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from attribution.config import MINUTE, SECOND, Settings
from attribution.errors import LakeError, SourceError
from attribution.lake.lake import read_manifest
from attribution.lake.layout import MANIFEST
from attribution.schema import HEARTBEAT, NAME_BINDING, arrow_schema
from attribution.testbed.evaluate.alignment import Slice, aligned
from attribution.testbed.evaluate.baselines import Baseline, EventLog, baselines
from attribution.testbed.evaluate.evaluation import Evaluation
from attribution.testbed.evaluate.name_baselines import NameLog
from attribution.testbed.evaluate.network_baselines import NearestHeartbeats
from attribution.testbed.evaluate.tally import Tally
from attribution.testbed.fleet.tables import EVENTS


def evaluate(
    attributed: Path,
    truth: Path,
    events: Path | None = None,
    *,
    names: Path | None = None,
    heartbeats: Path | None = None,
    report_delay: int = 30 * SECOND,
    hold_back: int = 10 * MINUTE,
) -> Evaluation:
    """Evaluate the attributed flows of a lake, and the answers of two event-based baselines to the same flows.

    If the truth has networks, both baselines are also tried with the network as a part of their key, and the nearest
    heartbeat is a third one.

    Args:
        attributed: the lake that `replay` wrote.
        truth: `truth.parquet` of the simulation that it replayed.
        events: `workload_events.parquet`; without it there are no baselines.
        names: `name_bindings.parquet` of a simulation with names; without it there are no baselines for names.
        heartbeats: `heartbeats.parquet`, for the baseline of the nearest heartbeat; without it there is none.
        report_delay: time between a flow's end and its report, when the first baseline judges it; microseconds.
        hold_back: time between a flow's end and the judgement of the second baseline; microseconds.

    Raises:
        LakeError: there is no lake.
        SourceError: the truth, the events, the names or the heartbeats cannot be read, or the truth is that of other
            flows.
    """
    log = EventLog(read_events(events)) if events else None
    variants = baselines(report_delay=report_delay, hold_back=hold_back) if log else ()
    name_log = partial(name_log_of, names, attributed) if names else None
    nearest = partial(_nearest, heartbeats) if heartbeats else None
    try:
        result = evaluate_slices(
            aligned(attributed, truth), log=log, variants=variants, names=name_log, nearest=nearest
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeError(f"cannot read {attributed} and {truth}: {error}; replay the logs into a new folder") from error
    if result.foreign and result.lost == result.flows:
        raise SourceError(
            f"cannot judge {attributed} by {truth}: none of the {result.flows:,} flows of the truth is among its "
            f"{result.foreign:,}; name the truth of the simulation that was replayed"
        )
    return result


def evaluate_slices(
    slices: Iterable[Slice],
    *,
    log: EventLog | None,
    variants: Iterable[Baseline],
    names: Callable[[], NameLog] | None = None,
    nearest: Callable[[], NearestHeartbeats] | None = None,
) -> Evaluation:
    """Evaluate aligned slices of flows, of a lake or in memory.

    Args:
        slices: flows with their truth.
        log: events for the baselines of workloads.
        variants: the baselines of workloads.
        names: makes the log for the baselines of names; called if the truth has names.
        nearest: makes the baseline of the nearest heartbeat; called if the truth has networks.
    """
    tally = Tally(log, tuple(variants), names, nearest)
    for part in slices:
        tally.add(part)
    return tally.result()


def read_events(path: Path) -> pa.Table:
    """The events of a simulation, in the order of delivery.

    Raises:
        SourceError: the file cannot be read or lacks columns.
    """
    try:
        return pq.read_table(path, columns=EVENTS.names)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"cannot read the events {path}: {error}; name a simulation's workload_events.parquet"
        ) from error


def read_names(path: Path) -> pa.Table:
    """The DNS answers of a simulation.

    Raises:
        SourceError: the file cannot be read or lacks columns.
    """
    try:
        return pq.read_table(path, columns=arrow_schema(NAME_BINDING).names)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"cannot read the name bindings {path}: {error}; name a simulation's name_bindings.parquet"
        ) from error


def _nearest(path: Path) -> NearestHeartbeats:
    """The baseline of the nearest heartbeat of a simulation.

    Raises:
        SourceError: the file cannot be read or lacks columns.
    """
    try:
        return NearestHeartbeats(pq.read_table(path, columns=arrow_schema(HEARTBEAT).names))
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"cannot read the heartbeats {path}: {error}; name a simulation's heartbeats.parquet"
        ) from error


def name_log_of(names: Path, lake: Path) -> NameLog:
    """The DNS answers of a simulation, with the resolvers that a lake was made with.

    Raises:
        SourceError: the file cannot be read or lacks columns.
    """
    return NameLog(read_names(names), resolvers_of(lake))


def resolvers_of(lake: Path) -> tuple[tuple[str, str], ...]:
    """Resolver and prefix of its clients, by the settings in the manifest of a lake; none if there is no manifest."""
    manifest = lake / MANIFEST
    if not manifest.is_file():
        return ()
    given = read_manifest(lake).get("settings", {}).get("shared_resolvers", ())
    return Settings(shared_resolvers=tuple(given)).clients_of_resolvers
