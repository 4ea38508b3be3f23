"""Ends at addresses that policies hand out: what `graph`, `talkers` and `explain --edge` call them."""

import json

import pytest
from tiny_lake import flow, pooled, traffic, write_lake

from attribution.cli.render.pictures import RENDERERS
from attribution.query.explain.edge import explain_edge
from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.graph.talkers import talkers
from attribution.query.lake.session import LakeSession

DISPATCHED = {"service": "frontend", "method": "socket_rule", "reason": "dispatched"}


def come_in(time, client, server, **fields):
    """A flow that a data centre logged at an address of a pool."""
    return flow(time, server, client, direction="ingress", data_centre="ams", **fields)


FLOWS = [
    # A workload calls two names of a pool, of which one is settled.
    flow("12:00:00", "10.0.0.1:40000", "192.0.2.1:443", **pooled("remote", "shared", "all"),
         remote_hostname="a.example", **traffic(10, 100)),
    flow("12:01:00", "10.0.0.1:40001", "192.0.2.2:443", **pooled("remote", "shared", "all"), **traffic(1, 2)),
    # A client of which nothing is known comes to three addresses of it: settled, not, and dispatched by a rule.
    come_in("12:02:00", "203.0.113.9:50000", "192.0.2.1:443", **pooled("local", "shared", "all"),
            local_hostname="b.example", **traffic(500, 50)),
    come_in("12:03:00", "203.0.113.9:50001", "192.0.2.3:443", **pooled("local", "shared", "all", **DISPATCHED),
            **traffic(400, 40)),
    come_in("12:04:00", "203.0.113.9:50002", "192.0.2.9:443", **pooled("local", None, None, None, method="none",
            reason="unpooled"), **traffic(3, 4)),
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("lakes") / "pools", flows=FLOWS)


def nodes(found):
    return {(str(node.name), node.name.kind): node.flows for node in found.nodes}


def edges(found):
    return {(str(edge.source), str(edge.target)): edge.flows for edge in found.edges}


def test_an_address_of_a_pool_is_the_pool_unless_a_rule_dispatches_it(lake):
    found = graph(lake)
    assert nodes(found) == {
        ("web", "service"): 2,
        ("pool shared", "pool"): 3,
        ("frontend", "service"): 1,
        ("(unattributed: unknown)", "unattributed"): 3,
        ("(unattributed: unpooled)", "unattributed"): 1,
    }
    assert edges(found) == {
        ("web", "pool shared"): 2,
        ("(unattributed: unknown)", "pool shared"): 1,
        ("(unattributed: unknown)", "frontend"): 1,
        ("(unattributed: unknown)", "(unattributed: unpooled)"): 1,
    }
    # A pool is an answer, though it names nobody.
    assert (found.totals.unattributed_flows, found.totals.flows) == (3, 5)
    assert edges(graph(lake, attributed_only=True)) == {("web", "pool shared"): 2}
    # Unattributed nodes are last, pools among the others by bytes.
    assert [str(node.name) for node in found.nodes][:3] == ["pool shared", "frontend", "web"]


def test_settled_hostnames_of_either_side_are_nodes_where_they_are_asked_for(lake):
    found = graph(lake, GraphSelection(hostnames=True))
    assert edges(found) == {
        ("web", "a.example"): 1,
        ("web", "pool shared"): 1,
        ("(unattributed: unknown)", "b.example"): 1,
        ("(unattributed: unknown)", "frontend"): 1,
        ("(unattributed: unknown)", "(unattributed: unpooled)"): 1,
    }
    assert nodes(found)["a.example", "name"] == 1
    assert found.totals.unattributed_flows == 3


def test_by_workload_a_dispatched_service_has_none(lake):
    assert nodes(graph(lake, by="workload")) == {
        ("web-1", "workload"): 2,
        ("pool shared", "pool"): 3,
        ("frontend", "external"): 1,
        ("(unattributed: unknown)", "unattributed"): 3,
        ("(unattributed: unpooled)", "unattributed"): 1,
    }


@pytest.mark.parametrize("hostnames", [False, True])
@pytest.mark.parametrize("name", list(RENDERERS))
def test_pictures_have_a_style_for_them(lake, name, hostnames):
    assert "pool shared" in RENDERERS[name](graph(lake, GraphSelection(hostnames=hostnames)))


def test_talkers_call_them_so(lake):
    found = talkers(lake, by="service")
    assert [row.key for row in found.rows][:2] == [
        {"service": "(unattributed: unknown)", "kind": "unattributed"},
        {"service": "pool shared", "kind": "pool"},
    ]
    by_workload = {row.key["workload"]: row.key["kind"] for row in talkers(lake, by="workload").rows}
    assert by_workload["pool shared"] == "pool"
    by_address = {row.key["address"]: row.key["kind"] for row in talkers(lake, by="address").rows}
    assert (by_address["192.0.2.1"], by_address["192.0.2.9"]) == ("pool", "unattributed")


@pytest.mark.parametrize(
    ("source", "target", "flows"),
    [
        ("web", "pool shared", 2),
        ("web", "a.example", 1),
        ("(unattributed: unknown)", "b.example", 1),
        ("(unattributed: unknown)", "frontend", 1),
    ],
)
def test_an_edge_is_explained_by_the_names_of_its_nodes(lake, source, target, flows):
    assert sum(part.flows for part in explain_edge(lake, source, target).parts) == flows


def test_flows_are_chosen_by_data_centre(lake):
    assert graph(lake, GraphSelection(data_centres=("am?", "fra"))).totals.flows == 3
    assert graph(lake, GraphSelection(data_centres=("fra",))).totals.flows == 0


def test_a_lake_of_an_earlier_version_has_no_pools(tmp_path):
    import pyarrow.parquet as pq  # noqa: PLC0415 - this test alone writes a file by itself

    lake = write_lake(tmp_path / "lake", flows=FLOWS[:2])
    newer = ("pool", "policy", "policy_state")
    (path,) = lake.glob("attributed_flows/*/*/*.parquet")
    table = pq.read_table(path, partitioning=None)
    gone = [f"{side}_{name}" for side in ("local", "remote") for name in newer]
    gone += ["local_hostname", "hostname_reason", "hostname_count", "hostname_candidates", "data_centre"]
    pq.write_table(table.drop_columns(gone), path)
    (lake / "lake.json").write_text(json.dumps(json.loads((lake / "lake.json").read_text()) | {"settings": {}}))
    assert graph(lake, GraphSelection(hostnames=True)).totals.flows == 2
    with LakeSession(lake) as opened:
        assert opened.table("policies", "policy").num_rows == 0
