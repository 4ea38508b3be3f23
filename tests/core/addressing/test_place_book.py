"""The place that answers a side: the one network in which evidence stands, or nobody."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.core.addressing import place_book
from attribution.core.addressing.place_book import AskedPlaces, PlaceBook
from attribution.core.addressing.places import join_places
from attribution.core.reasons import REASONS
from attribution.schema import arrow_schema

X = "10.0.0.1"
OTHER, SEVERAL = "other_network", "several_networks"


def choose(known, network, *, routes=(), told=False, standing=None, address=X):
    """The network that answers ("-" for none), or the reason why nobody does, or None where nothing stands."""
    places = join_places(pa.array([X] * len(known)), pa.array(known, pa.string()))
    book = PlaceBook(places, Settings(routes=routes))
    asked = AskedPlaces(pa.array([address]), pa.array([network], pa.string()), np.array([told]))
    stands = np.array([name in (known if standing is None else standing) for name in known])
    chosen = book.choose(asked, lambda place, _row: stands[place])
    if len(chosen.closed):
        assert chosen.place.tolist() == [-1]
        return list(REASONS)[chosen.reason[0]]
    return None if chosen.place[0] < 0 else known[chosen.place[0]] or "-"


@pytest.mark.parametrize(
    ("known", "network", "more", "expected"),
    [
        (["a", "b"], "a", {}, "a"),
        (["a", "b"], "b", {}, "b"),
        (["a", "b"], "c", {}, OTHER),
        (["a", "b"], "a", {"standing": ["b"]}, OTHER),
        (["a", "b"], "a", {"standing": []}, None),
        (["a"], "a", {"address": "10.0.0.2"}, None),
        # Networks given in part.
        ([None], None, {}, "-"),
        ([None], "a", {}, OTHER),
        ([None], "a", {"routes": ("a,-",)}, "-"),
        ([None], "a", {"routes": ("a,-",), "told": True}, "-"),
        (["a"], None, {}, OTHER),
        ([None, "a"], None, {}, OTHER),
        ([None, "a"], None, {"standing": [None]}, "-"),
        ([None, "a"], "a", {}, "a"),
        ([None, "a"], None, {"routes": ("a,-",)}, OTHER),
        # Routes.
        (["b"], "a", {"routes": ("a,b",)}, "b"),
        (["b"], "a", {"routes": ("a,b",), "told": True}, OTHER),
        (["b"], "a", {"routes": ("a,b,10.0.0.0/8",)}, "b"),
        (["b"], "a", {"routes": ("a,b,10.1.0.0/16",)}, OTHER),
        (["c"], "a", {"routes": ("a,b", "b,c")}, OTHER),
        (["a", "b"], "a", {"routes": ("a,b",)}, SEVERAL),
        (["a", "b"], "a", {"routes": ("a,b",), "standing": ["b"]}, "b"),
        (["a", "b"], "a", {"routes": ("a,c",)}, "a"),
        ([None, "a"], "a", {"routes": ("a,-",)}, SEVERAL),
    ],
)
def test_the_one_candidate_with_evidence_answers(known, network, more, expected):
    assert choose(known, network, **more) == expected


def test_rows_are_chosen_each_by_itself_in_any_order():
    book = PlaceBook(pa.array(["10.0.0.2@b", "10.0.0.1", "10.0.0.1@a", "10.0.0.2@a"]), Settings())
    address, network = ["10.0.0.1", "10.0.0.9", "10.0.0.2", "10.0.0.2", "10.0.0.1"], ["a", "a", "b", None, None]
    asked = AskedPlaces.of_view(pa.array(address), pa.array(network))
    chosen = book.choose(asked, lambda place, _row: place >= 0)
    assert chosen.place.tolist() == [2, -1, 0, -1, -1]
    assert chosen.closed.tolist() == [3, 4]
    assert asked.take(np.array([2, 0])).network.to_pylist() == ["b", "a"]


def test_if_all_is_one_space_no_network_is_asked():
    flow = {"local_network": "a", "remote_network": "b", "local_address": X, "remote_address": X}
    flows = pa.RecordBatch.from_pylist([flow], schema=arrow_schema("flow"))
    assert AskedPlaces.of(flows, "remote", Settings(one_space=True)).network is None
    assert AskedPlaces.of(flows, "remote", Settings()).network.to_pylist() == ["b"]


def test_the_view_is_asked_where_the_remote_network_is_not_told():
    ends = {"local_network": "a", "local_address": X, "remote_address": X}
    rows = [ends | {"remote_network": told} for told in ("b", None)]
    asked = AskedPlaces.of(pa.RecordBatch.from_pylist(rows, schema=arrow_schema("flow")), "remote", Settings())
    assert asked.network.to_pylist() == ["b", "a"]
    assert asked.told.tolist() == [True, False]


def test_many_networks_with_one_address_are_looked_at_in_parts_of_bounded_size(monkeypatch):
    networks = [f"n-{number:03}" for number in range(100)]
    book = PlaceBook(join_places(pa.array([X] * 100), pa.array(networks)), Settings(routes=("n-000,n-001", "x,n-007")))
    views = [*networks, None, "x", "y"] * 5
    asked = AskedPlaces.of_view(pa.array([X] * len(views)), pa.array(views, pa.string()))
    sizes = []

    def stands(place, _row):
        sizes.append(len(place))
        return place % 2 == 1

    def chosen(pairs):
        sizes.clear()
        monkeypatch.setattr(place_book, "_PAIRS", pairs)
        found = book.choose(asked, stands)
        return found.place.tolist(), found.closed.tolist(), found.reason.tolist()

    whole = chosen(1 << 20)
    assert max(sizes) > 20_000
    assert chosen(1000) == whole
    assert max(sizes) <= 1000
    assert chosen(1) == whole
