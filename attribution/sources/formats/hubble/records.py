"""What a Hubble event says: a packet or request that passed a node, and which of its pods it came from or went to."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column, Int64
from attribution.sources.formats.hubble.endpoints import clusters, is_source_local, pod_of
from attribution.sources.formats.hubble.values import FLAGS, first, flag, number, replies, texts_in
from attribution.sources.json.lines import Path
from attribution.sources.records.raw_columns import alike, either, mask, no_empty, null_where, take, take_all, text
from attribution.sources.records.timestamps import micros

_PORTS = {"TCP": "6", "UDP": "17", "SCTP": "132"}
_ICMP = {"ICMPv4": "1", "ICMPv6": "58"}
_PASSED = pa.array(["FORWARDED", "REDIRECTED", "AUDIT"])
_DROPPED = pa.array(["DROPPED", "ERROR"])
#: TCP, DCCP and SCTP: what passes their ports is of a connection.
_CONNECTS = pa.array([6, 33, 132], pa.int64())
#: How many events a record of an exporter that aggregates stands for, by the direction of their connections.
_COUNTS = ("ingress_flow_count", "egress_flow_count", "unknown_direction_flow_count")
#: What the envelope tells, too; a field mask leaves it out of the flow, and never out of the envelope.
_OF_ENVELOPE = ("time", "node_name")
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
    **{name: ("l4", "TCP", "flags", name) for name in FLAGS},
    **{name: ("aggregate", name) for name in _COUNTS},
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
#: The fields of which an object or a list tells nothing.
TEXTS = (
    *(f"{end}_{f}" for end in ("source", "destination") for f in ("cluster_name", "namespace", "pod_name", "pod_uid")),
    *("node_name", "envelope_node_name", "uuid", "l7_type", "url", "dns_query"),
)


def fields(*, wrapped: bool) -> dict[str, Path]:
    """The fields to read of each line: `{"flow": {…}, "node_name": …}` where wrapped, else the flow itself."""
    if not wrapped:
        return _OF_FLOW
    envelope: dict[str, Path] = {name: (name, field) for name, field in _OTHER_EVENTS.items()}
    envelope |= {f"envelope_{name}": (name,) for name in _OF_ENVELOPE}
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
    columns = columns | {name: _told(columns, name) for name in _OF_ENVELOPE}
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
    replied = replies(event)
    reply = mask(replied)
    event |= clusters(event, network) | {"replied": replied, "protocol": _protocol(event)}
    source_is_local = is_source_local(event, replied)
    answer = mask(pc.equal(text(event["l7_type"]), "RESPONSE")) & mask(pc.is_valid(event["dns_query"]))
    names, name_row = _names(event, answer)
    flow_row = np.flatnonzero(~reply)
    event |= {"flow_count": _flow_count(event)}
    connects = mask(pc.is_in(event["protocol"], _CONNECTS)) & mask(pc.is_null(event["flow_count"]))
    beats, beat_row = _heartbeats(event, ~reply & connects, source_is_local)
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
    # Of events that are no connection's the reader makes heartbeats itself.
    basis = pc.if_else(pc.is_valid(event["flow_count"]), "window", pa.scalar(None, pa.string()))
    local_cluster, remote_cluster = either(swap, event["source_cluster"], event["destination_cluster"])
    return {
        "start": event["time"],
        "end": event["time"],
        "local_address": local_address,
        "local_port": local_port,
        "remote_address": remote_address,
        "remote_port": remote_port,
        "protocol": event["protocol"],
        # Who opened it is known if it is known that this is no reply.
        "direction": null_where(pc.is_null(event["replied"]), pc.if_else(swap, "ingress", "egress")),
        "tcp_flags": _tcp_flags(event),
        "flow_count": event["flow_count"],
        "basis": basis,
        "local_workload": workload,
        "local_service": service,
        "local_network": pc.coalesce(local_cluster, event["cluster"]),
        "remote_network": remote_cluster,
        "hostname": _hostname(event, swap),
        "observer": text(event["node_name"]),
        "record_id": no_empty(event["uuid"]),
    }


def _heartbeats(event: dict[str, Column], connects: Bool, source_is_local: Bool) -> tuple[dict[str, Column], Int64]:
    """Pods of the node at either end, but for the local side of a connection, which is a heartbeat as it is."""
    found, rows = [], []
    for end, is_local in (("source", source_is_local), ("destination", ~source_is_local)):
        pod = pod_of(event, end)
        row = np.flatnonzero(mask(pc.is_valid(pod["workload"])) & ~(connects & is_local))
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


def _names(event: dict[str, Column], answer: Bool) -> tuple[dict[str, Column], Int64]:
    """Name bindings of DNS answers; an answer goes to its client."""
    told = texts_in(event["dns_ips"])
    ok = answer & (np.asarray(pc.fill_null(number(event["dns_rcode"]), 0)) == 0)
    rows = np.flatnonzero(ok)
    told = take(told, rows)
    row = rows[np.asarray(pc.list_parent_indices(told))]
    names = {
        "network": take(pc.coalesce(event["destination_cluster"], event["cluster"]), row),
        "client_address": take(text(event["destination_ip"]), row),
        "server_address": pc.list_flatten(told),
        "hostname": take(text(event["dns_query"]), row),
        "time": take(event["time"], row),
        "ttl": take(event["dns_ttl"], row),
    }
    return names, row


def _only(names: Column) -> Column:
    """The one item of each list, null where there is none or several."""
    array = texts_in(names)
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
    known = [pc.or_(*(pc.is_valid(event[f"{p}_{end}"]) for end in ("source", "destination"))) for p in _PORTS]
    known += [pc.is_valid(event[p]) for p in _ICMP]
    numbers = [*_PORTS.values(), *_ICMP.values()]
    return pc.case_when(pc.make_struct(*known), *(pa.scalar(int(one), pa.int64()) for one in numbers))


def _told(columns: dict[str, Column], name: str) -> Column:
    """A field of the flow, else of its envelope."""
    if f"envelope_{name}" not in columns:
        return columns[name]
    return pc.coalesce(*alike(columns[name], columns[f"envelope_{name}"]))


def _flow_count(event: dict[str, Column]) -> Column:
    """How many events each record stands for, null where the exporter does not aggregate.

    What is no number stays as it is, for validation to judge.
    """
    told = [event[name] for name in _COUNTS]
    if all(column.null_count == len(column) for column in told):
        return pa.nulls(len(told[0]), pa.int64())
    numbers = [number(column) for column in told]
    one, two, three = (pc.fill_null(found, 0) for found in numbers)
    total = null_where(pc.is_null(pc.max_element_wise(*numbers)), pc.add(pc.add(one, two), three))
    odd = [null_where(pc.is_valid(found), text(column)) for column, found in zip(told, numbers, strict=True)]
    if all(column.null_count == len(column) for column in odd):
        return total
    return pc.coalesce(*odd, text(total))


def _tcp_flags(event: dict[str, Column]) -> Column:
    """The OR of the flags; null where there are none, as in a request."""
    total = np.zeros(len(event["time"]), np.int64)
    for bit, name in enumerate(FLAGS):
        total |= mask(flag(event[name])).astype(np.int64) << bit
    return pa.array(total, mask=total == 0)
