"""Lakes for the tests of questions: written as the layout in the documentation says, with answers known by heart."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from attribution.config import Settings
from attribution.lake.layout import LAKE_FORMAT
from attribution.schema import arrow_schema

DAY = datetime(2026, 1, 5, tzinfo=UTC)

#: address -> (workload, service)
HOSTS = {
    "10.0.0.1": ("web-1", "web"),
    "10.0.0.2": ("web-2", "web"),
    "10.0.0.11": ("api-1", "api"),
    "10.0.0.12": ("api-2", "api"),
    "10.0.0.21": ("db-1", "db"),
    "10.0.0.31": ("lonely-1", None),
}


def at(text):
    """`12:00:10` of the day of the tiny lake."""
    clock = datetime.fromisoformat(f"2026-01-05T{text}")
    return clock.replace(tzinfo=UTC)


def flow(start, local, remote, **fields):
    """One attributed flow: both ends `address:port`, attributed by `HOSTS` unless the fields say otherwise."""
    (local_address, local_port), (remote_address, remote_port) = (end.rsplit(":", 1) for end in (local, remote))
    row = dict.fromkeys(arrow_schema("attributed_flow").names) | {
        "start": start if isinstance(start, datetime) else at(start),
        "local_address": local_address,
        "local_port": int(local_port),
        "remote_address": remote_address,
        "remote_port": int(remote_port),
        "protocol": 6,
        "direction": "egress",
        "basis": "connection",
        "region": "eu-1",
        "observer": "node-1",
    }
    workload, service = HOSTS.get(local_address, (None, None))
    row |= {"local_workload": workload, "local_service": service, "local_method": "capture", "local_reason": "reported"}
    workload, service = HOSTS.get(remote_address, (None, None))
    row |= {"remote_workload": workload, "remote_service": service}
    row |= {"remote_method": "heartbeat", "remote_reason": "covered", "remote_distance": 0}
    if workload is None:
        row |= {"remote_method": "none", "remote_reason": "unknown", "remote_distance": None}
    row |= fields
    row["end"] = row["end"] or row["start"] + timedelta(seconds=2)
    return row


def traffic(sent, received, packets_sent=1, packets_received=1):
    return {
        "bytes_sent": sent,
        "bytes_received": received,
        "packets_sent": packets_sent,
        "packets_received": packets_received,
    }


FLOWS = [
    # web to api: both ends log the first, the client alone the second.
    flow("12:00:10", "10.0.0.1:40001", "10.0.0.11:8080", **traffic(100, 1000, 2, 3)),
    flow("12:00:10", "10.0.0.11:8080", "10.0.0.1:40001", direction="ingress", **traffic(1000, 100, 3, 2)),
    flow(
        "12:05:00", "10.0.0.2:40002", "10.0.0.11:8080", remote_reason="bridged", remote_distance=30_000_000,
        **traffic(50, 500),
    ),
    # api to db: the server logs one flow more than the client.
    flow("12:10:00", "10.0.0.11:40003", "10.0.0.21:5432", **traffic(20, 30)),
    flow("12:10:00", "10.0.0.21:5432", "10.0.0.11:40003", direction="ingress", region="us-1", **traffic(30, 20)),
    flow("12:11:00", "10.0.0.21:5432", "10.0.0.11:40004", direction="ingress", region="us-1", **traffic(31, 21)),
    # A label, an address with a gap, an unknown one of which the client knows a name.
    flow(
        "12:15:00", "10.0.0.1:40005", "52.1.2.3:443", remote_service="object store", remote_method="label",
        remote_reason="prefix", remote_hostname="bucket.example", **traffic(10, 20),
    ),
    flow("12:20:00", "10.0.0.1:40006", "10.0.0.99:8080", remote_reason="gap", **traffic(7, 0)),
    flow("12:21:00", "10.0.0.2:40007", "8.8.8.8:53", protocol=17, remote_hostname="dns.example", **traffic(1, 2)),
    # Windows with traffic one way: nobody knows who opened it; both ends log it.
    flow(
        "13:00:00", "10.0.0.21:5432", "10.0.0.1:50000", end=at("13:10:00"), basis="window", direction="egress",
        bytes_sent=900, packets_sent=9,
    ),
    flow(
        "13:00:00", "10.0.0.1:50000", "10.0.0.21:5432", end=at("13:10:00"), basis="window", direction="ingress",
        bytes_received=900, packets_received=9,
    ),
    # Within one service, logged at both ends; a workload without a service, and without bytes.
    flow("13:30:00", "10.0.0.11:40008", "10.0.0.12:9000", **traffic(5, 6)),
    flow("13:30:00", "10.0.0.12:9000", "10.0.0.11:40008", direction="ingress", **traffic(6, 5)),
    flow("13:40:00", "10.0.0.31:40009", "10.0.0.21:5432"),
    # Later, much more from web to api.
    flow("13:59:59", "10.0.0.1:40010", "10.0.0.11:8080", **traffic(5000, 6000)),
]  # fmt: skip


def held(address, workload, service, start, end, *, port=None, protocol=6, longest_gap=60_000_000, holes=()):
    return {
        "address": address,
        "port": port,
        "protocol": None if port is None else protocol,
        "workload": workload,
        "service": service,
        "start": start if isinstance(start, datetime) else at(start),
        "end": end if isinstance(end, datetime) else at(end),
        "longest_gap": longest_gap,
        "holes": [{"start": at(a), "end": at(b)} for a, b in holes],
    }


RANGES = [
    *(held(address, *host, "11:00:00", "14:00:00") for address, host in HOSTS.items()),
    # 10.0.0.99 changed hands twice while nobody looked, and three ports of 10.0.0.50 are three services.
    held("10.0.0.99", "old-1", "old", "11:00:00", "12:18:00", longest_gap=61_000_000),
    held("10.0.0.99", "new-1", "new", "12:22:30", "13:00:00", longest_gap=0),
    held(
        "10.0.0.99", "newer-1", "new", "12:50:00", "14:00:00", holes=[("12:55:00", "12:56:30")], longest_gap=90_000_000
    ),
    held("10.0.0.50", "shared-1", "one", "11:00:00", "14:00:00", port=8001),
    held("10.0.0.50", "shared-2", "two", "11:00:00", "14:00:00", port=8002),
    held("10.0.0.50", "shared-3", "three", "11:00:00", "14:00:00", port=8002, protocol=17),
    held("2001:db8::7", "six-1", "six", "11:00:00", "14:00:00", longest_gap=0),
]


def event(address, time, action, owner, service=None, kind="load_balancer"):
    return {
        "address": address, "port": None, "protocol": None, "owner": owner, "service": service, "kind": kind,
        "action": action, "time": at(time),
    }  # fmt: skip


ASSIGNMENTS = [
    event("10.9.0.1", "10:00:00", "assign", "lb-1", "edge"),
    event("10.9.0.1", "12:30:00", "release", "lb-1"),
    event("10.9.0.1", "12:45:00", "assign", "lb-2", "edge-two"),
]
LABELS = [
    {"prefix": "52.0.0.0/8", "service": "cloud", "kind": "aws", "region": "us-1"},
    {"prefix": "52.1.0.0/16", "service": "object store", "kind": "aws", "region": "us-1"},
    {"prefix": "2600::/16", "service": "six cloud", "kind": None, "region": None},
]
NAME_BINDINGS = [
    {
        "client_address": client, "server_address": "52.1.2.3", "hostname": "bucket.example", "time": at("12:14:00"),
        "ttl": 60.0,
    }
    for client in ("10.0.0.1", "10.0.0.2")
]  # fmt: skip


def policy(name, pool, prefix, *, match=None, ttl=None, start=None, end=None):
    """A record of a policy; start and end are `12:00:10` of the day, or None."""
    return {
        "policy": name, "pool": pool, "prefix": prefix, "match": match, "priority": None, "ttl": ttl,
        "start": start and at(start), "end": end and at(end),
    }  # fmt: skip


def pooled(side, pool, policies, state="in_force", **fields):
    """The columns of a flow's end at an address of a pool."""
    columns = {"workload": None, "service": None, "distance": None, "method": "policy", "reason": "pooled"}
    columns |= {"pool": pool, "policy": policies, "policy_state": state}
    return {f"{side}_{name}": value for name, value in (columns | fields).items()}


