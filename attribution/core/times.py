"""The time that a flow is asked about: "What is asked" in `docs/design.md`.

Two things widen what a record says of its time. If a record was received late, its clock may be late by as much. A
record of basis `export` shows the moment of its export only.

Example: a router's clock is right, 40 s late, an hour late, and 10 s ahead. An exporter shows one moment only.

>>> from attribution.config import SECOND
>>> settings = Settings(active_timeout=1800 * SECOND)
>>> second, records = SECOND, ("window", "window", "window", "window", "export")
>>> flows = {"start": [0] * 5, "end": [60 * second] * 5, "basis": records}
>>> flows["received"] = [60 * second, 100 * second, 3660 * second, 50 * second, 60 * second]
>>> times = times_of(pa.RecordBatch.from_pydict(flows), settings)
>>> (times.start // second).tolist(), (times.end // second).tolist()
([0, 0, 0, 0, -1800], [60, 100, 60, 60, 60])
>>> times.untimed.tolist()
[False, False, True, True, False]
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import is_value, microseconds
from attribution.core.columnar.types import Bool, Int64

#: The columns that decide; a batch needs no others.
FIELDS = ("start", "end", "received", "basis")
_CONNECTION, _EXPORT = pa.scalar("connection"), pa.scalar("export")


@dataclass(frozen=True)
class FlowTimes(AlignedColumns):
    """When each flow of a batch may have been.

    Attributes:
        start: first moment, µs; that of the record, or `active_timeout` before an export.
        end: last moment, µs; that of the record, or when a record with a lag was received.
        lag: µs from the end of the record to that moment; 0 if that is the clock tolerance or less.
        connection: whether the flow began at `start`; otherwise its traffic is anywhere from `start` to `end`.
        untimed: whether the record does not show when it was; `start` and `end` are those of the record then.
    """

    start: Int64
    end: Int64
    lag: Int64
    connection: Bool
    untimed: Bool


def times_of(flows: pa.RecordBatch, settings: Settings) -> FlowTimes:
    """The times of flows, of any batch with the columns `FIELDS`; the last two may be absent or null."""
    names, size = flows.schema.names, flows.num_rows
    start, end = microseconds(flows.column("start")), microseconds(flows.column("end"))
    lag, connection, untimed = np.zeros(size, np.int64), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    if "basis" in names:
        connection = is_value(flows.column("basis"), _CONNECTION).to_numpy(zero_copy_only=False)
        if not connection.all():
            exported = is_value(flows.column("basis"), _EXPORT).to_numpy(zero_copy_only=False)
            if exported.any():
                untimed = exported & (settings.active_timeout == 0)
                start = np.where(exported, start - settings.active_timeout, start)
    received = flows.column("received") if "received" in names else None
    if received is None or received.null_count == size:
        return FlowTimes(start, end, lag, connection, untimed)
    known = received.is_valid().to_numpy(zero_copy_only=False)
    late = np.where(known, microseconds(received.fill_null(0)) - end, 0)
    untimed = untimed | (late > settings.max_lag) | (late < -settings.clock_tolerance)
    lag = np.where((late > settings.clock_tolerance) & ~untimed, late, 0)
    return FlowTimes(start, end + lag, lag, connection & (lag == 0), untimed)


def asked_times(flows: pa.RecordBatch, settings: Settings) -> tuple[Int64, Int64]:
    """Start and end of each flow, µs, as of `times_of`."""
    times = times_of(flows, settings)
    return times.start, times.end
