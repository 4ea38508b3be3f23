"""Amazon Route 53 Resolver query logs: what the instances of a VPC were told, as JSON lines.

The log has no TTL: an answer counts for `name_stretch` only, so make that as long as the TTLs of the names in question.
It has no line for what the resolver answers from its cache, so it does not hold all answers that a client was given.
None of its clients can therefore be of `named_prefixes`. The time is that of the query, in whole seconds.

A name is the one that was asked for, whatever aliases lie between. What Resolver DNS Firewall answered in place of the
name's own addresses is taken as well: the client was told so.

The network is the VPC in which the query was asked (`vpc_id`).

Source: "Values that appear in VPC Resolver query logs" and "Resolver query logging" in the Amazon Route 53 Developer
Guide.
"""

from collections.abc import Iterator

from attribution.sources.formats.dns.answers import ADDRESSES, NO_ADDRESSES, Answer, name_bindings, needed
from attribution.sources.json.lines import first_object
from attribution.sources.records.json_values import JsonObject, text_at
from attribution.sources.records.model import Account, Block, Format, Input

_TELLING = ("query_name", "query_type", "query_timestamp", "srcaddr", "rcode")


#: Why a sound row carries no record.
_SKIPS = {
    "dns_error": "A DNS query that failed.",
    **NO_ADDRESSES,
}


class Route53Resolver(Format):
    """Query logs of Amazon Route 53 Resolver."""

    name = "route53_resolver"
    how_to = "dns-logs"
    skips = _SKIPS

    def matches(self, head: bytes) -> bool:
        """Whether the first line is an entry of the log."""
        found = first_object(head)
        return found is not None and all(field in found for field in _TELLING)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Name bindings of the answers."""
        yield from name_bindings(data, account, _answer)


def _answer(entry: JsonObject) -> Answer | str:
    if needed(entry, "rcode") != "NOERROR":
        return "dns_error"
    if needed(entry, "query_type") not in ADDRESSES:
        return "no_address_query"
    answers = entry.get("answers") or []
    if not isinstance(answers, list):
        raise TypeError("the answers are no list")
    found = [needed(answer, "Rdata") for answer in answers if needed(answer, "Type") in ADDRESSES]
    if not found:
        return "no_answer"
    client, name, time = (needed(entry, key) for key in ("srcaddr", "query_name", "query_timestamp"))
    return Answer(client, None, name, time, [(address, None) for address in found], text_at(entry, "vpc_id"))


FORMATS: tuple[Format, ...] = (Route53Resolver(),)
