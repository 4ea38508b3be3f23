"""Tells traffic that was already reported, by another interface or another node, from traffic seen for the first time.

An observer that taps every interface of every node reports one flow once per place that it passes. The rule here is
that of such agents themselves. The first place to report a flow is believed, and what other places report of the same
five-tuple at that time is a repeat. So is a report that comes twice, as exports that overlap have it.
"""

from typing import Generic, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import dictionary_encoded, one_array
from attribution.core.columnar.hashing import hash_texts, mixed
from attribution.core.columnar.types import Column, Int8, Int64, UInt64

#: Of each row: seen for the first time; repeated by the node that reported it; repeated by another node.
FIRST: Literal[0] = 0
SAME_NODE: Literal[1] = 1
OTHER_NODE: Literal[2] = 2
Verdict = Literal[0, 1, 2]

#: Two places see one packet at times that differ by their way, and by two clocks' errors where they are two nodes.
_SLACK = 1_000_000
#: At most some 200 MB in all.
_KEPT_REPORTS = 1 << 19
_KEPT_FLOWS = 1 << 17
#: Reports of one flow that are compared with; in each place the reports of a flow follow each other in time.
_KEPT_OF_FLOW = 4

#: Place, node, start and end of a report.
Sighting = tuple[int, int, int, int]
Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The entries written last, at least half of `limit` and at most all of it.

    Two generations: entries are written to the young one; when it is full, it becomes the old one, and what was old is
    forgotten. What is kept depends only on the order of writes.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: dict[object, Value] = {}
        self._old: dict[object, Value] = {}
        #: Entries forgotten so far.
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: object) -> Value | None:
        """The entry's value, or None where there is none any more."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: object, value: Value) -> None:
        """Write an entry; it is young again."""
        self._old.pop(key, None)
        self._young[key] = value
        if len(self._young) >= self._half:
            self.forgotten += len(self._old)
            self._young, self._old = {}, self._young


class Repeats:
    """Remembers the latest reports, in bounded memory: what is older counts as new.

    The verdicts depend on the order in which rows come, not on how they are cut into blocks.
    """

    def __init__(self, *, kept_reports: int = _KEPT_REPORTS, kept_flows: int = _KEPT_FLOWS) -> None:
        self._reports: Recent[bool] = Recent(kept_reports)
        self._flows: Recent[list[Sighting]] = Recent(kept_flows)

    def judge(
        self,
        flow: UInt64,
        place: UInt64,
        node: UInt64,
        start: Int64,
        end: Int64,
    ) -> Int8:
        """`FIRST`, `SAME_NODE` or `OTHER_NODE` for each row, in order.

        Args:
            flow: hash of the five-tuple, with its direction.
            place: hash of where it was seen: node, interface, way through it.
            node: hash of the node.
            start: microseconds of the first packet of the report.
            end: of the last.
        """
        report = _folded(flow, place, start.view(np.uint64), end.view(np.uint64))
        sightings = zip(place.tolist(), node.tolist(), start.tolist(), end.tolist(), strict=True)
        rows = zip(report.tolist(), flow.tolist(), sightings, strict=True)
        return np.array([self._one(*row) for row in rows], np.int8)

    def _one(self, report: int, flow: int, sighting: Sighting) -> Verdict:
        if self._reports.get(report):
            return SAME_NODE
        place, node, start, end = sighting
        seen = self._flows.get(flow) or []
        for other, other_node, other_start, other_end in seen:
            if other != place and start <= other_end + _SLACK and other_start <= end + _SLACK:
                return SAME_NODE if node == other_node else OTHER_NODE
        self._flows.put(flow, [*seen[1 - _KEPT_OF_FLOW :], sighting])
        self._reports.put(report, True)
        return FIRST


def hash_columns(*columns: Column) -> UInt64:
    """One 64-bit hash a row of columns of whole numbers, text or null; equal rows of any block hash alike."""
    return _folded(*(_hash_column(column) for column in columns))


def _hash_column(column: Column) -> UInt64:
    array = one_array(column)
    if pa.types.is_integer(array.type):
        values: UInt64 = np.asarray(pc.fill_null(array.cast(pa.int64()), -1)).view(np.uint64)
        return values
    return hash_texts(dictionary_encoded(array))


def _folded(*parts: UInt64) -> UInt64:
    """The parts, in their order, as one hash."""
    total: UInt64 = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        total = mixed(total ^ part)
    return total
