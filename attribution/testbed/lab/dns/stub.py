"""Asks a DNS server over UDP from a given address, again if no response comes, and over TCP if it is told to."""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

_PATIENCE_S: Final = 2.0
_TRIES: Final = 3
_PAYLOAD: Final = 1232

Endpoint = tuple[str, int]


class NoAnswerError(Exception):
    """The server did not answer, or its answer has no address."""


async def ask(
    hostname: str, server: Endpoint, *, source: str, options: Sequence[dns.edns.Option] = ()
) -> tuple[str, int]:
    """The address and the TTL of the server's answer for a name.

    Args:
        hostname: The name.
        server: Where to ask.
        source: The address to ask from.
        options: EDNS options of the query.

    Raises:
        NoAnswerError: There is no answer with an address.
    """
    query = dns.message.make_query(hostname, "A", use_edns=0, payload=_PAYLOAD, options=list(options))
    response = await exchange(query, server, source=source)
    for rrset in response.answer:
        if rrset.rdtype == dns.rdatatype.A:
            return rrset[0].address, rrset.ttl
    raise NoAnswerError(f"{hostname}: {dns.rcode.to_text(response.rcode())}")


async def exchange(query: dns.message.Message, server: Endpoint, *, source: str) -> dns.message.Message:
    """The response to a query.

    Raises:
        NoAnswerError: No response came.
    """
    for _ in range(_TRIES):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                response = await _over_udp(query, server, source)
                if response.flags & dns.flags.TC:
                    response = await _over_tcp(query, server, source)
                return response
        except (TimeoutError, OSError, asyncio.IncompleteReadError, dns.exception.DNSException):
            continue
    raise NoAnswerError(f"no answer from {server[0]} port {server[1]}")


async def _over_udp(query: dns.message.Message, server: Endpoint, source: str) -> dns.message.Message:
    answered: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    class Answers(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Endpoint) -> None:  # noqa: ARG002
            with suppress(dns.exception.DNSException):
                response = dns.message.from_wire(data)
                if query.is_response(response) and not answered.done():
                    answered.set_result(response)

        def error_received(self, exc: Exception) -> None:
            if not answered.done():
                answered.set_exception(exc)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Answers, local_addr=(source, 0), remote_addr=server
    )
    try:
        transport.sendto(query.to_wire())
        return await answered
    finally:
        transport.close()


async def _over_tcp(query: dns.message.Message, server: Endpoint, source: str) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(*server, local_addr=(source, 0))
    try:
        wire = query.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        response = dns.message.from_wire(await reader.readexactly(length))
        if not query.is_response(response):
            raise dns.query.BadResponse
        return response
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
