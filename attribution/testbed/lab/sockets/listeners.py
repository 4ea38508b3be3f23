"""Sockets that accept on every address of a pool: by a sk_lookup program, or by the wildcard address."""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from attribution.testbed.lab import LabError
from attribution.testbed.lab.scenarios import Ports
from attribution.testbed.lab.sockets.namespace import enter_new_namespace
from attribution.testbed.lab.sockets.ports import bound_alike, bound_in_turn
from attribution.testbed.lab.sockets.rules import SocketRule, service_for

_BACKLOG: Final = 4096
_TCP: Final = 6


class UnavailableError(LabError):
    """This way of accepting does not work on this machine."""


@dataclass(frozen=True)
class Door:
    """A listening socket, and a function that gives the service of a local endpoint; None if there is none."""

    socket: socket.socket
    service_of: Callable[[str, int], str | None]


@dataclass(frozen=True)
class Listeners:
    """Listening sockets of services under socket rules.

    Attributes:
        how: how connections come to services, in words.
        ports: the ports of services.
        doors: the sockets.
        put: replaces all rules by these, in the order in which they are tried.
    """

    how: str
    ports: Ports
    doors: Sequence[Door]
    put: Callable[[Sequence[SocketRule]], None]


@contextmanager
def wildcard(why: str = "") -> Iterator[Listeners]:
    """Listeners on the wildcard address and free ports, which get what comes over the loopback interface only.

    Args:
        why: Why the wildcard address is used, in words.

    Raises:
        LabError: No port is free, or this system cannot keep a socket on loopback.
    """
    ports = Ports()
    kinds = [socket.SOCK_STREAM] * (1 + len(ports.api))
    sockets = bound_in_turn("0.0.0.0", 0, kinds, on_loopback=True)  # noqa: S104 - every address of a pool, and no machine else
    in_force: list[SocketRule] = []

    def put(rules: Sequence[SocketRule]) -> None:
        in_force[:] = rules

    def service_of(address: str, port: int) -> str | None:
        return service_for(in_force, address, port, _TCP)

    with ExitStack() as held:
        for one in sockets:
            held.enter_context(one).listen(_BACKLOG)
        web, *api = (one.getsockname()[1] for one in sockets)
        yield Listeners(
            f"wildcard sockets{f' ({why})' if why else ''}",
            Ports(web=web, api=range(api[0], api[-1] + 1)),
            [Door(one, service_of) for one in sockets],
            put,
        )


@contextmanager
def by_program(services: Iterable[str]) -> Iterator[Listeners]:
    """Listeners that get connections from a sk_lookup program, in a new network namespace of the calling thread.

    The thread stays in that namespace, so call this in a thread that ends soon.

    Raises:
        UnavailableError: It does not work here; the message says what is missing.
    """
    with ExitStack() as held:
        try:
            from attribution.testbed.lab.sockets.sk_lookup import SkLookup, compiled  # noqa: PLC0415 - what it needs is part of the question

            enter_new_namespace()
            program = compiled()
            lookup = held.enter_context(SkLookup(program))
            doors = []
            for service in services:
                # Where a socket is bound does not matter any more, and says so: no client ever connects there.
                (listener,) = bound_alike("127.0.0.1", 0, [socket.SOCK_STREAM])
                held.enter_context(listener).listen(_BACKLOG)
                lookup.listen(service, listener)
                doors.append(Door(listener, _always(service)))
        except (LabError, ImportError, OSError) as error:
            raise UnavailableError(f"no sk_lookup program here: {error}") from error
        yield Listeners(f"a sk_lookup program ({program.made_by})", Ports(), doors, lookup.put)


def _always(service: str) -> Callable[[str, int], str | None]:
    return lambda _address, _port: service
