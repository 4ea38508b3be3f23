"""What routes would do is what they do: the flows are attributed again, with one route more."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import MINUTE, Settings
from attribution.core.resolve import Resolver
from attribution.core.unrouted import unrouted
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, arrow_schema

SIDES = ("local", "remote")
SEEN, GIVEN = "192.0.2.1", "198.51.100.7"
NETWORKS = st.sampled_from(("n1", "n2", "n3", None))
MINUTES = st.integers(0, 10).map(lambda minute: minute * MINUTE)
ROUTES = st.lists(st.sampled_from(("n1,n2", "n2,n3,198.51.100.0/24", "n1,-", "n3,n9,192.0.2.1/32")), max_size=2)

heartbeats = st.builds(
    lambda network, port, workload, start, length: {
        "address": SEEN, "network": network, "port": port, "protocol": port and 6, "workload": workload,
        "start": start, "end": start + length,
    },
    NETWORKS, st.sampled_from((None, None, 443)), st.sampled_from("ab"), MINUTES, MINUTES,
)  # fmt: skip
events = st.builds(
    lambda network, action, owner, time: {
        "address": GIVEN, "network": network, "action": action, "owner": owner, "time": time
    },
    NETWORKS, st.sampled_from(("assign", "assign", "release")), st.sampled_from("xy"), MINUTES,
)  # fmt: skip
flows = st.builds(
    lambda local, remote, view, told, start, basis: {
        "local_address": local, "remote_address": remote, "local_port": 443, "remote_port": 443, "protocol": 6,
        "local_network": view, "remote_network": told, "start": start, "end": start + MINUTE, "basis": basis,
    },
    st.sampled_from((SEEN, GIVEN)), st.sampled_from((SEEN, GIVEN)), st.sampled_from(("n1", "n2", "n9", "n9", None)),
    st.sampled_from((None, None, None, "n2", "n9")), MINUTES, st.sampled_from(("connection", "window")),
)  # fmt: skip
evidence = st.fixed_dictionaries({
    HEARTBEAT: st.lists(heartbeats, min_size=1, max_size=4),
    ASSIGNMENT: st.lists(events, min_size=1, max_size=4),
})  # fmt: skip


def attributed(records, asked, routes):
    """The rules over the evidence, and the flows as attributed by them."""
    tables = {kind: pa.Table.from_pylist(rows, schema=arrow_schema(kind)) for kind, rows in records.items()}
    resolver = Resolver(tables, Settings(routes=tuple(routes)))
    return resolver, resolver.attribute(pa.RecordBatch.from_pylist(asked, schema=arrow_schema(FLOW)))


def values(batch, name):
    return [row[f"{side}_{name}"] for row in batch.to_pylist() for side in SIDES]


@given(evidence, st.lists(flows, min_size=1, max_size=6), ROUTES)
def test_a_route_names_as_many_sides_as_it_was_said_to(records, asked, routes):
    resolver, before = attributed(records, asked, routes)
    found = unrouted(resolver, before)
    was_open = [reason == "other_network" for reason in values(before, "reason")]
    assert found.said <= sum(was_open)
    for view, network in found.sides:
        _, after = attributed(records, asked, (*routes, f"{view},{network or '-'}"))
        answered = [r for r, is_open in zip(values(after, "reason"), was_open, strict=True) if is_open]
        named = [w for w, is_open in zip(values(after, "workload"), was_open, strict=True) if is_open]
        # The route leads both ways.
        assert (
            len(answered) - answered.count("other_network") == found.sides[view, network] + found.sides[network, view]
        )
        assert len(named) - named.count(None) == found.named[view, network] + found.named[network, view]


def test_only_sides_that_a_route_could_help_are_counted():
    seen = {"address": SEEN, "workload": "a", "start": 0, "end": 10 * MINUTE}
    records = {HEARTBEAT: [seen | {"network": "n1"}, seen | {"network": "n2"}], ASSIGNMENT: []}
    plain = {"local_address": "192.0.2.9", "remote_address": SEEN, "start": 5 * MINUTE, "end": 5 * MINUTE}
    plain |= {"basis": "connection"}
    asked = [
        plain | {"local_network": "n9"},
        plain | {"local_network": "n9", "remote_network": "n8"},
        plain | {"local_network": None},
        plain | {"local_network": "n1"},
    ]
    resolver, before = attributed(records, asked, ())
    assert before.column("remote_reason").to_pylist() == [*["other_network"] * 3, "covered"]
    found = unrouted(resolver, before)
    assert found.named == found.sides == {("n9", "n1"): 1, ("n9", "n2"): 1}
    assert found.said == 2


def test_batches_add_up():
    resolver, before = attributed(
        {HEARTBEAT: [{"address": SEEN, "network": "n1", "workload": "a", "start": 0, "end": MINUTE}], ASSIGNMENT: []},
        [
            {"local_address": "192.0.2.9", "remote_address": SEEN, "local_network": "n2", "basis": "connection"}
            | {"start": start, "end": start}
            for start in (MINUTE // 2, 9 * MINUTE)
        ],
        (),
    )
    found = unrouted(resolver, before.slice(0, 1))
    found.add(unrouted(resolver, before.slice(1)))
    assert found == unrouted(resolver, before)
    assert (found.sides, found.named) == ({("n2", "n1"): 2}, {("n2", "n1"): 1})
