"""The scenarios: how names get addresses, and what changes while clients use them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Final

from attribution.config import SECOND
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.names import Attributes, Name
from attribution.testbed.lab.dns.policies import Policy
from attribution.testbed.lab.sockets.rules import SocketRule

#: The data centre that accepts and logs, and the other one, whose pool should never be seen there.
HERE: Final = "lon"
ELSEWHERE: Final = "fra"
_HERE: Final[Attributes] = (("data_centre", HERE),)

#: All addresses that any policy of the lab hands out lie in it: `--pool-prefix` of a replay.
POOL_SPACE: Final = "127.64.0.0/10"
#: All clients and resolvers: `--named-prefix`, for the authoritative server's log has all that they were told.
CLIENT_SPACE: Final = "127.128.0.0/10"
FIRST_POOL: Final = "127.64.0.0/24"
SECOND_POOL: Final = "127.65.0.0/24"
ELSEWHERE_POOL: Final = "127.72.0.0/24"
ENTERPRISE_POOL: Final = "127.80.0.0/28"

_TCP: Final = 6
#: When in a run the policy and the socket rules change, as shares of it.
POLICY_CHANGE: Final = 0.4
RULE_CHANGE: Final = 0.7


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The ports of services: one for the web, and a range for the API."""

    web: int = 443
    api: range = range(8443, 8445)

    def of(self, name: Name, rng: random.Random) -> int:
        """A port of the service behind a name."""
        return self.web if name.service == "web" else rng.choice(self.api)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The parameters of a run; durations in seconds.

    Attributes:
        name: name of the scenario.
        pool: prefix of the addresses; None if every name has an address of its own.
        canary: prefix whose web connections a rule of higher priority gives to another service.
        ttl: how long answers may be used.
        clients: number of clients.
        seconds: how long the clients visit.
        names: number of names.
        zipf: exponent of the names' popularity.
        pause: mean time between two visits of a client.
        page: largest number of names that a visit asks for after the first.
        idle: how long a client keeps a connection that it does not use.
        overstay_share: share of the clients that keep answers too long.
        overstay: how much longer than the TTL they and the careless resolver keep answers.
        resolved_share: share of the clients that ask a shared resolver.
        truncated_share: share of the queries over UDP whose answer asks for TCP.
        leaked_share: share of the clients that get addresses of the other data centre, but come to this one.
        changes_pool: whether the policy changes from one pool to another in the middle.
        record_sni: share of the flows whose record carries the name.
    """

    name: str
    pool: str | None = FIRST_POOL
    canary: str | None = None
    ttl: float = 3.0
    clients: int = 100
    seconds: float = 20.0
    names: int = 400
    zipf: float = 1.1
    pause: float = 0.5
    page: int = 3
    idle: float = 5.0
    overstay_share: float = 0.1
    overstay: float = 3.0
    resolved_share: float = 0.3
    truncated_share: float = 0.02
    leaked_share: float = 0.0
    changes_pool: bool = False
    record_sni: float = 0.0

    def __post_init__(self) -> None:
        for field in ("overstay_share", "resolved_share", "truncated_share", "leaked_share", "record_sni"):
            if not 0 <= getattr(self, field) <= 1:
                raise LabError(f"{field} must be a share from 0 to 1, found {getattr(self, field)}")
        if self.clients < 1 or self.names < 1 or self.seconds <= 0 or self.pause <= 0:
            raise LabError("a lab needs a client, a name, some time, and a pause between two visits above 0")
        if self.pool is None and self.names >= ip_network(STATIC_SPACE).num_addresses:
            raise LabError(
                f"with an address for each name there is room for {STATIC_SPACE}, found {self.names:,} names"
            )

    def policies(self, names: Sequence[Name], start: int) -> list[Policy]:
        """The policies of a run that begins at `start`, in microseconds."""
        made: list[Policy] = []
        if self.pool is None:
            first = int(ip_network(STATIC_SPACE).network_address) + 1
            made += [
                self._policy(f"static-{name.hostname}", "static", f"{ip_address(first + number)}/32", _own(name))
                for number, name in enumerate(names)
            ]
        elif self.changes_pool:
            change = self._after(start, POLICY_CHANGE)
            made += [
                replace(self._policy(HERE, "first", self.pool), end=change - 1),
                replace(self._policy(HERE, "second", SECOND_POOL), start=change),
                replace(
                    self._policy(
                        f"{HERE}-enterprise", "enterprise", ENTERPRISE_POOL, (("account_type", "enterprise"),)
                    ),
                    priority=10,
                ),
            ]
        else:
            made.append(self._policy(HERE, "first", self.pool))
        if self.leaked_share:
            match = (("data_centre", ELSEWHERE),)
            made.append(Policy(policy=ELSEWHERE, pool=ELSEWHERE, prefix=ELSEWHERE_POOL, match=match, ttl=self.ttl))
        return made

    def rules(self, ports: Ports, start: int) -> list[SocketRule]:
        """The socket rules of a run that begins at `start`. In the middle of it another service takes over the API."""
        change = self._after(start, RULE_CHANGE)
        api = SocketRule(
            rule="api", prefix=POOL_SPACE, port=ports.api.start, last_port=ports.api.stop - 1, protocol=_TCP,
            service="api",
        )  # fmt: skip
        web = replace(api, rule="web", port=ports.web, last_port=None, service="web")
        made = [web, replace(api, end=change - 1), replace(api, rule="api-next", service="api-next", start=change)]
        if self.canary is not None:
            # Of this data centre alone: who does not say where a flow was logged cannot tell who accepted it.
            made.append(
                replace(web, rule="canary", prefix=self.canary, service="web-canary", priority=10, data_centre=HERE)
            )
        return made

    def _after(self, start: int, share: float) -> int:
        return start + round(share * self.seconds * SECOND)

    def _policy(self, policy: str, pool: str, prefix: str, match: Attributes = ()) -> Policy:
        return Policy(policy=policy, pool=pool, prefix=prefix, match=tuple(sorted(match + _HERE)), ttl=self.ttl)


def _own(name: Name) -> Attributes:
    return (("hostname", name.hostname),)


#: Where names have their own addresses, where they do.
STATIC_SPACE: Final = "127.64.0.0/14"

_CANARY = "127.64.0.192/26"
#: The scenarios, with a sentence on each.
PRESETS: dict[str, tuple[str, Callable[[], Scenario]]] = {
    "static": ("every name has its own address, as before", lambda: Scenario(name="static", pool=None)),
    "pool-20": (
        "any of 4,096 addresses for each query",
        lambda: Scenario(name="pool-20", pool="127.64.0.0/20", canary="127.64.12.0/22"),
    ),
    "pool-24": ("any of 256 addresses", lambda: Scenario(name="pool-24", canary=_CANARY)),
    "one-address": ("one address for all names", lambda: Scenario(name="one-address", pool="127.64.0.1/32")),
    "policy-change": (
        "the pool is exchanged in the middle, clients still come on old answers",
        lambda: Scenario(name="policy-change", canary=_CANARY, changes_pool=True),
    ),
    "route-leak": (
        "some clients come to addresses that only another data centre hands out",
        lambda: Scenario(name="route-leak", canary=_CANARY, leaked_share=0.1),
    ),
}


def preset(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        LabError: There is no such scenario.
    """
    if name not in PRESETS:
        raise LabError(f"no scenario {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name][1]()
