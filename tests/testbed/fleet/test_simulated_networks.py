"""Several networks in one fleet: addresses that overlap, routes that are true, and records that tell no network."""

import ipaddress
import json
import tomllib
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.errors import ConfigError
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.texts import FleetTexts
from attribution.testbed.fleet.world.kinds import Kind, is_fleet
from attribution.testbed.fleet.write import write

NETWORKS = (
    "networks=3", "services=24", "external_services=9", "load_balancers=6", "pool_services=6", "crossing_share=0.15",
    "connections=4000",
)  # fmt: skip


def made(*parameters, seed=2):
    return simulate(scenario("hostile", (*NETWORKS, *parameters)), seed=seed)


@pytest.fixture(scope="module")
def simulation():
    return made()


def flows_of(simulation):
    return pa.Table.from_batches(list(simulation.flow_batches()))


def truth_of(simulation):
    return pa.Table.from_batches(list(simulation.truth_batches()))


def tenures_by_address(simulation):
    """(address, socket) -> (start, end, network), sorted, of all that the fleet holds."""
    fleet = simulation.fleet
    held = defaultdict(list)
    rows = np.flatnonzero(is_fleet(fleet.kind) | (fleet.kind == Kind.LOAD_BALANCER))
    texts = heartbeat_addresses(simulation, rows)
    for row, address, zone in zip(rows.tolist(), texts, fleet.zone(rows).tolist(), strict=True):
        socket = int(fleet.key_socket[fleet.tenures.key[row]])
        held[address, socket].append((int(fleet.tenures.start[row]), int(fleet.tenures.end[row]), zone))
    return {key: sorted(found) for key, found in held.items()}


def heartbeat_addresses(simulation, tenures):
    return FleetTexts(simulation.fleet).address(tenures).to_pylist()


def shared_share(simulation):
    """Share of the addresses of one network that another one holds, too."""
    networks = defaultdict(set)
    for (address, _), rows in tenures_by_address(simulation).items():
        networks[address] |= {zone for *_, zone in rows}
    return sum(len(found) > 1 for found in networks.values()) / len(networks)


def test_networks_hold_one_address_at_the_same_time_and_no_network_gives_it_to_two(simulation):
    together = 0
    for rows in tenures_by_address(simulation).values():
        together += sum(start < end for (_, end, _), (start, *_) in pairwise(rows))
        for network in range(3):
            mine = [row for row in rows if row[2] == network]
            assert all(end <= start for (_, end, _), (start, *_) in pairwise(mine))
    assert together > 100


def test_overlap_is_the_share_of_addresses_that_several_networks_use():
    passing = ("floating_share=0",)
    assert shared_share(made("overlap=0", *passing)) == 0
    some, most = (shared_share(made(f"overlap={share}", *passing)) for share in (0.3, 0.8))
    assert 0.05 < some < most / 2 < 0.3


def test_overlap_changes_the_addresses_and_nothing_else():
    one, other = (truth_of(made(f"overlap={share}")) for share in (0, 0.8))
    names = ["start", "local_workload", "remote_workload", "remote_kind", "observer", "networks_told"]
    rows = [sorted(map(str, table.select(names).to_pylist())) for table in (one, other)]
    assert sum(a == b for a, b in zip(*rows, strict=False)) > 0.99 * len(rows[0])
    assert one.column("remote_address") != other.column("remote_address")


def test_what_two_joined_networks_reach_is_held_in_one_of_them_at_a_time(simulation):
    routes = simulation.settings.network_routes
    assert len({route.networks for route in routes}) == 2
    held = tenures_by_address(simulation)
    passed = 0
    for route in routes:
        prefix = ipaddress.ip_network(route.prefix)
        joined = {int(name.removeprefix("network-")) - 1 for name in route.networks}
        for (address, _), rows in held.items():
            if ipaddress.ip_address(address) in prefix:
                mine = [row for row in rows if row[2] in joined]
                assert all(end <= start for (_, end, _), (start, *_) in pairwise(mine))
                passed += len({zone for *_, zone in mine}) == 2
    # Some addresses pass from one network to the other.
    assert passed > 3


