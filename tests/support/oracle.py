"""The rules of attribution once more: one flow at a time, in plain Python, slow and obvious.

This is the specification in executable form. It imports nothing of the package, so that it can disagree with it. Its
functions stand in the order of "Rules of attribution" in docs/design.md and use its words; read them side by side.
Times and durations are whole microseconds, intervals are closed, addresses are canonical text.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address, ip_network

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

TCP = 6
#: TCP, UDP, DCCP, SCTP, UDP-Lite.
PROTOCOLS_WITH_PORTS = {6, 17, 33, 132, 136}


# What goes in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    clock_tolerance: int = SECOND
    max_gap: int = 3 * MINUTE
    hold: int = 4 * MINUTE
    retention: int = 24 * HOUR
    workload_memory: int = 24 * HOUR
    assignment_hold: int = 4 * MINUTE  # decides when a stream answers, not what
    record_memory: int = 15 * MINUTE  # decides which flows a stream takes for repeats, not what it answers
    max_lag: int = 5 * MINUTE
    active_timeout: int = 0  # not known
    name_stretch: int = MINUTE
    connection_lifetime: int = 24 * HOUR
    workload_prefixes: tuple[str, ...] = ()
    shared_prefixes: tuple[str, ...] = ()
    translated_prefixes: tuple[str, ...] = ()
    pool_prefixes: tuple[str, ...] = ()
    named_prefixes: tuple[str, ...] = ()
    shared_resolvers: tuple[str, ...] = ()  # "resolver=prefix"
    ephemeral_ports: str = "32768-65535"
    routes: tuple[str, ...] = ()  # "network,network" or "network,network,prefix"; "-" is no network
    one_space: bool = False


@dataclass(frozen=True)
class Heartbeat:
    address: str
    port: int | None  # None: the whole address
    workload: str
    service: str | None
    start: int
    end: int
    observer: str | None = None
    protocol: int | None = TCP  # of the port; without one it means nothing
    last_port: int | None = None  # None: the one port
    network: str | None = None
    claim: str | None = None  # what a connection shows of its port


@dataclass(frozen=True)
class Assignment:
    address: str
    port: int | None
    owner: str
    service: str | None
    action: str  # "assign" or "release"
    time: int
    kind: str | None = None
    protocol: int | None = TCP  # of the port; without one it means nothing
    network: str | None = None


@dataclass(frozen=True)
class NameBinding:
    client_address: str
    server_address: str
    hostname: str
    time: int
    ttl: float | None  # seconds
    client_prefix: str | None = None
    network: str | None = None


@dataclass(frozen=True)
class Label:
    prefix: str
    service: str
    kind: str | None = None
    region: str | None = None
    network: str | None = None  # None: every network


@dataclass(frozen=True)
class Policy:
    policy: str
    pool: str
    prefix: str
    match: str | None = None
    priority: int | None = None  # decides what is answered, not what was
    ttl: float | None = None
    start: int | None = None
    end: int | None = None
    network: str | None = None  # None: every network


@dataclass(frozen=True)
class SocketRule:
    rule: str
    prefix: str
    service: str
    port: int | None = None  # None: all ports
    last_port: int | None = None
    protocol: int | None = None
    priority: int | None = None
    data_centre: str | None = None
    start: int | None = None
    end: int | None = None
    network: str | None = None  # None: every network


@dataclass(frozen=True)
class Flow:
    start: int
    end: int
    local_address: str
    local_port: int | None
    remote_address: str
    remote_port: int | None
    local_workload: str | None = None
    local_service: str | None = None
    hostname: str | None = None
    observer: str | None = None
    basis: str = "connection"
    protocol: int | None = TCP
    direction: str | None = None
    region: str | None = None
    data_centre: str | None = None
    local_network: str | None = None
    remote_network: str | None = None
    received: int | None = None
    wire_address: str | None = None
    wire_port: int | None = None
    remote_wire_address: str | None = None
    remote_wire_port: int | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    packets_sent: int | None = None
    packets_received: int | None = None


@dataclass(frozen=True)
class Evidence:
    heartbeats: tuple[Heartbeat, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    name_bindings: tuple[NameBinding, ...] = ()
    labels: tuple[Label, ...] = ()
    policies: tuple[Policy, ...] = ()
    socket_rules: tuple[SocketRule, ...] = ()
    flows: tuple[Flow, ...] = ()  # as reports of one end of connections; what heartbeats they are stands above


# What comes out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    workload: str | None
    service: str | None
    method: str
    reason: str
    distance: int | None = None


@dataclass(frozen=True)
class Handed:
    pool: str | None = None
    policy: str | None = None
    policy_state: str | None = None


@dataclass(frozen=True)
class Name:
    hostname_reason: str
    hostname_count: int
    hostname_candidates: str | None = None
    local_hostname: str | None = None
    remote_hostname: str | None = None


@dataclass(frozen=True)
class Attributed:
    local: Side
    remote: Side
    local_handed: Handed
    remote_handed: Handed
    name: Name
    remote_evidence_network: str | None = None


def unattributed(reason: str) -> Side:
    return Side(None, None, "none", reason)


def attribute(evidence: Evidence, flow: Flow, settings: Settings) -> Attributed:
    """The answer of the rules for one flow, when all evidence is known."""
    if settings.one_space:
        flow = replace(flow, local_network=None, remote_network=None)
        evidence = Evidence(*(without_networks(getattr(evidence, kind.name)) for kind in fields(Evidence)))
        return attribute(evidence, flow, replace(settings, one_space=False))
    untimed, flow = is_untimed(flow, settings), timed(flow, settings)
    nobody = unattributed("untimed")
    if flow.local_workload is not None:
        local = Side(flow.local_workload, flow.local_service, "capture", "reported")
    else:
        local = nobody if untimed else side(evidence, flow, "local", settings)
    remote = nobody if untimed else side(evidence, flow, "remote", settings)
    if untimed and flow.hostname is None:
        name = Name("untimed", 0)
    else:
        name = name_of(evidence.name_bindings, flow, {"local": local, "remote": remote}, settings)
    return Attributed(
        local,
        remote,
        local_handed=handed(evidence.policies, flow, "local", settings),
        remote_handed=handed(evidence.policies, flow, "remote", settings),
        name=name,
        remote_evidence_network=evidence_network(evidence, flow, remote, settings),
    )


def without_networks(records: tuple) -> tuple:
    return tuple(
        replace(r, local_network=None, remote_network=None) if isinstance(r, Flow) else replace(r, network=None)
        for r in records
    )


def evidence_network(evidence: Evidence, flow: Flow, remote: Side, settings: Settings) -> str | None:
    """The network of the heartbeats, or of the far end, that answered the remote side."""
    if remote.method == "peer":
        return far_report(evidence, flow, settings).local[0]
    if remote.method != "heartbeat":
        return None
    flow = at_wire(flow)
    answering = of_one_network(counting(evidence, flow, "remote", settings), flow, "remote", settings)
    (network,) = {h.network for h in answering}
    return network


# What is asked --------------------------------------------------------------------------------------------------------


def late_by(flow: Flow) -> int:
    """How long after its end the record was received; less than 0 if it was before."""
    return 0 if flow.received is None else flow.received - flow.end


def is_untimed(flow: Flow, settings: Settings) -> bool:
    """Whether the record does not show when its traffic was."""
    if late_by(flow) > settings.max_lag or late_by(flow) < -settings.clock_tolerance:
        return True
    return flow.basis == "export" and settings.active_timeout == 0


def lag_of(flow: Flow, settings: Settings) -> int:
    return late_by(flow) if late_by(flow) > settings.clock_tolerance and not is_untimed(flow, settings) else 0


def timed(flow: Flow, settings: Settings) -> Flow:
    """The flow over all times at which it may have been: a connection that began at its start, or a window."""
    lag = lag_of(flow, settings)
    start = flow.start - (settings.active_timeout if flow.basis == "export" else 0)
    basis = "connection" if flow.basis == "connection" and lag == 0 else "window"
    return replace(flow, start=start, end=flow.end + lag, basis=basis, received=None)


def asked(flow: Flow, settings: Settings) -> tuple[int, int]:
    tol = settings.clock_tolerance
    if flow.basis == "connection":
        return flow.start - tol, flow.start + tol
    if flow.basis == "window":
        return flow.start - tol, flow.end + tol
    raise ValueError(f"no such basis: {flow.basis!r}")


# Networks -------------------------------------------------------------------------------------------------------------


def first_candidate(flow: Flow, which: str) -> str | None:
    """The network that the flow says for the address of a side; None if it does not say one."""
    if which == "remote" and flow.remote_network is not None:
        return flow.remote_network
    return flow.local_network  # for the remote side, the view


def candidates(flow: Flow, which: str, settings: Settings) -> set[str | None]:
    """The networks in which the address of a side may be held; None is that of evidence without a network."""
    said = first_candidate(flow, which)
    if said is None:
        return {None}
    routed = routed_from(said, getattr(flow, f"{which}_address"), settings)
    if which == "local" or flow.remote_network is not None:
        routed &= {None}  # the log tells where the address is
    return {said} | routed


def routed_from(network: str, address: str, settings: Settings) -> set[str | None]:
    """The networks that a route joins to a network for an address."""
    found: set[str | None] = set()
    for route in settings.routes:
        one, other, *prefix = route.split(",")
        if network in (one, other) and all(contains(p, address) for p in prefix):
            found.add(other if network == one else one)
    return {None if name == "-" else name for name in found}


def of_one_network(standing: list, flow: Flow, which: str, settings: Settings) -> "list | Side":
    """Of the evidence that stands for the address of a side, that of the one network which answers.

    Where networks leave it open, nobody's side. Where nothing is known, nothing.
    """
    networks, mine = {e.network for e in standing}, candidates(flow, which, settings)
    if first_candidate(flow, which) is None and networks - mine:
        return unattributed("other_network")
    if len(networks & mine) >= 2:
        return unattributed("several_networks")
    if networks and not networks & mine:
        return unattributed("other_network")
    return [e for e in standing if e.network in mine]


def holds(record: "Label | Policy | SocketRule", flow: Flow, which: str, settings: Settings) -> bool:
    """Whether a label, policy or rule holds for a side: in every network, or the side is surely in its network."""
    return record.network is None or candidates(flow, which, settings) - {None} == {record.network}


def may_hold(record: "Label | Policy | SocketRule", flow: Flow, which: str, settings: Settings) -> bool:
    """Whether a label, policy or rule holds for a side, or may hold: the side may be in its network."""
    unsaid = first_candidate(flow, which) is None
    return record.network is None or unsaid or record.network in candidates(flow, which, settings)


# What the evidence says -----------------------------------------------------------------------------------------------


def touches(start: int, end: int, other_start: int, other_end: int) -> bool:
    return start <= other_end and other_start <= end


def of_no_one_host(address: str) -> bool:
    found = ip_address(address)
    everywhere = found.is_loopback or found.is_link_local or found.is_multicast or address.startswith("0.")
    return everywhere or found.is_unspecified or address == "255.255.255.255"


def counts(heartbeat: Heartbeat, flow: Flow, settings: Settings) -> bool:
    if of_no_one_host(heartbeat.address):
        return False
    return heartbeat.end >= flow.start - settings.retention and heartbeat.start <= flow.end + settings.hold


@dataclass
class Run:
    """Heartbeats of one workload, joined, and the gaps between them that were joined over."""

    heartbeats: list[Heartbeat]
    gaps: list[tuple[int, int]]

    @property
    def start(self) -> int:
        return min(h.start for h in self.heartbeats)

    @property
    def end(self) -> int:
        return max(h.end for h in self.heartbeats)

    def touches(self, a: int, b: int) -> bool:
        return touches(self.start, self.end, a, b)

    def covers(self, a: int, b: int) -> bool:
        return self.start <= a and b <= self.end

    def holes(self, others: Iterable[Heartbeat]) -> list[tuple[int, int]]:
        """The gaps that a heartbeat of another workload touches."""
        return [gap for gap in self.gaps if any(touches(o.start, o.end, *gap) for o in others)]


def joined(heartbeats: Iterable[Heartbeat], may_join: Callable[[int, int], bool]) -> list[Run]:
    """Heartbeats of one workload as runs: where they overlap, and over the gaps [start, end] that may be joined."""
    runs: list[Run] = []
    for heartbeat in sorted(heartbeats, key=lambda h: (h.start, h.end)):
        if runs and heartbeat.start <= runs[-1].end:
            runs[-1].heartbeats.append(heartbeat)
        elif runs and may_join(runs[-1].end, heartbeat.start):
            runs[-1].gaps.append((runs[-1].end, heartbeat.start))
            runs[-1].heartbeats.append(heartbeat)
        else:
            runs.append(Run([heartbeat], []))
    return runs


def pieces(own: Iterable[Heartbeat], others: Iterable[Heartbeat], settings: Settings) -> list[Run]:
    def may_join(start: int, end: int) -> bool:
        near = end - start <= settings.clock_tolerance
        return near and not any(touches(o.start, o.end, start, end) for o in others)

    return joined(own, may_join)


def ranges(own: Iterable[Heartbeat], settings: Settings) -> list[Run]:
    return joined(own, lambda start, end: end - start <= settings.max_gap)


@dataclass(frozen=True)
class Key:
    """The counting evidence of one key; whether its socket is given out per connection."""

    heartbeats: tuple[Heartbeat, ...]
    ephemeral: bool = False
    whole: bool = False  # the whole address

    def workloads(self) -> set[str]:
        return {h.workload for h in self.heartbeats}

    def own(self, workload: str) -> list[Heartbeat]:
        return [h for h in self.heartbeats if h.workload == workload]

    def of_others(self, workload: str) -> list[Heartbeat]:
        return [h for h in self.heartbeats if h.workload != workload]

    def pieces(self, workload: str, settings: Settings) -> list[Run]:
        if self.ephemeral:
            return self.ranges(workload, settings)
        return pieces(self.own(workload), self.of_others(workload), settings)

    def ranges(self, workload: str, settings: Settings) -> list[Run]:
        if self.ephemeral:
            return joined(self.own(workload), lambda _start, _end: False)
        return ranges(self.own(workload), settings)

    def touching(self, a: int, b: int, settings: Settings) -> set[str]:
        return {w for w in self.workloads() if any(r.touches(a, b) for r in self.ranges(w, settings))}


def answer_of_key(key: Key, flow: Flow, settings: Settings) -> Side:
    """The first row of the table that holds; the key has counting evidence."""
    a, b = asked(flow, settings)
    touching = key.touching(a, b, settings)
    if len(touching) >= 2:
        return unattributed("conflict")
    for workload in touching:
        others = key.of_others(workload)
        own_ranges = key.ranges(workload, settings)
        if key.ephemeral:
            return answer_of_ephemeral(key, workload, own_ranges, flow, settings)
        if not any(touches(*hole, a, b) for r in own_ranges for hole in r.holes(others)):
            for r in own_ranges:
                if r.covers(a, b):
                    by_a_piece = any(p.covers(a, b) for p in key.pieces(workload, settings))
                    reason = "covered" if by_a_piece else "bridged"
                    return named(key, workload, a, b, reason, flow, settings)
    if flow.basis == "connection" and key.whole:
        workload_within = within(key, flow, settings)
        if workload_within is not None:
            first = min(h.start for h in key.own(workload_within))
            return named(key, workload_within, first, first, "within", flow, settings)
    return unattributed("gap")


def answer_of_ephemeral(key: Key, workload: str, own: list[Run], flow: Flow, settings: Settings) -> Side:
    """One workload touches: it is named where it was seen all the time, or surely inside the connection."""
    a, b = asked(flow, settings)
    for run in own:
        inside = flow.basis == "connection" and run.start <= flow.end - settings.clock_tolerance
        if run.covers(a, b) or (inside and run.covers(b, b)):
            service = service_of(h for h in run.heartbeats if touches(h.start, h.end, a, b))
            reason = "covered" if run.covers(a, b) else "within"
            return Side(workload, service, "heartbeat", reason, distance(key, workload, flow, settings))
    return unattributed("gap")


def within(key: Key, flow: Flow, settings: Settings) -> str | None:
    """Who alone was seen while the connection lasted, with nobody before."""
    begun = flow.start - settings.clock_tolerance
    sure = flow.start + settings.clock_tolerance
    over = flow.end - settings.clock_tolerance
    seen = {h.workload for h in key.heartbeats if h.start <= over}
    if len(seen) != 1:
        return None
    (workload,) = seen
    if any(h.start <= begun for h in key.heartbeats):
        return None
    if not any(p.start <= over and p.end >= sure for p in key.pieces(workload, settings)):
        return None
    return workload


def named(key: Key, workload: str, x: int, y: int, reason: str, flow: Flow, settings: Settings) -> Side:
    """The answer; its service is the one named by the workload's heartbeats at most max_gap from [x, y]."""
    gap = settings.max_gap
    near = [h for h in key.own(workload) if touches(h.start, h.end, x - gap, y + gap)]
    return Side(workload, service_of(near), "heartbeat", reason, distance(key, workload, flow, settings))


