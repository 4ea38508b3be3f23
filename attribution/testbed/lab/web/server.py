"""The HTTPS servers: each connection gets TLS by its SNI, and answers to its requests until the client leaves."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from attribution.testbed.lab.journal import Connection, Journal
from attribution.testbed.lab.sockets.acceptor import Acceptor, Endpoint, Work
from attribution.testbed.lab.sockets.listeners import Door, Listeners
from attribution.testbed.lab.web.certificates import Certificates

_HANDSHAKE_S: Final = 10.0
_SILENCE_S: Final = 60.0
_BODY: Final = 600
#: Closes with a reset: nobody is here for that.
_RESET: Final = struct.pack("ii", 1, 0)


class WebServers:
    """All services behind one set of listeners."""

    def __init__(
        self, listeners: Listeners, certificates: Certificates, journal: Journal, *, clock: Callable[[], int]
    ) -> None:
        self._doors, self._journal, self._clock = listeners.doors, journal, clock
        self._names: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
        self._certificates, self._context = certificates, certificates.server_context(self._names.__setitem__)
        self._acceptor = Acceptor()

    def start(self) -> None:
        """Accept from now on."""
        for door in self._doors:
            self._acceptor.accept_on(door.socket, partial(self._accepted, door))

    async def close(self) -> None:
        """Accept no more, and drop the open connections."""
        await self._acceptor.close()

    def _accepted(self, door: Door, accepted: socket.socket, remote: Endpoint) -> Work | None:
        now, local = self._clock(), accepted.getsockname()
        service = door.service_of(*local)
        if service is None:
            self._journal.refused += 1
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            accepted.close()
            return None
        connection = Connection(start=now, end=now, local=local, remote=remote, service=service)
        self._journal.arrivals.append(connection)
        return self._serve(accepted, connection)

    async def _serve(self, accepted: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._context, ssl_handshake_timeout=_HANDSHAKE_S
            )
        except (OSError, ssl.SSLError):
            connection.end = self._clock()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        secured = transport.get_extra_info("ssl_object")
        connection.hostname = self._names.get(secured)
        try:
            async with asyncio.timeout(_SILENCE_S) as silence:
                while await self._answer(reader, writer, connection):
                    silence.reschedule(loop.time() + _SILENCE_S)
        except (TimeoutError, ConnectionError, ssl.SSLError, asyncio.LimitOverrunError):
            pass  # the client is gone, or as good as gone; what it did is on record
        finally:
            connection.end = self._clock()
            writer.close()
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection) -> bool:
        """Answer one request; returns whether another one may follow."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        connection.bytes_received += len(head)
        host = _host(head)
        if host is None:
            status = "400 Bad Request"
        elif connection.hostname is None or not self._certificates.together(connection.hostname, host):
            status = "421 Misdirected Request"
        else:
            status = "200 OK"
            connection.requested.append(host)
        body = f"{connection.service}\n{host}\n".ljust(_BODY).encode()
        response = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain\r\n\r\n".encode() + body
        )
        writer.write(response)
        await writer.drain()
        connection.bytes_sent += len(response)
        return host is not None


def _host(head: bytes) -> str | None:
    """The host of a GET request; None if it is no GET request."""
    first, *lines = head.decode("latin-1").split("\r\n")
    if not (first.startswith("GET /") and first.endswith(" HTTP/1.1")):
        return None
    hosts = [
        value.strip().lower() for key, _, value in (line.partition(":") for line in lines) if key.lower() == "host"
    ]
    return hosts[0] if len(hosts) == 1 else None
