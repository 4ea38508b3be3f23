"""goflow2 JSON: NetFlow v5 and v9, IPFIX and sFlow, as its versions 1 (`SrcAddr`) and 2 (`src_addr`) write them.

A record is traffic one way between two addresses, seen on a device that is neither: the local side is the source, and
no direction is known. The times of a NetFlow record are those of the first and last packet by the router's clock.
One record can hold several connections of one five-tuple, so it is a window. An sFlow record is one sampled packet, at
the time at which it was received.

Some records have no times of their flow, or none that the collector reads (softflowd's IPFIX has milliseconds of the
exporter's uptime). Their basis is `export`:

- Version 1 leaves the times 0. The record was exported when it was received, or before.
- Version 2 puts the second of the export in the place of each time that is missing. So a record whose start is a whole
  second may be such a record, if it ends within a second of that. One or many packets: that shows nothing. A flow with
  milliseconds begins at a whole second once in a thousand times, and is then taken for an export, too.

A time that is a whole second may be any moment of the second. Nothing passed after it was received.

Counts are multiplied by the sampling rate, as the collector's own dashboards do. They then estimate the traffic and
compare with logs that see all of it. A rate of 0 means that the exporter did not say.

Source: `producer/proto/producer_nf.go` of goflow2 2.2.6, `producer/producer_nf.go` of 1.3.7; `ipfix.c` of softflowd.

The network is a VRF of the exporter, else a VLAN: `192.0.2.1/vrf-7`, `192.0.2.1/vlan-10`. Traffic comes in by one and
leaves by another: they are the networks of source and destination. If one of the two is 0, the traffic crossed into a
network that the record does not name, and `vrf-0` or `vlan-0` keeps it apart. If both are 0 or absent, there is no
network. (Protocol Buffers have no null: 0 may mean that the exporter did not say.)
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import SECOND
from attribution.core.columnar.types import Bool, Column
from attribution.schema import FLOW
from attribution.sources.json.lines import JsonLines, first_object, objects_of_lines
from attribution.sources.records.model import Account, Block, FlowHeartbeats, Format, Input, Wanted
from attribution.sources.records.network_names import numbered, within
from attribution.sources.records.raw_columns import (
    mask,
    no_empty,
    null_where,
    only_with_ports,
    said_rate,
    scaled,
    take_all,
    text,
)
from attribution.sources.records.set_aside import bad_lines, bad_times
from attribution.sources.records.timestamps import Unit, micros

_BLOCK_BYTES = 4 << 20

#: Name in this module -> in version 2, in version 1.
_FIELDS = {
    "type": ("type", "Type"),
    "received": ("time_received_ns", "TimeReceived"),
    "start": ("time_flow_start_ns", "TimeFlowStart"),
    "end": ("time_flow_end_ns", "TimeFlowEnd"),
    "start_ms": ("time_flow_start_ms", "TimeFlowStartMs"),
    "end_ms": ("time_flow_end_ms", "TimeFlowEndMs"),
    "rate": ("sampling_rate", "SamplingRate"),
    "sampler": ("sampler_address", "SamplerAddress"),
    "source": ("src_addr", "SrcAddr"),
    "destination": ("dst_addr", "DstAddr"),
    "source_port": ("src_port", "SrcPort"),
    "destination_port": ("dst_port", "DstPort"),
    "protocol": ("proto", "Proto"),
    "ethertype": ("etype", "Etype"),
    "bytes": ("bytes", "Bytes"),
    "packets": ("packets", "Packets"),
    "tcp_flags": ("tcp_flags", "TCPFlags"),
    "tcp_flags_1": ("tcp_flags", "TcpFlags"),
    "ingress_vrf": ("ingress_vrf_id", "IngressVrfID"),
    "egress_vrf": ("egress_vrf_id", "EgressVrfID"),
    "source_vlan": ("src_vlan", "SrcVlan"),
    "destination_vlan": ("dst_vlan", "DstVlan"),
    "packet_vlan": ("vlan_id", "VlanId"),
}
#: The fields that may name a network.
_NETWORKS = ("ingress_vrf", "egress_vrf", "source_vlan", "destination_vlan", "packet_vlan")
_SFLOW = pa.array(["SFLOW_5", "1"])
_TYPES = {"SFLOW_5", "NETFLOW_V5", "NETFLOW_V9", "IPFIX"}
#: The types whose records always have times: those of others are as their templates are.
_TIMED = pa.array(["SFLOW_5", "1", "NETFLOW_V5", "2"])
#: From the first to the last microsecond of a second.
_WITHIN_SECOND = SECOND - 1
#: Ethertypes, as number or name, of what is no IP packet; a blank is a type that the collector has no name for.
_IP = pa.array(["2048", "34525", "0", "IPv4", "IPv6", ""])


#: Why a sound row carries no record.
_SKIPS = {
    "not_ip": "A record whose ethertype is neither IPv4 nor IPv6.",
}


#: What attribution wants of the collector's records.
_WANTS = (
    Wanted(
        name="src_port, dst_port, proto",
        told_by=("flow.remote_port",),
        without="workloads that share an address by port are not told apart",
        get="Let the exporter send ports and protocol: in Flexible NetFlow, match on them in the record.",
    ),
)


class Goflow2(Format):
    """The JSON lines of goflow2."""

    name = "goflow2"
    how_to = "goflow2"
    skips = _SKIPS
    wants = _WANTS
    #: No record of a device knows a workload.
    flow_heartbeats: FlowHeartbeats = "none"

    def matches(self, head: bytes) -> bool:
        """Whether the first line has the collector's fields."""
        row = first_object(head)
        if row is None:
            return False
        if "SamplerAddress" in row and "TimeReceived" in row:
            return True
        return "time_received_ns" in row and ("sampler_address" in row or row.get("type") in _TYPES)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """The flows of the records."""
        set_aside = bad_lines(account, data.name, FLOW)
        version_1 = any("SamplerAddress" in row for row in objects_of_lines(data.head()))
        reader = JsonLines({name: (spelled[version_1],) for name, spelled in _FIELDS.items()})
        unit: Unit = "s" if version_1 else "ns"
        for first_line, block in data.lines(_BLOCK_BYTES):
            for piece in reader.read(block, first_line, set_aside):
                times, untimed = _times(piece.columns, unit)
                ethertype = text(piece.columns["ethertype"])
                not_ip = mask(pc.invert(pc.is_in(pc.fill_null(ethertype, ""), _IP)))
                account.skip("not_ip", int(not_ip.sum()))
                untimed &= ~not_ip
                bad_times(piece.columns, ("received", "start", "end"), untimed, piece.lines, set_aside)
                rows = np.flatnonzero(~not_ip & ~untimed)
                if len(rows):
                    columns = _flows(take_all(piece.columns, rows)) | take_all(times, rows)
                    yield Block(FLOW, columns, data.name, piece.lines[rows])


