"""Small adversarial histories: few addresses, ports and workloads, and times that sit on and beside every boundary.

Times are drawn around a few anchors, off by sums of the settings' own durations and by one microsecond either way, so
that evidence touches, overlaps, contains, repeats, just joins and just does not, just counts and just does not.
"""

from dataclasses import dataclass, replace
from itertools import cycle

from hypothesis import strategies as st
from oracle import Assignment, Evidence, Flow, Heartbeat, Label, NameBinding, Policy, Settings, SocketRule

ADDRESSES = ("192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1")
PORTS = (None, None, 0, 443, 65_535)
TCP, UDP, ICMP = 6, 17, 1
WORKLOADS = ("a", "b", "c")
SERVICES = (None, "web", "api")
PREFIXES = ("0.0.0.0/0", "192.0.2.0/24", "192.0.2.0/31", "192.0.2.2/32", "::/0", "2001:db8::/32", "2001:db8::1/128")
#: No network, mostly; one; the same addresses in several; some of the records without one.
SPACES = (*((None,),) * 6, ("n1",), (None, "n1"), ("n1", "n2"), (None, "n1", "n2"), ("n1", "n2", "n3"))
ROUTES = ("n1,n2", "n2,n1,192.0.2.0/31", "n2,n3,2001:db8::/32", "n1,n3,192.0.2.1/32", "n1,-", "-,n2,192.0.2.0/24")
BASE = 1_772_000_000_000_000


@dataclass(frozen=True)
class History:
    """Settings, evidence and flows; flows are told apart by their observer."""

    settings: Settings
    evidence: Evidence
    flows: tuple[Flow, ...]


def routes():
    """Mostly none: pairs of networks, in each order, with and without a prefix, and with none."""
    return st.one_of(st.just(()), st.lists(st.sampled_from(ROUTES), max_size=3).map(tuple))


