"""The columnar core and the attributor, held to the oracle over generated histories."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import MINUTE, SECOND, Evidence, Flow, Heartbeat, Settings, attribute, ownership_ranges, timed, unattributed
from records import answers, batch, ownership, package_settings
from strategies import any_history, crowded_histories, networked_histories, port_histories, probes

from attribution.core.attributor import Attributor
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING, POLICY, SOCKET_RULE

END_OF_TIME = 1 << 60


def by_the_oracle(history):
    return [attribute(history.evidence, flow, history.settings) for flow in history.flows]


def observe(attributor, kind, records):
    """Pass records of one kind to the attributor, as one batch."""
    rows = batch(kind, records)
    if kind == FLOW:
        attributor.hold(rows)
    else:
        attributor.observe(kind, rows)


def of_kinds(evidence):
    return {
        HEARTBEAT: evidence.heartbeats,
        ASSIGNMENT: evidence.assignments,
        NAME_BINDING: evidence.name_bindings,
        LABEL: evidence.labels,
        POLICY: evidence.policies,
        SOCKET_RULE: evidence.socket_rules,
    }


def knowing(history):
    attributor = Attributor(package_settings(history.settings))
    for kind, records in of_kinds(history.evidence).items():
        observe(attributor, kind, records)
    return attributor


@given(any_history)
def test_the_fast_path_gives_the_answers_of_the_oracle(history):
    expected = by_the_oracle(history)
    for answer in expected:
        event(answer.remote.reason)
    assert answers(knowing(history).attribute(batch(FLOW, history.flows))) == expected


@given(networked_histories())
def test_the_fast_path_agrees_with_the_oracle_where_little_is_known_in_several_networks(history):
    assert answers(knowing(history).attribute(batch(FLOW, history.flows))) == by_the_oracle(history)


@given(st.one_of(crowded_histories(), port_histories()))
def test_the_fast_path_agrees_with_the_oracle_beside_every_boundary(history):
    asked = probes(history)
    expected = [attribute(history.evidence, flow, history.settings) for flow in asked]
    assert answers(knowing(history).attribute(batch(FLOW, asked))) == expected


@given(any_history, st.data())
def test_order_duplicates_and_batching_change_no_answer(history, data):
    attributor = Attributor(package_settings(history.settings))
    kinds = of_kinds(history.evidence)
    shuffled = data.draw(
        st.permutations([(kind, record) for kind, records in kinds.items() for record in records]), label="order"
    )
    again = data.draw(st.lists(st.sampled_from(shuffled), max_size=6) if shuffled else st.just([]), label="again")
    cuts = data.draw(st.sets(st.integers(0, len(shuffled))), label="cuts")
    pending = dict.fromkeys(kinds, ())
    for place, (kind, record) in enumerate([*shuffled, *again]):
        pending[kind] = (*pending[kind], record)
        if place in cuts:
            for part, records in pending.items():
                observe(attributor, part, records)
            pending = dict.fromkeys(kinds, ())
            attributor.attribute(batch(FLOW, history.flows))
    for part, records in pending.items():
        observe(attributor, part, records)
    assert answers(attributor.attribute(batch(FLOW, history.flows))) == by_the_oracle(history)


@given(st.one_of(crowded_histories(), port_histories()))
def test_ownership_ranges_are_those_of_the_oracle(history):
    found = ownership(knowing(history).ownership_ranges())
    assert len(found) == len(set(found))
    assert set(found) == ownership_ranges(history.evidence.heartbeats, history.settings)


# As time goes on


def with_claims_that_count(history):
    """A claim that does not count is forgotten before explicit evidence comes that is late; so there is none here."""
    as_explicit = {"accepted": None, "opened": "shown"}
    seen = tuple(replace(h, claim=as_explicit.get(h.claim, h.claim)) for h in history.evidence.heartbeats)
    return replace(history, evidence=replace(history.evidence, heartbeats=seen))


@st.composite
def journeys(draw, *, on_time=True):
    """A history, the watermarks of a run over it, and in which step each record arrives; step i ends in watermark i.

    Evidence is on time before the watermark has passed its start, a flow as long as it is no older than retention.
    """
    history = draw(any_history)
    if not on_time:
        history = with_claims_that_count(history)
    ends = {timed(f, history.settings).end for f in history.flows}
    moments = sorted({h.start for h in history.evidence.heartbeats} | ends)
    near = [-1, 0, 1, history.settings.hold, history.settings.hold - 1, history.settings.retention]
    marks = st.tuples(st.sampled_from(moments), st.sampled_from(near)).map(sum)
    watermarks = sorted(draw(st.sets(marks, max_size=5)))
    steps = [[] for _ in range(len(watermarks) + 1)]

    def arrive(kind, record, latest):
        last = sum(mark < latest for mark in watermarks) if on_time else len(watermarks)
        steps[draw(st.integers(0, last))].append((kind, record))

    for kind in (LABEL, POLICY, SOCKET_RULE):
        steps[0] += [(kind, record) for record in of_kinds(history.evidence)[kind]]
    for heartbeat in history.evidence.heartbeats:
        arrive(HEARTBEAT, heartbeat, heartbeat.start)
    for assignment in history.evidence.assignments:
        arrive(ASSIGNMENT, assignment, assignment.time)
    for binding in history.evidence.name_bindings:
        arrive(NAME_BINDING, binding, binding.time)
    for flow in history.flows:
        arrive(FLOW, flow, timed(flow, history.settings).start + history.settings.retention)
    return history, steps, watermarks


def travel(journey, between_steps=lambda attributor: attributor, *, index_per_batch=False):
    """Run a journey: (flow, its answer, what had been observed when it was released), each flow exactly once."""
    history, steps, watermarks = journey
    attributor = Attributor(package_settings(history.settings), index_per_batch=index_per_batch)
    observed = dict.fromkeys((*of_kinds(history.evidence), FLOW), ())
    released = {}
    for step, watermark in zip(steps, [*watermarks, END_OF_TIME], strict=True):
        for kind, record in step:
            observe(attributor, kind, [record])
            observed[kind] = (*observed[kind], record)
        attributor = between_steps(attributor)
        known = Evidence(*(observed[kind] for kind in of_kinds(history.evidence)))
        for rows in attributor.advance(watermark).attributed:
            for observer, answer in zip(rows.column("observer").to_pylist(), answers(rows), strict=True):
                assert observer not in released, "a flow was released twice"
                flow = history.flows[int(observer)]
                due = timed(flow, history.settings).end + history.settings.hold
                assert watermark >= due, "a flow was released early"
                released[observer] = flow, answer, known
    assert set(released) == {flow.observer for flow in history.flows}, "a flow was lost"
    return list(released.values())


@st.composite
def restarts(draw, *, index_per_batch):
    """Replaces an attributor, at some steps, by what its snapshot restores."""

    def between_steps(attributor):
        if draw(st.booleans(), label="restart"):
            return Attributor.restore(attributor.snapshot(), attributor.settings, index_per_batch=index_per_batch)
        return attributor

    return between_steps


@pytest.mark.usefixtures("compacting")
@pytest.mark.parametrize("index_per_batch", [False, True])
@given(journeys(), st.data())
def test_what_comes_on_time_is_answered_as_if_all_had_been_known(index_per_batch, journey, data):
    history = journey[0]
    for flow, answer, _ in travel(
        journey, data.draw(restarts(index_per_batch=index_per_batch)), index_per_batch=index_per_batch
    ):
        assert answer == attribute(history.evidence, flow, history.settings)


@pytest.mark.usefixtures("compacting")
@pytest.mark.parametrize("index_per_batch", [False, True])
@given(journeys(on_time=False), st.data())
def test_what_comes_late_serves_the_flows_that_are_not_yet_released(index_per_batch, journey, data):
    settings = journey[0].settings
    for flow, answer, known in travel(
        journey, data.draw(restarts(index_per_batch=index_per_batch)), index_per_batch=index_per_batch
    ):
        expected = attribute(known, flow, settings)
        if "too_old" in (answer.local.reason, answer.remote.reason):
            event("too_old")
            # No answer instead of one from evidence that is partly forgotten; what was captured stands.
            assert answer.remote == unattributed("too_old")
            assert answer.local in (expected.local, unattributed("too_old"))
        else:
            assert answer == expected


@pytest.mark.usefixtures("compacting")
@given(journeys(on_time=False), st.integers(0, 5))
def test_a_restart_changes_nothing(journey, step):
    steps = itertools.count()

    def restart_once(attributor):
        return Attributor.restore(attributor.snapshot(), attributor.settings) if next(steps) == step else attributor

    plain = {flow.observer: answer for flow, answer, _ in travel(journey)}
    assert {flow.observer: answer for flow, answer, _ in travel(journey, restart_once)} == plain


def test_a_flow_that_waits_on_for_assignment_events_does_so_after_a_restart():
    flow = Flow(1_000, 1_000, "192.0.2.1", None, "192.0.2.2", None, local_workload="client")
    attributor = Attributor(package_settings(Settings(hold=2 * SECOND, max_gap=SECOND, clock_tolerance=SECOND)))
    observe(attributor, FLOW, [flow])
    assert attributor.advance(3 * SECOND).attributed == []
    attributor = Attributor.restore(attributor.snapshot(), attributor.settings)
    # If it was asked again now, this would answer.
    observe(attributor, HEARTBEAT, [Heartbeat("192.0.2.2", None, "w", None, 0, 3 * SECOND)])
    assert attributor.advance(4 * SECOND).attributed == []
    (rows,) = attributor.advance(5 * MINUTE).attributed
    assert rows.num_rows == 1
