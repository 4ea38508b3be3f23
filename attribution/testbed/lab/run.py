"""One run of the lab: servers, resolvers and clients on loopback for a while."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Final, Literal

from attribution.config import SECOND
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.names import Name, Popularity, catalogue
from attribution.testbed.lab.dns.policies import Policy, PolicyEngine
from attribution.testbed.lab.dns.resolver import CachingResolver
from attribution.testbed.lab.dns.server import AuthoritativeServer, Binding
from attribution.testbed.lab.dns.service import DnsService, Responder
from attribution.testbed.lab.journal import Endpoint, Journal
from attribution.testbed.lab.scenarios import ELSEWHERE, HERE, Ports, Scenario
from attribution.testbed.lab.sockets.listeners import Listeners, UnavailableError, by_program, wildcard
from attribution.testbed.lab.sockets.namespace import call_in_thread
from attribution.testbed.lab.sockets.rules import SocketRule, in_order
from attribution.testbed.lab.web.certificates import Certificates
from attribution.testbed.lab.web.clients import Client
from attribution.testbed.lab.web.server import WebServers

Dispatch = Literal["auto", "sk_lookup", "wildcard"]

_SERVERS: Final = {HERE: "127.53.0.1", ELSEWHERE: "127.53.0.2"}
#: Clients that ask the server themselves, and those of the other data centre.
_DIRECT, _LEAKED = "127.128.0.0/16", "127.131.0.0/16"
#: Clients of the resolver that says for whom it asks, and of the one that does not (and keeps answers too long).
SUBNET_CLIENTS: Final = "127.129.0.0/16"
SHARED_CLIENTS: Final = "127.130.0.0/16"
SUBNET_RESOLVER: Final = "127.129.255.53"
SHARED_RESOLVER: Final = "127.130.255.53"

_GRACE_S: Final = 60.0
_LAG_STEP_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The parts of a run, and what happened in it; times in microseconds.

    Attributes:
        scenario: the parameters.
        seed: seed of all random choices.
        how: how connections came to services, in words.
        start: when the run began.
        end: when the last client had left.
        names: the names that were served.
        policies: the policies that gave addresses to names.
        rules: the socket rules that gave connections to services.
        told: answers of the authoritative servers, in order.
        dns: number of queries by outcome.
        journal: the connections.
        lag: the longest time that the event loop was late, in seconds.
    """

    scenario: Scenario
    seed: int
    how: str
    start: int
    end: int
    names: Sequence[Name]
    policies: Sequence[Policy]
    rules: Sequence[SocketRule]
    told: Sequence[Binding]
    dns: Counter[str]
    journal: Journal
    lag: float


def now() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def play(scenario: Scenario, *, seed: int, dispatch: Dispatch = "auto", clock: Callable[[], int] = now) -> Outcome:
    """Play a scenario. It takes as long as the scenario says, and a moment for the last clients to leave.

    Args:
        scenario: The parameters.
        seed: Seed of names, addresses and clients' decisions. Time is real, so two runs of one seed still differ.
        dispatch: How connections come to services: by a sk_lookup program, by wildcard sockets, or by the first of both
            that works here.
        clock: The time, in microseconds.

    Raises:
        UnavailableError: `dispatch` is `sk_lookup`, and the program cannot be loaded here.
        LabError: The run did not come to an end, or nothing can listen here.
    """
    services = dict.fromkeys(rule.service for rule in scenario.rules(Ports(), 0))

    def in_own_namespace() -> Outcome:
        with by_program(services) as listeners:
            return asyncio.run(_Run(scenario, seed, listeners, clock).play())

    why = ""
    if dispatch != "wildcard":
        try:
            return call_in_thread(in_own_namespace)
        except UnavailableError as error:
            if dispatch == "sk_lookup":
                raise
            why = str(error)
    with wildcard(why) as listeners:
        return asyncio.run(_Run(scenario, seed, listeners, clock).play())


