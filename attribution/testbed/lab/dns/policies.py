"""Policies of addressing, and the engine that answers queries by them, each with a random address of a pool."""

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import accumulate, chain, combinations

from attribution.schema import POLICY, record
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.names import Attributes


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One record of `schemas/policy.avsc`: a policy and one prefix of its pool; times in microseconds."""

    policy: str
    pool: str
    prefix: str
    match: Attributes = ()
    priority: int | None = None
    ttl: float | None = None
    start: int | None = None
    end: int | None = None

    @cached_property
    def network(self) -> IPv4Network:
        """The prefix as a network.

        Raises:
            LabError: The prefix is not of IPv4, and the lab serves nothing else.
        """
        network = ip_network(self.prefix)
        if not isinstance(network, IPv4Network):
            raise LabError(f"policy {self.policy}: the lab serves IPv4, and {self.prefix} is none")
        return network

    @cached_property
    def _numbers(self) -> range:
        first = int(self.network.network_address)
        return range(first, first + self.network.num_addresses)

    def has(self, address: str) -> bool:
        """Whether the policy has this address at any time."""
        return int(ip_address(address)) in self._numbers

    def in_force(self, time: int) -> bool:
        """Whether the policy is in force at that time."""
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)

    def to_record(self) -> dict[str, object]:
        """The policy as a row of the record, for all networks, with times in microseconds."""
        row = {name: getattr(self, name) for name in record(POLICY).names} | {"network": None}
        return row | {"match": ",".join(f"{attribute}={value}" for attribute, value in sorted(self.match)) or None}


@dataclass(frozen=True)
class Answer:
    """The answer to a query, and the policy that gave it."""

    address: str
    ttl: float
    policy: str


class Pool:
    """All addresses that one policy hands out at a moment."""

    def __init__(self, records: list[Policy]) -> None:
        self._records = records
        self._sums = list(accumulate(record.network.num_addresses for record in records))

    def draw(self, rng: random.Random) -> Answer:
        """Draw an address of the pool, each with the same probability."""
        number = int(rng.random() * self._sums[-1])
        place = bisect_right(self._sums, number)
        chosen = self._records[place]
        offset = number - (self._sums[place] - chosen.network.num_addresses)
        return Answer(str(ip_address(int(chosen.network.network_address) + offset)), chosen.ttl or 0.0, chosen.policy)


class PolicyEngine:
    """Answers queries by the policies that are in force and match.

    The policy with the highest priority answers, then the policy that asks for more attributes, then the first by name.
    So an answer depends on the policies alone, and not on the order in which they were given.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._by_match: dict[Attributes, list[Policy]] = defaultdict(list)
        for policy in self.policies:
            self._by_match[tuple(sorted(policy.match))].append(policy)
        ends = ((p.start, None if p.end is None else p.end + 1) for p in self.policies)
        #: When the set of policies in force changes; between two changes decisions are remembered.
        self._changes = sorted({time for time in chain.from_iterable(ends) if time is not None})
        self._decided: dict[tuple[int, Attributes], Pool | None] = {}

    def answer(self, attributes: Attributes, time: int, rng: random.Random) -> Answer | None:
        """An address for a query with these attributes (sorted); None if no policy matches."""
        key = bisect_left(self._changes, time + 1), attributes
        if key not in self._decided:
            self._decided[key] = self._decide(attributes, time)
        pool = self._decided[key]
        return None if pool is None else pool.draw(rng)

    def _decide(self, attributes: Attributes, time: int) -> Pool | None:
        fitting = [p for match in _subsets(attributes) for p in self._by_match.get(match, ()) if p.in_force(time)]
        if not fitting:
            return None
        first = min(fitting, key=lambda policy: (-(policy.priority or 0), -len(policy.match), policy.policy))
        return Pool([policy for policy in fitting if policy.policy == first.policy])


def _subsets(attributes: Attributes) -> Iterator[Attributes]:
    return chain.from_iterable(combinations(attributes, size) for size in range(len(attributes) + 1))
