"""Flows that wait for the evidence about them to be complete."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.arrays import NEVER_AFTER, microseconds
from attribution.core.columnar.types import Bool, Int64
from attribution.core.times import asked_times

#: Rows of a batch that is dense: smaller ones are joined, so that what is done to a batch costs what its rows cost.
_DENSE = 1 << 13
#: Small batches that may wait before they are joined.
_SMALL = 32


class Folded(Protocol):
    """Flows in a form that takes less memory than a record batch."""

    def times(self) -> tuple[Int64, Int64]:
        """Start and end of each, µs, as of `attribution.core.times`."""
        ...

    def unfold(self) -> pa.RecordBatch:
        """The record batch."""
        ...


#: Start and end of flows, µs.
Times: TypeAlias = Callable[[pa.RecordBatch], tuple[Int64, Int64]]


def recorded_times(flows: pa.RecordBatch) -> tuple[Int64, Int64]:
    """Start and end of the records."""
    return microseconds(flows.column("start")), microseconds(flows.column("end"))


@dataclass(frozen=True)
class _Waiting:
    """Flows that wait.

    Attributes:
        flows: the rows.
        due_us: when each of them is due.
        first_us: when the first of them is due.
        last_us: when the last of them is due.
        begun_us: a moment before which none of them began.
        arrived_us: when the first of them came, by the caller's clock.
    """

    flows: pa.RecordBatch | Folded
    due_us: Int64
    first_us: int
    last_us: int
    begun_us: int
    arrived_us: int

    @classmethod
    def of(cls, flows: pa.RecordBatch | Folded, due_us: Int64, begun_us: int, arrived_us: int) -> "_Waiting":
        return cls(flows, due_us, int(due_us.min()), int(due_us.max()), begun_us, arrived_us)

    @property
    def batch(self) -> pa.RecordBatch:
        return self.flows if isinstance(self.flows, pa.RecordBatch) else self.flows.unfold()

    def part(self, batch: pa.RecordBatch, rows: Bool, times: Times) -> "_Waiting":
        """Some rows of the batch that was unfolded."""
        some = batch.filter(pa.array(rows))
        # Of these rows exactly, as after a restart: when evidence is forgotten must not depend on one.
        return _Waiting.of(some, self.due_us[rows], int(times(some)[0].min()), self.arrived_us)


class HeldFlows:
    """Batches of flows, each row until it is due: its end plus `hold`.

    Args:
        hold_us: how long after its end a flow waits.
        times: start and end of flows, µs; those of the records by default.
    """

    def __init__(self, hold_us: int, *, times: Times = recorded_times) -> None:
        self._hold_us, self._times = hold_us, times
        self._waiting: list[_Waiting] = []
        self._small: list[_Waiting] = []
        #: When (µs) the first of the flows is due; after all time where none is held.
        self.next_due_us = NEVER_AFTER
        #: How many flows are held.
        self.rows = 0

    @property
    def flows(self) -> list[pa.RecordBatch | Folded]:
        """What is held, as it is held: dense record batches, and what was folded."""
        self._join_small()
        return [one.flows for one in self._waiting]

    def by_wait(self) -> Iterator[tuple[bool, pa.RecordBatch]]:
        """What is held as record batches, each with whether its flows wait longer than the usual time."""
        self._join_small()
        for one in self._waiting:
            batch = one.batch
            longer = one.due_us > self._times(batch)[1] + self._hold_us
            for kind in np.unique(longer):
                yield bool(kind), batch.filter(pa.array(longer == kind))

    @property
    def earliest_start_us(self) -> int:
        """A moment (µs) before which no held flow began; after all time where none is held."""
        return min((one.begun_us for one in (*self._waiting, *self._small)), default=NEVER_AFTER)

    def add(self, flows: pa.RecordBatch | Folded, *, arrived_us: int = 0, hold_us: int | None = None) -> None:
        """Hold flows.

        Args:
            flows: a record batch, or `Folded` flows, which are unfolded when the first of them is due.
            arrived_us: a moment of the caller's own clock, for `stale`.
            hold_us: how long after their end these flows wait, instead of the usual time.
        """
        if isinstance(flows, pa.RecordBatch):
            start, end = self._times(flows)
            small = len(end) < _DENSE and not _encoded(flows)
        else:
            start, end = flows.times()
            small = False
        if len(end) == 0:
            return
        one = _Waiting.of(flows, end + (self._hold_us if hold_us is None else hold_us), int(start.min()), arrived_us)
        (self._small if small else self._waiting).append(one)
        self.next_due_us = min(self.next_due_us, one.first_us)
        self.rows += len(end)
        if len(self._small) >= _SMALL:
            self._join_small()

    def due(self, watermark_us: int) -> list[pa.RecordBatch]:
        """Take out the flows that are due when the watermark (µs) stands there."""
        if self.next_due_us > watermark_us:
            return []
        self._join_small()
        released, kept = [], []
        for one in self._waiting:
            if one.last_us <= watermark_us:
                released.append(one)
            elif one.first_us > watermark_us:
                kept.append(one)
            else:
                due, batch = one.due_us <= watermark_us, one.batch
                released.append(one.part(batch, due, self._times))
                kept.append(one.part(batch, ~due, self._times))
        return self._keep(kept, released)

    def stale(self, before_us: int) -> list[pa.RecordBatch]:
        """Take out, due or not, the flows that arrived before a moment of the caller's clock."""
        self._join_small()
        released = [one for one in self._waiting if one.arrived_us < before_us]
        return self._keep([one for one in self._waiting if one.arrived_us >= before_us], released)

    def _keep(self, kept: list[_Waiting], released: list[_Waiting]) -> list[pa.RecordBatch]:
        self._waiting = kept
        self.next_due_us = min((one.first_us for one in kept), default=NEVER_AFTER)
        self.rows -= sum(len(one.due_us) for one in released)
        return [one.batch for one in _joined(released)]

    def _join_small(self) -> None:
        self._waiting += _joined(self._small)
        self._small = []


