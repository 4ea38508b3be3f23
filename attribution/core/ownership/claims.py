"""Claims of connections: which of them count, "Which key" in `docs/design.md`.

Example: at 10 s a connection is accepted at port 80 of 10.0.0.1, and at 900 s another. Port 53 was seen at 0 s.

>>> import pyarrow as pa
>>> from attribution.schema import arrow_schema
>>> second = 1_000_000
>>> rows = [
...     {"address": "10.0.0.1", "port": port, "protocol": 6, "workload": "a", "start": at, "end": at, "claim": claim}
...     for port, at, claim in ((53, 0, None), (80, 10 * second, "accepted"), (80, 900 * second, "accepted"))
... ]
>>> heartbeats = Heartbeats.of(pa.Table.from_pylist(rows, schema=arrow_schema("heartbeat")))
>>> table = of_counting_claims(heartbeats, Settings()).table()
>>> table.column("claim").to_pylist()
[None, 'listening']
"""

from dataclasses import replace

import numpy as np

from attribution.config import Settings
from attribution.core.addressing.sockets import CLAIM, CLAIMS, COUNTED_AS, claims
from attribution.core.columnar.arrays import last_at_or_before, order_by, running_max, starts_of_runs
from attribution.core.columnar.types import Bool, Int64
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.keys import is_explicit

_OPEN = np.array(list(COUNTED_AS))
_STEP = np.zeros(len(CLAIMS), np.int64)
_STEP[list(COUNTED_AS)] = [(after - before) * CLAIM for before, after in COUNTED_AS.items()]


def open_claims(socket: Int64) -> Bool:
    """Which rows are claims that count only if explicit evidence comes before them; sockets as of `held_sockets`."""
    return np.isin(claims(socket), _OPEN)


def of_counting_claims(heartbeats: Heartbeats, settings: Settings) -> Heartbeats:
    """The heartbeats without the claims that do not count."""
    return with_counting_claims(heartbeats, settings, forgotten_us=None)


def with_counting_claims(heartbeats: Heartbeats, settings: Settings, *, forgotten_us: int | None) -> Heartbeats:
    """The heartbeats, in which claims that count say so, whatever is forgotten later.

    Args:
        heartbeats: in any order; all explicit evidence of the addresses from `max_gap` before the first open claim on.
        settings: the settings of the rules.
        forgotten_us: claims that do not count, and start before this moment (µs), are left out; all if it is None.
    """
    rows = np.flatnonzero(open_claims(heartbeats.socket))
    if len(rows) == 0:
        return heartbeats
    counts = _after_explicit(heartbeats, rows, settings.max_gap)
    socket = heartbeats.socket.copy()
    socket[rows[counts]] += _STEP[claims(socket[rows[counts]])]
    kept = np.ones(len(heartbeats), np.bool_)
    useless = ~counts if forgotten_us is None else ~counts & (heartbeats.start[rows] < forgotten_us)
    kept[rows[useless]] = False
    return replace(heartbeats, socket=socket).take(np.flatnonzero(kept))


def _after_explicit(heartbeats: Heartbeats, rows: Int64, max_gap: int) -> Bool:
    """Whether explicit evidence of the address touches the `max_gap` before the start of each row."""
    explicit = np.flatnonzero(is_explicit(heartbeats.socket))
    if len(explicit) == 0:
        return np.zeros(len(rows), np.bool_)
    explicit = explicit[order_by(heartbeats.address[explicit], heartbeats.start[explicit])]
    address, start = heartbeats.address[explicit].astype(np.int64), heartbeats.start[explicit]
    reach = running_max(heartbeats.end[explicit], np.cumsum(starts_of_runs(address)) - 1)
    mine, begun = heartbeats.address[rows].astype(np.int64), heartbeats.start[rows]
    low, high = np.searchsorted(address, mine), np.searchsorted(address, mine, side="right")
    some = np.flatnonzero(high > low)
    found = np.zeros(len(rows), np.bool_)
    at = last_at_or_before(start, low[some], (high - low)[some], begun[some])
    found[some] = (start[at] <= begun[some]) & (reach[at] >= begun[some] - max_gap)
    return found