def _times(columns: dict[str, Column], unit: Unit) -> tuple[dict[str, Column], Bool]:
    """The columns `start`, `end`, `received` and `basis`, and the mask of the records that have no time.

    Example: a flow of a minute, a record without times, the second of an export, and a flow of 0.2 s. All were received
    at 70.25 s.

    >>> raw = {name: pa.nulls(4, pa.int64()) for name in ("start_ms", "end_ms")}
    >>> raw |= {name: pa.nulls(4, pa.int64()) for name in ("start", "end")}
    >>> raw["start_ms"], raw["end_ms"] = pa.array([500, 0, 70_000, 69_100]), pa.array([60_000, 0, 70_000, 69_300])
    >>> raw |= {"received": pa.array([70_250_000_000] * 4), "type": pa.array(["IPFIX"] * 4)}
    >>> times, untimed = _times(raw, "ns")
    >>> [(since / 1e6, until / 1e6) for since, until in zip(times["start"].to_pylist(), times["end"].to_pylist())]
    [(0.5, 60.999999), (70.25, 70.25), (70.0, 70.25), (69.1, 69.3)]
    >>> times["basis"].to_pylist(), untimed.tolist()
    (['window', 'export', 'export', 'window'], [False, False, False, False])
    """
    is_sample = pc.fill_null(pc.is_in(text(columns["type"]), _SFLOW), False)
    moment = micros(columns["received"], unit)
    # Version 1 counts whole seconds.
    received = pc.add(moment, _WITHIN_SECOND) if unit == "s" else moment
    (start, no_start), (end, no_end) = (_bound(columns, bound, unit) for bound in ("start", "end"))
    start, end = (pc.if_else(is_sample, moment, bound) for bound in (start, end))
    exported = pc.is_null(start)
    end = pc.coalesce(end, moment)
    start = pc.coalesce(start, end)
    if unit == "ns":
        templated = pc.invert(pc.fill_null(pc.is_in(text(columns["type"]), _TIMED), False))
        at_once = pc.less(pc.subtract(end, start), SECOND)
        exported = pc.or_(exported, pc.and_(pc.and_(templated, _is_whole(start)), pc.fill_null(at_once, False)))
        start = pc.if_else(exported, pc.min_element_wise(start, end), start)
    within = pc.add(end, _WITHIN_SECOND)
    latest = pc.min_element_wise(within, pc.max_element_wise(end, pc.coalesce(received, within)))
    end = pc.if_else(pc.and_(_is_whole(end), pc.invert(is_sample)), latest, end)
    untimed = mask(pc.is_null(end)) | mask(pc.and_(pc.is_null(moment), pc.is_valid(columns["received"])))
    untimed |= mask(pc.invert(is_sample)) & (no_start | no_end)
    basis = pc.if_else(exported, "export", "window")
    return {"start": start, "end": end, "received": received, "basis": basis}, untimed


