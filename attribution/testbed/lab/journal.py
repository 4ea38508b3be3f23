"""The record of a run: every connection, as its server saw it and as its client saw it."""

from collections import Counter
from dataclasses import dataclass, field

Endpoint = tuple[str, int]


@dataclass(kw_only=True)
class Connection:
    """One connection, as one of its ends saw it; times in microseconds.

    Attributes:
        start: when this end accepted or opened it.
        end: when this end saw that it was over; until then its last activity.
        local: endpoint of this end.
        remote: endpoint of the other end.
        service: the service that accepted it; None if this end does not know.
        hostname: the name that it was opened for (SNI); None if it failed before that was known.
        requested: names of all requests on it, in order.
        bytes_sent: bytes from this end to the other, inside of TLS.
        bytes_received: bytes from the other end to this one, inside of TLS.
    """

    start: int
    end: int
    local: Endpoint
    remote: Endpoint
    service: str | None = None
    hostname: str | None = None
    requested: list[str] = field(default_factory=list)
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass
class Journal:
    """The connections and the failures of a run.

    Attributes:
        arrivals: connections as the servers saw them.
        departures: connections as the clients saw them.
        failures: number of failed requests by cause.
        refused: number of connections for which there was no socket rule.
    """

    arrivals: list[Connection] = field(default_factory=list)
    departures: list[Connection] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    refused: int = 0
