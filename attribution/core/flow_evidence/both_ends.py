"""Both ends of one connection: the far end's report names the remote workload ("Both ends" in `docs/design.md`).

It is asked for flows that heartbeats leave open. `Resolver` marks these in the column `OPEN`, with the workload that
speaks against any other.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import microseconds, numbers_between, order_by, spread
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.hashing import hash_rows
from attribution.core.columnar.types import Bool, Int64, UInt64
from attribution.core.flow_evidence.reports import MIRRORED, SCHEMA, hashes_of, is_report, reports_of

#: A column beside those of attributed flows: null where the far end is not asked. Otherwise the one workload that has a
#: range on an asked key that touches the asked interval, or empty text if there is none.
OPEN = "open_to_far_end"

#: What makes a report one, beside the hashes that follow from its ends.
_TOLD = tuple(name for name in SCHEMA.names if name not in ("address", "own", "own_2", "mirror"))
#: Lengths of short reports of one connection differ by this part of the clock tolerance at the most: errors of clocks
#: do not change a length.
LENGTHS = 20
_ANSWER = ("workload", "service", "method", "reason", "evidence_network")


@dataclass(frozen=True)
class _Compared:
    """What of reports is compared, in columns of one length."""

    start: Int64
    end: Int64
    direction: pa.Array
    counts: dict[str, pa.Array]

    @classmethod
    def of(cls, reports: pa.RecordBatch) -> "_Compared":
        return cls(
            microseconds(reports.column("start")),
            microseconds(reports.column("end")),
            reports.column("direction"),
            {name: reports.column(name) for name in MIRRORED},
        )


@dataclass(frozen=True)
class Likeness(AlignedColumns):
    """How alike the two reports of each pair are, which are far reports of each other.

    Attributes:
        starts_apart: time between their starts, µs.
        ends_apart: time between their ends, µs.
        lengths_apart: by how much one lasts longer than the other, µs.
        shared: time that both last, µs; 0 if they share a moment only, and negative if they share none.
        one_way: whether both were accepted, or both opened.
    """

    starts_apart: Int64
    ends_apart: Int64
    lengths_apart: Int64
    shared: Int64
    one_way: Bool

    @classmethod
    def of(cls, ours: _Compared, row: Int64, theirs: _Compared, place: Int64) -> Self:
        """Compare the reports at some rows with those at some places."""
        start, end, other_start, other_end = ours.start[row], ours.end[row], theirs.start[place], theirs.end[place]
        one, other = ours.direction.take(pa.array(row)), theirs.direction.take(pa.array(place))
        return cls(
            starts_apart=np.abs(start - other_start),
            ends_apart=np.abs(end - other_end),
            lengths_apart=np.abs((end - start) - (other_end - other_start)),
            shared=np.minimum(end, other_end) - np.maximum(start, other_start),
            one_way=pc.fill_null(pc.equal(one, other), False).to_numpy(zero_copy_only=False),
        )

    def close(self, settings: Settings) -> Bool:
        """Which pairs began and ended close together, and are not both of one direction."""
        close = (self.starts_apart <= settings.clock_tolerance) & (self.ends_apart <= settings.hold // 2)
        return np.asarray(close & ~self.one_way)

    def fits(self, equal: Bool, settings: Settings) -> Bool:
        """Which pairs are of one connection; `equal` says whether their counters are, of short ones that are close."""
        long = self.shared > settings.clock_tolerance
        short = (self.shared >= 0) & equal & (self.lengths_apart <= settings.clock_tolerance // LENGTHS)
        return np.asarray(self.close(settings) & (long | short))


def likeness(ours: pa.RecordBatch, theirs: pa.RecordBatch) -> tuple[Likeness, Bool]:
    """How alike reports are row by row, and whether their counters are equal: what explains an answer."""
    one, other, rows = _Compared.of(ours), _Compared.of(theirs), np.arange(ours.num_rows)
    return Likeness.of(one, rows, other, rows), _equal_counts(one.counts, rows, other.counts, rows)


class Reports:
    """A set of reports, found by their ends; immutable.

    Args:
        reports: a table of `attribution.core.flow_evidence.reports.SCHEMA`, in any order and perhaps repeated.
        settings: the settings of the rules.
    """

    def __init__(self, reports: pa.Table, settings: Settings) -> None:
        table = reports.select(SCHEMA.names).combine_chunks()
        rows = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=SCHEMA)
        rows = rows.take(pa.array(_distinct(rows)))
        order = order_by(rows.column("own").to_numpy().view(np.int64))
        self._rows, self._settings = rows.take(pa.array(order)), settings
        self._own = self._rows.column("own").to_numpy().view(np.int64)
        self._own_2 = self._rows.column("own_2").to_numpy()
        self._compared = _Compared.of(self._rows)

    def far_report_of(self, asked: pa.RecordBatch) -> Int64:
        """The place of the one report that fits each asked report, if no third report fits; -1 where there is none.

        Args:
            asked: reports, a batch of `SCHEMA`; each is one of this set, or has no answer.
        """
        found = np.full(asked.num_rows, -1, np.int64)
        row, far = self._with(asked.column("mirror"), asked.column("mirror_2"))
        fits = self._fit(_Compared.of(asked), row, self._compared, far)
        row, far = row[fits], far[fits]
        alone = np.bincount(row, minlength=asked.num_rows)[row] == 1
        row, far = row[alone], far[alone]
        if len(row) == 0:
            return found
        # Of the reports with the asked report's ends, the asked report alone may fit its far report.
        some = asked.take(pa.array(row))
        pair, near = self._with(some.column("own"), some.column("own_2"))
        fits = self._fit(self._compared, far[pair], self._compared, near)
        pair, near = pair[fits], near[fits]
        single = np.bincount(pair, minlength=len(row))[pair] == 1
        single &= self._same(some, pair, near)
        found[row[pair[single]]] = far[pair[single]]
        return found

    def take(self, places: Int64) -> pa.RecordBatch:
        """The reports at these places."""
        return self._rows.take(pa.array(places))

    def _with(self, own: pa.Array, own_2: pa.Array) -> tuple[Int64, Int64]:
        """The pairs of rows and places of reports whose hashes agree."""
        asked = own.to_numpy().view(np.int64)
        low, high = (np.searchsorted(self._own, asked, side=side) for side in ("left", "right"))
        row, place = numbers_between(low, high)
        same = own_2.to_numpy()[row] == self._own_2[place]
        return row[same], place[same]

    def _same(self, asked: pa.RecordBatch, row: Int64, place: Int64) -> Bool:
        """Whether each asked report is the one at a place."""
        same = microseconds(asked.column("start"))[row] == self._compared.start[place]
        same &= microseconds(asked.column("end"))[row] == self._compared.end[place]
        workloads = pc.equal(
            asked.column("workload").take(pa.array(row)), self._rows.column("workload").take(pa.array(place))
        )
        return same & workloads.to_numpy(zero_copy_only=False)

    def _fit(self, ours: _Compared, row: Int64, theirs: _Compared, place: Int64) -> Bool:
        """Whether the reports of each pair, which are far reports of each other, are of one connection."""
        alike = Likeness.of(ours, row, theirs, place)
        tolerance = self._settings.clock_tolerance
        short = np.flatnonzero(alike.close(self._settings) & (alike.shared >= 0) & (alike.shared <= tolerance))
        equal = np.zeros(len(row), np.bool_)
        equal[short] = _equal_counts(ours.counts, row[short], theirs.counts, place[short])
        return alike.fits(equal, self._settings)


def asked_hashes(flows: pa.RecordBatch, settings: Settings) -> UInt64:
    """The hashes of all reports that may decide about open flows, sorted: their own, and those of their far ends."""
    return np.unique(np.concatenate(hashes_of(flows, settings)))


def is_open(attributed: pa.RecordBatch) -> Bool:
    """Which flows of a batch with the column `OPEN` far ends may answer."""
    found: Bool = attributed.column(OPEN).is_valid().to_numpy(zero_copy_only=False)
    return found


def settled(
    attributed: pa.RecordBatch, reports: Reports | None, settings: Settings, *, among: Bool | None = None
) -> pa.RecordBatch:
    """Attributed flows without the column `OPEN`; what their far ends reported is the answer where that is known.

    Args:
        attributed: record batch as of `Resolver.attribute`; it may have the column `OPEN`.
        reports: all reports of the ends of open flows; None if there are none.
        settings: the settings of the rules.
        among: the flows of which all reports that may fit are among these; all by default.
    """
    if OPEN not in attributed.schema.names:
        return attributed
    mark, asked = decoded(attributed.column(OPEN)), is_open(attributed)
    attributed = attributed.drop_columns([OPEN])
    if reports is None:
        return attributed
    asked &= is_report(attributed, settings)
    rows = np.flatnonzero(asked if among is None else asked & among)
    if len(rows) == 0:
        return attributed
    place = reports.far_report_of(reports_of(attributed.take(pa.array(rows)), settings))
    rows, place = rows[place >= 0], place[place >= 0]
    if len(rows) == 0:
        return attributed
    return _answered(attributed, rows, mark.take(pa.array(rows)), reports.take(place))


def _answered(attributed: pa.RecordBatch, rows: Int64, against: pa.Array, far: pa.RecordBatch) -> pa.RecordBatch:
    """The flows with these rows answered by reports of their far ends, unless another workload speaks against them."""
    agree = pc.or_(pc.equal(against, ""), pc.equal(against, far.column("workload")))
    nothing = pa.scalar(None, pa.string())
    given = {name: pc.if_else(agree, far.column(name), nothing) for name in ("workload", "service")}
    given["evidence_network"] = pc.if_else(agree, far.column("network"), nothing)
    given["method"] = pc.if_else(agree, "peer", "none")
    given["reason"] = pc.if_else(agree, "both_ends", "conflict")
    columns = dict(zip(attributed.schema.names, attributed.columns, strict=True))
    index = spread(rows, attributed.num_rows)
    asked = index.is_valid()
    for name in _ANSWER:
        before = decoded(columns[f"remote_{name}"])
        columns[f"remote_{name}"] = pc.if_else(asked, given[name].take(index), before).dictionary_encode()
    distance = columns["remote_distance"]
    columns["remote_distance"] = pc.if_else(asked, pa.scalar(None, distance.type), distance)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _distinct(rows: pa.RecordBatch) -> Int64:
    """The places of the rows, each once."""
    if rows.num_rows == 0:
        return np.zeros(0, np.int64)
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    return np.unique(hash_rows({name: columns[name] for name in _TOLD}), return_index=True)[1]


def _equal_counts(ours: dict[str, pa.Array], row: Int64, theirs: dict[str, pa.Array], place: Int64) -> Bool:
    """Whether what one sent the other received, both ways; bytes must be known, and packets are compared if known."""
    equal, some = np.ones(len(row), np.bool_), np.zeros(len(row), np.bool_)
    for name, mirrored in MIRRORED.items():
        one, other = ours[name].take(pa.array(row)), theirs[mirrored].take(pa.array(place))
        alike = pc.fill_null(pc.equal(one, other), name.startswith("packets")).to_numpy(zero_copy_only=False)
        equal &= alike
        if name.startswith("bytes"):
            some |= pc.fill_null(pc.greater(one, 0), False).to_numpy(zero_copy_only=False)
    return equal & some
