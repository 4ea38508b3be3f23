from dataclasses import dataclass
from typing import Annotated

import pytest

from attribution.errors import QueryError
from attribution.query.graph.selection import GraphSelection
from attribution.query.lake.flows import FILTERED
from attribution.query.lake.selection import Option, Selection, globs, options_of
from attribution.query.lake.window import OPEN
from attribution.query.pools.selection import PoolSelection


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ports": (65536,)}, "ports are 0 to 65535"),
        ({"ports": (-1,)}, "ports are 0 to 65535"),
        ({"protocols": ("carrier pigeon",)}, "one of icmp"),
        ({"protocols": (256,)}, "from 0 to 255"),
        ({"protocols": ("²",)}, "from 0 to 255"),
        ({"methods": ("guess",)}, "the methods are capture, heartbeat, peer, socket_rule, assignment, label, policy, "),
        ({"reasons": ("because",)}, "the reasons are reported, "),
    ],
)
def test_what_cannot_hold_for_any_flow_is_refused(fields, message):
    with pytest.raises(QueryError, match=message):
        Selection(**fields)


def test_what_selects_nothing_is_bound_as_null():
    assert {name for name, value in Selection().parameters(OPEN).items() if value is not None} == {"clients_by_port"}
    chosen = Selection(services=("a*", "b?."), ports=(80,), protocols=("tcp", 17), clients_by_port=True)
    assert {name: value for name, value in chosen.parameters(OPEN).items() if value} == {
        "services": r"(?s)(?:a.*)|(?:b.\.)",
        "ports": [80],
        "protocols": [6, 17],
        "clients_by_port": True,
    }


@pytest.mark.parametrize("kind", [Selection, GraphSelection, PoolSelection])
def test_sql_binds_nothing_that_a_selection_does_not_have(kind):
    assert FILTERED.parameters <= kind().parameters(OPEN).keys()


def test_a_field_with_an_option_is_all_that_a_selection_needs_for_a_filter():
    @dataclass(frozen=True, kw_only=True)
    class More(Selection):
        observers: Annotated[tuple[str, ...], Option("--observer", "Who logged it.", globs)] = ()

    assert list(options_of(More)) == [*options_of(Selection), "observers"]
    assert More(observers=("n",)).parameters(OPEN)["observers"] == "(?s)(?:n)"