def service_of(heartbeats: Iterable[Heartbeat]) -> str | None:
    services = {h.service for h in heartbeats if h.service is not None}
    return services.pop() if len(services) == 1 else None


def distance(key: Key, workload: str, flow: Flow, settings: Settings) -> int:
    """Time between the flow's start and the nearest piece of the workload on the key; 0 where a piece covers it."""
    s = flow.start
    return min(max(p.start - s, s - p.end, 0) for p in key.pieces(workload, settings))


# Which key ------------------------------------------------------------------------------------------------------------


def socket_of(protocol: int | None, port: int | None) -> tuple[int, int] | None:
    """A port is one of its protocol: TCP 53 and UDP 53 are two. None: the whole address, or not known which."""
    return (protocol, port) if protocol in PROTOCOLS_WITH_PORTS and port is not None else None


# What a claim is about: the socket itself, connections from it, or connections that went on behind it, which none asks.
KINDS = {None: "socket", "accepted": "socket", "opened": "shown", "shown": "shown", "balanced": "balanced"}


def is_explicit(heartbeat: Heartbeat) -> bool:
    """Whether it says that its address is held by port."""
    return heartbeat.port is not None and heartbeat.claim not in ("accepted", "opened")


def useful(heartbeats: Iterable[Heartbeat], settings: Settings) -> list[Heartbeat]:
    """Heartbeats without the claims that have no explicit evidence of their address shortly before."""
    known = list(heartbeats)
    explicit: dict[tuple[str | None, str], list[Heartbeat]] = {}
    for h in filter(is_explicit, known):
        explicit.setdefault((h.network, h.address), []).append(h)

    def is_useful(h: Heartbeat) -> bool:
        if h.claim not in ("accepted", "opened"):
            return True
        before = h.start - settings.max_gap
        return any(touches(e.start, e.end, before, h.start) for e in explicit.get((h.network, h.address), ()))

    return [h for h in known if is_useful(h)]


