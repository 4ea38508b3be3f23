"""Times to microseconds: exact, and null for what is no time."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.sources.records.timestamps import instant, micros

WHOLE = st.integers(0, 4_102_444_800)  # up to the year 2100
FRACTION = st.integers(0, 999_999)


@given(st.lists(st.tuples(WHOLE, FRACTION), min_size=1))
def test_decimals_are_exact_as_text_and_as_the_doubles_that_parsers_make_of_them(times):
    written = [f"{whole}.{fraction:06d}" for whole, fraction in times]
    expected = [whole * 1_000_000 + fraction for whole, fraction in times]
    assert micros(pa.array(written), "s").to_pylist() == expected
    assert micros(pa.array([float(text) for text in written]), "s").to_pylist() == expected


@given(st.integers(0, 4_102_444_800_000_000_000))
def test_whole_numbers_of_any_unit(nanoseconds):
    expected = nanoseconds // 1000
    assert micros(pa.array([nanoseconds]), "ns").to_pylist() == [expected]
    assert micros(pa.array([str(nanoseconds)]), "ns").to_pylist() == [expected]
    assert micros(pa.array([nanoseconds // 1_000_000]), "ms").to_pylist() == [nanoseconds // 1_000_000 * 1000]


def test_iso_text_with_any_zone_and_fraction_beside_numbers():
    written = [
        "2025-04-16T18:49:59.450463857Z",
        "2025-04-16T18:49:59+00:00",
        "2025-04-16T20:49:59.5+0200",
        "2025-04-16T18:49:59",
        "2025-04-16 18:49:59Z",
        "1744829399.25",
        None,
    ]
    second = 1_744_829_399_000_000
    expected = [second + 450_463, second, second + 500_000, second, second, second + 250_000, None]
    assert micros(pa.array(written), "s").to_pylist() == expected
    assert micros(pa.chunked_array([pa.array(written[:2]), pa.array(written[2:])]), "s").to_pylist() == expected


@pytest.mark.parametrize("written", ["", "noon", "12:00", "2025-13-01T00:00:00Z", "1e400", "0x10", "--1"])
def test_what_is_no_time_is_null_and_spoils_no_other_row(written):
    column = pa.array([written, "1.5", "2025-04-16T18:49:59Z"])
    assert micros(column, "s").to_pylist() == [None, 1_500_000, 1_744_829_399_000_000]


@pytest.mark.parametrize("column", [pa.array([10**18, 1]), pa.array([1e300, float("nan"), 1.0])])
def test_numbers_beyond_any_time_are_null(column):
    assert micros(column, "s").to_pylist()[-1] == 1_000_000
    assert set(micros(column, "s").to_pylist()[:-1]) == {None}


def test_a_column_of_another_type_has_no_times():
    assert micros(pa.array([True, False]), "s").to_pylist() == [None, None]


def test_one_text():
    assert instant("2024-05-01T10:00:00Z") == 1_714_557_600_000_000
    assert instant("later") is None