def write_lake(
    folder: Path,
    *,
    flows=(),
    ranges=(),
    assignments=(),
    labels=(),
    name_bindings=(),
    policies=(),
    socket_rules=(),
    settings=None,
) -> Path:
    folder.mkdir(parents=True)
    _write(
        folder,
        "attributed_flows",
        "attributed_flow",
        flows,
        lambda row: f"date={row['start']:%Y-%m-%d}/hour={row['start']:%H}",
    )
    _write(folder, "ownership_ranges", "ownership_range", ranges, lambda row: f"date={row['start']:%Y-%m-%d}")
    _write(folder, "assignments", "assignment", assignments, lambda _: ".")
    _write(folder, "labels", "label", labels, lambda _: ".")
    _write(folder, "name_bindings", "name_binding", name_bindings, lambda _: ".")
    _write(folder, "policies", "policy", policies, lambda _: ".")
    _write(folder, "socket_rules", "socket_rule", socket_rules, lambda _: ".")
    manifest = {"format": LAKE_FORMAT, "written_by": "0", "settings": (settings or Settings()).to_dict(), "summary": {}}
    (folder / "lake.json").write_text(json.dumps(manifest))
    return folder


def write_tiny_lake(folder: Path) -> Path:
    return write_lake(
        folder,
        flows=FLOWS,
        ranges=RANGES,
        assignments=ASSIGNMENTS,
        labels=LABELS,
        name_bindings=NAME_BINDINGS,
    )


def _write(folder, name, record, rows, partition):
    parts = {}
    for row in rows:
        parts.setdefault(partition(row), []).append(row)
    for part, its_rows in parts.items():
        target = folder / name / part
        target.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(its_rows, schema=arrow_schema(record))
        pq.write_table(table, target / "part-0.parquet", compression="zstd", store_schema=False)
