"""Translated connections: a port is one connection's at a time, and the logs of both sides fit the truth."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate

CHOSEN = scenario("hostile", ("connections=4000", "nat_share=0.7", "capture_share=1", "window_share=0", "max_skew=0"))


@pytest.fixture(scope="module")
def sim():
    return simulate(CHOSEN, seed=5)


def test_a_port_is_one_connections_at_a_time_and_comes_to_others_within_seconds():
    lossless = simulate(scenario("hostile", ("connections=4000", "nat_share=0.7", "event_loss=0")), seed=5).sessions
    order = np.lexsort((lossless.release == 0, lossless.time, lossless.port, lossless.address))
    key = lossless.address[order] * 65536 + lossless.port[order]
    time, release, client = lossless.time[order], lossless.release[order], lossless.client[order]
    quick = 0
    for a, b in pairwise(range(len(order))):
        if key[a] == key[b]:
            assert release[a] != release[b], "a session began on a port that another one had"
            quick += bool(release[a] and client[a] != client[b] and time[b] - time[a] < 3_000_000)
    assert quick > 100


def test_both_sides_of_a_translated_connection_say_the_same_port(sim):
    flows = pa.Table.from_batches(list(sim.flow_batches())).to_pylist()
    truth = pa.Table.from_batches(list(sim.truth_batches())).to_pylist()
    inside = {(f["wire_address"], f["wire_port"], f["start"]): f["local_workload"] for f in flows if f["wire_port"]}
    far = [
        ((f["remote_address"], f["remote_port"], f["start"]), t["remote_workload"])
        for f, t in zip(flows, truth, strict=True)
        if t["remote_kind"] == "translated"
    ]
    assert len(far) > 200
    for key, workload in far:
        # Who shares a node's address by port is not told apart inside.
        assert inside.get(key, workload) == workload
    assert sum(key in inside for key, _ in far) > 0.9 * len(far)


def test_other_scenarios_translate_nothing():
    assert len(simulate(scenario("small", ("connections=500",)), seed=1).sessions.time) == 0
