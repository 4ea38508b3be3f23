"""Flows that wait for the evidence about them to be complete."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columns import NEVER_AFTER, Int64, microseconds

#: Rows of a batch that is dense: smaller ones are joined, so that what is done to a batch costs what its rows cost.
_DENSE = 1 << 13
#: Small batches that may wait before they are joined.
_SMALL = 32


@dataclass(frozen=True)
class _Waiting:
    """Rows that wait, when each is due, and when the first and the last of them."""

    batch: Any
    due: Int64
    first: int
    last: int
    arrived: int

    @classmethod
    def of(cls, batch: Any, due: Int64, arrived: int) -> "_Waiting":
        return cls(batch, due, int(due.min()), int(due.max()), arrived)


class HeldFlows:
    """Batches of flows, each row until it is due: its end plus `hold`.

    Args:
        hold: how long after its end a flow waits, µs.
    """

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._waiting: list[_Waiting] = []
        self._small: list[_Waiting] = []
        #: When (µs) the first of the flows is due; after all time where none is held.
        self.next_due = NEVER_AFTER
        #: How many flows are held.
        self.rows = 0

    @property
    def batches(self) -> list[Any]:
        """What is held, in dense batches."""
        self._join_small()
        return [one.batch for one in self._waiting]

    @property
    def earliest_start(self) -> int:
        """Start (µs) of the flow that began first; after all time where none is held."""
        return min((int(microseconds(batch.column("start")).min()) for batch in self.batches), default=NEVER_AFTER)

    def add(self, flows: Any, *, arrived: int = 0) -> None:
        """Hold the rows of a record batch; `arrived` is a moment of the caller's own clock, for `stale`."""
        if flows.num_rows == 0:
            return
        one = _Waiting.of(flows, microseconds(flows.column("end")) + self._hold, arrived)
        (self._waiting if flows.num_rows >= _DENSE or _encoded(flows) else self._small).append(one)
        self.next_due = min(self.next_due, one.first)
        self.rows += flows.num_rows
        if len(self._small) >= _SMALL:
            self._join_small()

    def due(self, watermark: int) -> list[Any]:
        """Take out the flows that are due when the watermark (µs) stands there."""
        if self.next_due > watermark:
            return []
        self._join_small()
        released, kept = [], []
        for one in self._waiting:
            if one.last <= watermark:
                released.append(one)
            elif one.first > watermark:
                kept.append(one)
            else:
                due = one.due <= watermark
                released.append(_Waiting.of(one.batch.filter(pa.array(due)), one.due[due], one.arrived))
                kept.append(_Waiting.of(one.batch.filter(pa.array(~due)), one.due[~due], one.arrived))
        return self._keep(kept, released)

    def stale(self, before: int) -> list[Any]:
        """Take out, due or not, the flows that arrived before a moment of the caller's clock."""
        self._join_small()
        released = [one for one in self._waiting if one.arrived < before]
        return self._keep([one for one in self._waiting if one.arrived >= before], released)

    def _keep(self, kept: list[_Waiting], released: list[_Waiting]) -> list[Any]:
        self._waiting = kept
        self.next_due = min((one.first for one in kept), default=NEVER_AFTER)
        self.rows -= sum(one.batch.num_rows for one in released)
        return [one.batch for one in _joined(released)]

    def _join_small(self) -> None:
        self._waiting += _joined(self._small)
        self._small = []


def by_age(batches: list[Any], settings: Settings) -> list[list[Any]]:
    """Batches of flows in groups that began about when the last one of their group did, the youngest group first.

    How far back evidence is looked at is decided by the flow of a group that began first, and few are much older than
    the others. Every further group reaches twice as far back, so that there are few groups.
    """
    groups: list[list[Any]] = []
    span = settings.hold + settings.max_gap
    rest = [(batch, microseconds(batch.column("start"))) for batch in batches]
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
    for one in parts:
        apart = not runs or one.batch.schema != runs[-1][-1].batch.schema or _encoded(one.batch)
        if apart or size + one.batch.num_rows > _DENSE:
            runs.append([])
            size = 0
        runs[-1].append(one)
        size += one.batch.num_rows
    return [run[0] if len(run) == 1 else _join(run) for run in runs]


def _join(run: list[_Waiting]) -> _Waiting:
    columns = [pa.concat_arrays(column) for column in zip(*(one.batch.columns for one in run), strict=True)]
    due = np.concatenate([one.due for one in run])
    batch = pa.RecordBatch.from_arrays(columns, schema=run[0].batch.schema)
    return _Waiting.of(batch, due, min(one.arrived for one in run))


def _encoded(batch: Any) -> bool:
    """Whether a column has a dictionary of its own, which no other batch need share."""
    return any(pa.types.is_dictionary(kind) for kind in batch.schema.types)
