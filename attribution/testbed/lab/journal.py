"""What happened: every connection, as the server saw it and as the client did."""

from collections import Counter
from dataclasses import dataclass, field

Endpoint = tuple[str, int]


@dataclass(kw_only=True)
class Connection:
    """One connection, as one of its ends saw it; times in microseconds.

    Attributes:
        start: when it was accepted, or when it was begun.
        end: when this end knew that it was over; its last activity until then.
        local: this end.
        remote: the other end.
        service: who accepted it; None where that was not seen.
        hostname: the name that it was opened for (SNI); None where it came to nothing before that.
        requested: all names that were asked for on it, in order.
        bytes_sent: what this end said to the other, inside of TLS.
        bytes_received: what the other said.
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
    """The connections of a run, and what came to nothing.

    Attributes:
        arrivals: as the servers saw them.
        departures: as the clients did.
        failures: of clients' requests, by what failed.
        refused: connections that no socket rule was for.
    """

    arrivals: list[Connection] = field(default_factory=list)
    departures: list[Connection] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    refused: int = 0
