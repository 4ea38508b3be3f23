"""Sockets: a port of one transport protocol. TCP 443 and UDP 443 are two, and may have two owners.

As a number a socket is `protocol * 65536 + port`, in columns that stand beside those of addresses.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from attribution.core.columns import Int32, integers

#: The transport protocols that have ports, by IANA number: TCP, UDP, DCCP, SCTP, UDP-Lite.
WITH_PORTS = (6, 17, 33, 132, 136)
TCP, UDP = 6, 17
#: Those in which one peer answers from start to end: TCP, DCCP, SCTP.
WITH_CONNECTIONS = (TCP, 33, 132)

#: In the place of a socket: the whole address; for a flow also that its protocol is not known or has no ports.
ANY_SOCKET = -1
#: Every socket's number is below this.
SOCKETS = 1 << 24

_PORT_BITS = 16
# The last entry is that of an unknown protocol, -1. All bits set, `ANY_SOCKET` swallows whatever port is put to it.
_FIRST_OF = np.full(257, ANY_SOCKET, np.int32)
_FIRST_OF[list(WITH_PORTS)] = np.array(WITH_PORTS, np.int32) << _PORT_BITS


class Socket(NamedTuple):
    """One port of one transport protocol."""

    protocol: int
    port: int

    @classmethod
    def of(cls, protocol: int | None, port: int | None) -> "Socket | None":
        """The socket that a flow's side has; None where it has no port, or its protocol is not known or has none."""
        return None if protocol is None or port is None or protocol not in WITH_PORTS else cls(protocol, port)


def socket_numbers(protocol: npt.NDArray[Any], port: npt.NDArray[Any]) -> Int32:
    """The number of each socket; -1 stands for an unknown protocol or port, and `ANY_SOCKET` for what is none."""
    return _FIRST_OF[protocol] | port.astype(np.int32, copy=False)


def split_sockets(socket: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Protocol and port of each socket that is one."""
    return socket >> _PORT_BITS, socket & ((1 << _PORT_BITS) - 1)


def asked_sockets(protocol: Any, port: Any) -> Int32:
    """The socket of each flow's side, `ANY_SOCKET` where `Socket.of` has none; nullable Arrow columns."""
    return socket_numbers(integers(protocol, null=-1), integers(port, null=-1))


def held_sockets(evidence: Any) -> Int32:
    """The socket that each row of evidence is about, `ANY_SOCKET` where it is about the whole address.

    Args:
        evidence: a canonical Arrow batch or table with the columns `protocol` and `port`.

    Raises:
        ValueError: a row has a port and no protocol that has ports. Taken for the whole address, it would claim what
            nobody saw; `attribution.sources.validate` rejects such rows.
    """
    port = evidence.column("port")
    if port.null_count == len(port):
        return np.full(len(port), ANY_SOCKET, np.int32)
    found = asked_sockets(evidence.column("protocol"), port)
    if (found < 0).sum() > port.null_count:
        raise ValueError("cannot take evidence of a port whose protocol has no ports, or is not known; validate it")
    return found


def columns_of(socket: Int32) -> dict[str, Any]:
    """Sockets as the columns `protocol` and `port`; null where it is the whole address."""
    whole = socket == ANY_SOCKET
    protocol, port = split_sockets(socket)
    return {"protocol": pa.array(protocol, mask=whole), "port": pa.array(port, mask=whole)}
