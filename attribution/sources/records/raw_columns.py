"""Small steps on raw columns that the sources share: one chunk, one type, masks, and what a value of null leaves."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column, Int64
from attribution.sources.records.json_values import json_texts

#: Whole numbers from here on have more than 64 bits.
_BEYOND = 1 << 63
#: Protocols whose header has ports: TCP, UDP, DCCP, SCTP, UDP-Lite; by number and by the names that logs use.
_WITH_PORTS = pa.array(["6", "17", "33", "132", "136", "TCP", "UDP", "DCCP", "SCTP", "UDPLITE", "UDP-LITE"])


def text(column: Column) -> Column:
    """The column as text; lists and objects as JSON."""
    if pa.types.is_string(column.type):
        return column
    return json_texts(column) if pa.types.is_nested(column.type) else column.cast(pa.string())


def mask(flags: Column) -> Bool:
    """Arrow booleans as numpy's, null as false."""
    return np.asarray(pc.fill_null(one_array(flags), False)).copy()


def alike(one: Column, other: Column) -> tuple[Column, Column]:
    """Both columns as arrays of one type: text where theirs differ, but one without any value takes the other's."""
    one, other = one_array(one), one_array(other)
    if one.type == other.type:
        return one, other
    if one.null_count == len(one):
        return pa.nulls(len(one), other.type), other
    if other.null_count == len(other):
        return one, pa.nulls(len(other), one.type)
    return text(one), text(other)


def either(choose_second: Column, first: Column, second: Column) -> tuple[Column, Column]:
    """Row by row (first, second), or (second, first) where `choose_second`: two ends as local and remote."""
    first, second = alike(first, second)
    return pc.if_else(choose_second, second, first), pc.if_else(choose_second, first, second)


def null_where(condition: Column, column: Column) -> Column:
    """The column with nulls where the condition holds."""
    return pc.if_else(condition, pa.scalar(None, column.type), column)


def no_empty(column: Column) -> Column:
    """Text with null in place of nothing."""
    return null_where(pc.equal(text(column), ""), text(column))


def only_with_ports(protocol: Column, port: Column) -> Column:
    """The ports, null where the protocol has none: some logs write an ICMP type there, others 0."""
    with_ports = pc.is_in(pc.utf8_upper(text(protocol)), _WITH_PORTS)
    return null_where(pc.invert(with_ports), port)


def scaled(count: Column, rate: Column) -> Column:
    """Counts of sampled packets as an estimate of all: one packet in `rate` was looked at; 0, 1 and null say all were.

    Counts or rates that are no numbers stay as they are, for validation to judge. Products beyond 64 bits are doubles.
    """
    kinds = count.type, rate.type
    if not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return count
    whole = all(map(pa.types.is_integer, kinds)) and _largest(count) * max(1, _largest(rate)) < _BEYOND
    kind, one = (pa.int64(), 1) if whole else (pa.float64(), 1.0)
    return pc.multiply(count.cast(kind, safe=False), pc.max_element_wise(rate.cast(kind, safe=False), one))


def _largest(numbers: Column) -> int:
    """The largest absolute value; 0 where there is none."""
    return max(abs(bound or 0) for bound in pc.min_max(numbers).as_py().values())


def said_rate(rate: Column) -> Column:
    """The sampling rates of a sampler's log; 0, which says that it is not known, where there is none."""
    return pc.coalesce(*alike(rate, pa.array(np.zeros(len(rate), np.int64))))


def take(column: Column, rows: Int64) -> Column:
    """The rows of a column, as one array."""
    # Given numpy's own array, Arrow looks for pandas on every call, at a quarter of a millisecond.
    return one_array(pc.take(column, pa.array(rows)))


def take_all(columns: dict[str, Column], rows: Int64) -> dict[str, Column]:
    """The rows of every column, each as one array."""
    if all(len(column) == len(rows) for column in columns.values()) and bool((np.diff(rows) == 1).all()):
        return {name: one_array(column) for name, column in columns.items()}
    return {name: take(column, rows) for name, column in columns.items()}
