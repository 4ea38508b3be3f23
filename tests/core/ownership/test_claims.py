"""What a connection claims of its port, and when that counts."""

import pyarrow as pa

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.attributor import Attributor
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.schema import FLOW, HEARTBEAT, arrow_schema

NODE, PEER = "172.16.0.1", "10.0.0.9"


def flow(local, remote, start, end, workload=None, **others):
    (local_address, local_port), (remote_address, remote_port) = local, remote
    return {
        "start": start, "end": end, "local_address": local_address, "local_port": local_port,
        "remote_address": remote_address, "remote_port": remote_port, "protocol": 6, "basis": "connection",
        "local_workload": workload,
    } | others  # fmt: skip


def accepted(port, start, end, workload, **others):
    return flow((NODE, port), (PEER, 50000), start, end, workload, direction="ingress", **others)


def opened(port, start, end, workload, **others):
    return flow((NODE, port), (PEER, 443), start, end, workload, direction="egress", **others)


def seen(port, *times, workload):
    return [
        {"address": NODE, "port": port, "protocol": 6, "workload": workload, "start": at, "end": at} for at in times
    ]


def batch(kind, rows):
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schema(kind))


def asked(port, start, flows=(), heartbeats=(), *, end=None, compacted_at=None, direction=None, **settings):
    """Workload and reason of the remote side of a connection to a port of the node."""
    attributor = Attributor(Settings(**settings), index_per_batch=True)
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, list(heartbeats)))
    attributor.observe_flows(batch(FLOW, list(flows)))
    if compacted_at is not None:
        attributor.advance(compacted_at)
        attributor.compact(compacted_at - attributor.settings.retention)
    question = flow((PEER, 51000), (NODE, port), start, start + SECOND if end is None else end, direction=direction)
    found = attributor.attribute(batch(FLOW, [question])).to_pylist()[0]
    return found["remote_workload"], found["remote_reason"]


def test_accepted_connections_show_who_listens_where_the_address_is_held_by_port():
    """Four workloads share the node; of port 8001 only flows know."""
    elsewhere = seen(8000, *range(0, 10 * MINUTE, MINUTE), workload="a")
    flows = [accepted(8001, at, at + SECOND, "b") for at in range(0, 10 * MINUTE, MINUTE)]
    assert asked(8001, 5 * MINUTE + 30 * SECOND, flows, elsewhere) == ("b", "bridged")
    assert asked(8002, 5 * MINUTE, flows, elsewhere) == (None, "shared")


def test_claims_never_make_an_address_shared():
    flows = [accepted(8001, at, at + SECOND, "b") for at in range(0, 10 * MINUTE, MINUTE)]
    assert asked(8002, 5 * MINUTE, flows) == ("b", "bridged")


def test_an_old_process_that_keeps_a_connection_does_not_speak_for_the_port():
    """`old` accepted a connection that lasts; `new` listens on the port now."""
    old = [accepted(8000, 0, 9 * MINUTE, "old")]
    new = seen(8000, *range(4 * MINUTE, 10 * MINUTE, MINUTE), workload="new")
    assert asked(8000, 6 * MINUTE + SECOND, old, new) == ("new", "bridged")
    # Nor does the new process speak for the old one's connection.
    assert asked(8000, MINUTE, [], new, end=9 * MINUTE) == (None, "gap")


def test_the_port_of_an_opened_connection_is_ephemeral_whatever_its_number():
    elsewhere = seen(8000, *range(0, 10 * MINUTE, MINUTE), workload="a")
    flows = [opened(1024, at, at + 20 * SECOND, "b") for at in (0, MINUTE, 2 * MINUTE)]
    assert asked(1024, MINUTE + 10 * SECOND, flows, elsewhere) == ("b", "covered")
    assert asked(1024, MINUTE + 40 * SECOND, flows, elsewhere) == (None, "gap")


def test_a_connection_of_unknown_direction_may_be_an_old_one_of_a_socket_that_listened():
    elsewhere = seen(8000, *range(0, 10 * MINUTE, MINUTE), workload="a")
    unknown = [opened(port, 0, 9 * MINUTE, "old") | {"direction": None} for port in (443, 40_000)]
    assert asked(443, 6 * MINUTE, unknown, elsewhere) == (None, "gap")
    # Nobody listens on a port that is given out per connection.
    assert asked(40_000, 6 * MINUTE, unknown, elsewhere) == ("old", "covered")


def test_a_connection_opened_from_a_port_speaks_against_who_listens_there():
    here = seen(8000, *range(0, 12 * MINUTE, MINUTE), workload="a")
    other = [opened(8000, 5 * MINUTE, 5 * MINUTE + 30 * SECOND, "b")]
    assert asked(8000, 5 * MINUTE + 10 * SECOND, other, here) == (None, "conflict")
    assert asked(8000, 9 * MINUTE + 10 * SECOND, other, here) == ("a", "bridged")


