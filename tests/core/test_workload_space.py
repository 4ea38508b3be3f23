"""Endpoints that are no workload, and addresses that are: who may be named by events and labels."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import HOUR, MINUTE, Assignment, Evidence, Flow, Heartbeat, Label, Settings, attribute
from records import answers, batch, package_settings
from strategies import any_history

from attribution.core.attributor import Attributor
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL

ADDRESS = "10.0.0.7"
BALANCER = Assignment(ADDRESS, None, "balancer-1", "front", "assign", 0, protocol=6)


def answer(settings, evidence, flow):
    attributor = Attributor(package_settings(settings))
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, evidence.heartbeats))
    attributor.observe(ASSIGNMENT, batch(ASSIGNMENT, evidence.assignments))
    attributor.observe(LABEL, batch(LABEL, evidence.labels))
    (found,) = answers(attributor.attribute(batch(FLOW, [flow])))
    assert found == attribute(evidence, flow, settings)
    return found.remote


def a_day_after(moment, **settings):
    """The answer for a flow so long after the last heartbeat of its address, which was given to a load balancer."""
    evidence = Evidence(
        heartbeats=(Heartbeat(ADDRESS, None, "pod", "cart", -1, -1),),
        assignments=(BALANCER,),
        labels=(Label("10.0.0.0/8", "internal"),),
    )
    flow = Flow(moment, moment, "192.0.2.1", 4000, ADDRESS, 443, local_workload="client")
    return answer(Settings(**settings), evidence, flow)


@pytest.mark.parametrize("memory", [10 * MINUTE, 2 * HOUR])
def test_an_address_is_a_workloads_until_it_was_silent_for_the_configured_time(memory):
    assert a_day_after(memory - 2, workload_memory=memory).reason == "gap"
    after = a_day_after(memory, workload_memory=memory)
    assert (after.workload, after.service, after.reason) == ("balancer-1", "front", "assigned")


def test_without_that_setting_it_is_one_as_long_as_evidence_counts():
    assert a_day_after(24 * HOUR - 2).reason == "gap"
    assert a_day_after(24 * HOUR).reason == "assigned"


def test_a_configured_workload_prefix_is_never_forgotten():
    found = a_day_after(HOUR, workload_memory=MINUTE, workload_prefixes=("10.0.0.0/8",))
    assert (found.workload, found.reason) == (None, "gap")


def test_a_heartbeat_that_comes_within_the_hold_makes_the_address_a_workloads():
    later = Heartbeat(ADDRESS, None, "pod", "cart", HOUR + 4 * MINUTE, HOUR + 4 * MINUTE)
    earlier = Heartbeat(ADDRESS, None, "pod", "cart", 0, 0)
    flow = Flow(HOUR, HOUR, "192.0.2.1", 4000, ADDRESS, 443, local_workload="client")
    known = Evidence(heartbeats=(earlier, later), assignments=(BALANCER,))
    assert answer(Settings(workload_memory=MINUTE), known, flow).reason == "gap"


@given(any_history, st.data())
def test_events_about_a_workloads_address_change_no_answer_however_late_or_wrong(history, data):
    """The address counts as a workload's for as long as evidence counts; a side that is asked there is left alone."""
    settings = replace(history.settings, workload_memory=history.settings.retention)
    assume(history.evidence.heartbeats)
    address = data.draw(st.sampled_from([h.address for h in history.evidence.heartbeats]))
    times = st.sampled_from([t for h in history.evidence.heartbeats for t in (h.start, h.end)]).map(lambda t: t + 1)
    lie = st.builds(
        Assignment, st.just(address), st.none(), st.sampled_from("xy"), st.none(),
        st.sampled_from(["assign", "release"]), times, protocol=st.just(6),
    )  # fmt: skip
    lies = tuple(data.draw(st.lists(lie, min_size=1, max_size=5)))
    misled = replace(history.evidence, assignments=(*history.evidence.assignments, *lies))
    attributor, told = (Attributor(package_settings(settings)) for _ in range(2))
    for one, evidence in ((attributor, history.evidence), (told, misled)):
        one.observe(HEARTBEAT, batch(HEARTBEAT, evidence.heartbeats))
        one.observe(ASSIGNMENT, batch(ASSIGNMENT, evidence.assignments))
        one.observe(LABEL, batch(LABEL, evidence.labels))
    flows = batch(FLOW, history.flows)
    pairs = zip(answers(attributor.attribute(flows)), answers(told.attribute(flows)), strict=True)
    of_fallback = {"assigned", "assignment_change", "prefix", "unknown"}
    for before, after in pairs:
        for side in ("local", "remote"):
            if getattr(before, side).reason not in of_fallback:
                assert getattr(after, side) == getattr(before, side)
