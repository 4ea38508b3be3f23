"""Whose an address is."""

import pyarrow as pa

from attribution.core.addressing.regions import RegionTable

TABLE = RegionTable(["10.0.0.0/8", "10.1.0.0/16", "fd00:1::/32"], ["east", "west", "west"])


def test_the_longest_prefix_gives_the_region():
    addresses = pa.array(["10.0.0.1", "10.1.2.3", "10.2.0.0", "fd00:1::9", "192.0.2.1", "fd00:2::1"])
    assert TABLE.names == ("east", "west")
    for column in (addresses, addresses.dictionary_encode()):
        assert TABLE.numbers(column).tolist() == [0, 1, 0, 1, -1, -1]


def test_a_region_has_the_addresses_of_its_prefixes_and_one_without_has_none():
    addresses = pa.array(["10.0.0.1", "10.1.2.3", "192.0.2.1"])
    assert TABLE.within(addresses, "east").tolist() == [True, False, False]
    assert TABLE.within(addresses, "north").tolist() == [False, False, False]
