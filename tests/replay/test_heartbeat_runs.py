"""Heartbeats come back from disk as they were put there, by the hour."""

from collections import Counter

import pyarrow as pa

from attribution.config import HOUR, MINUTE
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.replay.heartbeat_runs import HeartbeatRuns
from attribution.schema import HEARTBEAT, arrow_schema


def beat(address, workload, start, *, service=None, port=None):
    row = {"address": address, "port": port, "protocol": port and 17, "workload": workload, "service": service}
    return row | {"start": start, "end": start + MINUTE, "observer": None}


def heartbeats(rows):
    return Heartbeats.of(pa.Table.from_pylist(rows, schema=arrow_schema(HEARTBEAT)))


def rows_of(found):
    """As a multiset of rows."""
    rows = found.table().to_pylist()
    schema = arrow_schema(HEARTBEAT)
    return Counter(tuple(row[name] for name in schema.names) for row in rows)


FIRST = [
    beat("10.0.0.1", "a", 0),
    beat("10.0.0.2", "b", 3 * HOUR, service="web", port=53),
    beat("10.0.0.1", "c", HOUR - 1, service="api"),
]
SECOND = [beat("10.0.0.3", "c", 5), beat("10.0.0.1", "a", 4 * HOUR, service="web")]


def test_what_was_put_aside_comes_back_by_the_hour(tmp_path):
    runs = HeartbeatRuns(tmp_path / "runs")
    for rows in (FIRST, SECOND, []):
        runs.add(heartbeats(rows))
    assert runs.rows == {0: 3, 3: 1, 4: 1}
    assert runs.read([1, 2]) == []
    expected = {0: [FIRST[0], FIRST[2], SECOND[0]], 3: [FIRST[1]], 4: [SECOND[1]]}
    for hours in ([0], [3], [0, 3, 4]):
        found = Heartbeats.joined(runs.read(hours))
        assert rows_of(found) == rows_of(heartbeats([row for hour in hours for row in expected[hour]]))
    runs.close()
    assert list(tmp_path.iterdir()) == []


def test_texts_that_no_heartbeat_of_the_hour_has_are_not_read_back(tmp_path):
    runs = HeartbeatRuns(tmp_path / "runs")
    runs.add(heartbeats(FIRST))
    (found,) = runs.read([3])
    assert found.addresses.to_pylist() == ["10.0.0.2"]
    assert found.workloads.to_pylist() == ["b"]
    assert found.services.to_pylist() == ["web"]
