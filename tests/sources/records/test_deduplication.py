"""Telling repeated reports from new ones, in bounded memory."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.sources.records.deduplication import FIRST, OTHER_NODE, SAME_NODE, Recent, Repeats, hash_columns

SECOND = 1_000_000


def judge(repeats, *rows):
    """Verdicts of (flow, node, interface, start, end) rows; times in seconds."""
    flow, node, interface, start, end = (list(column) for column in zip(*rows, strict=True))
    seconds = [np.array(column, np.float64) * SECOND for column in (start, end)]
    return repeats.judge(
        hash_columns(pa.array(flow)),
        hash_columns(pa.array(node), pa.array(interface)),
        hash_columns(pa.array(node)),
        *(column.astype(np.int64) for column in seconds),
    ).tolist()


ROWS = [
    ("f", "a", "eth0", 0, 5),
    ("f", "a", "veth1", 0.001, 5),
    ("f", "b", "eth0", 0.2, 5.2),
    ("f", "b", "veth2", 0.2, 5.2),
    ("f", "a", "eth0", 5.1, 9),
    ("f", "a", "eth0", 0, 5),
    ("f", "b", "eth0", 20, 25),
    ("f", "a", "eth0", 20, 25),
    ("g", "a", "veth1", 0, 5),
]
VERDICTS = [FIRST, SAME_NODE, OTHER_NODE, OTHER_NODE, FIRST, SAME_NODE, FIRST, OTHER_NODE, FIRST]


def test_the_first_place_is_believed_until_it_falls_silent():
    assert judge(Repeats(), *ROWS) == VERDICTS


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_verdicts_do_not_depend_on_blocks(size):
    repeats = Repeats()
    assert [v for at in range(0, len(ROWS), size) for v in judge(repeats, *ROWS[at : at + size])] == VERDICTS


def test_memory_is_bounded_and_what_is_forgotten_counts_as_new():
    repeats = Repeats(kept_reports=4, kept_flows=4)
    assert judge(repeats, *((f"f{n}", "a", "eth0", 0, 5) for n in range(4))) == [FIRST] * 4
    assert judge(repeats, ("f3", "a", "eth0", 0, 5), ("f0", "a", "eth0", 0, 5)) == [SAME_NODE, FIRST]


def test_hashes_agree_between_blocks_and_tell_rows_apart():
    addresses, ports = pa.array(["10.0.0.1", None, "10.0.0.2", "10.0.0.1"]), pa.array([1, 2, None, 2])
    together = hash_columns(addresses, ports)
    apart = [hash_columns(addresses[n : n + 1], ports[n : n + 1])[0] for n in range(4)]
    assert together.tolist() == [int(h) for h in apart]
    assert len(set(together.tolist())) == 4
    assert hash_columns(pa.array([1, 2])).tolist() != hash_columns(pa.array([2, 1])).tolist()


def test_a_mapping_that_keeps_what_was_written_last():
    recent = Recent(4)
    for n in range(6):
        recent.put(n, str(n))
    assert [recent.get(n) for n in range(6)] == [None, None, None, None, "4", "5"]
    assert (len(recent), recent.forgotten) == (2, 4)
    recent.put(4, "four")
    assert recent.get(4) == "four"
