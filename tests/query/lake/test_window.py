"""Windows and times as people write them."""

import pytest
from tiny_lake import at

from attribution.errors import QueryError
from attribution.query.lake.times import parse_time
from attribution.query.lake.window import Window, parse_window


def test_times_are_utc_unless_they_say_otherwise():
    assert parse_time("2026-01-05T12:00", last=None) == at("12:00:00")
    assert parse_time("2026-01-05 12:00:00.5Z", last=None) == at("12:00:00.500000")
    assert parse_time("2026-01-05T13:00+01:00", last=None) == at("12:00:00")
    assert parse_time("-90m", last=at("13:30:00")) == at("12:00:00")
    assert parse_window(" -1h .. ", last=at("13:00:00")) == Window(at("12:00:00"), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday..", r"cannot read the time 'yesterday'.*ISO 8601"),
        ("2026-01-05", r"FROM\.\.TO"),
        ("-1fortnight..", "cannot read the time '-1fortnight'"),
        ("-1h..", "the lake has no flows"),
        ("2026-01-05T12:00..2026-01-05T12:00", "is empty"),
        ("0001-01-01T00:00+14:00..", "cannot read the time"),
    ],
)
def test_windows_that_cannot_be_read_say_what_to_write(text, message):
    with pytest.raises(QueryError, match=message):
        parse_window(text, last=None)


def test_a_relative_time_before_the_first_year_is_refused():
    with pytest.raises(QueryError, match="before the first year"):
        parse_window("-9000000d..", last=at("12:00:00"))
