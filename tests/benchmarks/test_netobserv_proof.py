"""The proof on NetObserv's logs: a record never speaks for its own flow, and differences are found and shown."""

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = sorted((ROOT / "tests/sources/data/netobserv").glob("*.json"))
START = 1_708_011_866_000

_spec = importlib.util.spec_from_file_location("netobserv_proof", ROOT / "benchmarks/netobserv_proof.py")
proof = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = proof
_spec.loader.exec_module(proof)


def record(source, destination, *, seconds, node="10.0.1.1", lasted=1):
    """What the agent of `source`'s node reports; an end is (address, pod, node)."""
    ends = {}
    for side, (address, pod, host) in (("Src", source), ("Dst", destination)):
        ends |= {f"{side}Addr": address, f"{side}Port": 8080, f"{side}K8S_HostIP": host}
        if pod:
            ends |= {f"{side}K8S_Type": "Pod", f"{side}K8S_Name": pod, f"{side}K8S_Namespace": "shop"}
    start = START + 1000 * seconds
    times = {"TimeFlowStartMs": start, "TimeFlowEndMs": start + 1000 * lasted}
    return ends | times | {"AgentIP": node, "FlowDirection": "1", "Etype": 2048, "Proto": 6, "Bytes": 10, "Packets": 1}


def compared(path, *records):
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return proof.compare([path])


WEB = ("10.9.0.1", "web-1", "10.0.1.1")
CART = ("10.9.0.2", "cart-1", "10.0.1.2")
STALE = ("10.9.0.2", "cart-0", "10.0.1.2")
ELSEWHERE = ("10.9.0.9", None, "10.0.1.9")


def cart_is_seen(seconds):
    return record(CART, ELSEWHERE, seconds=seconds, node="10.0.1.2")


def test_the_samples_hold_no_difference():
    found = proof.compare(SAMPLES)
    outcomes = Counter((one.outcome, one.claim["remote_type"]) for one in found)
    assert outcomes == {
        ("agree", "Pod"): 10,
        # One record names its cluster. The others, which name none, ask nothing of the addresses that it speaks of.
        ("agree", "Node"): 2,
        ("only NetObserv", "Pod"): 25,
        ("only NetObserv", "Node"): 21,
        ("neither", "Service"): 24,
        ("neither", None): 32,
    }
    assert Counter(one.seen for one in found if one.outcome == "only NetObserv") == {
        "same": 31,
        "nothing": 11,
        "other": 4,
    }


def test_the_remote_side_is_attributed_from_what_its_own_node_reports(tmp_path):
    found = compared(tmp_path / "flows", cart_is_seen(-20), record(WEB, CART, seconds=0), cart_is_seen(20))
    (flow,) = [one for one in found if one.flow["local_address"] == WEB[0]]
    assert (flow.outcome, flow.flow["remote_reason"], flow.flow["remote_workload"]) == (
        "agree",
        "bridged",
        "shop/cart-1",
    )
    assert len(flow.evidence) == 2


def test_a_late_inventory_is_found_out_and_the_evidence_shown(tmp_path):
    found = compared(tmp_path / "flows", cart_is_seen(-20), record(WEB, STALE, seconds=0), cart_is_seen(20))
    (flow,) = [one for one in found if one.flow["local_address"] == WEB[0]]
    assert flow.outcome == "differ"
    text = "\n".join(proof.report(found))
    assert "ours:      shop/cart-1 (bridged)" in text
    assert "NetObserv: shop/cart-0 (Pod)" in text
    assert text.count("seen:      shop/cart-1 by 10.0.1.2") == 2


def test_a_record_does_not_speak_for_its_own_flow(tmp_path):
    """Both ends on one node: the record is a heartbeat of either, and would otherwise confirm itself."""
    neighbour = ("10.9.0.3", "cache-1", "10.0.1.1")
    (flow,) = compared(tmp_path / "flows", record(WEB, neighbour, seconds=0, lasted=10))
    assert (flow.outcome, flow.flow["remote_reason"], flow.evidence) == ("only NetObserv", "unknown", [])


def test_evidence_of_another_workload_is_shown_even_where_it_forces_nothing(tmp_path):
    found = compared(tmp_path / "flows", record(WEB, STALE, seconds=0), cart_is_seen(60))
    (flow,) = [one for one in found if one.flow["local_address"] == WEB[0]]
    assert (flow.outcome, flow.seen) == ("only NetObserv", "other")
    assert "another workload's: 1" in "\n".join(proof.report(found))


def test_files_without_a_flow_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="no flow"):
        compared(tmp_path / "flows", {"TimeFlowEndMs": START, "Etype": 2054, "AgentIP": "10.0.1.1"})