class _Run:
    """The parts of one run, which are made and played inside of one event loop."""

    def __init__(self, scenario: Scenario, seed: int, listeners: Listeners, clock: Callable[[], int]) -> None:
        self._scenario, self._seed, self._listeners, self._clock = scenario, seed, listeners, clock
        self._journal = Journal()
        self._rules: list[SocketRule] = []
        self._lag = 0.0

    async def play(self) -> Outcome:
        scenario = self._scenario
        try:
            async with asyncio.timeout(scenario.seconds + _GRACE_S), AsyncExitStack() as held:
                return await self._play(held)
        except TimeoutError:
            raise LabError(
                f"the lab was not over {_GRACE_S:g} s after its {scenario.seconds:g} s: this machine is too busy for "
                f"{scenario.clients:,} clients; ask for fewer"
            ) from None

    async def _play(self, held: AsyncExitStack) -> Outcome:
        scenario, clock = self._scenario, self._clock
        names = catalogue(scenario.names, self._rng("names"))
        certificates = Certificates()
        web = WebServers(self._listeners, certificates, self._journal, clock=clock)
        start = clock()
        until = start + round(scenario.seconds * SECOND)
        engine = PolicyEngine(scenario.policies(names, start))
        self._rules = scenario.rules(self._listeners.ports, start)
        self._put()
        web.start()
        held.push_async_callback(web.close)
        authorities = {place: self._authority(names, engine, place) for place in _SERVERS}
        servers = {
            place: await self._serve(held, authority.respond, _SERVERS[place])
            for place, authority in authorities.items()
        }
        clients = self._clients(servers, await self._resolvers(held, servers[HERE]), names, certificates)
        background = [asyncio.create_task(self._change()), asyncio.create_task(self._watch())]
        held.callback(lambda: [task.cancel() for task in background])
        await asyncio.gather(*(client.run(until) for client in clients))
        return Outcome(
            scenario=scenario, seed=self._seed, how=self._listeners.how, start=start, end=clock(), names=names,
            policies=engine.policies, rules=self._rules, journal=self._journal, lag=self._lag,
            told=sorted((told for one in authorities.values() for told in one.told), key=lambda told: told.time),
            dns=sum((one.outcomes for one in authorities.values()), Counter()),
        )  # fmt: skip

    def _rng(self, part: str) -> random.Random:
        """The random choices of one part, which do not depend on those of other parts."""
        return random.Random(f"{self._seed} {part}")  # noqa: S311 - no secret

    def _authority(self, names: Sequence[Name], engine: PolicyEngine, place: str) -> AuthoritativeServer:
        return AuthoritativeServer(
            names, engine, data_centre=place, clock=self._clock, rng=self._rng(f"dns {place}"),
            truncated_share=self._scenario.truncated_share,
        )  # fmt: skip

    async def _serve(self, held: AsyncExitStack, respond: Responder, address: str) -> Endpoint:
        service = DnsService(respond)
        held.push_async_callback(service.close)
        await service.start(address)
        return service.endpoint

    async def _resolvers(self, held: AsyncExitStack, upstream: Endpoint) -> dict[str, Endpoint]:
        """Start the resolvers; returns the endpoint of each by the prefix of its clients."""
        subnet = CachingResolver(upstream, source=SUBNET_RESOLVER, clock=self._clock, client_prefix=SUBNET_CLIENTS)
        shared = CachingResolver(upstream, source=SHARED_RESOLVER, clock=self._clock, overstay=self._scenario.overstay)
        endpoints = {}
        for resolver, address, prefix in (
            (subnet, SUBNET_RESOLVER, SUBNET_CLIENTS), (shared, SHARED_RESOLVER, SHARED_CLIENTS)
        ):  # fmt: skip
            held.push_async_callback(resolver.close)
            endpoints[prefix] = await self._serve(held, resolver.respond, address)
        return endpoints

    def _clients(
        self, servers: dict[str, Endpoint], resolvers: dict[str, Endpoint], names: Sequence[Name],
        certificates: Certificates,
    ) -> list[Client]:  # fmt: skip
        scenario, rng = self._scenario, self._rng("clients")
        popularity, context = Popularity(names, scenario.zipf), certificates.client_context()
        resolved = scenario.resolved_share / 2
        places = {
            _LEAKED: (servers[ELSEWHERE], scenario.leaked_share),
            SUBNET_CLIENTS: (resolvers[SUBNET_CLIENTS], (1 - scenario.leaked_share) * resolved),
            SHARED_CLIENTS: (resolvers[SHARED_CLIENTS], (1 - scenario.leaked_share) * resolved),
            _DIRECT: (servers[HERE], (1 - scenario.leaked_share) * (1 - scenario.resolved_share)),
        }
        shares = [share for _, share in places.values()]
        chosen = rng.choices(list(places), shares, k=scenario.clients)
        return [
            Client(
                address=str(ip_address(int(ip_network(prefix).network_address) + 1 + number)),
                server=places[prefix][0], scenario=scenario, ports=self._listeners.ports, popularity=popularity,
                context=context, journal=self._journal, clock=self._clock, rng=self._rng(f"client {number}"),
                # Behind a resolver that keeps answers too long, a client that does as well would do it twice over.
                overstay=scenario.overstay * (prefix != SHARED_CLIENTS and rng.random() < scenario.overstay_share),
            )
            for number, prefix in enumerate(chosen)
        ]  # fmt: skip

    def _put(self) -> None:
        time = self._clock()
        self._listeners.put(in_order(rule for rule in self._rules if rule.in_force(time)))

    async def _change(self) -> None:
        """Put rules in force when it is time, and write down when they really came into force."""
        for change in sorted({rule.start for rule in self._rules if rule.start is not None}):
            # The loop's clock and the wall's may differ a little: a rule must never be there before its time.
            while (wait := change - self._clock()) > 0:  # noqa: ASYNC110 - it is a time that is waited for
                await asyncio.sleep(wait / SECOND)
            before = self._clock()
            self._put()
            after = self._clock()
            self._rules = [
                replace(
                    rule,
                    start=after if rule.start == change else rule.start,
                    end=before if rule.end == change - 1 else rule.end,
                )
                for rule in self._rules
            ]

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time() + _LAG_STEP_S
            await asyncio.sleep(_LAG_STEP_S)
            self._lag = max(self._lag, loop.time() - asked)
