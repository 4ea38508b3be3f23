"""Traffic that several observers report, held against what was sent: by ends, routers, samplers, second logs, twice."""

from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tiny_lake import write_lake
from truth_lake import perfect

from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window
from attribution.testbed.evaluate.runners import through_replay
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.tables import TRAFFIC
from attribution.testbed.fleet.write import TRAFFIC_FILE, write

OBSERVERS = (
    "connections=1500", "routers=3", "router_share=0.6", "samplers=1", "ingress_share=0.6", "window_share=0.6",
    "second_log_share=1", "long_window_share=0.3", "max_skew=300ms",
)  # fmt: skip
#: All logs cut at the same moments, so that it is clear in which hour a byte is reported.
ALIKE = ("window_share=1", "max_skew=0", "duration=3h", "connection_median=2m")


def made(*parameters, seed=1, name="small"):
    return simulate(scenario(name, (*OBSERVERS, *parameters)), seed=seed)


def true_lake(simulation, folder):
    """A lake in which every end is named as it was."""
    flows = pa.Table.from_batches(list(simulation.flow_batches())).to_pylist()
    named = perfect(pa.Table.from_batches(list(simulation.truth_batches()))).to_pylist()
    rows = [flow | name for flow, name in zip(flows, named, strict=True)]
    return write_lake(folder, flows=rows, settings=simulation.settings)


def shown(session, window=None):
    """(client, server) -> bytes of the edges between named ends."""
    found = Counter()
    selection = GraphSelection(window=window, clients_by_port=True) if window else GraphSelection(clients_by_port=True)
    for edge in graph(session, selection).edges:
        names = edge.source.text, edge.target.text
        if edge.source.attributed and edge.target.attributed:
            found[*names, "sent"] += edge.bytes_out or 0
            found[*names, "received"] += edge.bytes_back or 0
    return +found


def sent(simulation, hour=None):
    """The same of the truth."""
    found = Counter()
    for row in simulation.traffic_table().to_pylist():
        if row["client_service"] and row["server_service"] and hour in {None, row["hour"]}:
            for way in ("sent", "received"):
                found[row["client_service"], row["server_service"], way] += row[f"bytes_{way}"]
    return +found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["small", "hostile"])
def test_edges_show_what_was_sent_whoever_reported_it(tmp_path, seed, name):
    simulation = made("nat_share=0", seed=seed, name=name)
    reported = sum(pc.sum(batch.column("bytes_sent")).as_py() for batch in simulation.flow_batches())
    with LakeSession(true_lake(simulation, tmp_path / "lake")) as session:
        assert shown(session) == sent(simulation)
    assert reported > 2 * sum(n for (*_, way), n in sent(simulation).items() if way == "sent")


@pytest.mark.parametrize("seed", range(2))
def test_hours_add_up_to_what_was_sent_in_them(tmp_path, seed):
    simulation = made(*ALIKE, seed=seed)
    hours = sorted(set(simulation.traffic_table().column("hour").to_pylist()))
    assert len(hours) > 2
    with LakeSession(true_lake(simulation, tmp_path / "lake")) as session:
        for hour in hours:
            assert shown(session, Window(hour, hour + timedelta(hours=1))) == sent(simulation, hour)


TRANSLATED = ("nat_share=0.7", "capture_share=1", "ingress_share=1")


def test_both_sides_of_a_translator_count_once_if_the_log_inside_says_how_it_looks_outside(tmp_path):
    simulation = made(*TRANSLATED, "nat_reuse_pause=2h", seed=2)
    kinds = Counter(kind for batch in simulation.truth_batches() for kind in batch.column("remote_kind").to_pylist())
    assert kinds["translated"] > 300
    with LakeSession(true_lake(simulation, tmp_path / "lake")) as session:
        assert shown(session) == sent(simulation)


def test_a_translated_port_that_is_reused_at_once_shows_less_and_never_more(tmp_path):
    """Two connections of one translated port to one server, within moments, are one conversation of two observers."""
    simulation = made(*TRANSLATED, "nat_reuse_pause=0", seed=2)
    with LakeSession(true_lake(simulation, tmp_path / "lake")) as session:
        found, true = shown(session), sent(simulation)
    assert all(found[edge] <= bytes_sent for edge, bytes_sent in true.items())
    assert 0.9 < found.total() / true.total() < 1


def test_networks_keep_conversations_apart(tmp_path):
    simulation = made(
        "networks=3", "services=24", "crossing_share=0.15", "nat_share=0", "network_loss=0", "told_share=1", seed=4
    )
    with LakeSession(true_lake(simulation, tmp_path / "lake")) as session:
        assert shown(session) == sent(simulation)


def test_a_replay_takes_repeats_once_and_the_graph_counts_once(tmp_path):
    simulation = made("repeated_share=0.2", "nat_share=0")
    assert simulation.delivered.size > 1.1 * len(simulation.flows)
    result = through_replay(simulation, simulation.settings, tmp_path)
    assert (result.misattributed, result.lost, result.repeated) == (0, 0, 0)
    with LakeSession(tmp_path / "lake") as session:
        total = graph(session, GraphSelection(clients_by_port=True)).totals.bytes
    traffic = simulation.traffic_table()
    assert total == sum(pc.sum(traffic.column(f"bytes_{way}")).as_py() for way in ("sent", "received"))


def test_what_was_sent_stands_beside_what_was_reported(tmp_path):
    rows = write(made(), tmp_path / "fleet")
    assert rows[TRAFFIC_FILE] > 50
    assert made().traffic_table().schema == TRAFFIC
    alone = write(simulate(scenario("small", ("connections=200",)), seed=1), tmp_path / "alone")
    assert TRAFFIC_FILE not in alone
