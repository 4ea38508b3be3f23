"""A history in the order of its reports, however it was read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.stream.publish.schedule import Schedule
from attribution.stream.wire import codec

SECOND = 1_000_000
T0 = 1_767_225_600 * SECOND
PERIOD = 10 * SECOND


def rows(kind, ends):
    made = {
        "flow": lambda end: {"start": T0, "end": end, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"},
        "heartbeat": lambda end: {"address": "10.0.0.1", "workload": "w", "start": T0, "end": end},
        "assignment": lambda end: {"address": "10.0.0.9", "owner": "lb", "action": "assign", "time": end},
    }
    return codec.decode(kind, json.dumps([made[kind](end) for end in ends]).encode()).batch


def ends(part):
    column = part.rows.column("end" if "end" in part.rows.schema.names else "time")
    return [(value.value if value.type.unit == "us" else None) for value in column]


def sent(schedule):
    return [
        (period.end_us, [(part.kind, ends(part), part.flow_heartbeats) for part in period.parts])
        for period in schedule.periods()
    ]


def test_rows_go_out_by_their_ends_and_evidence_before_flows(tmp_path):
    schedule = Schedule(tmp_path / "rows", period_us=PERIOD)
    hours_later = T0 + 7200 * SECOND
    schedule.add("flow", rows("flow", [hours_later, T0 + 3, T0 + PERIOD, T0 + 1]))
    schedule.add("assignment", rows("assignment", [T0 + 9]))
    schedule.add("heartbeat", rows("heartbeat", [T0 + PERIOD - 1, T0]))
    schedule.add("flow", rows("flow", [T0 + 2]), "none")
    assert sent(schedule) == [
        (
            T0 + PERIOD,
            [
                ("heartbeat", [T0, T0 + PERIOD - 1], "interval"),
                ("assignment", [T0 + 9], "interval"),
                ("flow", [T0 + 1, T0 + 3], "interval"),
                ("flow", [T0 + 2], "none"),
            ],
        ),
        (T0 + 2 * PERIOD, [("flow", [T0 + PERIOD], "interval")]),
        (hours_later + PERIOD, [("flow", [hours_later], "interval")]),
    ]
    assert (schedule.first_us, schedule.last_us) == (T0, hours_later)
    assert schedule.kinds == ("heartbeat", "assignment", "flow")
    schedule.close()
    assert list(tmp_path.iterdir()) == []


def test_configuration_has_no_moment_of_report_and_goes_out_first(tmp_path):
    schedule = Schedule(tmp_path / "rows", period_us=PERIOD)
    policy = {"policy": "a", "pool": "b", "prefix": "::/0", "end": T0 + 7200 * SECOND}
    given = codec.decode("policy", json.dumps(policy).encode()).batch
    schedule.add("policy", given)
    assert (sent(schedule), schedule.first_us, schedule.last_us) == ([], None, None)
    schedule.add("flow", rows("flow", [T0 + 1]))
    assert [(part.kind, part.rows.to_pylist()) for part in schedule.timeless] == [("policy", given.to_pylist())]
    assert schedule.kinds == ("policy", "flow")
    assert sent(schedule) == [(T0 + PERIOD, [("flow", [T0 + 1], "interval")])]


def test_nothing_makes_no_period(tmp_path):
    schedule = Schedule(tmp_path, period_us=PERIOD)
    schedule.add("flow", rows("flow", []))
    assert (sent(schedule), schedule.first_us, schedule.kinds) == ([], None, ())


@pytest.mark.parametrize("bound", [1, 1 << 20])
@given(batches=st.lists(st.lists(st.integers(0, 3 * 3600 * SECOND), max_size=6), max_size=6))
def test_no_row_is_lost_and_none_comes_before_an_earlier_period(batches, bound, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attribution.lake.spool._GATHER_ALL", bound)
        schedule = Schedule(tmp_path_factory.mktemp("schedule") / "rows", period_us=PERIOD)
        for number, batch in enumerate(batches):
            kind = ("flow", "heartbeat")[number % 2]
            schedule.add(kind, rows(kind, [T0 + end for end in batch]))
        found = sent(schedule)
    assert [end for end, _ in found] == sorted({(T0 + e) // PERIOD * PERIOD + PERIOD for b in batches for e in b})
    for kind, first in (("flow", 0), ("heartbeat", 1)):
        expected = sorted(T0 + end for batch in batches[first::2] for end in batch)
        assert [end for _, parts in found for k, part_ends, _ in parts if k == kind for end in part_ends] == expected
