"""What a row of each Zeek log says: a connection is a flow, a DNS answer a name binding, a DHCP lease a heartbeat.

All functions take columns as `zeek_tsv` and `json_lines` find them, numbers or text, and leave values to validation.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Bool, Column, Float64, Int64
from attribution.sources.formats.zeek.sensor import WHERE, network_of, sensor_of
from attribution.sources.formats.zeek.tsv import Header, split, unescape
from attribution.sources.records.raw_columns import alike, either, mask, null_where, take, take_all, text
from attribution.sources.records.timestamps import micros

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()

#: The fields read of each log, with the type that Zeek gives them.
FIELDS: dict[str, dict[str, pa.DataType]] = {
    "conn": {
        "ts": _NUMBER,
        "uid": _TEXT,
        "id.orig_h": _TEXT,
        "id.orig_p": _COUNT,
        "id.resp_h": _TEXT,
        "id.resp_p": _COUNT,
        "proto": _TEXT,
        "ip_proto": _COUNT,
        "duration": _NUMBER,
        "local_orig": _TEXT,
        "local_resp": _TEXT,
        "orig_bytes": _COUNT,
        "resp_bytes": _COUNT,
        "orig_ip_bytes": _COUNT,
        "resp_ip_bytes": _COUNT,
        "orig_pkts": _COUNT,
        "resp_pkts": _COUNT,
        **WHERE,
    },
    "dns": {
        "ts": _NUMBER,
        "rtt": _NUMBER,
        "id.orig_h": _TEXT,
        "query": _TEXT,
        "qtype": _COUNT,
        "rcode": _COUNT,
        "answers": _TEXT,
        "TTLs": _TEXT,
        "rejected": _TEXT,
        **WHERE,
    },
    "dhcp": {
        "ts": _NUMBER,
        "duration": _NUMBER,
        "mac": _TEXT,
        "assigned_ip": _TEXT,
        "assigned_addr": _TEXT,
        "host_name": _TEXT,
        "msg_types": _TEXT,
        **WHERE,
    },
    "ssl": {"uid": _TEXT, "server_name": _TEXT},
    "http": {"uid": _TEXT, "host": _TEXT},
}
#: The fields that are lists: vectors and sets.
LISTS = ("answers", "TTLs", "msg_types")
#: The fields of which an object or a list tells nothing; shippers put objects of their own into `host`.
TEXTS = ("_path", "uid", "proto", "query", "mac", "host_name", "server_name", "host", "_system_name", "peer")

#: Addresses that never cross the internet: RFC 1918, RFC 4193 (ULA) and link-local ones.
_PRIVATE = (
    r"^(?:(?:::ffff:)?(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.)"
    r"|[fF][cCdD][0-9a-fA-F]{2}:|[fF][eE][89abAB][0-9a-fA-F]:)"
)
_ADDRESS = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$"
#: No time in seconds is as large.
_SECONDS_END = 100_000_000_000
_ADDRESS_QUERIES = (1, 28)  # A, AAAA


@dataclass(frozen=True)
class Result:
    """What rows say, and which say nothing.

    Attributes:
        columns: raw columns of the record, for the rows in `row`.
        row: index of the input row of each.
        bad_time: mask of the input rows whose times cannot be read.
        skipped: reason -> input rows that carry no record.
    """

    columns: dict[str, Column]
    row: Int64
    bad_time: Bool
    skipped: dict[str, int]


def connections(columns: dict[str, Column], hostnames: Column) -> Result:
    """Flows of conn rows.

    The local side is the one that Zeek calls local; where it says nothing, or the same of both, the one with a private
    address; failing that, the originator. Bytes are IP bytes where Zeek counted packets, as other flow logs have them,
    else payload bytes. The end is the last packet seen, not a timeout. A name asked for in TLS or HTTP names the
    responder, so it is the remote's only where the originator is local.

    TCP has connections. Of other protocols Zeek makes one row of all that two ports exchange without a pause, for days
    if need be and whoever is there: a window.

    Args:
        columns: of the conn log.
        hostnames: names of the responders by row, null where not known.
    """
    start, length = _seconds(columns["ts"]), _seconds(columns["duration"])
    bad = _unreadable(start) | _unreadable(length, columns["duration"])
    row = np.flatnonzero(~bad)
    column = take_all(columns, row)
    start, length = take(start, row), take(length, row)
    swap = _responder_is_local(column)

    def as_counted(side: str) -> Column:
        return pc.coalesce(*alike(column[f"{side}_ip_bytes"], column[f"{side}_bytes"]))

    # Zeek writes the type and code of an ICMP message where ports would be.
    icmp = pc.fill_null(pc.equal(text(column["proto"]), "icmp"), False)
    local, remote = either(swap, column["id.orig_h"], column["id.resp_h"])
    ports = either(swap, column["id.orig_p"], column["id.resp_p"])
    sent, received = either(swap, as_counted("orig"), as_counted("resp"))
    packets_sent, packets_received = either(swap, column["orig_pkts"], column["resp_pkts"])
    flows = {
        "start": start,
        "end": pc.add(start, pc.fill_null(length, 0)),
        "local_address": local,
        "local_port": null_where(icmp, ports[0]),
        "remote_address": remote,
        "remote_port": null_where(icmp, ports[1]),
        "protocol": _protocol(column),
        "direction": pc.if_else(swap, "ingress", "egress"),
        "bytes_sent": sent,
        "bytes_received": received,
        "packets_sent": packets_sent,
        "packets_received": packets_received,
        "hostname": null_where(swap, take(hostnames, row)),
        "local_network": network_of(column),
        "observer": sensor_of(column),
        "record_id": text(column["uid"]),
        "basis": pc.if_else(pc.fill_null(pc.equal(text(column["proto"]), "tcp"), False), "connection", "window"),
    }
    return Result(flows, row, bad, {})


def answers(columns: dict[str, Column], header: Header) -> Result:
    """Name bindings of dns rows: one for each address in an answer.

    Zeek lists the answers in order, the aliases (CNAME) that lead to the addresses among them, with a TTL for each. A
    client may use an address only for as long as every alias before it holds, so a binding's TTL is the smallest of
    theirs and its own. Its time is that of the reply.
    """
    asked, took = _seconds(columns["ts"]), _seconds(columns["rtt"])
    bad = _unreadable(asked) | _unreadable(took, columns["rtt"])
    qtype, rcode = _integers(columns["qtype"]), _integers(columns["rcode"])
    items = _items(columns["answers"], header)
    rejected = mask(_flag(columns["rejected"]))
    failed = (np.asarray(pc.fill_null(rcode, 0)) != 0) | rejected
    other = ~np.isin(np.asarray(pc.fill_null(qtype, 0)), _ADDRESS_QUERIES)
    count = np.asarray(pc.fill_null(pc.list_value_length(items), 0))
    usable = ~bad & ~failed & ~other & (count > 0)
    skipped = {
        "dns_error": int((~bad & failed).sum()),
        "no_address_query": int((~bad & ~failed & other).sum()),
        "no_answer": int((~bad & ~failed & ~other & (count == 0)).sum()),
    }
    parent, address, ttl = _address_answers(items, _items(columns["TTLs"], header), np.flatnonzero(usable))
    aliases_only = int(usable.sum()) - len(np.unique(parent))
    skipped["no_answer"] += aliases_only
    bindings = {
        "network": take(network_of(columns), parent),
        "client_address": take(columns["id.orig_h"], parent),
        "server_address": address,
        "hostname": take(unescape(one_array(text(columns["query"]))), parent),
        "time": take(pc.add(asked, pc.fill_null(took, 0)), parent),
        "ttl": ttl,
    }
    return Result(bindings, parent, bad, skipped)


def leases(columns: dict[str, Column], header: Header) -> Result:
    """Heartbeats of dhcp rows: at the moment of the ACK the address is the client's.

    A lease is no proof of more: the client may leave at once, and leases without end exist. The client is known by its
    MAC address; the host name that it gives is its service. Logs of Zeek before 2.6 have a row for each ACK. Later
    ones have a row for each exchange, with the time and address of its last message. The ACK counts only if it is that.
    `client_addr` (all that there is of an INFORM) is not taken for the address: behind a relay it is the relay's.
    """
    first, took = _seconds(columns["ts"]), _seconds(columns["duration"])
    bad = _unreadable(first) | _unreadable(took, columns["duration"])
    messages = _items(columns["msg_types"], header)
    items, parents = pc.list_flatten(messages), np.asarray(pc.list_parent_indices(messages))
    last = np.flatnonzero(np.diff(parents, append=-1))
    acknowledged = mask(pc.is_null(messages))
    acknowledged[parents[last]] = mask(pc.equal(text(take(items, last)), "ACK"))
    address = pc.coalesce(*(text(one_array(columns[n])) for n in ("assigned_addr", "assigned_ip")))
    known = mask(pc.is_valid(address)) & mask(pc.is_valid(one_array(columns["mac"])))
    row = np.flatnonzero(~bad & acknowledged & known)
    skipped = {"no_lease": int((~bad & ~(acknowledged & known)).sum())}
    moment = take(pc.add(first, pc.fill_null(took, 0)), row)
    mac = pc.utf8_lower(take(text(columns["mac"]), row))
    beats = {
        "address": take(address, row),
        "workload": pc.binary_join_element_wise("mac:", mac, ""),
        "service": take(unescape(text(one_array(columns["host_name"]))), row),
        "start": moment,
        "end": moment,
        "network": take(network_of(columns), row),
        "observer": take(sensor_of(columns), row),
    }
    return Result(beats, row, bad, skipped)


def _address_answers(items: Column, ttls: Column, rows: Int64) -> tuple[Int64, Column, Column]:
    """Row, address and TTL of every address in the answers of `rows`."""
    items, ttls = take(items, rows), take(ttls, rows)
    answer, inner = text(pc.list_flatten(items)), np.asarray(pc.list_parent_indices(items))
    is_address = mask(pc.match_substring_regex(answer, _ADDRESS))
    length = np.asarray(pc.fill_null(pc.list_value_length(items), 0))
    aligned = np.repeat(np.asarray(pc.fill_null(pc.list_value_length(ttls), 0)) == length, length)
    seconds = np.full(len(answer), np.nan)
    flat = pc.list_flatten(ttls)
    if len(flat):
        ours = np.asarray(pc.list_parent_indices(ttls))
        fits = np.asarray(pc.fill_null(pc.list_value_length(ttls), 0))[ours] == length[ours]
        seconds[aligned] = _floats(flat)[fits]
    smallest = np.full(len(items), np.inf)
    np.fmin.at(smallest, inner[~is_address], seconds[~is_address])
    ttl = np.fmin(seconds, smallest[inner])[is_address]
    known = aligned[is_address] & np.isfinite(ttl)
    return rows[inner[is_address]], pc.filter(answer, pa.array(is_address)), pa.array(ttl, mask=~known)


def _responder_is_local(columns: dict[str, Column]) -> Column:
    orig, resp = _flag(columns["local_orig"]), _flag(columns["local_resp"])
    said = pc.fill_null(pc.xor(orig, resp), False)
    private_orig, private_resp = _is_private(columns["id.orig_h"]), _is_private(columns["id.resp_h"])
    return pc.if_else(said, pc.fill_null(resp, False), pc.and_not(private_resp, private_orig))


def _is_private(addresses: Column) -> Column:
    encoded = pc.dictionary_encode(one_array(text(addresses)))
    private = pc.match_substring_regex(encoded.dictionary, _PRIVATE)
    return pc.fill_null(pc.take(private, encoded.indices), False)


def _protocol(columns: dict[str, Column]) -> Column:
    """Numbers where Zeek has them, else names; over IPv6 what Zeek calls icmp is protocol 58."""
    name = text(columns["proto"])
    name = null_where(pc.equal(name, "unknown_transport"), name)
    over_ipv6 = pc.match_substring(text(columns["id.orig_h"]), ":")
    name = pc.if_else(pc.and_(pc.equal(name, "icmp"), over_ipv6), "58", name)
    return pc.coalesce(text(columns["ip_proto"]), name)


def _seconds(column: Column) -> Column:
    """Microseconds of a time or a duration; numbers too large for seconds are milliseconds (`TS_MILLIS`)."""
    array = one_array(column)
    if pa.types.is_integer(array.type) and (pc.max(array).as_py() or 0) > _SECONDS_END:
        return pc.if_else(pc.greater(array, _SECONDS_END), micros(array, "ms"), micros(array, "s"))
    return micros(array, "s")


def _unreadable(parsed: Column, written: Column = None) -> Bool:
    """Rows whose time is not there, or where it may lack, is written but is no time."""
    missing = mask(pc.is_null(parsed))
    return missing if written is None else missing & mask(pc.is_valid(one_array(written)))


def _flag(column: Column) -> Column:
    """Booleans of JSON's true and false or of Zeek's T and F."""
    return column if pa.types.is_boolean(column.type) else pc.equal(text(column), "T")


def _integers(column: Column) -> Column:
    array = one_array(column)
    if pa.types.is_integer(array.type):
        return array
    if pa.types.is_floating(array.type):
        return array.cast(pa.int64(), safe=False)
    return micros(array, "us")


def _floats(values: Column) -> Float64:
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan))
    values = text(values)
    numeric = pc.match_substring_regex(values, r"^\d+(\.\d*)?([eE][+-]?\d+)?$")
    cleaned = pc.if_else(pc.fill_null(numeric, False), values, pa.scalar(None, pa.string()))
    return np.asarray(pc.fill_null(cleaned.cast(pa.float64()), np.nan))


def _items(column: Column, header: Header) -> Column:
    """Lists of a set or vector: JSON has them, tab-separated logs join them."""
    array = one_array(column)
    if pa.types.is_list(array.type):
        return array
    return split(text(array), header)