def by_age(batches: list[pa.RecordBatch], settings: Settings) -> list[list[pa.RecordBatch]]:
    """Batches of flows in groups that began about when the last one of their group did, the youngest group first.

    How far back evidence is looked at is decided by the flow of a group that began first, and few are much older than
    the others. Every further group reaches twice as far back, so that there are few groups.
    """
    groups: list[list[pa.RecordBatch]] = []
    span = settings.hold + settings.max_gap
    rest = [(batch, asked_times(batch, settings)[0]) for batch in batches]
    while rest:
        from_here = max(int(start.max()) for _, start in rest) - span
        groups.append([])
        older = []
        for batch, start in rest:
            old = start < from_here
            if not old.any():
                groups[-1].append(batch)
            elif old.all():
                older.append((batch, start))
            else:
                groups[-1].append(batch.filter(pa.array(~old)))
                older.append((batch.filter(pa.array(old)), start[old]))
        rest, span = older, 2 * span
    return groups


def _joined(parts: list[_Waiting]) -> list[_Waiting]:
    """The same rows in fewer batches, where batches are small and of one schema."""
    runs: list[list[_Waiting]] = []
    size = 0
    for one in (replace(part, flows=part.batch) for part in parts):
        apart = not runs or one.batch.schema != runs[-1][-1].batch.schema or _encoded(one.batch)
        if apart or size + len(one.due_us) > _DENSE:
            runs.append([])
            size = 0
        runs[-1].append(one)
        size += len(one.due_us)
    return [run[0] if len(run) == 1 else _join(run) for run in runs]


def _join(run: list[_Waiting]) -> _Waiting:
    columns = [pa.concat_arrays(column) for column in zip(*(one.batch.columns for one in run), strict=True)]
    due = np.concatenate([one.due_us for one in run])
    batch = pa.RecordBatch.from_arrays(columns, schema=run[0].batch.schema)
    return _Waiting.of(batch, due, min(one.begun_us for one in run), min(one.arrived_us for one in run))


def _encoded(batch: pa.RecordBatch) -> bool:
    """Whether a column has a dictionary of its own, which no other batch need share."""
    return any(pa.types.is_dictionary(kind) for kind in batch.schema.types)
