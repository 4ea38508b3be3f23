"""Sockets: a port of one transport protocol. TCP 443 and UDP 443 are two, and may have two owners.

As a number a socket is `protocol * 65536 + port`, in a column beside the column of addresses. Evidence may be about a
range of ports. The number of a range is the number of its first socket plus `SOCKETS` times (the last port + 1). The
number of what a connection claims is the number of its socket plus `CLAIM` times the claim's place in `CLAIMS`.

Example: evidence of TCP port 443, of UDP ports 1024 to 2047, and of a whole address. Then TCP port 443 accepted a
connection.

>>> evidence = pa.table(
...     {
...         "protocol": [6, 17, None, 6],
...         "port": [443, 1024, None, 443],
...         "last_port": [None, 2047, None, None],
...         "claim": [None, None, None, "accepted"],
...     }
... )
>>> numbers = held_sockets(evidence)
>>> numbers.tolist()
[393659, 34360853504, -1, 2199023649211]
>>> first, last = split_ranges(numbers)
>>> [column.tolist() for column in (*split_sockets(first[:2]), last, claims(numbers))]
[[6, 17], [443, 1024], [-1, 2047, -1, -1], [0, 0, 0, 1]]
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import integers
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Column, Int32, Int64, Ints, Records, Texts

#: The transport protocols that have ports, by IANA number: TCP, UDP, DCCP, SCTP, UDP-Lite.
WITH_PORTS = (6, 17, 33, 132, 136)
TCP, UDP = 6, 17
#: The protocols among them in which one peer answers from start to end: TCP, DCCP, SCTP.
WITH_CONNECTIONS = (TCP, 33, 132)

#: In the place of a socket: the whole address; for a flow also that its protocol is not known or has no ports.
ANY_SOCKET = -1
#: The number of every socket is below this, and the number of no range of ports is.
SOCKETS = 1 << 24

#: What a connection says of its port ("Flows as heartbeats" in `docs/design.md`), by number; 0 is an observation.
CLAIMS = (None, "accepted", "opened", "shown", "balanced", "listening", "connected")
ACCEPTED, OPENED, SHOWN, BALANCED, LISTENING, CONNECTED = range(1, len(CLAIMS))
#: Claims that count if explicit evidence comes before them, and as what they count then.
COUNTED_AS = {ACCEPTED: LISTENING, OPENED: CONNECTED}
#: A claim in a number: above the numbers of all sockets and ranges of ports.
CLAIM = np.int64(1 << 41)

_CLAIM_NAMES = pa.array(CLAIMS, pa.string())
_PORT_BITS = 16
# The last entry is for an unknown protocol, -1. `ANY_SOCKET` has all bits set, so that no port changes it.
_FIRST_OF = np.full(257, ANY_SOCKET, np.int32)
_FIRST_OF[list(WITH_PORTS)] = np.array(WITH_PORTS, np.int32) << _PORT_BITS


class Socket(NamedTuple):
    """One port of one transport protocol."""

    protocol: int
    port: int

    @classmethod
    def of(cls, protocol: int | None, port: int | None) -> "Socket | None":
        """The socket of a flow's side; None if it has no port, or its protocol is not known or has no ports."""
        return None if protocol is None or port is None or protocol not in WITH_PORTS else cls(protocol, port)


class PortRange(NamedTuple):
    """Ports of one transport protocol that were given to a workload together."""

    protocol: int
    port: int
    last_port: int

    def holds(self, socket: Socket) -> bool:
        """Whether a socket is one of these ports."""
        return socket.protocol == self.protocol and self.port <= socket.port <= self.last_port


def held_by(protocol: int | None, port: int | None, last_port: int | None) -> Socket | PortRange | None:
    """What a row of evidence is about; None for the whole address."""
    socket = Socket.of(protocol, port)
    return socket if socket is None or last_port is None else PortRange(*socket, last_port)


def socket_numbers(protocol: Ints, port: Ints) -> Int32:
    """The number of each socket; `ANY_SOCKET` where protocol or port is unknown (-1), or the protocol has no ports."""
    return _FIRST_OF[protocol] | port.astype(np.int32, copy=False)


