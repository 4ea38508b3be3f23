"""Which hostname a client meant by a server address, by the DNS answers that it was given."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.config import SECOND, Settings
from attribution.core.columns import Int32, Int64, encode, find, floats, microseconds, recode
from attribution.core.evidence import digest
from attribution.core.heartbeats import Heartbeats
from attribution.core.index import EvidenceIndex
from attribution.core.sockets import ANY_SOCKET


def told(bindings: Any) -> tuple[Int64, Int64]:
    """From when to when each binding may be used, in microseconds; a ttl is rounded to the nearest one, null is 0.

    It is never cut off: 3997 µs are 0.003997 s, and times a million the nearest double to that lies below 3997.
    """
    start = microseconds(bindings.column("time"))
    return start, start + np.rint(floats(bindings.column("ttl"), null=0.0) * SECOND).astype(np.int64)


class NameIndex:
    """Name bindings as time ranges of (client, server): segments as for ownership, asked what alone touches."""

    def __init__(self, bindings: Any, settings: Settings) -> None:
        """Digest `bindings`, a canonical Arrow batch or table of `schemas/name_binding.avsc`, in any order."""
        client, self._clients = encode(bindings.column("client_address"))
        server, self._servers = encode(bindings.column("server_address"))
        hostname, self.hostnames = encode(bindings.column("hostname"))
        self._pairs, pair = np.unique(self._pair(client, server), return_inverse=True)
        start, end = told(bindings)
        size = len(start)
        spans = Heartbeats(
            address=pair.astype(np.int32),
            socket=np.full(size, ANY_SOCKET, np.int64),
            workload=hostname,
            service=np.full(size, -1, np.int32),
            start=start,
            end=end + settings.name_stretch,
            addresses=self._pairs,
            workloads=self.hostnames,
            services=pa.array([], pa.string()),
        )
        # Answers valid side by side stay side by side: nothing is bridged between two of them.
        side_by_side = replace(settings, max_gap=0, clock_tolerance=0, translated_prefixes=())
        self._index = EvidenceIndex(digest(spans, side_by_side), settings)

    def _pair(self, client: Int32, server: Int32) -> Int64:
        return client * np.int64(len(self._servers)) + server

    def ask(self, client: Any, server: Any, a: Int64, b: Int64) -> Int32:
        """The one hostname of each (client, server) in [a, b], a number into `hostnames`; -1: none or several."""
        codes, values = encode(client)
        asked_client = recode(codes, find(values, self._clients))
        codes, values = encode(server)
        asked_server = recode(codes, find(values, self._servers))
        pair = self._pair(asked_client, asked_server)
        position = np.minimum(np.searchsorted(self._pairs, pair), len(self._pairs) - 1)
        known = (self._pairs[position] == pair) & (asked_client >= 0) & (asked_server >= 0)
        group = np.where(known, position, -1).astype(np.int32)
        return np.maximum(self._index.only_touching(group, a, b), np.int32(-1))
