"""The oracle on cases small enough to check by hand, one rule of docs/design.md at a time; times are seconds."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from oracle import (
    SECOND,
    TCP,
    Assignment,
    Attributed,
    Evidence,
    Flow,
    Handed,
    Heartbeat,
    Label,
    Name,
    NameBinding,
    OwnershipRange,
    Settings,
    Side,
    attribute,
    ownership_ranges,
)

from attribution import config
from attribution.core.reasons import HOSTNAME_REASONS, METHODS, REASONS

UDP = 17
POD, PEER = "10.1.0.7", "10.1.9.9"
SETTINGS = Settings(
    clock_tolerance=1 * SECOND,
    max_gap=180 * SECOND,
    hold=240 * SECOND,
    retention=3600 * SECOND,
    name_stretch=60 * SECOND,
)


def beat(workload, start, end=None, *, port=None, service=None, address=POD, protocol=TCP):
    times = (round(start * SECOND), round((start if end is None else end) * SECOND))
    return Heartbeat(address, port, workload, service, *times, protocol=protocol)


def connection(start, end=None, *, port=443, **more):
    end = start if end is None else end
    flow = Flow(round(start * SECOND), round(end * SECOND), PEER, 40_000, POD, port, local_workload="client")
    return replace(flow, **more)


def window(start, end, **more):
    return connection(start, end, basis="window", **more)


def remote(heartbeats, flow, settings=SETTINGS, **evidence):
    return attribute(Evidence(tuple(heartbeats), **evidence), flow, settings).remote


def says(side):
    return side.workload, side.reason


def test_the_oracle_knows_the_settings_of_the_package_with_the_same_defaults():
    assert {f.name: f.default for f in fields(Settings)} == {f.name: f.default for f in fields(config.Settings)}


def test_the_closed_lists_are_those_of_the_design():
    text = (Path(__file__).parent.parent / "docs" / "design.md").read_text(encoding="utf-8")
    section = text.split("`method` says where an answer came from:")[1].split("\n### ")[0]
    methods, reasons = section.split("`reason` says why a side was named, or why not:")
    assert re.findall(r"`(\w+)`", methods) == list(METHODS)
    assert set(re.findall(r"`(\w+)`", reasons)) == set(REASONS)
    names = text.split("| `hostname_reason` |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", names, re.MULTILINE) == [
        name for name in HOSTNAME_REASONS if name != "too_old"
    ]


# What is asked


def test_a_connection_is_asked_about_its_start_only():
    seen = [beat("a", 0, 101)]
    assert says(remote(seen, connection(100, 500))) == ("a", "covered")


def test_a_window_is_asked_about_all_of_it():
    seen = [beat("a", 0, 501)]
    assert says(remote(seen, window(100, 500))) == ("a", "covered")
    assert says(remote(seen, window(100, 501))) == (None, "gap")


@pytest.mark.parametrize(
    ("first", "last", "reason"), [(99, 101, "covered"), (99.000001, 101, "gap"), (99, 100.999999, "gap")]
)
def test_a_start_is_known_to_plus_or_minus_the_tolerance(first, last, reason):
    assert remote([beat("a", first, last)], connection(100)).reason == reason


# Pieces, ranges, holes


@pytest.mark.parametrize(
    ("silence", "reason"),
    [(0, "covered"), (1, "covered"), (1.000001, "bridged"), (180, "bridged"), (180.000001, "gap")],
)
def test_a_silence_is_nothing_up_to_the_tolerance_and_trusted_up_to_max_gap(silence, reason):
    seen = [beat("a", 0, 100), beat("a", 100 + silence, 1000)]
    assert remote(seen, connection(100.5 if silence <= 1 else 102)).reason == reason


def test_heartbeats_inside_a_longer_one_do_not_end_it():
    seen = [beat("a", 0, 1000), beat("a", 10, 20), beat("a", 30)]
    assert says(remote(seen, connection(500))) == ("a", "covered")


def test_another_workload_in_a_silence_makes_a_hole():
    seen = [beat("a", 0), beat("a", 100), beat("b", 30)]
    assert says(remote(seen, connection(30))) == (None, "conflict")
    assert says(remote(seen, connection(60))) == (None, "gap")


def test_a_hole_is_a_closed_gap_so_its_last_moment_is_still_in_it():
    seen = [beat("a", 0), beat("a", 100, 200), beat("b", 30)]
    assert says(remote(seen, connection(101))) == (None, "gap")
    assert says(remote(seen, connection(101.000001))) == ("a", "covered")


def test_another_workload_during_a_heartbeat_makes_no_hole():
    seen = [beat("a", 0, 100), beat("b", 30)]
    assert says(remote(seen, connection(60))) == ("a", "covered")
    assert says(remote(seen, connection(30))) == (None, "conflict")


def test_another_workload_in_a_silence_within_the_tolerance_makes_a_hole():
    seen = [beat("a", 0, 50), beat("b", 50.5), beat("a", 51, 100)]
    assert says(remote(seen, connection(20))) == ("a", "covered")
    assert says(remote(seen, connection(49.25))) == (None, "gap")


def test_ranges_of_two_workloads_conflict_even_where_neither_was_seen():
    seen = [beat("a", 0), beat("a", 150), beat("b", 10), beat("b", 160)]
    assert says(remote(seen, connection(80))) == (None, "conflict")


def test_a_hand_over_loses_no_more_than_the_tolerance():
    seen = [beat("a", 0, 100), beat("b", 100, 200)]
    told = {s: says(remote(seen, connection(s))) for s in (98.999999, 99, 101, 101.000001)}
    assert told == {
        98.999999: ("a", "covered"),
        99: (None, "conflict"),
        101: (None, "conflict"),
        101.000001: ("b", "covered"),
    }


# Service


@pytest.mark.parametrize(
    ("services", "told"),
    [(["web", "web"], "web"), (["web", None], "web"), ([None, None], None), (["web", "api"], None)],
)
def test_the_service_is_the_one_that_the_heartbeats_around_the_moment_name(services, told):
    seen = [beat("a", 100 * i, service=service) for i, service in enumerate(services)]
    assert remote(seen, connection(50)).service == told


def test_a_service_named_more_than_max_gap_away_is_not_the_answers():
    seen = [beat("a", 0, 700), beat("a", 319, service="web"), beat("a", 681, service="api")]
    told = {s: remote(seen, connection(s)).service for s in (499, 500, 500.000001, 501)}
    assert told == {499: "web", 500: None, 500.000001: "api", 501: "api"}


# What counts


def test_evidence_is_forgotten_after_retention():
    assert remote([beat("a", 0, 400)], connection(4000)).reason == "gap"
    assert remote([beat("a", 0, 399.999999)], connection(4000)).reason == "unknown"


def test_evidence_after_the_hold_is_not_known():
    assert remote([beat("a", 345)], connection(100, 105)).reason == "gap"
    assert remote([beat("a", 345.000001)], connection(100, 105)).reason == "unknown"


def test_a_range_that_only_unknown_evidence_would_join_is_not_joined():
    settings = replace(SETTINGS, hold=30 * SECOND)
    seen = [beat("a", 0), beat("a", 150)]
    assert remote(seen, connection(120), settings).reason == "bridged"
    assert remote(seen, connection(119), settings).reason == "gap"


# Within


def test_who_is_first_seen_during_a_connection_was_there_when_it_began():
    assert says(remote([beat("a", 120)], connection(100, 200))) == ("a", "within")


def test_within_is_for_connections_only():
    assert says(remote([beat("a", 120)], window(100, 200))) == (None, "gap")


@pytest.mark.parametrize(
    "also",
    [beat("b", 50), beat("b", 99), beat("b", 130), beat("b", 199), beat("a", -70)],
    ids=["other-before", "other-at-start", "other-during", "other-at-end", "same-before"],
)
def test_within_needs_to_be_alone_and_the_first(also):
    assert says(remote([beat("a", 120), also], connection(100, 200))) == (None, "gap")


def test_within_bears_others_after_the_end():
    assert says(remote([beat("a", 120), beat("b", 199.000001)], connection(100, 200))) == ("a", "within")


@pytest.mark.parametrize(
    ("sighting", "reason"), [(100.999999, "gap"), (101, "within"), (199, "within"), (199.000001, "gap")]
)
def test_within_needs_a_sighting_that_is_surely_during_the_connection(sighting, reason):
    assert remote([beat("a", sighting)], connection(100, 200)).reason == reason


def test_within_has_the_service_that_its_first_heartbeats_name():
    seen = [beat("a", 120), beat("a", 300, service="web"), beat("a", 301, service="api")]
    assert remote(seen, connection(100, 700)) == Side("a", "web", "heartbeat", "within", 20 * SECOND)


# Distance


@pytest.mark.parametrize(("s", "away"), [(50, 0), (100, 0), (130, 30), (180, 20)])
def test_distance_is_the_time_to_the_nearest_piece(s, away):
    seen = [beat("a", 0, 100), beat("a", 200, 300)]
    assert remote(seen, connection(s)).distance == away * SECOND


def test_what_no_heartbeat_answered_has_no_distance():
    assert remote([beat("a", 0)], connection(100)) == Side(None, None, "none", "gap", None)


# Which key


def test_a_port_with_evidence_answers_for_itself():
    seen = [beat("node", 0, 1000), beat("ingress", 0, 1000, port=443)]
    assert says(remote(seen, connection(500))) == ("ingress", "covered")


def test_a_port_with_evidence_elsewhere_in_time_does_not_fall_back_to_the_address():
    seen = [beat("node", 0, 1000), beat("ingress", 0, 10, port=443)]
    assert says(remote(seen, connection(500))) == (None, "gap")


def test_a_port_without_evidence_of_an_address_shared_by_port_has_no_answer():
    seen = [beat("node", 0, 1000), beat("ingress", 0, 1000, port=443)]
    assert says(remote(seen, connection(500, port=8080))) == (None, "shared")
    assert says(remote(seen, connection(500, port=None))) == (None, "shared")


def test_one_port_of_two_protocols_is_two():
    seen = [beat("cache", 0, 1000, port=53, protocol=UDP), beat("zones", 0, 1000, port=53)]
    assert says(remote(seen, connection(500, port=53))) == ("zones", "covered")
    assert says(remote(seen, connection(500, port=53, protocol=UDP))) == ("cache", "covered")
    assert says(remote(seen[:1], connection(500, port=53))) == (None, "shared")


@pytest.mark.parametrize("protocol", [None, 1, 47])
def test_a_flow_whose_protocol_has_no_ports_or_is_not_known_has_no_answer_on_a_shared_address(protocol):
    seen = [beat("zones", 0, 1000, port=53)]
    assert says(remote(seen, connection(500, port=53, protocol=protocol))) == (None, "shared")
    assert says(remote([beat("pod", 0, 1000)], connection(500, port=53, protocol=protocol))) == ("pod", "covered")


def test_an_address_is_shared_whoever_holds_the_port_and_whether_or_not_anybody_claims_all_of_it():
    assert says(remote([beat("pod", 0, 1000, port=443)], connection(500, port=8080))) == (None, "shared")
    seen = [beat("pod", 0, 1000), beat("pod", 0, 1000, port=443)]
    assert says(remote(seen, connection(500, port=8080))) == (None, "shared")


def test_an_address_is_shared_as_long_as_evidence_of_a_port_counts():
    seen = [beat("node", 0, 5000), beat("ingress", 100, port=443)]
    told = {s: remote(seen, connection(s, port=8080)).reason for s in (3700, 3700.000001)}
    assert told == {3700: "shared", 3700.000001: "covered"}


# Endpoints that are no workload


def assigned(time, owner, action="assign", *, port=None, service=None):
    return Assignment(POD, port, owner, service, action, round(time * SECOND))


def by_events(*events, flow=None):
    labels = (Label("10.1.0.0/16", "vpc"),)
    return remote([], flow or connection(100), assignments=events, labels=labels)


def test_an_assignment_names_its_owner():
    event = assigned(10, "lb-1", service="checkout-lb")
    assert by_events(event) == Side("lb-1", "checkout-lb", "assignment", "assigned", None)


def test_a_late_release_of_an_old_owner_changes_nothing():
    events = assigned(10, "old"), assigned(50, "new"), assigned(60, "old", "release")
    assert says(by_events(*events)) == ("new", "assigned")


def test_a_release_of_the_owner_leaves_nobody_and_the_label_answers():
    events = assigned(10, "lb-1"), assigned(50, "lb-1", "release")
    assert by_events(*events) == Side(None, "vpc", "label", "prefix", None)


def test_an_owner_from_the_first_moment_asked_about_is_the_one_owner():
    events = assigned(10, "old"), assigned(99, "new")
    assert says(by_events(*events)) == ("new", "assigned")


@pytest.mark.parametrize("time", [99.000001, 100, 101])
def test_a_change_in_the_time_asked_about_is_no_answer(time):
    assert says(by_events(assigned(10, "old"), assigned(time, "new"))) == (None, "assignment_change")
    assert says(by_events(assigned(10, "old"), assigned(time, "old", "release"))) == (None, "assignment_change")
    assert says(by_events(assigned(time, "new"))) == (None, "assignment_change")


def test_events_after_the_time_asked_about_change_nothing():
    events = assigned(10, "lb-1"), assigned(101.000001, "lb-2"), assigned(102, "task-1", port=443)
    assert says(by_events(*events)) == ("lb-1", "assigned")


def test_at_equal_times_releases_come_first():
    events = assigned(10, "old"), assigned(50, "new"), assigned(50, "old", "release")
    assert says(by_events(*events)) == ("new", "assigned")
    assert says(by_events(assigned(10, "x"), assigned(50, "x", "release"), assigned(50, "x"))) == ("x", "assigned")


def test_two_owners_at_once_are_contested_until_the_next_assign():
    both = assigned(10, "x"), assigned(10, "y")
    assert says(by_events(*both)) == (None, "assignment_change")
    assert says(by_events(*both, assigned(50, "x", "release"))) == (None, "assignment_change")
    assert says(by_events(*both, assigned(50, "y"))) == ("y", "assigned")


def test_a_port_with_events_answers_for_itself():
    events = assigned(10, "nlb"), assigned(10, "task-1", port=443), assigned(20, "task-1", "release", port=443)
    assert says(by_events(*events)) == (None, "prefix")
    assert says(by_events(*events, flow=connection(100, port=80))) == ("nlb", "assigned")
    assert says(by_events(*events, flow=connection(100, protocol=UDP))) == ("nlb", "assigned")


@pytest.mark.parametrize("unknown", [{"port": None}, {"protocol": None}, {"protocol": 1}])
def test_who_asks_for_no_port_has_no_answer_where_ports_were_given_away(unknown):
    events = assigned(10, "nlb"), assigned(100, "task-1", port=443)
    told = {s: says(by_events(*events, flow=connection(s, **unknown))) for s in (98.999999, 99)}
    assert told == {98.999999: ("nlb", "assigned"), 99: (None, "assignment_change")}


def test_an_owner_assigned_twice_with_different_services_has_none():
    events = assigned(10, "lb-1", service="a"), assigned(100, "lb-1", service="b")
    assert by_events(*events) == Side("lb-1", None, "assignment", "assigned", None)
    assert by_events(*events, flow=connection(200)).service == "b"


def test_events_and_labels_never_name_an_address_with_heartbeats():
    evidence = {"assignments": (assigned(10, "lb-1"),), "labels": (Label("10.1.0.0/16", "vpc"),)}
    assert says(remote([beat("a", 0)], connection(100), **evidence)) == (None, "gap")
    assert says(remote([beat("a", 0, port=9)], connection(100), **evidence)) == (None, "shared")


def test_events_and_labels_never_name_an_address_of_the_workload_space():
    settings = replace(SETTINGS, workload_prefixes=("2001:db8::/32", "10.1.0.0/24"))
    evidence = {"assignments": (assigned(10, "lb-1"),), "labels": (Label("10.1.0.0/16", "vpc"),)}
    assert says(remote([], connection(100), settings, **evidence)) == (None, "silent")


def test_the_longest_prefix_names():
    labels = (Label("0.0.0.0/0", "internet"), Label("10.1.0.0/16", "vpc"), Label("10.1.0.0/24", "lan"))
    assert remote([], connection(100), labels=labels).service == "lan"


def test_two_names_on_the_longest_prefix_are_none():
    labels = (Label("10.1.0.0/16", "vpc"), Label("10.1.0.0/24", "lan"), Label("10.1.0.0/24", "office"))
    assert remote([], connection(100), labels=labels) == Side(None, None, "none", "unknown", None)


def test_the_same_name_twice_is_one():
    labels = (Label("10.1.0.0/24", "lan", kind="file"), Label("10.1.0.0/24", "lan", kind="ipam"))
    assert remote([], connection(100), labels=labels).service == "lan"


def test_labels_of_the_other_family_do_not_match():
    assert remote([], connection(100), labels=(Label("::/0", "internet"),)).reason == "unknown"


# Sides and names


def test_a_reported_local_side_is_what_was_seen_at_capture():
    flow = connection(100, local_service="web")
    beats = (beat("other", 0, 1000, address=PEER),)
    expected = Attributed(
        Side("client", "web", "capture", "reported"),
        Side(None, None, "none", "unknown"),
        Handed(),
        Handed(),
        Name("untold", 0),
    )
    assert attribute(Evidence(beats), flow, SETTINGS) == expected


def test_a_local_side_without_a_workload_is_asked_like_the_remote_one():
    flow = connection(100, local_workload=None)
    answer = attribute(Evidence((beat("a", 0, 1000, address=PEER, port=40_000),)), flow, SETTINGS)
    assert says(answer.local) == ("a", "covered")


def told(hostname, time, ttl, *, client=PEER, server=POD):
    return NameBinding(client, server, hostname, round(time * SECOND), ttl)


@pytest.mark.parametrize(
    ("bindings", "hostname"),
    [
        ([told("a.example", 90, 30)], "a.example"),
        ([told("a.example", 101, 30)], "a.example"),
        ([told("a.example", 101.000001, 30)], None),
        ([told("a.example", 9, 30)], "a.example"),
        ([told("a.example", 8.999999, 30)], None),
        ([told("a.example", 39, None)], "a.example"),
        ([told("a.example", 38.999999, None)], None),
        ([told("a.example", 90, 30), told("a.example", 95, 30)], "a.example"),
        ([told("a.example", 90, 30), told("b.example", 20, 30)], None),
        ([told("a.example", 90, 30, client="10.1.9.10")], None),
        ([told("a.example", 90, 30, server="10.1.0.8")], None),
    ],
)
def test_the_hostname_is_the_one_that_the_client_was_told(bindings, hostname):
    assert (
        attribute(Evidence(name_bindings=tuple(bindings)), connection(100), SETTINGS).name.remote_hostname == hostname
    )


def test_the_flows_own_hostname_wins():
    bindings = (told("a.example", 90, 30), told("b.example", 90, 30))
    flow = connection(100, hostname="sni.example")
    assert attribute(Evidence(name_bindings=bindings), flow, SETTINGS).name.remote_hostname == "sni.example"


# Ownership ranges


def test_ownership_ranges_are_those_of_each_key_by_itself():
    seen = [
        beat("pod", 0, 10, service="web"),
        beat("pod", 40),
        beat("other", 30),
        beat("pod", 300),
        beat("sidecar", 20, port=15_001),
        beat("sidecar", 20, port=15_001),
        beat("sidecar", 120, port=15_090),
    ]
    expected = {
        OwnershipRange(POD, None, None, "pod", "web", 0, 40 * SECOND, 30 * SECOND, ((10 * SECOND, 40 * SECOND),)),
        OwnershipRange(POD, None, None, "other", None, 30 * SECOND, 30 * SECOND, 0, ()),
        OwnershipRange(POD, None, None, "pod", None, 300 * SECOND, 300 * SECOND, 0, ()),
        OwnershipRange(POD, 15_001, TCP, "sidecar", None, 20 * SECOND, 20 * SECOND, 0, ()),
        OwnershipRange(POD, 15_090, TCP, "sidecar", None, 120 * SECOND, 120 * SECOND, 0, ()),
    }
    assert ownership_ranges(seen, SETTINGS) == expected
