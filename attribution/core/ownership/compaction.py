"""Fewer heartbeats that say the same: duplicates, overlaps and what is forgotten go, and every answer stays."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from attribution.config import SECOND, Settings
from attribution.core.columnar.arrays import NEVER_BEFORE, alike_rows, joined_intervals, order_by, starts_of_runs
from attribution.core.columnar.types import Int32, Int64, Ints
from attribution.core.hostnames.bindings import use_of_bindings
from attribution.core.ownership.heartbeats import Heartbeats

#: The fields that name bindings agree on if they are merged.
_TOLD = ("client_address", "client_prefix", "server_address", "hostname")
#: One in so many addresses shows what merging brings.
_SAMPLED = 64


def compact(heartbeats: Heartbeats, settings: Settings, *, oldest: int) -> Heartbeats:
    """Fewer heartbeats with the same answer for every flow that starts at `oldest` (µs) or later, ordered by address.

    Two heartbeats are merged only if they agree on address, socket, workload and service, and share a moment. No gap is
    closed, because evidence that is still to come may lie in it.

    Heartbeats that ended too long before `oldest` to touch a flow, or to be joined with what touches one, are
    forgotten. Only the last of them on each key stays: it still says that the key has evidence.

    Args:
        heartbeats: in any order.
        settings: the settings of the rules.
        oldest: start of the earliest flow that may still be asked, µs.
    """
    rows = still_asked(heartbeats.address, heartbeats.socket, heartbeats.end, settings, oldest=oldest)
    found = heartbeats.take(rows)
    if len(found) == 0:
        return found
    labels: list[Ints] = [found.address, found.socket, found.workload, found.service]
    found = found.take(order_by(*labels, found.start))
    first = starts_of_runs(found.address, found.socket, found.workload, found.service)
    at, end = joined_intervals(first, found.start, found.end)
    return replace(found.take(at), end=end)


def shrinks(heartbeats: Heartbeats, settings: Settings, *, share: float) -> bool:
    """Whether merging would leave no more than this share of the heartbeats, judged by a sample of the addresses."""
    some = np.flatnonzero(heartbeats.address % _SAMPLED == 0)
    left = len(compact(heartbeats.take(some), settings, oldest=NEVER_BEFORE))
    return left <= share * len(some)


def still_asked(address: Int32, socket: Int64, end: Int64, settings: Settings, *, oldest: int) -> Int64:
    """The places of the heartbeats that flows which start at `oldest` (µs) or later can ask for.

    Heartbeats that ended long ago are left out, except the last of each key within retention.

    Args:
        address: number of the address of each heartbeat.
        socket: its socket.
        end: its end, µs.
        settings: the settings of the rules.
        oldest: start of the earliest flow, µs.
    """
    past = end < oldest - settings.clock_tolerance - settings.max_gap
    if not past.any():
        return np.arange(len(end))
    rows = np.flatnonzero(past & (end >= oldest - settings.retention))
    rows = rows[order_by(address[rows], socket[rows], end[rows])]
    last = np.append(starts_of_runs(address[rows], socket[rows])[1:], True) if len(rows) else np.zeros(0, np.bool_)
    return np.sort(np.concatenate([np.flatnonzero(~past), rows[last]]))


def distinct_rows(table: pa.Table) -> pa.Table:
    """The rows of a table, each once, in any order."""
    if table.num_rows == 0:
        return table
    _, first = np.unique(alike_rows(table), return_index=True)
    return table.take(pa.array(first))


def current_names(bindings: pa.Table, settings: Settings, oldest: int) -> pa.Table:
    """Fewer name bindings with the same candidates for every flow that starts at `oldest` (µs) or later.

    Bindings that agree on all but time are merged where they hold side by side. So a client that asks again whenever
    its answer is over leaves one binding.
    """
    start, end = use_of_bindings(bindings)
    until = end + settings.name_stretch + settings.connection_lifetime
    rows = np.flatnonzero(until >= oldest - settings.clock_tolerance)
    if len(rows) == 0:
        return bindings.slice(0, 0)
    who = alike_rows(bindings.take(pa.array(rows)).select(_TOLD))
    order = order_by(who, start[rows])
    rows, who = rows[order], who[order]
    start, end = start[rows], end[rows]
    at, last = joined_intervals(starts_of_runs(who), start, end, gap=settings.name_stretch)
    merged = bindings.take(pa.array(rows[at]))
    ttl = pa.chunked_array([pa.array((last - start[at]) / SECOND)])
    return merged.set_column(merged.schema.get_field_index("ttl"), merged.schema.field("ttl"), ttl)
