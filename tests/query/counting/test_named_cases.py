"""Which reports count, case by case: each row of a table is a report and the ways that it counts for."""

import pytest
from counting_lake import counted, counted_in, report
from counting_oracle import which_count
from tiny_lake import at, write_lake

from attribution.config import Settings
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window

A, B = "10.0.0.1:40000", "10.0.0.2:443"
SENT = {"bytes_sent": 100}
RECEIVED = {"bytes_received": 100}
BOTH = SENT | RECEIVED
BOTH_WAYS, NO_WAY = {"sent", "received"}, set()


def nat(start="12:00:00", **fields):
    """What passes a NAT gateway: as its client logs it, as the gateway does, and under the gateway's address."""
    gateway = {"observer": "eni-nat"}
    return [
        (report(start, 50, "10.0.1.10:40001", "203.0.113.50:443", observer="eni-app", **SENT), {"sent"}),
        (
            report(start, 50, "203.0.113.50:443", "10.0.1.10:40001", relay_address="10.0.0.20", **gateway, **RECEIVED),
            NO_WAY,
        ),
        (report(start, 50, "10.0.0.20:1055", "203.0.113.50:443", **gateway, **SENT | fields), NO_WAY),
        (report(start, 50, "203.0.113.50:443", "10.0.0.20:1055", observer="router", **RECEIVED), NO_WAY),
    ]


