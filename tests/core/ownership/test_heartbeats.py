"""Heartbeats as numbers: joined, cut down, stored, and found by address without a change."""

import pyarrow as pa
import records
from hypothesis import given
from hypothesis import strategies as st
from oracle import Heartbeat

from attribution.config import Settings
from attribution.core.ownership.heartbeat_store import HeartbeatStore
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.schema import HEARTBEAT

SETTINGS = Settings(clock_tolerance=1, max_gap=5, hold=6, retention=1_000)
HEARTBEATS = st.lists(
    st.builds(
        Heartbeat,
        address=st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
        port=st.sampled_from([None, 53]),
        workload=st.sampled_from("abc"),
        service=st.sampled_from([None, "s", "t"]),
        start=st.integers(0, 50),
        end=st.integers(50, 60),
    ),
    max_size=8,
)


def heartbeats_of(beats):
    return Heartbeats.of(records.batch(HEARTBEAT, beats))


def rows(heartbeats):
    return sorted(map(repr, heartbeats.table().to_pylist()))


@given(HEARTBEATS, HEARTBEATS)
def test_parts_are_joined_under_new_numbers(some, others):
    joined = Heartbeats.joined([heartbeats_of(some), heartbeats_of(others)])
    assert rows(joined) == rows(heartbeats_of(some + others))


@given(HEARTBEATS, st.sets(st.integers(0, 7)))
def test_unused_text_goes_and_the_heartbeats_stay(beats, kept):
    known = heartbeats_of(beats)
    some = known.take([row for row in range(len(beats)) if row in kept])
    assert rows(some.without_unused_text()) == rows(some)
    named = {beats[row].workload for row in kept if row < len(beats)}
    assert set(some.without_unused_text().workloads.to_pylist()) == named


def test_addresses_that_many_hosts_have_are_left_out():
    beats = [Heartbeat(address, None, "a", None, 0, 1) for address in ("127.0.0.1", "10.0.0.1", "fe80::1")]
    assert [row["address"] for row in heartbeats_of(beats).of_one_host().table().to_pylist()] == ["10.0.0.1"]


@given(st.lists(HEARTBEATS, max_size=12), st.sets(st.sampled_from(["10.0.0.1", "10.0.0.2", "192.0.2.9"])))
def test_a_store_finds_what_was_added_by_address_whenever_it_is_asked(parts, asked):
    store, added = HeartbeatStore(SETTINGS), []
    addresses = pa.array(sorted(asked), pa.string())
    for part in parts:
        store.add(records.batch(HEARTBEAT, part))
        added += part
        expected = [beat for beat in added if beat.address in asked]
        assert rows(store.for_addresses(addresses, oldest=0)) == rows(heartbeats_of(expected))
    assert store.rows == len(added)
    assert rows(store.all()) == rows(heartbeats_of(added))


def test_a_store_merges_what_says_the_same():
    store = HeartbeatStore(SETTINGS)
    store.add(records.batch(HEARTBEAT, [Heartbeat("10.0.0.1", None, "a", None, 0, 10)] * 3))
    store.merge(0)
    assert store.rows == 1
    assert rows(store.all()) == rows(heartbeats_of([Heartbeat("10.0.0.1", None, "a", None, 0, 10)]))
