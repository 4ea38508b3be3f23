"""ECS tasks that VPC flow logs (version 7) name: who held an interface's address, and since when for certain.

The ECS fields of a row describe the task at the interface that logged it. AWS computes them only for tasks in `awsvpc`
mode, which own their interface: it is made for the task, cannot be moved, and is deleted with it. (Where tasks share
an instance's interface, in bridge or host mode, the fields are `-`: nothing is claimed.) So the task held the
interface's address from the first to the last packet that any row shows of it, however quiet it was in between.

When those packets passed is known only to within the delay of the flow log service and the second: the first passed by
the *end* of that uncertainty after its window begins, the last not before the same time ahead of its window's end. The
claim is what lies between. One row of a one-minute log proves nothing by itself; the rows of a file together do.

A row that does not say its direction does not say whose address the task's is; and a packet whose own address differs
from the interface's passes through. Neither names a task.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from attribution.schema import HEARTBEAT
from attribution.sources.model import Block
from attribution.sources.vpc_fields import REPORT_DELAY, WITHIN_SECOND

_UNCERTAINTY = REPORT_DELAY + WITHIN_SECOND
_KEY = ["address", "workload", "service", "observer"]


class TaskSightings:
    """First and last sighting of each task at each address of one file; a few numbers a task, however many rows."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str | None, ...], tuple[int, int, int]] = {}

    def see(
        self, table: Any, incoming: npt.NDArray[np.bool_] | None, window: tuple[Any, Any], lines: npt.NDArray[np.int64]
    ) -> dict[str, Any]:
        """The flow columns `local_workload` and `local_service` of rows, and remember whom they show.

        Args:
            table: the rows, as `vpc_rows.RowReader.flows` has them.
            incoming: which rows came in at the interface; None where the log does not say.
            window: earliest and latest time of each row's packets.
            lines: where each row stands.
        """
        tasks = [table.column(name) for name in ("ecs_task_arn", "ecs_task_id") if name in table.column_names]
        if not tasks or incoming is None or not {"srcaddr", "dstaddr"}.issubset(table.column_names):
            return {}
        task = tasks[0] if len(tasks) == 1 else pc.coalesce(*tasks)
        if task.null_count == len(task):
            return {}
        address = pc.if_else(pa.array(incoming), table.column("dstaddr"), table.column("srcaddr"))
        directed = np.asarray(pc.is_in(table.column("flow_direction"), pa.array(["ingress", "egress"])))
        known = pa.array(directed & ~_passes_through(table, incoming))
        workload = pc.if_else(known, task, pa.scalar(None, task.type))
        service = pc.if_else(pc.is_valid(workload), _service(table), pa.scalar(None, pa.string()))
        self._remember(pa.table([address, workload, service, _observer(table)], names=_KEY), window, lines)
        return {"local_workload": workload, "local_service": service}

    def _remember(self, keys: Any, window: tuple[Any, Any], lines: npt.NDArray[np.int64]) -> None:
        start, end = window
        rows = keys.append_column("start", start).append_column("end", end).append_column("line", pa.array(lines))
        # A window that ends before it starts says nothing of when.
        rows = rows.filter(pc.and_(pc.is_valid(keys.column("workload")), pc.less_equal(start, end)))
        found = rows.group_by(_KEY).aggregate([("start", "min"), ("end", "max"), ("line", "min")]).to_pylist()
        for row in found:
            key = tuple(row[name] for name in _KEY)
            first, last, line = row["start_min"], row["end_max"], row["line_min"]
            before = self._seen.get(key, (first, last, line))
            self._seen[key] = min(first, before[0]), max(last, before[1]), min(line, before[2])

    def block(self, source: str) -> Block | None:
        """The heartbeats that the sightings prove; None where they prove none."""
        proved = [
            (line, *key, first + _UNCERTAINTY, last - _UNCERTAINTY)
            for key, (first, last, line) in self._seen.items()
            if first + _UNCERTAINTY <= last - _UNCERTAINTY
        ]
        if not proved:
            return None
        proved.sort(key=lambda row: (row[0], tuple(map(str, row[1:]))))
        lines, *columns = zip(*proved, strict=True)
        named = dict(zip([*_KEY, "start", "end"], map(pa.array, columns), strict=True))
        return Block(HEARTBEAT, named, source, np.array(lines, np.int64))


def _service(table: Any) -> Any:
    """`cluster/service`, for service names are unique within a cluster only; null for a task of no service."""
    if "ecs_service_name" not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    service = table.column("ecs_service_name")
    if "ecs_cluster_name" not in table.column_names:
        return service
    return pc.coalesce(pc.binary_join_element_wise(table.column("ecs_cluster_name"), service, "/"), service)


def _passes_through(table: Any, incoming: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where the packet's address on the interface's side is not the interface's."""
    through = np.zeros(table.num_rows, np.bool_)
    for name, here in (("srcaddr", ~incoming), ("dstaddr", incoming)):
        if f"pkt_{name}" in table.column_names:
            differs = pc.fill_null(pc.not_equal(table.column(f"pkt_{name}"), table.column(name)), False)
            through |= np.asarray(differs) & here
    return through


def _observer(table: Any) -> Any:
    if "interface_id" in table.column_names:
        return table.column("interface_id")
    return pa.nulls(table.num_rows, pa.string())
