"""Hubble events: who is local, what is a heartbeat, what is left out, and what is left of it behind a field mask."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import DATA, Read, counts

from attribution.sources.formats.hubble.format import FORMATS

(HUBBLE,) = FORMATS
WRAPPED, BARE = DATA / "hubble" / "flows.jsonl", DATA / "hubble" / "bare.jsonl"
FRONTEND, CART, DB = "shop/frontend-6d5f8c7b9-x2x4q", "shop/cart-7c9d5b6f8-abcde", "shop/db-0"
EXPECTED = {
    "rows": {"flow": 9, "heartbeat": 9, "name_binding": 2},
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
    # What is no connection is no heartbeat as a flow.
    assert beats(read, 15) == {("fd00:10::13", FRONTEND)}
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
    assert counts(read)["rows"] == {"flow": 7, "heartbeat": 7, "name_binding": 2}


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


EVENTS = [json.loads(line) for line in WRAPPED.read_text().splitlines()]


def paths(value, path=()):
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from paths(inner, (*path, key))


#: Every field that a mask of the exporter may leave out; of the flags all or none.
MASKABLE = sorted({path[:3] for event in EVENTS for path in paths(event.get("flow", {}))})


def masked(event, left_out):
    """The event without these fields of its flow."""
    changed = json.loads(json.dumps(event))
    for *outer, last in left_out:
        inside = changed.get("flow")
        for key in outer:
            inside = inside.get(key) if isinstance(inside, dict) else None
        if isinstance(inside, dict):
            inside.pop(last, None)
    return changed


def of_lines(read):
    """What is said by line: who was seen where, what names were told, and who opened the flow if that is known."""
    seen = {(row["line"], row["address"], row["workload"]) for row in read.heartbeats}
    seen |= {(r["line"], r["local_address"], r["local_workload"]) for r in read.flows if "local_workload" in r}
    told = {(row["line"], row["client_address"], row["server_address"], row["hostname"]) for row in read.names}
    opener = {"egress": "local_address", "ingress": "remote_address"}
    opened = {(r["line"], r[opener[r["direction"]]]) for r in read.flows if "direction" in r}
    return seen, told, opened


WHOLE = of_lines(Read(HUBBLE, WRAPPED))


@settings(max_examples=60)
@given(left_out=st.sets(st.sampled_from(MASKABLE), max_size=12))
def test_a_mask_drops_no_event_and_makes_none_say_anything_else(left_out):
    read = Read(HUBBLE, "\n".join(json.dumps(masked(event, left_out)) for event in EVENTS))
    used = {row["line"] for rows in read.rows.values() for row in rows} | {line for _, line, _, _ in read.rejects}
    assert len(used) + sum(read.skipped.values()) >= len(EVENTS)
    for found, whole in zip(of_lines(read), WHOLE, strict=True):
        assert found <= whole


def test_a_mask_of_the_exporter_guide_names_nobody_and_keeps_the_traffic():
    ids = [("source", "ID"), ("destination", "ID")]
    read = Read(HUBBLE, "\n".join(json.dumps(masked(event, ids)) for event in EVENTS))
    assert (len(read.flows), read.heartbeats) == (9, [])
    assert not [row for row in read.flows if "local_workload" in row]
    assert read.skipped == EXPECTED["skipped"]


def test_the_envelope_tells_the_time_and_the_node_that_the_mask_leaves_out():
    left_out = [("time",), ("node_name",)]
    read = Read(HUBBLE, "\n".join(json.dumps(masked(event, left_out)) for event in EVENTS))
    assert (counts(read), read.flows) == (EXPECTED, Read(HUBBLE, WRAPPED).flows)


def test_a_time_of_the_flow_that_is_none_is_not_replaced():
    read = Read(HUBBLE, json.dumps(event(flow={"time": "some day"})))
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [(1, "not_a_time")]


def event(flow=(), source=(), destination=(), **envelope):
    """A SYN from one node's pod to another node's."""
    own = {
        "time": "2026-03-02T10:00:00.1Z",
        "verdict": "FORWARDED",
        "IP": {"source": "10.1.0.5", "destination": "10.1.0.9"},
        "l4": {"TCP": {"source_port": 41000, "destination_port": 8080, "flags": {"SYN": True}}},
        "source": {"ID": 11, "namespace": "shop", "pod_name": "web-0", "workloads": [{"name": "web"}]} | dict(source),
        "destination": {"namespace": "shop", "pod_name": "api-0"} | dict(destination),
        "Type": "L3_L4",
        "traffic_direction": "EGRESS",
        "is_reply": False,
    }
    return {"flow": own | dict(flow), "node_name": "east/n1", "time": "2026-03-02T10:00:00.1Z"} | envelope


UDP = {"UDP": {"source_port": 53, "destination_port": 40000}}
REPLY = {
    "IP": {"source": "10.1.0.9", "destination": "10.1.0.5"},
    "source": {"namespace": "shop", "pod_name": "api-0"},
    "destination": {"ID": 11, "namespace": "shop", "pod_name": "web-0"},
}


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        # Nothing tells: a packet of nobody knows which way. Of endpoint IDs the mask may have left one out.
        ({"l4": UDP}, [{"local_address": "10.1.0.5"}]),
        ({"l4": UDP, **REPLY}, [{"local_address": "10.1.0.5"}]),
        # The flags.
        ({"traffic_direction": None}, [{"local_address": "10.1.0.5", "direction": "egress"}]),
        ({"traffic_direction": None, "l4": {"TCP": {"flags": {"SYN": True, "ACK": True}}}}, []),
        ({"traffic_direction": None, "l4": {"TCP": {"flags": {"ACK": True}}}}, [{"local_address": "10.1.0.5"}]),
        ({"traffic_direction": None, "l7": {"type": "RESPONSE"}}, []),
    ],
)
def test_without_is_reply_other_fields_tell_which_way_a_packet_went(flow, expected):
    read = Read(HUBBLE, json.dumps(event(flow={"is_reply": None} | flow)))
    assert [{k: row[k] for k in ("local_address", "direction") if k in row} for row in read.flows] == expected
    assert len(read.flows) + read.skipped.get("reply", 0) == 1


def test_an_answer_goes_to_its_client_whatever_the_mask_leaves_out():
    dns = {"type": "RESPONSE", "dns": {"query": "a.example.", "ips": ["192.0.2.1"]}}
    left_out = {"is_reply": None, "traffic_direction": None, "l4": UDP, "l7": dns}
    read = Read(HUBBLE, json.dumps(event(flow=REPLY | left_out)))
    assert [row["client_address"] for row in read.names] == ["10.1.0.5"]


#: What an object or a list in a field of text leaves: nobody is named by it.
@pytest.mark.parametrize("odd", [{"name": "x/y"}, ["a"], [], {}])
@pytest.mark.parametrize(
    "place", ["pod_name", "namespace", "pod_uid", "cluster_name", "node_name", "uuid", "dns_query"]
)
def test_an_object_in_a_field_of_text_is_none(odd, place):
    dns = {"type": "RESPONSE", "dns": {"query": odd if place == "dns_query" else "a.example", "ips": ["192.0.2.1"]}}
    flow = {"l7": dns, "uuid": "u"} | {name: odd for name in ("node_name", "uuid") if name == place}
    source = {place: odd} if place in {"pod_name", "namespace", "pod_uid", "cluster_name"} else {}
    read = Read(
        HUBBLE, json.dumps(event(flow=flow, source=source, node_name=odd if place == "node_name" else "east/n1"))
    )
    (row,) = read.flows
    named = {k: v for k, v in row.items() if k in {"local_workload", "local_network", "observer", "record_id"}}
    whole = {"local_workload": "east/shop/web-0", "local_network": "east", "observer": "east/n1", "record_id": "u"}
    if place in {"pod_name", "namespace"}:
        del whole["local_workload"]
    if place == "node_name":
        whole = {"local_workload": "shop/web-0", "record_id": "u"}
    if place == "uuid":
        del whole["record_id"]
    assert named == whole
    assert len(read.names) == (place != "dns_query")


def test_one_line_with_an_odd_value_costs_the_lines_beside_it_nothing():
    dns = {"type": "RESPONSE", "dns": {"query": "a.example", "ips": ["192.0.2.1"]}}
    good = event(flow={"l7": dns, "is_reply": True})
    odd = [
        event(flow={"l7": dns, "is_reply": "no"}),
        event(flow={"l7": dns, "is_reply": True}, source={"workloads": "web"}),
        event(flow={"l7": {"type": "RESPONSE", "dns": {"query": "a.example", "ips": "192.0.2.1"}}, "is_reply": True}),
        event(flow={"l4": {"TCP": {"source_port": 1, "destination_port": 2, "flags": {"SYN": "yes"}}}}),
    ]
    alone, beside = Read(HUBBLE, json.dumps(good)), Read(HUBBLE, "\n".join(map(json.dumps, [good, *odd])))
    for kind in ("flow", "heartbeat", "name_binding"):
        assert [row for row in beside.rows[kind] if row["line"] == 1] == alone.rows[kind]
    assert alone.names
    assert alone.heartbeats[0]["service"] == "east/shop/web"


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ({"egress_flow_count": 120}, 120),
        ({"ingress_flow_count": 1, "egress_flow_count": 2, "unknown_direction_flow_count": 4}, 7),
        ({"unknown_direction_flow_count": "3"}, 3),
        ({}, None),
    ],
)
def test_a_record_says_how_many_events_it_stands_for(aggregate, expected):
    read = Read(HUBBLE, json.dumps(event(flow={"aggregate": aggregate})))
    assert read.flows[0].get("flow_count") == expected


def test_an_aggregated_record_proves_its_first_moment_only():
    read = Read(HUBBLE, json.dumps(event(flow={"aggregate": {"egress_flow_count": 120}})))
    ((row,), (beat,)) = read.flows, read.heartbeats
    assert (row["start"], row["end"], row["basis"], row["direction"]) == (
        beat["start"],
        beat["end"],
        "window",
        "egress",
    )
    assert (beat["address"], beat["workload"], beat["service"]) == ("10.1.0.5", "east/shop/web-0", "east/shop/web")


def test_a_count_that_is_none_is_left_to_validation():
    lines = [event(flow={"aggregate": {"egress_flow_count": count}}) for count in (2, "many", {"a": 1})]
    read = Read(HUBBLE, "\n".join(map(json.dumps, lines)))
    assert [row["flow_count"] for row in read.flows] == [2, "many", '{"a": 1}']
