"""The authoritative DNS server: it answers each query by policy with a random address, and logs its answers."""

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from attribution.testbed.lab.dns.names import Name
from attribution.testbed.lab.dns.policies import PolicyEngine

_HEADER_BYTES: Final = 12
_RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
#: What a datagram may hold where the query does not say (RFC 1035).
_PLAIN_UDP_BYTES: Final = 512
_NEGATIVE_TTL_S: Final = 30


@dataclass(frozen=True)
class Binding:
    """One answer of the server: the fields of a name binding, and the policy that gave the address."""

    client_address: str
    client_prefix: str | None
    server_address: str
    hostname: str
    time: int
    ttl: float
    policy: str


class AuthoritativeServer:
    """Answers queries about the names that it has, as the policies of one data centre say.

    Attributes:
        told: all answers with an address, in order.
        outcomes: number of queries by outcome.
    """

    def __init__(
        self,
        names: Iterable[Name],
        engine: PolicyEngine,
        *,
        data_centre: str,
        clock: Callable[[], int],
        rng: random.Random,
        truncated_share: float = 0.0,
    ) -> None:
        """Make a server that does not listen yet: its `respond` is given to a `DnsService`.

        Args:
            names: All names; any other name in their zones does not exist.
            engine: The policies.
            data_centre: The data centre of the server, which policies may match.
            clock: The time, in microseconds.
            rng: The source of random addresses.
            truncated_share: Share of the queries over UDP that are told to come over TCP, as under rate limiting.
        """
        self._names = {name.hostname: name for name in names}
        self._zones = {name.zone for name in self._names.values()}
        self._engine, self._data_centre = engine, data_centre
        self._clock, self._rng, self._truncated_share = clock, rng, truncated_share
        self.told: list[Binding] = []
        self.outcomes: Counter[str] = Counter()

    async def respond(self, message: bytes, client: str, over_tcp: bool) -> bytes | None:  # noqa: FBT001 - a Responder
        """The answer to a message from this address; None if there should be no answer.

        A message that is no query gets no answer. Otherwise somebody could make two servers answer each other for ever.
        """
        if len(message) < _HEADER_BYTES or message[2] & _RESPONSE >> 8:
            return self._count("dropped", None)
        if message[2] & _OPCODE >> 8:  # before it is read: what else there is has a form of its own
            return self._count("not_implemented", _bare(message, dns.rcode.NOTIMP))
        try:
            query = dns.message.from_wire(message)
        except (dns.exception.DNSException, ValueError):
            return self._count("malformed", _bare(message, dns.rcode.FORMERR))
        if len(query.question) != 1:
            return self._count("malformed", _bare(message, dns.rcode.FORMERR))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        outcome, binding = self._fill(query, response, client)
        if not over_tcp and self._rng.random() < self._truncated_share:
            response.answer, outcome, binding = [], "truncated", None
            response.flags |= dns.flags.TC
        room = 65_535 if over_tcp else max(query.payload if query.edns >= 0 else 0, _PLAIN_UDP_BYTES)
        wire = response.to_wire(max_size=room, prefer_truncation=True)
        if binding is not None:
            self.told.append(binding)
        return self._count(outcome, wire)

    def _fill(
        self, query: dns.message.Message, response: dns.message.Message, client: str
    ) -> tuple[str, Binding | None]:
        question = query.question[0]
        hostname = question.name.to_text(omit_final_dot=True).lower()
        zone = hostname if hostname in self._zones else hostname.partition(".")[2]
        if query.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
            return "refused", None
        if question.rdclass != dns.rdataclass.IN or zone not in self._zones:
            response.set_rcode(dns.rcode.REFUSED)
            return "refused", None
        if hostname not in self._names:
            response.authority.append(_authority(zone))
            if hostname == zone:
                return "no_data", None
            response.set_rcode(dns.rcode.NXDOMAIN)
            return "no_name", None
        prefix = _client_subnet(query, response)
        now = self._clock()
        place = (("data_centre", self._data_centre),)
        answer = self._engine.answer(tuple(sorted(self._names[hostname].attributes + place)), now, self._rng)
        if question.rdtype not in {dns.rdatatype.A, dns.rdatatype.ANY} or answer is None:
            response.authority.append(_authority(zone))
            return "no_data", None
        response.answer.append(dns.rrset.from_text(question.name, round(answer.ttl), "IN", "A", answer.address))
        return "answered", Binding(
            client, prefix, answer.address, hostname, now, float(round(answer.ttl)), answer.policy
        )

    def _count(self, outcome: str, wire: bytes | None) -> bytes | None:
        self.outcomes[outcome] += 1
        return wire


def _client_subnet(query: dns.message.Message, response: dns.message.Message) -> str | None:
    """The prefix for which a resolver asks, if its query says one (RFC 7871). The response then repeats it."""
    for option in query.options:
        if isinstance(option, dns.edns.ECSOption):
            response.use_edns(0, options=[dns.edns.ECSOption(option.address, option.srclen, option.srclen)])
            return str(ip_network(f"{option.address}/{option.srclen}", strict=False))
    return None


def _authority(zone: str) -> dns.rrset.RRset:
    soa = f"ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 {_NEGATIVE_TTL_S}"
    return dns.rrset.from_text(f"{zone}.", _NEGATIVE_TTL_S, "IN", "SOA", soa)


def _bare(message: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A response that is a header alone, for a message that cannot be read."""
    number, flags = struct.unpack_from("!HH", message)
    return struct.pack("!HHHHHH", number, _RESPONSE | flags & _OPCODE | rcode, 0, 0, 0, 0)
