"""Batches that are built from parts, and never written to."""

from dataclasses import dataclass

import numpy as np

from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.types import Int64


@dataclass(frozen=True)
class Pairs(AlignedColumns):
    left: Int64
    right: Int64

    def rows(self):
        return [*zip(self.left.tolist(), self.right.tolist(), strict=True)]


def pairs(*rows):
    left, right = zip(*rows, strict=True)
    return Pairs(np.array(left), np.array(right))


SOME = pairs((0, 0), (1, 10), (2, 20))


def test_rows_are_taken_in_the_order_that_is_asked_for():
    assert SOME.take(np.array([2, 0, 2])).rows() == [(2, 20), (0, 0), (2, 20)]
    assert len(SOME.take(np.array([], np.int64))) == 0


def test_a_part_replaces_its_rows_in_a_copy_and_the_last_part_counts():
    made = SOME.with_parts((np.array([2, 0]), pairs((7, 70), (5, 50))), (np.array([0]), pairs((6, 60))))
    assert made.rows() == [(6, 60), (1, 10), (7, 70)]
    assert SOME.rows() == [(0, 0), (1, 10), (2, 20)]


def test_without_parts_the_batch_itself_is_given():
    assert SOME.with_parts() is SOME


def test_a_mask_chooses_between_two_batches():
    other = pairs((7, 70), (8, 80), (9, 90))
    assert SOME.where(np.array([False, True, False]), other).rows() == [(0, 0), (8, 80), (2, 20)]
