"""Flows as evidence of each other: heartbeats, claims of ports and reports of both ends, held to the oracle."""

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import Evidence, attribute, evidence_of_flows, timed
from records import answers, batch, package_settings
from strategies import SPACES, History, both_ended_histories, clocks, heartbeats, rule_settings, translated_flows

from attribution.core.attributor import Attributor
from attribution.schema import FLOW, HEARTBEAT

END_OF_TIME = 1 << 60


@st.composite
def busy_histories(draw):
    """Flows of few addresses that are evidence of each other, and heartbeats of ports among them."""
    settings = draw(rule_settings(pools=True))
    times, space = draw(clocks(settings, close=draw(st.booleans()))), draw(st.sampled_from(SPACES))
    seen = draw(st.lists(heartbeats(settings, times, space), max_size=4))
    asked = draw(st.lists(translated_flows(settings, times, space), min_size=1, max_size=8))
    asked = tuple(replace(f, observer=str(i)) for i, f in enumerate(asked))
    return History(settings, Evidence(tuple(seen)), asked)


def with_flows(history):
    """The evidence of a history and of its flows."""
    seen = (*history.evidence.heartbeats, *evidence_of_flows(history.flows, history.settings))
    return replace(history.evidence, heartbeats=seen, flows=history.flows)


@given(st.one_of(both_ended_histories(), busy_histories()))
def test_what_flows_say_of_each_other_is_what_the_oracle_says(history):
    attributor = Attributor(package_settings(history.settings))
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, history.evidence.heartbeats))
    rows = batch(FLOW, history.flows)
    attributor.observe_flows(rows)
    evidence = with_flows(history)
    expected = [attribute(evidence, flow, history.settings) for flow in history.flows]
    for answer in expected:
        event(answer.remote.reason)
    assert answers(attributor.attribute(rows)) == expected


@pytest.mark.usefixtures("compacting")
@given(both_ended_histories(), st.data())
def test_as_time_goes_on_flows_say_of_each_other_what_is_known_by_then(history, data):
    settings = history.settings
    attributor = Attributor(package_settings(settings), index_per_batch=data.draw(st.booleans(), label="by batch"))
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, history.evidence.heartbeats))
    waiting = sorted(history.flows, key=lambda flow: timed(flow, settings).end)
    reported, answered = [], {}
    while waiting or len(answered) < len(history.flows):
        if waiting:
            rows = batch(FLOW, [waiting[0]])
            reported.append(waiting.pop(0))
            attributor.observe_flows(rows)
            attributor.hold(rows)
        # What is still to come ends at the watermark or later.
        watermark = timed(waiting[0], settings).end if waiting else timed(reported[-1], settings).end + END_OF_TIME
        known = with_flows(replace(history, flows=tuple(reported)))
        for out in attributor.advance(watermark).attributed:
            answered |= {
                number: (one, known)
                for number, one in zip(out.column("observer").to_pylist(), answers(out), strict=False)
            }
        if data.draw(st.booleans(), label="restart"):
            attributor = Attributor.restore(attributor.snapshot(), attributor.settings)
    for flow in history.flows:
        answer, known = answered[flow.observer]
        event(answer.remote.reason)
        assert answer == attribute(known, flow, settings)
