"""An end that only rounding put before its start is that start; any other one is a fault."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.sources.records.model import Account, Block, Ledger
from attribution.sources.records.validate import canonical

T0 = 1_767_225_600_000_000


def ends(*pairs):
    """The ends of the flows with these times that are kept, and the lines of those that are rejected."""
    rejects = []
    account = Account(Ledger(sink=rejects.append, max_rejected_share=1.0), "native", {})
    columns = {
        "start": pa.array([start for start, _ in pairs]), "end": pa.array([end for _, end in pairs]),
        "local_address": pa.array(["10.0.0.1"] * len(pairs)), "remote_address": pa.array(["10.0.0.2"] * len(pairs)),
    }  # fmt: skip
    batch = canonical(Block("flow", columns, "x", np.arange(1, len(pairs) + 1)), account)
    assert {reject.reason for reject in rejects} <= {"end_before_start"}
    return batch.column("end").cast(pa.int64()).to_pylist(), [reject.line for reject in rejects]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (T0 + 400_000, T0),
        (T0 + 999_999, T0),
        (T0 + 1_000_000, T0 + 700_001),
        (T0 + 5_250, T0 + 5_000),
        (T0 + 123_457, T0 + 123_456),
    ],
)
def test_less_than_the_coarser_unit_is_rounding(start, end):
    assert ends((start, end), (start, start + 5)) == ([start, start + 5], [])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (T0 + 1_000_000, T0),
        (T0 + 1_000_001, T0),
        (T0 + 5_000, T0 + 4_000),
        (T0 + 6_001, T0 + 5_000),
        (T0 + 123_458, T0 + 123_456),
    ],
)
def test_the_unit_and_more_is_a_fault(start, end):
    assert ends((start, end), (start, start + 5)) == ([start + 5], [1])