def is_ephemeral(address: str, port: int, settings: Settings) -> bool:
    """Whether a port is given out per connection, and so to another workload within moments."""
    return is_translated(address, settings) or is_given_out(port, settings)


def is_given_out(port: int, settings: Settings) -> bool:
    first, _, last = settings.ephemeral_ports.partition("-")
    return bool(last) and int(first) <= port <= int(last)


def is_translated(address: str, settings: Settings) -> bool:
    return any(contains(prefix, address) for prefix in settings.translated_prefixes)


def in_range(heartbeat: Heartbeat, socket: tuple[int, int]) -> bool:
    """Whether it is about a range of ports that contains the socket's."""
    protocol, port = socket
    if heartbeat.last_port is None or heartbeat.port is None:
        return False
    return heartbeat.protocol == protocol and heartbeat.port <= port <= heartbeat.last_port


def at_wire(flow: Flow) -> Flow:
    """The flow with the remote end that the wire shows."""
    if flow.remote_wire_address is None:
        return flow
    wire = {"remote_address": flow.remote_wire_address, "remote_port": flow.remote_wire_port}
    return replace(flow, **wire, remote_wire_address=None, remote_wire_port=None)


def side(evidence: Evidence, flow: Flow, which: str, settings: Settings) -> Side:
    if flow.end - flow.start > settings.retention:
        return unattributed("too_old")
    if in_pool_space(getattr(flow, f"{which}_address"), settings):
        return pooled_side(evidence, flow, which, settings)
    flow = at_wire(flow)
    address, port = getattr(flow, f"{which}_address"), getattr(flow, f"{which}_port")
    known = of_one_network(counting(evidence, flow, which, settings), flow, which, settings)
    if isinstance(known, Side):
        return known
    answer = side_by_heartbeats(known, flow, which, address, port, settings)
    if answer is None:
        return fallback(evidence, flow, which, settings)
    if which == "remote" and answer.reason in ("gap", "shared"):
        by_both_ends = answer_of_far_end(evidence, known, flow, settings)
        if by_both_ends is not None:
            return by_both_ends
    of_address = [h for h in known if h.claim not in ("accepted", "opened") or is_translated(address, settings)]
    remembered = any(h.end >= flow.start - settings.workload_memory for h in of_address)
    if answer.reason in ("gap", "shared") and not remembered:
        other = fallback(evidence, flow, which, settings)
        says_nothing = ("silent", "unknown", "other_network", "several_networks")
        return answer if other.reason in says_nothing else other
    return answer


