"""The scenario of addressing agility: every parameter of a world in which policies hand addresses out."""

from dataclasses import dataclass

from attribution.config import HOUR, MINUTE, SECOND
from attribution.errors import ConfigError
from attribution.testbed.fleet.parameters import a_duration, a_share, as_dict, check, check_skew, overridden
from attribution.testbed.fleet.scenarios import BEGIN

#: What `--scenario` calls it.
AGILITY = "agility"

#: Clients of one network at the most: its prefix is a /24, or a /120.
LARGEST_NETWORK = 250
#: A little less than `name_stretch`, for the moment between an answer and the connection that follows it.
ASIDE = 100_000

_NEVER_ZERO = (
    "duration", "names", "networks", "clients", "resolvers", "data_centres", "requests", "connection_median", "window",
    "connection_lifetime",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AgilityScenario:
    """What a simulation of addressing agility does; durations and times in microseconds, shares between 0 and 1.

    Attributes:
        begin: when the first request may be made, microseconds UTC.
        duration: how long requests are made.
        names: hostnames; each belongs to an account of one of three types, on which policies depend.
        popularity: exponent of the Zipf law of names' popularity; higher makes hot names hotter.
        static_share: share of names that have one address of their own, outside all pools.
        networks: networks of clients, each with one prefix.
        clients: clients; each is in one network.
        resolver_share: share of networks whose clients ask through a resolver that many networks share. The log of
            DNS answers has the resolver's address; `shared_resolvers` says whose resolver it is.
        ecs_share: share of networks whose resolver says for which prefix it asks (EDNS client subnet).
        resolvers: resolvers that networks share.
        own_share: share of those networks' requests that a client resolves by itself, around the shared resolver.
        named_share: share of the networks (and shared resolvers) all of whose DNS answers are logged: `named_prefixes`.
        answer_loss: share of the DNS answers to all others that are not.
        overstay_share: share of caches that keep answers beyond their TTL.
        name_stretch: how long beyond it, at the most; the setting of that name.
        ttl: how long an answer may be used; answers of two of the policies, and of static names, ten times as long.
        data_centres: places that answer queries and accept connections; every other one is in the second region.
        requests: requests that clients make, about.
        burst: requests that come with another one at once, on average: what a page loads.
        prefetch_share: share of requests that are resolved and never made.
        coalescing_share: share of clients that send a request over an open connection to the address that the name has
            for them, whatever name it was opened for.
        connection_median: median duration of a connection.
        connection_sigma: sigma of its log-normal law.
        connection_lifetime: longest duration of a connection; the setting of that name.
        policy_changes: how often the pool of the changing policy changes.
        rule_changes: how often the changing socket rules change.
        leak_share: share of connections that reach a data centre other than the client's.
        scan_share: connections by strangers that no DNS answer precedes, to any address of the pool space, as a share
            of the requests.
        sni_share: share of records of single connections that carry the name.
        client_view_share: share of networks where a sensor logs the clients' side too.
        window_share: share of the observers that log windows instead of connections.
        pair_share: share of these that do not tell the ports of clients apart: one record for a client, a server, a
            server's port and a window.
        window: length of a window.
        undirected_share: share of records that do not say which side opened the flow.
        ipv6_share: share of networks with IPv6 addresses.
        report_delay: longest time between the end of a flow, or a DNS answer, and its delivery.
        clock_tolerance: the tolerance that the skews must stay inside of.
        max_skew: largest offset of a clock; at most half of `clock_tolerance`.
    """

    begin: int = BEGIN
    duration: int = a_duration(30 * MINUTE)
    names: int = 2_000
    popularity: float = 1.0
    static_share: float = a_share(0.1)
    networks: int = 16
    clients: int = 400
    resolver_share: float = a_share(0.3)
    ecs_share: float = a_share(0.2)
    resolvers: int = 4
    own_share: float = a_share(0.1)
    named_share: float = a_share(0.6)
    answer_loss: float = a_share(0.3)
    overstay_share: float = a_share(0.3)
    name_stretch: int = a_duration(MINUTE)
    ttl: int = a_duration(30 * SECOND)
    data_centres: int = 3
    requests: int = 30_000
    burst: float = 2.0
    prefetch_share: float = a_share(0.15)
    coalescing_share: float = a_share(0.5)
    connection_median: int = a_duration(8 * SECOND)
    connection_sigma: float = 1.8
    connection_lifetime: int = a_duration(2 * HOUR)
    policy_changes: int = 3
    rule_changes: int = 4
    leak_share: float = a_share(0.02)
    scan_share: float = a_share(0.01)
    sni_share: float = a_share(0.25)
    client_view_share: float = a_share(0.5)
    window_share: float = a_share(0.4)
    pair_share: float = a_share(0.5)
    window: int = a_duration(MINUTE)
    undirected_share: float = a_share(0.02)
    ipv6_share: float = a_share(0.2)
    report_delay: int = a_duration(30 * SECOND)
    clock_tolerance: int = a_duration(SECOND)
    max_skew: int = a_duration(400_000)

    def __post_init__(self) -> None:
        check(self, _NEVER_ZERO)
        check_skew(self.max_skew, self.clock_tolerance)
        if self.clients > self.networks * LARGEST_NETWORK:
            raise ConfigError(
                f"scenario: {self.clients} clients do not fit into {self.networks} networks of {LARGEST_NETWORK}; "
                "set networks higher or clients lower"
            )
        for name, most in (("networks", 1 << 14), ("names", 1 << 24), ("resolvers", 1 << 10), ("data_centres", 64)):
            if getattr(self, name) > most:
                raise ConfigError(f"scenario: {name} must be at most {most}, found {getattr(self, name)}")

    @property
    def end(self) -> int:
        """When the last request may be made, microseconds UTC; what a page loads comes moments later."""
        return self.begin + self.duration

    def to_dict(self) -> dict[str, object]:
        """Every parameter, durations as text that `--set` reads back."""
        return as_dict(self)


def agility_scenario(overrides: tuple[str, ...] = ()) -> AgilityScenario:
    """The scenario, changed by overrides such as `"answer_loss=0.5"` or `"ttl=5m"`.

    Raises:
        ConfigError: there is no such parameter, or a value does not fit.
    """
    return overridden(AgilityScenario(), overrides)