def _bound(columns: dict[str, Column], bound: str, unit: Unit) -> tuple[Column, Bool]:
    """One bound of the flows, null where the record has none, and the mask of what stands there and is no time.

    Late versions 1 have both seconds and milliseconds, and 0 where the exporter had none.
    """
    exact, rough = micros(columns[f"{bound}_ms"], "ms"), micros(columns[bound], unit)
    found = pc.coalesce(*(null_where(pc.equal(time, 0), time) for time in (exact, rough)))
    said = pc.or_(pc.is_valid(columns[f"{bound}_ms"]), pc.is_valid(columns[bound]))
    return found, mask(said) & mask(pc.is_null(pc.coalesce(exact, rough)))


def _is_whole(times: Column) -> Column:
    """Whether times, in microseconds, are whole seconds; false where there is none."""
    return pc.fill_null(pc.equal(pc.multiply(pc.divide(times, SECOND), SECOND), times), False)


def _flows(record: dict[str, Column]) -> dict[str, Column]:
    protocol = record["protocol"]
    if pa.types.is_string(protocol.type):
        protocol = no_empty(protocol)
    flags = record["tcp_flags_1"] if record["tcp_flags"].null_count == len(record["tcp_flags"]) else record["tcp_flags"]
    return {
        "local_address": no_empty(record["source"]),
        "local_port": only_with_ports(protocol, record["source_port"]),
        "remote_address": no_empty(record["destination"]),
        "remote_port": only_with_ports(protocol, record["destination_port"]),
        "protocol": protocol,
        "bytes_sent": scaled(record["bytes"], record["rate"]),
        "packets_sent": scaled(record["packets"], record["rate"]),
        "sampling_rate": said_rate(record["rate"]),
        "tcp_flags": flags,
        **_networks(record),
        "observer": no_empty(record["sampler"]),
    }


def _networks(record: dict[str, Column]) -> dict[str, Column]:
    """The networks of source and destination."""
    if all(record[name].null_count == len(record[name]) for name in _NETWORKS):
        return {}
    sampler = no_empty(record["sampler"])
    vrfs = _pair("vrf", record["ingress_vrf"], record["egress_vrf"])
    vlans = _pair("vlan", record["source_vlan"], record["destination_vlan"])
    # The tag of the packet itself: both ends were seen in that VLAN.
    tag = null_where(_is_zero(record["packet_vlan"]), numbered("vlan", record["packet_vlan"]))
    names = [
        pc.if_else(_any(vrfs), vrf, pc.if_else(_any(vlans), vlan, other))
        for vrf, vlan, other in zip(vrfs, vlans, (tag, pa.nulls(len(sampler), pa.string())), strict=True)
    ]
    return {
        side: null_where(pc.is_null(name), within(sampler, name))
        for side, name in zip(("local_network", "remote_network"), names, strict=True)
    }


def _pair(kind: str, one: Column, other: Column) -> tuple[Column, Column]:
    """Names of the two numbers; null where both are 0 or null, and where the number itself is null."""
    nothing = pc.and_(_is_zero(one), _is_zero(other))
    return null_where(nothing, numbered(kind, one)), null_where(nothing, numbered(kind, other))


def _any(pair: tuple[Column, Column]) -> Column:
    return pc.or_(pc.is_valid(pair[0]), pc.is_valid(pair[1]))


def _is_zero(numbers: Column) -> Column:
    return pc.fill_null(pc.equal(text(numbers), "0"), True)


FORMATS: tuple[Format, ...] = (Goflow2(),)
