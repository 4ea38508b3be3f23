"""Flink's file of keyed state, as we read it and write it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import ConfigError
from attribution.stream.buckets.keyed_state import Entry, header, read_entries, write_entries

HEAD = b"\0\0\0\x06\0 the serializers"
ENTRIES = st.lists(
    st.builds(
        Entry,
        state=st.integers(0, 3),
        key=st.integers(0, (1 << 31) - 1),
        head=st.just(0),
        rest=st.binary(max_size=5),
        value=st.binary(min_size=1, max_size=9),
    ),
    max_size=20,
)


def written(entries, groups, first=0, last=None):
    last = groups - 1 if last is None else last
    return write_entries(HEAD, entries, lambda key: key % groups, first=first, last=last, groups=groups)


@given(ENTRIES, st.sampled_from([(128, 1024), (1024, 128), (1, 1024)]), st.integers(1, 5))
def test_entries_come_back_from_the_files_of_however_many_workers(entries, groups, workers):
    before, after = groups
    content, offsets = written(entries, before)
    assert header(content, offsets) == HEAD
    assert all(content[:offset] for offset in offsets if offset)
    read = list(read_entries(content, offsets, groups=before))
    assert sorted(map(repr, read)) == sorted(map(repr, entries))
    again = []
    for worker in range(workers):
        first, last = -(-worker * after // workers), ((worker + 1) * after - 1) // workers
        content, offsets = written(read, after, first, last)
        found = list(read_entries(content, offsets, groups=after))
        assert all(first <= entry.key % after <= last for entry in found)
        again += found
    assert sorted(map(repr, again)) == sorted(map(repr, entries))


def test_a_file_of_flink_is_read_with_its_timers():
    """Two states in key group 5, the second one of timers; then one entry in key group 7."""
    key = b"\0" + struct.pack(">i", 9) + b"\0"

    def entry(group, rest, value, *, followed):
        whole = bytes([group | (0x80 if followed else 0)]) + rest
        return struct.pack(">i", len(whole)) + whole + struct.pack(">i", len(value)) + value

    parts = [b"\0\0", entry(5, key, b"log", followed=True), b"\0\x01"]
    parts += [entry(5, bytes(8) + key, b"", followed=True), b"\xff\xff"]
    first = len(HEAD) + sum(map(len, parts))
    parts += [b"\0\0", entry(7, key, b"more", followed=True), b"\xff\xff"]
    offsets = [0] * 5 + [len(HEAD), 0, first]
    found = list(read_entries(HEAD + b"".join(parts), offsets, groups=128))
    assert found == [Entry(0, 9, 0, b"\0", b"log"), Entry(1, 9, 0, b"\0", b""), Entry(0, 9, 0, b"\0", b"more")]


def test_compressed_state_is_refused():
    with pytest.raises(ConfigError, match="compressed"):
        list(read_entries(b"\0\0\0\x06\x01", [], groups=128))
