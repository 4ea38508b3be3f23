"""Transport protocols and ports as people write them."""

from attribution.errors import BadValueError

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

LARGEST_PORT = 65535
_LARGEST_PROTOCOL = 255


def protocol_number(protocol: str | int) -> int:
    """The IANA number of a protocol's name or number.

    Raises:
        QueryError: it is neither a name of `PROTOCOLS` nor a number from 0 to 255.
    """
    text = str(protocol).strip().lower()
    number = PROTOCOLS.get(text, int(text) if text.isascii() and text.isdigit() else -1)
    if not 0 <= number <= _LARGEST_PROTOCOL:
        raise BadValueError(
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