@st.composite
def rule_settings(draw, *, pools=False):
    in_pools = [("192.0.2.1/32",), ("192.0.2.0/24", "2001:db8::/32")] if pools else []
    tol = draw(st.sampled_from([10, 10, 10, 0, 1]))
    max_lag = tol + draw(st.sampled_from([0, 1, 50, 1_000]))
    retention_more = draw(st.sampled_from([1, 40, 400]))
    max_gap = tol + draw(st.sampled_from([50, 50, 50, 0, 1]))
    return Settings(
        clock_tolerance=tol,
        max_gap=max_gap,
        hold=max_gap + tol + draw(st.sampled_from([0, 1, 30])),
        retention=max_gap + 2 * tol + retention_more,
        workload_memory=draw(st.sampled_from([1 << 50, max_gap, max_gap + retention_more // 2])),
        max_lag=max_lag,
        active_timeout=draw(st.sampled_from([0, 1, 30, 30, max_gap])),
        name_stretch=draw(st.sampled_from([0, 15])),
        connection_lifetime=draw(st.sampled_from([0, 40])),
        pool_prefixes=draw(st.sampled_from([(), (), *in_pools])),
        named_prefixes=draw(st.sampled_from([(), ("0.0.0.0/0",), ("192.0.2.0/31", "::/0")])),
        shared_resolvers=draw(
            st.sampled_from([(), (), ("192.0.2.2=192.0.2.0/24",), ("192.0.2.2=198.51.100.0/24", "192.0.2.2=0.0.0.0/0")])
        ),
        shared_prefixes=draw(st.sampled_from([(), (), ("192.0.2.2/32",), ("192.0.2.0/31", "2001:db8::/64")])),
        translated_prefixes=draw(st.sampled_from([(), (), (), ("192.0.2.1/32",), ("192.0.2.0/30",)])),
        routes=draw(routes()),
        one_space=draw(st.sampled_from([False] * 7 + [True])),
        ephemeral_ports=draw(st.sampled_from(["32768-65535", "32768-65535", "443-443", ""])),
        workload_prefixes=draw(st.sampled_from([(), (), (), ("192.0.2.2/32",), ("198.51.0.0/16", "2001:db8::/64")])),
    )


@st.composite
def clocks(draw, settings, *, close=False):
    """A strategy of times in which boundaries are common; `close`: so near that most evidence matters to most flows."""
    tol, gap = settings.clock_tolerance, settings.max_gap
    if close:
        return st.integers(BASE - gap - 2 * tol, BASE + gap + 2 * tol)
    anchors = [BASE]
    for step in draw(st.lists(st.sampled_from([0, 5, tol, gap, settings.hold, settings.retention]), max_size=4)):
        anchors.append(anchors[-1] + step)
    steps = sorted({0, 3, tol, 2 * tol, gap, gap - tol, gap + tol, settings.hold, settings.retention})
    signed = [sign * step for step in steps for sign in (1, -1)]
    parts = [anchors, signed, [0, 0, tol, -tol], [0, 0, 0, 1, -1]]
    return st.tuples(*map(st.sampled_from, parts)).map(sum)


def durations(settings):
    tol, gap = settings.clock_tolerance, settings.max_gap
    return st.sampled_from([0, 0, 0, 1, tol, 2 * tol, 2 * tol + 1, gap, gap + 1, 2 * gap, settings.retention, 1_000])


def lags(settings):
    """How long after its end a record is received: mostly not known, else at and beside what counts."""
    tol, lag = settings.clock_tolerance, settings.max_lag
    return st.sampled_from([*[None] * 10, 0, tol, tol + 1, 30, lag, lag + 1, -tol, -tol - 1])


def last_ports(port):
    """Mostly none: a range of ports begins at the port, and ends beside, at and behind those that flows have."""
    if port is None:
        return st.none()
    return st.sampled_from([None, None, *(last for last in (port, 442, 443, 65_534, 65_535) if last >= port)])


def claims(port, last_port=None):
    """Mostly none, and only of single ports."""
    if port is None or last_port is not None:
        return st.none()
    return st.sampled_from([None, None, None, "accepted", "opened", "shown", "balanced"])


@st.composite
def heartbeats(draw, settings, times, space=(None,)):
    start = draw(times)
    port = draw(st.sampled_from(PORTS))
    last_port = draw(last_ports(port))
    return Heartbeat(
        # Two addresses get most of the evidence, the others leave room for the fallback.
        address=draw(st.sampled_from(ADDRESSES[:2] * 4 + ADDRESSES)),
        port=port,
        last_port=last_port,
        workload=draw(st.sampled_from(WORKLOADS)),
        service=draw(st.sampled_from(SERVICES)),
        start=start,
        end=start + draw(durations(settings)),
        observer=draw(st.sampled_from([None, "o1"])),
        protocol=draw(st.sampled_from([TCP, TCP, UDP])),
        network=draw(st.sampled_from(space)),
        claim=draw(claims(port, last_port)),
    )


@st.composite
def assignments(draw, times, space=(None,)):
    return Assignment(
        address=draw(st.sampled_from(ADDRESSES)),
        port=draw(st.sampled_from(PORTS)),
        owner=draw(st.sampled_from(["lb-1", "lb-2", "a"])),
        service=draw(st.sampled_from(SERVICES)),
        action=draw(st.sampled_from(["assign", "assign", "release"])),
        time=draw(times),
        protocol=draw(st.sampled_from([TCP, TCP, UDP])),
        network=draw(st.sampled_from(space)),
    )


@st.composite
def name_bindings(draw, times, space=(None,)):
    return NameBinding(
        client_address=draw(st.sampled_from(ADDRESSES)),
        server_address=draw(st.sampled_from(ADDRESSES)),
        hostname=draw(st.sampled_from(["one.example", "two.example"])),
        time=draw(times),
        ttl=draw(st.sampled_from([None, 0.0, 1e-06, 1.5e-05, 0.003997, 60.0])),
        client_prefix=draw(st.sampled_from([None, None, *PREFIXES])),
        network=draw(st.sampled_from(space)),
    )


@st.composite
def validity(draw, times):
    """From when to when something is in force, either of which may not be said."""
    start = draw(st.one_of(st.none(), times))
    end = draw(st.one_of(st.none(), times))
    return (start, end) if start is None or end is None else (min(start, end), max(start, end))


@st.composite
def policies(draw, times, space=(None,)):
    start, end = draw(validity(times))
    return Policy(
        policy=draw(st.sampled_from(["free", "paid"])),
        pool=draw(st.sampled_from(["one", "two"])),
        prefix=draw(st.sampled_from(PREFIXES)),
        match=draw(
            st.sampled_from(
                [None, None, "account_type=free", "data_centre=ams", "data_centre=fra,region=eu", "region=us"]
            )
        ),
        ttl=draw(st.sampled_from([None, 30.0])),
        start=start,
        end=end,
        network=draw(st.sampled_from((None, *space))),
    )


@st.composite
def socket_rules(draw, times, space=(None,)):
    start, end = draw(validity(times))
    port = draw(st.sampled_from(PORTS))
    return SocketRule(
        rule=draw(st.sampled_from(["r1", "r2"])),
        prefix=draw(st.sampled_from(PREFIXES)),
        service=draw(st.sampled_from(["edge", "dns"])),
        port=port,
        last_port=draw(last_ports(port)),
        protocol=draw(st.sampled_from([None, TCP, UDP])),
        priority=draw(st.sampled_from([None, 0, 5])),
        data_centre=draw(st.sampled_from([None, None, "ams"])),
        start=start,
        end=end,
        network=draw(st.sampled_from((None, *space))),
    )


def labels(space=(None,)):
    """Labels of all networks, and of one."""
    return st.builds(
        Label,
        prefix=st.sampled_from(PREFIXES),
        service=st.sampled_from(["cloud", "office", "cloud"]),
        kind=st.none(),
        network=st.sampled_from((None, *space)),
    )


@st.composite
def flows(draw, settings, times, space=(None,)):
    start = draw(times)
    end = start + draw(durations(settings))
    lag = draw(lags(settings))
    # Where evidence names networks, a flow may name one that no evidence names.
    elsewhere = (*space, *space, "n9") if any(space) else space
    return Flow(
        start=start,
        end=end,
        received=None if lag is None else end + lag,
        local_address=draw(st.sampled_from(ADDRESSES)),
        local_port=draw(st.sampled_from(PORTS)),
        remote_address=draw(st.sampled_from(ADDRESSES)),
        remote_port=draw(st.sampled_from(PORTS)),
        local_workload=draw(st.sampled_from([None, "client"])),
        local_service=draw(st.sampled_from([None, None, "front"])),
        hostname=draw(st.sampled_from([None, None, None, "sni.example"])),
        basis=draw(st.sampled_from(["connection", "connection", "connection", "window", "window", "export"])),
        protocol=draw(st.sampled_from([TCP, TCP, UDP, ICMP, None])),
        direction=draw(st.sampled_from([None, "ingress", "egress"])),
        data_centre=draw(st.sampled_from([None, "ams", "fra"])),
        region=draw(st.sampled_from([None, "eu"])),
        local_network=draw(st.sampled_from(elsewhere)),
        remote_network=draw(st.sampled_from((None,) * 5 + elsewhere)),
    )


@st.composite
def translated_flows(draw, settings, times, space=(None,)):
    """Flows that say, of either side, what the wire shows of it; and what they carried."""
    counts = st.sampled_from([None, 0, 0, 7, 9])
    shown = st.sampled_from([(None, None), (None, None), *((a, p) for a in ADDRESSES for p in (None, 443, 65_535))])
    wire, remote_wire = draw(shown), draw(shown)
    return replace(
        draw(flows(settings, times, space)),
        wire_address=wire[0],
        wire_port=wire[1],
        remote_wire_address=remote_wire[0],
        remote_wire_port=remote_wire[1],
        bytes_sent=draw(counts),
        bytes_received=draw(counts),
        packets_sent=draw(counts),
        packets_received=draw(counts),
    )


@st.composite
def histories(draw, most_heartbeats=10, most_flows=6):
    settings = draw(rule_settings(pools=True))
    times, space = draw(clocks(settings)), draw(st.sampled_from(SPACES))
    # Evidence of one kind alone is as interesting as the mix, and the generator finds each sooner so.
    with_events = draw(st.sampled_from([0, 0, 6]))
    with_labels = draw(st.sampled_from([0, 0, 4]))
    with_names = draw(st.sampled_from([0, 0, 4]))
    with_policies = draw(st.sampled_from([0, 4]) if settings.pool_prefixes else st.just(0))
    with_rules = draw(st.sampled_from([0, 0, 4]))
    seen = draw(st.lists(heartbeats(settings, times, space), max_size=most_heartbeats))
    evidence = Evidence(
        heartbeats=tuple(seen),
        assignments=tuple(draw(st.lists(assignments(times, space), max_size=with_events))),
        name_bindings=tuple(draw(st.lists(name_bindings(times, space), max_size=with_names))),
        labels=tuple(draw(st.lists(labels(space), max_size=with_labels))),
        policies=tuple(draw(st.lists(policies(times, space), max_size=with_policies))),
        socket_rules=tuple(draw(st.lists(socket_rules(times, space), max_size=with_rules))),
    )
    asked = draw(st.lists(flows(settings, times, space), min_size=1, max_size=most_flows))
    return History(settings, evidence, tuple(replace(f, observer=str(i)) for i, f in enumerate(asked)))


@st.composite
def crowded_histories(draw):
    """Many heartbeats of few workloads on one key, where joining and holes are decided."""
    settings = draw(rule_settings())
    times, space = draw(clocks(settings, close=draw(st.booleans()))), draw(st.sampled_from(SPACES))
    one_address = {"address": ADDRESSES[0]}
    ports = draw(st.sampled_from([(None,), (None,), (443,), (443,), (None, 443), (80, 443)]))
    protocols = draw(st.sampled_from([(TCP,), (TCP,), (TCP, UDP)]))
    few = draw(st.sampled_from([2, 4, 14]))
    seen = draw(st.lists(heartbeats(settings, times, space), min_size=1, max_size=few))
    moved = [(h, draw(st.sampled_from(ports))) for h in seen]
    with_ranges = draw(st.booleans())
    seen = [
        replace(
            h,
            port=port,
            protocol=draw(st.sampled_from(protocols)),
            last_port=draw(last_ports(port)) if with_ranges else None,
            claim=None,
            **one_address,
        )
        for h, port in moved
    ]
    if draw(st.booleans()):
        seen = [replace(h, claim=draw(claims(h.port, h.last_port))) for h in seen]
    asked = draw(st.lists(flows(settings, times, space), min_size=1, max_size=6))
    asked = [
        replace(
            f,
            remote_address=ADDRESSES[0],
            remote_port=draw(st.sampled_from([443, 443, 443, 80])),
            protocol=draw(st.sampled_from([TCP, TCP, *protocols, None])),
            local_workload="client",
        )
        for f in asked
    ]
    return History(settings, Evidence(tuple(seen)), tuple(replace(f, observer=str(i)) for i, f in enumerate(asked)))


@st.composite
def port_histories(draw):
    """Many heartbeats of one port of one address, and of ranges of ports that hold it or lie beside it."""
    settings = draw(rule_settings())
    times, space = draw(clocks(settings, close=draw(st.booleans()))), draw(st.sampled_from(SPACES))
    spans = [((443, None), (0, 443)), ((443, None), (443, 443)), ((0, 443), (443, 65_535)), ((443, None), (80, None))]
    spans = draw(st.sampled_from(spans))
    seen = draw(st.lists(heartbeats(settings, times, space), min_size=2, max_size=8))
    held = [draw(st.sampled_from((*spans, *spans, *spans, (444, 445), (None, None)))) for _ in seen]
    seen = [
        replace(h, address=ADDRESSES[0], port=port, last_port=last, protocol=TCP, claim=draw(claims(port, last)))
        for h, (port, last) in zip(seen, held, strict=True)
    ]
    asked = draw(st.lists(flows(settings, times, space), min_size=2, max_size=6))
    to_port = {"remote_address": ADDRESSES[0], "remote_port": 443, "protocol": TCP, "local_workload": "client"}
    asked = [replace(f, observer=str(i), **to_port) for i, f in enumerate(asked)]
    return History(settings, Evidence(tuple(seen)), tuple(asked))


@st.composite
def networked_histories(draw):
    """Little evidence of each kind about one address in several networks: which network answers, what it closes."""
    settings, space = draw(rule_settings()), draw(st.sampled_from([one for one in SPACES if len(one) > 1]))
    times = draw(clocks(settings, close=True))
    kinds = (heartbeats(settings, times, space), assignments(times, space), socket_rules(times, space))
    seen, given, ruled = (draw(st.lists(kind, max_size=3)) for kind in kinds)
    labelled = draw(st.lists(labels(space), max_size=3))
    evidence = Evidence(
        heartbeats=tuple(replace(h, address=draw(st.sampled_from(ADDRESSES[:2]))) for h in seen),
        assignments=tuple(replace(e, address=ADDRESSES[0]) for e in given),
        labels=tuple(labelled),
        socket_rules=tuple(replace(r, prefix=PREFIXES[0], start=None, end=None, data_centre=None) for r in ruled),
    )
    asked = draw(st.lists(flows(settings, times, space), min_size=1, max_size=6))
    asked = [replace(f, remote_address=ADDRESSES[0], observer=str(i)) for i, f in enumerate(asked)]
    return History(settings, evidence, tuple(asked))


@st.composite
def both_ended_histories(draw):
    """Connections between two sockets, each reported by any of its ends, behind a translator or not; few heartbeats."""
    settings, space = draw(rule_settings()), draw(st.sampled_from([*[(None,)] * 6, *SPACES]))
    times = draw(clocks(settings, close=True))
    tol, hold = settings.clock_tolerance, settings.hold
    sockets = [(ADDRESSES[0], draw(st.sampled_from([443, 65_535]))), (ADDRESSES[1], 443)]
    inside = ADDRESSES[2], 443
    sent, base = draw(st.sampled_from([(7, 9), (0, 0), (7, 7)])), draw(times)
    spans = st.sampled_from([0, 1, tol, tol + 1, 2 * tol + 1, 3 * tol, hold // 2])
    asked, one_workload = [], draw(st.booleans())
    for number in range(draw(st.integers(2, 5))):
        # Mostly one report of each end.
        end = draw(st.sampled_from([number % 2, number % 2, 0, 1]))
        own, far = sockets[end], sockets[1 - end]
        start = base + draw(st.sampled_from([0, 0, 1, tol // 2, tol, tol + 1]))
        last = start + draw(spans)
        workload = "ab"[end] if one_workload else draw(st.sampled_from([*WORKLOADS, *WORKLOADS, None]))
        translated, far_translated = draw(st.sampled_from([False, True])), draw(st.sampled_from([False, False, True]))
        counts = draw(st.sampled_from([sent] * 8 + [(None, 9), (9, 7)]))
        counts = counts if end else counts[::-1]
        packets = draw(st.sampled_from([(None, None), (1, 2) if end else (2, 1), (1, 1)]))
        wires = draw(st.sampled_from([(True, True), (True, True), (True, True), (True, False), (False, True)]))
        local, remote = inside if translated and wires[0] else own, inside if far_translated else far
        asked.append(
            Flow(
                start=start,
                end=last,
                local_address=local[0],
                local_port=local[1],
                remote_address=remote[0],
                remote_port=remote[1],
                wire_address=own[0] if translated else None,
                wire_port=own[1] if translated else None,
                remote_wire_address=far[0] if far_translated else None,
                remote_wire_port=far[1] if far_translated and wires[1] else None,
                local_workload=workload,
                local_service=draw(st.sampled_from(SERVICES)),
                observer=str(number),
                protocol=draw(st.sampled_from([TCP] * 9 + [UDP])),
                direction=draw(st.sampled_from([None, ("egress", "ingress")[end], ("egress", "ingress")[end]])),
                local_network=draw(st.sampled_from(space[:1] * 3 + space)),
                remote_network=draw(st.sampled_from((None, None, None, *space))),
                bytes_sent=counts[0],
                bytes_received=counts[1],
                packets_sent=packets[0],
                packets_received=packets[1],
                basis=draw(st.sampled_from(["connection"] * 9 + ["window"])),
                received=draw(st.sampled_from([None] * 19 + [last + tol + 1])),
            )
        )
    seen = draw(st.lists(heartbeats(settings, times, space), max_size=2))
    if draw(st.sampled_from([True, True, False])):
        # Both addresses are held by port.
        around = base - draw(st.sampled_from([0, tol, settings.max_gap]))
        seen += [Heartbeat(address, 80, "c", None, around, around, network=space[0]) for address in ADDRESSES[:2]]
    return History(settings, Evidence(tuple(seen)), tuple(asked))


any_history = st.one_of(histories(), crowded_histories(), port_histories(), networked_histories())


def probes(history, most=120):
    """Flows that start at and beside every moment at which the answer for the first address may change."""
    tol, settings = history.settings.clock_tolerance, history.settings
    seen = [moment for h in history.evidence.heartbeats for moment in (h.start, h.end)]
    off = {o + one for o in (-tol, 0, tol) for one in (-1, 0, 1)}
    off |= {settings.retention + one for one in (-1, 0, 1, tol)}
    off |= {one - settings.hold for one in (-1, 0, 1)}
    views = sorted({h.network for h in history.evidence.heartbeats}, key=str)
    asked = flows_at(settings, sorted({moment + o for moment in seen for o in off}), views)
    # Evenly spread, and by a step that is no multiple of the number of kinds of flows.
    step = max(1, len(asked) // most) | 1
    return asked[::step]


def flows_at(settings, moments, views=(None,)):
    """Flows of every kind to the first address that start at these moments, each seen from one of the networks."""
    tol, gap = settings.clock_tolerance, settings.max_gap
    kinds = (0, "connection"), (2 * tol + 1, "connection"), (gap + tol, "connection"), (gap, "window")
    asked = [
        Flow(start, start + lasting, ADDRESSES[3], None, ADDRESSES[0], 443, local_workload="client", basis=basis)
        for start in moments
        for lasting, basis in kinds
    ]
    return [replace(flow, local_network=view) for flow, view in zip(asked, cycle(views or (None,)), strict=False)]
