"""The clients: each has an address of its own, visits sites as a browser does, and reuses connections."""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from attribution.config import SECOND
from attribution.testbed.lab.dns.cache import Cache
from attribution.testbed.lab.dns.names import Name, Popularity
from attribution.testbed.lab.dns.stub import NoAnswerError, ask
from attribution.testbed.lab.journal import Connection, Endpoint, Journal
from attribution.testbed.lab.scenarios import Ports, Scenario
from attribution.testbed.lab.web.certificates import covers

_PATIENCE_S: Final = 15.0
#: As many connections as a client keeps open; the one that was used longest ago goes first.
_MOST_OPEN: Final = 16


@dataclass(kw_only=True)
class _Open:
    """A connection that may be used again, and the names that its certificate covers."""

    record: Connection
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    certificate: dict[str, Any]

    def serves(self, hostname: str, remote: Endpoint) -> bool:
        """Whether a request for this name may use the connection, if the name is at that endpoint (RFC 9113, 9.1.1)."""
        usable = not self.writer.is_closing() and not self.reader.at_eof()
        return usable and self.record.remote == remote and covers(self.certificate, hostname)


@dataclass(kw_only=True)
class Client:
    """One client.

    Attributes:
        address: address of the client.
        server: the DNS server that it asks: an authoritative server, or a resolver.
        scenario: parameters of its behaviour.
        ports: the ports of services.
        popularity: draws the names that it visits.
        context: its TLS context.
        journal: the record of its connections and failures.
        clock: the time, in microseconds.
        rng: the source of its random choices.
        overstay: how much longer than their TTL it uses answers, in seconds.
    """

    address: str
    server: Endpoint
    scenario: Scenario
    ports: Ports
    popularity: Popularity
    context: ssl.SSLContext
    journal: Journal
    clock: Callable[[], int]
    rng: random.Random
    overstay: float = 0.0
    _told: Cache[str] = field(init=False)
    _open: list[_Open] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._told = Cache(overstay=self.overstay)

    async def run(self, until: int) -> None:
        """Visit sites until that time, then close all connections."""
        try:
            await asyncio.sleep(self.rng.random() * self.scenario.pause)
            while self.clock() < until:
                for _ in range(1 + self.rng.randint(0, self.scenario.page)):
                    await self._request(self.popularity.draw(self.rng))
                await self._close_idle()
                pause = self.rng.expovariate(1 / self.scenario.pause)
                await asyncio.sleep(max(0.0, min(pause, (until - self.clock()) / SECOND)))
        finally:
            while self._open:
                await self._close(self._open[0])

    async def _request(self, name: Name) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                remote = await self._address_of(name.hostname), self.ports.of(name, self.rng)
                one = next((one for one in self._open if one.serves(name.hostname, remote)), None)
                await self._get(name.hostname, one or await self._connect(name.hostname, remote))
        except (NoAnswerError, OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.journal.failures[type(error).__name__] += 1

    async def _address_of(self, hostname: str) -> str:
        now = self.clock()
        kept = self._told.get(hostname, now)
        if kept is None:
            kept, ttl = await ask(hostname, self.server, source=self.address)
            # From when it was asked: a moment too early, where the moment of the answer could be one too late.
            self._told.put(hostname, kept, ttl=ttl, time=now)
        return kept

    async def _connect(self, hostname: str, remote: Endpoint) -> _Open:
        start = self.clock()
        reader, writer = await asyncio.open_connection(
            *remote, local_addr=(self.address, 0), ssl=self.context, server_hostname=hostname
        )
        record = Connection(
            start=start, end=start, local=writer.get_extra_info("sockname"), remote=remote, hostname=hostname
        )
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        made = _Open(record=record, reader=reader, writer=writer, certificate=certificate)
        self._open.append(made)
        self.journal.departures.append(record)
        return made

    async def _get(self, hostname: str, one: _Open) -> None:
        self._open.remove(one)
        self._open.append(one)  # used last, closed last
        request = f"GET / HTTP/1.1\r\nHost: {hostname}\r\n\r\n".encode()
        one.writer.write(request)
        one.record.bytes_sent += len(request)
        head = await one.reader.readuntil(b"\r\n\r\n")
        status, length = head.split(b" ", 2)[1], int(head.lower().partition(b"content-length:")[2].split(b"\r")[0])
        body = await one.reader.readexactly(length)
        one.record.bytes_received += len(head) + len(body)
        one.record.end = self.clock()
        if status == b"200":
            one.record.requested.append(hostname)
        else:
            self.journal.failures[f"status {status.decode()}"] += 1

    async def _close_idle(self) -> None:
        oldest = self.clock() - round(self.scenario.idle * SECOND)
        for number, one in enumerate(list(reversed(self._open))):
            if number >= _MOST_OPEN or one.record.end < oldest or one.writer.is_closing():
                await self._close(one)

    async def _close(self, one: _Open) -> None:
        self._open.remove(one)
        one.writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            await one.writer.wait_closed()
        one.record.end = self.clock()
