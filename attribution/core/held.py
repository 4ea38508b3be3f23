"""Flows that wait for the evidence about them to be complete."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from attribution.core.columns import NEVER_AFTER, Int64, microseconds

#: Rows that go out as one batch: small ones are joined up to this, so that judging them costs what their rows cost.
_DENSE = 1 << 16


@dataclass(frozen=True)
class _Waiting:
    batch: Any
    due: Int64
    arrived: int


class HeldFlows:
    """Batches of flows, each row until it is due: its end plus `hold`.

    Args:
        hold: how long after its end a flow waits, µs.
    """

    def __init__(self, hold: int) -> None:
        self._hold = hold
        self._waiting: list[_Waiting] = []

    @property
    def batches(self) -> list[Any]:
        """What is held, in the order in which it came."""
        return [one.batch for one in self._waiting]

    @property
    def rows(self) -> int:
        """How many flows are held."""
        return sum(one.batch.num_rows for one in self._waiting)

    @property
    def next_due(self) -> int | None:
        """When (µs) the first of the flows is due; None where none is held."""
        return min((int(one.due.min()) for one in self._waiting), default=None)

    @property
    def earliest_start(self) -> int:
        """Start (µs) of the flow that began first; after all time where none is held."""
        return min((int(microseconds(one.batch.column("start")).min()) for one in self._waiting), default=NEVER_AFTER)

    def add(self, flows: Any, *, arrived: int = 0) -> None:
        """Hold the rows of a record batch; `arrived` is a moment of the caller's own clock, for `stale`."""
        if flows.num_rows:
            self._waiting.append(_Waiting(flows, microseconds(flows.column("end")) + self._hold, arrived))

    def due(self, watermark: int) -> list[Any]:
        """Take out the flows that are due when the watermark (µs) stands there."""
        released, kept = [], []
        for one in self._waiting:
            due = one.due <= watermark
            if due.all():
                released.append(one.batch)
            elif due.any():
                released.append(one.batch.filter(pa.array(due)))
                kept.append(_Waiting(one.batch.filter(pa.array(~due)), one.due[~due], one.arrived))
            else:
                kept.append(one)
        self._waiting = kept
        return _dense(released)

    def stale(self, before: int) -> list[Any]:
        """Take out, due or not, the flows that arrived before a moment of the caller's clock."""
        released = [one.batch for one in self._waiting if one.arrived < before]
        self._waiting = [one for one in self._waiting if one.arrived >= before]
        return _dense(released)


def _dense(batches: list[Any]) -> list[Any]:
    """The same rows in fewer batches, where neighbours are small and of one schema."""
    runs: list[list[Any]] = []
    size = _DENSE
    for batch in batches:
        if size + batch.num_rows > _DENSE or batch.schema != runs[-1][-1].schema or _encoded(batch):
            runs.append([])
            size = 0
        runs[-1].append(batch)
        size += batch.num_rows
    return [run[0] if len(run) == 1 else _joined(run) for run in runs]


def _encoded(batch: Any) -> bool:
    """Whether a column has a dictionary of its own, which no other batch need share."""
    return any(pa.types.is_dictionary(kind) for kind in batch.schema.types)


def _joined(batches: list[Any]) -> Any:
    columns = [pa.concat_arrays(parts) for parts in zip(*(batch.columns for batch in batches), strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=batches[0].schema)
