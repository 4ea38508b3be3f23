"""A caching resolver that many clients share: all of them get the same answer until its TTL is over."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_network

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from attribution.testbed.lab.dns.cache import Cache
from attribution.testbed.lab.dns.stub import Endpoint, NoAnswerError, ask

#: TTL of what is used although it is over (RFC 8767 recommends 30 s; runs of a lab are shorter).
STALE_TTL_S = 1


class CachingResolver:
    """Answers queries for addresses from its cache, and asks the upstream server if the cache has no answer."""

    def __init__(
        self,
        upstream: Endpoint,
        *,
        source: str,
        clock: Callable[[], int],
        client_prefix: str | None = None,
        overstay: float = 0.0,
    ) -> None:
        """Make a resolver that does not listen yet: its `respond` is given to a `DnsService`.

        Args:
            upstream: The server that is asked.
            source: The address that it is asked from.
            clock: The time, in microseconds.
            client_prefix: Prefix of the clients, if the queries are to say it (EDNS client subnet).
            overstay: How much longer than its TTL an answer is used, in seconds.
        """
        self._upstream, self._source, self._clock = upstream, source, clock
        self._cache: Cache[str] = Cache(overstay=overstay)
        self._asking: dict[str, asyncio.Task[tuple[str, int]]] = {}
        self._options: list[dns.edns.Option] = []
        if client_prefix is not None:
            network = ip_network(client_prefix)
            self._options = [dns.edns.ECSOption(str(network.network_address), network.prefixlen)]

    async def respond(self, message: bytes, client: str, over_tcp: bool) -> bytes | None:  # noqa: ARG002, FBT001 - a Responder
        """The answer to a message; None if the message is no query for an address of one name."""
        try:
            query = dns.message.from_wire(message)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.opcode() != dns.opcode.QUERY or query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        question = query.question[0]
        response = dns.message.make_response(query, recursion_available=True)
        try:
            address, ttl = await self._address(question.name.to_text(omit_final_dot=True).lower())
        except NoAnswerError:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            if question.rdtype == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(question.name, ttl, "IN", "A", address))
        return response.to_wire()

    async def close(self) -> None:
        """End the queries that are under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _address(self, hostname: str) -> tuple[str, int]:
        now = self._clock()
        kept = self._cache.get(hostname, now)
        if kept is not None:
            # Whole seconds, rounded down: a client must not use an answer for longer than the resolver may.
            return kept, int(self._cache.left(hostname, now)) or STALE_TTL_S
        if hostname not in self._asking:
            asking = ask(hostname, self._upstream, source=self._source, options=self._options)
            self._asking[hostname] = asyncio.get_running_loop().create_task(asking)
        try:
            # One client that goes away must not take the answer from the others.
            address, ttl = await asyncio.shield(self._asking[hostname])
        finally:
            self._asking.pop(hostname, None)
        self._cache.put(hostname, address, ttl=ttl, time=now)
        return address, ttl
