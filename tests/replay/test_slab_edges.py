"""Flows at the edges of slabs: each goes out once, with the answer that it has without slabs."""

import json

import pyarrow.parquet as pq
import pytest

from attribution.config import HOUR, MINUTE, SECOND, Settings
from attribution.lake.layout import FOLDERS
from attribution.replay import Inputs, Limits, replay
from attribution.schema import ATTRIBUTED_FLOW

T0 = 490_000 * HOUR
FLOW = {"local_address": "192.0.2.1", "remote_address": "192.0.2.2", "remote_port": 443, "protocol": 6}
EVERY_MINUTE = [{"address": "192.0.2.2", "workload": "w", "start": T0 + at * MINUTE} for at in range(180)]


def answers(folder, flows, *, settings, rows):
    """Reasons of the remote sides, by start, and the number of slabs; `rows` of evidence fit into memory."""
    for name, records in (("flows", flows), ("beats", EVERY_MINUTE)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    inputs = Inputs(flows=[folder / "flows.jsonl"], heartbeats=[folder / "beats.jsonl"])
    summary = replay(inputs, folder / "lake", settings=settings, limits=Limits(evidence_rows=rows))
    files = sorted((folder / "lake" / FOLDERS[ATTRIBUTED_FLOW]).rglob("*.parquet"))
    found = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    return [row["remote_reason"] for row in sorted(found, key=lambda row: row["start"])], summary.slabs


@pytest.mark.parametrize("rows", [1000, 50], ids=["whole", "slabs"])
def test_flows_that_wait_go_out_though_none_starts_in_the_next_slab(tmp_path, rows):
    flows = [FLOW | {"start": T0 + at, "end": T0 + at + SECOND} for at in (HOUR - MINUTE, 2 * HOUR - MINUTE)]
    found, slabs = answers(tmp_path, flows, settings=Settings(), rows=rows)
    assert (slabs > 1) == (rows < 1000)
    assert found == ["bridged", "bridged"]


@pytest.mark.parametrize("rows", [1000, 50], ids=["whole", "slabs"])
def test_an_export_has_its_answer_though_it_asks_from_before_the_slab_in_which_it_starts(tmp_path, rows):
    exported = {"start": T0 + 2 * HOUR + SECOND, "end": T0 + 2 * HOUR + SECOND, "basis": "export"}
    flows = [FLOW | {"start": T0 + MINUTE, "end": T0 + MINUTE}, FLOW | exported]
    found, slabs = answers(tmp_path, flows, settings=Settings(active_timeout=30 * MINUTE), rows=rows)
    assert (slabs > 1) == (rows < 1000)
    assert found == ["bridged", "bridged"]
