"""Times in zones: which moment a clock means, and what a clock shows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import BadValueError
from attribution.query.lake.times import format_moment, parse_time
from attribution.query.lake.zones import in_zone

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.integers(0, 366 * 24 * 3600), st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe"]))
def test_what_is_shown_is_read_as_the_same_time(seconds, name):
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    with in_zone(ZoneInfo(name)):
        assert parse_time(format_moment(moment), last=None) == moment


def test_a_time_that_clocks_show_twice_is_shown_with_its_offset():
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with in_zone(BERLIN):
        shown = [format_moment(first + timedelta(hours=hour)) for hour in range(-1, 3)]
        assert shown == [
            "2026-10-25 01:30:00", "2026-10-25 02:30:00+0200", "2026-10-25 02:30:00+0100", "2026-10-25 03:30:00",
        ]  # fmt: skip
        for text in ("2026-10-25T02:30", "2026-03-29T02:30"):
            with pytest.raises(BadValueError, match="Europe/Berlin: clocks are set"):
                parse_time(text, last=None)
        assert parse_time("2026-10-25T02:30Z", last=None) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
