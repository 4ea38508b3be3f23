"""The times of a flow log's table, whose unit its columns do not name.

AWS writes seconds. Those who made a table of a log may have made milliseconds of them, or timestamps. A number of the
years 1990 to 2099 is one in one unit only, so the first time of a file tells the unit of all. A row whose time has
another unit is rejected: two units in one column mean that something else is wrong.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column
from attribution.sources.records import casting
from attribution.sources.records.timestamps import Unit, micros, without_days

_UNITS: tuple[Unit, ...] = ("s", "ms", "us", "ns")


class Times:
    """Makes microseconds of the times of one source.

    >>> times = Times()
    >>> times.micros(pa.array([1772445600000, 1772445600])).to_pylist()  # the second is in January 1970
    [1772445600000000, 1772445600000]
    """

    def __init__(self, unit: Unit | None = None) -> None:
        """Read numbers in `unit`; by default in that of the first time of the source."""
        self._said = unit is not None
        self._unit: Unit | None = unit

    @property
    def unit(self) -> Unit:
        """The unit of numbers, as far as it is known; AWS writes seconds."""
        return self._unit or "s"

    def micros(self, column: Column) -> pa.Array:
        """Whole microseconds, int64; null where a value is no time.

        Args:
            column: numbers, text of numbers, timestamps, or ISO 8601 text. A day is no time.
        """
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind = array.type
        if pa.types.is_timestamp(kind):
            return casting.times(array).values.cast(pa.int64())
        if pa.types.is_string(kind) and not self._said:
            array = without_days(array)
        if self._unit is None:
            self._unit = _unit_of(array)
        return micros(array, self.unit)


def as_text(times: Column) -> Column:
    """Times as text, for messages; timestamps as the number that they are."""
    plain = times.cast(pa.int64()) if pa.types.is_timestamp(times.type) else times
    return plain.cast(pa.string())


def _unit_of(array: pa.Array) -> Unit | None:
    """The unit in which the first number that is a time in any unit is one."""
    first: list[tuple[int, Unit]] = []
    for unit in _UNITS:
        is_time = _times_in(array, unit)
        if is_time.any():
            first.append((int(np.argmax(is_time)), unit))
    return min(first)[1] if first else None


def _times_in(array: pa.Array, unit: Unit) -> Bool:
    values = micros(array, unit)
    inside = pc.and_(pc.greater_equal(values, casting.EARLIEST), pc.less(values, casting.LATEST))
    is_time: Bool = np.asarray(pc.fill_null(inside, False))
    return is_time
