"""The load of each address of a pool: counted on real sockets, or modelled for more requests than sockets can take.

The model is the lab without its sockets: the same names, popularity, policies and caches. A request is a count.
"""

import math
import random
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from attribution.config import SECOND
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.cache import Cache
from attribution.testbed.lab.dns.names import Popularity, catalogue
from attribution.testbed.lab.dns.policies import Policy, PolicyEngine
from attribution.testbed.lab.run import Outcome
from attribution.testbed.lab.scenarios import HERE, Scenario, preset

#: The scenarios of the figure, and what it calls them.
SERIES: Final = {
    "static": "an address for each name",
    "pool-20": "any of a /20",
    "pool-24": "any of a /24",
    "one-address": "one address",
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """Number of requests to each address that names may have, the busiest first.

    Attributes:
        scenario: name of the scenario, which says how names get addresses.
        by: `sockets`, or `model`.
        requests: number of requests to each address.
        connections: number of connections that carried them; None in the model.
    """

    scenario: str
    by: Literal["sockets", "model"]
    requests: tuple[int, ...]
    connections: int | None = None

    @property
    def total(self) -> int:
        """Number of all requests."""
        return sum(self.requests)

    @property
    def idle(self) -> int:
        """Number of addresses without a request."""
        return self.requests.count(0)

    @property
    def ratio(self) -> float | None:
        """Requests of the busiest address divided by those of the least busy; None if that had none."""
        return self.requests[0] / self.requests[-1] if self.requests[-1] else None

    @property
    def variation(self) -> float:
        """Standard deviation of the requests of an address, divided by their mean."""
        return statistics.pstdev(self.requests) / statistics.fmean(self.requests)

    @property
    def by_chance(self) -> float:
        """The variation to expect if each request took a random address; larger for few requests."""
        return math.sqrt((1 - 1 / len(self.requests)) * len(self.requests) / self.total)

    @property
    def requests_per_connection(self) -> float | None:
        """Mean number of requests of a connection; None if there are no connections."""
        return self.total / self.connections if self.connections else None

    def to_dict(self) -> dict[str, object]:
        """All numbers, as JSON-ready values."""
        return {
            "scenario": self.scenario, "by": self.by, "addresses": len(self.requests), "requests": self.total,
            "busiest": self.requests[0], "least_busy": self.requests[-1], "idle_addresses": self.idle,
            "ratio": self.ratio, "variation": self.variation, "by_chance": self.by_chance,
            "connections": self.connections, "requests_per_connection": self.requests_per_connection,
        }  # fmt: skip


def for_figure(name: str) -> Scenario:
    """A scenario as the figure plays it: each client asks the server itself, and keeps no answer too long.

    A shared resolver gives one address to all of its clients, which is uneven if there are only two resolvers.
    """
    return replace(preset(name), ttl=1.0, resolved_share=0.0, overstay_share=0.0)


def counted(outcome: Outcome) -> Load:
    """The load of a run on real sockets.

    Raises:
        LabError: There was no request.
    """
    arrivals = outcome.journal.arrivals
    requests: Counter[str] = Counter()
    for one in arrivals:
        requests[one.local[0]] += len(one.requested)
    return _load(outcome.scenario.name, "sockets", outcome.policies, requests, len(arrivals))


def modelled(scenario: Scenario, *, requests: int, seed: int) -> Load:
    """The load of a number of requests, without sockets.

    Args:
        scenario: Gives clients, names and policies. Its `seconds` are not used.
        requests: Number of requests.
        seed: Seed of all random choices.
    """
    rng = random.Random(f"{seed} model")  # noqa: S311 - no secret
    names = catalogue(scenario.names, rng)
    engine = PolicyEngine(scenario.policies(names, 0))
    popularity = Popularity(names, scenario.zipf)
    attributes = {name.hostname: tuple(sorted((*name.attributes, ("data_centre", HERE)))) for name in names}
    caches: list[Cache[str]] = [Cache() for _ in range(scenario.clients)]
    step = scenario.pause * SECOND / (scenario.clients * (1 + scenario.page / 2))
    counts: Counter[str] = Counter()
    for number in range(requests):
        time, cache, name = round(number * step), rng.choice(caches), popularity.draw(rng)
        address = cache.get(name.hostname, time)
        if address is None:
            answer = engine.answer(attributes[name.hostname], time, rng)
            if answer is None:
                raise LabError(f"no policy of {scenario.name} answers for {name.hostname}")
            address = answer.address
            cache.put(name.hostname, address, ttl=answer.ttl, time=time)
        counts[address] += 1
    return _load(scenario.name, "model", engine.policies, counts, None)


def _load(
    scenario: str, by: Literal["sockets", "model"], policies: Iterable[Policy], counts: Counter[str],
    connections: int | None,
) -> Load:  # fmt: skip
    pool = _addresses(policies)
    if not counts.total():
        raise LabError(f"cannot say how {scenario} loads its addresses: there was no request")
    requests = sorted((counts[address] for address in pool), reverse=True)
    return Load(scenario=scenario, by=by, requests=tuple(requests), connections=connections)


def _addresses(policies: Iterable[Policy]) -> Sequence[str]:
    return sorted({str(address) for policy in policies for address in policy.network})
