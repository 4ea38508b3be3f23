"""Counts how answers compare with the truth, slice by slice: those of the system under evaluation, and of baselines."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.sockets import asked_sockets
from attribution.core.columnar.types import Column, Int32, Int64, Texts
from attribution.testbed.evaluate.alignment import Slice, has_names, has_networks
from attribution.testbed.evaluate.baselines import Baseline, EventLog
from attribution.testbed.evaluate.by_network import NetworkOutcomes
from attribution.testbed.evaluate.evaluation import Evaluation
from attribution.testbed.evaluate.name_baselines import NameLog
from attribution.testbed.evaluate.names_evaluation import NamesEvaluation
from attribution.testbed.evaluate.network_baselines import NearestHeartbeats, network_log, told_places
from attribution.testbed.evaluate.outcomes import FLEET_KINDS, OURS, Outcome, Outcomes, judge
from attribution.testbed.fleet.world.kinds import KIND_TEXTS

_SIDES = ("local", "remote")


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
class Tally:
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
