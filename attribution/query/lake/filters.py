"""Which flows a question is about, checked before anything is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from attribution.core.reasons import METHODS, REASONS
from attribution.errors import QueryError

#: IANA protocol numbers that have a name here; every other is written as its number.
PROTOCOLS: dict[str, int] = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ospf": 89,
    "sctp": 132,
    "udplite": 136,
}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

_LARGEST_PORT = 65535
_LARGEST_PROTOCOL = 255


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Conditions that a flow must meet: all of them, each by any one of its values; an empty one holds for every flow.

    Attributes:
        services: names of services (of workloads that have none), of either end; `*` and `?` stand for any text and any
            one character.
        ports: the server's port where the flow is directed, either end's port otherwise.
        protocols: IANA protocols, by name or number.
        regions: regions in which the flow was logged, with `*` and `?`.
        data_centres: the same of data centres.
        methods: where the answer for either end came from.
        reasons: why either end was attributed so, or was not.

    Raises:
        QueryError: a value cannot hold for any flow.
    """

    services: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protocols: tuple[str | int, ...] = ()
    regions: tuple[str, ...] = ()
    data_centres: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for port in self.ports:
            if not 0 <= port <= _LARGEST_PORT:
                raise QueryError(f"cannot filter by port {port}: ports are 0 to {_LARGEST_PORT}")
        for protocol in self.protocols:
            protocol_number(protocol)
        _check_known("method", self.methods, METHODS)
        _check_known("reason", self.reasons, REASONS)

    def parameters(self) -> dict[str, Any]:
        """The filters as the parameters that `sql/filtered.sql` binds; None where a filter is empty."""
        return {
            "services": pattern(self.services),
            "ports": list(self.ports) or None,
            "protocols": [protocol_number(protocol) for protocol in self.protocols] or None,
            "regions": pattern(self.regions),
            "data_centres": pattern(self.data_centres),
            "methods": list(self.methods) or None,
            "reasons": list(self.reasons) or None,
        }


def protocol_number(protocol: str | int) -> int:
    """The IANA number of a protocol's name or number.

    Raises:
        QueryError: it is neither a name of `PROTOCOLS` nor a number from 0 to 255.
    """
    text = str(protocol).strip().lower()
    number = PROTOCOLS.get(text, int(text) if text.isascii() and text.isdigit() else -1)
    if not 0 <= number <= _LARGEST_PROTOCOL:
        raise QueryError(
            f"cannot filter by protocol {protocol!r}: write a number from 0 to {_LARGEST_PROTOCOL} "
            f"or one of {', '.join(PROTOCOLS)}"
        )
    return number


def protocol_name(number: int | None) -> str | None:
    """The name of a protocol number, or the number as text where it has none here; None stays None."""
    return None if number is None else _PROTOCOL_NAMES.get(number, str(number))


def port_name(port: int | None, protocol: int | None, last_port: int | None = None) -> str | None:
    """A port as a person reads it, `443/tcp`, or a range of them; None without a port.

    It stands without a slash where its protocol is not known.
    """
    if port is None:
        return None
    ports = str(port) if last_port is None else f"{port}-{last_port}"
    return ports if protocol is None else f"{ports}/{protocol_name(protocol)}"


def _check_known(what: str, values: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for value in values:
        if value not in names:
            raise QueryError(f"cannot filter by {what} {value!r}: the {what}s are {', '.join(names)}")


def pattern(globs: tuple[str, ...]) -> str | None:
    """One regular expression (RE2) that matches what any of the globs does."""
    if not globs:
        return None
    return "(?s)" + "|".join("(?:" + "".join(_wildcard(character) for character in glob) + ")" for glob in globs)


def _wildcard(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character) or re.escape(character)
