"""The names that the lab serves, their accounts, and their popularity: few names get most requests."""

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

#: What a query is matched by: (attribute, value), sorted by attribute.
Attributes = tuple[tuple[str, str], ...]

#: Account types and their shares of the names. Each has a zone of its own.
ACCOUNT_TYPES = {"free": 0.8, "business": 0.15, "enterprise": 0.05}
#: Services and their shares of the names.
SERVICES = {"web": 0.8, "api": 0.2}
#: Reserved for documentation (RFC 2606): no name of the lab means anything elsewhere.
TOP_LEVEL = "example"


@dataclass(frozen=True, kw_only=True)
class Name:
    """A hostname, the account that it belongs to, and the service behind it."""

    hostname: str
    account_type: str
    service: str

    @cached_property
    def attributes(self) -> Attributes:
        """The attributes that policies may match."""
        return (("account_type", self.account_type), ("hostname", self.hostname), ("service", self.service))

    @property
    def zone(self) -> str:
        """All of the hostname but its first label."""
        return zone_of(self.hostname)


def zone_of(hostname: str) -> str:
    """All of a hostname but its first label."""
    return hostname.partition(".")[2]


def catalogue(count: int, rng: random.Random) -> tuple[Name, ...]:
    """Make that many names, the most popular first."""
    accounts = rng.choices(list(ACCOUNT_TYPES), list(ACCOUNT_TYPES.values()), k=count)
    services = rng.choices(list(SERVICES), list(SERVICES.values()), k=count)
    return tuple(
        Name(hostname=f"{service}-{number:05d}.{account}.{TOP_LEVEL}", account_type=account, service=service)
        for number, (account, service) in enumerate(zip(accounts, services, strict=True))
    )


class Popularity:
    """Draws names by Zipf's law: the n-th name is drawn in proportion to n to the power of minus `exponent`."""

    def __init__(self, names: Sequence[Name], exponent: float) -> None:
        self._names = names
        self._sums = list(accumulate((rank + 1) ** -exponent for rank in range(len(names))))

    def draw(self, rng: random.Random) -> Name:
        """Draw one name."""
        return self._names[bisect(self._sums, rng.random() * self._sums[-1])]
