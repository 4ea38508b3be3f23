"""Which flows are heartbeats, and over which time."""

import pyarrow as pa
import pytest

from attribution import schema
from attribution.config import Settings
from attribution.core.flow_evidence.flow_heartbeats import FIELDS, FlowEvidence

ROWS = [
    {"local_address": "10.0.0.1", "local_workload": "a", "local_service": "web", "observer": "n1"},
    {"local_address": "10.0.0.2", "local_workload": None, "local_service": "db"},
    {"local_address": "10.0.0.3", "local_workload": "c", "basis": "window"},
    {"local_address": "10.0.0.4", "local_workload": "d"},
]
WHOLE = {"network": None, "port": None, "last_port": None, "protocol": None, "claim": None}
SEEN_AT_1 = WHOLE | {"address": "10.0.0.1", "workload": "a", "service": "web", "observer": "n1"}
SEEN_AT_4 = WHOLE | {"address": "10.0.0.4", "workload": "d", "service": None, "observer": None}


def flows(rows=ROWS, *, encoded=False):
    whole = [
        {"start": i, "end": i + 60, "remote_address": "9.9.9.9", "local_port": 40000 + i, "protocol": 6}
        | {"basis": "connection"}
        | row
        for i, row in enumerate(rows)
    ]
    batch = pa.RecordBatch.from_pylist(whole, schema=schema.arrow_schema("flow"))
    if not encoded:
        return batch
    arrays = [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in batch.columns]
    return pa.record_batch(arrays, names=batch.schema.names)


def flow_heartbeats(flows, span="interval", **settings):
    return FlowEvidence(Settings(**settings)).heartbeats(flows, span)


def rows(batch):
    assert batch.schema.names == list(schema.record("heartbeat").names)
    assert [f.nullable for f in batch.schema] == [f.nullable for f in schema.arrow_schema("heartbeat")]
    times = [batch.column(name).cast(pa.int64()).to_pylist() for name in ("start", "end")]
    others = batch.select([n for n in batch.schema.names if n not in ("start", "end")]).to_pylist()
    return [row | {"start": s, "end": e} for row, s, e in zip(others, *times, strict=True)]


@pytest.mark.parametrize("encoded", [False, True])
def test_a_connection_with_a_known_workload_is_a_heartbeat_over_its_interval(encoded):
    assert rows(flow_heartbeats(flows(encoded=encoded))) == [
        SEEN_AT_1 | {"start": 0, "end": 60},
        SEEN_AT_4 | {"start": 3, "end": 63},
    ]


def test_where_an_end_can_come_from_a_timeout_only_the_start_counts():
    assert rows(flow_heartbeats(flows(), "start")) == [
        SEEN_AT_1 | {"start": 0, "end": 0},
        SEEN_AT_4 | {"start": 3, "end": 3},
    ]


def test_a_log_whose_flows_are_no_heartbeats_gives_none():
    assert rows(flow_heartbeats(flows(), "none")) == []


def test_a_table_and_only_the_needed_fields_will_do():
    table = pa.Table.from_batches([flows(encoded=True), flows(ROWS[:1], encoded=True)]).select(FIELDS)
    assert [r["workload"] for r in rows(flow_heartbeats(table))] == ["a", "d", "a"]
    assert rows(flow_heartbeats(table.slice(0, 0))) == []
    assert rows(flow_heartbeats(flows([]))) == []


def test_flows_that_all_are_heartbeats_are_not_copied():
    batch = flows(ROWS[:1] * 3)
    made = flow_heartbeats(batch)
    assert made.num_rows == 3
    assert made.column("address").buffers()[2].address == batch.column("local_address").buffers()[2].address


def test_on_a_shared_address_a_flow_shows_who_held_its_own_port_of_its_own_protocol_and_no_more():
    sides = [
        ("10.0.0.1", 40_000, 6),
        ("192.0.2.1", 40_001, 6),
        ("192.0.2.1", 40_001, 17),
        ("192.0.2.1", None, 6),
        ("192.0.2.1", 40_001, None),
        ("192.0.2.1", 8, 1),
        ("10.0.0.2", None, None),
    ]
    found = flows([
        {"local_address": address, "local_port": port, "protocol": protocol, "local_workload": f"w{number}"}
        for number, (address, port, protocol) in enumerate(sides)
    ])  # fmt: skip
    made = flow_heartbeats(found, shared_prefixes=("192.0.2.0/24",))
    assert [(r["address"], r["port"], r["protocol"], r["workload"]) for r in rows(made)] == [
        ("10.0.0.1", None, None, "w0"),
        ("10.0.0.2", None, None, "w6"),
        ("192.0.2.1", 40_001, 6, "w1"),
        ("192.0.2.1", 40_001, 17, "w2"),
    ]


# Translated and shared addresses

NAT = "203.0.113.9"
INSIDE = {"local_address": "10.0.0.1", "local_workload": "a", "wire_address": NAT, "wire_port": 50001}
ON_WIRE = {"address": NAT, "port": 50001, "last_port": None, "protocol": 6, "workload": "a"}


def where(batch):
    return [(row["address"], row["port"], row["workload"], row["start"], row["end"]) for row in rows(batch)]


@pytest.mark.parametrize("encoded", [False, True])
def test_a_translated_connection_is_a_heartbeat_of_its_address_and_of_its_socket_on_the_wire(encoded):
    found = rows(flow_heartbeats(flows([INSIDE, ROWS[3]], encoded=encoded)))
    assert [row["address"] for row in found] == ["10.0.0.1", "10.0.0.4", NAT]
    assert {name: found[2][name] for name in ON_WIRE} == ON_WIRE
    assert (found[2]["start"], found[2]["end"]) == (0, 60)


def test_an_end_that_can_be_a_timeout_counts_at_the_start_on_the_wire_too():
    assert where(flow_heartbeats(flows([INSIDE]), "start"))[1] == (NAT, 50001, "a", 0, 0)


@pytest.mark.parametrize("missing", ["wire_port", "protocol"])
def test_an_address_on_the_wire_is_never_claimed_without_a_socket(missing):
    assert where(flow_heartbeats(flows([INSIDE | {missing: None}]))) == [("10.0.0.1", None, "a", 0, 60)]


def test_who_shares_an_address_and_says_its_socket_holds_no_more_of_it():
    shared = {"local_address": NAT, "local_workload": "a", "wire_address": NAT, "wire_port": 8443}
    assert where(flow_heartbeats(flows([shared]))) == [(NAT, 8443, "a", 0, 60)]


@pytest.mark.parametrize("encoded", [False, True])
def test_an_address_on_the_wire_is_in_the_network_to_which_it_is_shown(encoded):
    inside = INSIDE | {"local_network": "inside"}
    shared = inside | {"local_address": NAT, "remote_network": "outside"}
    sent = [inside, inside | {"remote_network": "outside"}, shared]
    found = rows(flow_heartbeats(flows(sent, encoded=encoded)))
    assert [(row["network"], row["address"]) for row in found] == [
        ("inside", "10.0.0.1"),
        ("inside", "10.0.0.1"),
        ("inside", NAT),
        ("outside", NAT),
        ("inside", NAT),
    ]


def test_windows_and_flows_of_unknown_workloads_prove_nothing_on_the_wire():
    assert where(flow_heartbeats(flows([INSIDE | {"basis": "window"}, INSIDE | {"local_workload": None}]))) == []
