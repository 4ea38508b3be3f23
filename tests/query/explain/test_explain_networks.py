"""`explain` and `whois` of an address that several networks have: who answered, whose evidence stands, which option."""

import json
import shlex

import pyarrow.parquet as pq
import pytest
from tiny_lake import NAME_BINDINGS, event, flow, held, policy, write_lake, write_tiny_lake
from verbs import csv_rows, ok, run

from attribution.config import Settings
from attribution.errors import QueryError
from attribution.query.explain.flow import explain_flow
from attribution.query.explain.flow_selector import FlowSelector, parse_flow, selector
from attribution.query.explain.whois import whois

NOW = "2026-01-05T12:00"
OTHER = {"remote_workload": None, "remote_service": None, "remote_method": "none", "remote_reason": "other_network"}
SEVERAL = OTHER | {"remote_reason": "several_networks"}


def at_host(network, address, workload, service, **more):
    return held(address, workload, service, "11:00:00", "14:00:00", **more) | {"network": network}


RANGES = [
    at_host("east", "10.1.0.5", "shop-1", "shop"),
    at_host("west", "10.1.0.5", "ads-1", "ads"),
    at_host("west", "10.1.0.9", "db-1", "db"),
    at_host(None, "192.0.2.7", "lb-1", "edge"),
]
EVENTS = [
    event("198.51.100.1", "10:00:00", "assign", "lb-east", "east edge") | {"network": "east"},
    event("198.51.100.1", "10:00:00", "assign", "lb-west", "west edge") | {"network": "west"},
]
LABELS = [
    {"prefix": "52.0.0.0/8", "service": "cloud", "kind": None, "region": None, "network": None},
    {"prefix": "52.1.0.0/16", "service": "partner", "kind": None, "region": None, "network": "east"},
]


def to(remote, start, *, local_network="east", **fields):
    """A flow from the network `east`, seen at the client, to a port of an address."""
    return flow(start, "10.1.0.7:40000", f"{remote}:443", local_network=local_network, **fields)


ANSWERED = {"remote_workload": "shop-1", "remote_service": "shop", "remote_method": "heartbeat"}
FLOWS = [
    to("10.1.0.5", "12:00:00", remote_network="east", **ANSWERED, remote_reason="bridged"),
    to("10.1.0.9", "12:01:00", **OTHER),
    to("192.0.2.7", "12:02:00", **OTHER),
    to("10.1.0.5", "12:03:00", local_network=None, **OTHER),
    to("10.1.0.9", "12:04:00", remote_network="east", **OTHER),
    to("198.51.100.1", "12:05:00", local_network="south", **OTHER),
]


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "lake"
    return write_lake(folder, flows=FLOWS, ranges=RANGES, assignments=EVENTS, labels=LABELS)


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    """A lake of two routes, by which one flow was answered, and one was not."""
    flows = [
        to("10.1.0.5", "12:00:00", **SEVERAL),
        to("10.1.0.9", "12:01:00", remote_evidence_network="west", remote_workload="db-1", remote_service="db")
        | {"remote_method": "heartbeat", "remote_reason": "bridged"},
    ]
    routes = Settings(routes=("east,south", "east,west,10.1.0.0/16"))
    folder = tmp_path_factory.mktemp("networks") / "routed"
    return write_lake(folder, flows=flows, ranges=RANGES, settings=routes)


def remote(strict, clock):
    return explain_flow(strict, selector(start=f"2026-01-05T{clock}", last=None)).to_dict()["remote"]


def test_a_flow_is_answered_by_the_evidence_of_its_network_and_explain_says_where_there_is_more(strict):
    networks = remote(strict, "12:00:00")["networks"]
    assert (networks["network"], networks["said"], networks["candidates"]) == ("east", "told", ("east",))
    assert [(one["network"], one["workload"], one["answered"], one["option"]) for one in networks["standing"]] == [
        ("east", "shop-1", True, None),
        ("west", "ads-1", False, None),
    ]


@pytest.mark.parametrize(
    ("clock", "said", "standing"),
    [
        ("12:01:00", "view", [("west", "db-1", "bridged", "--route east,west")]),
        ("12:02:00", "view", [(None, "lb-1", "bridged", "--route east,-")]),
        (
            "12:03:00",
            "unsaid",
            [
                ("east", "shop-1", "bridged", "--network flows=east"),
                ("west", "ads-1", "bridged", "--network flows=west"),
            ],
        ),
        # The log tells where the address is, and no route leads away from there.
        ("12:04:00", "told", [("west", "db-1", "bridged", None)]),
        # Of events alone.
        (
            "12:05:00",
            "view",
            [
                ("east", "lb-east", "assigned", "--route south,east"),
                ("west", "lb-west", "assigned", "--route south,west"),
            ],
        ),
    ],
)
def test_evidence_of_other_networks_is_shown_with_the_option_that_would_let_it_answer(strict, clock, said, standing):
    side = remote(strict, clock)
    assert (side["reason"], side["networks"]["said"]) == ("other_network", said)
    found = side["networks"]["standing"]
    assert [(one["network"], one["workload"], one["reason"], one["option"]) for one in found] == standing
    assert not any(one["answered"] for one in found)
    for one in found:
        assert {(seen["network"], seen["role"]) for seen in one["witnesses"]} <= {(one["network"], "decided")}


