"""Whatever stands in a row, of whatever format: it is read, skipped or rejected, and the rows beside it are read."""

import io
from decimal import Decimal
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_rows import LOGS
from mutation import json_row, text_row
from outcome import Outcome

from attribution.schema import FLOW
from attribution.sources import registry
from attribution.sources.input.opening import HEAD_BYTES


@cache
def of_sound(name, *rows):
    """The outcome of sound rows of a log by its name, which is asked for again and again."""
    (log,) = (log for log in LOGS if str(log) == name)
    return Outcome.of(log, list(rows))


def test_every_format_has_rows_here():
    assert {log.format for log in LOGS} | {"vpc_parquet"} == set(registry.names())


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_sound_rows_are_counted_and_not_rejected(log):
    for row in log.rows:
        found = Outcome.of(log, [log.neighbour(row, 2)])
        assert found.rows(log.lead) == 1 if log.single else found.rows() >= 1
        assert not any(name == "rejected" for name, *_ in found.counts)


@pytest.mark.parametrize("log", LOGS, ids=str)
@given(st.data())
def test_a_row_with_faults_is_counted_and_spoils_no_other(log, data):
    row = data.draw(st.sampled_from(log.rows), "row")
    rng = data.draw(st.randoms(use_true_random=False), "faults")
    broken = text_row(rng, row, log.separator) if log.separator else json_row(rng, row)
    if log.lines and data.draw(st.integers(0, 9)) == 0:
        broken = broken[: len(broken) // 2].strip() or broken
    if log.is_none(broken):
        return
    before, after = log.neighbour(row, 2), log.neighbour(row, 3)
    together = Outcome.of(log, [before, broken])
    if log.refuses and together.counts["rejected", "row", "unreadable"]:
        assert together.counts.total() == 1
        return
    outcome = together - of_sound(str(log), before)
    assert outcome.nowhere_negative()
    assert outcome.rows(log.lead) == 1 if log.single else outcome.rows() >= 1
    assert Outcome.of(log, [before, broken, after]) - of_sound(str(log), before, after) == outcome


@pytest.mark.parametrize("log", LOGS, ids=str)
@pytest.mark.parametrize("blank", [b"\n" * (HEAD_BYTES + 1), b" " * HEAD_BYTES + b"\n"], ids=["lines", "spaces"])
def test_blank_space_before_the_first_row_changes_nothing(log, blank):
    rows = [log.neighbour(row, 2) for row in log.rows]
    content = log.source(rows).encode()
    assert Outcome.of_content(blank + content, log.format) == Outcome.of_content(content, log.format)
    for name in (None, log.format):
        assert Outcome.of_content(blank, name).counts == {("skipped", "empty_file"): 1}


@pytest.mark.parametrize("log", [log for log in LOGS if log.lines], ids=str)
def test_a_line_that_is_too_long_costs_only_itself(log, monkeypatch):
    monkeypatch.setattr("attribution.sources.input.opening._LONGEST_LINE", 1 << 16)
    monkeypatch.setattr("attribution.sources.input.opening._SHOWN", 9)
    before, after = (log.neighbour(log.rows[0], number) for number in (2, 4))
    long = log.source([before, "x" * (9 << 20), after]).encode()
    found = Outcome.of_content(long, log.format) - Outcome.of(log, [before, after])
    assert found.nowhere_negative()
    assert +found.counts == {("rejected", "row", "line_too_long"): 1}


#: What a column of a Parquet file may hold in place of its own three values.
ODD_COLUMNS = (
    pa.array(["abc", "1", "-"]), pa.array([b"a", b"\xff", None]), pa.array([1.5, float("nan"), 1e300]), pa.nulls(3),
    pa.array([True, None, False]), pa.array([[1], [], None]), pa.array([{"a": 1}, None, {"a": 2}]),
    pa.array([0, 1, None], pa.timestamp("s")), pa.array([Decimal("1.5"), None, Decimal(2)]),
    pa.array([2**64 - 1, 1, None], pa.uint64()), pa.array(["a", "b", None]).dictionary_encode(),
    pa.array([-5, 2**40, 2**62]), pa.array(["é", "", " "], pa.large_string()),
    pa.array([b"a", b"\xff", None]).view(pa.string()),
)  # fmt: skip


@given(st.data())
def test_a_column_of_another_type_loses_no_row_of_a_parquet_file(data):
    columns = {
        "interface_id": ["eni-1"] * 3, "srcaddr": ["10.0.0.1"] * 3, "dstaddr": ["10.0.0.2"] * 3, "srcport": [1, 2, 3],
        "dstport": [4] * 3, "protocol": [6] * 3, "packets": [1] * 3, "bytes": [2] * 3, "start": [1_767_225_600] * 3,
        "end": [1_767_225_900] * 3, "action": ["ACCEPT"] * 3, "log_status": ["OK"] * 3, "vpc_id": ["vpc-1"] * 3,
        "flow_direction": ["egress"] * 3, "tcp_flags": [3] * 3, "ecs_task_arn": ["a", "b", "c"],
        "ecs_cluster_name": ["c"] * 3, "ecs_service_name": ["s"] * 3,
    }  # fmt: skip
    for name in data.draw(st.sets(st.sampled_from(sorted(columns)), min_size=1, max_size=3), "columns"):
        columns[name] = data.draw(st.sampled_from(ODD_COLUMNS))
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    assert Outcome.of_content(content.getvalue(), "vpc_parquet").rows(FLOW) == 3