def counting(evidence: Evidence, flow: Flow, which: str, settings: Settings) -> list[Heartbeat]:
    """The heartbeats that count for the address of a side, in whatever network."""
    address = getattr(flow, f"{which}_address")
    known = [h for h in useful(evidence.heartbeats, settings) if h.address == address and counts(h, flow, settings)]
    if is_translated(address, settings):
        return known
    by_port = {h.network for h in known if is_explicit(h)}
    return [h for h in known if h.network in by_port or h.claim not in ("accepted", "opened")]


def side_by_heartbeats(
    counting: list[Heartbeat], flow: Flow, which: str, address: str, port: int | None, settings: Settings
) -> Side | None:
    if not counting:
        return None
    keys = keys_of(counting, flow, which, address, port, settings)
    if not keys:
        return unattributed("shared")
    return answer_of_socket(keys, flow, settings)


def keys_of(
    counting: list[Heartbeat], flow: Flow, which: str, address: str, port: int | None, settings: Settings
) -> list[Key]:
    """The keys that are asked, as far as they have counting evidence."""
    if not any(is_explicit(h) for h in counting) and not is_translated(address, settings):
        return [Key(tuple(counting), whole=True)]
    socket = socket_of(flow.protocol, port)
    if socket is None:
        return []
    exact = [h for h in counting if h.last_port is None and socket_of(h.protocol, h.port) == socket]
    given_out = is_ephemeral(address, socket[1], settings)
    did = None
    if flow.basis == "connection" and lag_of(flow, settings) == 0 and flow.direction is not None:
        did = "opened" if flow.direction == ("egress" if which == "local" else "ingress") else "accepted"
    keys = (
        Key(tuple(h for h in exact if KINDS[h.claim] == "socket" and (did != "opened" or given_out)), given_out),
        Key(tuple(h for h in exact if KINDS[h.claim] == "shown" and did != "accepted"), ephemeral=True),
        Key(tuple(h for h in counting if in_range(h, socket))),
    )
    return [key for key in keys if key.heartbeats]


