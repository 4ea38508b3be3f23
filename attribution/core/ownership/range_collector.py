"""Ownership ranges of a history that is seen slab by slab: joined over the seams, and given out when they are over."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.places import places_of
from attribution.core.addressing.sockets import ephemeral, held_sockets, translated
from attribution.core.columnar.arrays import encode, microseconds, order_by, running_max, starts_of_runs
from attribution.core.columnar.types import Int64, Records, Texts
from attribution.schema import OWNERSHIP_RANGE, TIMESTAMP, arrow_schema, completed

#: In the place of a service, which is never empty: the range's heartbeats name several services. Given out as null.
SEVERAL_SERVICES = ""


class RangeCollector:
    """Joins the ranges of one slab with the ranges of the next.

    The evidence of each slab still holds what the seam needs. So ranges of one workload on one key either overlap over
    a seam or are two ranges.

    Args:
        settings: the settings of the rules.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = arrow_schema(OWNERSHIP_RANGE).empty_table()
        self._closed_before: int | None = None

    @property
    def state(self) -> tuple[pa.Table, int | None]:
        """What it remembers: what it knows of ranges that go on, and the moment (µs) before which all others ended."""
        return self._open, self._closed_before

    @classmethod
    def of_state(cls, settings: Settings, state: tuple[pa.Table, int | None]) -> "RangeCollector":
        """A collector that goes on where another one was."""
        made = cls(settings)
        table, made._closed_before = state
        made._open = completed(OWNERSHIP_RANGE, table)
        return made

    def collect(self, ranges: pa.RecordBatch, *, known_to: int, begun: pa.RecordBatch | None = None) -> pa.Table:
        """Take the ranges of a slab; return the ranges that nothing after `known_to` can extend.

        Args:
            ranges: as of `Ownership.ranges`, with `SEVERAL_SERVICES` where a range has several services.
            known_to: up to when evidence is complete, µs.
            begun: for a stream, whose next slab may know more of a range that this slab knows in part. These are the
                ranges of the heartbeats which began before everything that the next slab may know more of. By default
                the whole slab, for slabs of which no later slab can say otherwise.
        """
        table = pa.Table.from_batches([ranges])
        if self._closed_before is not None:
            # The others are remains of what was given out already.
            table = table.filter(pa.array(microseconds(table.column("end")) >= self._closed_before))
        table = join_ranges(pa.concat_tables([self._open, table]), self._settings)
        closed_before = known_to - self._settings.max_gap
        over = pa.array(microseconds(table.column("end")) < closed_before)
        going_on = table.filter(pc.invert(over))
        if begun is None:
            self._open = going_on
        else:
            known = pa.concat_tables([self._open, pa.Table.from_batches([begun])])
            self._open = _parts_of(going_on, join_ranges(known, self._settings))
        self._closed_before = closed_before
        table = table.filter(over)
        place = table.schema.get_field_index("service")
        service = table.column(place)
        named = pc.if_else(pc.equal(service, SEVERAL_SERVICES), pa.scalar(None, pa.string()), service)
        return table.set_column(place, table.schema.field(place), named)

    def settled(self, start: Int64, end: Int64, *, known_to: int) -> tuple[Int64, Int64]:
        """Which of a slab's ranges can be given out as they are, and which of them `collect` needs.

        For slabs of which no later slab says otherwise. A range that begins more than `max_gap` after the last
        `known_to` belongs to no open range: a range that reaches so far began before, and is not forgotten.

        Args:
            start: starts of the ranges, µs.
            end: ends of the ranges, µs.
            known_to: as for `collect`.

        Returns:
            The places of the former and of the latter.
        """
        alone = end < known_to - self._settings.max_gap
        if self._closed_before is None:
            return np.flatnonzero(alone), np.flatnonzero(~alone)
        alone &= start > self._closed_before + 2 * self._settings.max_gap
        return np.flatnonzero(alone), np.flatnonzero(~alone & (end >= self._closed_before))


def join_ranges(ranges: Records, settings: Settings) -> Records:
    """Ranges of `schemas/ownership_range.avsc`, joined where the rules join ranges of one workload on one key."""
    if ranges.num_rows == 0:
        return ranges
    address, workload = encode(places_of(ranges))[0], encode(ranges.column("workload"))[0]
    socket = held_sockets(ranges)
    start, end = microseconds(ranges.column("start")), microseconds(ranges.column("end"))
    order = order_by(address, socket, workload, start)
    ranges, start, end = ranges.take(pa.array(order)).combine_chunks(), start[order], end[order]
    key = starts_of_runs(address[order], socket[order], workload[order])
    reach = running_max(end, np.cumsum(key) - 1)
    gap = np.zeros(len(start), np.int64)
    gap[1:] = np.where(key[1:], 0, np.maximum(start[1:] - reach[:-1], 0))
    behind = translated(ranges.column("address").combine_chunks(), settings)
    first = key | (gap > settings.max_gap) | ((gap > 0) & ephemeral(socket[order], behind, settings))
    begin = np.flatnonzero(first)
    finish = np.append(begin[1:], len(start)) - 1
    longest = np.maximum(ranges.column("longest_gap").to_numpy(), np.where(first, 0, gap))
    columns = {name: ranges.column(name).take(pa.array(begin)) for name in ranges.schema.names}
    columns["end"] = pa.array(reach[finish]).cast(TIMESTAMP)
    columns["longest_gap"] = pa.array(np.maximum.reduceat(longest, begin))
    columns["service"] = _services(ranges.column("service"), begin)
    columns["holes"] = _holes(ranges.column("holes").combine_chunks(), begin)
    return pa.table(columns, schema=ranges.schema)


def _parts_of(ranges: pa.Table, parts: pa.Table) -> pa.Table:
    """The parts that begin within one of the ranges, of the same workload on the same key."""
    if ranges.num_rows == 0 or parts.num_rows == 0:
        return parts.slice(0, 0)
    both = pa.concat_tables([ranges, parts])
    address, workload = encode(places_of(both))[0], encode(both.column("workload"))[0]
    socket = held_sockets(both)
    start, end = microseconds(both.column("start")), microseconds(both.column("end"))
    whole = np.arange(both.num_rows) < ranges.num_rows
    order = order_by(address, socket, workload, start, (~whole).astype(np.int8))
    first = starts_of_runs(address[order], socket[order], workload[order])
    reach = running_max(np.where(whole, end, start.min() - 1)[order], np.cumsum(first) - 1)
    within = np.zeros(both.num_rows, np.bool_)
    within[order] = reach >= start[order]
    return parts.filter(pa.array(within[ranges.num_rows :]))


def _services(services: Texts, begin: Int64) -> pa.Array:
    """For the ranges from each `begin` on: the single service that they name, null, or `SEVERAL_SERVICES`."""
    number, names = encode(services)
    largest = np.maximum.reduceat(number, begin)
    smallest = np.minimum.reduceat(np.where(number < 0, np.int32(len(names)), number), begin)
    named = pc.take(names, pa.array(largest, mask=largest < 0))
    return pc.if_else(pa.array((largest >= 0) & (largest != smallest)), SEVERAL_SERVICES, named)


def _holes(holes: pa.ListArray, begin: Int64) -> pa.ListArray:
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
