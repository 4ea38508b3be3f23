"""Baselines of fleets with several networks: events keyed by network, and the heartbeat that is nearest in time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.places import join_places, places_of
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, held_sockets
from attribution.core.columnar.arrays import microseconds
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Int32, Int64, Texts
from attribution.testbed.evaluate.baselines import EventLog

#: Key numbers of one address: the whole of it, and every socket.
_ADDRESS = SOCKETS + 1
_EITHER_SIDE = {"local": ("local", "both"), "remote": ("remote", "both")}


def network_log(log: EventLog) -> EventLog:
    """The same events, keyed by the network and the address; its `keys` wants `told_places`."""
    places = decoded(places_of(log.events))
    return EventLog(log.events.set_column(log.events.schema.get_field_index("address"), "address", places))


def told_places(truth: pa.Table, side: str) -> pa.StringArray:
    """The address of a side in the network that the log told for it; for a remote side, else in the local network.

    Args:
        truth: rows of `NETWORK_TRUTH`.
        side: `local` or `remote`.
    """
    told = truth.column("networks_told").combine_chunks()
    network = _told(truth, told, side)
    if side == "remote":
        network = pc.coalesce(network, _told(truth, told, "local"))
    return join_places(decoded(truth.column(f"{side}_address")), network)


def _told(truth: pa.Table, told: pa.Array, side: str) -> pa.StringArray:
    known = pc.is_in(told, value_set=pa.array(_EITHER_SIDE[side]))
    return pc.if_else(known, decoded(truth.column(f"{side}_network")), pa.scalar(None, pa.string()))


class NearestHeartbeats:
    """Explicit heartbeats, asked for the one that is nearest to a flow's start on its address, whatever its network.

    Args:
        heartbeats: a table of `schemas/heartbeat.avsc`.
    """

    name = "nearest heartbeat"

    def __init__(self, heartbeats: pa.Table) -> None:
        addresses = decoded(heartbeats.column("address"))
        self._addresses = pc.unique(addresses)
        address = np.asarray(pc.index_in(addresses, value_set=self._addresses)).astype(np.int64)
        key, time = address * _ADDRESS + held_sockets(heartbeats) + 1, microseconds(heartbeats.column("start"))
        order = np.lexsort((time, key))
        self._key, self._time = key[order], time[order]
        self._workload = decoded(heartbeats.column("workload")).take(pa.array(order))
        self._service = decoded(heartbeats.column("service")).take(pa.array(order))

    def attribute(self, addresses: Texts, sockets: Int32, start: Int64) -> tuple[Texts, Texts]:
        """Workload and service of the nearest heartbeat of the socket, else of the whole address; null if none is."""
        address = pc.index_in(decoded(addresses), value_set=self._addresses).fill_null(-1)
        whole = np.asarray(address).astype(np.int64) * _ADDRESS
        found = self._nearest(np.where(sockets == ANY_SOCKET, whole, whole + sockets + 1), start)
        found = np.where(found < 0, self._nearest(whole, start), found)
        chosen = pa.array(found, mask=found < 0)
        return self._workload.take(chosen), self._service.take(chosen)

    def _nearest(self, key: Int64, time: Int64) -> Int64:
        """The row of each key that is nearest to a time; -1 where the key has none."""
        if not len(self._key):
            return np.full(len(key), -1, np.int64)
        origin = min(int(self._time.min()), int(time.min(initial=0)))
        keys, number = np.unique(self._key, return_inverse=True)
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        span = np.int64(max(int(self._time.max()), int(time.max(initial=0))) - origin + 1)
        after = np.searchsorted(number * span + (self._time - origin), at * span + (time - origin))
        best = np.full(len(key), -1, np.int64)
        for row in (np.minimum(after, len(self._key) - 1), np.maximum(after - 1, 0)):
            mine = self._key[row] == key
            nearer = (best < 0) | (np.abs(self._time[row] - time) < np.abs(self._time[best] - time))
            best = np.where(mine & nearer, row, best)
        return best
