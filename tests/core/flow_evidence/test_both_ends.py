"""The far end's report of the same connection names the remote workload, where heartbeats leave it open."""

import pyarrow as pa
import pytest

from attribution.config import MINUTE, SECOND, Settings
from attribution.core.attributor import Attributor
from attribution.schema import FLOW, HEARTBEAT, arrow_schema

NAT, SERVER, INSIDE = "203.0.113.9", "10.9.0.1", "10.1.0.1"
MS = SECOND // 1000


def flow(local, remote, start, end, workload=None, **others):
    (local_address, local_port), (remote_address, remote_port) = local, remote
    return {
        "start": start, "end": end, "local_address": local_address, "local_port": local_port,
        "remote_address": remote_address, "remote_port": remote_port, "protocol": 6, "basis": "connection",
        "local_workload": workload, "local_service": workload and workload[0],
    } | others  # fmt: skip


def of_server(start, end, *, port=4000, workload="w", **others):
    return flow((SERVER, 443), (NAT, port), start, end, workload, direction="ingress", **others)


def of_client(start, end, *, port=4000, workload="x", **others):
    wire = {"wire_address": NAT, "wire_port": port, "direction": "egress"}
    return flow((INSIDE, 50000), (SERVER, 443), start, end, workload, **wire, **others)


def counted(sent, received):
    return {"bytes_sent": sent, "bytes_received": received}


def batch(kind, rows):
    return pa.RecordBatch.from_pylist(rows, schema=arrow_schema(kind))


def answer(asked, *known, heartbeats=(), **settings):
    """Workload, method and reason of the remote side of a flow, of which these flows and itself are known."""
    attributor = Attributor(Settings(**settings))
    attributor.observe(HEARTBEAT, batch(HEARTBEAT, list(heartbeats)))
    for one in (asked, *known):
        attributor.observe_flows(batch(FLOW, [one]))
    found = attributor.attribute(batch(FLOW, [asked])).to_pylist()[0]
    assert "open_to_far_end" not in found
    return found["remote_workload"], found["remote_method"], found["remote_reason"]


#: The port of the translator is Z's a moment later and earlier, so that its own evidence never covers.
def test_reports_that_overlap_beyond_the_tolerance_are_of_one_connection():
    assert answer(of_server(0, 5 * SECOND), of_client(10 * MS, 5 * SECOND)) == ("x", "heartbeat", "within")
    # Of a window on the port nothing is known that covers: only the far end tells.
    heartbeats = [{"address": SERVER, "workload": "w", "start": -9 * MINUTE, "end": -9 * MINUTE}]
    assert answer(of_client(0, 5 * SECOND), of_server(10 * MS, 5 * SECOND), heartbeats=heartbeats) == (
        "w",
        "peer",
        "both_ends",
    )


def test_a_port_of_a_translator_that_came_back_within_a_second_names_nobody():
    of_x, of_z = of_server(0, 300 * MS, **counted(7, 9)), of_client(800 * MS, 1100 * MS, workload="z", **counted(5, 6))
    assert answer(of_x, of_z) == (None, "none", "gap")


def test_short_reports_need_equal_counters():
    far = of_client(20 * MS, 310 * MS, **counted(9, 7))
    assert answer(of_server(0, 300 * MS, **counted(7, 9)), far) == ("x", "peer", "both_ends")
    assert answer(of_server(0, 300 * MS, **counted(7, 8)), far)[2] == "gap"
    assert answer(of_server(0, 300 * MS), far)[2] == "gap"
    nothing = counted(0, 0)
    assert answer(of_server(0, 300 * MS, **nothing), of_client(0, 300 * MS, **nothing))[2] == "gap"


def test_short_reports_last_equally_long_whatever_their_clocks():
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(0, 300 * MS, **counted(9, 7))
    assert answer(ours, far | {"start": 250 * MS, "end": 600 * MS})[2] == "both_ends"
    assert answer(ours, far | {"start": 250 * MS, "end": 601 * MS})[2] == "gap"


def test_packets_are_compared_where_both_know_them():
    ours = of_server(0, 300 * MS, **counted(7, 9), packets_sent=1, packets_received=2)
    assert answer(ours, of_client(0, 300 * MS, **counted(9, 7), packets_sent=2, packets_received=1))[2] == "both_ends"
    assert answer(ours, of_client(0, 300 * MS, **counted(9, 7), packets_sent=3, packets_received=1))[2] == "gap"
    assert answer(ours, of_client(0, 300 * MS, **counted(9, 7)))[2] == "both_ends"


