import pytest
from tiny_lake import at, held, write_lake

from attribution.errors import QueryError
from attribution.query.explain.whois import whois


def test_the_timeline_of_an_address(session):
    found = whois(session, "10.0.0.99")
    assert [(one.workload, one.service, one.start, one.end, one.longest_gap) for one in found.evidence.ranges] == [
        ("old-1", "old", at("11:00:00"), at("12:18:00"), 61_000_000),
        ("new-1", "new", at("12:22:30"), at("13:00:00"), 0),
        ("newer-1", "new", at("12:50:00"), at("14:00:00"), 90_000_000),
    ]
    assert found.evidence.ranges[2].holes == ((at("12:55:00"), at("12:56:30")),)
    assert [(c.side, c.method, c.reason, c.service, c.flows, c.first_seen) for c in found.flows] == [
        ("remote", "none", "gap", None, 1, at("12:20:00"))
    ]
    assert found.verdict is None
    assert found.to_dict()["answer"] is None


@pytest.mark.parametrize("text", ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:0a00:0001", " 10.0.0.1 "])
def test_an_address_may_be_spelt_in_any_way(session, text):
    found = whois(session, text)
    assert found.address == "10.0.0.1"
    assert [one.workload for one in found.evidence.ranges] == ["web-1"]


@pytest.mark.parametrize("text", ["2001:DB8:0::7", "[2001:db8::7]", "2001:0db8:0000:0000:0000:0000:0000:0007"])
def test_an_ipv6_address_may_be_spelt_in_any_way(session, text):
    found = whois(session, text, at="2026-01-05T12:00")
    assert (found.address, found.verdict.workload, found.verdict.reason) == ("2001:db8::7", "six-1", "covered")


@pytest.mark.parametrize("text", ["10.0.0", "10.0.0.1:80", "10.0.0.0/8", "fe80::1%eth0", "host.example", ""])
def test_what_is_no_address_is_refused(session, text):
    with pytest.raises(QueryError, match="is no address: write IPv4 or IPv6"):
        whois(session, text)


@pytest.mark.parametrize(
    ("time", "workload", "service", "method", "reason"),
    [
        ("12:10:00", "old-1", "old", "heartbeat", "bridged"),
        ("12:17:59.5", None, None, "none", "gap"),
        ("12:20:00", None, None, "none", "gap"),
        ("12:45:00", "new-1", "new", "heartbeat", "covered"),
        ("12:51:00", None, None, "none", "conflict"),
        ("13:30:00", "newer-1", "new", "heartbeat", "bridged"),
        ("14:00:30", None, None, "none", "gap"),
    ],
)
def test_who_held_it_at_a_moment(session, time, workload, service, method, reason):
    verdict = whois(session, "10.0.0.99", at=f"2026-01-05T{time}").verdict
    assert (verdict.workload, verdict.service, verdict.method, verdict.reason) == (workload, service, method, reason)


def test_the_evidence_says_why_it_was_nobody_else(session):
    found = whois(session, "10.0.0.99", at=at("12:20:00"))
    assert [(w.role, w.workload, w.away, w.finding) for w in found.witnesses] == [
        ("other", "old-1", 119_000_000, "last seen 1m 59s before the time asked about"),
        ("other", "new-1", 149_000_000, "first seen 2m 29s after the time asked about"),
    ]
    found = whois(session, "10.0.0.99", at=at("12:51:00"))
    assert [(w.role, w.workload, w.finding) for w in found.witnesses][:2] == [
        ("decided", "new-1", "held the address around that time, as did another: nobody is named"),
        ("decided", "newer-1", "held the address around that time, as did another: nobody is named"),
    ]
    found = whois(session, "10.0.0.99", at=at("12:17:59.5"))
    assert found.witnesses[0].finding == "last seen 500ms before the end of the time asked about"
    # What was seen later than the hold could not be known when a flow was released: it does not count.
    found = whois(session, "10.0.0.99", at=at("12:45:00"))
    assert [(w.role, w.workload, w.longest_gap, w.finding) for w in found.witnesses] == [
        ("decided", "new-1", 0, "seen without interruption during all of the time asked about"),
        ("other", "old-1", 61_000_000, "last seen 26m 59s before the time asked about"),
    ]


def test_a_hole_is_said(tmp_path):
    ranges = [
        held("10.0.0.9", "one", "s", "12:00:00", "12:10:00", holes=[("12:04:00", "12:06:00")], longest_gap=120_000_000),
        held("10.0.0.9", "two", "s", "12:04:30", "12:04:30", longest_gap=0),
    ]
    lake = write_lake(tmp_path / "lake", ranges=ranges)
    found = whois(lake, "10.0.0.9", at=at("12:05:30"))
    assert (found.verdict.reason, found.verdict.holes) == ("gap", ((at("12:04:00"), at("12:06:00")),))
    assert [(w.workload, w.finding) for w in found.witnesses] == [
        ("one", "silent for 2m then, while another was seen on the address"),
        ("two", "last seen 59s before the time asked about"),
    ]


def test_a_port_has_an_owner_of_its_own(session):
    verdict = whois(session, "10.0.0.50", at="2026-01-05T12:00", port=8002).verdict
    assert (verdict.workload, verdict.service, verdict.ownership.socket) == ("shared-2", "two", (6, 8002))
    found = whois(session, "10.0.0.50", at="2026-01-05T12:00", port=8002, protocol="udp")
    assert (found.verdict.workload, found.verdict.ownership.socket) == ("shared-3", (17, 8002))
    answer = found.to_dict()["answer"]
    assert (answer["port"], answer["protocol"], answer["workload"]) == (8002, 17, "shared-3")


def test_on_an_address_that_workloads_share_by_port_nobody_has_another_port(session):
    found = whois(session, "10.0.0.50", at="2026-01-05T12:00", port=8003)
    assert (found.verdict.workload, found.verdict.reason) == (None, "shared")
    another = "seen around the time asked about, on another port"
    assert [(w.role, w.port, w.protocol, w.workload, w.finding) for w in found.witnesses] == [
        ("decided", 8001, 6, "shared-1", another),
        ("decided", 8002, 6, "shared-2", another),
        ("decided", 8002, 17, "shared-3", another),
    ]


@pytest.mark.parametrize(
    ("address", "time", "expected"),
    [
        ("10.9.0.1", "12:00:00", ("lb-1", "edge", "assignment", "assigned")),
        ("10.9.0.1", "12:30:00", (None, None, "none", "assignment_change")),
        ("10.9.0.1", "12:40:00", (None, None, "none", "unknown")),
        ("10.9.0.1", "13:00:00", ("lb-2", "edge-two", "assignment", "assigned")),
        ("52.1.2.3", "12:00:00", (None, "object store", "label", "prefix")),
        ("52.7.2.3", "12:00:00", (None, "cloud", "label", "prefix")),
        ("2600:1::1", "12:00:00", (None, "six cloud", "label", "prefix")),
        ("203.0.113.9", "12:00:00", (None, None, "none", "unknown")),
    ],
)
def test_addresses_that_are_no_workload(session, address, time, expected):
    verdict = whois(session, address, at=f"2026-01-05T{time}").verdict
    assert (verdict.workload, verdict.service, verdict.method, verdict.reason) == expected


def test_events_labels_and_names_are_listed(session):
    found = whois(session, "10.9.0.1")
    assert [(e.time, e.action, e.owner, e.service) for e in found.evidence.assignments] == [
        (at("10:00:00"), "assign", "lb-1", "edge"),
        (at("12:30:00"), "release", "lb-1", None),
        (at("12:45:00"), "assign", "lb-2", "edge-two"),
    ]
    found = whois(session, "52.1.2.3")
    assert [label.prefix for label in found.evidence.labels] == ["52.1.0.0/16", "52.0.0.0/8"]
    assert [(n.hostname, n.answers, n.clients) for n in found.hostnames] == [("bucket.example", 2, 2)]


def test_a_time_may_count_back_from_the_last_flow(session):
    assert whois(session, "10.0.0.1", at="-1h").at == at("12:59:59")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port": 80}, "without a time"),
        ({"port": 70000, "at": "-1h"}, "which is none"),
        ({"port": 8, "protocol": "icmp", "at": "-1h"}, "protocol 'icmp' has no ports"),
        ({"port": 8, "protocol": "quic", "at": "-1h"}, "'quic': write a number"),
    ],
)
def test_a_port_needs_a_time_and_a_range(session, fields, message):
    with pytest.raises(QueryError, match=message):
        whois(session, "10.0.0.1", **fields)


def test_windows_choose_the_flows_that_are_counted(session):
    assert sum(count.flows for count in whois(session, "10.0.0.1", window="..2026-01-05T12:01").flows) == 2
