"""The k-ary search finds the name that an attack follows, in the steps predicted, and guesses never."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.query.attack.kary_search import (
    OUTCOMES,
    Part,
    Reading,
    Search,
    Step,
    count,
    divide,
    predicted_steps,
    predicted_time,
    read,
    search,
)

ATTACK, BACKGROUND = 1000.0, 900.0
MOST_NAMES = 20_000_000


def addresses(k):
    return [f"192.0.2.{number}" if number < 256 else f"192.0.3.{number - 256}" for number in range(1, k + 1)]


class Attacker:
    """An attack on the addresses of its names; what `late` says are steps by which it is behind its DNS answers."""

    def __init__(self, *targets, at="198.51.100.1", late=0, sticks=0.0):
        self.targets, self.late, self.sticks = targets, late, sticks
        self.where = {target: [at] for target in targets}

    def __call__(self, step):
        """The share of the attack that each address gets."""
        shares = {}
        for target, path in self.where.items():
            path.extend(
                [part.address for part in step.parts if any(a <= target < b for a, b in part.names)] or path[-1:]
            )
            now, first = path[-1 - self.late] if len(path) > self.late else path[0], path[0]
            for address, share in ((now, 1 - self.sticks), (first, self.sticks)):
                shares[address] = shares.get(address, 0.0) + share / len(self.targets)
        return shares


def world(attack, weights=(1.0,), *, background=BACKGROUND):
    """Loads of a step: the attack's, and the background by weights, which may put all of it on one address."""

    def observe(step):
        shares = attack(step)
        noise = [weights[number % len(weights)] for number in range(len(step.addresses))]
        whole = sum(noise) or 1.0
        return {
            address: ATTACK * shares.get(address, 0.0) + background * noise[number] / whole
            for number, address in enumerate(step.addresses)
        }

    return observe


def run(names, k, attack, weights=(1.0,)):
    start = Search.of(names, [*addresses(k), "198.51.100.1"], attacked=["198.51.100.1"])
    assert start.fan_out == k
    return [after for _, after in search(start, world(attack, weights), background=BACKGROUND, slack=1e-6)]


cases = st.tuples(st.integers(2, MOST_NAMES), st.integers(2, 256)).flatmap(
    lambda case: st.tuples(st.just(case[0]), st.just(case[1]), st.integers(0, case[0] - 1))
)


@given(cases, st.lists(st.floats(0, 1), min_size=1, max_size=5))
@settings(max_examples=150)
def test_one_name_is_found_in_the_steps_that_are_predicted_whatever_else_is_popular(case, weights):
    names, k, target = case
    path = run(names, k, Attacker(target), weights)
    assert path[-1].outcome == "found"
    assert path[-1].suspects == ((target, target + 1),)
    assert len(path) <= predicted_steps(names, k)
    # Sizes fall by k, rounded up, so that the prediction is met and not only kept.
    assert all(math.ceil(count(a.suspects) / k) >= count(b.suspects) for a, b in pairwise(path))


@pytest.mark.parametrize(
    ("names", "k", "steps"), [(20_000_000, 2, 25), (20_000_000, 256, 4), (256, 256, 1), (257, 256, 2)]
)
def test_the_last_name_takes_as_many_steps_as_predicted(names, k, steps):
    assert predicted_steps(names, k) == steps
    longest = max(len(run(names, k, Attacker(target))) for target in (0, names - 1))
    assert longest == steps


@given(cases, st.integers(1, 3))
@settings(max_examples=60)
def test_an_attack_that_is_a_step_late_gives_no_wrong_name(case, late):
    names, k, target = case
    last = run(names, k, Attacker(target, late=late))[-1]
    assert last.outcome == "address"


@given(cases)
@settings(max_examples=60)
def test_an_attack_on_an_address_follows_no_name(case):
    names, k, _ = case

    path = run(names, k, lambda _: {"198.51.100.1": 1.0})
    assert [after.outcome for after in path] == ["address"]


@given(cases, st.integers(0, 255))
@settings(max_examples=60)
def test_an_attack_that_keeps_to_the_address_that_it_once_was_given_is_found_out(case, number):
    """It comes to one of the first step's addresses and stays there: only a search of a single step could be misled."""
    names, k, _ = case
    stuck = addresses(k)[number % min(k, names)]
    path = run(names, k, lambda _: {stuck: 1.0})
    if predicted_steps(names, k) > 1 and count(path[0].suspects) > 1:
        assert path[-1].outcome == "address"


@given(cases)
@settings(max_examples=60)
def test_an_attack_of_which_a_part_stays_behind_is_still_followed(case):
    names, k, target = case
    start = Search.of(names, [*addresses(k), "198.51.100.1"], attacked=["198.51.100.1"])
    observe = world(Attacker(target, sticks=0.45), background=100.0)
    path = [after for _, after in search(start, observe, background=100.0)]
    assert path[0].stayed == {"198.51.100.1"}
    assert path[-1].outcome in {"found", "unclear"}
    if path[-1].outcome == "found":
        assert path[-1].suspects == ((target, target + 1),)
    else:
        assert k < 3


