"""Policies and socket rules of the lab: who answers, with what, and who accepts; and the caches between them."""

import random
from collections import Counter
from ipaddress import ip_address, ip_network

import pytest

from attribution.config import SECOND
from attribution.testbed.lab import LabError
from attribution.testbed.lab.dns.cache import Cache
from attribution.testbed.lab.dns.names import Name, Popularity, catalogue
from attribution.testbed.lab.dns.policies import Policy, PolicyEngine
from attribution.testbed.lab.scenarios import PRESETS, Ports, Scenario, preset
from attribution.testbed.lab.sockets.rules import SocketRule, in_order, service_for

LON = (("data_centre", "lon"),)
ENTERPRISE = (("account_type", "enterprise"),)
QUERY = (("account_type", "enterprise"), ("data_centre", "lon"), ("hostname", "a.example"), ("service", "web"))
WIDE = Policy(policy="wide", pool="p", prefix="127.64.0.0/24", match=LON, ttl=5.0)
NARROW = Policy(policy="narrow", pool="q", prefix="127.80.0.0/28", match=ENTERPRISE, priority=10, ttl=2.0)


def answers(policies, *, time=0, query=QUERY, count=200):
    engine, rng = PolicyEngine(policies), random.Random(1)
    return [engine.answer(query, time, rng) for _ in range(count)]


def test_the_policy_with_the_highest_priority_answers_with_its_ttl():
    for policies in ([WIDE, NARROW], [NARROW, WIDE]):
        said = answers(policies)
        assert {(one.policy, one.ttl) for one in said} == {("narrow", 2.0)}
        assert all(ip_address(one.address) in ip_network("127.80.0.0/28") for one in said)


def test_a_query_that_a_policy_does_not_match_is_for_the_next_one():
    free = tuple(sorted((set(QUERY) - set(ENTERPRISE)) | {("account_type", "free")}))
    assert {one.policy for one in answers([WIDE, NARROW], query=free)} == {"wide"}
    assert answers([NARROW], query=free, count=1) == [None]


def test_of_equal_priorities_the_one_that_asks_for_more_answers():
    both = Policy(policy="both", pool="r", prefix="127.90.0.0/32", match=tuple(sorted(LON + ENTERPRISE)))
    assert {one.policy for one in answers([WIDE, both])} == {"both"}


def test_every_address_of_the_pool_is_as_likely_as_any_other():
    parts = [
        Policy(policy="two", pool="p", prefix="127.64.0.0/29", match=LON),
        Policy(policy="two", pool="p", prefix="127.70.0.0/28", match=LON),
    ]
    counts = Counter(one.address for one in answers(parts, count=24_000))
    assert set(counts) == {str(address) for part in parts for address in part.network}
    assert min(counts.values()) > 850
    assert max(counts.values()) < 1150


def test_a_policy_answers_from_its_start_to_its_end_and_another_one_after_that():
    old = Policy(policy="old", pool="a", prefix="127.64.0.0/32", end=99)
    new = Policy(policy="new", pool="b", prefix="127.65.0.0/32", start=100)
    engine, rng = PolicyEngine([old, new]), random.Random(1)
    assert [engine.answer(QUERY, time, rng).policy for time in (0, 99, 100, 99, 500)] == [
        "old",
        "old",
        "new",
        "old",
        "new",
    ]
    assert [p.in_force(99) for p in (old, new)] == [True, False]


def test_a_policy_for_ipv6_is_refused():
    with pytest.raises(LabError, match="serves IPv4"):
        answers([Policy(policy="six", pool="p", prefix="2001:db8::/64")])


def test_a_record_says_what_a_policy_matches():
    record = Policy(policy="x", pool="p", prefix="127.64.0.0/24", match=tuple(reversed(ENTERPRISE + LON))).to_record()
    assert record["match"] == "account_type=enterprise,data_centre=lon"
    assert Policy(policy="x", pool="p", prefix="127.64.0.0/24").to_record()["match"] is None


