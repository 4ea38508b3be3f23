"""A replay of input that repeats itself writes the lake of the input without repeats, and says what it left out."""

import gzip
import json
import shutil

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from attribution.config import MINUTE, SECOND
from attribution.replay import Inputs, Limits, replay

T0 = 1_767_225_600 * SECOND


def flow(number):
    start = T0 + number * 7 * MINUTE
    row = {"start": start, "end": start + SECOND, "local_address": "10.0.0.1", "remote_address": "10.0.0.2"}
    return row | {"local_workload": "shop", "protocol": 6, "local_port": number, "record_id": f"r{number}"}


def parquet(path, numbers):
    pq.write_table(pa.Table.from_pylist([flow(number) for number in numbers]), path)


def beats(path, hours=12):
    rows = [
        {"address": address, "workload": address, "start": T0 + minute * MINUTE}
        for minute in range(hours * 60)
        for address in ("10.0.0.2", "10.0.0.3")
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)


def rows_of(summary):
    found = ds.dataset(summary.lake / "attributed_flows", format="parquet").to_table().to_pylist()
    return sorted((row["local_port"], row["remote_workload"], row["remote_reason"]) for row in found)


@pytest.mark.parametrize("evidence_rows", [1000, 1_000_000], ids=["slabs", "in memory"])
def test_repeats_in_files_that_are_read_at_different_times_are_found(tmp_path, evidence_rows):
    beats(tmp_path / "beats")
    once, often = tmp_path / "once", tmp_path / "often"
    for folder in (once, often):
        folder.mkdir()
        parquet(folder / "a", range(60))
        (folder / "b").write_text("".join(json.dumps(flow(number)) + "\n" for number in range(60, 90)))
    # Parquet is read in the second pass, and all else in the first one.
    parquet(often / "c", range(40, 70))
    shutil.copy(often / "a", often / "d")
    (often / "e.gz").write_bytes(gzip.compress((often / "b").read_bytes()))
    (often / "f").write_text("".join(json.dumps(flow(number)) + "\n" for number in range(80, 100)))
    (once / "f").write_text("".join(json.dumps(flow(number)) + "\n" for number in range(90, 100)))
    found = {}
    for folder in (once, often):
        inputs = Inputs(flows=[folder], heartbeats=[tmp_path / "beats"])
        found[folder.name] = replay(
            inputs, tmp_path / f"lake-{folder.name}", limits=Limits(evidence_rows=evidence_rows)
        )
    assert rows_of(found["often"]) == rows_of(found["once"])
    assert len(rows_of(found["once"])) == 100
    assert (found["often"].slabs > 1) == (evidence_rows == 1000)
    assert found["often"].tally.flows == 100
    # 10 of `f` and 30 of `c`.
    assert found["often"].ledger.skipped == {("native", "repeated"): 40, ("native", "same_file"): 2}
    assert found["often"].to_dict()["same_files"] == [
        {"file": str(often / again), "as": str(often / before)} for again, before in (("e.gz", "b"), ("d", "a"))
    ]


def test_flows_that_are_evidence_only_are_no_repeats_of_flows(tmp_path):
    (tmp_path / "x").write_text(json.dumps(flow(0)) + "\n")
    summary = replay(Inputs(flows=[tmp_path / "x"], heartbeats=[tmp_path / "x"]), tmp_path / "lake")
    assert (summary.tally.flows, summary.ledger.skipped) == (1, {})
