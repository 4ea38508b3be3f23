import json

import pytest
from tiny_lake import at, flow, traffic, write_lake

from attribution.errors import QueryError
from attribution.query.graph.diff import diff
from attribution.query.graph.selection import GraphSelection


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    def web(time, remote, sent, received, **fields):
        return flow(time, "10.0.0.1:40000", remote, **traffic(sent, received), **fields)

    flows = [
        # From 10 to 11: api, db, cache.
        web("10:00:00", "10.0.0.11:80", 100, 100),
        web("10:30:00", "10.0.0.21:5432", 100, 100),
        web("10:40:00", "10.7.0.1:1", 10, 10, remote_service="cache", remote_method="heartbeat"),
        # From 11 to 13, twice as long: api three times as many flows, as many bytes per second; db the same; no cache.
        *(web(f"11:0{minute}:00", "10.0.0.11:80", 67, 66) for minute in range(3)),
        *(web(f"12:0{minute}:00", "10.0.0.11:80", 67, 66) for minute in range(3)),
        web("11:30:00", "10.0.0.21:5432", 100, 100),
        web("12:30:00", "10.0.0.21:5432", 100, 100),
        web("12:40:00", "10.7.0.2:1", 10, 10, remote_service="queue", remote_method="heartbeat"),
    ]
    return write_lake(tmp_path_factory.mktemp("lakes") / "diff", flows=flows)


BEFORE, AFTER = "2026-01-05T10:00..2026-01-05T11:00", "2026-01-05T11:00..2026-01-05T13:00"


def changes(found):
    return [(c.change, str(c.edge.target), c.flows_factor, c.bytes_factor) for c in found.changes]


def test_edges_are_new_gone_or_changed_per_second(lake):
    found = diff(lake, GraphSelection(window=AFTER), before=BEFORE)
    assert changes(found) == [
        ("new", "queue", None, None),
        ("gone", "cache", None, None),
        ("changed", "api", 3.0, pytest.approx(6 * 133 / 200 / 2)),
    ]
    assert found.unchanged == 1


def test_the_factor_decides_what_is_a_change_up_or_down(lake):
    assert diff(lake, GraphSelection(window=AFTER), before=BEFORE, factor=4).unchanged == 2
    turned = diff(lake, GraphSelection(window=BEFORE), before=AFTER)
    assert changes(turned)[2] == ("changed", "api", pytest.approx(1 / 3), pytest.approx(2 * 200 / (6 * 133)))
    assert [change.change for change in turned.changes] == ["new", "gone", "changed"]


def test_open_ends_are_those_of_the_lake(lake):
    found = diff(lake, GraphSelection(window="2026-01-05T11:00.."), before="..2026-01-05T11:00")
    assert (found.before.start, found.after.end) == (at("10:00:00"), at("12:40:00.000001"))


def test_a_window_without_flows_makes_everything_new(lake):
    found = diff(lake, GraphSelection(window=AFTER), before="2026-01-01..2026-01-02")
    assert {change.change for change in found.changes} == {"new"}
    assert len(found.changes) == 3


def test_from_nothing_to_something_is_no_number(tmp_path):
    flows = [
        flow("10:00:00", "10.0.0.1:40000", "10.0.0.11:80", **traffic(0, 0)),
        flow("11:00:00", "10.0.0.1:40000", "10.0.0.11:80", **traffic(9, 9)),
    ]
    lake = write_lake(tmp_path / "lake", flows=flows)
    found = diff(lake, GraphSelection(window="2026-01-05T11:00..2026-01-05T12:00"), before=BEFORE)
    (change,) = found.to_dict()["changes"]
    assert (change["change"], change["flows_factor"], change["bytes_factor"]) == ("changed", 1.0, None)
    json.dumps(found.to_dict(), default=str, allow_nan=False)


def test_what_names_an_end_does_not_make_another_edge(tmp_path):
    by_event = {"remote_method": "assignment", "remote_reason": "assigned"}
    window = {"direction": None, "bytes_sent": 5}
    flows = [
        flow("10:00:00", "10.0.0.11:80", "10.0.0.1:40000", **by_event, **window),
        flow("11:00:00", "10.0.0.11:80", "10.0.0.1:40000", **window),
    ]
    lake = write_lake(tmp_path / "lake", flows=flows)
    found = diff(lake, GraphSelection(window="2026-01-05T11:00..2026-01-05T12:00"), before=BEFORE)
    assert (found.changes, found.unchanged) == ((), 1)


@pytest.mark.parametrize("factor", [0.5, float("nan")])
def test_a_factor_below_one_is_refused(lake, factor):
    with pytest.raises(QueryError, match="at least 1"):
        diff(lake, before=BEFORE, factor=factor)
