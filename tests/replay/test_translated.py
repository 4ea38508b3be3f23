"""A replay of both sides of translators: the flows of the inside answer for the far side, however the work is cut."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from strategies import BASE

from attribution.config import HOUR, MINUTE, SECOND, Settings
from attribution.replay import Inputs, Limits, replay
from attribution.schema import ATTRIBUTED_FLOW, FLOW, HEARTBEAT, OWNERSHIP_RANGE, arrow_schema

NAT, LEASED = "203.0.113.9", "203.0.113.20"
SETTINGS = Settings(translated_prefixes=("203.0.113.0/28",), retention=HOUR)
CONNECTIONS, HOURS = 1500, 8


def connection(rng, port, start, workload):
    """A connection of 5 to 40 seconds, as the inside and as the far side logged it."""
    end = start + int(rng.integers(5, 40)) * SECOND
    common = {"start": start, "end": end, "protocol": 6, "basis": "connection"}
    inside = {"local_address": f"10.0.0.{workload}", "local_port": 51_000, "local_workload": f"w{workload}"}
    inside |= {"wire_address": NAT, "wire_port": port, "remote_address": "10.0.9.9", "remote_port": 443}
    far = {"local_address": "10.0.9.9", "local_port": 443, "local_workload": "gw"}
    far |= {"remote_address": NAT, "remote_port": port, "hostname": f"w{workload}.test"}
    return common | inside, common | far, end


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Twenty ports that go from one connection to the next within seconds, and leases of ranges of ports."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("translated")
    free = {port: BASE + int(rng.integers(0, MINUTE)) for port in range(1024, 1044)}
    flows = []
    while len(flows) < 2 * CONNECTIONS:
        port = min(free, key=free.__getitem__)
        inside, far, end = connection(rng, port, free[port], int(rng.integers(1, 9)))
        free[port] = end + int(rng.integers(0, 120 if rng.random() < 0.1 else 4)) * SECOND + 1
        flows += [inside, far]
    seen = [
        {"address": LEASED, "port": 1024 * n, "last_port": 1024 * n + 1023, "protocol": 6, "start": at, "end": at}
        | {"workload": f"w{n}-{(at - BASE) // HOUR}"}
        for n in range(1, 5)
        for at in range(BASE, BASE + HOURS * HOUR, MINUTE)
    ]
    for at in range(BASE + 90 * SECOND, BASE + HOURS * HOUR, 3 * MINUTE):
        far = {"local_address": "10.0.9.9", "remote_address": LEASED, "remote_port": int(rng.integers(1024, 5120))}
        flows.append(far | {"start": at, "end": at, "protocol": 6, "basis": "connection", "local_workload": "gw"})
    for kind, rows in ((FLOW, flows), (HEARTBEAT, seen)):
        order = rng.permutation(len(rows)).tolist()
        full = [dict.fromkeys(arrow_schema(kind).names) | rows[i] for i in order]
        pq.write_table(pa.Table.from_pylist(full, schema=arrow_schema(kind)), folder / f"{kind}.parquet")
    return Inputs(flows=[folder / "flow.parquet"], heartbeats=[folder / "heartbeat.parquet"])


def rows_of(lake, kind):
    return ds.dataset(lake / f"{kind}s", format="parquet").to_table(columns=arrow_schema(kind).names).to_pylist()


def test_the_inside_answers_for_the_far_side_and_slabs_change_nothing(inputs, tmp_path):
    assert replay(inputs, tmp_path / "whole", settings=SETTINGS).slabs == 1
    limits = Limits(evidence_rows=900, flow_bytes=0)
    assert replay(inputs, tmp_path / "cut", settings=SETTINGS, limits=limits).slabs > 3
    for kind in (ATTRIBUTED_FLOW, OWNERSHIP_RANGE):
        whole, cut = (Counter(map(repr, rows_of(tmp_path / name, kind))) for name in ("whole", "cut"))
        assert whole == cut
    rows = rows_of(tmp_path / "whole", ATTRIBUTED_FLOW)
    far = [row for row in rows if row["remote_address"] == NAT]
    assert len(far) == CONNECTIONS
    # The hostname of the test's flows says who it really was.
    assert all(row["remote_workload"] in {None, row["hostname"].removesuffix(".test")} for row in far)
    reasons = Counter(row["remote_reason"] for row in far)
    assert set(reasons) == {"within", "conflict"}, "conflict where the port was another's within the tolerance"
    assert reasons["within"] > 0.6 * CONNECTIONS
    leased = [row for row in rows if row["remote_address"] == LEASED]
    assert {row["remote_reason"] for row in leased} <= {"bridged", "conflict", "gap"}
    named = [row["remote_workload"] for row in leased if row["remote_reason"] == "bridged"]
    assert len(named) > 0.9 * len(leased)
    ranges = rows_of(tmp_path / "whole", OWNERSHIP_RANGE)
    assert {row["last_port"] - row["port"] for row in ranges if row["address"] == LEASED} == {1023}
    assert all(row["longest_gap"] == 0 for row in ranges if row["address"] == NAT)
