"""What a Hubble event says: a packet or request that passed a node, and which of its pods it came from or went to."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column, Int64
from attribution.sources.formats.hubble.endpoints import clusters, first, is_source_local, number, pod_of
from attribution.sources.json.lines import Path
from attribution.sources.records.raw_columns import either, mask, no_empty, null_where, take, take_all, text
from attribution.sources.records.timestamps import micros

_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_PORTS = {"TCP": "6", "UDP": "17", "SCTP": "132"}
_ICMP = {"ICMPv4": "1", "ICMPv6": "58"}
_PASSED = pa.array(["FORWARDED", "REDIRECTED", "AUDIT"])
_DROPPED = pa.array(["DROPPED", "ERROR"])
#: What stands in place of a flow in a stream of Hubble's answers, with a field that each has.
_OTHER_EVENTS = {
    "lost_events": "source",
    "node_status": "state_change",
    "agent_event": "type",
    "debug_event": "type",
}

_OF_FLOW: dict[str, Path] = {
    **{name: (name,) for name in ("time", "verdict", "Type", "node_name", "is_reply", "traffic_direction", "uuid")},
    "source_ip": ("IP", "source"),
    "destination_ip": ("IP", "destination"),
    **{f"{p}_{end}": ("l4", p, f"{end}_port") for p in _PORTS for end in ("source", "destination")},
    **{p: ("l4", p, "type") for p in _ICMP},
    **{flag: ("l4", "TCP", "flags", flag) for flag in _FLAGS},
    **{
        f"{end}_{f}": (end, f)
        for end in ("source", "destination")
        for f in ("ID", "cluster_name", "namespace", "pod_name", "pod_uid", "workloads")
    },
    **{f"{end}_names": (f"{end}_names",) for end in ("source", "destination")},
    "l7_type": ("l7", "type"),
    "url": ("l7", "http", "url"),
    **{f"dns_{f}": ("l7", "dns", f) for f in ("query", "ips", "ttl", "rcode")},
}
#: The fields that are lists.
LISTS = ("source_workloads", "destination_workloads", "source_names", "destination_names", "dns_ips")


def fields(*, wrapped: bool) -> dict[str, Path]:
    """The fields to read of each line: `{"flow": {…}, "node_name": …}` where wrapped, else the flow itself."""
    if not wrapped:
        return _OF_FLOW
    envelope: dict[str, Path] = {name: (name, field) for name, field in _OTHER_EVENTS.items()}
    return {name: ("flow", *path) for name, path in _OF_FLOW.items()} | envelope


@dataclass(frozen=True)
class Events:
    """What a piece of events says: raw columns of each kind, and the index of the event of each row.

    Attributes:
        flows, flow_row: forwarded packets and requests, replies left out.
        heartbeats, heartbeat_row: pods of the node that are no flow's local side.
        names, name_row: one for each address in a DNS answer.
        bad_time: mask of events whose time cannot be read.
        unknown: mask of lines that are no event of Hubble.
        skipped: reason -> events that carry no record.
    """

    flows: dict[str, Column]
    flow_row: Int64
    heartbeats: dict[str, Column]
    heartbeat_row: Int64
    names: dict[str, Column]
    name_row: Int64
    bad_time: Bool
    unknown: Bool
    skipped: dict[str, int]


def events(columns: dict[str, Column], network: str | None = None) -> Events:
    """The records of events that hold `fields`.

    Args:
        columns: by name of `fields`.
        network: that of clusters without a name of their own (`Input.network`).
    """
    verdict = text(columns["verdict"])
    is_flow = mask(pc.is_valid(verdict)) | mask(pc.is_valid(columns["source_ip"]))
    other = ~is_flow & np.logical_or.reduce(
        [mask(pc.is_valid(columns[n])) if n in columns else np.zeros(len(is_flow), np.bool_) for n in _OTHER_EVENTS]
    )
    socket = is_flow & mask(pc.equal(text(columns["Type"]), "SOCK"))
    dropped = is_flow & ~socket & mask(pc.is_in(verdict, _DROPPED))
    passed = is_flow & ~socket & mask(pc.is_in(verdict, _PASSED))
    addressed = mask(pc.is_valid(no_empty(columns["source_ip"]))) & mask(
        pc.is_valid(no_empty(columns["destination_ip"]))
    )
    time = micros(columns["time"], "s")
    bad_time = passed & addressed & mask(pc.is_null(time))
    row = np.flatnonzero(passed & addressed & ~bad_time)
    event = take_all(columns | {"time": time}, row)
    reply = mask(event["is_reply"]) if pa.types.is_boolean(event["is_reply"].type) else np.zeros(len(row), np.bool_)
    event |= clusters(event, network)
    source_is_local = is_source_local(event, reply)
    answer = mask(pc.equal(text(event["l7_type"]), "RESPONSE")) & mask(pc.is_valid(event["dns_query"]))
    names, name_row = _names(event, answer, source_is_local)
    flow_row = np.flatnonzero(~reply)
    beats, beat_row = _heartbeats(event, reply, source_is_local)
    named = np.zeros(len(row), np.bool_)
    named[name_row] = True
    skipped = {
        "other_event": int(other.sum()),
        "socket_event": int(socket.sum()),
        "dropped": int(dropped.sum()),
        "no_verdict": int((is_flow & ~socket & ~dropped & ~passed).sum()),
        "no_address": int((passed & ~addressed).sum()),
        "no_answer": int((answer & reply & ~named).sum()),
        "reply": int((reply & ~answer).sum()),
    }
    flows = _flows(take_all(event, flow_row), pa.array(source_is_local[flow_row]))
    return Events(
        flows, row[flow_row], beats, row[beat_row], names, row[name_row], bad_time, ~is_flow & ~other, skipped
    )


def _flows(event: dict[str, Column], source_is_local: Column) -> dict[str, Column]:
    swap = pc.invert(source_is_local)
    source, destination = pod_of(event, "source"), pod_of(event, "destination")
    local_address, remote_address = either(swap, event["source_ip"], event["destination_ip"])
    ports = [pc.coalesce(*(number(event[f"{p}_{end}"]) for p in _PORTS)) for end in ("source", "destination")]
    local_port, remote_port = either(swap, *ports)
    workload, _ = either(swap, source["workload"], destination["workload"])
    service, _ = either(swap, source["service"], destination["service"])
    local_cluster, remote_cluster = either(swap, event["source_cluster"], event["destination_cluster"])
    return {
        "start": event["time"],
        "end": event["time"],
        "local_address": local_address,
        "local_port": local_port,
        "remote_address": remote_address,
        "remote_port": remote_port,
        "protocol": _protocol(event),
        "direction": pc.if_else(swap, "ingress", "egress"),
        "tcp_flags": _tcp_flags(event),
        "local_workload": workload,
        "local_service": service,
        "local_network": pc.coalesce(local_cluster, event["cluster"]),
        "remote_network": remote_cluster,
        "hostname": _hostname(event, swap),
        "observer": text(event["node_name"]),
        "record_id": no_empty(event["uuid"]),
    }


def _heartbeats(event: dict[str, Column], reply: Bool, source_is_local: Bool) -> tuple[dict[str, Column], Int64]:
    """Pods of the node at either end, but for the local side of what is a flow."""
    found, rows = [], []
    for end, is_local in (("source", source_is_local), ("destination", ~source_is_local)):
        pod = pod_of(event, end)
        row = np.flatnonzero(mask(pc.is_valid(pod["workload"])) & (reply | ~is_local))
        beat = {
            "address": text(event[f"{end}_ip"]),
            "network": pc.coalesce(event[f"{end}_cluster"], event["cluster"]),
            **pod,
            "start": event["time"],
            "end": event["time"],
            "observer": text(event["node_name"]),
        }
        found.append(take_all(beat, row))
        rows.append(row)
    return {name: pa.concat_arrays([f[name] for f in found]) for name in found[0]}, np.concatenate(rows)


def _names(event: dict[str, Column], answer: Bool, source_is_local: Bool) -> tuple[dict[str, Column], Int64]:
    """Name bindings of DNS answers; the client is the node's own side where the query left it, else the other."""
    told = event["dns_ips"]
    if not pa.types.is_list(told.type):
        told = pa.nulls(len(told), pa.list_(pa.string()))
    ok = answer & (np.asarray(pc.fill_null(number(event["dns_rcode"]), 0)) == 0)
    rows = np.flatnonzero(ok)
    told = take(told, rows)
    row = rows[np.asarray(pc.list_parent_indices(told))]
    left = mask(pc.equal(text(event["traffic_direction"]), "EGRESS"))
    asked_by_source = pa.array(source_is_local == left)
    client = pc.if_else(asked_by_source, text(event["source_ip"]), text(event["destination_ip"]))
    cluster = pc.if_else(asked_by_source, event["source_cluster"], event["destination_cluster"])
    names = {
        "network": take(pc.coalesce(cluster, event["cluster"]), row),
        "client_address": take(client, row),
        "server_address": pc.list_flatten(told),
        "hostname": take(text(event["dns_query"]), row),
        "time": take(event["time"], row),
        "ttl": take(event["dns_ttl"], row),
    }
    return names, row


