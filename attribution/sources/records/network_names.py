"""Names of networks, and names that are unique inside one cluster only, as logs and people give them."""

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column
from attribution.schema import FLOW
from attribution.sources.records.raw_columns import no_empty, null_where, text

#: What a cluster is called that nobody gave a name: it tells two clusters of that name not apart.
DEFAULT_CLUSTER = "default"


def cluster_names(column: Column, given: str | None = None) -> Column:
    """The names of clusters; where a log tells none, or the default, the name that a person gave, or null.

    Args:
        column: names, in any type.
        given: `Input.network`.
    """
    names = no_empty(column)
    names = null_where(pc.fill_null(pc.equal(names, DEFAULT_CLUSTER), False), names)
    return names if given is None else pc.fill_null(names, given)


def qualified(outer: Column, inner: Column) -> Column:
    """`outer/inner`; `inner` alone where the outer name is null, and null where the inner one is.

    >>> qualified(pa.array(["east", None, "east"]), pa.array(["db/postgres-0", "db/postgres-0", None])).to_pylist()
    ['east/db/postgres-0', 'db/postgres-0', None]
    """
    return pc.coalesce(pc.binary_join_element_wise(outer, inner, "/"), inner)


def within(outer: Column, inner: Column) -> Column:
    """`outer/inner`, or the one of the two that is not null: a network, and the part of it that an address is in.

    >>> within(pa.array(["east", None, "east"]), pa.array(["red", "red", None])).to_pylist()
    ['east/red', 'red', 'east']
    """
    return pc.coalesce(qualified(outer, inner), outer)


def numbered(kind: str, numbers: Column) -> Column:
    """`kind-number` of a VLAN or a VRF; null where there is no number.

    >>> numbered("vlan", pa.array([10, None])).to_pylist()
    ['vlan-10', None]
    """
    return pc.binary_join_element_wise(kind, text(numbers), "-")


def filled(kind: str, batch: pa.RecordBatch, network: str | None) -> pa.RecordBatch:
    """A canonical batch with the network in place of those that are null; of flows, the local one.

    Text stays text, dictionary-encoded or not; a column of nulls becomes dictionary-encoded.
    """
    field = "local_network" if kind == FLOW else "network"
    at = batch.schema.get_field_index(field)
    if network is None or at < 0 or not batch.column(at).null_count:
        return batch
    column = batch.column(at)
    if column.null_count == len(column):
        rows = pa.repeat(pa.scalar(0, pa.int32()), len(column))
        column = pa.DictionaryArray.from_arrays(rows, pa.array([network], pa.string()))
    else:
        column = pc.fill_null(decoded(column), network)
    return batch.set_column(at, batch.schema.field(at).with_type(column.type), column)