def claims(number: Ints) -> Ints:
    """What each row of evidence claims, as a place in `CLAIMS`."""
    return np.maximum(number // CLAIM, 0)


def split_ranges(number: Ints) -> tuple[Ints, Ints]:
    """Number of the first socket of each row of evidence; and its last port, which is -1 for a single socket."""
    held = np.where(number < 0, ANY_SOCKET, number % CLAIM)
    return np.where(number < 0, ANY_SOCKET, held % SOCKETS), np.maximum(held // SOCKETS, 0) - 1


def split_sockets(socket: Ints) -> tuple[Ints, Ints]:
    """Protocol and port of each socket; meaningless for `ANY_SOCKET`."""
    return socket >> _PORT_BITS, socket & ((1 << _PORT_BITS) - 1)


def asked_sockets(protocol: Column, port: Column) -> Int32:
    """The socket of each flow's side, of nullable integers; `ANY_SOCKET` where `Socket.of` is None."""
    return socket_numbers(integers(protocol, null=-1), integers(port, null=-1))


def held_sockets(evidence: Records) -> Int64:
    """The socket, or range of ports, that each row of evidence is about; `ANY_SOCKET` for the whole address.

    Args:
        evidence: canonical records with the columns `protocol` and `port`, and perhaps `last_port` and `claim`.

    Raises:
        ValueError: a row has a port and no protocol that has ports. Taken for the whole address, it would claim what
            nobody saw; `attribution.sources.records.validate` rejects such rows.
    """
    port = evidence.column("port")
    if port.null_count == len(port):
        return np.full(len(port), ANY_SOCKET, np.int64)
    found = asked_sockets(evidence.column("protocol"), port)
    if (found < 0).sum() > port.null_count:
        raise ValueError("cannot take evidence of a port whose protocol has no ports, or is not known; validate it")
    number = found.astype(np.int64)
    last = evidence.column("last_port") if "last_port" in evidence.schema.names else None
    if last is not None and last.null_count < len(last):
        last = integers(last, null=-1)
        number += np.where(found >= 0, (last + np.int64(1)) * SOCKETS, 0)
    claim = evidence.column("claim") if "claim" in evidence.schema.names else None
    if claim is not None and claim.null_count < len(claim):
        place = pc.fill_null(pc.index_in(decoded(claim), value_set=_CLAIM_NAMES), 0).to_numpy(zero_copy_only=False)
        number += np.where(found >= 0, place.astype(np.int64) * CLAIM, 0)
    return number


def columns_of(number: Ints) -> dict[str, pa.Int32Array]:
    """The columns `protocol`, `port`, `last_port` and `claim` of rows of evidence."""
    whole = number == ANY_SOCKET
    if whole.all():
        nothing = pa.nulls(len(number), pa.int32())
        return {"protocol": nothing, "port": nothing, "last_port": nothing, "claim": pa.nulls(len(number), pa.string())}
    socket, last = split_ranges(number)
    protocol, port = split_sockets(socket.astype(np.int32))
    return {
        "protocol": pa.array(protocol, mask=whole),
        "port": pa.array(port, mask=whole),
        "last_port": pa.array(last.astype(np.int32), mask=last < 0),
        "claim": _CLAIM_NAMES.take(pa.array(claims(number))),
    }


def translated(addresses: Texts, settings: Settings) -> Bool:
    """Which addresses a translator stands before."""
    if not settings.translated_prefixes:
        return np.zeros(len(addresses), np.bool_)
    return PrefixTable.of_prefixes(settings.translated_prefixes).contains(addresses)


def ephemeral(socket: Ints, is_translated: Bool, settings: Settings) -> Bool:
    """Which rows of evidence are about a single socket that is given out per connection, to one workload after another.

    Args:
        socket: as of `held_sockets`.
        is_translated: whether the address of each row is a translated address.
        settings: the settings of the rules.
    """
    first, last = split_ranges(socket)
    ports, port = settings.ports_of_connections, split_sockets(first)[1]
    single = (first != ANY_SOCKET) & (last < 0)
    per_connection = np.isin(claims(socket), (OPENED, SHOWN, CONNECTED))
    return np.asarray(single & (per_connection | is_translated | ((port >= ports.start) & (port < ports.stop))))
