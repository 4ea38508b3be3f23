"""`agility load`: exact answers on lakes whose flows were written by hand."""

import math

import pytest
from pool_lake import come_in, picked
from tiny_lake import at, flow, policy, pooled, traffic

from attribution.query.pools.load import load
from attribution.query.pools.selection import PoolSelection


def test_load_is_by_address_and_its_spread_counts_the_unused_ones(lake):
    flows = [
        *(come_in("12:00:00", f"203.0.113.{n}", "192.0.2.1", **traffic(100, 10)) for n in range(1, 7)),
        *(come_in("12:00:01", f"203.0.113.{n}", "192.0.2.2", **traffic(200, 20, 7, 8)) for n in range(1, 3)),
        come_in("12:30:00", "203.0.113.1", "192.0.2.3", basis="window"),
        # Neither of these is the load of a policy in force here.
        come_in("12:00:02", "203.0.113.1", "192.0.2.9", state="ended"),
        come_in("12:00:02", "203.0.113.1", "192.0.2.9", pool=None, policies=None, state=None, local_method="none",
                local_reason="unpooled"),
        # The address of a pool as a client is no server: it opened the connection.
        flow("12:00:03", "192.0.2.4:40000", "203.0.113.1:443", **pooled("local", "shared", "all")),
    ]  # fmt: skip
    made = lake(flows, [policy("all", "shared", "192.0.2.0/29")])
    found = load(made)
    (pool,) = found.pools
    assert (pool.pool, pool.policy, pool.addresses, pool.used, pool.unused) == ("shared", "all", 8, 3, 5)
    assert (pool.flows, pool.connections, pool.bytes, pool.packets) == (9, 8, 6 * 110 + 2 * 220, 6 * 2 + 2 * 15)
    assert (pool.busiest, pool.least, pool.mean, pool.ratio) == (6, 1, 9 / 8, 6.0)
    loads = [6, 2, 1, 0, 0, 0, 0, 0]
    deviation = math.sqrt(sum((one - 9 / 8) ** 2 for one in loads) / 8)
    assert pool.variation == pytest.approx(deviation / (9 / 8))
    assert pool.by_chance == pytest.approx(math.sqrt(7 / 9))
    assert (pool.first_seen, pool.last_seen) == (at("12:00:00"), at("12:30:02"))
    assert picked(pool.loads, "address", "place", "flows", "connections", "bytes") == [
        ("192.0.2.1", 1, 6, 6, 660),
        ("192.0.2.2", 2, 2, 2, 440),
        ("192.0.2.3", 3, 1, 0, None),
    ]
    assert found.left_out == {"ended": 1, "unpooled": 1}
    assert picked(load(made, limit=1).pools[0].loads, "address") == [("192.0.2.1",), ("192.0.2.3",)]
    assert picked(load(made, PoolSelection(window="..2026-01-05T12:00:01")).pools[0].loads, "address") == [
        ("192.0.2.1",)
    ]
    by_bytes = load(made, measure="packets").pools[0]
    assert (by_bytes.busiest, by_bytes.least, by_bytes.ratio, by_bytes.by_chance) == (30, 12, 2.5, None)


def test_traffic_that_both_ends_log_is_counted_once_an_address(lake):
    server = come_in("12:00:00", "10.0.0.1", "192.0.2.1", **traffic(500, 50))
    client = flow(
        "12:00:00", "10.0.0.1:50000", "192.0.2.1:443", **pooled("remote", "shared", "all"), **traffic(40, 490)
    )
    (pool,) = load(lake([server, client, client | {"start": at("12:00:05")}])).pools
    assert (pool.flows, pool.bytes, pool.addresses, pool.unused) == (2, 1060, None, None)


def test_pools_of_other_places_and_of_longer_prefixes_have_their_own_addresses(lake):
    policies = [
        policy("free", "wide", "192.0.2.0/24"),
        policy("paid", "narrow", "192.0.2.0/30"),
        policy("fra", "far", "192.0.2.128/25", match="data_centre=fra"),
        policy("ams", "near", "2001:db8:1::/64", match="data_centre=ams"),
        policy("old", "gone", "192.0.2.4/30", end="11:00:00"),
    ]
    flows = [
        come_in("12:00:00", "203.0.113.1", "192.0.2.77", "wide", "free"),
        come_in("12:00:00", "203.0.113.1", "192.0.2.1", "narrow", "paid"),
        come_in("12:00:00", "203.0.113.1", "192.0.2.129", "far", "fra", centre="fra"),
        come_in("12:00:00", "203.0.113.1", "2001:db8:1::1", "near", "ams"),
    ]
    made = lake(flows, policies)
    found = load(made, PoolSelection(window="2026-01-05T11:30.."))
    sizes = {pool.pool: pool.addresses for pool in found.pools}
    # What Frankfurt takes away from the wide pool is still handed out of it in Amsterdam.
    assert sizes == {"wide": 256 - 4, "narrow": 4, "far": 128, "near": 2**64}
    assert [pool.pool for pool in load(made, PoolSelection(data_centres=("fra",))).pools] == ["far"]
    assert [pool.pool for pool in load(made, PoolSelection(pools=("n*",))).pools] == ["narrow", "near"]


def test_an_address_of_two_pools_is_one_of_both(lake):
    policies = [
        policy("a", "one", "192.0.2.0/30"),
        policy("b", "two", "192.0.2.0/30"),
        policy("b", "two", "192.0.2.8/30"),
    ]
    flows = [
        come_in("12:00:00", "203.0.113.1", "192.0.2.1", "one,two", "a,b"),
        come_in("12:00:00", "203.0.113.1", "192.0.2.9", "two", "b"),
    ]
    made = lake(flows, policies)
    assert {pool.pool: pool.addresses for pool in load(made).pools} == {"one,two": 4, "two": 8}
    assert [pool.pool for pool in load(made, PoolSelection(pools=("one",))).pools] == ["one,two"]
