"""The rules themselves, held to the promise: over a true history, no loss of evidence makes them name a wrong workload.

Here the truth comes first: who really held each address when. Evidence is what honest observers with imperfect clocks
saw of it, any part of which may be lost. The oracle may then say nothing, but must never say something false.
"""

from dataclasses import replace

from hypothesis import event, example, given
from hypothesis import strategies as st
from oracle import TCP, Evidence, Flow, Heartbeat, Settings, attribute, evidence_of_flows, unattributed

UDP = 17
TOL = 10
GAP = 60
#: Between regular heartbeats, of which any may be lost.
INTERVAL = 25
SETTINGS = Settings(clock_tolerance=TOL, max_gap=GAP, hold=80, retention=400)


@st.composite
def histories(draw):
    """Tenures (workload, first moment, last moment) of one key, in order, the next at least one moment later."""
    tenures = []
    moment = 1_000
    for number in range(draw(st.integers(1, 4))):
        moment += draw(st.sampled_from([1, 1, 2, TOL - 1, TOL, TOL + 1, GAP, 2 * GAP]))
        last = moment + draw(st.sampled_from([0, 1, TOL, 2 * TOL, GAP, 100, 200, 300]))
        tenures.append((f"w{number}", moment, last))
        moment = last
    return tenures


# The sum of two clocks' errors is at most the tolerance.
clock_errors = st.integers(-(TOL // 2), TOL // 2)


@st.composite
def seen(draw, tenures):
    """One observation that is true up to a clock's error: workload, first and last moment as logged."""
    workload, first, last = draw(st.sampled_from(tenures))
    start = draw(st.integers(first, last))
    end = draw(st.one_of(st.just(start), st.integers(start, last)))
    logged = start + draw(clock_errors)
    return workload, logged, max(logged, end + draw(clock_errors))


@st.composite
def worlds(draw):
    tenures = draw(histories())
    regular = [(w, moment) for w, first, last in tenures for moment in range(first, last + 1, INTERVAL)]
    kept = draw(st.tuples(*[st.sampled_from([True, True, True, False]) for _ in regular]))
    sightings = [
        (w, logged, logged)
        for (w, moment), keep in zip(regular, kept, strict=True)
        if keep
        for logged in [moment + draw(clock_errors)]
    ]
    sightings += draw(st.lists(seen(tenures), max_size=5))
    heartbeats = tuple(Heartbeat("192.0.2.7", None, w, None, s, e) for w, s, e in sightings)
    workload, start, end = draw(seen(tenures))
    flow = Flow(start, end, "198.51.100.1", 40_000, "192.0.2.7", 443, local_workload="client")
    return heartbeats, flow, workload, tenures


@given(worlds())
@example(
    # Seen once, just before the next owner took over unseen: within the tolerance of the connection's start.
    (
        (Heartbeat("192.0.2.7", None, "w0", None, 995, 995),),
        Flow(1_001, 1_050, "198.51.100.1", 40_000, "192.0.2.7", 443, local_workload="client"),
        "w1",
        [("w0", 990, 1_000), ("w1", 1_001, 1_100)],
    )
)
def test_a_connection_is_never_attributed_to_a_workload_that_was_not_its_peer(world):
    heartbeats, flow, peer, _ = world
    answer = attribute(Evidence(heartbeats), flow, SETTINGS).remote
    event(answer.reason)
    assert answer.workload in {peer, None}


@given(worlds())
def test_a_window_is_only_attributed_where_one_workload_held_the_address_in_all_of_it(world):
    heartbeats, flow, _, tenures = world
    # The window as its own clock logged it: whoever may have held the address in it may have had the traffic.
    holders = {w for w, first, last in tenures if first <= flow.end and flow.start <= last}
    answer = attribute(Evidence(heartbeats), replace(flow, basis="window"), SETTINGS).remote
    event(answer.reason)
    if answer.workload is not None:
        assert holders == {answer.workload}


@given(worlds(), st.data())
def test_a_clock_that_is_wrong_by_any_amount_outweighs_no_owner_that_was_seen(world, data):
    heartbeats, flow, peer, tenures = world
    seen_then = Heartbeat("192.0.2.7", None, peer, None, flow.start - TOL, flow.start + TOL)
    liar = st.tuples(st.sampled_from([*(w for w, _, _ in tenures), "liar"]), st.integers(0, 3_000))
    shifted = tuple(
        Heartbeat("192.0.2.7", None, workload, None, moment, moment + data.draw(st.sampled_from([0, GAP, 1_000])))
        for workload, moment in data.draw(st.lists(liar, max_size=8))
    )
    answer = attribute(Evidence((*heartbeats, seen_then, *shifted)), flow, SETTINGS).remote
    event(answer.reason)
    assert answer.workload in {peer, None}


@given(worlds(), st.data())
def test_a_port_of_a_shared_address_is_never_attributed_to_the_holder_of_another_or_of_all(world, data):
    heartbeats, flow, peer, _ = world
    of_port = tuple(replace(h, port=443, protocol=TCP) for h in heartbeats)
    moments = st.integers(1_000, 1_600)
    of_all = tuple(Heartbeat("192.0.2.7", None, "node", None, s, s + 100) for s in data.draw(st.lists(moments)))
    seen = [flow.start, *data.draw(st.lists(moments, max_size=3))]
    # The same port of another protocol is another port.
    other_ports = st.sampled_from([(443, UDP), (80, TCP)])
    neighbours = tuple(
        Heartbeat("192.0.2.7", port, f"neighbour-{port}", None, s, s, protocol=protocol)
        for s in seen
        for port, protocol in [data.draw(other_ports)]
    )
    evidence = Evidence(of_port + of_all + neighbours)
    answer = attribute(evidence, flow, SETTINGS).remote
    event(answer.reason)
    assert answer.workload in {peer, None}
    # Which of the protocols a flow is of, evidence cannot tell.
    assert attribute(evidence, replace(flow, protocol=None), SETTINGS).remote == unattributed("shared")


@st.composite
def late_worlds(draw):
    """As `worlds`, but the flow is by a clock that is late by any amount; a right clock says when it was received."""
    heartbeats, _, _, tenures = draw(worlds())
    workload, first, last = draw(st.sampled_from(tenures))
    start = draw(st.integers(first, last))
    end = draw(st.integers(start, last))
    late, delay = draw(st.sampled_from([0, TOL // 2, 2 * TOL, GAP, 100, 300])), draw(st.sampled_from([0, 1, TOL, 100]))
    shown = start - late + draw(clock_errors)
    shown_end = max(shown, end - late + draw(clock_errors))
    received = end + delay + draw(clock_errors)
    flow = Flow(shown, shown_end, "198.51.100.1", 40_000, "192.0.2.7", 443, local_workload="client", received=received)
    return heartbeats, flow, workload, tenures, (start, end)


@given(late_worlds(), st.sampled_from(["connection", "window"]))
@example(
    # The old owner was seen until the clock says that the connection began; the new one was not seen at all.
    (
        (Heartbeat("192.0.2.7", None, "w0", None, 900, 1_000),),
        Flow(950, 960, "198.51.100.1", 40_000, "192.0.2.7", 443, local_workload="client", received=1_050),
        "w1",
        [("w0", 900, 1_000), ("w1", 1_001, 1_100)],
        (1_020, 1_030),
    ),
    "connection",
)
def test_a_record_by_a_late_clock_is_never_attributed_to_who_was_there_by_that_clock_only(world, basis):
    heartbeats, flow, peer, tenures, (start, end) = world
    answer = attribute(Evidence(heartbeats), replace(flow, basis=basis), SETTINGS).remote
    event(answer.reason)
    holders = {w for w, first, last in tenures if first <= end and start <= last}
    if answer.workload is not None:
        assert answer.workload == peer
        assert basis == "connection" or holders == {peer}


@given(late_worlds())
def test_a_record_by_a_late_clock_is_evidence_of_nothing_that_was_not(world):
    _, flow, peer, tenures, _ = world
    seen_there = replace(flow, local_address="192.0.2.7", local_workload=peer, direction="ingress")
    (held,) = [(first, last) for w, first, last in tenures if w == peer]
    for h in evidence_of_flows([seen_there], SETTINGS):
        event(f"{h.claim}")
        assert held[0] - TOL <= h.start <= h.end <= held[1] + TOL
