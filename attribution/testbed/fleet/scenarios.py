"""Scenarios: every parameter of a simulated fleet, and the named presets."""

from dataclasses import dataclass

from attribution.config import HOUR, MINUTE, SECOND
from attribution.errors import ConfigError
from attribution.testbed.fleet.parameters import (
    SocketParameters,
    a_duration,
    a_share,
    as_dict,
    check,
    check_skew,
    overridden,
)

#: 2026-03-02T00:00:00Z, a Monday.
BEGIN = 1_772_409_600_000_000


#: Parameters that something is divided by, or that would leave nothing to simulate.
_NEVER_ZERO = (
    "services", "replicas", "hosts", "duration", "lifetime", "job_lifetime", "redeploy_every", "load_balancer_lifetime",
    "heartbeat_period", "connection_median", "window", "long_window", "export_timeout", "regions", "networks",
    "nat_gateways",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scenario(SocketParameters):
    """What a simulation does; durations and times in microseconds, shares between 0 and 1.

    Attributes:
        begin: when the first flow may start, microseconds UTC.
        duration: how long flows start.
        lead: how long before and after that the fleet runs and sends heartbeats.
        services: services of the fleet; the first is called `gateway`.
        replicas: mean replicas of a service; popular services have more.
        popularity: exponent of the Zipf law of services' popularity; higher makes hot services hotter.
        fanout: services that a service calls.
        gateway_fanout: services that the gateway calls; 0 for as many as any other.
        gateway_share: share of connections that the gateway opens; 0 for what its popularity gives.
        port_owner_share: share of services that hold single ports of node addresses.
        port_owner_calls: share of those services that call others. Their connections leave from ports that no
            heartbeat is about, so the other side cannot attribute them.
        job_share: share of services that are short jobs.
        hosts: machines; each has one observer (its clock, its kind of log) and one node address.
        lifetime: mean time until a replica is replaced on its own.
        job_lifetime: mean life of a job.
        redeploy_every: mean time between redeployments of a service.
        rolling: how long a rolling redeployment takes.
        restart_gap: mean time between the end of a replica and the start of its successor, either way round.
        move_share: share of replacements in which the workload stays and only its address changes.
        ipv6_share: share of services with IPv6 addresses.
        spare_addresses: free addresses at the beginning, as a multiple of the replicas.
        reuse_pause: how long a freed address stays unused.
        reuse_hot: share of new owners that take the address freed last; the others take the one freed first.
        handover_share: share of those owners that start at the very microsecond in which the address becomes free.
        handover_reach: how much earlier than planned such an owner may start.
        return_share: share of moves that go back to an address the workload had, if it is free.
        return_pause: how long a workload stays away from an address that it left. Below `max_gap` plus
            `clock_tolerance` no attribution by heartbeats is sound: see `docs/simulation.md`.
        heartbeat_period: time between two heartbeats of a workload for an address.
        heartbeat_jitter: largest deviation from it, either way.
        heartbeat_loss: share of heartbeats lost, each on its own.
        outage_share: share of the 5-minute spans of a host in which all its heartbeats are lost.
        silent_share: share of services that send no heartbeat at all, and share of workloads of the others.
        heartbeat_delay: longest time between a heartbeat and its delivery.
        heartbeat_duplicates: share of heartbeats delivered twice.
        stranger_share: share of heartbeats that another host's observer made, by its own clock.
        clock_tolerance: the tolerance that the skews must stay inside of.
        max_skew: largest offset of an observer's clock; at most half of `clock_tolerance`.
        connections: connections drawn. A few come to nothing (a replica was down); each other one gives a flow for
            every side and window that logs it.
        connection_median: median duration of a connection.
        connection_sigma: sigma of its log-normal law; 2 makes the longest percent last a hundred times the median.
        boundary_share: share of connections that start within seconds of the start or the end of their server.
        ingress_share: share of connections that the server's side logs too.
        capture_share: share of hosts whose log knows the local workload of an address that one workload holds.
        shared_capture_share: share of those that also tell apart the workloads that share the host's own address. Their
            flows are heartbeats of an address that is not all theirs: see `docs/simulation.md`.
        window_share: share of hosts that log aggregation windows instead of connections.
        window: length of a window.
        long_window_share: share of those hosts that log long windows.
        long_window: length of a long window.
        routers: routers that log connections inside the fleet as windows, each way by itself and without a direction.
        router_share: share of these connections that each router sees.
        samplers: routers that take samples of the packets instead; they are among the routers.
        exporters: routers whose records show the second of their export only, as softflowd's do; they are among the
            routers.
        export_timeout: longest time from a packet to the record of such a router that counts it.
        late_routers: routers whose clock is late, and whose records show when they were received; they are among the
            routers.
        late_by: how late these clocks are at the most; each is at least a quarter of that late.
        second_log_share: share of the hosts with short windows that write long windows, too.
        repeated_share: share of flows that are delivered a second time, with the same `record_id`.
        report_delay: longest time between a flow's end and its delivery.
        load_balancers: load balancers; they have assignment events and no heartbeats.
        load_balancer_lifetime: mean time until a load balancer is replaced.
        balancers_among_workloads: share of load balancers that take addresses which workloads had, and give them back.
        assignment_delay: longest time between such an event and its delivery; each event has its own.
        assignment_loss: share of the load balancers' assignment events that attribution never gets.
        external_services: labelled prefixes outside the fleet.
        unlabelled: addresses outside the fleet that nothing names.
        external_share: share of connections to or from endpoints that are no workload.
        dns_share: share of connections to labelled endpoints before which a DNS answer was seen.
        event_delay: median time between an event of the control plane and its delivery, each event on its own.
        event_delay_sigma: sigma of its log-normal law.
        event_lag: median time that the streams of events are behind on top of it. Each address belongs to one of 16
            streams; a stream's lag is constant, so that it delivers in order but for `event_delay`.
        event_loss: share of events lost.
        regions: regions, at most 16; the services, the load balancers and the hosts belong to them in turn, and each
            region has addresses of its own. `regions.csv` says which.
        crossing_share: share of connections between two regions or networks, those near a boundary aside.
        networks: networks, at most 8; the services, the load balancers and the hosts belong to them in turn. Each
            network is joined to the next one by a route. `settings.toml` says the routes.
        overlap: share of the addresses that all networks use at once; those that routes are about are never among them.
        routed_share: share of services and load balancers whose addresses a route joins to the next networks.
        floating_share: share of services whose addresses pass between two joined networks, and are in one at a time.
        told_share: share of hosts whose log tells the network of the remote address, too.
        network_loss: share of flows that do not tell their networks. Of addresses that routes are about, it is also the
            share of the evidence that does not.
        shared_network_loss: the same share of the evidence about the other addresses, which several networks may use.
            Above zero no attribution is sound: see `docs/simulation.md`.
        pool_services: services behind addresses that policies hand out, each behind sockets that rules give to it.
        rule_loss: share of these rules that attribution never gets.
    """

    begin: int = BEGIN
    duration: int = a_duration(30 * MINUTE)
    lead: int = a_duration(5 * MINUTE)
    services: int = 12
    replicas: float = 4.0
    popularity: float = 0.9
    fanout: int = 4
    gateway_fanout: int = 0
    gateway_share: float = a_share(0.0)
    port_owner_share: float = a_share(0.1)
    port_owner_calls: float = a_share(1.0)
    job_share: float = a_share(0.1)
    hosts: int = 8
    lifetime: int = a_duration(HOUR)
    job_lifetime: int = a_duration(2 * MINUTE)
    redeploy_every: int = a_duration(HOUR)
    rolling: int = a_duration(2 * MINUTE)
    restart_gap: int = a_duration(2 * SECOND)
    move_share: float = a_share(0.05)
    ipv6_share: float = a_share(0.2)
    spare_addresses: float = 0.2
    reuse_pause: int = a_duration(30 * SECOND)
    reuse_hot: float = a_share(0.5)
    handover_share: float = a_share(0.2)
    handover_reach: int = a_duration(MINUTE)
    return_share: float = a_share(0.0)
    return_pause: int = a_duration(185 * SECOND)
    heartbeat_period: int = a_duration(MINUTE)
    heartbeat_jitter: int = a_duration(2 * SECOND)
    heartbeat_loss: float = a_share(0.01)
    outage_share: float = a_share(0.0)
    silent_share: float = a_share(0.0)
    heartbeat_delay: int = a_duration(30 * SECOND)
    heartbeat_duplicates: float = a_share(0.01)
    stranger_share: float = a_share(0.0)
    clock_tolerance: int = a_duration(SECOND)
    max_skew: int = a_duration(100_000)
    connections: int = 20_000
    connection_median: int = a_duration(5 * SECOND)
    connection_sigma: float = 1.5
    boundary_share: float = a_share(0.02)
    ingress_share: float = a_share(0.5)
    capture_share: float = a_share(0.75)
    shared_capture_share: float = a_share(0.0)
    window_share: float = a_share(0.25)
    window: int = a_duration(MINUTE)
    long_window_share: float = a_share(0.3)
    long_window: int = a_duration(10 * MINUTE)
    routers: int = 0
    router_share: float = a_share(0.5)
    samplers: int = 0
    exporters: int = 0
    export_timeout: int = a_duration(2 * MINUTE)
    late_routers: int = 0
    late_by: int = a_duration(50 * SECOND)
    second_log_share: float = a_share(0.0)
    repeated_share: float = a_share(0.0)
    report_delay: int = a_duration(30 * SECOND)
    load_balancers: int = 2
    load_balancer_lifetime: int = a_duration(6 * HOUR)
    balancers_among_workloads: float = a_share(0.0)
    assignment_delay: int = a_duration(0)
    assignment_loss: float = a_share(0.0)
    external_services: int = 3
    unlabelled: int = 10
    external_share: float = a_share(0.1)
    dns_share: float = a_share(0.8)
    event_delay: int = a_duration(5 * SECOND)
    event_delay_sigma: float = 1.5
    event_lag: int = a_duration(0)
    event_loss: float = a_share(0.005)
    regions: int = 1
    crossing_share: float = a_share(0.01)
    networks: int = 1
    overlap: float = a_share(0.8)
    routed_share: float = a_share(0.3)
    floating_share: float = a_share(0.1)
    told_share: float = a_share(0.2)
    network_loss: float = a_share(0.1)
    shared_network_loss: float = a_share(0.0)
    pool_services: int = 0
    rule_loss: float = a_share(0.1)

    def __post_init__(self) -> None:
        check(self, _NEVER_ZERO)
        check_skew(self.max_skew, self.clock_tolerance)
        special = self.samplers + self.exporters + self.late_routers
        if special > self.routers:
            raise ConfigError(
                f"scenario: samplers, exporters and late_routers ({special}) must be at most routers ({self.routers}), "
                "of which they are"
            )

        if self.node_port_share and self.zones > 1:
            raise ConfigError(
                "scenario: node_port_share needs one region and one network: set regions=1 and networks=1"
            )

    @property
    def zones(self) -> int:
        """How many parts the fleet has, each with addresses of its own: its regions or its networks."""
        return self.regions * self.networks

    @property
    def several_observers(self) -> bool:
        """Whether more than the two ends of a conversation may report it, or one of them twice."""
        return bool(self.routers or self.second_log_share or self.repeated_share)

    @property
    def end(self) -> int:
        """When the last flow may start, microseconds UTC."""
        return self.begin + self.duration

    @property
    def first(self) -> int:
        """When the first heartbeat may be sent, microseconds UTC."""
        return self.begin - self.lead

    @property
    def last(self) -> int:
        """When the fleet stops: no heartbeat and no traffic afterwards, microseconds UTC."""
        return self.end + self.lead

    def to_dict(self) -> dict[str, object]:
        """Every parameter, durations as text that `--set` reads back."""
        return as_dict(self)


PRESETS: dict[str, Scenario] = {
    "small": Scenario(),
    "day": Scenario(
        duration=24 * HOUR, services=60, replicas=5, hosts=40, connections=1_000_000, lifetime=12 * HOUR,
        redeploy_every=6 * HOUR, rolling=10 * MINUTE, load_balancers=6, external_services=8, unlabelled=200,
        gateway_share=0.2, gateway_fanout=40,
    ),
    "hostile": Scenario(
        services=16, replicas=4, hosts=24, lifetime=20 * MINUTE, job_share=0.15, job_lifetime=30 * SECOND,
        redeploy_every=30 * MINUTE, rolling=MINUTE, restart_gap=SECOND, port_owner_share=0.25, move_share=0.3,
        spare_addresses=0.2, reuse_pause=0, reuse_hot=0.7, handover_share=0.8, return_share=0.9,
        heartbeat_jitter=10 * SECOND, heartbeat_loss=0.2, outage_share=0.02, silent_share=0.04,
        heartbeat_delay=5 * MINUTE, heartbeat_duplicates=0.1, stranger_share=0.2, max_skew=500_000,
        boundary_share=0.2, capture_share=0.5, window_share=0.3, connection_sigma=2.0,
        report_delay=5 * MINUTE, load_balancer_lifetime=10 * MINUTE, event_delay=20 * SECOND, event_loss=0.02,
        nat_share=0.3,
    ),
    "lossless": Scenario(
        duration=2 * HOUR, lifetime=6 * HOUR, redeploy_every=4 * HOUR, job_share=0.0, port_owner_calls=0.0,
        heartbeat_loss=0.0, heartbeat_duplicates=0.0, connections=40_000, capture_share=1.0, window_share=0.0,
        boundary_share=0.0, event_loss=0.0,
    ),
    "gateway": Scenario(
        duration=HOUR, services=100, replicas=5, popularity=0.5, fanout=5, hosts=40, connections=120_000,
        gateway_fanout=45, gateway_share=0.5, port_owner_share=0.0, job_share=0.0, ipv6_share=0.0,
        lifetime=HOUR, redeploy_every=8 * MINUTE, rolling=4 * MINUTE, move_share=0.0,
        spare_addresses=0.02, reuse_pause=5 * SECOND, reuse_hot=0.9, handover_share=0.3,
        window_share=0.0, capture_share=1.0, ingress_share=1.0, connection_median=20 * SECOND, boundary_share=0.0,
        event_delay=5 * SECOND, event_delay_sigma=1.5, event_lag=5 * MINUTE, event_loss=0.03,
    ),
}  # fmt: skip


def scenario(name: str, overrides: tuple[str, ...] = ()) -> Scenario:
    """The preset of that name, changed by overrides such as `"heartbeat_loss=0.3"` or `"duration=2h"`.

    Raises:
        ConfigError: there is no such preset or parameter, or a value does not fit.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no scenario {name!r}; the scenarios are {', '.join(PRESETS)}")
    return overridden(PRESETS[name], overrides)
