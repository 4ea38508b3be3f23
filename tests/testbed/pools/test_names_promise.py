"""The promise, for names: what is named is right, whatever was told to whom, kept too long, lost, cut or off."""

from dataclasses import replace

import pyarrow as pa
import pytest
from named_worlds import attributed, attributor, judged, plain, world

from attribution.config import MINUTE
from attribution.schema import NAME_BINDING
from attribution.testbed.fleet.tables import IDENTITY

HOSTILE = ("clients=80", "names=300", "ttl=10s", "overstay_share=0.8", "answer_loss=0.5", "max_skew=500ms")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("overrides", [(), HOSTILE, ("resolver_share=0.8", "resolvers=2", "own_share=0.4")])
def test_no_name_is_wrong_and_no_set_of_candidates_lacks_the_truth(seed, overrides):
    simulation = world(*overrides, seed=seed)
    result = judged(simulation, attributed(simulation))
    names = result.names
    assert (names.wrong, names.without_truth, names.wrong_policies, result.misattributed) == (0, 0, 0, 0)
    assert (result.lost, result.repeated, result.foreign) == (0, 0, 0)
    assert names.coverage > 0.35
    # The same input has room for mistakes.
    _, last, last_told = names.systems()
    assert last["wrong_share"] > last_told["wrong_share"] > 0.02


@pytest.mark.parametrize("seed", range(2))
def test_the_service_that_accepted_a_connection_is_named(seed):
    simulation = world("window_share=0", "rule_changes=12", seed=seed)
    result = judged(simulation, attributed(simulation))
    assert sum(n for (_, _, outcome), n in result.names.services.items() if outcome == "correct") > 2000
    assert [key for key in result.names.services if key[1:] == ("connection", "wrong")] == []


def test_a_window_does_not_name_the_service_of_rules_that_came_after_its_connections():
    simulation = world("window_share=1", "rule_changes=12")
    assert judged(simulation, attributed(simulation)).misattributed == 0


def test_every_kind_of_evidence_settles_some():
    simulation = world()
    names = judged(simulation, attributed(simulation)).names
    assert {reason for reason, _, _ in names.evidence} == {"recorded", "told", "several", "incomplete", "untold"}
    assert {(reason, outcome) for reason, _, outcome in names.evidence if outcome != "not named"} == {
        ("recorded", "correct"), ("told", "correct"),
    }  # fmt: skip
    assert names.coalesced > 50


@pytest.mark.parametrize(
    ("overrides", "changes"),
    [
        (("answer_loss=0.8", "named_share=0"), {"named_prefixes": ("0.0.0.0/0",)}),
        (("max_skew=500ms",), {"clock_tolerance": 0}),
        (("overstay_share=1",), {"name_stretch": 0}),
        ((), {"connection_lifetime": 0}),
        ((), {"shared_resolvers": ()}),
    ],
    ids=["answers are missing", "clocks", "answers kept too long", "connections too long", "unknown resolvers"],
)
def test_what_the_promise_rests_on_would_show(overrides, changes):
    """What the other tests rely on: this evaluation does find what is wrong where a setting says what is not so."""
    simulation = world(*overrides)
    names = judged(simulation, attributed(simulation, replace(simulation.settings, **changes))).names
    assert names.wrong + names.without_truth > 0


def test_answers_that_are_missing_give_wrong_names_where_they_are_claimed_to_be_there():
    simulation = world("answer_loss=0.8", "named_share=0")
    claimed = replace(simulation.settings, named_prefixes=("0.0.0.0/0", "::/0"))
    assert judged(simulation, attributed(simulation, claimed)).names.wrong > 10


@pytest.mark.parametrize("step", [MINUTE, 7 * MINUTE])
def test_flows_and_answers_as_they_arrive_give_the_same_rows(step):
    simulation = world(seed=3)
    streamed = attributor(simulation)
    out = []
    for until, names, flows in simulation.arrivals(step=step):
        streamed.observe(NAME_BINDING, names)
        for batch in flows.combine_chunks().to_batches():
            streamed.hold(batch)
        reported = until - simulation.scenario.report_delay - simulation.scenario.clock_tolerance
        out += streamed.advance(reported).attributed
    out += streamed.give_up(1)
    order = [(name, "ascending") for name in IDENTITY]
    found, expected = (table.sort_by(order) for table in (plain(out), attributed(simulation)))
    assert found.equals(expected.cast(found.schema) if isinstance(found, pa.Table) else expected)
