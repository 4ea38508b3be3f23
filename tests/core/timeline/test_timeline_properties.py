"""The mutable timeline of an address, held to the oracle over generated histories."""

from dataclasses import replace

from hypothesis import assume, event, given
from hypothesis import strategies as st
from oracle import Evidence, attribute, in_range, is_untimed, ownership_ranges, timed
from records import held, package_settings, socket_of, stored_range
from strategies import ADDRESSES, any_history, crowded_histories, port_histories

from attribution.core.timeline.address_timeline import AddressTimeline
from attribution.core.timeline.networks import AskedNetworks

ADDRESS = ADDRESSES[0]


def heartbeats_of(history):
    return [h for h in history.evidence.heartbeats if h.address == ADDRESS]


def flows_of(history):
    """The flows whose times are known, as a timeline is asked about them."""
    return [timed(f, history.settings) for f in history.flows if not is_untimed(f, history.settings)]


def by_the_oracle(history, heartbeats, flow):
    """What heartbeats alone say of the flow's remote port on the address."""
    settings = replace(history.settings, workload_prefixes=(), pool_prefixes=())
    answer = attribute(Evidence(tuple(heartbeats)), replace(flow, remote_address=ADDRESS), settings).remote
    return replace(answer, reason="unknown") if answer.reason == "silent" else answer


def timeline_of(history, heartbeats):
    timeline = AddressTimeline(ADDRESS, package_settings(history.settings))
    for h in heartbeats:
        observe(timeline, h)
    return timeline


def observe(timeline, h):
    timeline.add(held(h), h.workload, h.service, h.start, h.end, network=h.network, claim=h.claim)


def ask(timeline, flow):
    networks = AskedNetworks.of_remote(flow.local_network, flow.remote_network)
    socket = socket_of(flow, flow.remote_port)
    opened = None if flow.direction is None else flow.direction == "ingress"
    return timeline.ask(socket, flow.start, flow.end, basis=flow.basis, opened=opened, networks=networks)


def assert_says(answer, expected):
    event(expected.reason)
    found = (answer.workload, answer.service, answer.reason, answer.distance)
    assert found == (expected.workload, expected.service, expected.reason, expected.distance)


@given(any_history)
def test_the_timeline_gives_the_answers_of_the_oracle(history):
    heartbeats = heartbeats_of(history)
    timeline = timeline_of(history, heartbeats)
    for flow in flows_of(history):
        assert_says(ask(timeline, flow), by_the_oracle(history, heartbeats, flow))


@given(crowded_histories(), st.data())
def test_order_and_repetition_change_no_answer_and_questions_may_come_between(history, data):
    heartbeats = heartbeats_of(history)
    again = data.draw(st.lists(st.sampled_from(heartbeats), max_size=4), label="again")
    shuffled = data.draw(st.permutations([*heartbeats, *again]), label="order")
    timeline, flows = timeline_of(history, []), flows_of(history)
    assume(flows)
    for known, h in enumerate(shuffled, start=1):
        observe(timeline, h)
        flow = flows[known % len(flows)]
        assert_says(ask(timeline, flow), by_the_oracle(history, shuffled[:known], flow))


def ranges_of(timeline):
    return [stored_range(ADDRESS, one) for one in timeline.ranges()]


@given(st.one_of(crowded_histories(), port_histories()))
def test_the_ranges_of_the_timeline_are_those_of_the_oracle(history):
    heartbeats = heartbeats_of(history)
    found = ranges_of(timeline_of(history, heartbeats))
    assert len(found) == len(set(found))
    assert set(found) == ownership_ranges(heartbeats, history.settings)


@given(st.one_of(crowded_histories(), port_histories()))
def test_who_is_named_from_stored_ranges_is_who_is_named_from_heartbeats(history):
    heartbeats = heartbeats_of(history)
    settings = package_settings(history.settings)
    stored = AddressTimeline.from_ranges(ADDRESS, timeline_of(history, heartbeats).ranges(), settings)
    for flow in flows_of(history):
        socket = socket_of(flow, flow.remote_port)
        ranges = {held(h) for h in heartbeats if socket and in_range(h, socket)}
        if len(ranges) > 1:
            continue  # of ranges of ports that overlap, stored ones do not tell who was seen in whose silence
        expected, found = by_the_oracle(history, heartbeats, flow), ask(stored, flow)
        if ranges and expected.reason == "covered" and found.reason == "gap":
            continue  # what may only be bridged must not be spoken against from further off
        if expected.reason == "within" and found.reason != "within":
            assert (found.workload, found.reason) == (None, "gap")
        elif expected.reason == "covered":
            assert (found.workload, found.reason in {"covered", "bridged"}) == (expected.workload, True)
        else:
            assert (found.workload, found.reason) == (expected.workload, expected.reason)


@given(crowded_histories(), st.sampled_from([0, 1, 50]))
def test_what_is_forgotten_changes_no_later_answer(history, off):
    heartbeats = heartbeats_of(history)
    timeline = timeline_of(history, heartbeats)
    assume(flows_of(history))
    before = min(flow.start for flow in flows_of(history)) - history.settings.retention - off
    left = timeline.forget(before)
    assert left == any(h.end >= before for h in heartbeats)
    for flow in flows_of(history):
        assert_says(ask(timeline, flow), by_the_oracle(history, heartbeats, flow))
