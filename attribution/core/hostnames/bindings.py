"""Which hostnames a client may mean by a server address, by the DNS answers that it was given."""

from functools import cached_property
from typing import Any

import numpy as np

from attribution.config import SECOND, Settings
from attribution.core.addressing.addresses import AddressBook
from attribution.core.columnar.arrays import encode, floats, last_at_or_before, microseconds
from attribution.core.columnar.interval_index import Candidates, Spans
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.hostnames.client_networks import ClientNetworks


def told(bindings: Any) -> tuple[Int64, Int64]:
    """From when to when each binding may be used, in microseconds; a ttl is rounded to the nearest one, null is 0.

    It is never cut off: 3997 µs are 0.003997 s, and times a million the nearest double to that lies below 3997.
    """
    start = microseconds(bindings.column("time"))
    return start, start + np.rint(floats(bindings.column("ttl"), null=0.0) * SECOND).astype(np.int64)


class NameIndex:
    """Name bindings as spans of (clients, server), asked for all names whose spans touch an interval.

    Attributes:
        hostnames: Arrow text, the names that there are.
    """

    def __init__(self, bindings: Any, settings: Settings) -> None:
        """Digest `bindings`, a canonical Arrow table of `schemas/name_binding.avsc`, in any order."""
        self._lifetime = settings.connection_lifetime
        server, servers = encode(bindings.column("server_address"))
        hostname, self.hostnames = encode(bindings.column("hostname"))
        start, end = told(bindings)
        self._servers, self._networks = AddressBook(servers), ClientNetworks(bindings, settings)
        self._size = len(servers)
        row = self._networks.row
        pair = self._networks.code * self._size + server[row]
        self._pairs, key = np.unique(pair, return_inverse=True)
        # Where the pairs of each network begin: one has few, mostly, and all together are many.
        self._first = np.searchsorted(self._pairs, np.arange(self._networks.size + 1) * self._size)
        self._spans = Spans.of(key, hostname[row], start[row], end[row] + settings.name_stretch)

    def __bool__(self) -> bool:
        """Whether there is any binding."""
        return len(self.hostnames) > 0

    @cached_property
    def _of_windows(self) -> Spans:
        """What holds for windows, in which there may be connections from long before."""
        return self._spans.longer(self._lifetime)

    def ask(self, client: Any, server: Any, connection: Bool, a: Int64, b: Int64) -> Candidates:
        """The candidates, numbers into `hostnames`, of each (client, server) in [a, b].

        Args:
            client: text column.
            server: text column.
            connection: whether each flow is a connection, or a window.
            a: start of the asked interval, µs.
            b: end of the asked interval, µs.
        """
        parts = []
        for row, key in self._keys(client, self._servers.find(server)) if self else ():
            for windows in (False, True):
                mine = connection[row] != windows
                if mine.any():
                    spans, some = self._of_windows if windows else self._spans, row[mine]
                    parts.append(spans.touching(some, key[mine], a[some], b[some], rows=len(a)))
        return Candidates.united(parts, len(a))

    def _keys(self, client: Any, server: Int32) -> list[tuple[Int64, Int64]]:
        """The rows that have a key by the client itself, with that, and by networks of each length that contain it."""
        found = []
        for network in self._networks.of(client):
            row = np.flatnonzero((server >= 0) & (network >= 0))
            code = network[row]
            # A dictionary may have clients that no binding is for: their place may be one past the end.
            pair, low = code * self._size + server[row], np.minimum(self._first[code], len(self._pairs) - 1)
            at = last_at_or_before(self._pairs, low, self._first[code + 1] - low, pair)
            mine = self._pairs[at] == pair
            found.append((row[mine], at[mine]))
        return found
