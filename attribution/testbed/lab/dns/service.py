"""DNS over UDP and TCP on one port: it reads messages, gives them to a responder, and sends the responses."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from attribution.testbed.lab.sockets.acceptor import Acceptor, Endpoint
from attribution.testbed.lab.sockets.ports import bound_alike

#: From a message, the address that it came from and whether over TCP, to the answer; None where it deserves none.
Responder = Callable[[bytes, str, bool], Awaitable[bytes | None]]

_TCP_PATIENCE_S: Final = 5.0
_BACKLOG: Final = 1024
_LENGTH: Final = struct.Struct("!H")


class DnsService:
    """Listens on one address, and asks the responder for the answer to each message."""

    def __init__(self, respond: Responder) -> None:
        self._respond = respond
        self._acceptor = Acceptor()
        self._transport: asyncio.DatagramTransport | None = None
        self._sockets: list[socket.socket] = []
        self.endpoint = ("", 0)

    async def start(self, address: str, port: int = 0) -> None:
        """Listen on this address; port 0 takes one that is free for both."""
        udp, listener = self._sockets = bound_alike(address, port, (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        self.endpoint = udp.getsockname()
        listener.listen(_BACKLOG)
        self._acceptor.accept_on(listener, self._converse)
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self._on_datagram), sock=udp
        )

    async def close(self) -> None:
        """Stop listening, even during the start. Queries that are under way get no answer."""
        await self._acceptor.close()
        if self._transport is not None:
            self._transport.close()
        for one in self._sockets:
            one.close()

    def _on_datagram(self, transport: asyncio.DatagramTransport, message: bytes, peer: Endpoint) -> None:
        async def answer() -> None:
            response = await self._respond(message, peer[0], False)
            if response is not None and not transport.is_closing():
                transport.sendto(response, peer)

        self._acceptor.run(answer())

    async def _converse(self, accepted: socket.socket, remote: Endpoint) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        try:
            while True:
                async with asyncio.timeout(_TCP_PATIENCE_S):
                    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                    message = await reader.readexactly(length)
                response = await self._respond(message, remote[0], True)
                if response is None:
                    break
                writer.write(_LENGTH.pack(len(response)) + response)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass  # cut off, or gone: there is nobody to tell
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[asyncio.DatagramTransport, bytes, Endpoint], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Endpoint) -> None:
        if self._transport is not None:
            self._received(self._transport, data, addr)