def answer_of_socket(keys: list[Key], flow: Flow, settings: Settings) -> Side:
    """What is known of one key, or of the keys about one socket."""
    if len(keys) == 1:
        return answer_of_key(keys[0], flow, settings)
    a, b = asked(flow, settings)
    for key in keys:
        answer = answer_of_key(key, flow, settings)
        around = settings.max_gap if answer.reason == "bridged" else 0
        others = touching_any([other for other in keys if other is not key], a - around, b + around, settings)
        if answer.workload is not None and others <= {answer.workload}:
            return answer
    return unattributed("conflict" if len(touching_any(keys, a, b, settings)) >= 2 else "gap")


def touching_any(keys: list[Key], a: int, b: int, settings: Settings) -> set[str]:
    return {workload for key in keys for workload in key.touching(a, b, settings)}


# Both ends of one connection ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What a flow says of a connection and of its own end; an end is a network, an address and a port."""

    local: tuple[str | None, str, int]
    remote: tuple[str | None, str, int]
    protocol: int
    workload: str
    service: str | None
    direction: str | None
    start: int
    end: int
    bytes: tuple[int | None, int | None]  # sent, received
    packets: tuple[int | None, int | None]


def report_of(flow: Flow, settings: Settings) -> Report | None:
    if flow.local_workload is None or is_untimed(flow, settings) or timed(flow, settings).basis != "connection":
        return None
    local = flow.local_network, flow.local_address, flow.local_port
    if flow.wire_address is not None:
        elsewhere = flow.remote_network is not None and flow.wire_address != flow.local_address
        network = flow.remote_network if elsewhere else flow.local_network
        local = network, flow.wire_address, flow.wire_port
    network = flow.local_network if flow.remote_network is None else flow.remote_network
    remote = network, at_wire(flow).remote_address, at_wire(flow).remote_port
    if any(socket_of(flow.protocol, port) is None for *_, port in (local, remote)):
        return None
    return Report(
        local,
        remote,
        flow.protocol,
        flow.local_workload,
        flow.local_service,
        flow.direction,
        flow.start,
        flow.end,
        (flow.bytes_sent, flow.bytes_received),
        (flow.packets_sent, flow.packets_received),
    )


def of_one_connection(one: Report, far: Report, settings: Settings) -> bool:
    """Whether two reports are of the two ends of one connection."""
    if (one.protocol, one.local, one.remote) != (far.protocol, far.remote, far.local):
        return False
    if one.direction is not None and one.direction == far.direction:
        return False
    if abs(one.start - far.start) > settings.clock_tolerance or abs(one.end - far.end) > settings.hold // 2:
        return False
    shared = min(one.end, far.end) - max(one.start, far.start)
    lengths_apart = abs((one.end - one.start) - (far.end - far.start))
    as_long = lengths_apart <= settings.clock_tolerance // 20
    return shared > settings.clock_tolerance or (shared >= 0 and as_long and equal_counters(one, far))


def equal_counters(one: Report, far: Report) -> bool:
    if None in one.bytes + far.bytes or one.bytes != far.bytes[::-1] or one.bytes == (0, 0):
        return False
    return all(None in pair or pair[0] == pair[1] for pair in zip(one.packets, far.packets[::-1], strict=True))


def far_report(evidence: Evidence, flow: Flow, settings: Settings) -> Report | None:
    """The report of the flow's far end, if it is one for certain."""
    own, reports = report_of(flow, settings), {report_of(f, settings) for f in evidence.flows} - {None}
    if own is None:
        return None
    fitting = [far for far in reports if of_one_connection(own, far, settings)]
    if len(fitting) != 1 or [one for one in reports if of_one_connection(one, fitting[0], settings)] != [own]:
        return None
    return fitting[0]


def answer_of_far_end(evidence: Evidence, known: list[Heartbeat], flow: Flow, settings: Settings) -> Side | None:
    """`both_ends`, `conflict`, or None if the far end does not say; for a flow at its end on the wire."""
    far = far_report(evidence, flow, settings)
    if far is None:
        return None
    keys = keys_of(known, flow, "remote", flow.remote_address, flow.remote_port, settings)
    if touching_any(keys, *asked(flow, settings), settings) - {far.workload}:
        return unattributed("conflict")
    return Side(far.workload, far.service, "peer", "both_ends")


