"""DNS over UDP and TCP on one port: messages in, messages out, whoever answers them."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from attribution.lab.ports import bound_alike

#: From a message, the address that it came from and whether over TCP, to the answer; None where it deserves none.
Responder = Callable[[bytes, str, bool], Awaitable[bytes | None]]

_TCP_PATIENCE_S: Final = 5.0
_LENGTH: Final = struct.Struct("!H")


class DnsService:
    """Listens on one address, and asks the responder for each answer."""

    def __init__(self, respond: Responder) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.endpoint = ("", 0)

    async def start(self, address: str, port: int = 0) -> None:
        """Listen on this address; port 0 takes one that is free for both."""
        loop = asyncio.get_running_loop()
        udp, tcp = bound_alike(address, port, (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        self.endpoint = udp.getsockname()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._on_datagram), sock=udp)
        self._server = await asyncio.start_server(self._on_connection, sock=tcp)

    async def close(self) -> None:
        """Stop listening, and leave what is asked now without an answer."""
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_datagram(self, transport: asyncio.DatagramTransport, message: bytes, peer: tuple[str, int]) -> None:
        async def answer() -> None:
            response = await self._respond(message, peer[0], False)
            if response is not None and not transport.is_closing():
                transport.sendto(response, peer)

        self._run(answer())

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._run(self._converse(reader, writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        try:
            while True:
                async with asyncio.timeout(_TCP_PATIENCE_S):
                    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                    message = await reader.readexactly(length)
                response = await self._respond(message, client, True)
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

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[asyncio.DatagramTransport, bytes, tuple[str, int]], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._received(self._transport, data, addr)
