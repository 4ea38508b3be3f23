"""Mutated logs through every reader; `tests/support/mutated_logs.py` tries more of them."""

import pytest
from mutate import failures_apart
from mutated_logs import ALL, COLUMNAR, try_one

from attribution.sources import registry

SEEDS = 15


def test_every_reader_is_tried():
    assert {source.format for source in ALL} == set(registry.names())


@pytest.mark.parametrize("source", [source for source in ALL if source not in COLUMNAR], ids=str)
def test_mutated_logs_are_read_skipped_or_rejected_and_spoil_nothing_beside(source):
    for seed in range(SEEDS):
        try_one(source, seed)


@pytest.mark.parametrize("source", COLUMNAR, ids=str)
def test_mutated_columns_are_read_or_refused(source):
    assert failures_apart(source, 0, SEEDS) == 0
