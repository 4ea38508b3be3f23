"""A small world of connections that are seen from both ends, late records and ports, and the lake of its replay."""

import json

from attribution.config import Settings
from attribution.replay import Inputs, replay

#: The node whose ports workloads share, and the translator.
NODE, NAT = "10.0.9.9", "203.0.113.9"
DAY = "2026-03-12T11:"


def connection(start, end, local, remote, workload, **more):
    """A native record of a TCP connection; ends are `address:port`, times `02:00` or `02:00.5`, the hour is eleven."""
    row = {"start": f"{DAY}{start}Z", "end": f"{DAY}{end}Z", "protocol": 6, "basis": "connection"}
    for side, text in (("local", local), ("remote", remote)):
        address, port = text.rsplit(":", 1)
        row |= {f"{side}_address": address, f"{side}_port": int(port)}
    if workload is not None:
        row |= {"local_workload": f"{workload}-1", "local_service": workload, "observer": f"node-of-{workload}"}
    for name in ("wire", "remote_wire"):
        if name in more:
            address, port = more.pop(name).rsplit(":", 1)
            row |= {f"{name}_address": address, f"{name}_port": int(port)}
    if "received" in more:
        row["received"] = f"{DAY}{more.pop('received')}Z"
    return row | more


def counted(sent, received):
    return {"bytes_sent": sent, "bytes_received": received, "packets_sent": 1, "packets_received": 1}


def heartbeat(address, workload, start, end=None, **more):
    row = {"address": address, "workload": f"{workload}-1", "service": workload, "start": f"{DAY}{start}Z"}
    return row | {"end": f"{DAY}{end or start}Z"} | more


def lake_of(folder, flows, heartbeats=(), *, settings=None, **more):
    """The lake that a replay of these records writes."""
    given = {"flows": flows, "heartbeats": heartbeats, **more}
    paths = {}
    for name, rows in given.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        paths[name] = [str(path)]
    replay(Inputs(**paths), folder / "lake", settings=settings or Settings())
    return folder / "lake"
