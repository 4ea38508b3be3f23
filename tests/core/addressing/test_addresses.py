"""Addresses: canonical text and packed halves, held to Python's `ipaddress`."""

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.addressing import addresses
from attribution.core.columnar.dictionaries import DICTIONARY

IPV4 = st.ip_addresses(v=4)
IPV6 = st.ip_addresses(v=6) | st.builds(
    lambda groups: ipaddress.IPv6Address(":".join(f"{g:x}" for g in groups)),
    st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF, 0x0DB8]), min_size=8, max_size=8),
)


def unmapped(address):
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("255.255.255.255", "255.255.255.255"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("::", "::"),
        ("::1", "::1"),
        ("::1.2.3.4", "::102:304"),
        ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ],
)
def test_every_spelling_of_an_address_becomes_one_text(text, expected):
    array, valid = addresses.canonical(pa.array([text]))
    assert array.to_pylist() == [expected]
    assert valid.tolist() == [True]


@pytest.mark.parametrize(
    "text",
    [
        "010.0.0.1",
        "10.0.0.01",
        "10.0.0",
        "10.0.0.0.1",
        "10.0.0.256",
        "10.0.0.1:80",
        "10.0.0.1/32",
        " 10.0.0.1",
        "10.0.0.1\n",
        "1\u0660.0.0.1",
        "fe80::1%eth0",
        "[2001:db8::1]",
        "[::1]:80",
        "2001:db8::1::2",
        "2001:db8",
        "12345::",
        "::ffff:010.0.0.1",
        "::1\x00",
        "0x0a000001",
        "167772161",
        "localhost",
        "-",
        "",
        ".",
        ":",
    ],
)
def test_what_readers_could_take_differently_is_no_address(text):
    array, valid = addresses.canonical(pa.array(["10.0.0.1", text, None]))
    assert array.to_pylist() == ["10.0.0.1", None, None]
    assert valid.tolist() == [True, False, True]


@given(st.lists(IPV4 | IPV6 | st.none(), max_size=30), st.booleans())
def test_canonical_text_is_that_of_ipaddress_and_packing_keeps_the_number(found, spelled_out):
    texts = [a if a is None else (a.exploded if spelled_out else str(a)) for a in found]
    array, valid = addresses.canonical(pa.array(texts, pa.string()))
    expected = [a if a is None else unmapped(a) for a in found]
    assert valid.all()
    assert array.to_pylist() == [a if a is None else str(a) for a in expected]
    if array.type == DICTIONARY:
        assert len(set(array.dictionary.to_pylist())) == len(array.dictionary)
    else:
        assert all(a is not None and a.version == 4 for a in expected)
    high, low = addresses.pack(array.drop_null())
    packed = [(int(h) << 64) | int(x) for h, x in zip(high, low, strict=True)]
    assert packed == [int(a) + (0xFFFF << 32 if a.version == 4 else 0) for a in expected if a is not None]


@given(st.text(alphabet="0123456789abcdfF:./%[]x ", max_size=24))
def test_no_text_is_an_address_that_ipaddress_refuses(text):
    try:
        expected = None if "%" in text else str(unmapped(ipaddress.ip_address(text)))
    except ValueError:
        expected = None
    assert addresses.canonical_address(text) == expected


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["10.0.0.1", "::ffff:10.0.0.1", None, "x"]),
        pa.array(["10.0.0.1", "::ffff:10.0.0.1", None, "x"], pa.large_string()),
        pa.array(["10.0.0.1", "::ffff:10.0.0.1", None, "x"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(
            pa.array([0, 1, 2, 3], pa.int8()), pa.array(["10.0.0.1", "::ffff:10.0.0.1", None, "x"])
        ),
        pa.chunked_array([["10.0.0.1", "::ffff:10.0.0.1"], [None, "x"]]),
        pa.chunked_array(
            [pa.array(["10.0.0.1", "::ffff:10.0.0.1"]).dictionary_encode(), pa.array([None, "x"]).dictionary_encode()]
        ),
        pa.array(["?", "10.0.0.1", "::ffff:10.0.0.1", None, "x"])[1:],
    ],
    ids=["string", "large", "dictionary", "null in dictionary", "chunks", "chunks of dictionaries", "slice"],
)
def test_any_arrow_text_is_taken_and_equal_addresses_share_one_code(texts):
    array, valid = addresses.canonical(texts)
    assert array.to_pylist() == ["10.0.0.1", "10.0.0.1", None, None]
    assert valid.tolist() == [True, True, True, False]
    assert array.dictionary.to_pylist() == ["10.0.0.1"]


def test_a_column_without_any_text_is_all_null_and_valid():
    for texts in (pa.nulls(3), pa.nulls(3, pa.string())):
        array, valid = addresses.canonical(texts)
        assert array.to_pylist() == [None] * 3
        assert valid.all()


def test_a_bad_value_that_no_row_uses_makes_no_row_bad():
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array(["10.0.0.1", "nonsense"]))
    array, valid = addresses.canonical(texts)
    assert array.to_pylist() == ["10.0.0.1"] * 2
    assert valid.all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("10.0.0.1/8", None),
        ("10.0.0.0/33", None),
        ("10.0.0.0/-1", None),
        ("10.0.0.0/08", None),
        ("10.0.0.0/255.0.0.0", None),
        ("10.0.0.0/", None),
        ("::ffff:10.0.0.0/8", None),
        ("2001:db8::1/32", None),
        ("corp", None),
    ],
)
def test_prefixes_are_canonical_and_have_no_host_bits(text, expected):
    array, valid = addresses.canonical_prefixes(pa.array([text]))
    assert array.to_pylist() == [expected]
    assert valid.tolist() == [expected is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1/32", "10.0.0.1"),
        ("2001:DB8::1/128", "2001:db8::1"),
        ("::ffff:10.0.0.1/128", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/24", None),
        ("10.0.0.1/24", None),
    ],
)
def test_a_host_may_be_written_as_prefix_of_full_length(text, expected):
    array, valid = addresses.canonical_hosts(pa.array([text]))
    assert array.to_pylist() == [expected]
    assert valid.tolist() == [expected is not None]


def test_packing_reads_slices_chunks_and_dictionaries():
    texts = pa.array(["9.9.9.9", "10.0.0.1", "255.1.22.133", "2001:db8::1"])
    for array in (texts[1:], pa.chunked_array([texts[1:2], texts[2:]]), texts[1:].dictionary_encode()):
        high, low = addresses.pack(array)
        assert high.tolist() == [0, 0, 0x20010DB800000000]
        assert low.tolist() == [0xFFFF0A000001, 0xFFFFFF011685, 1]
    high, low = addresses.pack(texts[:0])
    assert high.dtype == low.dtype == np.uint64
    assert len(high) == len(low) == 0


def test_packing_text_that_is_no_address_says_which():
    with pytest.raises(ValueError, match="'nowhere'"):
        addresses.pack(pa.array(["10.0.0.1", "nowhere"]))
