"""The rules for ports, held to the promise: over a true history, no loss of evidence makes them name a wrong workload.

As in `test_rules_keep_promise`, the truth comes first. The owners of an ephemeral socket follow each other within
moments and come back to it; those of a range of ports do not come back within `max_gap`.
"""

from dataclasses import replace

from hypothesis import event, example, given
from hypothesis import strategies as st
from oracle import TCP, Evidence, Flow, Heartbeat, Settings, attribute, evidence_of_flows

TOL, GAP = 10, 60
SETTINGS = Settings(clock_tolerance=TOL, max_gap=GAP, hold=80, retention=400)
ADDRESS, PORT = "192.0.2.7", 40_000
LENGTHS = [1, 2, TOL - 1, TOL, TOL + 1, 2 * TOL, 2 * TOL + 1, 3 * TOL, 100]
CLOCKS = st.integers(-(TOL // 2), TOL // 2)


@st.composite
def tenures(draw, *, away):
    """(workload, first moment, last moment) of the socket, in order; nobody comes back within `away`."""
    found, left, moment = [], {}, 1_000
    for _ in range(draw(st.integers(1, 6))):
        workload = draw(st.sampled_from("abc"))
        moment = max(moment + draw(st.sampled_from([1, 1, 1, 2, TOL, 50])), left.get(workload, 0) + away)
        left[workload] = last = moment + draw(st.sampled_from(LENGTHS))
        found.append((workload, moment, last))
        moment = last
    return found


@st.composite
def seen_in(draw, tenure, clock):
    """A part of a tenure, mostly all of it, as a clock logged it."""
    workload, first, last = tenure
    start = draw(st.one_of(st.just(first), st.integers(first, last)))
    end = draw(st.one_of(st.just(last), st.integers(start, last)))
    return workload, start + clock, end + clock


@st.composite
def worlds(draw, *, one_clock):
    """Heartbeats of the socket, a flow, its peer and the truth.

    Either all heartbeats of a workload are by one clock, or each is by any, and nobody is away for less than clocks may
    differ.
    """
    held = draw(tenures(away=1 if one_clock else TOL + 1))
    clocks = {workload: draw(CLOCKS) for workload in "abc"}
    sightings = [
        draw(seen_in(tenure, clocks[tenure[0]] if one_clock else draw(CLOCKS)))
        for tenure in held
        for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3])))
    ]
    heartbeats = tuple(Heartbeat(ADDRESS, PORT, w, None, s, e) for w, s, e in sightings)
    workload, start, end = draw(seen_in(draw(st.sampled_from(held)), draw(CLOCKS)))
    return heartbeats, Flow(start, end, "198.51.100.1", 443, ADDRESS, PORT, local_workload="server"), workload, held


def named(heartbeats, flow):
    answer = attribute(Evidence(tuple(heartbeats)), flow, SETTINGS).remote
    event(answer.reason)
    assert answer.reason != "bridged"
    return answer.workload


both_worlds = st.one_of(worlds(one_clock=True), worlds(one_clock=False))


@given(both_worlds)
@example(
    # Seen until just before and from just after a short connection of another one, who was not.
    (
        (Heartbeat(ADDRESS, PORT, "a", None, 1_000, 1_100), Heartbeat(ADDRESS, PORT, "a", None, 1_108, 1_300)),
        Flow(1_102, 1_106, "198.51.100.1", 443, ADDRESS, PORT, local_workload="server"),
        "b",
        [("a", 1_000, 1_100), ("b", 1_101, 1_107), ("a", 1_108, 1_300)],
    )
)
def test_a_connection_through_a_reused_port_is_never_given_to_another_connections_workload(world):
    heartbeats, flow, peer, _ = world
    assert named(heartbeats, flow) in {peer, None}


@given(both_worlds)
def test_a_window_on_a_reused_port_is_only_attributed_where_one_workload_held_it_in_all_of_it(world):
    heartbeats, flow, _, held = world
    found = named(heartbeats, replace(flow, basis="window"))
    if found is not None:
        assert {w for w, first, last in held if first <= flow.end and flow.start <= last} == {found}


def test_a_port_that_is_reused_within_seconds_is_attributed_at_either_side_of_the_hand_over():
    seen = [Heartbeat(ADDRESS, PORT, w, None, s, e) for w, s, e in (("a", 1_000, 1_100), ("b", 1_130, 1_300))]
    before, after = (
        Flow(s, e, "198.51.100.1", 443, ADDRESS, PORT, local_workload="server")
        for s, e in ((1_001, 1_099), (1_131, 1_299))
    )
    answers = [attribute(Evidence(tuple(seen)), flow, SETTINGS).remote for flow in (before, after)]
    assert [(answer.workload, answer.reason) for answer in answers] == [("a", "within"), ("b", "within")]


# Ranges of ports: workload by workload, each with a lease of all of them, and connections through one.


@st.composite
def leases(draw):
    """(workload, first moment, last moment) of the range, in order; nobody comes back."""
    found, moment = [], 1_000
    for number in range(draw(st.integers(1, 4))):
        moment += draw(st.sampled_from([1, 1, 2, TOL, GAP]))
        found.append((f"w{number}", moment, moment + draw(st.sampled_from([TOL, GAP, 100, 200]))))
        moment = found[-1][2]
    return found


