"""Hubble events: who is local, what is a heartbeat, what is left out."""

import json

import pytest
from reading import DATA, Read, counts

from attribution.sources.formats.hubble.format import FORMATS

(HUBBLE,) = FORMATS
WRAPPED, BARE = DATA / "hubble" / "flows.jsonl", DATA / "hubble" / "bare.jsonl"
FRONTEND, CART, DB = "shop/frontend-6d5f8c7b9-x2x4q", "shop/cart-7c9d5b6f8-abcde", "shop/db-0"
EXPECTED = {
    "rows": {"flow": 9, "heartbeat": 7, "name_binding": 2},
    "skipped": {
        "dropped": 1,
        "no_address": 1,
        "no_answer": 1,
        "no_verdict": 1,
        "other_event": 2,
        "reply": 2,
        "socket_event": 1,
    },
    "rejected": {},
}


@pytest.fixture(name="read", scope="module")
def _read():
    return Read(HUBBLE, WRAPPED)


def flow(read, line):
    (found,) = [row for row in read.flows if row["line"] == line]
    return found


def beats(read, line):
    return {(row["address"], row["workload"]) for row in read.heartbeats if row["line"] == line}


def test_the_whole_file_is_accounted_for(read):
    assert counts(read) == EXPECTED


def test_a_connection_of_two_pods_of_one_node(read):
    assert flow(read, 2) == {
        "start": 1_744_829_341_450_463,
        "end": 1_744_829_341_450_463,
        "local_address": "10.0.1.13",
        "local_port": 60778,
        "remote_address": "10.0.1.178",
        "remote_port": 8080,
        "protocol": 6,
        "direction": "egress",
        "tcp_flags": 2,
        "local_workload": FRONTEND,
        "local_service": "shop/frontend",
        "observer": "node-a",
        "record_id": "60e8fedd-6d98-49d8-b7f6-000000000001",
        "line": 2,
    }
    assert beats(read, 2) == {("10.0.1.178", CART)}


def test_a_reply_is_no_flow_but_both_pods_were_seen(read):
    assert not [row for row in read.flows if row["line"] in {3, 7}]
    assert beats(read, 3) == {("10.0.1.178", CART), ("10.0.1.13", FRONTEND)}
    assert beats(read, 7) == {("10.0.1.13", FRONTEND)}


def test_only_the_pod_of_the_observing_node_is_a_heartbeat(read):
    at_client, at_server = flow(read, 4), flow(read, 5)
    assert (at_client["local_workload"], at_client["direction"]) == (CART, "egress")
    assert (at_server["local_workload"], at_server["direction"]) == (DB, "ingress")
    assert (at_server["local_address"], at_server["local_port"]) == ("10.0.2.9", 5432)
    assert not beats(read, 4) | beats(read, 5)


def test_a_name_of_the_remote_counts_if_it_is_the_only_one(read):
    assert flow(read, 6)["hostname"] == "api.example.com"
    assert "hostname" not in flow(read, 8)


def test_the_host_of_a_request_names_the_server(read):
    assert flow(read, 13)["hostname"] == "cart.shop.svc.cluster.local"


def test_a_dns_answer_names_addresses_to_the_pod_that_asked(read):
    assert [(n["client_address"], n["server_address"], n["hostname"], n["ttl"], n["line"]) for n in read.names] == [
        ("10.0.1.13", "93.184.216.34", "api.example.com.", 300, 11),
        ("10.0.1.13", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "api.example.com.", 300, 11),
    ]
    assert read.names[0]["time"] == 1_744_829_350_450_463


def test_the_host_is_no_workload(read):
    host = flow(read, 14)
    assert "local_workload" not in host
    assert not beats(read, 14)


def test_icmp_has_no_ports(read):
    icmp = flow(read, 15)
    assert icmp["protocol"] == 58
    assert not {"local_port", "remote_port", "tcp_flags"} & set(icmp)


def test_bare_flows_say_the_same():
    bare, wrapped = Read(HUBBLE, BARE), Read(HUBBLE, WRAPPED)
    without_line = [{k: v for k, v in row.items() if k != "line"} for row in bare.flows]
    assert without_line == [{k: v for k, v in row.items() if k != "line"} for row in wrapped.flows]
    assert bare.skipped == {reason: n for reason, n in EXPECTED["skipped"].items() if reason != "other_event"}


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 20])
def test_block_size_does_not_matter(block_bytes):
    cut = Read(HUBBLE, WRAPPED, block_bytes=block_bytes)
    assert counts(cut) == EXPECTED
    assert cut.flows == Read(HUBBLE, WRAPPED).flows


def test_bad_lines_are_rejected_by_number_and_good_ones_kept():
    lines = WRAPPED.read_text().splitlines()
    lines[2] = "not json"
    lines[3] = lines[3].replace('"time":"2025-04-16T18:49', '"time":"some day')
    lines[4] = json.dumps({"account": "123456789012"})
    read = Read(HUBBLE, "\n".join(lines))
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [
        (3, "malformed"),
        (5, "unknown_kind"),
        (4, "not_a_time"),
    ]
    assert counts(read)["rows"] == {"flow": 7, "heartbeat": 5, "name_binding": 2}


def test_a_field_of_another_type_costs_no_other_line():
    lines = WRAPPED.read_text().splitlines()
    lines[1] = lines[1].replace('"source_port":60778', '"source_port":"60778"')
    read = Read(HUBBLE, "\n".join(lines))
    assert counts(read) == EXPECTED


@pytest.mark.parametrize(
    "head", [b"", b"{}", b'{"flow":3}', b'{"flow":{"src":"10.0.0.1"}}', b'{"IP":"10.0.0.1"}', b"\xff", b'{"flow":{']
)
def test_other_content_is_not_taken(head):
    assert not HUBBLE.matches(head)
