"""Longest prefix match: case by case, and held to a look at every prefix."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import numpy as np
import oracle
import pyarrow as pa
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from oracle import Label

from attribution.core.addressing.addresses import pack
from attribution.core.addressing.prefixes import PrefixTable
from attribution.schema import arrow_schema


def table(*labels):
    """A table of labels: a prefix, which is its own name, or (prefix, name)."""
    pairs = [(label, label) if isinstance(label, str) else label for label in labels]
    columns = {"prefix": [p for p, _ in pairs], "service": [s for _, s in pairs]}
    nothing = [None] * len(pairs)
    return pa.RecordBatch.from_pydict(
        columns | {"network": nothing, "kind": nothing, "region": nothing}, schema=arrow_schema("label")
    )


def match(labels, *addresses):
    return PrefixTable(table(*labels)).match(pa.array(addresses, pa.string())).tolist()


def test_the_longest_of_nested_prefixes_wins_and_the_shorter_goes_on_behind_it():
    labels = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32"]
    asked = ["10.0.0.0", "10.1.0.0", "10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.3.0", "10.2.0.0", "11.0.0.0", "9.9.9.9"]
    assert match(labels, *asked) == [0, 1, 2, 3, 2, 1, 0, -1, -1]


def test_ipv6_prefixes_nest_on_both_sides_of_their_middle():
    labels = [
        "2001:db8::/32",
        "2001:db8:0:1::/64",
        "2001:db8:0:1::/80",
        "2001:db8:0:1::7/128",
        "2001:db8:0:2:8000::/65",
    ]
    asked = {
        "2001:db8::1": 0,
        "2001:db8:0:1:1::": 1,
        "2001:db8:0:1::6": 2,
        "2001:db8:0:1::7": 3,
        "2001:db8:0:1::8": 2,
        "2001:db8:0:2:7fff::": 0,
        "2001:db8:0:2:8000::": 4,
        "2001:db8:0:2:ffff:ffff:ffff:ffff": 4,
        "2001:db8:0:3::": 0,
        "2001:db9::": -1,
    }
    assert match(labels, *asked) == list(asked.values())


def test_a_default_route_holds_for_its_own_version_only():
    assert match(["0.0.0.0/0"], "0.0.0.1", "255.255.255.255", "::", "2001:db8::1") == [0, 0, -1, -1]
    assert match(["::/0"], "0.0.0.1", "255.255.255.255", "::", "ffff:" * 7 + "ffff") == [-1, -1, 0, 0]
    assert match(["::/0", "0.0.0.0/0"], "1.2.3.4", "::1.2.3.4", "::fffe:0:0", "::1:0:0:0") == [1, 0, 0, 0]


def test_a_mapped_prefix_is_the_prefix_of_ipv4():
    assert match(["::ffff:10.0.0.0/104"], "10.1.2.3", "11.1.2.3", "::10.1.2.3") == [0, -1, -1]


def test_a_prefix_without_a_length_is_one_address():
    assert match(["10.0.0.1", "2001:db8::1"], "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2") == [0, -1, 1, -1]


def test_the_ends_of_the_space_belong_to_prefixes_that_end_there():
    labels = ["255.255.255.255/32", "ffff::/16", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"]
    asked = ["255.255.255.254", "255.255.255.255", "ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
    assert match(labels, *asked) == [-1, 0, 1, 2]


def test_two_names_on_one_prefix_name_nobody_not_even_by_a_shorter_prefix():
    labels = [("10.0.0.0/8", "a"), ("10.1.0.0/16", "b"), ("10.1.0.0/16", "c"), ("10.1.1.0/24", "d")]
    assert match(labels, "10.0.0.1", "10.1.0.1", "10.1.1.1") == [0, -1, 3]


def test_one_name_twice_on_a_prefix_is_the_first_of_them():
    assert match([("10.0.0.0/8", "a"), ("10.0.0.0/8", "a")], "10.0.0.1") == [0]


def test_an_address_in_a_disputed_prefix_is_inside_the_prefixes():
    disputed = PrefixTable(table(("10.0.0.0/8", "a"), ("10.0.0.0/8", "b")))
    assert disputed.contains(pa.array(["10.0.0.1", "11.0.0.1"])).tolist() == [True, False]


def test_bare_prefixes_say_which_addresses_they_contain():
    inside = PrefixTable.of_prefixes(("10.0.0.0/255.0.0.0", "fd00::/8", "192.0.2.1"))
    asked = pa.array(["10.9.9.9", "fd00::1", "192.0.2.1", "192.0.2.2", "fe80::1", None])
    assert inside.contains(asked).tolist() == [True, True, True, False, False, False]


def test_without_prefixes_nothing_matches():
    nothing = PrefixTable.of_prefixes(())
    asked = pa.array(["10.0.0.1", "2001:db8::1", None])
    assert nothing.match(asked).tolist() == [-1, -1, -1]
    assert nothing.contains(asked).tolist() == [False, False, False]
    assert PrefixTable(table()).match(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize(
    "asked",
    [
        pa.array(["10.0.0.1", None, "10.0.0.1", "9.0.0.1"]).dictionary_encode(),
        pa.chunked_array([["10.0.0.1", None], ["10.0.0.1", "9.0.0.1"]]),
        pa.chunked_array([pa.array(c).dictionary_encode() for c in (["10.0.0.1", None], ["10.0.0.1", "9.0.0.1"])]),
    ],
    ids=["dictionary", "chunks", "dictionary in chunks"],
)
def test_addresses_come_in_any_kind_of_array(asked):
    assert PrefixTable(table("10.0.0.0/8")).match(asked).tolist() == [0, -1, 0, -1]


def test_labels_come_as_a_table_of_several_chunks():
    labels = pa.Table.from_batches([table("10.0.0.0/8"), table("10.1.0.0/16"), table("fd00::/8")])
    assert PrefixTable(labels).match(pa.array(["10.1.0.1", "10.2.0.1", "fd00::1"])).tolist() == [1, 0, 2]


def test_packed_addresses_are_matched_without_their_text():
    labels = PrefixTable(table("10.0.0.0/8", "2001:db8::/32"))
    packed = pack(pa.array(["2001:db8::1", "10.0.0.1", "::1"]))
    assert labels.match_packed(*packed).tolist() == [1, 0, -1]


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "10.0.0.0/33", "2001:db8::1/64", "::/129", "10.0.0.0/-1"])
def test_what_is_no_prefix_is_refused_with_its_text(wrong):
    with pytest.raises(ValueError, match=f"'{wrong}'"):
        PrefixTable(table("10.0.0.0/8", wrong))


def network(kind, value, length):
    unfixed = kind(0).max_prefixlen - length
    return str(kind((value >> unfixed << unfixed, length)))


# Few distinct leading and trailing bits, so that prefixes nest, touch and repeat.
bits4 = st.builds(lambda a, b, c: a << 24 | b << 8 | c, *[st.sampled_from([0, 1, 127, 128, 255])] * 3)
bits6 = st.builds(
    lambda a, b, c, d: a << 112 | b << 64 | c << 48 | d,
    *[st.sampled_from([0, 1, 0x7FFF, 0x8000, 0xFFFF])] * 4,
)
lengths4 = st.sampled_from([0, 1, 7, 8, 15, 16, 23, 24, 25, 31, 32])
lengths6 = st.sampled_from([0, 1, 16, 48, 63, 64, 65, 80, 81, 112, 127, 128])
networks = st.one_of(
    st.builds(network, st.just(IPv4Network), bits4, lengths4),
    st.builds(network, st.just(IPv6Network), bits6, lengths6).filter(lambda n: "::ffff:" not in n),
)
labels = st.lists(st.builds(Label, prefix=networks, service=st.sampled_from("ab")), max_size=25)
addresses = st.one_of(
    bits4.map(ip_address).map(str),
    bits6.map(lambda value: ip_address(value.to_bytes(16))).filter(lambda a: a.ipv4_mapped is None).map(str),
)


def edges(prefix):
    """The first and the last address of a prefix, and their neighbours outside."""
    one = ip_network(prefix)
    first, last = one.network_address, one.broadcast_address
    kind, top = type(first), 2**one.max_prefixlen - 1
    return [str(kind(min(max(int(a), 0), top))) for a in (int(first) - 1, first, last, int(last) + 1)]


@given(labels, st.lists(addresses, max_size=20))
@example([Label("0.0.0.0/0", "a"), Label("::/0", "b")], ["0.0.0.1", "::", "255.255.255.255"])
def test_the_table_answers_as_the_oracle_at_every_edge(known, some):
    pairs = [(label.prefix, label.service) for label in known]
    asked = some + [address for label in known for address in edges(label.prefix)]
    asked = [a for a in asked if ip_address(a).version == 4 or ip_address(a).ipv4_mapped is None]
    made = PrefixTable(table(*pairs))
    rows = made.match(pa.array(asked, pa.string()))
    inside = made.contains(pa.array(asked, pa.string()))
    assert (rows.dtype, inside.dtype) == (np.int32, np.bool_)
    for address, row, within in zip(asked, rows.tolist(), inside.tolist(), strict=True):
        named = None if row < 0 else known[row].service
        event("named" if named else "disputed" if within else "outside")
        assert named == oracle.label_of(known, address)
        assert within == any(oracle.contains(label.prefix, address) for label in known)
        if row >= 0:
            assert row == min(i for i, label in enumerate(known) if label == known[row])


def test_a_large_table_answers_as_a_look_at_every_length():
    random = np.random.default_rng(5)
    length = random.integers(8, 33, 30_000)
    value = random.integers(0, 2**32, 30_000) & ((1 << 32) - (1 << (32 - length)))
    prefixes = [f"{ip_address(int(v))}/{n}" for v, n in zip(value, length, strict=True)]
    rows = {}
    for row, key in enumerate(zip(value.tolist(), length.tolist(), strict=True)):
        rows.setdefault(key, row)
    asked = np.concatenate([random.integers(0, 2**32, 3_000), value[:3_000], value[:3_000] - 1]) % 2**32

    def longest(address):
        masked = ((address >> (32 - n) << (32 - n), n) for n in range(32, 7, -1))
        return next((rows[key] for key in masked if key in rows), -1)

    texts = pa.array([str(ip_address(int(a))) for a in asked])
    # Every prefix has the name of its own first row, so that repeated prefixes are no dispute.
    made = PrefixTable(table(*((p, p) for p in prefixes)))
    assert made.match(texts).tolist() == [longest(int(a)) for a in asked]