def test_each_name_has_its_own_address_under_static_assignment():
    names = catalogue(50, random.Random(1))
    engine = PolicyEngine(preset("static").policies(names, 0))
    rng = random.Random(1)
    told = {
        name.hostname: {
            engine.answer((*name.attributes[:1], *LON, *name.attributes[1:]), 0, rng).address for _ in range(5)
        }
        for name in names
    }
    assert all(len(addresses) == 1 for addresses in told.values())
    assert len(set.union(*told.values())) == 50


@pytest.mark.parametrize("name", PRESETS)
def test_every_scenario_answers_for_every_name_at_any_time_and_has_a_service_for_every_answer(name):
    scenario, rng = preset(name), random.Random(2)
    names = catalogue(scenario.names, rng)
    engine = PolicyEngine(scenario.policies(names, 0))
    rules, ports = scenario.rules(Ports(), 0), Ports()
    services = set()
    for time in (0, 9 * SECOND, 19 * SECOND):
        in_force = in_order(rule for rule in rules if rule.in_force(time))
        for one in names:
            for centre in ("lon", "fra") if scenario.leaked_share else ("lon",):
                query = tuple(sorted((*one.attributes, ("data_centre", centre))))
                answer = engine.answer(query, time, rng)
                services.add(service_for(in_force, answer.address, ports.of(one, rng), 6))
    assert None not in services
    assert services >= {"web", "api", "api-next"}
    assert ("web-canary" in services) == (scenario.canary is not None)


def test_what_a_scenario_cannot_be_is_refused():
    with pytest.raises(LabError, match="share from 0 to 1"):
        Scenario(name="x", leaked_share=2)
    with pytest.raises(LabError, match="a client, a name"):
        Scenario(name="x", clients=0)
    with pytest.raises(LabError, match="there is room"):
        Scenario(name="x", pool=None, names=1 << 20)
    with pytest.raises(LabError, match="no scenario 'none'; there are static"):
        preset("none")


def test_rules_are_tried_by_priority_then_by_length_of_the_prefix():
    wide = SocketRule(rule="wide", prefix="127.64.0.0/16", port=443, service="web", protocol=6)
    long = SocketRule(rule="long", prefix="127.64.1.0/24", service="canary")
    first = SocketRule(rule="first", prefix="127.0.0.0/8", port=443, last_port=444, service="all", priority=1)
    order = in_order([wide, long, first])
    assert [rule.rule for rule in order] == ["first", "long", "wide"]
    assert service_for(order[1:], "127.64.1.9", 443, 6) == "canary"
    assert service_for(order[1:], "127.64.2.9", 443, 6) == "web"
    assert service_for(order[1:], "127.64.2.9", 443, 17) is None
    assert service_for(order, "127.64.1.9", 444, 17) == "all"
    assert service_for(order, "127.64.2.9", 445, 6) is None


def test_an_answer_is_used_until_its_ttl_is_over_or_for_longer_by_who_is_careless():
    honest, careless = Cache(), Cache(overstay=2.0)
    for cache in (honest, careless):
        cache.put("a", 1, ttl=3, time=0)
    assert [honest.get("a", time) for time in (0, 3 * SECOND - 1, 3 * SECOND)] == [1, 1, None]
    assert [careless.get("a", time) for time in (3 * SECOND, 5 * SECOND - 1, 5 * SECOND)] == [1, 1, None]
    assert [careless.left("a", time * SECOND) for time in (0, 1, 4)] == [3, 2, 0]
    assert honest.get("b", 0) is None


def test_few_names_are_asked_for_most():
    names = [Name(hostname=f"{number}.example", account_type="free", service="web") for number in range(1000)]
    popularity, rng = Popularity(names, 1.0), random.Random(3)
    counts = Counter(popularity.draw(rng).hostname for _ in range(20_000))
    assert counts.most_common(1)[0][0] == "0.example"
    assert counts["0.example"] / counts["9.example"] == pytest.approx(10, rel=0.3)
