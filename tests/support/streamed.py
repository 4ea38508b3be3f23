"""Attributed flows that are known by their number, for what is written and read again."""

import pyarrow as pa
import pyarrow.parquet as pq

from attribution import schema

HOUR = 3_600_000_000
T0 = 1_767_225_600_000_000


def attributed(numbers, *, every=HOUR // 4):
    """Attributed flows with these numbers as their bytes; one starts `every` microseconds after the other."""
    rows = [
        {
            "start": T0 + number * every,
            "end": T0 + number * every,
            "local_address": "10.0.0.1",
            "remote_address": "10.0.0.2",
            "local_workload": "w",
            "local_service": "web",
            "direction": "egress",
            "basis": "connection",
            "bytes_sent": number,
            "bytes_received": 1,
            "local_method": "capture",
            "local_reason": "reported",
            "remote_workload": "v",
            "remote_service": "db",
            "remote_method": "heartbeat",
            "remote_reason": "covered",
            "remote_distance": 0,
        }
        for number in numbers
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema.arrow_schema(schema.ATTRIBUTED_FLOW))


def numbers_in(lake):
    """The numbers of all flows that a reader of the lake sees, in order."""
    paths = (lake / "attributed_flows").glob("date=*/hour=*/*.parquet")
    return sorted(n for path in paths for n in pq.read_table(path, partitioning=None).column("bytes_sent").to_pylist())