@given(st.integers(2, MOST_NAMES), st.integers(8, 256), st.sets(st.integers(0, MOST_NAMES - 1), min_size=2, max_size=3))
@settings(max_examples=60)
def test_several_names_are_found_together(names, k, targets):
    targets = {target % names for target in targets}
    start = Search.of(names, [*addresses(k), "198.51.100.1"], attacked=["198.51.100.1"])
    observe = world(Attacker(*targets), background=100.0)
    *_, (_, last) = search(start, observe, background=100.0)
    assert last.outcome == "found"
    assert {number for first, end in last.suspects for number in range(first, end)} == targets


@given(cases, st.floats(0.02, 0.98))
@settings(max_examples=100)
def test_an_attack_no_larger_than_the_background_is_never_mistaken(case, size):
    """One popular name has all of the background: below it, the attack may stay unseen, never be named wrongly."""
    names, k, target = case
    attack = Attacker(target)
    start = Search.of(names, [*addresses(k), "198.51.100.1"], attacked=["198.51.100.1"])

    def observe(step):
        loads = dict.fromkeys(step.addresses, 0.0)
        loads[step.parts[0].address] += BACKGROUND
        for address, share in attack(step).items():
            loads[address] += BACKGROUND * size * share
        return loads

    *_, (_, last) = search(start, observe, background=BACKGROUND)
    if last.outcome == "found":
        assert last.suspects == ((target, target + 1),)


def test_an_attack_on_every_address_is_after_no_one_name():
    path = run(1000, 4, lambda step: dict.fromkeys(step.addresses, 1.0))
    assert (path[-1].outcome, path[-1].doubt) == ("unclear", "every address carries it, so it follows no one name")


def test_an_attack_that_stops_is_gone():
    assert [after.outcome for after in run(1000, 4, lambda _: {})] == ["gone"]


def test_a_step_that_contradicts_the_one_before_is_unclear():
    start = Search.of(100, ["a", "b", "x"], attacked=["x"])
    once = start.after(start.step(), Reading(frozenset({"a"})))
    assert (once.suspects, once.busy, once.outcome) == (((0, 50),), {"a"}, "searching")
    twice = once.after(Step((Part("b", ((60, 70),)), Part("x", ((70, 100),))), ("a",)), Reading(frozenset({"b"})))
    assert (twice.outcome, twice.doubt) == ("unclear", "it went to names that an earlier step had ruled out")
    assert twice.after(start.step(), Reading(frozenset({"a"}))) is twice
    with pytest.raises(ValueError, match="over: unclear"):
        twice.step()


def test_two_names_and_two_addresses_are_too_few():
    path = run(64, 2, Attacker(1, 62), weights=(0.0,))
    assert path[-1].outcome == "unclear"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 40))
def test_parts_are_nearly_equal_and_hold_each_name_once(gaps, parts):
    names, at = [], 0
    for number, gap in enumerate(gaps):
        if number % 2 == 0:
            names.append((at, at + gap))
        at += gap
    every = [n for first, end in names for n in range(first, end)]
    if parts > len(every):
        with pytest.raises(ValueError, match="cannot make"):
            divide(tuple(names), parts)
        return
    made = divide(tuple(names), parts)
    assert [n for part in made for first, end in part for n in range(first, end)] == every
    assert max(map(count, made)) - min(map(count, made)) <= 1


@pytest.mark.parametrize(
    ("loads", "hit", "doubt"),
    [
        ({"a": 20, "b": 3}, {"a"}, False),
        ({"a": 20, "b": 30}, {"a", "b"}, False),
        ({"a": 4, "b": 5}, set(), False),
        ({"a": 9, "b": 8}, set(), True),
        ({"a": 20, "b": 9, "c": 9}, {"a"}, True),
        ({}, set(), False),
    ],
)
def test_an_address_carries_the_attack_if_it_carries_more_than_all_else_could(loads, hit, doubt):
    reading = read(loads, background=10)
    assert (reading.hit, bool(reading.doubt)) == (hit, doubt)


def test_slack_is_for_chance():
    assert read({"a": 12.0}, background=10).hit == {"a"}
    assert read({"a": 12.0}, background=10, slack=3) == Reading(frozenset())


@pytest.mark.parametrize(
    ("names", "these", "attacked", "message"),
    [
        (1, ["a", "b", "c"], ["c"], "found 1 names"),
        (9, ["a", "b"], ["b"], "1 attacked addresses and 1 others"),
        (9, ["a", "b"], [], "0 attacked"),
    ],
)
def test_a_search_that_cannot_be_says_what_it_needs(names, these, attacked, message):
    with pytest.raises(ValueError, match=message):
        Search.of(names, these, attacked=attacked)


def test_time_is_the_old_ttl_and_a_time_for_each_step():
    assert predicted_time(3, ttl_before=300, step=90) == 570
    with pytest.raises(ValueError, match="cannot divide"):
        predicted_steps(10, 1)


def test_every_outcome_is_explained():
    assert set(OUTCOMES) == {"searching", "found", "address", "gone", "unclear"}
