"""The simulated world of names on pools of addresses: what happens follows from what was told, policies and rules."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from named_worlds import world

from attribution.config import MINUTE, SECOND, Settings
from attribution.errors import ConfigError
from attribution.schema import FLOW, NAME_BINDING, POLICY, SOCKET_RULE, arrow_schema
from attribution.testbed.pools.flows import _parts
from attribution.testbed.pools.plan import Account, PolicyState, make_plan
from attribution.testbed.pools.scenario import AgilityScenario, agility_scenario
from attribution.testbed.pools.tables import AGILITY_TRUTH
from attribution.testbed.pools.traffic import opened
from attribution.testbed.pools.world import Resolving
from attribution.testbed.pools.write import write_agility


@pytest.fixture(scope="module")
def made():
    return world()


@pytest.fixture(scope="module")
def crowded():
    """Few clients that ask often, and keep answers for longer than they may."""
    return world("clients=40", "overstay_share=0.8")


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(made):
    assert world().flow_table().equals(made.flow_table())
    assert world().truth_table().equals(made.truth_table())
    assert world().name_table().equals(made.name_table())
    assert not world(seed=2).flow_table().equals(made.flow_table())


def test_a_parameter_of_the_logs_does_not_change_what_happens(made):
    other = world("sni_share=0.9", "window_share=0.4", "report_delay=2m")
    for name, values in made.connections.__dict__.items():
        assert np.array_equal(values, getattr(other.connections, name)), name


def test_who_comes_first_opens_and_who_comes_while_it_lasts_uses_it():
    rng = np.random.default_rng(1)
    group, time = rng.integers(0, 5, 400), 10**15 + rng.integers(0, 1000, 400)
    until = time + rng.integers(0, 60, 400)
    expected, current = np.empty(400, np.int64), {}
    for row in np.lexsort((np.arange(400), time, group)):
        before = current.get(group[row])
        if before is None or time[row] > until[before]:
            current[group[row]] = row
        expected[row] = current[group[row]]
    found = opened(group, time, until)
    assert np.array_equal(time[found], time[expected])
    assert np.array_equal(until[found] >= time, np.ones(400, bool))
    assert len(opened(group[:0], time[:0], until[:0])) == 0


def told_of(made, connection):
    """The answers of which the connection's client may have been told its address for its name."""
    answers, seen = made.answers, made.connections
    client = seen.client[connection]
    network = made.world.network[client]
    mine = (answers.name == seen.name[connection]) & (answers.address == seen.address[connection])
    same_resolver = made.world.resolver[answers.network] == made.world.resolver[network]
    shared = (made.world.mode[network] == Resolving.SHARED) & same_resolver
    mine &= (answers.client == client) | ((answers.client < 0) & (shared | (answers.network == network)))
    since = seen.start[connection] - answers.time
    return np.flatnonzero(mine & (since >= 0) & (since <= answers.ttl + made.scenario.name_stretch))


def test_every_connection_was_opened_for_what_its_client_was_told(made):
    seen = made.connections
    asked = np.flatnonzero(seen.client >= 0)
    assert len(asked) > 3000
    for connection in asked.tolist():
        found = told_of(made, connection)
        assert len(found), connection
        named = made.world.named[made.world.network[seen.client[connection]]]
        assert not named or made.answers.logged[found].all()


def test_answers_outlive_their_ttl_and_connections_outlive_answers(crowded):
    seen = crowded.connections
    late = 0
    for connection in np.flatnonzero(seen.client >= 0).tolist():
        found = told_of(crowded, connection)
        late += bool((seen.start[connection] > (crowded.answers.time + crowded.answers.ttl)[found]).all())
    assert late > 20
    assert (seen.end - seen.start > 5 * MINUTE).sum() > 20
    assert (seen.end - seen.start).max() <= crowded.scenario.connection_lifetime


def test_all_ways_of_resolving_are_there_and_each_has_clients_whose_answers_are_not_all_logged(made):
    assert set(made.world.mode.tolist()) == set(Resolving)
    names = made.name_table()
    prefixes = names.column("client_prefix")
    assert 0 < prefixes.null_count < len(prefixes)
    assert set(names.column("client_address").to_pylist()) & {
        text.partition("=")[0] for text in made.settings.shared_resolvers
    }
    assert not made.answers.logged.all()
    assert made.answers.logged[made.world.named[made.answers.network]].all()


def test_connections_carry_other_names_and_records_hold_several_connections(crowded):
    truth = crowded.truth_table().to_pylist()
    assert sum(row["names_carried"] > len((row["hostname"] or "").split()) for row in truth) > 50
    assert sum(row["connections"] > 1 for row in truth) > 50
    assert sum(" " in (row["hostname"] or "") for row in truth) > 5
    for row in truth:
        assert len((row["hostname"] or "").split()) <= row["connections"]


