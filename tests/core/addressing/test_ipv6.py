"""The fast way for columns of plain IPv6, held to `ipaddress`."""

import ipaddress
import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attribution.core.addressing import ipv6
from attribution.core.addressing.addresses import pack

GROUPS = st.lists(st.sampled_from([0, 0, 0, 1, 0xAB, 0x123, 0xFFFF]) | st.integers(0, 0xFFFF), min_size=8, max_size=8)


def number(groups):
    return sum(group << (16 * (7 - i)) for i, group in enumerate(groups))


def numbers(found):
    return [(int(high) << 64) | int(low) for high, low in zip(*found, strict=True)]


def spellings(address):
    """Text with the zeros of the address left out, written, and written with four digits."""
    return (address.compressed, ":".join(f"{int(g, 16):x}" for g in address.exploded.split(":")), address.exploded)


@given(st.lists(GROUPS, max_size=20), st.integers(0, 3), st.integers(0, 2))
def test_text_gives_its_number_however_it_is_spelt_also_in_a_slice(rows, skipped, spelling):
    wanted = [number(groups) for groups in rows]
    texts = [spellings(ipaddress.IPv6Address(one))[spelling] for one in wanted]
    column = pa.array(["::1"] * skipped + texts, pa.string())
    assert numbers(ipv6.parse(column.slice(skipped))) == wanted


@given(st.text(alphabet="01abf:", max_size=24) | st.text(alphabet="0:1", max_size=18) | st.text(max_size=8))
@example("1:2:3:4:5:6:7::8")
@example("1::2::3")
@example("1:2:3:4:5:6:7:")
@example(":1:2:3:4:5:6:7")
@example(":::")
@example("12345::")
@example("::ffff:1.2.3.4")
@example("FE80::1")
def test_text_that_is_not_plain_ipv6_is_refused_with_its_whole_column(text):
    try:
        plain = bool(re.fullmatch("[0-9a-f:]+", text)) and bool(ipaddress.IPv6Address(text))
    except ValueError:
        plain = False
    assert (ipv6.parse(pa.array([text])) is not None) == plain
    around = ipv6.parse(pa.array(["1:2:3:4:5:6:7:8", text, "fe80::1"]))
    assert (around is not None) == plain
    if plain:
        assert numbers(around)[1:] == [int(ipaddress.IPv6Address(text)), 0xFE80 << 112 | 1]


def test_rows_that_add_up_to_addresses_only_together_are_refused():
    assert ipv6.parse(pa.array(["1:2:3:4", "5:6:7:8"])) is None
    assert ipv6.parse(pa.array(["1:2:3:4:5:6:7", ":8::"])) is None
    assert ipv6.parse(pa.array(["::1", ""])) is None


@pytest.mark.parametrize("texts", [pa.array(["::1", None]), pa.array(["::1"]).dictionary_encode()])
def test_other_columns_take_the_other_way(texts):
    assert ipv6.parse(texts) is None


@given(st.lists(GROUPS.map(number) | st.integers(0, 2**32 - 1).map(lambda n: 0xFFFF << 32 | n), max_size=30))
def test_packing_of_both_versions_is_that_of_ipaddress(wanted):
    addresses = [ipaddress.IPv6Address(one) for one in wanted]
    texts = pa.array([str(one.ipv4_mapped or one) for one in addresses], pa.string())
    assert numbers(pack(texts)) == wanted