def test_a_third_report_that_fits_either_end_leaves_it_open():
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(20 * MS, 310 * MS, **counted(9, 7))
    second_far = of_client(30 * MS, 310 * MS, workload="z", **counted(9, 7))
    second_own = of_server(10 * MS, 300 * MS, **counted(7, 9))
    assert answer(ours, far, second_own)[0] is None
    assert answer(ours, far, second_far)[0] is None
    assert answer(ours, far, dict(far), dict(ours)) == ("x", "peer", "both_ends")


@pytest.mark.parametrize(
    "change",
    [
        {"basis": "window"},
        {"local_workload": None},
        {"direction": "ingress"},
        {"wire_port": 4001},
        {"remote_address": "10.9.0.2"},
        {"protocol": 132},
        {"local_network": "east"},
        {"received": 6 * SECOND},
        {"start": 1100 * MS, "end": 1200 * MS},
    ],
)
def test_what_is_not_the_far_report_names_nobody(change):
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(20 * MS, 310 * MS, **counted(9, 7))
    assert answer(ours, far | change)[0] is None


def test_a_window_is_not_answered_by_its_far_end():
    far = of_client(20 * MS, 310 * MS, **counted(9, 7))
    assert answer(of_server(0, 300 * MS, **counted(7, 9), basis="window"), far)[0] is None


def test_evidence_of_another_workload_makes_a_conflict():
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(20 * MS, 310 * MS, **counted(9, 7))
    other = {"address": NAT, "port": 4000, "protocol": 6, "workload": "y", "start": -100 * MS, "end": -50 * MS}
    other["claim"] = "shown"
    assert answer(ours, far, heartbeats=[other]) == (None, "none", "conflict")
    assert answer(ours, far, heartbeats=[other | {"workload": "x"}]) == ("x", "peer", "both_ends")


def test_a_remote_end_on_the_wire_is_asked_in_the_place_of_the_address_that_the_client_used():
    to_service = flow(
        (INSIDE, 50000), ("10.96.0.1", 80), 0, 300 * MS, "x", remote_wire_address=SERVER, remote_wire_port=443
    )
    at_server = [{"address": SERVER, "workload": "w", "start": -MINUTE, "end": MINUTE}]
    assert answer(to_service, heartbeats=at_server) == ("w", "heartbeat", "covered")
    far = flow((SERVER, 443), (INSIDE, 50000), 0, 300 * MS, "w", **counted(9, 7))
    gap = [{"address": SERVER, "workload": "w", "start": -9 * MINUTE, "end": -9 * MINUTE}]
    assert answer(to_service | counted(7, 9), far, heartbeats=gap) == ("w", "peer", "both_ends")


def test_the_local_end_is_compared_as_the_wire_shows_it():
    far = of_client(20 * MS, 310 * MS, **counted(9, 7)) | {"wire_address": None, "wire_port": None}
    assert answer(of_server(0, 300 * MS, **counted(7, 9)), far)[0] is None


def test_a_stream_gives_the_same_answer_and_forgets_reports():
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(20 * MS, 310 * MS, **counted(9, 7))
    attributor = Attributor(Settings())
    for one in (ours, far):
        attributor.observe_flows(batch(FLOW, [one]))
    attributor.hold(batch(FLOW, [ours]))
    assert attributor.advance(MINUTE).attributed == []
    attributor = Attributor.restore(attributor.snapshot(), Settings())
    (out,) = attributor.advance(6 * MINUTE).attributed
    assert out.column("remote_reason").to_pylist() == ["both_ends"]
    assert attributor.known_reports.num_rows == 2
    attributor.advance(20 * MINUTE)
    attributor.compact(0)
    assert attributor.known_reports.num_rows == 0


def test_a_flow_that_comes_after_reports_were_forgotten_is_not_answered_by_those_that_are_left():
    ours, far = of_server(0, 300 * MS, **counted(7, 9)), of_client(20 * MS, 310 * MS, **counted(9, 7))
    attributor = Attributor(Settings())
    attributor.advance(MINUTE * 30)
    for one in (ours, far):
        attributor.observe_flows(batch(FLOW, [one]))
    attributor.hold(batch(FLOW, [ours]))
    (out,) = attributor.advance(40 * MINUTE).attributed
    assert out.column("remote_workload").to_pylist() == [None]