def test_policies_hand_out_what_they_have_at_that_time_in_that_place(made):
    answers, plan = made.answers, made.plan
    dynamic = np.flatnonzero(~made.world.static[answers.name])
    centre = made.world.centre[answers.network[dynamic]]
    state, which = plan.states(answers.address[dynamic], centre, answers.time[dynamic])
    assert (state == PolicyState.IN_FORCE).all()
    account = made.world.account[answers.name[dynamic]]
    by = {
        one.name: which[[i for i, other in enumerate(plan.policies) if other.name == one.name]].any(axis=0)
        for one in plan.policies
    }
    assert by["enterprise"].sum() == (account == Account.ENTERPRISE).sum() > 100
    assert by["one-address"].sum() > 50
    assert (account[by["one-address"]] == Account.FREE).all()


def test_traffic_comes_astray_and_late(made):
    found = {row["policy_state"] for row in made.truth_table().to_pylist()}
    assert found == {"in_force", "elsewhere", "ended", None}


def test_spans_are_cut_at_the_boundaries_of_windows():
    start, end = np.array([5, 61, 120]), np.array([130, 62, 120])
    parts = _parts(start, end, np.array([60, 0, 60]))
    assert list(zip(parts.row.tolist(), parts.start.tolist(), parts.end.tolist(), strict=True)) == [
        (0, 0, 60), (0, 60, 120), (0, 120, 180), (1, 61, 62), (2, 120, 180),
    ]  # fmt: skip


def test_the_folder_has_all_that_replay_and_evaluate_read(made, tmp_path):
    rows = write_agility(made, tmp_path / "names")
    assert {p.name for p in (tmp_path / "names").iterdir()} == {*rows, "scenario.json", "settings.toml"}
    for name, schema in (
        ("flows.parquet", arrow_schema(FLOW)),
        ("truth.parquet", AGILITY_TRUTH),
        ("name_bindings.parquet", arrow_schema(NAME_BINDING)),
        ("policies.parquet", arrow_schema(POLICY)),
        ("socket_rules.parquet", arrow_schema(SOCKET_RULE)),
    ):
        assert pq.read_schema(tmp_path / "names" / name).equals(schema)
        assert pq.ParquetFile(tmp_path / "names" / name).metadata.num_rows == rows[name] > 0
    assert Settings.from_toml(tmp_path / "names" / "settings.toml") == made.settings


def test_the_scenario_file_makes_the_same_world_again(made, tmp_path):
    write_agility(made, tmp_path / "names", flow_format="jsonl")
    document = json.loads((tmp_path / "names" / "scenario.json").read_text())
    again = agility_scenario(tuple(f"{k}={v}" for k, v in document["parameters"].items()))
    assert again == made.scenario
    lines = (tmp_path / "names" / "flows.jsonl").read_text().splitlines()
    assert len(lines) == document["rows"]["flows.jsonl"] == len(made.records)
    assert json.loads(lines[0])["data_centre"] in {"dc-1", "dc-2", "dc-3", None}


def test_these_flows_cannot_be_written_as_vpc_text(made, tmp_path):
    with pytest.raises(ConfigError, match="data centres"):
        write_agility(made, tmp_path / "names", flow_format="vpc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "override",
    [
        "static_share=1", "static_share=0", "resolver_share=1", "ecs_share=0", "named_share=0", "scan_share=0",
        "window_share=1", "window_share=0", "client_view_share=0", "data_centres=1", "policy_changes=0",
        "rule_changes=0", "names=1", "clients=1", "networks=1", "coalescing_share=1", "prefetch_share=1",
        "ipv6_share=1", "report_delay=0s", "name_stretch=0s",
    ],
)  # fmt: skip
def test_a_world_may_lack_anything(override):
    few = ("clients=40",) if override == "networks=1" else ()
    made = world("requests=300", *few, override)
    assert made.flow_table().num_rows == made.truth_table().num_rows
    assert sum(flows.num_rows for _, _, flows in made.arrivals(step=MINUTE)) == len(made.records)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ttl", "cannot set 'ttl'"),
        ("tll=3s", "cannot set 'tll=3s'"),
        ("sni_share=2", "sni_share must be between 0 and 1"),
        ("requests=0", "requests must be more than zero"),
        ("max_skew=600ms", "at most half of clock_tolerance"),
        ("clients=9000", "9000 clients do not fit into 16 networks"),
        ("data_centres=99", "data_centres must be at most 64"),
    ],
)
def test_what_cannot_be_simulated_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        agility_scenario((override,))


def test_parameters_are_shown_as_they_are_read():
    shown = AgilityScenario(ttl=90 * SECOND).to_dict()
    assert shown["ttl"] == "90s"
    assert agility_scenario(tuple(f"{k}={v}" for k, v in shown.items())).ttl == 90 * SECOND


def test_a_plan_without_changes_has_no_ends():
    plan = make_plan(AgilityScenario(policy_changes=0))
    assert len({(one.start, one.end) for one in plan.policies}) == 1
