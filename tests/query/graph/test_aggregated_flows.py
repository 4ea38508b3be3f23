"""A record that stands for several flows counts as often as it says: as that many records of one flow each."""

import pytest
from pool_lake import SPACE, come_in
from tiny_lake import FLOWS, at, flow, policy, write_lake

from attribution.query.attack.loads import LoadMeter
from attribution.query.explain.edge import explain_edge
from attribution.query.explain.whois import whois
from attribution.query.graph.diff import diff
from attribution.query.graph.graph import graph
from attribution.query.graph.selection import GraphSelection
from attribution.query.graph.talkers import talkers
from attribution.query.lake.selection import Selection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.window import Window
from attribution.query.pools.astray import astray
from attribution.query.pools.load import load
from attribution.query.pools.stale import stale

POLICIES = [
    policy("all", "old", "192.0.2.0/24", ttl=60.0, end="12:00:00"),
    policy("all", "shared", "198.51.100.0/24"),
    policy("fra", "far", "198.51.100.0/30", match="data_centre=fra"),
]
#: Every way in which a question may count: edges, ports, ends, endings of policies, loads, what goes astray.
ONCE = [
    *FLOWS,
    *(come_in(f"1{n}:01:10", f"203.0.113.{n}", f"192.0.2.{n}", "old", "all", "ended") for n in range(2, 6)),
    *(come_in(f"1{n}:30:00", f"203.0.113.{n}", "198.51.100.7") for n in range(3)),
    come_in("12:30:00", "203.0.113.9", "198.51.100.1", "far", "fra", "elsewhere"),
    come_in("13:30:00", "203.0.113.9", "192.0.2.200", pool=None, policies=None, state=None, local_method="none",
            local_reason="unpooled"),
]  # fmt: skip
NO_BYTES = dict.fromkeys(("bytes_sent", "bytes_received", "packets_sent", "packets_received"))
# Of two equal windows of an observer one is taken for a second log of the interface, so that they cannot be repeated.
ONCE = [row | NO_BYTES | {"basis": "connection"} for row in ONCE]
EARLY, LATE = "2026-01-05T10:00..2026-01-05T12:20", "2026-01-05T12:20..2026-01-05T14:00"


def times(number):
    """How many flows each record stands for: none that says so, one, or more."""
    return (None, 1, 2, 7)[number % 4]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lakes")
    aggregated = [row | {"flow_count": times(number)} for number, row in enumerate(ONCE)]
    repeated = [row for number, row in enumerate(ONCE) for _ in range(times(number) or 1)]
    made = (
        write_lake(folder / name, flows=flows, policies=POLICIES, settings=SPACE)
        for name, flows in (("aggregated", aggregated), ("repeated", repeated))
    )
    return tuple(made)


def answers(lake):
    """What every question about the lake says that counts flows, without the numbers of records."""
    window = Window(at("12:00:00"), at("14:00:00"))
    with LakeSession(lake) as session:
        whole = graph(session)
        yield whole.totals.flows, whole.totals.unattributed_flows, whole.totals.unattributed_reasons
        yield [(str(e.source), str(e.target), e.flows, [port.flows for port in e.ports]) for e in whole.edges]
        yield [(str(n.name), n.flows, n.unattributed_flows) for n in whole.nodes]
        yield diff(session, GraphSelection(window=LATE), before=EARLY, factor=1.1).to_dict()["changes"]
        for by in ("service", "workload", "address", "port", "edge"):
            yield [row.to_dict() for row in talkers(session, by=by, order="flows", limit=None).rows]
        yield {(p.source_reason, p.target_reason): p.flows for p in explain_edge(session, "web", "api").parts}
        yield {(row.side, row.reason): row.flows for row in whois(session, "10.0.0.1").flows}
        yield load(session).to_dict()
        yield [row.to_dict() for row in (*stale(session), *astray(session))]
        yield LoadMeter(session, ["198.51.100.7", "10.0.0.11"], "flows", Selection()).sample(window)


def test_a_record_of_many_flows_answers_as_that_many_records(lakes):
    aggregated, repeated = (list(answers(lake)) for lake in lakes)
    for one, other in zip(aggregated, repeated, strict=True):
        assert one == other


def test_records_stay_records(tmp_path):
    made = write_lake(tmp_path / "lake", flows=[flow("12:00:00", "10.0.0.1:1", "10.0.0.11:2", flow_count=120)])
    ((edge,), totals) = graph(made).edges, graph(made).totals
    assert (edge.flows, edge.source_records, edge.observers[0].reports, totals.records) == (120, 1, 1, 1)
    (part,) = explain_edge(made, "web", "api").parts
    assert (part.flows, part.records) == (120, 1)


def test_records_of_two_nodes_that_begin_their_intervals_apart_count_once_and_know_who_opened(tmp_path):
    def record(second, local, remote, **fields):
        return flow(f"12:00:{second}", local, remote, end=at(f"12:00:{second}"), basis="window", **fields)

    client, server = "10.0.0.1:41000", "10.0.0.11:8080"
    flows = [
        *(record(second, client, server, observer="n1", flow_count=60) for second in ("00", "30")),
        *(record(second, server, client, observer="n2", flow_count=60, direction="ingress") for second in ("14", "44")),
    ]
    found = graph(write_lake(tmp_path / "lake", flows=flows))
    assert [(str(e.source), str(e.target), e.directed, e.flows) for e in found.edges] == [("web", "api", True, 120)]


def test_a_record_that_stands_for_none_is_one_all_the_same(tmp_path):
    lake = write_lake(tmp_path / "lake", flows=[flow("12:00:00", "10.0.0.1:1", "10.0.0.11:2", flow_count=0)])
    assert [edge.flows for edge in graph(lake).edges] == [1]
