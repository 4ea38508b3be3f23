"""A place is an address in a network, as one text."""

import pyarrow as pa
import pytest

from attribution.core.addressing.places import has_networks, join_places, places_of, split_places, without_networks

ADDRESSES = ["10.0.0.1", "2001:db8::1", "10.0.0.1", "10.0.0.2"]
NETWORKS = ["east", "a@b", None, "east"]


@pytest.mark.parametrize("encoded", [False, True])
def test_addresses_and_networks_come_back_from_their_places(encoded):
    address, network = pa.array(ADDRESSES), pa.array(NETWORKS)
    if encoded:
        address, network = address.dictionary_encode(), network.dictionary_encode()
    places = places_of(pa.table({"address": address, "network": network}))
    assert len(set(places.to_pylist())) == len(ADDRESSES)
    assert [part.to_pylist() for part in split_places(places)] == [ADDRESSES, NETWORKS]


@pytest.mark.parametrize("columns", [{}, {"network": pa.nulls(4, pa.string())}])
def test_addresses_without_networks_are_their_places_and_nothing_is_made(columns):
    rows = pa.record_batch({"address": pa.array(ADDRESSES)} | columns)
    assert places_of(rows) is rows.column("address") or places_of(rows).equals(rows.column("address"))
    assert not has_networks(places_of(rows))
    assert split_places(places_of(rows))[1].null_count == len(ADDRESSES)


def test_a_network_of_null_is_none():
    assert join_places(pa.array(["10.0.0.1"]), pa.array([None], pa.string())).to_pylist() == ["10.0.0.1"]


def test_no_places_have_no_networks():
    assert [len(part) for part in split_places(pa.array([], pa.string()))] == [0, 0]


def test_without_networks_the_other_columns_stay():
    rows = pa.table({"remote_network": pa.array(NETWORKS).dictionary_encode(), "start": [1, 2, 3, 4]})
    found = without_networks(rows)
    assert found.column("remote_network").null_count == len(NETWORKS)
    assert found.column("start").to_pylist() == [1, 2, 3, 4]
