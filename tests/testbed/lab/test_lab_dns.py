"""The lab's DNS on real sockets: answers by policy, all that can be wrong with a query, a resolver that is shared."""

import asyncio
import random
import socket
import struct
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from attribution.config import SECOND
from attribution.testbed.lab.dns.names import catalogue
from attribution.testbed.lab.dns.policies import Policy, PolicyEngine
from attribution.testbed.lab.dns.resolver import CachingResolver
from attribution.testbed.lab.dns.server import AuthoritativeServer
from attribution.testbed.lab.dns.service import DnsService
from attribution.testbed.lab.dns.stub import NoAnswerError, ask, exchange

NAMES = catalogue(20, random.Random(1))
HOST = NAMES[0].hostname
POOL = "127.64.0.0/24"
CLIENT = "127.128.0.9"


class Clock:
    """Time that stands until it is moved."""

    def __init__(self):
        self.now = 1_000 * SECOND

    def __call__(self):
        return self.now


def authority(clock, **options):
    engine = PolicyEngine([Policy(policy="lon", pool="p", prefix=POOL, match=(("data_centre", "lon"),), ttl=30.0)])
    return AuthoritativeServer(NAMES, engine, data_centre="lon", clock=clock, rng=random.Random(1), **options)


@asynccontextmanager
async def served(respond, address="127.53.0.1"):
    service = DnsService(respond)
    await service.start(address)
    try:
        yield service.endpoint
    finally:
        await service.close()


def with_server(work, **options):
    clock = Clock()
    server = authority(clock, **options)

    async def run():
        async with served(server.respond) as endpoint:
            return await work(endpoint)

    return asyncio.run(run()), server


def asked(*queries, **options):
    async def work(endpoint):
        return [await exchange(query, endpoint, source=CLIENT) for query in queries]

    return with_server(work, **options)


def test_each_query_is_told_an_address_of_the_pool_and_it_is_on_record():
    responses, server = asked(*(dns.message.make_query(HOST, "A") for _ in range(30)))
    addresses = [response.answer[0][0].address for response in responses]
    assert len(set(addresses)) > 20
    assert all(ip_address(address) in ip_network(POOL) for address in addresses)
    assert all(response.flags & dns.flags.AA and response.answer[0].ttl == 30 for response in responses)
    assert [(one.client_address, one.hostname, one.ttl, one.time) for one in server.told] == 30 * [
        (CLIENT, HOST, 30.0, 1_000 * SECOND)
    ]
    assert [one.server_address for one in server.told] == addresses
    assert server.outcomes == {"answered": 30}


def test_a_name_is_asked_for_in_any_case_and_answered_in_the_same():
    (response,), server = asked(dns.message.make_query(HOST.upper(), "A"))
    assert response.answer[0].name.to_text(omit_final_dot=True) == HOST.upper()
    assert server.told[0].hostname == HOST


@pytest.mark.parametrize(
    ("query", "rcode", "outcome"),
    [
        (dns.message.make_query("nobody.free.example", "A"), "NXDOMAIN", "no_name"),
        (dns.message.make_query("free.example", "A"), "NOERROR", "no_data"),
        (dns.message.make_query(HOST, "AAAA"), "NOERROR", "no_data"),
        (dns.message.make_query("elsewhere.test", "A"), "REFUSED", "refused"),
        (dns.message.make_query(HOST, "A", rdclass="CH"), "REFUSED", "refused"),
        (dns.message.make_query(HOST, "A", use_edns=1), "BADVERS", "refused"),
    ],
)  # fmt: skip
def test_what_has_no_address_is_told_so_and_is_no_binding(query, rcode, outcome):
    (response,), server = asked(query)
    assert dns.rcode.to_text(response.rcode()) == rcode
    assert not response.answer
    assert bool(response.authority) == (outcome.startswith("no_"))
    assert server.outcomes == {outcome: 1}
    assert server.told == []


def test_who_is_told_to_come_over_tcp_does_and_only_that_is_a_binding():
    (response,), server = asked(dns.message.make_query(HOST, "A"), truncated_share=1.0)
    assert response.answer
    assert server.outcomes == {"truncated": 1, "answered": 1}
    assert [one.server_address for one in server.told] == [response.answer[0][0].address]


def test_a_resolver_may_say_for_whom_it_asks():
    option = dns.edns.ECSOption("127.129.0.0", 16)
    (response,), server = asked(dns.message.make_query(HOST, "A", use_edns=0, options=[option]))
    assert server.told[0].client_prefix == "127.129.0.0/16"
    (said,) = response.options
    assert (said.address, said.srclen, said.scopelen) == ("127.129.0.0", 16, 16)


def wire(**changes):
    """A query for an address, changed."""
    query = dns.message.make_query(HOST, "A")
    for name, value in changes.items():
        getattr(query, name)(value)
    return query.to_wire()


TWO_QUESTIONS = struct.pack("!HHHHHH", 7, 0, 2, 0, 0, 0) + 2 * (b"\x01a\x07example\x00" + b"\x00\x01\x00\x01")


