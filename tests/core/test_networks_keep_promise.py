"""The rules about networks, held to the promise: where one address has several owners at once, no wrong one is named.

The truth comes first: who held the address in each network when, and which networks reach each other. Any part of the
evidence may be lost, also all of a network.
"""

from dataclasses import dataclass, replace

from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from oracle import Evidence, Flow, Heartbeat, Settings, attribute, counts

TOL, GAP, ADDRESS = 10, 60, "192.0.2.7"
SETTINGS = Settings(clock_tolerance=TOL, max_gap=GAP, hold=80, retention=400)
#: The records of one network carry no name, its flows and its evidence alike.
UNNAMED = None
NETWORKS = ("east", "west", "south", UNNAMED)
#: Between two networks for the address, or for another one.
PREFIXES = ("", ",192.0.2.0/24", ",192.0.2.7/32")
ELSEWHERE = ",198.51.100.0/24"

clock_errors = st.integers(-(TOL // 2), TOL // 2)


@dataclass(frozen=True)
class Tenure:
    network: str | None
    workload: str
    first: int
    last: int


@dataclass(frozen=True)
class World:
    routes: tuple[str, ...]
    heartbeats: tuple[Heartbeat, ...]
    flow: Flow
    peer: str


def joined(one, other, prefix):
    return f"{one or '-'},{other or '-'}{prefix}"


@st.composite
def tenures(draw, networks):
    """Who held the address, one at a time, each in one of these networks, which share the address."""
    found, moment = [], 1_000
    for number in range(draw(st.integers(1, 3))):
        moment += draw(st.sampled_from([1, 1, TOL + 1, GAP]))
        last = moment + draw(st.sampled_from([1, 2 * TOL, 100, 300]))
        network = draw(st.sampled_from(networks))
        found.append(Tenure(network, f"{networks[0]}{number}", moment, last))
        moment = last
    return found


@st.composite
def sightings(draw, tenure):
    """What observers with imperfect clocks saw of a tenure; any of it may be lost."""
    found = []
    for moment in range(tenure.first, tenure.last + 1, 25):
        if draw(st.sampled_from([True, True, False])):
            at = moment + draw(clock_errors)
            found.append(Heartbeat(ADDRESS, None, tenure.workload, None, at, at, network=tenure.network))
    if draw(st.booleans()):
        start = tenure.first + draw(clock_errors)
        end = max(start, tenure.last + draw(clock_errors))
        found.append(Heartbeat(ADDRESS, None, tenure.workload, None, start, end, network=tenure.network))
    return found


@st.composite
def worlds(draw, networks=NETWORKS):
    """Networks with one address; two of them may be joined for it, and then only one of the two holds it at a time."""
    order = draw(st.permutations(networks))
    pair, others = order[:2], order[2:]
    shared = draw(st.booleans())
    groups = [pair, *([other] for other in others)] if shared else [[one] for one in order]
    routes = [joined(*pair, draw(st.sampled_from(PREFIXES)))] if shared else []
    if draw(st.booleans()):
        # The other two networks reach each other elsewhere.
        routes.append(joined(*order[1:3], ELSEWHERE))
    known = [one for group in groups for one in draw(tenures(tuple(group)))]
    target = draw(st.sampled_from(known))
    lost = draw(st.sampled_from([(), (), (), (target.network,), tuple(order[:1])]))
    heartbeats = [h for one in known if one.network not in lost for h in draw(sightings(one))]
    start = draw(st.integers(target.first, target.last))
    end = draw(st.integers(start, target.last))
    logged = start + draw(clock_errors)
    view = draw(st.sampled_from(next(group for group in groups if target.network in group)))
    told = draw(st.sampled_from([None, target.network]))
    flow = Flow(logged, max(logged, end + draw(clock_errors)), "198.51.100.1", 40_000, ADDRESS, 443)
    flow = replace(flow, local_workload="client", local_network=view, remote_network=told)
    return World(tuple(routes), tuple(heartbeats), flow, target.workload)


def settings_of(world):
    return replace(SETTINGS, routes=world.routes)


def remote(world, heartbeats, flow):
    answer = attribute(Evidence(tuple(heartbeats)), flow, settings_of(world)).remote
    event(answer.reason)
    return answer


def lost_in_west(*routes):
    """A flow in `west`, of whose owner nothing is left; the owner in `east` was seen."""
    seen = Heartbeat(ADDRESS, None, "other", None, 0, 100, network="east")
    flow = Flow(50, 60, "198.51.100.1", 40_000, ADDRESS, 443, local_workload="client", local_network="west")
    return World(routes, (seen,), flow, "w")


@given(worlds(), st.sampled_from(["connection", "window"]))
@example(lost_in_west(), "connection")
@example(lost_in_west(joined("east", "west", ELSEWHERE)), "connection")
@example(lost_in_west("west,south", "south,east"), "connection")
def test_no_flow_is_attributed_to_the_owner_in_another_network_whatever_is_lost(world, basis):
    answer = remote(world, world.heartbeats, replace(world.flow, basis=basis))
    assert answer.workload in {world.peer, None}


@given(worlds(NETWORKS[:3]), st.data())
def test_evidence_whose_network_was_left_out_names_nobody_in_a_network(world, data):
    partly = [replace(h, network=data.draw(st.sampled_from([h.network, None]))) for h in world.heartbeats]
    assert remote(world, partly, world.flow).workload in {world.peer, None}


@given(worlds())
@example(
    World(
        (),
        (
            Heartbeat(ADDRESS, None, "w", None, 0, 100, network="east"),
            Heartbeat(ADDRESS, None, "other", None, 0, 100, network=UNNAMED),
        ),
        Flow(50, 60, "198.51.100.1", 40_000, ADDRESS, 443, local_workload="client", local_network="east"),
        "w",
    )
)
def test_a_flow_whose_network_was_left_out_is_nobodys_where_its_network_was_seen(world):
    flow = replace(world.flow, local_network=None, remote_network=None)
    at_address = [h for h in world.heartbeats if h.address == flow.remote_address]
    assume(any(h.network != UNNAMED and counts(h, flow, SETTINGS) for h in at_address))
    assert remote(world, world.heartbeats, flow).reason in {"unknown", "other_network"}
