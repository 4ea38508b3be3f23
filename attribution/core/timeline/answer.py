"""What one flow asks of one address, and the answer, with the evidence that gave it."""

from dataclasses import dataclass
from typing import TypeAlias

from attribution.config import Settings
from attribution.core.addressing.sockets import PortRange, Socket
from attribution.core.timeline.intervals import Interval

#: What a piece of evidence is about: a socket, a range of ports, or the whole address.
Held: TypeAlias = Socket | PortRange | None


@dataclass(frozen=True)
class AskedInterval:
    """What one side of one flow asks: the flow's times and the interval that follows from them, all in µs.

    Attributes:
        start: start of the flow.
        end: end of the flow.
        connection: whether the flow is a connection; it is a window otherwise.
        settings: the settings of the rules.
        opened: whether the side opened the connection; False if it accepted it, None if that is not known.
    """

    start: int
    end: int
    connection: bool
    settings: Settings
    opened: bool | None = None

    @property
    def did_open(self) -> bool:
        """Whether the side opened a connection."""
        return self.connection and self.opened is True

    @property
    def did_accept(self) -> bool:
        """Whether the side accepted a connection."""
        return self.connection and self.opened is False

    @property
    def a(self) -> int:
        """Start of the asked interval."""
        return self.start - self.settings.clock_tolerance

    @property
    def b(self) -> int:
        """End of the asked interval."""
        return (self.start if self.connection else self.end) + self.settings.clock_tolerance

    @property
    def oldest(self) -> int:
        """Evidence that ends before this moment does not count."""
        return self.start - self.settings.retention

    @property
    def latest(self) -> int:
        """Evidence that starts after this moment does not count."""
        return self.end + self.settings.hold


@dataclass(frozen=True)
class AskedKey:
    """A key that was asked, and the reason that it gives by itself; `unknown` if nothing counts for it.

    Attributes:
        socket: the socket, or range of ports; None for the whole address.
        reason: the reason.
        claim: `shown` for the connections that were opened from the socket; None otherwise.
    """

    socket: Held
    reason: str
    claim: str | None = None


@dataclass(frozen=True)
class Claim:
    """One range as evidence: who was seen, from when to when.

    Attributes:
        socket: the socket, or range of ports, that the range is about; None for the whole address.
        workload: the workload.
        service: the service that the heartbeats of the range name; None if they name none or several.
        start: first moment seen, µs.
        end: last moment seen, µs.
        claim: as of the range: `shown`, `balanced` or None.
    """

    socket: Held
    workload: str
    service: str | None
    start: int
    end: int
    claim: str | None = None


@dataclass(frozen=True)
class ExplainedAnswer:
    """What the evidence says to one question, and which evidence that is.

    Attributes:
        workload: who is named; None if nobody is.
        service: the service of the workload.
        reason: `covered`, `bridged`, `within`, `conflict`, `gap`, `shared`, `unknown` or `too_old`; of an address in
            several networks also `other_network` or `several_networks`.
        distance: µs between the flow's start and the nearest piece of the workload. None if nobody is named, or if only
            stored ranges are known and the moment lies in a range whose pieces are not.
        socket: what the asked evidence is about; None for the whole address.
        evidence: the ranges that decided, in order of time. In general these touch the asked interval. For `within` it
            is the range that was seen; for `shared` these are the ranges of single sockets, by socket.
        alternatives: who else has counting evidence on the key, each with the range nearest to the asked interval,
            nearest first.
        holes: the holes that touch the asked interval, if these are why nobody is named.
        steps: the keys that were asked, in order.
        network: the network whose evidence was asked; None for evidence without a network.
        networks: all networks in which evidence of the address counts, in order, none first.
    """

    workload: str | None
    service: str | None
    reason: str
    distance: int | None
    socket: Held
    evidence: tuple[Claim, ...] = ()
    alternatives: tuple[Claim, ...] = ()
    holes: tuple[Interval, ...] = ()
    steps: tuple[AskedKey, ...] = ()
    network: str | None = None
    networks: tuple[str | None, ...] = ()
