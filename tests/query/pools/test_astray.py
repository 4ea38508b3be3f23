"""`agility astray`: exact answers on a lake whose flows were written by hand."""

from pool_lake import come_in, picked
from tiny_lake import at, flow, policy, pooled, traffic

from attribution.query.pools.astray import KINDS, astray
from attribution.query.pools.selection import PoolSelection

MINUTE = 60_000_000


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
