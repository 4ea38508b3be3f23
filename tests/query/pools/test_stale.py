"""`agility stale`: exact answers on lakes whose flows were written by hand."""

from pool_lake import SPACE, come_in, picked
from tiny_lake import at, policy, traffic

from attribution.config import Settings
from attribution.query.pools.selection import PoolSelection
from attribution.query.pools.stale import stale

MINUTE = 60_000_000


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
        late("12:12:02", n=4, basis="window", end=at("12:13:00"), remote_port=50001),
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