# Endpoints that are no workload ---------------------------------------------------------------------------------------


def fallback(evidence: Evidence, flow: Flow, which: str, settings: Settings) -> Side:
    address, port = getattr(flow, f"{which}_address"), getattr(flow, f"{which}_port")
    if any(contains(prefix, address) for prefix in settings.workload_prefixes + settings.translated_prefixes):
        return unattributed("silent")
    a, b = asked(flow, settings)
    events = [e for e in evidence.assignments if e.address == address and e.time <= b]
    events = of_one_network(events, flow, which, settings)
    if isinstance(events, Side):
        return events
    ruled = rule_answer(evidence.socket_rules, flow, which, settings)
    if ruled is not None:
        return ruled
    assigned = assignment_answer(events, address, socket_of(flow.protocol, port), a, b)
    if assigned is not None:
        return assigned
    service = label_of_side(evidence.labels, flow, which, settings)
    if service is not None:
        return Side(None, service, "label", "prefix")
    return unattributed("unknown")


def contains(prefix: str, address: str) -> bool:
    network, one = ip_network(prefix), ip_address(address)
    return network.version == one.version and one in network


CONTESTED = frozenset({"two owners"})


def assignment_answer(
    assignments: Iterable[Assignment], address: str, socket: tuple[int, int] | None, a: int, b: int
) -> Side | None:
    """`assigned`, `assignment_change`, or None where nobody is the owner during all of [a, b]."""
    known = [e for e in assignments if e.address == address and e.time <= b]
    whole = [e for e in known if e.port is None]
    if socket is None and known != whole:
        return unattributed("assignment_change")
    events = [e for e in known if socket is not None and socket_of(e.protocol, e.port) == socket] or whole

    owner: str | frozenset[str] | None = None
    services: set[str] = set()
    owners_during = []
    services_during: set[str] = set()
    times = sorted({e.time for e in events})
    for index, time in enumerate(times):
        releases = {e.owner for e in events if e.time == time and e.action == "release"}
        assigns = {e.owner for e in events if e.time == time and e.action == "assign"}
        if owner in releases:
            owner = None
        if len(assigns) == 1:
            (owner,) = assigns
        elif len(assigns) >= 2:
            owner = CONTESTED
        if assigns:
            services = {e.service for e in events if e.time == time and e.action == "assign" and e.service is not None}
        until = times[index + 1] if index + 1 < len(times) else b + 1
        if until > a:  # in force somewhere in [a, b]: from its time on, before the next event
            owners_during.append(owner)
            services_during |= services
    if not times or times[0] > a:
        owners_during.append(None)  # nobody before the first event

    if set(owners_during) == {None}:
        return None
    if len(set(owners_during)) > 1 or CONTESTED in owners_during:
        return unattributed("assignment_change")
    service = services_during.pop() if len(services_during) == 1 else None
    return Side(str(owners_during[0]), service, "assignment", "assigned")


def label_of_side(labels: Iterable[Label], flow: Flow, which: str, settings: Settings) -> str | None:
    """What the labels say; nothing where a label that holds, and one that only may hold, are equally long."""
    address = getattr(flow, f"{which}_address")
    possible = [label for label in labels if may_hold(label, flow, which, settings) and contains(label.prefix, address)]
    longest = max((ip_network(label.prefix).prefixlen for label in possible), default=None)
    if any(ip_network(p.prefix).prefixlen == longest and not holds(p, flow, which, settings) for p in possible):
        return None
    return label_of(possible, address)


def label_of(labels: Iterable[Label], address: str) -> str | None:
    containing = [label for label in labels if contains(label.prefix, address)]
    longest = max((ip_network(label.prefix).prefixlen for label in containing), default=None)
    names = {label.service for label in containing if ip_network(label.prefix).prefixlen == longest}
    return names.pop() if len(names) == 1 else None


# Flows as heartbeats --------------------------------------------------------------------------------------------------


def evidence_of_flows(flows: Iterable[Flow], settings: Settings, span: str = "interval") -> list[Heartbeat]:
    """The heartbeats and the claims that flows are.

    `span` says of the logs: `interval` if an end is the last activity, `start` if it can come from a timeout, `none` if
    flows are no heartbeats.
    """
    return [h for flow in flows for h in evidence_of_flow(flow, settings, span)]


def evidence_of_flow(flow: Flow, settings: Settings, span: str) -> list[Heartbeat]:
    if span == "none" or flow.local_workload is None or flow.basis != "connection" or is_untimed(flow, settings):
        return []
    lag = lag_of(flow, settings)
    start, end = flow.start + lag, flow.end if span == "interval" else flow.start
    if start > end:
        return []
    made = []

    def say(address: str, port: int | None, network: str | None, end: int, claim: str | None = None) -> None:
        protocol = None if port is None else flow.protocol
        who = flow.local_workload, flow.local_service
        made.append(Heartbeat(address, port, *who, start, end, flow.observer, protocol, None, network, claim))

    def opened(address: str, port: int) -> bool:
        return flow.direction == "egress" or (flow.direction is None and is_ephemeral(address, port, settings))

    def say_explicit(address: str, port: int | None, network: str | None, *, given_away: bool) -> None:
        if socket_of(flow.protocol, port) is None:
            return
        if opened(address, port):
            say(address, port, network, end, "shown")
        elif given_away:
            say(address, port, network, end, "balanced")
        elif lag == 0:
            say(address, port, network, start, None if flow.direction == "ingress" else "shown")

    address, port = flow.local_address, flow.local_port
    elsewhere = flow.wire_address not in (None, address)
    if flow.wire_address is not None:
        network = flow.local_network if flow.remote_network is None or not elsewhere else flow.remote_network
        own = not elsewhere and flow.wire_port == port and not is_translated(flow.wire_address, settings)
        say_explicit(flow.wire_address, flow.wire_port, network, given_away=not own)
    if in_pool_space(address, settings) or (flow.wire_address is not None and not elsewhere):
        return made
    if is_translated(address, settings) or any(contains(prefix, address) for prefix in settings.shared_prefixes):
        say_explicit(address, port, flow.local_network, given_away=is_translated(address, settings))
        return made
    say(address, None, flow.local_network, end)
    if socket_of(flow.protocol, port) is not None:
        if opened(address, port):
            say(address, port, flow.local_network, end, "opened")
        elif lag == 0:
            say(address, port, flow.local_network, start, "accepted" if flow.direction == "ingress" else "opened")
    return made


