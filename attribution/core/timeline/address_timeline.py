"""The history of one address in all networks that have it: a timeline for each network."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Self

from attribution.config import Settings
from attribution.core.addressing.sockets import Socket
from attribution.core.timeline.answer import ExplainedAnswer, Held
from attribution.core.timeline.networks import AskedNetworks
from attribution.core.timeline.timeline import OwnershipRange, Timeline

_UNSAID = AskedNetworks()


class AddressTimeline:
    """Who was seen on one address, network by network, and who held it at a moment for a flow.

    A pure function of the set of heartbeats added: neither their order nor repetition changes an answer.

    Args:
        address: canonical text.
        settings: the settings of the rules.
    """

    def __init__(self, address: str, settings: Settings) -> None:
        self._address, self._settings = address, settings
        self._translated = any(ip_address(address) in ip_network(prefix) for prefix in settings.translated_prefixes)
        self._networks: dict[str | None, Timeline] = {}

    @classmethod
    def from_ranges(cls, address: str, ranges: Iterable[OwnershipRange], settings: Settings) -> Self:
        """The timelines of all stored ranges of an address; what they cannot tell, `Timeline.from_ranges` says."""
        made = cls(address, settings)
        of_network: dict[str | None, list[OwnershipRange]] = {}
        for one in ranges:
            of_network.setdefault(made._space(one.network), []).append(one)
        made._networks = {
            network: Timeline.from_ranges(some, settings, translated=made._translated)
            for network, some in of_network.items()
        }
        return made

    def add(
        self,
        socket: Held,
        workload: str,
        service: str | None,
        start: int,
        end: int,
        *,
        network: str | None = None,
        claim: str | None = None,
    ) -> None:
        """Add one heartbeat, as `Timeline.add`; a network of None is none."""
        space = self._space(network)
        if space not in self._networks:
            self._networks[space] = Timeline(self._settings, translated=self._translated)
        self._networks[space].add(socket, workload, service, start, end, claim=claim)

    def ask(
        self,
        socket: Socket | None,
        start: int,
        end: int,
        *,
        basis: str = "connection",
        opened: bool | None = None,
        networks: AskedNetworks = _UNSAID,
    ) -> ExplainedAnswer:
        """Who held the address, or its socket, for a flow; as `Timeline.ask`.

        Args:
            socket: None if the flow has no socket.
            start: start of the flow, µs.
            end: end of the flow, µs.
            basis: `connection` or `window`.
            opened: whether the side opened the connection; False if it accepted it, None if that is not known.
            networks: what the flow says about the network of the address.
        """
        asked = AskedNetworks() if self._settings.one_space else networks
        candidates = asked.candidates(self._address, self._settings)
        unknown = Timeline(self._settings, translated=self._translated)
        if end - start > self._settings.retention:
            return unknown.ask(socket, start, end, basis=basis)
        standing = [name for name, one in self._networks.items() if one.stands(start, end)]
        in_order = tuple(sorted(standing, key=lambda name: (name is not None, name or "")))
        reason = asked.left_open(standing, candidates)
        if reason is not None:
            return ExplainedAnswer(None, None, reason, None, socket, networks=in_order)
        network = next((name for name in standing if name in candidates), None)
        answer = self._networks.get(network, unknown).ask(socket, start, end, basis=basis, opened=opened)
        return replace(answer, network=network, networks=in_order)

    def ranges(self) -> list[OwnershipRange]:
        """The ownership ranges of all networks, those of no network first; as `Timeline.ranges`."""
        in_order = sorted(self._networks.items(), key=lambda item: (item[0] is not None, item[0] or ""))
        return [replace(one, network=network) for network, timeline in in_order for one in timeline.ranges()]

    def forget(self, before: int) -> bool:
        """Drop heartbeats that end before a moment (µs), and say whether any are left; as `Timeline.forget`."""
        self._networks = {network: one for network, one in self._networks.items() if one.forget(before)}
        return bool(self._networks)

    def _space(self, network: str | None) -> str | None:
        return None if self._settings.one_space else network
