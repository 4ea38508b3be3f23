"""Ports that are free, below those that systems give to outgoing connections."""

import random
import socket
from collections.abc import Sequence
from typing import Final

from attribution.testbed.lab import LabError

#: A port of outgoing connections could be a client's when a server wants it.
_PORTS: Final = range(12_000, 32_000)
_TRIES: Final = 100


def bound_alike(address: str, port: int, kinds: Sequence[socket.SocketKind]) -> list[socket.socket]:
    """One socket of each kind, bound to one port of the address.

    Args:
        address: IPv4 address.
        port: The port, or 0 for one that is free for all of them.
        kinds: `SOCK_DGRAM`, `SOCK_STREAM`.

    Raises:
        LabError: The port is not free, or no port is free for all of them.
    """
    return bound_in_turn(address, port, kinds, step=0)


def bound_in_turn(
    address: str, port: int, kinds: Sequence[socket.SocketKind], *, step: int = 1, on_loopback: bool = False
) -> list[socket.socket]:
    """One socket of each kind, each `step` ports above the one before; otherwise as `bound_alike`.

    Args:
        address: IPv4 address.
        port: The port, or 0 for one that is free for all of them.
        kinds: `SOCK_DGRAM`, `SOCK_STREAM`.
        step: From the port of a socket to that of the next.
        on_loopback: Whether the sockets get what comes over the loopback interface only, whatever the address.

    Raises:
        LabError: As `bound_alike`, or this system cannot keep a socket on loopback.
    """
    tried = [port] if port else random.sample(_PORTS, _TRIES)
    for first in tried:
        made: list[socket.socket] = []
        try:
            for number, kind in enumerate(kinds):
                made.append(socket.socket(socket.AF_INET, kind))
                made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
                if on_loopback:
                    _keep_on_loopback(made[-1])
                made[-1].bind((address, first + step * number))
        except (OSError, LabError) as error:
            for one in made:
                one.close()
            if isinstance(error, LabError):
                raise
            found = error
        else:
            for one in made:
                one.setblocking(False)
            return made
    raise LabError(f"cannot listen on {address}, port {port or 'any'}: {found.strerror or found}")


def _keep_on_loopback(unbound: socket.socket) -> None:
    """Have a socket get nothing from other machines, even if they know an address of this one."""
    try:
        unbound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    except (OSError, AttributeError) as error:
        raise LabError(
            f"cannot keep the lab on loopback: no socket can be bound to the interface lo ({error}); run it on Linux "
            "5.7 or later, or as root"
        ) from None