def _only(names: Column) -> Column:
    """The one item of each list, null where there is none or several."""
    array = one_array(names)
    if not pa.types.is_list(array.type):
        return pa.nulls(len(array), pa.string())
    several = pc.not_equal(pc.fill_null(pc.list_value_length(array), 0), 1)
    return null_where(several, first(pc.list_parent_indices(array), pc.list_flatten(array), len(array)))


def _hostname(event: dict[str, Column], swap: Column) -> Column:
    """The host of a request to the remote side, else the one DNS name that Cilium knows for a remote outside."""
    url = text(event["url"])
    host = pc.struct_field(pc.extract_regex(url, r"^[a-z]+://(?:[^/@]*@)?(?P<host>[^/:?#\[\]]+)"), ["host"])
    source, destination = (
        null_where(pc.is_valid(no_empty(event[f"{end}_pod_name"])), _only(event[f"{end}_names"]))
        for end in ("source", "destination")
    )
    return pc.coalesce(no_empty(null_where(swap, host)), pc.if_else(swap, source, destination))


def _protocol(event: dict[str, Column]) -> Column:
    known = [pc.is_valid(event[f"{p}_destination"]) for p in _PORTS] + [pc.is_valid(event[p]) for p in _ICMP]
    numbers = [*_PORTS.values(), *_ICMP.values()]
    return pc.case_when(pc.make_struct(*known), *(pa.scalar(int(number)) for number in numbers))


def _tcp_flags(event: dict[str, Column]) -> Column:
    """The OR of the flags; null where there are none, as in a request."""
    total = np.zeros(len(event["time"]), np.int64)
    for bit, flag in enumerate(_FLAGS):
        if pa.types.is_boolean(event[flag].type):
            total |= mask(event[flag]).astype(np.int64) << bit
    return pa.array(total, mask=total == 0)
