"""Which hostnames a client may mean by a server address, by the DNS answers that it was given."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa

from attribution.config import SECOND, Settings
from attribution.core.addressing.place_book import AskedPlaces, PlaceBook
from attribution.core.addressing.places import places_of
from attribution.core.columnar.arrays import encode, floats, last_at_or_before, microseconds
from attribution.core.columnar.interval_index import Candidates, IntervalIndex
from attribution.core.columnar.types import Bool, Int32, Int64, Records, Texts
from attribution.core.hostnames.client_networks import ClientNetworks


def use_of_bindings(bindings: Records) -> tuple[Int64, Int64]:
    """From when to when each binding may be used, µs; a `ttl` of null is 0.

    A `ttl` is rounded to the nearest microsecond, never cut off. (3997 µs are 0.003997 s; the nearest double to that,
    times a million, lies below 3997.)
    """
    start = microseconds(bindings.column("time"))
    return start, start + np.rint(floats(bindings.column("ttl"), null=0.0) * SECOND).astype(np.int64)


class NameIndex:
    """Name bindings as intervals of (clients, server), asked for all names whose intervals touch an interval.

    Attributes:
        hostnames: the names that there are.
    """

    hostnames: pa.StringArray

    def __init__(self, bindings: pa.Table, settings: Settings) -> None:
        """Index `bindings`, a canonical table of `schemas/name_binding.avsc`, in any order."""
        self._lifetime = settings.connection_lifetime
        server, servers = encode(places_of(bindings, "server_address"))
        hostname, self.hostnames = encode(bindings.column("hostname"))
        start, end = use_of_bindings(bindings)
        self._servers, self._networks = PlaceBook(servers, settings), ClientNetworks(bindings, settings)
        self._size = len(servers)
        row = self._networks.row
        pair = self._networks.code * self._size + server[row]
        self._pairs, key = np.unique(pair, return_inverse=True)
        # Where the pairs of each network begin: most networks have few pairs, and all together have many.
        self._first = np.searchsorted(self._pairs, np.arange(self._networks.size + 1) * self._size)
        self._intervals = IntervalIndex.of(key, hostname[row], start[row], end[row] + settings.name_stretch)

    def __bool__(self) -> bool:
        """Whether there is any binding."""
        return len(self.hostnames) > 0

    @cached_property
    def _for_windows(self) -> IntervalIndex:
        """The intervals for windows, which may show connections from long before."""
        return self._intervals.longer(self._lifetime)

    def ask(self, client: Texts, server: AskedPlaces, connection: Bool, a: Int64, b: Int64) -> tuple[Candidates, Int64]:
        """The candidates, numbers into `hostnames`, of each (client, server) in [a, b]; the rows that networks close.

        Args:
            client: addresses of the clients.
            server: addresses of the servers, with the networks of the clients, and routed by the clients' addresses.
            connection: whether each flow is a connection; it is a window otherwise.
            a: start of the asked interval, µs.
            b: end of the asked interval, µs.
        """
        if not self:
            return Candidates.united([], len(a)), np.zeros(0, np.int64)

        def stands(place: Int32, row: Int64) -> Bool:
            told = np.zeros(len(row), np.bool_)
            for part in self._parts(place, client.take(pa.array(row)), connection[row], a[row], b[row]):
                told |= part.count > 0
            return told

        chosen = self._servers.choose(server, stands)
        return Candidates.united(list(self._parts(chosen.place, client, connection, a, b)), len(a)), chosen.closed

    def _parts(self, server: Int32, client: Texts, connection: Bool, a: Int64, b: Int64) -> Iterator[Candidates]:
        """The candidates of each (client, place of a server), in parts."""
        for row, key in self._keys(client, server):
            for windows in (False, True):
                mine = connection[row] != windows
                if mine.any():
                    intervals, some = self._for_windows if windows else self._intervals, row[mine]
                    yield intervals.touching(some, key[mine], a[some], b[some], rows=len(a))

    def _keys(self, client: Texts, server: Int32) -> list[tuple[Int64, Int64]]:
        """Rows and their keys: first by the client itself, then by the networks of each length that contain it."""
        found = []
        for network in self._networks.of(client):
            row = np.flatnonzero((server >= 0) & (network >= 0))
            code = network[row]
            # A client of the dictionary that no binding is for may have its place one past the end.
            pair, low = code * self._size + server[row], np.minimum(self._first[code], len(self._pairs) - 1)
            at = last_at_or_before(self._pairs, low, self._first[code + 1] - low, pair)
            mine = self._pairs[at] == pair
            found.append((row[mine], at[mine]))
        return found