# Addresses that policies hand out -------------------------------------------------------------------------------------


def in_pool_space(address: str, settings: Settings) -> bool:
    return any(contains(prefix, address) for prefix in settings.pool_prefixes)


def pooled_side(evidence: Evidence, flow: Flow, which: str, settings: Settings) -> Side:
    ruled = rule_answer(evidence.socket_rules, at_wire(flow), which, settings)
    if ruled is not None:
        return ruled
    if handed(evidence.policies, flow, which, settings).policy is None:
        return unattributed("unpooled")
    return Side(None, None, "policy", "pooled")


def in_force(record: Policy | SocketRule, moment: int) -> bool:
    return (record.start is None or record.start <= moment) and (record.end is None or moment <= record.end)


def moments_of_change(records: Iterable[Policy | SocketRule], a: int, b: int) -> list[int]:
    """a, and every moment up to b at which a record begins or has ended."""
    begins = {r.start for r in records if r.start is not None}
    ends = {r.end + 1 for r in records if r.end is not None}
    return [a, *sorted(moment for moment in begins | ends if a < moment <= b)]


def rule_answer(rules: tuple[SocketRule, ...], flow: Flow, which: str, settings: Settings) -> Side | None:
    """`dispatched`, `rule_change`, or None where no rule says anything."""
    if flow.direction == ("egress" if which == "local" else "ingress"):
        return None  # the side that opened the flow
    socket = socket_of(flow.protocol, getattr(flow, f"{which}_port"))
    if flow.direction is None and socket is not None and is_given_out(socket[1], settings):
        return None
    rules = with_earliest_end(rules, but=())
    a, b = asked(flow, settings)
    if flow.basis == "window":
        a -= settings.connection_lifetime  # it may show connections that were opened so long before
    services = set()
    for moment in moments_of_change(rules, a, b):
        services |= services_at(rules, flow, which, settings, moment)
    if services == {None}:
        return None
    if len(services) == 1:
        return Side(None, services.pop(), "socket_rule", "dispatched")
    return unattributed("rule_change")


def services_at(
    rules: Iterable[SocketRule], flow: Flow, which: str, settings: Settings, moment: int
) -> set[str | None]:
    """The services that may get the connections: one where the rules decide, several where they do not."""
    address, socket = getattr(flow, f"{which}_address"), socket_of(flow.protocol, getattr(flow, f"{which}_port"))
    fitting = [r for r in rules if in_force(r, moment) and fits(r, flow, address, socket)]
    fitting = [r for r in fitting if may_hold(r, flow, which, settings)]
    fitting = [r for r in fitting if flow.data_centre is None or r.data_centre in (None, flow.data_centre)]
    if flow.data_centre is None and any(r.data_centre is not None for r in fitting):
        return {"one of a place that is not known", "or another"}
    if not all(holds(r, flow, which, settings) for r in fitting):
        return {"one of a network that is not known", "or another"}
    best = max(map(rank, fitting), default=None)
    return {r.service for r in fitting if rank(r) == best} or {None}


def rank(rule: SocketRule) -> tuple[int, int]:
    return rule.priority or 0, ip_network(rule.prefix).prefixlen


def fits(rule: SocketRule, flow: Flow, address: str, socket: tuple[int, int] | None) -> bool:
    if not contains(rule.prefix, address) or rule.protocol not in (None, flow.protocol):
        return False
    if rule.port is None:
        return True
    last = rule.port if rule.last_port is None else rule.last_port
    return socket is not None and rule.port <= socket[1] <= last


def with_earliest_end(records, *, but):
    """Records with the earliest end of those that are like them in all but `end` and the fields of `but`."""
    found = []
    unlike = dict.fromkeys(("end", *but))
    for one in records:
        like = [o for o in records if replace(o, **unlike) == replace(one, **unlike)]
        found.append(replace(one, end=min((o.end for o in like if o.end is not None), default=None)))
    return found


def handed(policies: tuple[Policy, ...], flow: Flow, which: str, settings: Settings) -> Handed:
    """Pool, policy and state of the address of a side."""
    address = getattr(flow, f"{which}_address")
    if not in_pool_space(address, settings):
        return Handed()
    known = [p for p in policies if holds(p, flow, which, settings)]
    known = with_earliest_end(known, but=("ttl", "priority"))
    own, others = [p for p in known if counts_for(p, flow)], [p for p in known if not counts_for(p, flow)]
    a, b = asked(flow, settings)
    for state, considered in (("in_force", own), ("elsewhere", others)):
        found = set()
        for moment in moments_of_change(known, a, b):
            found |= longest(p for p in considered if in_force(p, moment) and contains(p.prefix, address))
        if found:
            return handed_out(found, state)
    for considered in (own, others):
        past = longest(p for p in considered if p.end is not None and p.end < a and contains(p.prefix, address))
        past = {p for p in past if p.start is None or p.start <= p.end}
        if past:
            last = max(p.end for p in past)
            return handed_out({p for p in past if p.end == last}, "ended")
    return Handed()