@given(leases(), st.data())
def test_a_port_of_a_range_is_never_given_to_who_did_not_hold_it(held, data):
    def seen(lease):
        return data.draw(seen_in(lease, data.draw(CLOCKS)))

    def sightings(most):
        return [seen(lease) for lease in data.draw(st.lists(st.sampled_from(held), max_size=most))]

    spans = st.sampled_from([(39_000, 40_999), (40_000, 40_000), (1, 65_535)])
    heartbeats = []
    for w, s, e in sightings(8):
        first, last = data.draw(spans)
        heartbeats.append(Heartbeat(ADDRESS, first, w, None, s, e, protocol=TCP, last_port=last))
    heartbeats += [Heartbeat(ADDRESS, PORT, w, None, s, e) for w, s, e in sightings(4)]
    # Who claims all of the address, or holds other ports of it, answers for none of these.
    heartbeats += [
        Heartbeat(ADDRESS, None, "node", None, 900, 2_000),
        Heartbeat(ADDRESS, 41_500, "x", None, 900, 2_000),
    ]
    workload, start, end = seen(data.draw(st.sampled_from(held)))
    flow = Flow(start, end, "198.51.100.1", 443, ADDRESS, PORT, local_workload="server")
    answer = attribute(Evidence(tuple(heartbeats)), flow, SETTINGS).remote
    event(answer.reason)
    assert answer.workload in {workload, None}
    window = attribute(Evidence(tuple(heartbeats)), replace(flow, basis="window"), SETTINGS).remote
    if window.workload is not None:
        assert {w for w, first, last in held if first <= flow.end and flow.start <= last} == {window.workload}


# Processes that listen on a port of a shared address one after the other, and keep connections for longer.

NODE, LISTENING, OPENED = "192.0.2.9", 443, 1_025
PEERS = ("198.51.100.1", "198.51.100.2")


@st.composite
def shared_worlds(draw):
    """Evidence of a node's address, some of it flows, of which any may be lost; a connection to it, and its peer."""
    listeners, lasting = draw(leases()), st.sampled_from([0, 1, TOL, 2 * TOL + 1, GAP, 300])
    found, heartbeats, asked = [], [Heartbeat(NODE, 80, "x", None, 900, 2_000)], []
    for _ in range(draw(st.integers(0, 8))):
        workload, first, last = draw(st.sampled_from(listeners))
        at = draw(st.integers(first, last))
        if draw(st.booleans()):
            heartbeats.append(Heartbeat(NODE, LISTENING, workload, None, *2 * (at + draw(CLOCKS),)))
            continue
        # An accepted connection may outlast its process's time as a listener.
        start, end, own = at + draw(CLOCKS), at + draw(lasting), draw(st.integers(50_000, 50_003))
        said = draw(st.sampled_from(["ingress", "ingress", None]))
        flow = Flow(start, max(start, end), NODE, LISTENING, PEERS[0], own, local_workload=workload, direction=said)
        found.append(flow)
    moment = 1_000
    for _ in range(draw(st.integers(0, 3))):
        moment += draw(st.sampled_from([1, 2, TOL + 1]))
        workload, last = draw(st.sampled_from("abc")), moment + draw(lasting)
        start, end = moment + draw(CLOCKS), last + draw(CLOCKS)
        said = draw(st.sampled_from(["egress", "egress", None]))
        opened = Flow(start, max(start, end), NODE, OPENED, PEERS[1], 443, local_workload=workload, direction=said)
        if draw(st.booleans()):
            found.append(opened)
        asked.append((replace(opened, start=moment + draw(CLOCKS), end=max(moment + TOL, last)), workload))
        moment = last
    for workload, first, last in listeners:
        at = draw(st.integers(first, last))
        asked.append((Flow(at + draw(CLOCKS), at + TOL + 100, NODE, LISTENING, PEERS[0], 50_009), workload))
    flow, peer = draw(st.sampled_from(asked))
    seen_by_far_end = replace(
        flow,
        local_address=flow.remote_address,
        local_port=flow.remote_port,
        remote_address=NODE,
        remote_port=flow.local_port,
        local_workload="client",
        direction=None,
    )
    return heartbeats, found, seen_by_far_end, peer


@given(shared_worlds(), st.sampled_from(["interval", "start"]))
@example(
    # An old process keeps a connection, of which the log does not say who opened it; the new listener was not seen.
    (
        [Heartbeat(NODE, 80, "x", None, 900, 2_000)],
        [Flow(1_000, 1_300, NODE, LISTENING, PEERS[0], 50_000, local_workload="w0")],
        Flow(1_150, 1_160, PEERS[0], 50_009, NODE, LISTENING, local_workload="client"),
        "w1",
    ),
    "interval",
)
def test_a_port_of_a_shared_address_is_never_given_to_who_only_has_a_connection_there(world, span):
    heartbeats, found, flow, peer = world
    evidence = Evidence((*heartbeats, *evidence_of_flows(found, SETTINGS, span)), flows=(*found, flow))
    answer = attribute(evidence, flow, SETTINGS).remote
    event(answer.reason)
    assert answer.workload in {peer, None}