CASES = {
    "both ends": [
        (report("12:00:00", 10, A, B, **BOTH, observer="b"), BOTH_WAYS),
        (report("12:00:00.4", 10, B, A, **BOTH, observer="a"), NO_WAY),
    ],
    "both ways before one way": [
        (report("12:00:00", 60, A, B, **SENT, observer="a"), NO_WAY),
        (report("12:00:00", 600, B, A, **BOTH, observer="z"), BOTH_WAYS),
    ],
    "reports of one view do not stand for each other": [
        (report("12:00:00", 60, A, B, **BOTH, observer="a", basis="connection"), BOTH_WAYS),
        (report("12:00:30", 60, A, B, **SENT, observer="a", basis="connection"), {"sent"}),
        (report("12:01:00", 60, A, B, **SENT, observer="b"), NO_WAY),
    ],
    "each way by whoever measures it": [
        (report("12:00:00", 60, A, B, **SENT, observer="a"), {"sent"}),
        (report("12:00:00", 60, B, A, **SENT, observer="b"), {"sent"}),
        (report("12:00:00", 60, B, A, **RECEIVED, observer="b"), NO_WAY),
    ],
    "routers by name, an unnamed one last": [
        (report("12:00:00", 60, A, B, **SENT, observer=None), NO_WAY),
        (report("12:00:00", 60, A, B, **SENT, observer="r2"), NO_WAY),
        (report("12:00:00", 60, A, B, **SENT, observer="r1"), {"sent"}),
    ],
    "where the first observer saw nothing, the next one counts": [
        (report("12:00:00", 60, A, B, **SENT, observer="r1"), {"sent"}),
        (report("12:00:59", 61, A, B, **SENT, observer="r2"), NO_WAY),
        (report("12:01:02", 60, A, B, **SENT, observer="r2"), {"sent"}),
    ],
    "a short and a long window of one interface": [
        (report("12:00:00", 600, A, B, **SENT, observer="eni"), NO_WAY),
        (report("12:00:00", 50, A, B, **SENT, observer="eni"), {"sent"}),
        (report("12:09:00", 60, A, B, **SENT, observer="eni"), {"sent"}),
        (report("12:09:30", 60, A, B, **SENT, observer="eni"), {"sent"}),
    ],
    "windows of one log overlap, for they are written longer than they are": [
        (report("12:00:00", 110, A, B, **SENT, observer="eni"), {"sent"}),
        (report("12:00:09", 102, A, B, **SENT, observer="eni"), {"sent"}),
    ],
    "two equal windows of one observer are one, two equal connections are two": [
        (report("12:00:00", 60, A, B, **SENT, observer="eni"), {"sent"}),
        (report("12:00:00", 60, A, B, **SENT, observer="eni"), NO_WAY),
        (report("12:00:00", 60, B, A, **SENT, observer="zeek", basis="connection"), {"sent"}),
        (report("12:00:00", 60, B, A, **SENT, observer="zeek", basis="connection"), {"sent"}),
    ],
    "samples: one sampler in an hour, each of its samples": [
        *((report(f"12:{n:02}:00", 0, A, B, **SENT, observer="s1"), {"sent"}) for n in (5, 5, 40)),
        *((report(f"12:{n:02}:00", 0, A, B, **SENT, observer="s2"), NO_WAY) for n in (1, 20, 59)),
        (report("13:00:30", 0, A, B, **SENT, observer="s2"), {"sent"}),
    ],
    "what two exporters counted of one hour, each at the times of its exports": [
        *((report(f"12:{n:02}:00", 1, A, B, **SENT, observer="s1", basis="export"), {"sent"}) for n in (5, 5, 40)),
        *((report(f"12:{n:02}:00", 0, A, B, **SENT, observer="s2", basis="export"), NO_WAY) for n in (1, 20, 59)),
        (report("13:00:30", 60, A, B, **SENT, observer="s2"), {"sent"}),
    ],
    "reports that show when they were received": [
        (report("12:00:00", 60, A, B, **SENT, observer="s1", received=at("12:01:15")), {"sent"}),
        (report("12:00:00", 60, A, B, **SENT, observer="s2", received=at("12:01:02")), NO_WAY),
    ],
    "samples come after windows": [
        (report("12:05:00", 0, A, B, **SENT, observer="a"), NO_WAY),
        (report("12:50:00", 60, A, B, **SENT, observer="b"), {"sent"}),
    ],
    "an instant of a log of windows is no sample": [
        (report("12:05:00", 0, A, B, **SENT, observer="a"), {"sent"}),
        (report("12:30:00", 60, A, B, **SENT, observer="a"), {"sent"}),
        (report("12:05:00", 60, A, B, **SENT, observer="b"), NO_WAY),
        (report("12:50:00", 60, A, B, **SENT, observer="b"), {"sent"}),
    ],
    "one five-tuple in two networks is two conversations": [
        (report("12:00:00", 60, A, B, **SENT, observer="a", local_network="x"), {"sent"}),
        (report("12:00:00", 60, A, B, **SENT, observer="b", local_network="y"), {"sent"}),
        # Both ends of one between the networks: the log of the lower end is believed.
        (report("12:00:00", 60, B, A, **RECEIVED, observer="c", local_network="y", remote_network="x"), NO_WAY),
        (report("12:00:00", 60, A, B, **SENT, observer="d", local_network="x", remote_network="y"), {"sent"}),
    ],
    "no ports": [
        (report("12:00:00", 60, A, B, **SENT, observer="a", protocol=1, local_port=None, remote_port=None), {"sent"}),
        (report("12:00:00", 60, A, B, **SENT, observer="b", protocol=1, local_port=None, remote_port=None), NO_WAY),
    ],
    "no counts": [
        (report("12:00:00", 1, A, B, observer="node-1"), BOTH_WAYS),
        (report("12:00:00", 1, B, A, observer="node-2"), NO_WAY),
    ],
    "as the wire shows it": [
        (report("12:00:00", 9, "10.9.0.1:40000", B, **BOTH, wire_address="10.0.0.1", wire_port=50000), BOTH_WAYS),
        (report("12:00:00", 9, B, "10.0.0.1:50000", **BOTH), NO_WAY),
    ],
    "a NAT gateway": nat(),
    "a NAT gateway's own traffic, when it passes nothing on": [
        *nat("11:00:00"),
        (report("12:00:30", 50, "10.0.0.20:1056", "203.0.113.50:443", observer="eni-nat", **SENT), {"sent"}),
        (report("11:00:30", 50, "10.0.0.20:1056", "203.0.113.50:80", observer="eni-nat", **SENT), {"sent"}),
    ],
    "a node with pods": [
        (
            report("12:00:00", 50, "10.0.1.77:40001", B, observer="eni-node", relay_address="10.0.1.10", **SENT),
            {"sent"},
        ),
        (report("12:00:00", 50, "10.0.1.10:40002", B, observer="eni-node", **SENT), {"sent"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_reports_that_count_are_those_of_the_table(tmp_path, name):
    rows, expected = ([part[n] for part in CASES[name]] for n in (0, 1))
    assert which_count(rows) == expected
    assert counted_in(tmp_path / "lake", rows) == expected


def test_a_window_sees_what_began_long_before_it_and_what_was_passed_on_long_after(tmp_path):
    rows = [
        report("01:00:00", 11 * 3600, A, B, **BOTH, observer="sensor", data_centre="0"),
        report("11:30:00", 60, A, B, **SENT, observer="router", data_centre="1"),
        # Known to be passed on by what the gateway reports an hour after the window.
        report("11:30:00", 5400, "10.0.0.20:1055", "203.0.113.50:443", **SENT, observer="nat", data_centre="2"),
        report("11:30:00", 60, "10.0.0.20:1055", "203.0.113.50:443", **SENT, observer="router", data_centre="3"),
        report("13:58:00", 60, "203.0.113.50:443", A, **RECEIVED, observer="nat", relay_address="10.0.0.20",
               data_centre="4"),
    ]  # fmt: skip
    rows[2]["end"] = rows[4]["end"]
    with LakeSession(write_lake(tmp_path / "lake", flows=rows)) as session:
        start = rows[1]["start"].replace(minute=0)
        found = counted(session, Window(start, start.replace(minute=59)))
    assert found == {"1": NO_WAY, "2": NO_WAY, "3": NO_WAY}


@pytest.mark.parametrize("routes", [("a,hub", "c,hub"), ("a,hub,10.0.0.2", "c,hub,10.0.0.2")])
def test_tenants_of_one_hub_with_one_address_are_two_conversations(tmp_path, routes):
    def seen(observer, network, local=A, remote=B, **fields):
        return report("12:00:00", 60, local, remote, observer=observer, local_network=network, **fields)

    rows = [
        (seen("eni-a", "a", remote_network="hub", **BOTH), BOTH_WAYS),
        (seen("eni-c", "c", remote_network="hub", **BOTH), BOTH_WAYS),
        # The hub cannot tell the two apart, and its interface logs what both sent.
        (seen("eni-hub", "hub", B, A, **BOTH), NO_WAY),
        (seen("router", "a", remote_network="hub", **SENT), NO_WAY),
        # One router logs both tenants.
        (seen("vrfs", "a", "10.0.0.1:7", remote_network="hub", **SENT), {"sent"}),
        (seen("vrfs", "c", "10.0.0.1:7", remote_network="hub", **SENT), {"sent"}),
    ]
    found = counted_in(tmp_path / "lake", [row for row, _ in rows], Settings(routes=routes))
    assert found == [ways for _, ways in rows]
    aliases = counted_in(tmp_path / "aliases", [row for row, _ in rows[:2]], Settings(routes=("a,c", "a,hub")))
    assert aliases == [BOTH_WAYS, NO_WAY]
