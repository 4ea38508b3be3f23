"""The search for an attacked name in a lake: flows as a real attack would leave them, step by step."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from attack_plan import ATTACKED, FRESH, NAMES, OBSERVE, START, TTL, TTL_BEFORE
from tiny_lake import flow, write_lake

from attribution.config import SECOND
from attribution.errors import QueryError
from attribution.query.attack.attack import attack
from attribution.query.attack.name_file import NameFile
from attribution.query.lake.selection import Selection

#: How long a step is given here: its answers expire, it is looked at, and somebody needs a moment.
STEP = timedelta(seconds=TTL_BEFORE + OBSERVE + 5)


def burst(address, begin, end, a_second, client="203.0.113.7", **fields):
    """So many connections a second that come in to an address."""
    count = round((end - begin).total_seconds() * a_second)
    for number in range(count):
        moment = begin + timedelta(seconds=number / a_second)
        yield flow(moment, f"{address}:443", f"{client}:{1024 + number % 60000}", direction="ingress", **fields)


class World:
    """A lake that grows by what each step brings: an attack that follows its names once its answers have expired."""

    def __init__(self, tmp_path, *, targets=(13,), follows=True, popular=4, attack=8, calm=3):
        self.tmp_path, self.targets, self.follows, self.popular = tmp_path, targets, follows, popular
        self.attack, self.calm = attack, calm
        self.where = dict.fromkeys([*targets, popular], ATTACKED)
        self.flows = [
            *burst(ATTACKED, START - timedelta(hours=1), START - timedelta(minutes=55), calm),
            *self.load(START - timedelta(seconds=OBSERVE), START),
        ]
        self.lakes = 0

    def load(self, begin, end):
        yield from burst(self.where[self.popular], begin, end, self.calm, "198.18.0.1")
        for target in self.targets:
            yield from burst(self.where[target], begin, end, self.attack / len(self.targets), "203.0.113.9")

    def step(self, planned, expires):
        """Everybody goes on as before until the answers of before have expired, and then where the step says."""
        turn = planned.start + timedelta(seconds=expires)
        self.flows += self.load(planned.start, turn)
        for target in self.where if self.follows else [self.popular]:
            for part in planned.step.parts:
                if any(first <= target < end for first, end in part.names):
                    self.where[target] = part.address
        self.flows += self.load(turn, turn + timedelta(seconds=OBSERVE + 4))

    def lake(self):
        self.lakes += 1
        return write_lake(self.tmp_path / f"lake-{self.lakes}", flows=self.flows)


def searched(world, plan, names, **asked):
    """The search to its end: plan a step, live through it, ask, go on."""
    found, start = None, START
    while found is None or found.outcome == "searching":
        plan = plan.with_step((found.search if found else plan.start).step(), start)
        world.step(plan.steps[-1], plan.expires(len(plan.steps) - 1) / SECOND)
        found = attack(world.lake(), plan, names, **asked)
        start += STEP
    return found


def test_the_name_is_found_in_the_steps_and_the_time_that_are_predicted(tmp_path, plan, names):
    found = searched(World(tmp_path), plan, names, quiet="2026-01-05T11:00..2026-01-05T11:05")
    assert (found.outcome, found.names, found.suspects) == ("found", ("n13.example",), 1)
    assert (found.predicted_steps, len(found.steps)) == (3, 3)
    assert found.predicted_time == (TTL_BEFORE + 3 * (TTL + OBSERVE)) * SECOND
    assert [step.suspects for step in found.steps] == [7, 2, 1]
    assert found.background == pytest.approx(3, rel=0.01)
    assert found.size == pytest.approx(8, rel=0.02)
    first = found.steps[0]
    # Names 7 to 13 of twenty are the second part of three; the popular name is in the first.
    assert (first.hit, first.parts) == (("192.0.2.66",), 3)
    assert first.rates == pytest.approx({"192.0.2.65": 3, "192.0.2.66": 8}, rel=0.05)
    assert first.observed.start == START + timedelta(seconds=TTL_BEFORE + 1)
    assert first.observed.end == first.observed.start + timedelta(seconds=OBSERVE)
    # Two steps begin later than they could, and the clocks' tolerance is waited for.
    assert found.time == (2 * STEP.total_seconds() + TTL + 1 + OBSERVE) * SECOND
    assert json.dumps(found.to_dict(), default=str)


def test_two_names_under_attack_are_both_found(tmp_path, plan, names):
    wide = replace(plan, addresses=(*FRESH, "192.0.2.68", "192.0.2.69", ATTACKED))
    found = searched(World(tmp_path, targets=(1, 13), attack=24), wide, names, background=3)
    assert (found.outcome, found.names) == ("found", ("n01.example", "n13.example"))


def test_an_attack_on_the_address_itself_is_said_to_be_one(tmp_path, plan, names):
    found = searched(World(tmp_path, follows=False), plan, names, background=3)
    assert (found.outcome, found.names[:1], len(found.steps)) == ("address", ("n00.example",), 1)
    assert found.stayed == (ATTACKED,)


def test_an_attack_that_is_no_larger_than_a_popular_name_may_be_is_not_searched_for(tmp_path, plan, names):
    found = searched(World(tmp_path, attack=3, calm=8), plan, names, quiet="2026-01-05T11:00..2026-01-05T11:05")
    assert (found.outcome, found.steps) == ("unclear", ())
    assert "leave out with filters what is not the attack" in found.doubt


def test_without_a_background_half_of_what_came_before_is_taken(tmp_path, plan, names):
    found = searched(World(tmp_path, attack=20, calm=2), plan, names)
    assert (found.outcome, found.names) == ("found", ("n13.example",))
    assert found.background == pytest.approx(11, rel=0.02)


def test_filters_leave_out_what_is_not_the_attack(tmp_path, plan, names):
    world = World(tmp_path, attack=5, calm=5)
    odd = [row | {"protocol": 17} for row in world.flows if row["remote_address"] == "203.0.113.9"]
    world.flows = [row for row in world.flows if row["remote_address"] != "203.0.113.9"] + odd
    before = world.load
    world.load = lambda begin, end: (
        row | ({"protocol": 17} if row["remote_address"] == "203.0.113.9" else {}) for row in before(begin, end)
    )
    assert searched(world, plan, names, selection=Selection(protocols=("udp",)), background=1).names == ("n13.example",)


def test_an_address_that_carries_it_before_it_serves_anything_is_noticed(tmp_path, plan, names):
    world = World(tmp_path)
    world.flows += burst(FRESH[0], START - timedelta(seconds=OBSERVE), START, 9)
    found = searched(world, plan, names, background=3)
    assert (found.outcome, len(found.steps)) == ("unclear", 0)
    assert found.doubt.startswith("192.0.2.65 carried it before it served a suspect")


def test_a_step_that_was_not_looked_at_long_enough_is_waited_for(tmp_path, plan, names):
    plan = plan.with_step(plan.start.step(), START)
    world = World(tmp_path)
    world.step(plan.steps[0], TTL_BEFORE)
    cut = START + timedelta(seconds=TTL_BEFORE + OBSERVE - 5)
    world.flows = [row for row in world.flows if row["start"] < cut]
    found = attack(world.lake(), plan, names, background=3)
    assert (found.outcome, found.suspects, found.steps, found.time) == ("waiting", NAMES, (), None)


def test_what_both_ends_logged_counts_once_and_what_an_address_opens_does_not(tmp_path, plan, names):
    plan = plan.with_step(plan.start.step(), START)
    world = World(tmp_path)
    world.step(plan.steps[0], TTL_BEFORE)
    turned = [
        row
        | {f"{one}_{part}": row[f"{other}_{part}"] for one, other in (("local", "remote"), ("remote", "local"))
           for part in ("address", "port")}
        | {"direction": "egress"}
        for row in world.flows
    ]  # fmt: skip
    outgoing = [row | {"direction": "egress"} for row in world.flows]
    world.flows += turned + outgoing
    assert attack(world.lake(), plan, names, background=3).steps[0].rates == pytest.approx(
        {"192.0.2.65": 3, "192.0.2.66": 8}, rel=0.05
    )


def test_other_names_than_the_plans_are_refused(tmp_path, plan, names):
    planned = plan.with_step(plan.start.step(), START)
    other = tmp_path / "other.txt"
    other.write_text("a.example\nb.example\n")
    lake = write_lake(tmp_path / "lake")
    with pytest.raises(QueryError, match="is not the file that it was made with"):
        attack(lake, planned, NameFile.of(other))
    with pytest.raises(QueryError, match="has no step"):
        attack(lake, plan, names)
    with pytest.raises(QueryError, match="--background or --quiet"):
        attack(lake, planned, names, background=1, quiet="2026-01-05T11:00..2026-01-05T11:05")
    with pytest.raises(QueryError, match="give both ends of the window"):
        attack(lake, planned, names, quiet="2026-01-05T11:00..")
    with pytest.raises(QueryError, match="choose flows, bytes, packets"):
        attack(lake, planned, names, measure="colour")
    assert attack(lake, planned, names).outcome == "unclear"
