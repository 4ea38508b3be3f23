"""The decisions of operators: policies that hand out pools, and socket rules that give connections to services.

Attribution is compared with this plan, so its code is plain: it goes through one policy or rule after the other, for
all rows, and uses nothing of the core. Addresses are numbers of IPv4. Every prefix has a twin in IPv6 (`world.TWIN`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from attribution.core.addressing.sockets import TCP, UDP
from attribution.core.columnar.types import Bool, Float64, Int64
from attribution.testbed.pools.scenario import AgilityScenario

#: 198.18.0.0/16: all addresses that policies may ever hand out, and more.
POOL_SPACE, POOL_SPACE_SIZE = (198 << 24) + (18 << 16), 1 << 16
#: Of what matches everything, and of a flow that does not say where it was logged.
ANY = -1
#: Before and after everything that is simulated.
ALWAYS, FOREVER = -(1 << 60), 1 << 60
#: Regions: data centre n is in region n % REGIONS.
REGIONS = 2


class Account(IntEnum):
    """Type of an account, on which policies depend."""

    FREE = 0
    PRO = 1
    ENTERPRISE = 2

    @property
    def text(self) -> str:
        """The text of it in policies and hostnames."""
        return self.name.lower()


#: The share of names of each type of account.
ACCOUNT_SHARES = (0.7, 0.2, 0.1)


class PolicyState(IntEnum):
    """The `policy_state` of an address at a moment, in the order of the design."""

    IN_FORCE = 0
    ELSEWHERE = 1
    ENDED = 2
    #: No policy ever had the address.
    NEVER = 3

    @property
    def text(self) -> str | None:
        """The text of it in attributed flows; null if no policy ever had the address."""
        return None if self is PolicyState.NEVER else self.name.lower()


@dataclass(frozen=True)
class Policy:
    """One prefix of the pool of a policy; in force from `start` to `end`, both included, in microseconds."""

    name: str
    pool: str
    first: int
    size: int
    ttl: int
    priority: int = 0
    account: int = ANY
    data_centre: int = ANY
    region: int = ANY
    start: int = ALWAYS
    end: int = FOREVER

    def has(self, address: Int64) -> Bool:
        """Whether each address lies in the prefix."""
        return (address >= self.first) & (address < self.first + self.size)

    def counts(self, data_centre: Int64) -> Bool:
        """Whether the policy counts for flows logged in each data centre; it does if that is not known."""
        here = (data_centre == self.data_centre) | (self.data_centre == ANY) | (data_centre == ANY)
        return here & ((data_centre % REGIONS == self.region) | (self.region == ANY) | (data_centre == ANY))


@dataclass(frozen=True)
class Accepted:
    """Accepted connections: address and port of the server, protocol, data centre, and time in microseconds."""

    address: Int64
    port: Int64
    protocol: Int64
    data_centre: Int64
    time: Int64


@dataclass(frozen=True)
class SocketRule:
    """One rule; ports are a first and a last one, `ANY` for all."""

    name: str
    service: str
    first: int
    size: int
    ports: tuple[int, int] = (ANY, ANY)
    protocol: int = ANY
    priority: int = 0
    data_centre: int = ANY
    start: int = ALWAYS
    end: int = FOREVER

    def fits(self, accepted: Accepted) -> Bool:
        """Whether the rule is in force at the time of each connection, and is about its endpoint."""
        first, last = self.ports
        found = (accepted.address >= self.first) & (accepted.address < self.first + self.size)
        found &= (accepted.time >= self.start) & (accepted.time <= self.end)
        found &= (self.protocol == ANY) | (accepted.protocol == self.protocol)
        found &= (first == ANY) | ((accepted.port >= first) & (accepted.port <= last))
        return found & ((self.data_centre == ANY) | (accepted.data_centre == self.data_centre))


@dataclass(frozen=True)
class Plan:
    """All policies and all socket rules of a world."""

    policies: tuple[Policy, ...]
    rules: tuple[SocketRule, ...]

    def hand_out(
        self, account: Int64, data_centre: Int64, time: Int64, rng: np.random.Generator
    ) -> tuple[Int64, Int64]:
        """The policy that answers each query, as a position, and a random address that it has at that time.

        If pools are in force inside others, in the same place, an address belongs to the innermost pool alone.
        """
        best, row, weight = np.full(len(time), -1), np.zeros(len(time), np.int64), np.zeros(len(time))
        for number, one in enumerate(self.policies):
            fits = (time >= one.start) & (time <= one.end) & one.counts(data_centre)
            fits &= (account == one.account) | (one.account == ANY)
            better, equal = fits & (one.priority > best), fits & (one.priority == best)
            weight = np.where(better, one.size, weight + np.where(equal, one.size, 0))
            # Prefixes of one pool in proportion to their sizes.
            taken = better | (equal & (rng.random(len(time)) * np.maximum(weight, 1) < one.size))
            row[taken], best[better] = number, one.priority
        firsts, sizes = (
            np.array([getattr(one, name) for one in self.policies], np.int64) for name in ("first", "size")
        )
        address, left = np.full(len(time), -1, np.int64), np.arange(len(time))
        while len(left):
            address[left] = firsts[row[left]] + _below(sizes[row[left]], rng)
            has = self._holders(address[left], time[left], self._counts(data_centre[left]))
            left = left[~has[row[left], np.arange(len(left))]]
        return row, address

    def states(self, address: Int64, data_centre: Int64, time: Int64) -> tuple[Int64, Bool]:
        """The `PolicyState` of each address at that time, and (policies, rows) which policies have the address so."""
        counts = self._counts(data_centre)
        over = np.array([one.has(address) & (one.end < time) for one in self.policies])
        here = over & counts
        ended = self._longest(np.where(here.any(axis=0), here, over))
        end = np.where(ended, np.array([[one.end] for one in self.policies]), ALWAYS)
        choices = {
            PolicyState.IN_FORCE: self._holders(address, time, counts),
            PolicyState.ELSEWHERE: self._holders(address, time, ~counts),
            PolicyState.ENDED: ended & (end == end.max(axis=0, initial=ALWAYS)),
        }
        state = np.full(len(address), PolicyState.NEVER, np.int64)
        which = np.zeros_like(over)
        for name, having in choices.items():
            rows = (state == PolicyState.NEVER) & having.any(axis=0)
            state[rows] = name
            which |= having & rows
        return state, which

    def rule_of(self, accepted: "Accepted") -> Int64:
        """The position of the rule that gives each connection to its service; -1 if no rule fits."""
        best, found = np.full(len(accepted.time), -1, np.int64), np.full(len(accepted.time), -1, np.int64)
        for number, rule in enumerate(self.rules):
            # The higher priority, then the longer prefix: sizes are below 2**32.
            rank = (rule.priority << 32) + (1 << 32) - rule.size
            better = rule.fits(accepted) & (rank > best)
            best[better], found[better] = rank, number
        return found

    def _counts(self, data_centre: Int64) -> Bool:
        """(policies, rows): which policies count for flows that were logged there."""
        return np.array([one.counts(data_centre) for one in self.policies])

    def _holders(self, address: Int64, time: Int64, counts: Bool) -> Bool:
        """(policies, rows): which of the policies that count have each address then, by the longest prefix in force."""
        inside = np.array([one.has(address) & (time >= one.start) & (time <= one.end) for one in self.policies])
        return self._longest(inside & counts)

    def _longest(self, which: Bool) -> Bool:
        size = np.where(which, np.array([[one.size] for one in self.policies]), FOREVER)
        return which & (size == size.min(axis=0, initial=FOREVER))


def make_plan(scenario: AgilityScenario) -> Plan:
    """The policies and the socket rules of a scenario."""
    return Plan(_policies(scenario), _socket_rules(scenario))


def _policies(scenario: AgilityScenario) -> tuple[Policy, ...]:
    """The policies of a scenario: pools within pools, one that changes, and some of one place or region only."""
    ttl, long = scenario.ttl, 10 * scenario.ttl
    third = scenario.begin + scenario.duration // 3 if scenario.policy_changes else ALWAYS
    made = [
        Policy("default", "wide", POOL_SPACE, 1 << 12, ttl),
        Policy("pro-in-region-2", "regional", POOL_SPACE + (80 << 8), 1 << 10, long, 5, account=Account.PRO, region=1),
        Policy(
            "one-address", "single", POOL_SPACE + (7 << 8) + 1, 1, ttl, 20, Account.FREE, data_centre=0, start=third
        ),
    ]
    # The first pool of the changing policy lies inside the wide one, and around the single address.
    for number, (start, end) in enumerate(_spans(scenario, scenario.policy_changes)):
        prefixes = (
            [POOL_SPACE + (7 << 8)] if number == 0 else [POOL_SPACE + ((64 + 3 * number + i) << 8) for i in (0, 1)]
        )
        made += [
            Policy(
                "enterprise", f"enterprise-{number}", first, 1 << 8, long, 10, Account.ENTERPRISE, start=start, end=end
            )
            for first in prefixes
        ]
    return tuple(made)


def _socket_rules(scenario: AgilityScenario) -> tuple[SocketRule, ...]:
    """The socket rules of a scenario: over all of the pool space, and others over these by priority or prefix."""
    space = (POOL_SPACE, POOL_SPACE_SIZE)
    made = [
        SocketRule("web", "edge-web", *space, (443, 443), TCP),
        SocketRule("plain", "edge-web", *space, (80, 80), TCP),
        SocketRule("quic", "edge-quic", *space, (443, 443), UDP),
        SocketRule("regional", "regional-web", POOL_SPACE + (80 << 8), 1 << 10, (443, 443), TCP),
        SocketRule("alternative", "edge-alternative", *space, (8443, 8443), TCP),
        SocketRule("tunnels", "tunnels", *space, (8000, 8999), priority=5, data_centre=1),
        SocketRule("sink", "sink", POOL_SPACE + (200 << 8), 1 << 7, priority=30),
    ]
    for number, (start, end) in enumerate(_spans(scenario, scenario.rule_changes)):
        service = f"enterprise-web-{number}"
        made.append(SocketRule("enterprise", service, POOL_SPACE + (7 << 8), 256, (443, 443), TCP, 10, ANY, start, end))
        if number % 2:
            made.append(SocketRule("canary", "edge-canary", *space, (443, 443), TCP, 20, 2, start, end))
    return tuple(made)


def _spans(scenario: AgilityScenario, changes: int) -> Iterator[tuple[int, int]]:
    """Spans that follow each other without a gap, the first without a beginning and the last without an end."""
    bounds = [scenario.begin + scenario.duration * (i + 1) // (changes + 1) for i in range(changes)]
    yield from zip([ALWAYS, *bounds], [*(bound - 1 for bound in bounds), FOREVER], strict=True)


def _below(sizes: Int64, rng: np.random.Generator) -> Int64:
    drawn: Float64 = rng.random(len(sizes))
    return np.minimum((drawn * sizes).astype(np.int64), sizes - 1)
