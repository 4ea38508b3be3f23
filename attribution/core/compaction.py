"""Fewer heartbeats that say the same: duplicates, overlaps and what is forgotten go, every answer stays."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.columns import Int32, Int64, encode, microseconds, order_by, running_max, starts_of_runs
from attribution.core.names import told
from attribution.core.sockets import SOCKETS, columns_of, held_sockets
from attribution.schema import TIMESTAMP, arrow_schema


def compact(heartbeats: Any, settings: Settings, *, oldest: int) -> Any:
    """Fewer heartbeats with the same answer for every flow that starts at `oldest` (µs) or later.

    Two heartbeats are merged only if they agree on address, socket, workload and service and share a moment; no gap is
    closed, because evidence that is still to come may lie in it. Of what ended too long before `oldest` to touch a
    flow, or to be joined with what touches one, each key keeps its last moment: it still says that the key has
    evidence. Observers are dropped: no rule asks for them.

    Args:
        heartbeats: canonical Arrow table of `schemas/heartbeat.avsc`, in any order.
        settings: the settings of the rules.
        oldest: start of the earliest flow that may still be asked.
    """
    heartbeats = _forget(heartbeats, settings, oldest)
    if heartbeats.num_rows == 0:
        return heartbeats
    coded = {name: encode(heartbeats.column(name)) for name in ("address", "workload", "service")}
    socket = held_sockets(heartbeats)
    start, end = microseconds(heartbeats.column("start")), microseconds(heartbeats.column("end"))
    labels: list[Int32] = [coded["address"][0], socket, coded["workload"][0], coded["service"][0]]
    order = order_by(*labels, start)
    labels = [label[order] for label in labels]
    start, end = start[order], end[order]
    first = starts_of_runs(*labels)
    reach = running_max(end, np.cumsum(first) - 1)
    begin = first.copy()
    begin[1:] |= start[1:] > reach[:-1]
    at = np.flatnonzero(begin)
    columns = {
        **columns_of(labels[1][at]),
        "start": pa.array(start[at]).cast(TIMESTAMP),
        "end": pa.array(reach[np.append(at[1:], len(start)) - 1]).cast(TIMESTAMP),
        "observer": pa.nulls(len(at), pa.string()),
    }
    for name, label in zip(("address", "workload", "service"), (labels[0], labels[2], labels[3]), strict=True):
        columns[name] = pc.take(coded[name][1], pa.array(label[at], mask=label[at] < 0))
    schema = arrow_schema("heartbeat")
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _forget(heartbeats: Any, settings: Settings, oldest: int) -> Any:
    address, _ = encode(heartbeats.column("address"))
    key = address * np.int64(SOCKETS + 1) + held_sockets(heartbeats)
    rows = still_asked(key, microseconds(heartbeats.column("end")), settings, oldest=oldest)
    return heartbeats if len(rows) == heartbeats.num_rows else heartbeats.take(pa.array(rows))


def still_asked(key: Int64, end: Int64, settings: Settings, *, oldest: int) -> Int64:
    """The heartbeats, by place, that flows which start at `oldest` (µs) or later can ask for.

    Those that ended long ago are left out, but for the last of each key within retention.

    Args:
        key: a number for the key of each.
        end: its end, µs.
        settings: the settings of the rules.
        oldest: start of the earliest flow.
    """
    past = end < oldest - settings.clock_tolerance - settings.max_gap
    if not past.any():
        return np.arange(len(end))
    rows = np.flatnonzero(past & (end >= oldest - settings.retention))
    rows = rows[order_by(key[rows], end[rows])]
    last = np.append(starts_of_runs(key[rows])[1:], True) if len(rows) else np.zeros(0, np.bool_)
    return np.sort(np.concatenate([np.flatnonzero(~past), rows[last]]))


def current_names(bindings: Any, settings: Settings, oldest: int) -> Any:
    """The name bindings that a flow which starts at `oldest` (µs) or later may still touch; duplicates once."""
    _, end = told(bindings)
    bindings = bindings.filter(pa.array(end + settings.name_stretch >= oldest - settings.clock_tolerance))
    return bindings.group_by(bindings.schema.names).aggregate([]).select(bindings.schema.names)