@pytest.mark.parametrize(
    ("message", "rcode"),
    [
        (b"", None),
        (b"\x00\x07", None),
        (random.Random(1).randbytes(11), None),
        (wire()[:2] + b"\x80\x00" + wire()[4:], None),  # a response
        (wire()[:20], dns.rcode.FORMERR),  # cut off
        (wire()[:-1], dns.rcode.FORMERR),
        (wire() + b"more", dns.rcode.FORMERR),
        (wire()[:12] + b"\xc0\x0c" + wire()[14:], dns.rcode.FORMERR),  # a name that points at itself
        (TWO_QUESTIONS, dns.rcode.FORMERR),
        (struct.pack("!HHHHHH", 7, 0, 0, 0, 0, 0), dns.rcode.FORMERR),
        (wire(set_opcode=dns.opcode.UPDATE), dns.rcode.NOTIMP),
        (wire(set_opcode=dns.opcode.NOTIFY), dns.rcode.NOTIMP),
    ],
    ids=[
        "nothing",
        "two bytes",
        "no header",
        "a response",
        "cut in the name",
        "cut at the end",
        "more than a query",
        "a name that points at itself",
        "two questions",
        "no question",
        "an update",
        "a notify",
    ],  # queries have random numbers, and test runs in parallel must agree on names
)
def test_garbage_is_dropped_or_refused_and_the_server_goes_on(message, rcode):
    async def work(endpoint):
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.bind((CLIENT, 0))
            client.connect(endpoint)
            client.send(message)
            # What comes first after this is the answer to the message, if it has one.
            client.send(wire())
            return await asyncio.wait_for(loop.sock_recv(client, 4096), 5)

    first, server = with_server(work)
    assert (first[3] & 15 if len(first) == 12 else None) == rcode
    if rcode is not None:
        assert first[:2] == message[:2]
        assert first[2] & 0x80
    assert len(server.told) == server.outcomes["answered"] == 1
    assert server.outcomes.total() == 2


def test_tcp_carries_several_queries_and_a_client_that_leaves_in_the_middle_harms_nobody():
    async def work(endpoint):
        _, cut = await asyncio.open_connection(*endpoint)
        cut.write(b"\x00\x40only a part")
        cut.close()
        await cut.wait_closed()
        reader, writer = await asyncio.open_connection(*endpoint)
        query = wire()
        writer.write(2 * (struct.pack("!H", len(query)) + query))
        responses = []
        for _ in range(2):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            responses.append(dns.message.from_wire(await reader.readexactly(length)))
        writer.write(b"\x00\x00")  # an empty message ends it
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        return responses

    responses, server = with_server(work)
    assert all(response.answer for response in responses)
    assert server.outcomes == {"answered": 2, "dropped": 1}


def test_who_gets_no_address_is_told_why():
    async def work(endpoint):
        with pytest.raises(NoAnswerError, match="NXDOMAIN"):
            await ask("nobody.free.example", endpoint, source=CLIENT)

    with_server(work)


def resolved(work, **options):
    """What `work` returns of the endpoint of a resolver, the clock, and the server that it asks."""
    clock = Clock()
    server = authority(clock)

    async def run():
        async with served(server.respond) as upstream:
            resolver = CachingResolver(upstream, source="127.130.255.53", clock=clock, **options)
            async with served(resolver.respond, "127.130.255.53") as endpoint:
                result = await work(endpoint, clock)
            await resolver.close()
            return result

    return asyncio.run(run()), server


def test_a_resolver_tells_all_clients_what_it_was_told_with_what_is_left_of_the_ttl():
    async def work(endpoint, clock):
        said = [await ask(HOST, endpoint, source="127.130.0.1")]
        for _ in range(2):
            clock.now += 20 * SECOND
            said.append(await ask(HOST, endpoint, source="127.130.0.2"))
        return said

    (first, second, third), server = resolved(work)
    assert first[0] == second[0]
    assert [ttl for _, ttl in (first, second, third)] == [30, 10, 30]
    assert [(one.client_address, one.client_prefix) for one in server.told] == 2 * [("127.130.255.53", None)]


def test_many_who_ask_at_once_are_one_question():
    async def work(endpoint, _clock):
        return await asyncio.gather(*(ask(HOST, endpoint, source=f"127.130.0.{n}") for n in range(1, 9)))

    said, server = resolved(work)
    assert len(set(said)) == 1
    assert len(server.told) == 1


def test_a_careless_resolver_uses_an_answer_for_longer_and_one_that_says_for_whom_is_on_record_so():
    async def work(endpoint, clock):
        first = await ask(HOST, endpoint, source="127.130.0.1")
        clock.now += 35 * SECOND
        return first, await ask(HOST, endpoint, source="127.130.0.1")

    (first, second), server = resolved(work, overstay=10.0, client_prefix="127.130.0.0/16")
    assert (second[0], second[1]) == (first[0], 1)
    assert [one.client_prefix for one in server.told] == ["127.130.0.0/16"]


def test_a_resolver_says_that_it_has_no_answer():
    async def work(endpoint, _clock):
        with pytest.raises(NoAnswerError, match="SERVFAIL"):
            await ask("nobody.free.example", endpoint, source=CLIENT)

    resolved(work)