def test_a_connection_of_known_direction_asks_only_what_its_side_did():
    """`a` listens on a port from which a masqueraded connection of `b` was opened, too; one of the two is not known."""
    listens = seen(1024, *range(0, 12 * MINUTE, MINUTE), workload="a")
    masked = [opened(50000, 5 * MINUTE, 6 * MINUTE, "b", wire_address=NODE, wire_port=1024, local_address="10.1.0.1")]
    at = 5 * MINUTE + 10 * SECOND
    assert asked(1024, at, masked, listens) == (None, "conflict")
    assert asked(1024, at, masked, listens, direction="egress") == ("a", "bridged")
    assert asked(1024, at, masked, listens, direction="ingress") == ("b", "covered")
    # Where the right one is not known, nobody is named.
    assert asked(1024, at, [], listens, direction="ingress") == (None, "shared")
    assert asked(1024, at, masked, direction="egress") == (None, "shared")


def test_a_claim_counts_only_if_explicit_evidence_comes_shortly_before_it():
    flows = [accepted(8001, at, at + SECOND, "b") for at in range(0, 10 * MINUTE, MINUTE)]
    long_ago = seen(8000, -4 * MINUTE, workload="a")
    assert asked(8001, 5 * MINUTE + 30 * SECOND, flows, long_ago) == (None, "shared")
    assert asked(8001, 30 * SECOND, flows, seen(8000, -2 * MINUTE, workload="a")) == ("b", "bridged")


def test_what_is_forgotten_of_explicit_evidence_changes_nothing():
    elsewhere = seen(8000, 0, workload="a")
    flows = [accepted(8001, at, at + SECOND, "b") for at in (MINUTE, 2 * MINUTE, 30 * MINUTE)]
    short = {"retention": 20 * MINUTE, "workload_memory": 20 * MINUTE}
    for compacted_at in (None, 10 * MINUTE, 40 * MINUTE):
        question = (8001, 21 * MINUTE, flows, elsewhere)
        assert asked(*question, compacted_at=compacted_at, **short) == (None, "gap")
        assert asked(8001, 15 * MINUTE, flows, elsewhere, compacted_at=compacted_at, **short) == (None, "gap")


def test_a_translated_port_is_never_bridged():
    """A masquerade port of x, of a node address that is configured nowhere, in silence between two connections."""
    wire = {"wire_address": NODE, "wire_port": 1024, "local_address": "10.1.0.1"}
    flows = [opened(50000, at, at + 5 * SECOND, "x") | wire for at in (0, MINUTE)]
    assert asked(1024, 30 * SECOND, flows) == (None, "gap")
    assert asked(1024, MINUTE + 2 * SECOND, flows) == ("x", "covered")


def test_behind_a_balancer_of_ports_an_accepted_connection_says_nothing_of_the_port():
    wire = {"wire_address": NODE, "wire_port": 30080, "local_address": "10.1.0.1"}
    flows = [accepted(8080, at, at + SECOND, "x") | wire for at in range(0, 10 * MINUTE, MINUTE)]
    assert asked(30080, 5 * MINUTE, flows) == (None, "shared")
    assert asked(30081, 5 * MINUTE, flows) == (None, "shared")


def test_a_socket_of_the_own_address_on_the_wire_is_held_by_port():
    wire = {"wire_address": NODE, "wire_port": 8443}
    flows = [accepted(8443, at, at + SECOND, "x") | wire for at in range(0, 10 * MINUTE, MINUTE)]
    assert asked(8443, 5 * MINUTE + 30 * SECOND, flows) == ("x", "bridged")
    assert asked(8444, 5 * MINUTE, flows) == (None, "shared")


def test_a_late_clock_shrinks_what_a_connection_shows():
    rows = [
        opened(1024, 0, MINUTE, "a", received=MINUTE + 40 * SECOND),
        accepted(80, 0, MINUTE, "a", received=2 * MINUTE),
    ]
    found = FlowEvidence(Settings())
    whole = found.heartbeats(batch(FLOW, rows)).to_pylist()
    assert [(row["start"].second, row["end"].minute) for row in whole] == [(40, 1), (0, 1)]
    claims = found.claims(batch(FLOW, rows)).to_pylist()
    assert [(row["claim"], row["start"].second) for row in claims] == [("opened", 40)]
    too_late = [opened(1024, 0, SECOND, "a", received=MINUTE), opened(1024, 0, MINUTE, "a", received=MINUTE // 2)]
    assert found.heartbeats(batch(FLOW, too_late)).num_rows == found.claims(batch(FLOW, too_late)).num_rows == 0
