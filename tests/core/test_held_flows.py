"""Flows that wait: each comes out once, when it is due, however it came in."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Flow
from records import batch

from attribution.core.columnar.arrays import NEVER_AFTER
from attribution.core.held_flows import HeldFlows
from attribution.schema import FLOW

HOLD = 100


def flows(*ends):
    return batch(FLOW, [Flow(0, end, "10.0.0.1", 1, "10.0.0.2", 2, observer=f"{end}") for end in ends])


def ends_of(batches):
    return sorted(end for rows in batches for end in rows.column("end").cast(pa.int64()).to_pylist())


def test_a_flow_is_due_when_the_watermark_reaches_its_end_and_the_hold():
    held = HeldFlows(HOLD)
    held.add(flows(10, 20))
    assert held.next_due_us == 110
    assert ends_of(held.due(109)) == []
    assert ends_of(held.due(110)) == [10]
    assert (held.next_due_us, held.rows) == (120, 1)
    assert ends_of(held.due(NEVER_AFTER)) == [20]
    assert (held.next_due_us, held.rows) == (NEVER_AFTER, 0)


def test_what_waited_too_long_comes_out_undue():
    held = HeldFlows(HOLD)
    held.add(flows(*[10] * 10_000), arrived_us=1)
    held.add(flows(5, 30), arrived_us=2)
    assert set(ends_of(held.stale(2))) == {10}
    assert (held.next_due_us, held.rows) == (105, 2)


def test_small_batches_that_were_joined_have_waited_as_long_as_the_first_of_them():
    held = HeldFlows(HOLD)
    held.add(flows(10), arrived_us=1)
    held.add(flows(20), arrived_us=2)
    assert ends_of(held.stale(2)) == [10, 20]


def test_nothing_is_held_of_an_empty_batch():
    held = HeldFlows(HOLD)
    held.add(flows())
    assert (held.next_due_us, held.rows, held.flows, held.earliest_start_us) == (NEVER_AFTER, 0, [], NEVER_AFTER)


def test_many_small_batches_come_out_as_one():
    held = HeldFlows(HOLD)
    for end in range(100):
        held.add(flows(end))
    (rows,) = held.due(HOLD + 99)
    assert ends_of([rows]) == list(range(100))


@pytest.mark.parametrize("encode", [True, False])
def test_batches_with_dictionaries_are_left_apart(encode):
    held = HeldFlows(HOLD)
    for end in (1, 2):
        rows = flows(end)
        place = rows.schema.get_field_index("observer")
        column = rows.column(place).dictionary_encode() if encode else rows.column(place)
        held.add(rows.set_column(place, "observer", column))
    assert len(held.due(HOLD + 2)) == (2 if encode else 1)


class Folded:
    """Flows by their ends alone."""

    def __init__(self, *ends):
        self.ends = ends

    def times(self):
        return np.zeros(len(self.ends), np.int64), np.array(self.ends, np.int64)

    def unfold(self):
        return flows(*self.ends)


def test_folded_flows_stay_folded_until_the_first_of_them_is_due():
    held, folded = HeldFlows(HOLD), Folded(20, 10)
    held.add(folded)
    assert (held.next_due_us, held.rows, held.due(109), held.flows) == (110, 2, [], [folded])
    assert ends_of(held.due(110)) == [10]
    assert ends_of(held.flows) == [20]


BATCHES = st.lists(st.tuples(st.sampled_from([flows, Folded]), st.lists(st.integers(0, 50), max_size=5)), max_size=80)


@given(BATCHES, st.lists(st.integers(90, 160), max_size=6))
def test_every_flow_comes_out_once_and_none_early_or_late(batches, watermarks):
    held, out = HeldFlows(HOLD), Counter()
    for made, ends in batches:
        held.add(made(*ends))
    reached = 0
    for watermark in watermarks:
        released = ends_of(held.due(watermark))
        assert all(reached < end + HOLD <= watermark for end in released)
        reached = max(reached, watermark)
        out.update(released)
    out.update(ends_of(held.due(NEVER_AFTER)))
    assert out == Counter(end for _, ends in batches for end in ends)
    assert held.rows == 0
