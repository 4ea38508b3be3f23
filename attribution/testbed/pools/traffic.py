"""Simulates traffic: requests are resolved, answers stay in caches, connections are opened and reused.

Caches and open connections follow one rule: the first request opens an entry, and later requests use it while it lasts
(`opened`).
"""

from dataclasses import dataclass, replace

import numpy as np

from attribution.config import SECOND
from attribution.core.addressing.sockets import TCP, UDP
from attribution.core.columnar.arrays import order_by, starts_of_runs
from attribution.core.columnar.types import Bool, Int64
from attribution.testbed.pools.plan import POOL_SPACE, POOL_SPACE_SIZE, Accepted, Plan
from attribution.testbed.pools.scenario import ASIDE, AgilityScenario
from attribution.testbed.pools.world import SCANNERS, STATIC, TWIN, Resolving, World

#: Protocol and port of servers, and how many of the connections go there.
_SERVERS = ((TCP, 443, 0.7), (UDP, 443, 0.12), (TCP, 80, 0.08), (TCP, 8443, 0.1))
#: Longest time between resolving a name and opening the connection.
_CONNECT = 20_000
_FIRST_PORT, _PORTS = 32_768, 28_000


@dataclass(frozen=True)
class Answers:
    """DNS answers, in the order in which they were given; times without any clock's error.

    Attributes:
        network: the network of the client that asked.
        client: the client, if it asked by itself; -1 if a resolver asked.
        name: the name of the query.
        address: number of the IPv4 address in the answer; a network of IPv6 got its twin.
        time: when, microseconds.
        ttl: how long it may be used, microseconds.
        logged: whether the log of answers has it.
    """

    network: Int64
    client: Int64
    name: Int64
    address: Int64
    time: Int64
    ttl: Int64
    logged: Bool


@dataclass(frozen=True)
class Connections:
    """Connections; times without any clock's error.

    Attributes:
        client: the client; -1 for a stranger that scans.
        client_address: its address number.
        client_port: its port.
        name: the name for which it was opened; -1 for none.
        carried: number of different names of its requests.
        address: server address, number of IPv4.
        ipv6: whether both addresses are the twins in IPv6.
        port: port of the server.
        protocol: TCP or UDP.
        centre: data centre that accepted it; -1 for addresses outside the pool space.
        rule: the socket rule that gave it to a service; -1 if there was none.
        start: when it was opened, microseconds.
        end: when it was closed.
    """

    client: Int64
    client_address: Int64
    client_port: Int64
    name: Int64
    carried: Int64
    address: Int64
    ipv6: Bool
    port: Int64
    protocol: Int64
    centre: Int64
    rule: Int64
    start: Int64
    end: Int64

    def __len__(self) -> int:
        return len(self.start)


def opened(group: Int64, time: Int64, until: Int64) -> Int64:
    """For each row, the row that opened the entry which it uses: itself, or an earlier row of its group.

    Args:
        group: number of the cache or connection; rows of one group may use each other's entries.
        time: when a row uses or opens an entry.
        until: when the entry ends, if this row opens it; not before `time`.
    """
    rows = len(group)
    if not rows:
        return np.zeros(0, np.int64)
    order = order_by(group, time)
    # Groups in a row on one axis of time, each with a span of its own.
    first = int(time.min())
    span = int(until.max()) - first + 2
    fresh = starts_of_runs(group[order])
    number = np.cumsum(fresh) - 1
    at, last = number * span + (time - first)[order], number * span + (until - first)[order]
    following = np.searchsorted(at, last, side="right")
    opens = np.zeros(rows, np.bool_)
    current = np.flatnonzero(fresh)
    while len(current):
        opens[current] = True
        later = following[current]
        inside = later < rows
        inside[inside] = number[later[inside]] == number[current[inside]]
        current = later[inside]
    opener = np.empty(rows, np.int64)
    opener[order] = order[np.maximum.accumulate(np.where(opens, np.arange(rows), 0))]
    return opener


