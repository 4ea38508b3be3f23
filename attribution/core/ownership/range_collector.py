"""Ownership ranges of a history that is seen slab by slab: joined over the seams, given out when they are over."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.sockets import ephemeral, held_sockets, translated
from attribution.core.columnar.arrays import encode, microseconds, order_by, running_max, starts_of_runs
from attribution.core.columnar.types import Int64
from attribution.schema import OWNERSHIP_RANGE, TIMESTAMP, arrow_schema, completed

#: In the place of a service, which is never empty: the range's heartbeats name several. It is given out as null.
SEVERAL = ""


class RangeCollector:
    """Joins the ranges of one slab with those of the next.

    Each slab's evidence still holds what the seam needs, so ranges of one workload on one key either overlap over a
    seam or are two.

    Args:
        settings: the settings of the rules.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = arrow_schema("ownership_range").empty_table()
        self._closed_before: int | None = None

    @property
    def state(self) -> tuple[Any, int | None]:
        """What it remembers: a table of what it knows of ranges that go on, and when all others had ended."""
        return self._open, self._closed_before

    @classmethod
    def of_state(cls, settings: Settings, state: tuple[Any, int | None]) -> "RangeCollector":
        """A collector that goes on where another one was."""
        made = cls(settings)
        table, made._closed_before = state
        made._open = completed(OWNERSHIP_RANGE, table)
        return made

    def collect(self, ranges: Any, *, known_to: int, begun: Any = None) -> Any:
        """Take the ranges of a slab; return, as a table, those that nothing after `known_to` (µs) can extend.

        Args:
            ranges: a record batch as of `Ownership.ranges`, `SEVERAL` where a range has several services.
            known_to: up to when evidence is complete.
            begun: of a stream, whose next slab may know more of what this one has in part: the ranges of those
                heartbeats alone that began before all that it will not know more of is forgotten. By default the whole
                slab, of which no later one can say otherwise.
        """
        table = pa.Table.from_batches([ranges])
        if self._closed_before is not None:
            # Remains of what was given out already.
            table = table.filter(pa.array(microseconds(table.column("end")) >= self._closed_before))
        table = join(pa.concat_tables([self._open, table]), self._settings)
        closed_before = known_to - self._settings.max_gap
        over = pa.array(microseconds(table.column("end")) < closed_before)
        going_on = table.filter(pc.invert(over))
        if begun is None:
            self._open = going_on
        else:
            known = pa.concat_tables([self._open, pa.Table.from_batches([begun])])
            self._open = _parts_of(going_on, join(known, self._settings))
        self._closed_before = closed_before
        table = table.filter(over)
        place = table.schema.get_field_index("service")
        named = pc.if_else(pc.equal(table.column(place), SEVERAL), pa.scalar(None, pa.string()), table.column(place))
        return table.set_column(place, table.schema.field(place), named)

    def settled(self, start: Int64, end: Int64, *, known_to: int) -> tuple[Int64, Int64]:
        """Which of a slab's ranges can be given out as they are, and which of them `collect` needs.

        For slabs of which no later one says otherwise. A range that begins more than `max_gap` after the last
        `known_to` belongs to no open one: what an open one has that reaches so far is not forgotten, and began before.

        Args:
            start: starts of the ranges, µs.
            end: their ends, µs.
            known_to: as for `collect`.

        Returns:
            The places of the former and of the latter.
        """
        alone = end < known_to - self._settings.max_gap
        if self._closed_before is None:
            return np.flatnonzero(alone), np.flatnonzero(~alone)
        alone &= start > self._closed_before + 2 * self._settings.max_gap
        return np.flatnonzero(alone), np.flatnonzero(~alone & (end >= self._closed_before))


def _parts_of(ranges: Any, parts: Any) -> Any:
    """Those of the parts that begin within one of the ranges, of the same workload on the same key."""
    if ranges.num_rows == 0 or parts.num_rows == 0:
        return parts.slice(0, 0)
    both = pa.concat_tables([ranges, parts])
    address, workload = encode(both.column("address"))[0], encode(both.column("workload"))[0]
    socket = held_sockets(both)
    start, end = microseconds(both.column("start")), microseconds(both.column("end"))
    whole = np.arange(both.num_rows) < ranges.num_rows
    order = order_by(address, socket, workload, start, (~whole).astype(np.int8))
    first = starts_of_runs(address[order], socket[order], workload[order])
    reach = running_max(np.where(whole, end, start.min() - 1)[order], np.cumsum(first) - 1)
    within = np.zeros(both.num_rows, np.bool_)
    within[order] = reach >= start[order]
    return parts.filter(pa.array(within[ranges.num_rows :]))


def join(ranges: Any, settings: Settings) -> Any:
    """Ranges of `schemas/ownership_range.avsc`, those of one workload on one key joined where the rules join them."""
    if ranges.num_rows == 0:
        return ranges
    address, workload = encode(ranges.column("address"))[0], encode(ranges.column("workload"))[0]
    socket = held_sockets(ranges)
    start, end = microseconds(ranges.column("start")), microseconds(ranges.column("end"))
    order = order_by(address, socket, workload, start)
    ranges, start, end = ranges.take(pa.array(order)).combine_chunks(), start[order], end[order]
    key = starts_of_runs(address[order], socket[order], workload[order])
    reach = running_max(end, np.cumsum(key) - 1)
    first = key.copy()
    gap = np.zeros(len(start), np.int64)
    gap[1:] = np.where(key[1:], 0, np.maximum(start[1:] - reach[:-1], 0))
    behind = translated(ranges.column("address").combine_chunks(), settings)
    first |= (gap > settings.max_gap) | ((gap > 0) & ephemeral(socket[order], behind, settings))
    gap[first] = 0
    begin = np.flatnonzero(first)
    finish = np.append(begin[1:], len(start)) - 1
    longest = np.maximum(ranges.column("longest_gap").to_numpy(), gap)
    columns = {name: ranges.column(name).take(pa.array(begin)) for name in ranges.schema.names}
    columns["end"] = pa.array(reach[finish]).cast(TIMESTAMP)
    columns["longest_gap"] = pa.array(np.maximum.reduceat(longest, begin))
    columns["service"] = _services(ranges.column("service"), begin)
    columns["holes"] = _holes(ranges.column("holes").combine_chunks(), begin)
    return pa.table(columns, schema=ranges.schema)


def _services(services: Any, begin: Any) -> Any:
    """The one service that the ranges from each `begin` on name; null where none does, `SEVERAL` where they differ."""
    number, names = encode(services)
    largest = np.maximum.reduceat(number, begin)
    smallest = np.minimum.reduceat(np.where(number < 0, np.int32(len(names)), number), begin)
    named = pc.take(names, pa.array(largest, mask=largest < 0))
    return pc.if_else(pa.array((largest >= 0) & (largest != smallest)), SEVERAL, named)


def _holes(holes: Any, begin: Any) -> Any:
    """The holes of the joined ranges, each once: seams show the same hole from both sides."""
    offsets = np.append(holes.offsets.to_numpy()[:-1][begin], holes.offsets.to_numpy()[-1])
    offsets = offsets - offsets[0]
    spans = holes.flatten()
    if len(spans) == 0:
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), spans).cast(holes.type)
    owner = np.repeat(np.arange(len(begin)), np.diff(offsets))
    start, end = (microseconds(spans.field(name)) for name in ("start", "end"))
    order = np.lexsort((end, start, owner))
    kept = order[starts_of_runs(owner[order], start[order], end[order])]
    offsets = np.searchsorted(owner[kept], np.arange(len(begin) + 1))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), spans.take(pa.array(kept))).cast(holes.type)
