"""Socket rules: which service gets a connection, by prefix, port and protocol of the local endpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from attribution.schema import SOCKET_RULE, record

ALL_PORTS = range(65536)


@dataclass(frozen=True, kw_only=True)
class SocketRule:
    """One record of `schemas/socket_rule.avsc`; times in microseconds."""

    rule: str
    prefix: str
    service: str
    port: int | None = None
    last_port: int | None = None
    protocol: int | None = None
    priority: int | None = None
    data_centre: str | None = None
    start: int | None = None
    end: int | None = None

    @cached_property
    def network(self) -> IPv4Network | IPv6Network:
        """The prefix as a network."""
        return ip_network(self.prefix)

    @property
    def ports(self) -> range:
        """The range of ports."""
        if self.port is None:
            return ALL_PORTS
        return range(self.port, (self.port if self.last_port is None else self.last_port) + 1)

    def in_force(self, time: int) -> bool:
        """Whether the rule is in force at that time."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)

    def fits(self, address: str, port: int, protocol: int) -> bool:
        """Whether the rule is about connections to this socket, whatever the time."""
        return (
            port in self.ports
            and (self.protocol is None or self.protocol == protocol)
            and ip_address(address) in self.network
        )

    def to_record(self) -> dict[str, object]:
        """The rule as a row of the record, for all networks, with times in microseconds."""
        return {name: getattr(self, name) for name in record(SOCKET_RULE).names} | {"network": None}


def in_order(rules: Iterable[SocketRule]) -> list[SocketRule]:
    """The rules in the order in which they are tried: the highest priority first, then the longest prefix."""
    return sorted(rules, key=lambda rule: (-(rule.priority or 0), -rule.network.prefixlen))


def service_for(rules: Sequence[SocketRule], address: str, port: int, protocol: int) -> str | None:
    """The service that gets a connection, by rules that are in force and `in_order`; None if no rule fits."""
    return next((rule.service for rule in rules if rule.fits(address, port, protocol)), None)
