"""The fast way for columns of plain IPv4, held to `ipaddress` and to a Python dictionary."""

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.addressing import ipv4
from attribution.core.addressing.addresses import AddressBook

NUMBERS = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**32 - 1, 10 << 24])


@given(st.lists(NUMBERS, max_size=40), st.integers(0, 3))
def test_canonical_text_gives_its_number_also_in_a_slice(numbers, skipped):
    texts = pa.array(["8.8.8.8"] * skipped + [str(ipaddress.IPv4Address(n)) for n in numbers], pa.string())
    assert ipv4.parse(texts.slice(skipped)).tolist() == numbers


@given(st.text(alphabet="0123456789. :a", max_size=18))
def test_text_that_is_not_canonical_ipv4_is_refused_with_its_whole_column(text):
    try:
        plain = str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        plain = False
    assert (ipv4.parse(pa.array([text])) is not None) == plain
    assert (ipv4.parse(pa.array(["1.2.3.4", text, "255.0.10.9"])) is not None) == plain


def test_dots_that_add_up_over_two_rows_are_not_taken_for_addresses():
    assert ipv4.parse(pa.array(["1.2.3", "4.5.6.7.8"])) is None


@pytest.mark.parametrize("texts", [pa.array(["1.2.3.4", None]), pa.array(["1.2.3.4"]).dictionary_encode()])
def test_other_columns_take_the_other_way(texts):
    assert ipv4.parse(texts) is None


@given(st.lists(NUMBERS, unique=True, max_size=60), st.lists(NUMBERS, max_size=60))
def test_numbers_are_found_where_they_stand_in_the_list(known, asked):
    numbering = ipv4.Numbering(np.array(known, np.uint32))
    place = {number: i for i, number in enumerate(known)}
    wanted = known + asked
    assert numbering.find(np.array(wanted, np.uint32)).tolist() == [place.get(n, -1) for n in wanted]


def test_numbers_that_collide_are_all_found():
    known = (np.arange(5000, dtype=np.uint64) << np.uint64(20)).astype(np.uint32)
    known = np.unique(known)
    assert ipv4.Numbering(known).find(known[::-1]).tolist() == list(range(len(known)))[::-1]


def test_a_book_of_both_versions_finds_both_in_any_kind_of_column():
    book = AddressBook(pa.array(["10.0.0.1", "2001:db8::1", "10.0.0.2"]))
    assert book.find(pa.array(["10.0.0.2", "10.0.0.9", "10.0.0.1"])).tolist() == [2, -1, 0]
    assert book.find(pa.array(["10.0.0.2", "2001:db8::1", None, "::"])).tolist() == [2, 1, -1, -1]
    assert book.find(pa.array(["10.0.0.2", "2001:db8::1"]).dictionary_encode()).tolist() == [2, 1]
