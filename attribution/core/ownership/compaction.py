"""Fewer heartbeats that say the same: duplicates, overlaps and what is forgotten go, every answer stays."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import SECOND, Settings
from attribution.core.columnar.arrays import NEVER_BEFORE, alike_rows, joined_spans, order_by, starts_of_runs
from attribution.core.columnar.types import Int32, Int64, Ints
from attribution.core.hostnames.bindings import told
from attribution.core.ownership.heartbeats import Heartbeats

#: What name bindings that are merged agree on.
_TOLD = ("client_address", "client_prefix", "server_address", "hostname")
#: One in so many addresses shows what merging brings.
_SAMPLED = 64


def compact(heartbeats: Heartbeats, settings: Settings, *, oldest: int) -> Heartbeats:
    """Fewer heartbeats with the same answer for every flow that starts at `oldest` (µs) or later, ordered by address.

    Two heartbeats are merged only if they agree on address, socket, workload and service and share a moment; no gap is
    closed, because evidence that is still to come may lie in it. Of what ended too long before `oldest` to touch a
    flow, or to be joined with what touches one, each key keeps its last moment: it still says that the key has
    evidence.

    Args:
        heartbeats: in any order.
        settings: the settings of the rules.
        oldest: start of the earliest flow that may still be asked.
    """
    rows = still_asked(heartbeats.address, heartbeats.socket, heartbeats.end, settings, oldest=oldest)
    found = heartbeats.take(rows)
    if len(found) == 0:
        return found
    labels: list[Ints] = [found.address, found.socket, found.workload, found.service]
    found = found.take(order_by(*labels, found.start))
    first = starts_of_runs(found.address, found.socket, found.workload, found.service)
    at, end = joined_spans(first, found.start, found.end)
    return replace(found.take(at), end=end)


def shrinks(heartbeats: Heartbeats, settings: Settings, *, share: float) -> bool:
    """Whether merging would leave no more than this share of the heartbeats, by those of some of the addresses."""
    some = np.flatnonzero(heartbeats.address % _SAMPLED == 0)
    left = len(compact(heartbeats.take(some), settings, oldest=NEVER_BEFORE))
    return left <= share * len(some)


def still_asked(address: Int32, socket: Int64, end: Int64, settings: Settings, *, oldest: int) -> Int64:
    """The heartbeats, by place, that flows which start at `oldest` (µs) or later can ask for.

    Those that ended long ago are left out, but for the last of each key within retention.

    Args:
        address: number of the address of each.
        socket: its socket.
        end: its end, µs.
        settings: the settings of the rules.
        oldest: start of the earliest flow.
    """
    past = end < oldest - settings.clock_tolerance - settings.max_gap
    if not past.any():
        return np.arange(len(end))
    rows = np.flatnonzero(past & (end >= oldest - settings.retention))
    rows = rows[order_by(address[rows], socket[rows], end[rows])]
    last = np.append(starts_of_runs(address[rows], socket[rows])[1:], True) if len(rows) else np.zeros(0, np.bool_)
    return np.sort(np.concatenate([np.flatnonzero(~past), rows[last]]))


def distinct_rows(table: Any) -> Any:
    """The rows of a table, each once, in any order."""
    if table.num_rows == 0:
        return table
    _, first = np.unique(alike_rows(table), return_index=True)
    return table.take(pa.array(first))


def current_names(bindings: Any, settings: Settings, oldest: int) -> Any:
    """The name bindings that a flow which starts at `oldest` (µs) or later may still touch, fewer that say the same.

    Those that agree on all but time are merged where they hold side by side: a client that asks again whenever its
    answer is over leaves one.
    """
    start, end = told(bindings)
    until = end + settings.name_stretch + settings.connection_lifetime
    rows = np.flatnonzero(until >= oldest - settings.clock_tolerance)
    if len(rows) == 0:
        return bindings.slice(0, 0)
    who = alike_rows(bindings.take(pa.array(rows)).select(_TOLD))
    rows = rows[order := order_by(who, start[rows])]
    who, start, end = who[order], start[rows], end[rows]
    at, last = joined_spans(starts_of_runs(who), start, end, gap=settings.name_stretch)
    merged = bindings.take(pa.array(rows[at]))
    ttl = pa.chunked_array([pa.array((last - start[at]) / SECOND)])
    return merged.set_column(merged.schema.get_field_index("ttl"), merged.schema.field("ttl"), ttl)
