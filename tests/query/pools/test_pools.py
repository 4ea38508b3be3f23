"""`agility load`, `astray` and `stale`: exact answers on lakes whose flows were written by hand."""

import math

import pytest
from tiny_lake import at, flow, policy, pooled, traffic, write_lake

from attribution.config import Settings
from attribution.errors import QueryError
from attribution.query.pools.astray import KINDS, astray
from attribution.query.pools.load import load
from attribution.query.pools.selection import PoolSelection
from attribution.query.pools.stale import stale

MINUTE = 60_000_000
SPACE = Settings(pool_prefixes=("192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"))


def come_in(time, client, server, pool="shared", policies="all", state="in_force", centre="ams", **fields):
    """A connection that the data centre logged at its own address of a pool."""
    return flow(
        time, f"{server}:443", f"{client}:50000", direction="ingress", data_centre=centre,
        **pooled("local", pool, policies, state) | {k: v for k, v in fields.items() if k.startswith("local_")},
        **{k: v for k, v in fields.items() if not k.startswith("local_")},
    )  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    def make(flows, policies=(), settings=SPACE):
        return write_lake(tmp_path / "lake", flows=flows, policies=policies, settings=settings)

    return make


def picked(found, *names):
    return [tuple(getattr(row, name) for name in names) for row in found]


# Load


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


# Astray


def test_addresses_that_are_never_handed_out_here_are_astray(lake):
    policies = [
        policy("fra", "far", "198.51.100.0/24", match="data_centre=fra", start="10:00:00", end="13:00:00"),
        policy("ams", "near", "192.0.2.0/25", match="data_centre=ams"),
    ]
    near = [come_in("12:00:00", f"203.0.113.{n}", "192.0.2.1", "near", "ams", **traffic(10, 0)) for n in range(1, 7)]
    leak = [
        come_in(f"12:0{n}:00", f"203.0.{113 + n // 2}.7", "198.51.100.1", "far", "fra", "elsewhere", **traffic(20, 0))
        for n in range(1, 4)
    ]
    flows = [
        *near,
        *leak,
        # Its policy has ended, and never was one of Amsterdam.
        come_in("13:30:00", "2001:db8:77:1::5", "198.51.100.2", "far", "fra", "ended"),
        # Frankfurt itself is stale, not astray.
        come_in("13:30:00", "203.0.113.9", "198.51.100.2", "far", "fra", "ended", centre="fra"),
        come_in("14:00:00", "203.0.113.9", "192.0.2.200", pool=None, policies=None, state=None, local_method="none",
                local_reason="unpooled"),
        # A socket rule fits it; that nobody hands it out is not its concern.
        come_in("14:00:01", "203.0.113.9", "192.0.2.201", pool=None, policies=None, state=None,
                local_method="socket_rule", local_reason="dispatched", local_service="frontend"),
        # The same outside the pool space says nothing.
        come_in("14:00:01", "203.0.113.9", "100.64.0.1", pool=None, policies=None, state=None,
                local_method="socket_rule", local_reason="dispatched", local_service="frontend"),
        # A client in Amsterdam went to Frankfurt's address.
        flow("12:00:00", "10.0.0.1:40000", "198.51.100.1:443", data_centre="ams",
             **pooled("remote", "far", "fra", "elsewhere")),
    ]  # fmt: skip
    made = lake(flows, policies)
    found = astray(made)
    assert picked(found, "data_centre", "logged_by", "kind", "pool", "policy", "flows", "bytes", "addresses") == [
        ("ams", "server", "elsewhere", "far", "fra", 3, 60, 1),
        ("ams", "server", "unpooled", None, None, 2, None, 2),
        ("ams", "client", "elsewhere", "far", "fra", 1, None, 1),
        ("ams", "server", "ended_elsewhere", "far", "fra", 1, None, 1),
    ]
    first, unpooled, client, _ = found
    assert (first.share, first.byte_share) == (3 / 12, 60 / 120)
    assert (client.share, client.byte_share) == (1.0, None)
    assert (first.first_seen, first.last_seen) == (at("12:01:00"), at("12:03:02"))
    assert (first.networks, picked(first.clients, "network", "flows", "bytes")) == (
        2,
        [("203.0.114.0/24", 2, 40), ("203.0.113.0/24", 1, 20)],
    )
    assert picked(unpooled.clients, "network", "first_seen") == [("203.0.113.0/24", at("14:00:00"))]
    assert picked(found[3].clients, "network") == [("2001:db8:77::/48",)]
    assert len(astray(made, clients=1)[0].clients) == 1
    assert {row.kind for row in found} == set(KINDS)
    assert astray(made, PoolSelection(pools=("near",))) == ()
    assert picked(astray(made, PoolSelection(pools=("far",))), "share")[0] == (3 / 12,)
    assert astray(made, PoolSelection(data_centres=("fra",))) == ()


# Stale

ENDED = [policy("all", "old", "192.0.2.0/24", ttl=60.0, end="12:00:00"), policy("all", "new", "198.51.100.0/24")]


