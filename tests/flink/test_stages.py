"""The streaming stages, without Flink: the oracle's answers in whatever order, batching and crashes evidence comes."""

import itertools
from dataclasses import replace

import pyarrow as pa
import pytest
from embedded_stream import EmbeddedStream
from golden_cases import CASES, case_name
from hypothesis import given
from hypothesis import strategies as st
from oracle import attribute, ownership_ranges
from records import answers, attributed_row, batch, ownership, package_settings
from strategies import any_history

from attribution.core.distinct import plain
from attribution.schema import ASSIGNMENT, FLOW, HEARTBEAT, LABEL, NAME_BINDING


def stream_of(settings, evidence, **options):
    labels = pa.Table.from_batches([batch(LABEL, evidence.labels)])
    return EmbeddedStream(package_settings(settings), labels=labels, **options)


def numbered(flows):
    return [replace(flow, observer=str(number)) for number, flow in enumerate(flows)]


def found(stream):
    """The answer of each flow, by its number."""
    pairs = [
        pair
        for rows in stream.attributed
        for pair in zip(rows.column("observer").to_pylist(), answers(plain(rows)), strict=True)
    ]
    assert len(pairs) == len({number for number, _ in pairs})
    return [answer for _, answer in sorted(pairs, key=lambda pair: int(pair[0]))]


def elements(evidence, flows):
    kinds = ((HEARTBEAT, evidence.heartbeats), (ASSIGNMENT, evidence.assignments))
    kinds += ((NAME_BINDING, evidence.name_bindings), (FLOW, flows))
    return [(kind, record) for kind, records in kinds for record in records]


@pytest.mark.parametrize("buckets", [1, 5])
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_stages_give_the_expected_rows(case, buckets):
    stream = stream_of(case.settings, case.evidence, buckets=buckets)
    for kind, record in elements(case.evidence, numbered(case.flows)):
        stream.send(kind, batch(kind, [record]), span="none")
    stream.finish()
    rows = zip(case.rows("flows.jsonl"), found(stream), strict=True)
    assert [attributed_row(row, answer) for row, answer in rows] == case.expected


@given(any_history, st.data())
def test_order_batching_and_crashes_change_no_answer(history, data):
    stream = stream_of(history.settings, history.evidence, buckets=data.draw(st.integers(1, 4), label="buckets"))
    flows = numbered(history.flows)
    pending = data.draw(st.permutations(elements(history.evidence, flows)), label="order")
    while pending:
        size = data.draw(st.integers(1, len(pending)), label="size")
        part, pending = pending[:size], pending[size:]
        for kind, group in itertools.groupby(part, key=lambda one: one[0]):
            stream.send(kind, batch(kind, [record for _, record in group]), span="none")
        if data.draw(st.booleans(), label="crash"):
            stream.crash()
        if data.draw(st.booleans(), label="settle"):
            stream.settle()
    stream.finish()
    assert found(stream) == [attribute(history.evidence, flow, history.settings) for flow in flows]
    expected = ownership_ranges(history.evidence.heartbeats, history.settings)
    assert sorted(map(repr, ownership(stream.table_of_ranges()))) == sorted(map(repr, expected))
