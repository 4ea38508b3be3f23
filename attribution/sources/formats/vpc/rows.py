"""What rows of AWS flow logs mean as flows, and what the ECS fields among them say of tasks.

**Which side is local.** The side of the network interface at which the row was logged. `flow-direction` tells: the
interface is the destination of `ingress` and the source of `egress`. Without that field a row says which of its
addresses is the interface's only where the packet had another one there (see below). Otherwise the source stands in as
local. The direction is null; both sides are attributed by address anyway. Counting which address recurs per interface
would be a guess, and one that changes with the file.

A transit gateway holds neither address: its `flow-direction` only says whether the packet entered or left the gateway
(it is logged both times). There, too, the source stands in as local.

**Which addresses.** Those of the packet, `pkt-srcaddr` and `pkt-dstaddr`, where the log has them; `srcaddr` and
`dstaddr` otherwise. They differ only on the interface's own side, where the latter show the interface's *primary*
address, whatever the packet carried. This matters for:

- secondary addresses, such as those of every EKS pod,
- traffic that a NAT gateway or another middlebox passes on,
- traffic through a transit gateway's interface.

Where they differ, the interface's address is `relay_address`: the queries then know a NAT gateway's two reports of one
packet for what they are.

The promise is about who sent and received,
and a NAT gateway's reply from an internet host, seen at the gateway, is that host's. A log without the packet's
addresses cannot tell a pod from its node: for such fleets the format must have those two fields.

**Which network.** The VPC, by its ID (`vpc-id`). AWS gives an ID once, in whatever account and region, so it needs no
more to be unique. The account would be wrong: interfaces of several accounts are in one shared VPC. At a transit
gateway, `tgw-src-vpc-id` and `tgw-dst-vpc-id` are the VPCs of the two sides.

**When.** `start` and `end` are the seconds in which the first and last packet were *received by the flow log service*.
This "might be up to 60 seconds after the packet was transmitted or received on the network interface". A packet of a
row therefore passed in [start - 60 s, end + 1 s), and that is the window. Taken at its word, `start` would ask about
the owner of a minute later.

**Refused traffic** (`action` is REJECT) reached nobody; it is counted as skipped. So are NODATA and SKIPDATA rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column, Int64
from attribution.schema import FLOW
from attribution.sources.formats.vpc.fields import REPORT_DELAY, WITHIN_SECOND
from attribution.sources.formats.vpc.tasks import TaskSightings
from attribution.sources.formats.vpc.times import Times, as_text
from attribution.sources.records.model import Account, Block

#: Why a sound row carries no record.
SKIPS = {
    "no_data": "The interface saw no traffic in the window (`NODATA`), or the row names no address.",
    "skip_data": "The flow log service lost the records of the window (`SKIPDATA`).",
    "refused_traffic": "Security group or network ACL let nothing through (`REJECT`): the traffic reached nobody.",
}
#: Protocols whose header has ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
_WITH_PORTS = [6, 17, 33, 132, 136]


class RowReader:
    """Makes flow blocks of tables of flow log rows; remembers what ECS tasks were seen."""

    def __init__(self, source: str, account: Account, times: Times | None = None) -> None:
        """Read rows of `source`, times in seconds or as `times` does; count in `account` what is left out."""
        self._times = times or Times("s")
        self._source = source
        self._account = account
        self._tasks = TaskSightings()

    def flows(self, table: pa.Table, lines: Int64) -> Block | None:
        """The flows among rows; None where there are none.

        Args:
            table: columns of `vpc_fields.READ`, numbers or text, `-` as null; the start and end as `times` takes them.
            lines: where each row stands.
        """
        self._account.shows(dict.fromkeys(table.column_names, table.num_rows))
        keep = self._kept(table)
        if keep is not None:
            table, lines = table.filter(pa.array(keep)), lines[keep]
        if not len(lines):
            return None
        return Block(FLOW, self._columns(table, lines), self._source, lines)

    def heartbeats(self) -> Block | None:
        """What all rows so far say of ECS tasks; None where nothing. To be asked once, after the last row."""
        return self._tasks.block(self._source)

    def _kept(self, table: pa.Table) -> Bool | None:
        """Which rows carry traffic that arrived; None for all of them."""
        dropped = []
        if "log_status" in table.column_names:
            status = table.column("log_status")
            if not pc.all(pc.equal(status, "OK"), skip_nulls=False).as_py():
                dropped += [("no_data", _mask(pc.equal(status, "NODATA")))]
                dropped += [("skip_data", _mask(pc.equal(status, "SKIPDATA")))]
        else:
            nowhere = _mask(pc.is_null(_packet(table, "srcaddr"))) & _mask(pc.is_null(_packet(table, "dstaddr")))
            dropped += [("no_data", nowhere)]
        if "action" in table.column_names:
            dropped += [("refused_traffic", _mask(pc.equal(table.column("action"), "REJECT")))]
        keep = np.ones(table.num_rows, np.bool_)
        for reason, mask in dropped:
            self._account.skip(reason, int(np.count_nonzero(mask & keep)))
            keep &= ~mask
        return None if keep.all() else keep

    def _columns(self, table: pa.Table, lines: Int64) -> dict[str, Column]:
        start, end = window = self._window(table)
        incoming = _incoming(table)
        columns = {
            "start": _shown(start, table.column("start"), self._times.unit),
            "end": _shown(end, table.column("end"), self._times.unit),
            **_sides(table, _behind(table) if incoming is None else incoming),
            "relay_address": _relay(table, incoming),
            "observer": _first_of(table, "interface_id", "tgw_attachment_id", "tgw_id", "resource_id"),
            "basis": _constant("window", table.num_rows),
        }
        columns |= _networks(table)
        if incoming is not None:
            columns["direction"] = table.column("flow_direction")
        for name in ("protocol", "tcp_flags", "region"):
            if name in table.column_names:
                columns[name] = table.column(name)
        columns |= self._tasks.see(table, incoming, window, lines)
        return {name: column for name, column in columns.items() if column is not None}

    def _window(self, table: pa.Table) -> tuple[Column, Column]:
        """The window in which the packets passed, microseconds; null where a time is none.

        Where `end` is before `start` both are left as they are, for validation to find: moved apart they would look
        sound.
        """
        start, end = self._times.micros(table.column("start")), self._times.micros(table.column("end"))
        earliest, latest = pc.subtract(start, REPORT_DELAY), pc.add(end, WITHIN_SECOND)
        swapped = pc.less(end, start)
        if not pc.any(swapped).as_py():
            return earliest, latest
        return pc.if_else(swapped, start, earliest), pc.if_else(swapped, end, latest)


def _incoming(table: pa.Table) -> Bool | None:
    """Which rows are known to come in at the interface; None where the log does not say."""
    if "flow_direction" not in table.column_names or _is_transit_gateway(table):
        return None
    return _mask(pc.equal(table.column("flow_direction"), "ingress"))


def _behind(table: pa.Table) -> Bool | None:
    """Which rows show the interface's own address for the packet's destination alone: they came in at the interface."""
    if _is_transit_gateway(table):
        return None
    destination, source = _replaced(table, "dstaddr"), _replaced(table, "srcaddr")
    return None if destination is None else destination if source is None else destination & ~source


def _relay(table: pa.Table, incoming: Bool | None) -> Column | None:
    """The interface's own address, where the packet has another one on the interface's side; None where no row has it.

    Without a direction, the side on which the addresses differ is the interface's.
    """
    if _is_transit_gateway(table):
        return None
    relays: list[Column] = []
    for name, comes_in in (("srcaddr", False), ("dstaddr", True)):
        replaced = _replaced(table, name)
        if replaced is not None and incoming is not None:
            replaced &= incoming == comes_in
        if replaced is not None and replaced.any():
            relays.append(_choose(pa.array(replaced), table.column(name), None))
    return pc.coalesce(*relays) if relays else None


def _replaced(table: pa.Table, name: str) -> Bool | None:
    """Where the interface shows another address than the packet had; None where the log has not both."""
    if name not in table.column_names or f"pkt_{name}" not in table.column_names:
        return None
    return _mask(pc.not_equal(table.column(name), table.column(f"pkt_{name}")))


def _is_transit_gateway(table: pa.Table) -> bool:
    return "tgw_id" in table.column_names or "tgw_attachment_id" in table.column_names


def _sides(table: pa.Table, incoming: Bool | None) -> dict[str, Column]:
    """Addresses, ports, counts and direction: by local and remote side instead of source and destination."""
    source, destination = _packet(table, "srcaddr"), _packet(table, "dstaddr")
    source_port, destination_port = _port(table, "srcport"), _port(table, "dstport")
    if incoming is None or not incoming.any():
        sides = {
            "local_address": source,
            "remote_address": destination,
            "local_port": source_port,
            "remote_port": destination_port,
            "bytes_sent": _column(table, "bytes"),
            "packets_sent": _column(table, "packets"),
        }
    else:
        mask = pa.array(incoming)
        sides = {
            "local_address": pc.if_else(mask, destination, source),
            "remote_address": pc.if_else(mask, source, destination),
            "local_port": _choose(mask, destination_port, source_port),
            "remote_port": _choose(mask, source_port, destination_port),
        }
        for count in ("bytes", "packets"):
            values = _column(table, count)
            sides[f"{count}_sent"] = _choose(mask, None, values)
            sides[f"{count}_received"] = _choose(mask, values, None)
    return sides


def _networks(table: pa.Table) -> dict[str, Column | None]:
    """The VPC of the interface, in which both addresses are meant; the VPCs of both sides at a transit gateway."""
    if _is_transit_gateway(table):
        return {"local_network": _column(table, "tgw_src_vpc_id"), "remote_network": _column(table, "tgw_dst_vpc_id")}
    return {"local_network": _column(table, "vpc_id")}


def _port(table: pa.Table, name: str) -> Column | None:
    """The ports, null where the protocol has none: these logs write 0 for ICMP."""
    port, protocol = _column(table, name), _column(table, "protocol")
    if port is None or protocol is None:
        return port
    without = pc.invert(pc.is_in(protocol, pa.array(_WITH_PORTS).cast(protocol.type)))
    return _choose(without, None, port) if pc.any(without).as_py() else port


def _shown(time: Column, raw: Column, unit: str) -> Column:
    """Times for validation: where one was written that is none, its text and unit instead of null."""
    if time.null_count == raw.null_count:
        return time
    unread = pc.and_(pc.is_null(time), pc.is_valid(raw))
    return pc.if_else(unread, pc.binary_join_element_wise(as_text(raw), unit, " "), time.cast(pa.string()))


def _packet(table: pa.Table, name: str) -> Column | None:
    """The packet's address where the log has it, else what the interface shows."""
    return _first_of(table, f"pkt_{name}", name)


def _first_of(table: pa.Table, *names: str) -> Column | None:
    """The first of several columns that is not null, row by row; None where the log has none of them."""
    found = [table.column(name) for name in names if name in table.column_names]
    if not found:
        return None
    return found[0] if len(found) == 1 or found[0].null_count == 0 else pc.coalesce(*found)


def _choose(mask: Column, this: Column | None, that: Column | None) -> Column | None:
    """`this` where the mask holds, `that` elsewhere; either may be absent, which is null."""
    there = that if this is None else this
    if there is None:
        return None
    null = pa.scalar(None, there.type)
    return pc.if_else(mask, null if this is None else this, null if that is None else that)


def _column(table: pa.Table, name: str) -> Column | None:
    return table.column(name) if name in table.column_names else None


def _constant(value: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([value]))


def _mask(booleans: Column) -> Bool:
    mask: Bool = np.asarray(pc.fill_null(booleans, False))
    return mask
