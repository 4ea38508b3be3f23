"""Which network's evidence answers for an address, if several networks have the address: "Networks" in the design.

`core.addressing.place_book` chooses for batches. Here one question is answered at a time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Self

from attribution.config import Settings


@dataclass(frozen=True)
class AskedNetworks:
    """What a flow says about the network of one of its addresses.

    Attributes:
        first: the first candidate; None if the flow does not say it.
        told: whether the log tells that the address is in this network. Otherwise it is the view of the flow.
    """

    first: str | None = None
    told: bool = False

    @classmethod
    def of_local(cls, local_network: str | None) -> Self:
        """What a flow says about its local address."""
        return cls(local_network, told=True)

    @classmethod
    def of_remote(cls, local_network: str | None, remote_network: str | None) -> Self:
        """What a flow says about its remote address."""
        return cls(local_network) if remote_network is None else cls(remote_network, told=True)

    def candidates(self, address: str, settings: Settings) -> frozenset[str | None]:
        """The networks in which the address may be held; None is that of evidence without a network.

        >>> settings = Settings(routes=("east,west,10.2.0.0/16", "east,-"))
        >>> sorted(AskedNetworks("east").candidates("10.2.0.1", settings) - {None})
        ['east', 'west']
        >>> sorted(AskedNetworks("east", told=True).candidates("10.2.0.1", settings) - {None})
        ['east']
        """
        if self.first is None:
            return frozenset((None,))
        routed = _routed(self.first, address, settings)
        return frozenset((self.first, *(routed & {None} if self.told else routed)))

    def left_open(self, standing: Collection[str | None], candidates: frozenset[str | None]) -> str | None:
        """The reason for which networks leave nobody to name; None if at most one of them may answer.

        Args:
            standing: the networks in which evidence stands.
            candidates: the networks in which the address may be held.
        """
        mine = candidates.intersection(standing)
        others = len(standing) > len(mine)
        if others and (self.first is None or not mine):
            return "other_network"
        return "several_networks" if len(mine) > 1 else None


def _routed(network: str, address: str, settings: Settings) -> set[str | None]:
    """The networks that a route joins to a network for an address."""
    asked = ip_address(address)
    return {
        name
        for route in settings.network_routes
        if network in route.networks and (route.prefix is None or asked in ip_network(route.prefix))
        for name in route.networks
        if name != network
    }