def test_routes_that_leave_an_address_open_are_named(routed):
    networks = remote(routed, "12:00:00")["networks"]
    assert networks["candidates"] == ("east", "south", "west")
    assert [(one["network"], one["route"], one["option"]) for one in networks["standing"]] == [
        ("east", None, None),
        ("west", "east,west,10.1.0.0/16", None),
    ]


def test_a_network_that_heartbeats_gave_is_not_taken_for_what_the_log_told(routed):
    networks = remote(routed, "12:01:00")["networks"]
    assert (networks["network"], networks["said"]) == ("east", "view")
    (answered,) = [one for one in networks["standing"] if one["answered"]]
    assert (answered["network"], answered["route"]) == ("west", "east,west,10.1.0.0/16")


def test_explain_shows_networks_to_a_person(strict, routed):
    shown = ok("explain", strict, "--start", "2026-01-05T12:01:00")
    assert "network: seen from east\nevidence counts in: west; none of it is asked\n" in shown
    assert "west      db-1       db        01-05 11:00:00 to 14:00:00   bridged      --route east,west\n" in shown
    assert "declare what is true" in shown
    shown = ok("explain", strict, "--start", "2026-01-05T12:03:00")
    assert "network: the flow does not say it\nevidence counts in: east, west; none of it is asked\n" in shown
    shown = ok("explain", strict, "--start", "2026-01-05T12:04:00")
    assert "The log says that the address is in east, so no route leads elsewhere.\n" in shown
    shown = ok("explain", strict, "--start", "2026-01-05T12:00:00")
    assert "network: east\nevidence counts in: east, west; that of east is asked\n" in shown
    shown = ok("explain", routed, "--start", "2026-01-05T12:00:00")
    assert "seen from east, from which routes lead to south, west\n" in shown
    assert "ads-1      ads       01-05 11:00:00 to 14:00:00   bridged      east,west,10.1.0.0/16\n" in shown
    rows = csv_rows(ok("explain", strict, "--start", "2026-01-05T12:00:00", "--format", "csv"))
    assert [(row["side"], row["workload"], row["network"]) for row in rows] == [("remote", "shop-1", "east")]


def test_flows_of_two_networks_that_are_alike_are_told_apart_by_their_network(tmp_path):
    alike = [to("10.1.0.5", "12:00:00", local_network=network) for network in ("west", "east", None)]
    folder = write_lake(tmp_path / "lake", flows=alike)
    with pytest.raises(QueryError, match="3 flows fit") as told:
        explain_flow(folder, parse_flow("10.1.0.7:40000,10.1.0.5:443", last=None))
    keys = [shlex.split(line) for line in str(told.value).splitlines()[1:]]
    assert [key[-2:] for key in keys] == [["--network", "-"], ["--network", "east"], ["--network", "west"]]
    for key, network in zip(keys, (None, "east", "west"), strict=True):
        found = json.loads(ok("explain", folder, *key, "--format", "json"))
        assert (found["alike"], found["flow"]["local_network"]) == (1, network)
    with pytest.raises(QueryError, match="network south"):
        explain_flow(folder, FlowSelector(local_address="10.1.0.7", network="south"))
    refused = run("explain", folder, "--edge", "a", "b", "--network", "east").output
    assert "--network chooses a flow: use it without --edge." in refused


def test_names_and_policies_are_shown_by_network(tmp_path):
    names = [NAME_BINDINGS[0] | {"network": network} for network in ("west", "east", "east")]
    pools = [policy("p", "pool", "52.1.0.0/16") | {"network": network} for network in ("east", "west")]
    folder = write_lake(tmp_path / "lake", name_bindings=names, policies=pools)
    found = whois(folder, "52.1.2.3")
    assert [(one.network, one.answers) for one in found.hostnames] == [("east", 2), ("west", 1)]
    assert sorted(one.of_network for one in found.policies) == ["east", "west"]
    one = whois(folder, "52.1.2.3", network="west")
    assert ([name.network for name in one.hostnames], [pool.of_network for pool in one.policies]) == (
        ["west"],
        ["west"],
    )