def test_traffic_crosses_networks_within_the_routes_and_nowhere_else(simulation):
    routes = simulation.settings.network_routes
    truth = truth_of(simulation).to_pylist()
    crossing = [row for row in truth if row["remote_network"] not in {row["local_network"], None}]
    for row in crossing:
        networks = {row["local_network"], row["remote_network"]}
        address = ipaddress.ip_address(row["remote_address"])
        assert any(set(r.networks) == networks and address in ipaddress.ip_network(r.prefix) for r in routes), row
    assert 0.05 < len(crossing) / len(truth) < 0.3
    assert {"workload", "translated", "load_balancer"} <= {row["remote_kind"] for row in crossing}


def test_records_lose_their_networks_where_nobody_else_has_the_address(simulation):
    fleet, told = simulation.fleet, simulation.told
    apart = fleet.key_apart[fleet.tenures.key]
    assert told.heartbeats[~apart[simulation.heartbeats.tenure]].all()
    assert 0.05 < (~told.heartbeats[apart[simulation.heartbeats.tenure]]).mean() < 0.15
    flows = flows_of(simulation)
    captured = flows.column("local_workload").is_valid().to_numpy()
    unsaid = flows.column("local_network").is_null().to_numpy()
    assert not (captured & unsaid & ~apart[simulation.flows.local]).any()
    assert 0.08 < unsaid[~captured].mean() < 0.12
    lifted = made("shared_network_loss=0.5").told.heartbeats
    assert 0.3 < (~lifted).mean() < 0.5


def test_logs_of_some_hosts_tell_both_networks(simulation):
    truth, flows = truth_of(simulation), flows_of(simulation)
    for name in ("local_network", "remote_network"):
        told, true = flows.column(name).to_pylist(), truth.column(name).to_pylist()
        assert all(one in {None, other} for one, other in zip(told, true, strict=True))
    both = np.array(truth.column("networks_told").to_pylist()) == "both"
    assert 0.02 < both.mean() < 0.4
    assert flows.column("remote_network").is_valid().to_numpy()[both].all()


def test_one_prefix_has_labels_policies_and_rules_of_several_networks(simulation):
    for table, name in (
        (simulation.label_table(), "service"), (simulation.policy_table(), "policy"), (simulation.rule_table(), "rule")
    ):  # fmt: skip
        networks = defaultdict(set)
        for row in table.to_pylist():
            networks[row["prefix"]].add(row["network"])
        assert max(map(len, networks.values())) >= 2, name


def test_settings_say_what_is_true(simulation, tmp_path):
    rows = write(simulation, tmp_path / "fleet")
    assert {"policies.parquet", "socket_rules.parquet"} <= set(rows)
    assert Settings.from_toml(tmp_path / "fleet" / "settings.toml") == simulation.settings
    tables = tomllib.loads((tmp_path / "fleet" / "settings.toml").read_text())
    assert tables["attribution"]["pool_prefixes"] == ["198.51.100.0/24"]
    assert json.loads((tmp_path / "fleet" / "scenario.json").read_text())["parameters"]["networks"] == 3


def test_the_same_seed_gives_the_same_rows(simulation):
    same, other = made(), made(seed=3)
    for name in ("heartbeat_table", "assignment_table", "name_table", "label_table", "policy_table", "rule_table"):
        assert getattr(simulation, name)().equals(getattr(same, name)())
    assert flows_of(simulation) == flows_of(same)
    assert truth_of(simulation) == truth_of(same)
    assert flows_of(simulation) != flows_of(other)


def test_one_network_is_none(tmp_path):
    alone = simulate(scenario("small", ("connections=500",)), seed=2)
    write(alone, tmp_path / "fleet")
    assert flows_of(alone).column("local_network").null_count == flows_of(alone).num_rows
    assert "networks_told" not in truth_of(alone).column_names
    assert not (tmp_path / "fleet" / "settings.toml").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (("networks=9", "hosts=40"), "networks must be at most 8"),
        (("networks=3", "hosts=2"), "networks must be at most 8 and as many as the hosts"),
        (("networks=2", "regions=2"), "regions must be 1"),
        (("nat_gateways=8",), "nat_gateways must be at most 7"),
        (("external_services=300",), "external_services at most 256"),
    ],
)
def test_more_than_there_are_addresses_for_is_refused(parameters, message):
    with pytest.raises(ConfigError, match=message):
        made(*parameters)


def test_logs_that_have_networks_of_their_own_are_refused(tmp_path):
    vpc = made("window_share=1", "capture_share=0", "connections=100")
    with pytest.raises(ConfigError, match="such logs have networks of their own"):
        write(vpc, tmp_path / "fleet", flow_format="vpc")
