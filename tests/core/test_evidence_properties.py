"""The columnar core and the attributor, held to the oracle over generated histories."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from oracle import attribute, ownership_ranges
from records import answers, batch, ownership, package_settings
from strategies import any_history, crowded_histories

import attribution.attributor as attributor_module
from attribution.attributor import Attributor
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING

END_OF_TIME = 1 << 60


def by_the_oracle(history):
    return [attribute(history.evidence, flow, history.settings) for flow in history.flows]


def observe(attributor, kind, records):
    """Pass records of one kind to the attributor, as one batch."""
    method = {
        HEARTBEAT: attributor.observe,
        ASSIGNMENT: attributor.observe_assignments,
        NAME_BINDING: attributor.observe_names,
        LABEL: attributor.observe_labels,
        FLOW: attributor.hold,
    }[kind]
    method(batch(kind, records))


def of_kinds(evidence):
    return {
        HEARTBEAT: evidence.heartbeats,
        ASSIGNMENT: evidence.assignments,
        NAME_BINDING: evidence.name_bindings,
        LABEL: evidence.labels,
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


@given(crowded_histories())
def test_ownership_ranges_are_those_of_the_oracle(history):
    found = ownership(knowing(history).ownership_ranges())
    assert len(found) == len(set(found))
    assert set(found) == ownership_ranges(history.evidence.heartbeats, history.settings)


# As time goes on


@pytest.fixture
def compacting(monkeypatch):
    """Compact at every step, not only when there is much to compact."""
    monkeypatch.setattr(attributor_module, "_COMPACT_FROM", -END_OF_TIME)


@st.composite
def journeys(draw):
    """A history, the watermarks of a run over it, and in which step each record arrives, all of them on time.

    Evidence is on time before the watermark has passed its start, a flow as long as it is no older than retention.
    """
    history = draw(any_history)
    moments = sorted({h.start for h in history.evidence.heartbeats} | {f.end for f in history.flows})
    near = [-1, 0, 1, history.settings.hold, history.settings.hold - 1, history.settings.retention]
    marks = st.builds(lambda moment, off: moment + off, st.sampled_from(moments), st.sampled_from(near))
    watermarks = sorted(draw(st.sets(marks, max_size=5)))

    def arrival(latest):
        """A step after which the watermark is; step i is followed by watermark i."""
        return draw(st.integers(0, sum(mark < latest for mark in watermarks)))

    steps = [[] for _ in range(len(watermarks) + 1)]
    for label in history.evidence.labels:
        steps[0].append((LABEL, label))
    for heartbeat in history.evidence.heartbeats:
        steps[arrival(heartbeat.start)].append((HEARTBEAT, heartbeat))
    for assignment in history.evidence.assignments:
        steps[arrival(assignment.time)].append((ASSIGNMENT, assignment))
    for binding in history.evidence.name_bindings:
        steps[arrival(binding.time)].append((NAME_BINDING, binding))
    for flow in history.flows:
        steps[arrival(flow.start + history.settings.retention)].append((FLOW, flow))
    return history, steps, watermarks


def travel(journey, between_steps=lambda attributor: attributor):
    """Run a journey; the answers by flow, each flow exactly once."""
    history, steps, watermarks = journey
    attributor = Attributor(package_settings(history.settings))
    released = {}
    for step, watermark in zip(steps, [*watermarks, END_OF_TIME], strict=True):
        for kind, record in step:
            observe(attributor, kind, [record])
        attributor = between_steps(attributor)
        for rows in attributor.advance(watermark):
            for observer, answer in zip(rows.column("observer").to_pylist(), answers(rows), strict=True):
                assert observer not in released, "a flow was released twice"
                flow = history.flows[int(observer)]
                assert watermark >= flow.end + history.settings.hold, "a flow was released early"
                released[observer] = answer
    assert sorted(released, key=int) == [flow.observer for flow in history.flows], "a flow was lost"
    return list(map(released.get, sorted(released, key=int)))


@pytest.mark.usefixtures("compacting")
@given(journeys())
def test_what_comes_on_time_is_answered_as_if_all_had_been_known(journey):
    assert travel(journey) == by_the_oracle(journey[0])


@pytest.mark.usefixtures("compacting")
@given(journeys(), st.data())
def test_snapshot_and_restore_change_nothing(journey, data):
    settings = package_settings(journey[0].settings)

    def between_steps(attributor):
        if data.draw(st.booleans(), label="restart"):
            return Attributor.restore(attributor.snapshot(), settings)
        return attributor

    assert travel(journey, between_steps) == by_the_oracle(journey[0])
