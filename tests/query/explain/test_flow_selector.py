"""How a person points at a flow."""

import pytest
from tiny_lake import at

from attribution.errors import QueryError
from attribution.query.explain.flow_selector import FlowSelector, parse_flow, selector
from attribution.query.lake.window import Window


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        ("2026-01-05", "2026-01-05T00:00:00", "2026-01-06T00:00:00"),
        ("2026-01-05T12", "2026-01-05T12:00:00", "2026-01-05T13:00:00"),
        ("2026-01-05T12:00", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("20260105T1200", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("2026-01-05T12:00:10Z", "2026-01-05T12:00:10", "2026-01-05T12:00:11"),
        ("2026-01-05T13:00+01:00", "2026-01-05T12:00:00", "2026-01-05T12:01:00"),
        ("2026-01-05T12:00:10.5", "2026-01-05T12:00:10.500000", "2026-01-05T12:00:10.600000"),
        ("2026-01-05T12:00:10.500000Z", "2026-01-05T12:00:10.500000", "2026-01-05T12:00:10.500001"),
    ],
)
def test_a_start_is_as_exact_as_it_is_written(start, first, last):
    found = selector(start=start, last=None).starts
    assert [moment.replace(tzinfo=None).isoformat() for moment in (found.start, found.end)] == [first, last]


def test_a_flow_may_be_written_in_one_piece():
    assert parse_flow("10.0.0.1, [::1]:80 ,2026-01-05T12:00:10", last=None) == FlowSelector(
        local_address="10.0.0.1",
        remote_address="::1",
        remote_port=80,
        starts=Window(at("12:00:10"), at("12:00:11")),
    )
    assert parse_flow("::ffff:10.0.0.1,2001:db8::7", last=None) == FlowSelector(
        local_address="10.0.0.1", remote_address="2001:db8::7"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1", "LOCAL:PORT,REMOTE:PORT,START"),
        ("a,b,c,d", "LOCAL:PORT,REMOTE:PORT,START"),
        ("10.0.0.1:99999,10.0.0.2", "ports are 0 to 65535"),
        ("10.0.0.1:http,10.0.0.2", "is no address"),
        ("[10.0.0.1:80,10.0.0.2", "cannot read the endpoint|is no address"),
        ("10.0.0.1,10.0.0.2,noon", "cannot read the time 'noon'"),
    ],
)
def test_a_flow_that_cannot_be_read_says_how_to_write_it(text, message):
    with pytest.raises(QueryError, match=message):
        parse_flow(text, last=None)
