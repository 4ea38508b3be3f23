"""What `explain` and `whois` print of an address that policies hand out, and of the names that its client was told."""

import importlib
import json

import pytest
from click.testing import CliRunner
from tiny_lake import flow, policy, pooled, write_lake

from attribution.config import Settings

TOLD = {"hostname_reason": "told", "hostname_count": 1}
SEVERAL = {"hostname_reason": "several", "hostname_count": 2, "hostname_candidates": "a.example b.example"}
FLOWS = [
    flow("12:00:00", "192.0.2.1:443", "203.0.113.1:50000", direction="ingress", data_centre="ams",
         **pooled("local", "shared", "all"), local_hostname="a.example", **TOLD),
    flow("12:01:00", "192.0.2.1:443", "203.0.113.1:50001", direction="ingress", data_centre="ams",
         **pooled("local", "shared", "all", "ended"), **SEVERAL),
    flow("12:02:00", "10.0.0.1:50002", "198.51.100.1:443", **pooled("remote", "far", "fra", "elsewhere"),
         hostname_reason="untold", hostname_count=0),
]  # fmt: skip
POLICIES = [
    policy("all", "shared", "192.0.2.0/24", ttl=30.0, start="10:00:00", end="12:00:30"),
    policy("ams", "narrow", "192.0.2.0/30", match="data_centre=ams", end="09:00:00"),
    policy("fra", "far", "198.51.100.0/24", match="data_centre=fra"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    settings = Settings(pool_prefixes=("192.0.2.0/24", "198.51.100.0/24"))
    return write_lake(tmp_path_factory.mktemp("lakes") / "pools", flows=FLOWS, policies=POLICIES, settings=settings)


def ok(verb, *arguments):
    command = importlib.import_module(f"attribution.cli.{verb}").command
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_explain_says_the_pool_and_the_name_with_its_reason(lake):
    lines = ok("explain", lake, "--remote", "203.0.113.1:50000").splitlines()
    assert (
        "hostname of the local end: a.example (told: The client was told this address for this one name, and for no "
        "other, in the time asked about.)"
    ) in lines
    assert "Local end 192.0.2.1 port 443/tcp: nobody's" in lines
    assert "pool shared, policy all, in_force: it handed the address out then, where the flow was logged" in lines


def test_explain_lists_candidates_where_there_is_no_one_name(lake):
    text = ok("explain", lake, "--remote", "203.0.113.1:50001")
    assert "hostname of the server: none of 2 (several: " in text
    assert "\ncandidates: a.example, b.example\n" in text
    assert "ended: it handed the address out before, no longer then" in text


def test_explain_says_nothing_of_names_where_there_are_none(lake):
    text = ok("explain", lake, "--local", "10.0.0.1")
    assert "hostname" not in text
    assert "pool far, policy fra, elsewhere" in text


def test_whois_lists_the_policies_and_counts_flows_by_them(lake):
    text = ok("whois", lake, "192.0.2.1", "--at", "2026-01-05T12:00:00Z")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "192.0.2.1 at 2026-01-05 12:00:00 UTC: nobody's" in lines
    assert "192.0.2.0/30 narrow ams ams - - - 2026-01-05 09:00:00" in lines
    assert "192.0.2.0/24 shared all - - 30s 2026-01-05 10:00:00 2026-01-05 12:00:30" in lines
    assert any(line.startswith("local policy pooled - shared all ended 1") for line in lines)
    found = json.loads(ok("whois", lake, "192.0.2.1", "--format", "json"))
    assert [one["pool"] for one in found["policies"]] == ["narrow", "shared"]
    assert sorted(count["policy_state"] for count in found["flows"]) == ["ended", "in_force"]
    assert "pool" not in ok("whois", lake, "10.0.0.1")
    assert "Policies" in ok("whois", lake, "192.0.2.200")