@dataclass(frozen=True)
class _Requests:
    """Who asks for which name when, by time."""

    client: Int64
    name: Int64
    time: Int64

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, choice: Int64) -> "_Requests":
        """The chosen rows."""
        return _Requests(self.client[choice], self.name[choice], self.time[choice])


def make_traffic(
    scenario: AgilityScenario, world: World, plan: Plan, rng: np.random.Generator
) -> tuple[Answers, Connections]:
    """The DNS answers and the connections of all requests, and the connections of strangers."""
    return _Traffic(scenario, world, plan, rng).make()


@dataclass(frozen=True)
class _Traffic:
    """One simulation of traffic. Its parts draw from one generator, in the order in which `make` calls them."""

    scenario: AgilityScenario
    world: World
    plan: Plan
    rng: np.random.Generator

    def make(self) -> tuple[Answers, Connections]:
        """The answers, and the connections as they were accepted."""
        requests = self._requests()
        answers, answer = self._resolve(requests)
        made = np.flatnonzero(self.rng.random(len(requests)) >= self.scenario.prefetch_share)
        connections = self._connect(requests.rows(made), answers.address[answer[made]])
        return answers, self._accepted(_joined(connections, self._scans()))

    def _requests(self) -> _Requests:
        scenario, rng = self.scenario, self.rng
        visits = max(1, round(scenario.requests / (1 + scenario.burst)))
        together = 1 + rng.poisson(scenario.burst, size=visits)
        client = np.repeat(rng.integers(0, scenario.clients, size=visits), together)
        begun = np.repeat(rng.integers(scenario.begin, scenario.end, size=visits), together)
        time = begun + (rng.exponential(0.3, size=len(begun)) * SECOND).astype(np.int64)
        name = np.searchsorted(self.world.popularity, rng.random(len(begun)), side="right")
        order = np.argsort(time, kind="stable")
        return _Requests(client, np.minimum(name, scenario.names - 1), time).rows(order)

    def _resolve(self, requests: _Requests) -> tuple[Answers, Int64]:
        """The answers that were given, and for each request the one that it used."""
        scenario, world, rng = self.scenario, self.world, self.rng
        name, time = requests.name, requests.time
        network = world.network[requests.client]
        itself = (world.mode[network] == Resolving.DIRECT) | (rng.random(len(time)) < scenario.own_share)
        cache = np.where(itself, requests.client, scenario.clients + self._resolver_cache(network))
        record, address = self.plan.hand_out(world.account[name], world.centre[network], time, rng)
        static = world.static[name]
        ttl = np.where(static, 10 * scenario.ttl, np.array([one.ttl for one in self.plan.policies])[record])
        overstays = rng.random(scenario.clients + scenario.networks + 2 * scenario.resolvers) < scenario.overstay_share
        longest = max(0, scenario.name_stretch - ASIDE)
        kept = ttl + np.where(overstays[cache], (rng.random(len(time)) * longest).astype(np.int64), 0)
        opener = opened(cache * scenario.names + name, time, time + kept)
        given = np.flatnonzero(opener == np.arange(len(time)))
        answers = Answers(
            network=network[given],
            client=np.where(itself, requests.client, -1)[given],
            name=name[given],
            address=np.where(static, STATIC + name, address)[given],
            time=time[given],
            ttl=ttl[given],
            logged=(world.named[network] | (rng.random(len(time)) >= scenario.answer_loss))[given],
        )
        return answers, np.searchsorted(given, opener)

    def _resolver_cache(self, network: Int64) -> Int64:
        """The number of the cache of each network's resolver: networks, then two of each shared resolver.

        A shared resolver keeps the addresses of IPv4 and of IPv6 apart.
        """
        world = self.world
        shared = self.scenario.networks + 2 * world.resolver[network] + world.ipv6[network]
        return np.where(world.mode[network] == Resolving.SHARED, shared, network)

    def _connect(self, requests: _Requests, address: Int64) -> Connections:
        """The connections that requests to these addresses opened, not those that went over open ones."""
        scenario, world, rng = self.scenario, self.world, self.rng
        start = requests.time + rng.integers(0, _CONNECT, endpoint=True, size=len(requests))
        length = scenario.connection_median * np.exp(rng.normal(0, scenario.connection_sigma, size=len(requests)))
        end = start + np.minimum(length, scenario.connection_lifetime).astype(np.int64)
        pair = (requests.client << 32) + address
        alone = np.arange(len(requests)) + (len(world.network) << 32)
        opener = opened(np.where(world.coalesces[requests.client], pair, alone), start, end)
        carried = np.unique(np.stack([opener, requests.name]), axis=1)[0]
        first = np.unique(opener)
        client, address = requests.client[first], address[first]
        return Connections(
            client=client,
            client_address=world.client_address(client),
            client_port=_ports(client, start[first]),
            name=requests.name[first],
            carried=np.bincount(carried, minlength=len(requests))[first],
            address=address,
            ipv6=world.ipv6[world.network[client]],
            **_servers(len(first), rng),
            centre=np.where(_in_pools(address), world.centre[world.network[client]], -1),
            rule=np.full(len(first), -1),
            start=start[first],
            end=end[first],
        )

    def _scans(self) -> Connections:
        """Connections of strangers to any address of the pool space, moments long."""
        scenario, rng = self.scenario, self.rng
        rows = round(scenario.scan_share * scenario.requests)
        start = rng.integers(scenario.begin, scenario.end, size=rows)
        stranger = rng.integers(1, 255, size=rows)
        none = np.full(rows, -1)
        return Connections(
            client=none,
            client_address=SCANNERS + stranger,
            client_port=_ports(stranger, start),
            name=none,
            carried=np.zeros(rows, np.int64),
            # A third of them in the /20 that is handed out most.
            address=POOL_SPACE + rng.integers(0, np.where(rng.random(rows) < 1 / 3, 1 << 12, POOL_SPACE_SIZE)),
            ipv6=np.zeros(rows, np.bool_),
            **_servers(rows, rng),
            centre=rng.integers(0, scenario.data_centres, size=rows),
            rule=none,
            start=start,
            end=start + rng.integers(1_000, SECOND, size=rows),
        )

    def _accepted(self, seen: Connections) -> Connections:
        """The connections as they were accepted: some in another data centre than meant, and by which rule."""
        centres, rng = self.scenario.data_centres, self.rng
        astray = (rng.random(len(seen)) < self.scenario.leak_share) & (seen.centre >= 0) & (centres > 1)
        turn = rng.integers(1, max(2, centres), size=len(seen))
        centre = np.where(astray, (seen.centre + turn) % centres, seen.centre)
        rule = self.plan.rule_of(Accepted(seen.address, seen.port, seen.protocol, centre, seen.start))
        return replace(seen, centre=centre, rule=np.where(centre < 0, -1, rule))


def _ports(client: Int64, start: Int64) -> Int64:
    """The client's port of each connection: a client uses its ports in turn."""
    order = order_by(client, start)
    port = np.empty(len(client), np.int64)
    nth = np.arange(len(client)) - np.searchsorted(client[order], client[order])
    port[order] = _FIRST_PORT + nth % _PORTS
    return port


def _servers(rows: int, rng: np.random.Generator) -> dict[str, Int64]:
    which = rng.choice(len(_SERVERS), size=rows, p=[share for _, _, share in _SERVERS])
    return {name: np.array([server[i] for server in _SERVERS])[which] for i, name in enumerate(("protocol", "port"))}


def _in_pools(address: Int64) -> Bool:
    return (address >= POOL_SPACE) & (address < POOL_SPACE + POOL_SPACE_SIZE)


def _joined(one: Connections, other: Connections) -> Connections:
    return Connections(**{name: np.r_[values, getattr(other, name)] for name, values in one.__dict__.items()})


def twin(address: Int64, ipv6: Bool) -> Int64:
    """Address numbers on the wire: of IPv6 the twin."""
    return address + np.where(ipv6, TWIN, 0)
