"""`attribution agility`: formats, messages, and the whole search from the plan to the name."""

import csv
import io
import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from tiny_lake import at, flow, policy, pooled, write_lake

from attribution.cli.agility import command
from attribution.config import Settings
from attribution.errors import QueryError

SETTINGS = Settings(pool_prefixes=("192.0.2.0/24", "198.51.100.0/24"))
POLICIES = [
    policy("all", "shared", "192.0.2.0/30"),
    policy("fra", "far", "198.51.100.0/25", match="data_centre=fra"),
    policy("before", "old", "198.51.100.128/25", ttl=60.0, end="12:00:00"),
]


def come_in(time, client, server, pool, policies, state="in_force"):
    ends = pooled("local", pool, policies, state)
    return flow(
        time, f"{server}:443", f"{client}:50000", direction="ingress", data_centre="ams", bytes_sent=1000, **ends
    )


FLOWS = [
    *(come_in("12:00:00", f"203.0.113.{n}", "192.0.2.1", "shared", "all") for n in range(1, 7)),
    come_in("12:00:01", "203.0.113.1", "192.0.2.2", "shared", "all"),
    come_in("12:00:02", "203.0.113.1", "192.0.2.3", "shared", "all"),
    come_in("12:01:00", "203.0.114.1", "198.51.100.1", "far", "fra", "elsewhere"),
    come_in("12:01:00", "203.0.115.1", "198.51.100.129", "old", "before", "ended"),
    come_in("12:30:00", "203.0.115.2", "198.51.100.129", "old", "before", "ended"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lakes") / "pools", flows=FLOWS, policies=POLICIES, settings=SETTINGS)


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def ok(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_load(lake):
    lines = squeezed(ok("load", lake, "--limit", 1))
    assert "shared all 4 3 1 8 8 8.0 kB 6 1 2 6.0x 1.17 0.612" in lines
    assert "not in force, so not counted: ended 2, elsewhere 1 (agility astray and agility stale tell more)" in lines
    assert "and 1 between them: --limit 0 shows all" in lines
    assert [row["address"] for row in rows(ok("load", lake, "--format", "csv"))] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]
    found = json.loads(ok("load", lake, "--format", "json", "--by", "bytes"))
    assert (found["measure"], found["pools"][0]["busiest"], found["left_out"]["ended"]) == ("bytes", 6000, 2)
    assert "not counted" in ok("load", lake, "--pool", "old")


def test_astray(lake):
    text = ok("astray", lake)
    assert any(line.startswith("ams server elsewhere far fra 1 9.1%") for line in squeezed(text))
    assert "elsewhere: policies hand it out, but in other data centres only" in text
    (row,) = rows(ok("astray", lake, "--format", "csv"))
    assert json.loads(row["clients"])[0]["network"] == "203.0.114.0/24"
    assert json.loads(ok("astray", lake, "--format", "json"))[0]["share"] == 1 / 11
    assert "Nothing astray" in ok("astray", lake, "--data-centre", "fra")


def test_stale(lake):
    lines = squeezed(ok("stale", lake))
    assert any(line.startswith("old before server 198.51.100.128/25 ams 2026-01-05 12:00:00 1m") for line in lines)
    assert "Since the end of old, by before, logged by the server" in lines
    assert "1m 2m 1 100.0% 1.0 kB 1" in lines
    assert "16m 32m 1 50.0% 1.0 kB 1" in lines
    assert "Who still comes to old, by before, logged by the server, beyond the bound" in lines
    (row,) = rows(ok("stale", lake, "--format", "csv", "--bucket", "10m"))
    assert [bucket["begin"] for bucket in json.loads(row["decay"])] == [0, 1_800_000_000]
    assert (row["within_answer"], row["beyond"]) == ("1", "1")
    assert json.loads(ok("stale", lake, "--format", "json"))[0]["ended"] == "2026-01-05T12:00:00Z"
    assert "Nothing stale" in ok("stale", lake, "--window", "..2026-01-05T12:00:30")
    refused = run("stale", lake, "--bucket", "soon")
    assert refused.exit_code == 2
    assert "cannot read the duration 'soon'" in refused.output


@pytest.mark.parametrize(("left", "said"), [("ttl", "says no ttl"), ("all", "does not have the policy")])
def test_stale_without_a_bound_says_why(tmp_path, left, said):
    policies = [policy("before", "old", "198.51.100.128/25", end="12:00:00")] if left == "ttl" else []
    made = write_lake(tmp_path / "lake", flows=FLOWS[-1:], policies=policies, settings=SETTINGS)
    assert said in ok("stale", made)


@pytest.mark.parametrize("verb", ["load", "astray", "stale"])
def test_lakes_without_pools_and_without_flows(tmp_path, verb):
    without = run(verb, write_lake(tmp_path / "without"))
    assert isinstance(without.exception, QueryError)
    assert "--pool-prefix" in str(without.exception)
    empty = write_lake(tmp_path / "empty", settings=SETTINGS)
    assert ok(verb, empty).startswith("No")
    for format_ in ("json", "csv"):
        ok(verb, empty, "--format", format_)


@pytest.mark.parametrize("verb", [(), ("load",), ("astray",), ("stale",), ("plan",), ("attack",)])
def test_help_has_examples(verb):
    assert "Examples:" in ok(*verb, "--help")


# The search


def load(address, begin, seconds, a_second):
    return [
        flow(begin + timedelta(seconds=n / a_second), f"{address}:443", "203.0.113.9:5000", direction="ingress")
        for n in range(seconds * a_second)
    ]


def test_a_search_from_the_plan_to_the_name(tmp_path):
    names, plan, placed = (tmp_path / name for name in ("names.txt", "plan.json", "step.txt"))
    names.write_text("".join(f"n{n}.example\n" for n in range(4)))
    given = ("--names", names, "--attacked", "192.0.2.1", "--address", "192.0.2.2/31", "--ttl-before", "60s")
    text = ok("plan", *given, "--out", plan, "--assignment", placed, "--at", "2026-01-05T12:00:00Z")
    assert squeezed(text)[:3] == [
        "4 names on 2 addresses from 2026-01-05 12:00:00 UTC",
        "predicted: 2 steps, 4m",
        "ask where the attack went once the lake has flows up to 12:02:00",
    ]
    assert placed.read_text().splitlines()[2] == "n2.example 192.0.2.3"
    flows = [*load("192.0.2.1", at("11:59:00"), 60, 5), *load("192.0.2.3", at("12:01:00"), 70, 5)]
    first = write_lake(tmp_path / "first", flows=flows)
    text = ok("attack", first, "--plan", plan)
    assert "The attack is after one of 2 names." in text
    assert "Go on with --next PLAN" in text
    text = ok("attack", first, "--plan", plan, "--next", plan, "--assignment", placed, "--at", "2026-01-05T12:03:00Z")
    assert f"The next step is in {plan}" in text
    assert "Ask again when the lake has flows" in ok("attack", first, "--plan", plan)
    # The attack was at 192.0.2.3, which serves no suspect now.
    assert placed.read_text().splitlines() == ["n2.example 192.0.2.2", "n3.example 192.0.2.1"]
    second = write_lake(tmp_path / "second", flows=[*flows, *load("192.0.2.1", at("12:03:30"), 70, 5)])
    lines = squeezed(ok("attack", second, "--plan", plan))
    assert lines[0] == "The attack is after n3.example."
    assert lines[1].startswith("found: The attack followed the name in every step")
    assert lines[2] == "2 steps in 4m 31s; predicted for one name: 2 in 4m"
    assert json.loads(ok("attack", second, "--plan", plan, "--format", "json"))["names"] == ["n3.example"]
    assert [row["hit"] for row in rows(ok("attack", second, "--plan", plan, "--format", "csv"))] == [
        "192.0.2.3",
        "192.0.2.1",
    ]
    gone = ok("attack", second, "--plan", plan, "--background", 100)
    assert gone.startswith("Not found.\nunclear:")
    refused = run("attack", second, "--plan", plan, "--window", "-1h..")
    assert (refused.exit_code, "leave out --window" in refused.output) == (2, True)


def test_a_plan_is_data_too(tmp_path):
    (tmp_path / "names").write_text("a\nb\nc\n")
    given = ("--names", tmp_path / "names", "--attacked", "192.0.2.1", "--address", "192.0.2.2/31")
    found = rows(ok("plan", *given, "--out", tmp_path / "plan.json", "--format", "csv"))
    assert [(row["address"], row["names"], row["first"], row["last"]) for row in found] == [
        ("192.0.2.2", "2", "1", "2"),
        ("192.0.2.3", "1", "3", "3"),
    ]
