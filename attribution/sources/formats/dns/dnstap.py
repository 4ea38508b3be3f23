"""dnstap: the answers that clients were given, as `dnstap -j` prints them.

dnstap is what BIND, Unbound, Knot, PowerDNS, CoreDNS and others log; its binary files and sockets are turned into JSON
lines with golang-dnstap's command: `dnstap -r FILE -j`, `dnstap -u SOCKET -j`.

| message | read as |
|---|---|
| `CLIENT_RESPONSE`, `STUB_RESPONSE` | what the client, who is the `query_address`, was told |
| `AUTH_RESPONSE` | what the resolver that asked an authoritative server was told |
| others | skipped: questions, and what a resolver was told for its own cache |

The name is the one that was asked for, whatever aliases lie between; an address counts for the smallest TTL on the way
to it. An EDNS client subnet says for whom a resolver asked: the addresses of the subnet that was sent, or of a wider
one that the answer says it is for. An answer for everybody (scope 0) counts for the subnet that was sent, since nobody
else is known to have been given it. The setting `shared_resolvers` names the resolver's other clients.

Sources: `dnstap.proto` (dnstap.info); `JsonFormat.go` of github.com/dnstap/golang-dnstap for the fields, and the text
form of messages of github.com/miekg/dns, which it prints; RFC 7871 for client subnets.
"""

import ipaddress
import re
from collections.abc import Iterator

from attribution.sources.formats.dns.answers import ADDRESSES, NO_ADDRESSES, Answer, name_bindings, needed
from attribution.sources.json.lines import first_object
from attribution.sources.records.json_values import JsonObject, text_at
from attribution.sources.records.model import Account, Block, Format, Input

_TO_CLIENTS = ("CLIENT_RESPONSE", "STUB_RESPONSE", "AUTH_RESPONSE")
_ALIASES = ("CNAME", "DNAME")
_STATUS = re.compile(r"^;; .*\bstatus: (\w+)", re.MULTILINE)
_QUESTION = re.compile(r"^;; QUESTION SECTION:\n;(\S+)\s+\S+\s+(\S+)", re.MULTILINE)
_ANSWERS = re.compile(r"^;; ANSWER SECTION:\n(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_SUBNET = re.compile(r"^; SUBNET: \[?([0-9A-Fa-f.:]+)\]?/(\d+)/(\d+)", re.MULTILINE)


#: Why a sound row carries no record.
_SKIPS = {
    "other_message": "A query, or what a resolver was told for its own cache.",
    "no_message": "An answer without its text: the server does not log it.",
    "dns_error": "A DNS query that failed.",
    **NO_ADDRESSES,
}


class Dnstap(Format):
    """dnstap messages as JSON lines."""

    name = "dnstap"
    how_to = "dns-logs"
    skips = _SKIPS

    def matches(self, head: bytes) -> bool:
        """Whether the first line is a dnstap message."""
        found = first_object(head)
        if found is None or found.get("type") != "MESSAGE":
            return False
        message = found.get("message")
        return isinstance(message, dict) and "type" in message and "socket_protocol" in message

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Name bindings of the answers that clients were given."""
        yield from name_bindings(data, account, _answer)


def _answer(entry: JsonObject) -> Answer | str:
    message = entry["message"]
    if not isinstance(message, dict):
        raise TypeError("the message is no object")
    if needed(message, "type") not in _TO_CLIENTS:
        return "other_message"
    text = message.get("response_message")
    if not text:
        return "no_message"
    if not isinstance(text, str):
        raise TypeError("the message is no text")
    status, question = _STATUS.search(text), _QUESTION.search(text)
    if status is None or question is None:
        raise ValueError("no DNS message as text")
    if status[1] != "NOERROR":
        return "dns_error"
    if question[2] not in ADDRESSES:
        return "no_address_query"
    addresses = _addresses(text)
    if not addresses:
        return "no_answer"
    return Answer(
        client=needed(message, "query_address"),
        client_prefix=_subnet(text) or _subnet(text_at(message, "query_message") or ""),
        hostname=question[1],
        time=text_at(message, "response_time") or needed(message, "query_time"),
        addresses=addresses,
    )


def _addresses(text: str) -> list[tuple[str, float | None]]:
    """Every address of the answer section, for the smallest TTL of its own and of the aliases."""
    section = _ANSWERS.search(text)
    if section is None:
        return []
    records = [line.split(None, 4) for line in section[1].splitlines()]
    ttls = [int(record[1]) for record in records if record[3] in _ALIASES]
    return [(record[4], float(min([int(record[1]), *ttls]))) for record in records if record[3] in ADDRESSES]


def _subnet(text: str) -> str | None:
    """The clients for whom the answer was asked, as a prefix; None where the message does not say."""
    found = _SUBNET.search(text)
    if found is None or not int(found[2]):
        return None
    source, scope = int(found[2]), int(found[3])
    length = min(source, scope) if scope else source
    return str(ipaddress.ip_network(f"{found[1]}/{length}", strict=False))


FORMATS: tuple[Format, ...] = (Dnstap(),)
