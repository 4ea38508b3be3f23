"""Compares attributed flows, and the answers of event-based attribution, with the truth."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.addressing.sockets import asked_sockets
from attribution.core.columnar.types import Column, Int32, Int64, Texts
from attribution.errors import SourceError
from attribution.lake.layout import MANIFEST
from attribution.schema import HEARTBEAT, NAME_BINDING, arrow_schema
from attribution.testbed.evaluate.alignment import Slice, aligned, has_names, has_networks
from attribution.testbed.evaluate.baselines import Baseline, EventLog, baselines
from attribution.testbed.evaluate.by_network import NetworkOutcomes
from attribution.testbed.evaluate.evaluation import Evaluation
from attribution.testbed.evaluate.name_baselines import NameLog
from attribution.testbed.evaluate.names_evaluation import NamesEvaluation
from attribution.testbed.evaluate.network_baselines import NearestHeartbeats, network_log, told_places
from attribution.testbed.evaluate.outcomes import FLEET_KINDS, OURS, Outcome, Outcomes, judge
from attribution.testbed.fleet.kinds import KIND_TEXTS
from attribution.testbed.fleet.tables import EVENTS

_SIDES = ("local", "remote")


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
    result = evaluate_slices(aligned(attributed, truth), log=log, variants=variants, names=name_log, nearest=nearest)
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
    tally = _Tally(log, tuple(variants), names, nearest)
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
    given = json.loads(manifest.read_text(encoding="utf-8"))["settings"].get("shared_resolvers", ())
    return Settings(shared_resolvers=tuple(given)).clients_of_resolvers


@dataclass(frozen=True)
class _Flows:
    """Flows of one slice, row by row.

    Attributes:
        truth: who really was at either side.
        kind: number of the `Kind` of each remote side.
        client: number of each local side's service; -1 for none.
        server: number of each remote side's service; -1 for none.
    """

    truth: pa.Table
    kind: Int64
    client: Int64
    server: Int64


#: Workload and service that a system names, by side.
_Answers = dict[str, tuple[Texts, Texts]]


@dataclass
class _Tally:
    """Counts outcomes, slice by slice. Services get numbers in the order in which they come."""

    log: EventLog | None
    variants: tuple[Baseline, ...]
    name_log: Callable[[], NameLog] | None
    make_nearest: Callable[[], NearestHeartbeats] | None
    flows: int = 0
    lost: int = 0
    repeated: int = 0
    foreign: int = 0
    services: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, Outcomes] = field(default_factory=dict)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    true_edges: set[tuple[int, int]] = field(default_factory=set)
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    names: NamesEvaluation | None = None
    networks: NetworkOutcomes | None = None
    network_log: EventLog | None = None

    def add(self, part: Slice) -> None:
        """Count one slice."""
        truth = part.truth
        self.flows += truth.num_rows
        self.lost += part.lost
        self.repeated += part.repeated
        self.foreign += part.foreign
        if not truth.num_rows:
            return
        if has_names(truth.schema):
            self.names = self.names or NamesEvaluation(self.name_log() if self.name_log else None)
            self.names.add(truth, part.answers)
        if has_networks(truth.schema):
            self.networks = self.networks or NetworkOutcomes()
        flows = _Flows(
            truth=truth,
            kind=_ints(pc.index_in(truth.column("remote_kind"), value_set=pa.array(KIND_TEXTS)).fill_null(-1)),
            client=self._numbers(truth.column("local_service")),
            server=self._numbers(truth.column("remote_service")),
        )
        self.true_edges |= _pairs(flows.client, flows.server)
        ours = {
            side: (part.answers.column(f"{side}_workload"), part.answers.column(f"{side}_service")) for side in _SIDES
        }
        outcome = self._count(OURS, flows, ours)
        for side in _SIDES:
            self._count_reasons(side, part.answers.column(f"{side}_reason"), outcome[side], flows.kind)
            self._count_answers(side, part.answers)
        if self.networks:
            self.networks.add_reasons(truth, np.isin(flows.kind, FLEET_KINDS), part.answers.column("remote_reason"))
        if self.log:
            self._count_baselines(self.log, flows, part)
            if self.networks:
                self.network_log = self.network_log or network_log(self.log)
                self._count_baselines(self.network_log, flows, part, by_network=True)
        if self.networks and self._nearest:
            self._count_nearest(self._nearest, flows, part)

    @cached_property
    def _nearest(self) -> NearestHeartbeats | None:
        return self.make_nearest() if self.make_nearest else None

    def _count_baselines(self, log: EventLog, flows: _Flows, part: Slice, *, by_network: bool = False) -> None:
        sockets = _sockets(flows.truth)
        keys = {
            side: log.keys(
                told_places(flows.truth, side) if by_network else flows.truth.column(f"{side}_address"), sockets[side]
            )
            for side in _SIDES
        }
        start, end = (_ints(part.truth.column(name).cast(pa.int64())) for name in ("start", "end"))
        for variant in self.variants:
            found = {side: variant.attribute(log, keys[side], start, end) for side in _SIDES}
            name = f"{variant.name}, by network" if by_network else variant.name
            self._count(name, flows, _with_captured(found, part))

    def _count_nearest(self, nearest: NearestHeartbeats, flows: _Flows, part: Slice) -> None:
        start, sockets = _ints(part.truth.column("start").cast(pa.int64())), _sockets(flows.truth)
        found = {
            side: nearest.attribute(flows.truth.column(f"{side}_address"), sockets[side], start) for side in _SIDES
        }
        self._count(nearest.name, flows, _with_captured(found, part))

    def _count(self, system: str, flows: _Flows, answers: _Answers) -> dict[str, Int64]:
        """Add one system's outcomes of a slice; return them by side."""
        counts = self.outcomes.setdefault(system, Outcomes())
        outcome = {side: judge(flows.truth, side, *answers[side]) for side in _SIDES}
        for side in _SIDES:
            counts.add_side(side, flows.kind, outcome[side])
        fleet = np.isin(flows.kind, FLEET_KINDS)
        if self.networks:
            self.networks.add(system, flows.truth, fleet, outcome["remote"])
        counts.add_services(flows.client[fleet], flows.server[fleet], outcome["remote"][fleet])
        claimed = [self._numbers(answers[side][1]) for side in _SIDES]
        counts.claimed |= _pairs(*claimed)
        return outcome

    def _count_reasons(self, side: str, reasons: pa.ChunkedArray, outcome: Int64, kind: Int64) -> None:
        """Count reasons by outcome; reasons of the remote side only for flows inside the fleet."""
        texts = pc.dictionary_encode(reasons.fill_null("lost").combine_chunks())
        code = np.asarray(texts.indices).astype(np.int64)
        asked = np.isin(kind, FLEET_KINDS) if side == "remote" else np.ones(len(code), dtype=np.bool_)
        size = len(Outcome)
        counts = np.bincount(code[asked] * size + outcome[asked], minlength=size * len(texts.dictionary))
        for i, reason in enumerate(texts.dictionary.to_pylist()):
            for j, name in enumerate(Outcomes.NAMES):
                if counts[size * i + j]:
                    self.reasons[side, reason, name] += int(counts[size * i + j])

    def _count_answers(self, side: str, answers: pa.Table) -> None:
        """Count the methods and reasons of one side of all flows."""
        keys = [f"{side}_method", f"{side}_reason"]
        counts = answers.select(keys).group_by(keys).aggregate([([], "count_all")])
        for row in counts.to_pylist():
            self.answers[side, row[keys[0]] or "lost", row[keys[1]] or "lost"] += row["count_all"]

    def _numbers(self, services: Texts) -> Int64:
        """The number of each service name; -1 for null."""
        texts = services.combine_chunks() if isinstance(services, pa.ChunkedArray) else services
        coded = pc.dictionary_encode(texts)
        numbers = [self.services.setdefault(name, len(self.services)) for name in coded.dictionary.to_pylist()]
        code = _ints(coded.indices.fill_null(-1))
        return np.array([*numbers, -1], dtype=np.int64)[code]

    def result(self) -> Evaluation:
        """The evaluation of all slices so far."""
        return Evaluation(
            flows=self.flows,
            lost=self.lost,
            repeated=self.repeated,
            foreign=self.foreign,
            services=tuple(self.services),
            outcomes=self.outcomes or {OURS: Outcomes()},
            reasons=dict(self.reasons),
            true_edges=frozenset(self.true_edges),
            answers=dict(self.answers),
            names=self.names,
            networks=self.networks,
        )


def _sockets(truth: pa.Table) -> dict[str, Int32]:
    return {side: asked_sockets(truth.column("protocol"), truth.column(f"{side}_port")) for side in _SIDES}


def _with_captured(answers: _Answers, part: Slice) -> _Answers:
    """The answers of a baseline about both sides, in which a workload that was seen at capture stays the answer."""
    found = {}
    for side, (workload, service) in answers.items():
        captured = pc.equal(part.answers.column(f"{side}_method"), "capture").fill_null(False)
        found[side] = (
            pc.if_else(captured, part.answers.column(f"{side}_workload"), workload),
            pc.if_else(captured, part.answers.column(f"{side}_service"), service),
        )
    return found


def _pairs(client: Int64, server: Int64) -> set[tuple[int, int]]:
    both = (client >= 0) & (server >= 0)
    width = int(server.max(initial=0)) + 1
    packed = np.flatnonzero(np.bincount(client[both] * width + server[both]))
    return {divmod(pair, width) for pair in packed.tolist()}


def _ints(column: Column) -> Int64:
    return np.asarray(column).astype(np.int64)
