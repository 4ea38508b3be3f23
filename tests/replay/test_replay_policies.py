"""A replay with a document of policies: what it makes of the pool space, what the lake keeps, what is rejected."""

import json

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from attribution.cli import cli
from attribution.errors import AttributionError

T0 = 1_772_323_200_000_000
DOCUMENT = """
[pools]
edge = ["192.0.2.0/24"]

[[policies]]
name = "free"
pool = "edge"

[[socket_rules]]
name = "web"
pool = "edge"
ports = 443
protocol = "tcp"
service = "frontend"
"""


def replayed(folder, flows, *more):
    path = folder / "flows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in flows))
    (folder / "policies.toml").write_text(DOCUMENT)
    given = ["replay", "--flows", path, "--policies", folder / "policies.toml", "--out", folder / "lake", *more]
    return CliRunner().invoke(cli, [str(part) for part in given], catch_exceptions=False)


def flow(remote, port, **more):
    return {
        "start": T0,
        "end": T0 + 5,
        "local_address": "10.0.0.1",
        "remote_address": remote,
        "remote_port": port,
        "protocol": 6,
        "direction": "egress",
    } | more


def test_the_pools_of_a_document_are_pool_space_before_a_flow_is_read(tmp_path):
    came_in = {"local_address": "192.0.2.9", "local_workload": "pop-1", "direction": "ingress"}
    outside = {"policy": "far", "pool": "far", "prefix": "198.51.100.0/24"}
    inside = {"policy": "near", "pool": "edge", "prefix": "192.0.2.8/32", "end": T0 - 1}
    result = replayed(
        tmp_path,
        [
            flow("192.0.2.7", 443),
            flow("192.0.2.7", 80),
            flow("198.51.100.1", 443),
            flow("10.0.0.7", 40_000, **came_in),
            flow("192.0.2.9", 22),
            outside,
            inside,
        ],
    )
    assert result.exit_code == 3
    lake = tmp_path / "lake"
    rows = ds.dataset(lake / "attributed_flows", partitioning=None).to_table().to_pylist()
    said = {
        (row["remote_address"], row["remote_port"]): (row["remote_reason"], row["remote_service"], row["remote_pool"])
        for row in rows
    }
    assert said == {
        ("192.0.2.7", 443): ("dispatched", "frontend", "edge"),
        ("192.0.2.7", 80): ("pooled", None, "edge"),
        ("198.51.100.1", 443): ("unknown", None, None),
        ("10.0.0.7", 40_000): ("unknown", None, None),
        ("192.0.2.9", 22): ("pooled", None, "edge"),
    }
    kept = {name: pq.read_table(lake / name).to_pylist() for name in ("policies", "socket_rules")}
    assert sorted(row["policy"] for row in kept["policies"]) == ["free", "near"]
    assert [row["service"] for row in kept["socket_rules"]] == ["frontend"]
    manifest = json.loads((lake / "lake.json").read_text())
    assert manifest["settings"]["pool_prefixes"] == ["192.0.2.0/24"]
    (reject,) = [json.loads(line) for line in (lake / "rejects.jsonl").read_text().splitlines()]
    assert (reject["kind"], reject["reason"]) == ("policy", "outside_pools")
    assert reject["found"] == "1 policies, the first of 198.51.100.0/24"


def test_configured_pools_stay_and_the_given_settings_reach_the_rules(tmp_path):
    more = ("--pool-prefix", "198.51.100.0/24", "--named-prefix", "10.0.0.0/24", "--connection-lifetime", "1h")
    result = replayed(tmp_path, [flow("198.51.100.1", 443)], *more, "--shared-resolver", "10.0.0.53=10.0.0.0/16")
    assert result.exit_code == 0
    settings = json.loads((tmp_path / "lake" / "lake.json").read_text())["settings"]
    assert settings["pool_prefixes"] == ["198.51.100.0/24", "192.0.2.0/24"]
    assert settings["named_prefixes"] == ["10.0.0.0/24"]
    assert settings["shared_resolvers"] == ["10.0.0.53=10.0.0.0/16"]
    assert settings["connection_lifetime"] == 3_600_000_000


def test_policies_cannot_come_from_standard_input(tmp_path):
    with pytest.raises(AttributionError, match="cannot read policies from standard input"):
        replayed(tmp_path, [flow("192.0.2.7", 443)], "--policies", "-")


def test_a_resolver_without_clients_is_a_wrong_command(tmp_path):
    result = replayed(tmp_path, [flow("192.0.2.7", 443)], "--shared-resolver", "10.0.0.53")
    assert result.exit_code == 2
    assert "write a resolver and the prefix of its clients" in result.stderr