def test_whois_shows_networks_apart(strict):
    found = whois(strict, "10.1.0.5")
    assert [(one.network, one.workload) for one in found.evidence.ranges] == [("east", "shop-1"), ("west", "ads-1")]
    assert [(one.network, one.reason, one.flows) for one in found.flows] == [
        (None, "other_network", 1),
        ("east", "bridged", 1),
    ]
    assert ok("whois", strict, "10.1.0.5").splitlines()[0] == (
        "10.1.0.5: 2 workloads, 2 ownership ranges, 2 flows; networks: east, west"
    )
    rows = csv_rows(ok("whois", strict, "10.1.0.5", "--format", "csv"))
    assert [(row["workload"], row["network"]) for row in rows] == [("shop-1", "east"), ("ads-1", "west")]


@pytest.mark.parametrize(
    ("address", "network", "expected"),
    [
        ("10.1.0.5", None, (None, "other_network")),
        ("10.1.0.5", "-", (None, "other_network")),
        ("10.1.0.5", "east", ("shop-1", "bridged")),
        ("10.1.0.5", "west", ("ads-1", "bridged")),
        ("10.1.0.5", "south", (None, "other_network")),
        ("192.0.2.7", None, ("lb-1", "bridged")),
        ("192.0.2.7", "east", (None, "other_network")),
        ("198.51.100.1", None, (None, "other_network")),
        ("198.51.100.1", "west", ("lb-west", "assigned")),
        ("203.0.113.1", "west", (None, "unknown")),
        ("52.1.2.3", "west", (None, "prefix")),
        # A label that only may hold names nobody.
        ("52.1.2.3", None, (None, "unknown")),
    ],
)
def test_whois_asks_in_the_network_that_is_said(strict, address, network, expected):
    verdict = whois(strict, address, at=NOW, network=network).verdict
    assert (verdict.workload, verdict.reason) == expected


def test_whois_of_one_network_shows_that_network_alone(strict):
    found = whois(strict, "10.1.0.5", network="west", at=NOW)
    assert [one.workload for one in found.evidence.ranges] == ["ads-1"]
    assert (found.flows, found.named_networks) == ((), ("west",))
    assert [one.workload for one in found.witnesses] == ["ads-1"]
    assert [one.network for one in whois(strict, "198.51.100.1", network="east").evidence.assignments] == ["east"]
    assert [one.service for one in whois(strict, "52.1.2.3", network="west").evidence.labels] == ["cloud"]
    assert [one.workload for one in whois(strict, "192.0.2.7", network="-").evidence.ranges] == ["lb-1"]
    answer = json.loads(ok("whois", strict, "10.1.0.5", "--at", NOW, "--network", "west", "--format", "json"))["answer"]
    assert [(one["network"], one["answered"]) for one in answer["networks"]["standing"]] == [
        ("east", False),
        ("west", True),
    ]


def test_whois_says_in_which_network_it_knows_nothing(strict):
    shown = ok("whois", strict, "10.1.0.5", "--network", "south")
    assert shown == "10.1.0.5: nothing is known of it in the network south of this lake.\n"


def test_whois_says_what_to_say(strict):
    shown = ok("whois", strict, "10.1.0.5", "--at", NOW)
    assert "10.1.0.5 at 2026-01-05 12:00:00 UTC: unattributed\nnone, other_network: " in shown
    assert "east      shop-1     shop      01-05 11:00:00 to 14:00:00   bridged\n" in shown
    assert "Say --network NAME to ask one network.\n" in shown


def test_a_lake_of_one_space_has_no_network_to_ask(tmp_path):
    folder = write_lake(tmp_path / "lake", ranges=RANGES[2:3], settings=Settings(one_space=True))
    with pytest.raises(QueryError, match="was made with one_space, so that no rule asks for a network"):
        whois(folder, "10.1.0.9", network="west")
    assert whois(folder, "10.1.0.9", at=NOW).networks is None


def test_without_networks_nothing_speaks_of_them(session):
    for shown in (
        ok("whois", session.folder, "10.0.0.99", "--at", "2026-01-05T12:20"),
        ok("whois", session.folder, "52.1.2.3"),
        ok("whois", session.folder, "10.9.0.1"),
        ok("explain", session.folder, "--start", "2026-01-05T12:20:00"),
    ):
        assert "network" not in shown


def test_a_lake_of_before_that_lacks_these_columns_is_read(session, tmp_path):
    older = write_tiny_lake(tmp_path / "older")
    for file in older.rglob("*.parquet"):
        table = pq.read_table(file, partitioning=None)
        pq.write_table(table.drop([name for name in table.schema.names if name.endswith("network")]), file)
    for arguments in (
        ("whois", "10.0.0.99", "--at", "2026-01-05T12:20"),
        ("whois", "52.1.2.3"),
        ("whois", "10.9.0.1"),
        ("explain", "--start", "2026-01-05T12:20:00"),
        ("explain", "--edge", "web", "api"),
        ("graph",),
    ):
        verb, *more = arguments
        assert ok(verb, older, *more) == ok(verb, session.folder, *more)
