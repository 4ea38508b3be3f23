"""ECS tasks that VPC flow logs (version 7) name: who held an interface's address, and since when for certain.

The ECS fields of a row describe the task at the interface that logged it. AWS computes them only for tasks in `awsvpc`
mode, which own their interface: it is made for the task, cannot be moved, and is deleted with it. (Where tasks share
an instance's interface, in bridge or host mode, the fields are `-`: nothing is claimed.) So the task held the
interface's address from the first to the last packet that any row shows of it, however quiet it was in between.

When those packets passed is uncertain by the delay of the flow log service and a second. The first packet passed by the
*end* of that uncertainty after its window begins, the last packet not earlier than it before its window's end. The
claim is what lies between. One row of a one-minute log proves nothing by itself; the rows of a file together do.

A row that does not say its direction does not say whose address the task's is; and a packet whose own address differs
from the interface's passes through. Neither names a task.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column, Int64
from attribution.schema import HEARTBEAT
from attribution.sources.formats.vpc.fields import REPORT_DELAY, WITHIN_SECOND
from attribution.sources.records.model import Block

_UNCERTAINTY = REPORT_DELAY + WITHIN_SECOND
#: Rows of sightings that are kept before they are merged.
_MERGE_ROWS = 1 << 16
#: So many combinations of values fit a 64-bit number.
_MOST_KEYS = 1 << 62
_KEY = ["network", "address", "workload", "service"]


class TaskSightings:
    """First and last sighting of each task at each address of one file; a few numbers a task, however many rows."""

    def __init__(self) -> None:
        #: Tables with one row for each address, workload and service; merged when they have grown.
        self._parts: list[pa.Table] = []
        self._merged_rows = 0

    def see(
        self, table: pa.Table, incoming: Bool | None, window: tuple[Column, Column], lines: Int64
    ) -> dict[str, Column]:
        """The flow columns `local_workload` and `local_service` of rows, and remember whom they show.

        Args:
            table: the rows, as `vpc_rows.RowReader.flows` has them.
            incoming: which rows came in at the interface; None where the log does not say.
            window: earliest and latest time of each row's packets.
            lines: where each row stands.
        """
        names = [name for name in ("ecs_task_arn", "ecs_task_id") if name in table.column_names]
        if not names or incoming is None or not {"srcaddr", "dstaddr"}.issubset(table.column_names):
            return {}
        task = _encoded(table.column(names[0]))
        directed = np.asarray(pc.is_in(table.column("flow_direction"), pa.array(["ingress", "egress"])))
        known = np.asarray(task.is_valid()) & directed & ~_passes_through(table, incoming)
        if not known.any():
            return {}
        workload, service = _where(known, task), _where(known, _services(table))
        address = pc.if_else(pa.array(incoming), table.column("dstaddr"), table.column("srcaddr"))
        columns = [_column(table, "vpc_id"), _encoded(address), workload, service, _column(table, "interface_id")]
        keys = pa.table(columns, names=[*_KEY, "observer"])
        self._remember(keys, window, lines)
        return {"local_workload": workload, "local_service": service}

    def _remember(self, keys: pa.Table, window: tuple[Column, Column], lines: Int64) -> None:
        start, end = window
        rows = keys.append_column("start", start).append_column("end", end).append_column("line", pa.array(lines))
        # A window that ends before it starts says nothing of when.
        rows = rows.filter(pc.and_(pc.is_valid(keys.column("workload")), pc.less_equal(start, end)))
        if not rows.num_rows:
            return
        self._parts.append(_extremes(rows))
        if sum(part.num_rows for part in self._parts) > _MERGE_ROWS + 2 * self._merged_rows:
            self._merge()

    def _merge(self) -> pa.Table:
        merged = _extremes(pa.concat_tables(self._parts))
        self._parts, self._merged_rows = [merged], merged.num_rows
        return merged

    def block(self, source: str) -> Block | None:
        """The heartbeats that the sightings prove; None where they prove none."""
        if not self._parts:
            return None
        seen = self._merge()
        first, last = pc.add(seen.column("start"), _UNCERTAINTY), pc.subtract(seen.column("end"), _UNCERTAINTY)
        proved = seen.drop_columns(["start", "end"]).append_column("start", first).append_column("end", last)
        proved = proved.filter(pc.less_equal(first, last))
        proved = proved.sort_by([(name, "ascending") for name in ("line", *_KEY)])
        columns = {name: proved.column(name) for name in (*_KEY, "observer", "start", "end")}
        lines = np.asarray(proved.column("line"))
        return Block(HEARTBEAT, columns, source, lines, shown_by_flows=True) if proved.num_rows else None


def _extremes(rows: pa.Table) -> pa.Table:
    """Of each key: earliest start and latest end; the line and the observer of the first row."""
    key, keys = np.zeros(rows.num_rows, np.int64), 1
    for name in _KEY:
        codes, values = _codes(_encoded(rows.column(name)))
        if keys * (len(values) + 1) > _MOST_KEYS:
            distinct, key = np.unique(key, return_inverse=True)
            keys = len(distinct)
        key = key * (len(values) + 1) + codes + 1
        keys *= len(values) + 1
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    found = rows.take(pa.array(order[first]))
    for name in _KEY:
        found = found.set_column(found.column_names.index(name), name, found.column(name).cast(pa.string()))
    for name, extreme in (("start", np.minimum), ("end", np.maximum)):
        times = extreme.reduceat(np.asarray(rows.column(name))[order], first)
        found = found.drop_columns([name]).append_column(name, pa.array(times))
    return found


def _services(table: pa.Table) -> pa.DictionaryArray:
    """`cluster/service`, for service names are unique within a cluster only; null for a task of no service."""
    if "ecs_service_name" not in table.column_names:
        return _encoded(pa.nulls(table.num_rows, pa.string()))
    service = _encoded(table.column("ecs_service_name"))
    if "ecs_cluster_name" not in table.column_names:
        return service
    (of_service, services), (of_cluster, clusters) = _codes(service), _codes(_encoded(table.column("ecs_cluster_name")))
    pairs, of_pair = np.unique(of_service * (len(clusters) + 1) + of_cluster + 1, return_inverse=True)
    services, clusters = [*services, None], [None, *clusters]
    named = [(clusters[pair % len(clusters)], services[pair // len(clusters)]) for pair in pairs.tolist()]
    texts = pa.array([s if c is None or s is None else f"{c}/{s}" for c, s in named], pa.string())
    return _where(np.asarray(service.is_valid()), pa.DictionaryArray.from_arrays(of_pair.astype(np.int32), texts))


def _encoded(column: Column) -> pa.DictionaryArray:
    array = one_array(column)
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def _codes(encoded: pa.DictionaryArray) -> tuple[Int64, list[str | None]]:
    """Positions in the values, -1 for null; and the values."""
    codes: Int64 = np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


def _where(known: Bool, encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """The values where known, null elsewhere."""
    codes = _codes(encoded)[0]
    indices = pa.array(codes.astype(np.int32), mask=~known | (codes < 0))
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary)


def _passes_through(table: pa.Table, incoming: Bool) -> Bool:
    """Where the packet's address on the interface's side is not the interface's."""
    through = np.zeros(table.num_rows, np.bool_)
    for name, here in (("srcaddr", ~incoming), ("dstaddr", incoming)):
        if f"pkt_{name}" in table.column_names:
            differs = pc.fill_null(pc.not_equal(table.column(f"pkt_{name}"), table.column(name)), False)
            through |= np.asarray(differs) & here
    return through


def _column(table: pa.Table, name: str) -> Column:
    return table.column(name) if name in table.column_names else pa.nulls(table.num_rows, pa.string())
