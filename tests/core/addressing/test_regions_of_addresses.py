"""Whose an address is."""

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.regions import NOWHERE, UNSURE, RegionTable

TABLE = RegionTable(["10.0.0.0/8", "10.1.0.0/16", "fd00:1::/32"], ["east", "west", "west"])


def asked(addresses, networks=None):
    return AskedPlaces.of_view(addresses, networks)


def test_the_longest_prefix_gives_the_region():
    addresses = pa.array(["10.0.0.1", "10.1.2.3", "10.2.0.0", "fd00:1::9", "192.0.2.1", "fd00:2::1"])
    assert TABLE.names == ("east", "west")
    for column in (addresses, addresses.dictionary_encode()):
        assert TABLE.numbers(asked(column)).tolist() == [0, 1, 0, 1, -1, -1]
        networks = pa.array(["vpc"] * len(column))
        assert TABLE.numbers(asked(column, networks)).tolist() == [0, 1, 0, 1, -1, -1]


def test_a_region_has_the_addresses_of_its_prefixes_and_one_without_has_none():
    addresses = asked(pa.array(["10.0.0.1", "10.1.2.3", "192.0.2.1"]))
    assert TABLE.within(addresses, "east").tolist() == [True, False, False]
    assert TABLE.within(addresses, "north").tolist() == [False, False, False]


NETWORKS = (None, "n1", "n2", "n3")
ADDRESSES = ("10.0.0.1", "10.0.0.9", "10.1.0.1", "192.0.2.1")
PREFIXES = ("10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/29", "10.1.0.0/16", "0.0.0.0/0")
ENTRIES = st.dictionaries(
    st.tuples(st.sampled_from(PREFIXES), st.sampled_from(NETWORKS)), st.sampled_from(["east", "west"]), max_size=6
)


def in_network(entries, address, network):
    """The region in one network, by the longest prefix there; None if two claim it."""
    ip = ipaddress.ip_address(address)
    fitting = [
        (ipaddress.ip_network(prefix).prefixlen, region)
        for (prefix, held), region in entries.items()
        if held in (None, network) and ip in ipaddress.ip_network(prefix)
    ]
    longest = max((length for length, _ in fitting), default=None)
    regions = {region for length, region in fitting if length == longest}
    return next(iter(regions)) if len(regions) == 1 else (None if regions else "nobody")


@given(ENTRIES, st.sampled_from([(), ("n1,n2",), ("n1,n2,10.0.0.0/29", "n2,n3"), ("n1,-",)]), st.booleans())
def test_a_region_is_named_only_if_it_has_the_address_in_every_network_that_it_may_be_in(entries, routes, told):
    keys = list(entries)
    settings = Settings(routes=routes)
    table = RegionTable([p for p, _ in keys], [*entries.values()], [n for _, n in keys], settings)
    pairs = [(address, network) for address in ADDRESSES for network in NETWORKS]
    addresses, networks = (pa.array(column, pa.string()) for column in zip(*pairs, strict=True))
    found = table.numbers(AskedPlaces(addresses, networks, np.full(len(pairs), told)))
    for (address, view), number in zip(pairs, found.tolist(), strict=True):
        joined = {
            other
            for route in settings.network_routes
            for other in route.networks
            if not told
            and view in route.networks
            and (route.prefix is None or ipaddress.ip_address(address) in ipaddress.ip_network(route.prefix))
        }
        candidates = {*NETWORKS} if view is None else {view} | joined - {None}
        regions = {in_network(entries, address, network) for network in candidates}
        if number >= 0:
            assert regions == {table.names[number]}
        elif number == NOWHERE:
            assert regions == {"nobody"}
        else:
            assert number == UNSURE
            assert len(candidates) > 1 or regions == {None}


@pytest.mark.parametrize(("network", "region"), [("vpc-e", "east"), ("vpc-w", "west"), (None, None), ("other", None)])
def test_two_regions_may_have_one_prefix_in_networks_of_their_own(network, region):
    table = RegionTable(["10.0.0.0/8", "10.0.0.0/8"], ["east", "west"], ["vpc-e", "vpc-w"])
    (number,) = table.numbers(asked(pa.array(["10.0.0.1"]), pa.array([network], pa.string()))).tolist()
    assert (table.names[number] if number >= 0 else None) == region
    assert number != NOWHERE or network == "other"
