"""A history in the order in which it was reported: what `publish` sends, period by period.

Whatever reads the topics takes a record's time for "everything up to here was reported". So rows go out in the order of
their ends, evidence before flows within a period, however the sources are ordered and split over files. What is read is
put aside by the hour first, on disk where it is much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from attribution.config import HOUR, Microseconds
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.types import Int64
from attribution.lake.spool import Buckets
from attribution.records import BY_NAME, CONFIGURATION, EVIDENCE
from attribution.schema import FLOW, arrow_schema
from attribution.sources.records.model import FlowHeartbeats
from attribution.stream.topics import INPUT_TOPICS

#: The order within a period: evidence first, so that it is there when the flows are judged.
_ORDER = (*(kind for kind in EVIDENCE if kind in INPUT_TOPICS and kind not in CONFIGURATION), FLOW)


class _Series(NamedTuple):
    kind: str
    flow_heartbeats: FlowHeartbeats
    told_later: str


@dataclass(frozen=True)
class Part:
    """Rows of one kind of a period, in the order of their ends.

    Attributes:
        kind: record name.
        rows: record batch.
        flow_heartbeats: what flows are as heartbeats.
        told_later: name of the format of flows of which sources that are read later may tell more; empty if none does.
    """

    kind: str
    rows: pa.RecordBatch
    flow_heartbeats: FlowHeartbeats
    told_later: str = ""


@dataclass(frozen=True)
class Period:
    """What was reported within some time.

    Attributes:
        end_us: its end; nothing of a later period was reported before.
        parts: what to send, in this order.
    """

    end_us: Microseconds
    parts: tuple[Part, ...]


class Schedule:
    """Collects batches in any order and gives them back by time of report.

    Args:
        folder: where what does not stay in memory is put aside; made when needed.
        period_us: length of a period; a part of an hour.

    Attributes:
        kinds: the kinds that there are.
        first_us: time of the earliest report; None where there is nothing.
        last_us: time of the latest report.
    """

    def __init__(self, folder: Path, *, period_us: Microseconds) -> None:
        self._period_us = period_us
        self._buckets = Buckets(folder)
        self._series: set[_Series] = set()
        self._hours: set[int] = set()
        self._timeless: list[Part] = []
        self.first_us: Microseconds | None = None
        self.last_us: Microseconds | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that there are, in the order in which they are sent."""
        there = {series.kind for series in self._series} | {part.kind for part in self._timeless}
        return tuple(kind for kind in (*CONFIGURATION, *_ORDER) if kind in there)

    @property
    def timeless(self) -> tuple[Part, ...]:
        """What has no moment of report, the configuration, to be sent before all periods."""
        return tuple(self._timeless)

    def add(
        self, kind: str, batch: pa.RecordBatch, flow_heartbeats: FlowHeartbeats = "interval", *, told_later: str = ""
    ) -> None:
        """Put a canonical record batch aside, with what `Part` says of it."""
        if not batch.num_rows:
            return
        batch = batch.select(arrow_schema(kind).names)
        if kind in CONFIGURATION:
            self._timeless.append(Part(kind, batch, flow_heartbeats))
            return
        reported = _reported(kind, batch)
        low, high = int(reported.min()), int(reported.max())
        self.first_us = low if self.first_us is None else min(self.first_us, low)
        self.last_us = high if self.last_us is None else max(self.last_us, high)
        series = _Series(kind, flow_heartbeats, told_later)
        self._series.add(series)
        for hour, rows in _cut(batch, reported, HOUR):
            self._hours.add(hour)
            self._buckets.add((hour, series), rows)

    def periods(self) -> Iterator[Period]:
        """The periods that hold something, in order; each is given once."""
        for hour in sorted(self._hours):
            by_period: dict[int, list[Part]] = {}
            for kind in _ORDER:
                for series in sorted(one for one in self._series if one.kind == kind):
                    for number, rows in self._sorted(hour, series):
                        by_period.setdefault(number, []).append(Part(kind, rows, *series[1:]))
            for number in sorted(by_period):
                yield Period((number + 1) * self._period_us, tuple(by_period[number]))

    def _sorted(self, hour: int, series: _Series) -> Iterator[tuple[int, pa.RecordBatch]]:
        batches = list(self._buckets.drain((hour, series)))
        if batches:
            batch = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
            yield from _cut(batch, _reported(series.kind, batch), self._period_us)

    def close(self) -> None:
        """Forget everything."""
        self._buckets.close()


def _reported(kind: str, batch: pa.RecordBatch) -> Int64:
    """When each row of a kind that is no configuration could be reported, µs.

    That is its end, or when the collector received it, whatever the clock of the observer says.
    """
    moment = microseconds(batch.column(str(BY_NAME[kind].reported)))
    received = batch.column("received") if kind == FLOW else None
    if received is None or received.null_count == len(received):
        return moment
    known = received.is_valid().to_numpy(zero_copy_only=False)
    return np.where(known, microseconds(received.fill_null(0)), moment)


def _cut(batch: pa.RecordBatch, reported: Int64, length_us: Microseconds) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows in the order of their report, cut into periods of one length: (number of the period, rows)."""
    if np.any(reported[1:] < reported[:-1]):
        order = np.argsort(reported, kind="stable")
        batch, reported = batch.take(pa.array(order)), reported[order]
    number = reported // length_us
    begins = np.flatnonzero(np.diff(number, prepend=number[0] - 1)).tolist()
    for begin, end in zip(begins, [*begins[1:], len(number)], strict=True):
        yield int(number[begin]), batch.slice(begin, end - begin)