def test_traffic_after_a_policy_is_held_against_its_bound(lake):
    def late(time, n=1, **fields):
        return come_in(time, f"203.0.{n}.5", "192.0.2.1", "old", "all", "ended", **fields)

    settings = Settings(pool_prefixes=SPACE.pool_prefixes, name_stretch=MINUTE, connection_lifetime=10 * MINUTE)
    flows = [
        late("12:00:30", **traffic(5, 5)),
        late("12:01:10"),
        late("12:02:00", n=2),
        # Up to the tolerance of clocks nobody can say that it is late.
        late("12:02:01", n=2),
        late("12:02:02", n=3),
        # What a window shows may have been opened in time, for the lifetime of a connection.
        late("12:12:00", n=4, basis="window", end=at("12:13:00")),
        late("12:12:02", n=4, basis="window", end=at("12:13:00")),
        late("12:40:00", n=3, centre="fra"),
    ]
    made = lake(flows, ENDED, settings)
    (everywhere,) = stale(made)
    assert (everywhere.flows, everywhere.data_centres, everywhere.prefixes) == (8, ("ams", "fra"), ("192.0.2.0/24",))
    (here,) = stale(made, PoolSelection(data_centres=("ams",)))
    assert (here.pool, here.policy, here.logged_by, here.data_centres) == ("old", "all", "server", ("ams",))
    assert (here.ended, here.ttl) == (at("12:00:00"), MINUTE)
    assert (here.answers_until, here.bound) == (at("12:02:00"), at("12:12:00"))
    assert (here.flows, here.within_answer, here.within_connection, here.beyond) == (7, 4, 1, 2)
    assert (here.bytes, here.first_seen, here.last_seen) == (10, at("12:00:30"), at("12:13:00"))
    assert picked(here.clients, "network", "flows") == [("203.0.3.0/24", 1), ("203.0.4.0/24", 1)]
    assert picked(here.decay, "begin", "until", "flows", "networks") == [
        (0, MINUTE, 1, 1),
        (MINUTE, 2 * MINUTE, 1, 1),
        (2 * MINUTE, 4 * MINUTE, 3, 2),
        (8 * MINUTE, 16 * MINUTE, 2, 1),
    ]
    assert [bucket.left for bucket in here.decay] == [1.0, 6 / 7, 5 / 7, 2 / 7]
    minutes = stale(made, PoolSelection(data_centres=("ams",)), bucket=5 * MINUTE)[0].decay
    assert picked(minutes, "begin", "until", "flows") == [(0, 5 * MINUTE, 5), (10 * MINUTE, 15 * MINUTE, 2)]


def test_the_record_is_that_of_the_longest_prefix_and_the_last_end_before_the_flow(lake):
    policies = [
        policy("all", "old", "192.0.2.0/24", ttl=30.0, end="11:00:00"),
        policy("all", "old", "192.0.2.0/25", ttl=30.0, end="10:00:00"),
        policy("all", "old", "192.0.2.0/25", ttl=30.0, start="10:30:00", end="12:30:00"),
        # It says the end of the one above, and a longer ttl.
        policy("all", "old", "192.0.2.0/25", ttl=90.0, start="10:30:00", end="13:00:00"),
        policy("fra", "old", "192.0.2.0/26", match="data_centre=fra", end="11:59:00"),
    ]
    flows = [
        come_in("12:00:00", "203.0.113.1", "192.0.2.1", "old", "all", "ended"),
        come_in("12:40:00", "203.0.113.1", "192.0.2.1", "old", "all", "ended"),
        come_in("12:40:00", "203.0.113.1", "192.0.2.200", "old", "all", "ended"),
    ]
    found = stale(lake(flows, policies))
    assert picked(found, "prefixes", "ended", "ttl", "flows") == [
        (("192.0.2.0/25",), at("12:30:00"), 90_000_000, 1),
        (("192.0.2.0/24",), at("11:00:00"), 30_000_000, 1),
        (("192.0.2.0/25",), at("10:00:00"), 30_000_000, 1),
    ]


def test_without_a_ttl_there_is_no_bound_and_without_policies_no_end(lake):
    flows = [come_in("12:03:00", "203.0.113.1", "192.0.2.1", "old", "all", "ended")]
    (found,) = stale(made := lake(flows, [policy("all", "old", "192.0.2.0/24", end="12:00:00")]))
    assert (found.ended, found.ttl, found.bound, found.beyond, len(found.clients)) == (
        at("12:00:00"),
        None,
        None,
        None,
        1,
    )
    assert picked(found.decay, "begin", "until") == [(2 * MINUTE, 4 * MINUTE)]
    (made / "policies" / "part-0.parquet").unlink()
    (found,) = stale(made)
    assert (found.ended, found.prefixes, found.bound, found.decay, found.flows) == (None, (), None, (), 1)


# Lakes that cannot answer


@pytest.mark.parametrize("question", [load, astray, stale])
def test_a_lake_without_pools_says_what_to_do(lake, question):
    with pytest.raises(QueryError, match=r"made without pools; replay its logs with the policies.*--pool-prefix"):
        question(lake([], settings=Settings()))


def test_an_empty_lake_has_nothing(lake):
    made = lake([])
    assert (load(made).pools, astray(made), stale(made)) == ((), (), ())


def test_what_cannot_be_asked_is_refused(lake):
    made = lake([])
    with pytest.raises(QueryError, match="choose flows, bytes, packets"):
        load(made, measure="colour")
    with pytest.raises(QueryError, match="above zero"):
        stale(made, bucket=0)