def counts_for(policy: Policy, flow: Flow) -> bool:
    said = dict(part.split("=", 1) for part in policy.match.split(",")) if policy.match else {}
    places = (("data_centre", flow.data_centre), ("region", flow.region))
    return all(said.get(name) in (None, at) or at is None for name, at in places)


def longest(policies: Iterable[Policy]) -> set[Policy]:
    found = list(policies)
    most = max((ip_network(p.prefix).prefixlen for p in found), default=None)
    return {p for p in found if ip_network(p.prefix).prefixlen == most}


def handed_out(policies: set[Policy], state: str) -> Handed:
    pools, names = ({getattr(p, name) for p in policies} for name in ("pool", "policy"))
    return Handed(",".join(sorted(pools)), ",".join(sorted(names)), state)


# Names ----------------------------------------------------------------------------------------------------------------


def server_of(flow: Flow, settings: Settings) -> str:
    return "local" if flow.direction == "ingress" and in_pool_space(flow.local_address, settings) else "remote"


def clients_of(binding: NameBinding, settings: Settings) -> set[str]:
    """The address and the prefixes that a binding is for."""
    found = {binding.client_address}
    if binding.client_prefix is not None:
        found.add(binding.client_prefix)
    for text in settings.shared_resolvers:
        resolver, _, prefix = text.partition("=")
        if resolver == binding.client_address:
            found.add(prefix)
    return found


def told_until(binding: NameBinding, flow: Flow, settings: Settings) -> int:
    older = settings.connection_lifetime if flow.basis == "window" else 0
    return binding.time + round((binding.ttl or 0) * SECOND) + settings.name_stretch + older


def is_for(told: str, client: str) -> bool:
    """Whether an address or prefix that a binding is for is, or has, a client's address."""
    return told == client or ("/" in told and contains(told, client))


def name_of(name_bindings: Iterable[NameBinding], flow: Flow, answers: dict[str, Side], settings: Settings) -> Name:
    server = server_of(flow, settings)
    if flow.hostname is not None:
        return Name("recorded", 1, **{f"{server}_hostname": flow.hostname})
    if answers[server].reason in ("other_network", "several_networks"):
        return Name("other_network", 0)
    if server == "remote" and flow.remote_wire_address is not None:
        return Name("untold", 0)
    address = getattr(flow, f"{server}_address")
    which_client = "remote" if server == "local" else "local"
    client = getattr(flow, f"{which_client}_address")
    a, b = asked(flow, settings)
    standing = [
        n
        for n in name_bindings
        if n.server_address == address
        and any(is_for(told, client) for told in clients_of(n, settings))
        and touches(n.time, told_until(n, flow, settings), a, b)
    ]
    of_the_client = of_one_network(standing, flow, which_client, settings)
    if isinstance(of_the_client, Side):
        return Name("other_network", 0)
    spans: dict[tuple[str, str], list[NameBinding]] = {}
    for binding in of_the_client:
        for told in clients_of(binding, settings):
            if is_for(told, client):
                spans.setdefault((told, binding.hostname), []).append(binding)
    touching = []
    for (_, hostname), bindings in spans.items():
        times = sorted((n.time, told_until(n, flow, settings)) for n in bindings)
        touching += [hostname for _ in merged(times)]
    if not touching:
        return Name("untold", 0)
    if len(touching) > 16:
        return Name("several", len(touching))
    names = sorted(set(touching))
    if len(names) > 1:
        return Name("several", len(names), " ".join(names))
    if in_pool_space(address, settings) and not any(contains(prefix, client) for prefix in settings.named_prefixes):
        return Name("incomplete", 1, names[0])
    return Name("told", 1, **{f"{server}_hostname": names[0]})


def merged(times: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans, in order, joined where they touch."""
    found: list[tuple[int, int]] = []
    for start, end in times:
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


# Ownership ranges -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnershipRange:
    address: str
    port: int | None
    protocol: int | None
    workload: str
    service: str | None
    start: int
    end: int
    longest_gap: int
    holes: tuple[tuple[int, int], ...]
    last_port: int | None = None
    network: str | None = None
    claim: str | None = None


def ownership_ranges(heartbeats: Iterable[Heartbeat], settings: Settings) -> set[OwnershipRange]:
    """All ranges of all keys, when all heartbeats count."""
    keys: dict[tuple, list[Heartbeat]] = {}
    for h in useful(set(without_networks(tuple(heartbeats)) if settings.one_space else heartbeats), settings):
        protocol, port = socket_of(h.protocol, h.port) or (None, None)
        claim = None if KINDS[h.claim] == "socket" else KINDS[h.claim]
        keys.setdefault((h.network, h.address, protocol, port, h.last_port, claim), []).append(h)
    found = set()
    for (network, address, protocol, port, last_port, claim), of_key in keys.items():
        single = port is not None and last_port is None
        key = Key(tuple(of_key), single and (claim == "shown" or is_ephemeral(address, port, settings)))
        for workload in key.workloads():
            for r in key.ranges(workload, settings):
                longest = max((end - start for start, end in r.gaps), default=0)
                holes = tuple(r.holes(key.of_others(workload)))
                service = service_of(r.heartbeats)
                found.add(
                    OwnershipRange(
                        address,
                        port,
                        protocol,
                        workload,
                        service,
                        r.start,
                        r.end,
                        longest,
                        holes,
                        last_port,
                        network,
                        claim,
                    )
                )
    return found
