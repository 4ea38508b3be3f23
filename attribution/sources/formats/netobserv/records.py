"""What a NetObserv record says: a flow one way, and who held the address on the node that saw it.

The agent on each node reports packets per five-tuple and a few seconds; a processor then looks both addresses up in
the cluster's inventory. Only what it finds for the agent's own node is taken as an observation: that node's packets
came from or went to that pod. What it says of the other side is a claim from an inventory, which may be late.

Connection tracking comes before that look-up: a connection's summary is looked up once it has ended, when its address
may be another pod's. Whom such a record names was there at its last packet; of its start it says nothing.

The network is the cluster (`K8S_ClusterName`), or the user-defined or secondary network in it. `SrcK8S_NetworkName`
tells in which of these one side's address was found. `Udns` has one name for each interface that the packets passed:
`default`, or nothing, stands for the cluster's own network. A pod that was found in that own network (`primary`),
although the packets passed a user-defined one, is another pod with the same address.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column, Int8, Int64
from attribution.sources.records.deduplication import FIRST, OTHER_NODE, SAME_NODE, Repeats, hash_columns
from attribution.sources.records.network_names import cluster_names, qualified, within
from attribution.sources.records.raw_columns import (
    alike,
    either,
    mask,
    no_empty,
    null_where,
    only_with_ports,
    said_rate,
    scaled,
    take,
    take_all,
    text,
)
from attribution.sources.records.timestamps import micros

_SIDE = ("Addr", "Port", "K8S_Name", "K8S_Namespace", "K8S_OwnerName", "K8S_Type", "K8S_HostIP", "K8S_NetworkName")
#: The fields read of each record; stream labels of Loki have the same names.
FIELDS: tuple[str, ...] = (
    *(f"{side}{field}" for side in ("Src", "Dst") for field in _SIDE),
    *("Proto", "Etype", "TimeFlowStartMs", "TimeFlowEndMs", "Bytes", "Packets", "Sampling", "Flags"),
    *("Bytes_AB", "Bytes_BA", "Packets_AB", "Packets_BA", "_RecordType", "Duplicate"),
    *("AgentIP", "Interface", "IfDirection", "FlowDirection", "K8S_ClusterName", "Udns"),
)
#: The fields that are lists, in some versions.
LISTS = ("Flags", "Udns")

_ETYPES = pa.array(["2048", "34525"])  # IPv4, IPv6
_SUMMARY = "endConnection"
_UPDATES = pa.array(["newConnection", "heartbeat"])
_TCP = "6"
_INGRESS = "0"
#: The name of a cluster's own network, among the names of networks that an address is looked up in.
_OWN = "primary"
#: What stands in place of a user-defined network at interfaces of the cluster's own.
_NO_UDN = pa.array(["", "default", None])
_FLAG_BITS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}


@dataclass(frozen=True)
class Reports:
    """What a piece of records says.

    Attributes:
        flows: raw columns of flows, each reported once.
        flow_row: index of the record of each flow.
        claims: what NetObserv says of the remote side of each flow: `remote_type`, `remote_workload`, `remote_service`.
        heartbeats: raw columns of the heartbeats that the flows are not already.
        heartbeat_row: index of the record of each.
        bad_time: mask of the records whose times cannot be read.
        skipped: reason -> records that carry no flow.
    """

    flows: dict[str, Column]
    flow_row: Int64
    claims: dict[str, Column]
    heartbeats: dict[str, Column]
    heartbeat_row: Int64
    bad_time: Bool
    skipped: dict[str, int]


def reports(columns: dict[str, Column], repeats: Repeats, network: str | None = None) -> Reports:
    """The flows and heartbeats of records that hold `FIELDS`.

    Args:
        columns: by name of `FIELDS`.
        repeats: the reports of the run so far.
        network: that of clusters without a name of their own (`Input.network`).
    """
    kind = pc.fill_null(text(columns["_RecordType"]), "")
    update = mask(pc.is_in(kind, _UPDATES))
    etype = text(columns["Etype"])
    not_ip = ~update & mask(pc.and_(pc.is_valid(etype), pc.invert(pc.is_in(etype, _ETYPES))))
    marked = ~update & ~not_ip & mask(pc.equal(text(columns["Duplicate"]), "true"))
    usable = ~(update | not_ip | marked)
    start, end = micros(columns["TimeFlowStartMs"], "ms"), micros(columns["TimeFlowEndMs"], "ms")
    bad_time = usable & (mask(pc.is_null(start)) | mask(pc.is_null(end)))
    row = np.flatnonzero((usable | update) & mask(pc.is_valid(start)) & mask(pc.is_valid(end)))
    record = take_all(columns | {"start": start, "end": end}, row)
    record["cluster"] = cluster_names(record["K8S_ClusterName"], network)
    record["udn"] = _user_defined(record["Udns"])
    for side in ("Src", "Dst"):
        record |= _networks(record, side)
        record |= _owner(record, side)
    record["swap"] = _destination_is_local(record)
    record["tracked"] = pa.array(update[row] | mask(pc.equal(take(kind, row), _SUMMARY)))
    # What an update counts comes again: it is no flow, but shows both sides as another node's report would.
    seen = np.full(len(row), OTHER_NODE, np.int8)
    counted = np.flatnonzero(~update[row])
    seen[counted] = _judged(take_all(record, counted), repeats)
    skipped = {
        "connection_update": int(update.sum()),
        "not_ip": int(not_ip.sum()),
        "duplicate": int(marked.sum()) + int((seen[counted] != FIRST).sum()),
    }
    kept = np.flatnonzero(seen == FIRST)
    flows, claims = _flows(take_all(record, kept))
    beats, beat = _heartbeats(record, seen)
    return Reports(flows, row[kept], claims, beats, row[beat], bad_time, skipped)


def _judged(record: dict[str, Column], repeats: Repeats) -> Int8:
    return repeats.judge(
        hash_columns(*(record[f] for f in ("SrcAddr", "DstAddr", "SrcPort", "DstPort", "Proto", "cluster", "udn"))),
        hash_columns(*(record[f] for f in ("AgentIP", "Interface", "IfDirection", "_RecordType"))),
        hash_columns(record["AgentIP"], record["cluster"]),
        np.asarray(record["start"]),
        np.asarray(record["end"]),
    )


def _flows(record: dict[str, Column]) -> tuple[dict[str, Column], dict[str, Column]]:
    swap = record["swap"]
    local_address, remote_address = either(swap, record["SrcAddr"], record["DstAddr"])
    local_port, remote_port = (
        only_with_ports(record["Proto"], port) for port in either(swap, record["SrcPort"], record["DstPort"])
    )
    at_capture = pc.if_else(swap, record["Dst_here"], record["Src_here"])
    workload, remote_workload = either(swap, record["Src_workload"], record["Dst_workload"])
    service, remote_service = either(swap, record["Src_service"], record["Dst_service"])
    network, _ = either(swap, record["Src_network"], record["Dst_network"])
    _, remote_network = either(swap, record["Src_found_in"], record["Dst_found_in"])
    not_seen = pc.or_(pc.invert(at_capture), pc.or_(pc.is_null(workload), record["tracked"]))
    # Only a TCP connection has one peer from start to end; a summary of other packets may be hours long.
    lasting = pc.and_(record["tracked"], pc.fill_null(pc.not_equal(text(record["Proto"]), _TCP), True))
    sent, received = _counts(record, "Bytes", swap)
    packets_sent, packets_received = _counts(record, "Packets", swap)
    flows = {
        "start": record["start"],
        "end": record["end"],
        "local_address": local_address,
        "local_port": local_port,
        "remote_address": remote_address,
        "remote_port": remote_port,
        "protocol": record["Proto"],
        "direction": pc.if_else(swap, "ingress", "egress"),
        "bytes_sent": sent,
        "bytes_received": received,
        "packets_sent": packets_sent,
        "packets_received": packets_received,
        "sampling_rate": said_rate(record["Sampling"]),
        "tcp_flags": _tcp_flags(record),
        "local_workload": null_where(not_seen, workload),
        "local_service": null_where(not_seen, service),
        "local_network": network,
        "remote_network": remote_network,
        "observer": text(record["AgentIP"]),
        "basis": pc.if_else(lasting, "window", "connection"),
    }
    claims = {
        "remote_type": pc.if_else(swap, text(record["SrcK8S_Type"]), text(record["DstK8S_Type"])),
        "remote_workload": remote_workload,
        "remote_service": remote_service,
    }
    return flows, claims


def _heartbeats(record: dict[str, Column], seen: Int8) -> tuple[dict[str, Column], Int64]:
    """Observations of the agent's own node that are no flow's local side, and the record of each.

    The destination, where source and destination are on one node; and either side, where the flow was counted already
    on the other node. In records of connection tracking both sides, at the last packet.
    """
    swap, tracked = mask(record["swap"]), mask(record["tracked"])
    found: list[dict[str, Column]] = []
    rows: list[Int64] = []
    for side, is_local in (("Src", ~swap), ("Dst", swap)):
        known = mask(record[f"{side}_here"]) & mask(pc.is_valid(record[f"{side}_workload"]))
        row = np.flatnonzero(known & (tracked | np.where(is_local, seen == OTHER_NODE, seen != SAME_NODE)))
        beat = {
            "address": record[f"{side}Addr"],
            "network": record[f"{side}_network"],
            "workload": record[f"{side}_workload"],
            "service": record[f"{side}_service"],
            "start": pc.if_else(record["tracked"], record["end"], record["start"]),
            "end": record["end"],
            "observer": text(record["AgentIP"]),
        }
        found.append({name: take(column, row) for name, column in beat.items()})
        rows.append(row)
    both = {
        name: pa.concat_arrays([text(f[name]) if name == "address" else f[name] for f in found]) for name in found[0]
    }
    return both, np.concatenate(rows)


def _destination_is_local(record: dict[str, Column]) -> Column:
    """Whether the destination is on the agent's node; the record's own direction decides where that leaves it open.

    The direction of old versions is that of the interface, which for a pod's own is the reverse of the pod's.
    """
    source, destination = record["Src_here"], record["Dst_here"]
    told = pc.equal(text(pc.coalesce(*_as_text(record["FlowDirection"], record["IfDirection"]))), _INGRESS)
    return pc.if_else(pc.xor(source, destination), destination, pc.fill_null(told, False))


def _owner(record: dict[str, Column], side: str) -> dict[str, Column]:
    """Workload and service of one side, and whether it is on the agent's node.

    A pod goes by cluster, namespace and name, a node by cluster and name; a Service is no workload. A node's own
    address is also that of its host-network pods, which NetObserv does not tell apart. It is the node's; if NetObserv
    names one of the pods for it all the same, it is nobody's.
    """
    name, space, owner, kind = (text(record[f"{side}K8S_{f}"]) for f in ("Name", "Namespace", "OwnerName", "Type"))
    is_pod, is_node = pc.equal(kind, "Pod"), pc.equal(kind, "Node")
    in_space = pc.binary_join_element_wise(space, name, "/")
    on_host = pc.and_(is_pod, pc.equal(text(record[f"{side}Addr"]), text(record[f"{side}K8S_HostIP"])))
    elsewhere = pc.and_(is_pod, record[f"{side}_elsewhere"])
    workload = pc.case_when(pc.make_struct(is_pod, is_node), in_space, name)
    workload = qualified(record["cluster"], null_where(pc.fill_null(pc.or_(on_host, elsewhere), False), workload))
    of_owner = pc.binary_join_element_wise(space, pc.coalesce(owner, name), "/")
    service = pc.case_when(pc.make_struct(is_pod, is_node, pc.equal(kind, "Service")), of_owner, name, in_space)
    service = qualified(record["cluster"], service)
    here = pc.fill_null(pc.equal(text(record[f"{side}K8S_HostIP"]), text(record["AgentIP"])), False)
    return {f"{side}_workload": workload, f"{side}_service": service, f"{side}_here": here}


def _networks(record: dict[str, Column], side: str) -> dict[str, Column]:
    """The network of one side; that in which its address was found, if it is no cluster's own; if another's was found.

    A side that was looked up says nothing of the cluster's own network: what is not found elsewhere is looked up there.
    """
    found = no_empty(record[f"{side}K8S_NetworkName"])
    own = pc.fill_null(pc.equal(found, _OWN), False)
    part = null_where(own, found)
    return {
        f"{side}_network": within(record["cluster"], pc.coalesce(part, record["udn"])),
        f"{side}_found_in": null_where(pc.is_null(part), within(record["cluster"], part)),
        f"{side}_elsewhere": pc.and_(own, pc.is_valid(record["udn"])),
    }


def _user_defined(udns: Column) -> Column:
    """The user-defined network that the packets passed; several as one of their own, null where there is none."""
    lists = one_array(udns)
    if not pa.types.is_list(lists.type):
        return pa.nulls(len(lists), pa.string())
    names = text(pc.list_flatten(lists))
    row = np.flatnonzero(~mask(pc.is_in(names, _NO_UDN)))
    found: dict[int, set[str]] = {}
    places = np.asarray(pc.list_parent_indices(lists))[row].tolist()
    for place, name in zip(places, take(names, row).to_pylist(), strict=True):
        found.setdefault(place, set()).add(name)
    if not found:
        return pa.nulls(len(lists), pa.string())
    joined = {place: "+".join(sorted(names)) for place, names in found.items()}
    return pa.array(map(joined.get, range(len(lists))), pa.string(), size=len(lists))


def _counts(record: dict[str, Column], name: str, swap: Column) -> tuple[Column, Column]:
    """Sent and received: a record counts one way, a connection's summary both."""
    forth = pc.coalesce(*alike(record[f"{name}_AB"], record[name]))
    return either(swap, *(scaled(count, record["Sampling"]) for count in alike(forth, record[f"{name}_BA"])))


def _tcp_flags(record: dict[str, Column]) -> Column:
    """The OR of flags: a number with bits of NetObserv's own above the eighth, or names in a list."""
    flags = one_array(record["Flags"])
    if pa.types.is_integer(flags.type):
        bits = pc.bit_wise_and(flags.cast(pa.int64()), 255)
    elif pa.types.is_list(flags.type):
        names = text(pc.list_flatten(flags)).to_pylist()
        value = np.array([_bits(name) for name in names], np.int64)
        total = np.zeros(len(flags), np.int64)
        np.bitwise_or.at(total, np.asarray(pc.list_parent_indices(flags)), value)
        bits = pa.array(total, mask=np.asarray(pc.is_null(flags)))
    else:
        bits = flags
    return null_where(pc.not_equal(text(record["Proto"]), _TCP), bits)


def _bits(name: str | None) -> int:
    return sum(_FLAG_BITS.get(part, 0) for part in (name or "").split("_"))


def _as_text(*columns: Column) -> tuple[Column, ...]:
    return tuple(text(column) for column in columns)
