"""The fields of AWS flow logs, and the layout that a header gives them.

Flow logs of VPCs (versions 2 to 10) and of transit gateways (version 6) are one family. The log's creator chooses
fields and their order; text files spell them with hyphens and Parquet files with underscores. Only the header says
what the columns are. The `version` field does not: it is the highest version among the chosen fields, and rows about
ECS tasks have been seen to say 3 or 5.

Source: "Flow log records" in the Amazon VPC User Guide; "Transit Gateway Flow Logs" in the transit gateway guide.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

#: The default format, in order; also the columns of a log that was exported without its header.
VERSION_2 = (
    "version",
    "account_id",
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log_status",
)

#: Fields of VPC flow logs by the version that brought them.
VPC_FIELDS = {
    2: VERSION_2,
    3: ("vpc_id", "subnet_id", "instance_id", "tcp_flags", "type", "pkt_srcaddr", "pkt_dstaddr"),
    4: ("region", "az_id", "sublocation_type", "sublocation_id"),
    5: ("pkt_src_aws_service", "pkt_dst_aws_service", "flow_direction", "traffic_path"),
    7: (
        "ecs_cluster_arn",
        "ecs_cluster_name",
        "ecs_container_instance_arn",
        "ecs_container_instance_id",
        "ecs_container_id",
        "ecs_second_container_id",
        "ecs_service_name",
        "ecs_task_definition_arn",
        "ecs_task_arn",
        "ecs_task_id",
    ),
    8: ("reject_reason",),
    9: ("resource_id",),
    10: ("encryption_status",),
}

#: Fields that only transit gateways have; they share the others with VPCs.
TRANSIT_GATEWAY_FIELDS = (
    "resource_type",
    "tgw_id",
    "tgw_attachment_id",
    "tgw_src_vpc_account_id",
    "tgw_dst_vpc_account_id",
    "tgw_src_vpc_id",
    "tgw_dst_vpc_id",
    "tgw_src_subnet_id",
    "tgw_dst_subnet_id",
    "tgw_src_eni",
    "tgw_dst_eni",
    "tgw_src_az_id",
    "tgw_dst_az_id",
    "tgw_pair_attachment_id",
    "packets_lost_no_route",
    "packets_lost_blackhole",
    "packets_lost_mtu_exceeded",
    "packets_lost_ttl_expired",
)

KNOWN = frozenset(field for fields in VPC_FIELDS.values() for field in fields) | frozenset(TRANSIT_GATEWAY_FIELDS)

#: The fields that are read; all others are only counted.
READ = (
    *(name for name in VERSION_2 if name not in {"version", "account_id"}),
    "tcp_flags",
    "pkt_srcaddr",
    "pkt_dstaddr",
    "region",
    "flow_direction",
    "vpc_id",
    "tgw_src_vpc_id",
    "tgw_dst_vpc_id",
    "ecs_cluster_name",
    "ecs_service_name",
    "ecs_task_arn",
    "ecs_task_id",
    "resource_id",
    "tgw_id",
    "tgw_attachment_id",
)

_ENCODED = pa.dictionary(pa.int32(), pa.string())
#: Columns that are not plain text; names of VPCs and of ECS are long and repeat.
_TYPES = {
    "srcport": pa.int32(),
    "dstport": pa.int32(),
    "protocol": pa.int32(),
    "tcp_flags": pa.int32(),
    "packets": pa.int64(),
    "bytes": pa.int64(),
    "start": pa.int64(),
    "end": pa.int64(),
    "vpc_id": _ENCODED,
    "tgw_src_vpc_id": _ENCODED,
    "tgw_dst_vpc_id": _ENCODED,
    "ecs_cluster_name": _ENCODED,
    "ecs_service_name": _ENCODED,
    "ecs_task_arn": _ENCODED,
    "ecs_task_id": _ENCODED,
}

_SECOND = 1_000_000
#: How much later than the interface the flow log service may see a packet, microseconds.
REPORT_DELAY = 60 * _SECOND
#: `start` and `end` name seconds: a packet may have passed this much later, microseconds.
WITHIN_SECOND = _SECOND - 1

#: A flow needs these; in each group one suffices.
_NEEDED = (("srcaddr", "pkt_srcaddr"), ("dstaddr", "pkt_dstaddr"), ("start",), ("end",))

#: Other names of fields, without hyphens and underscores: of the tables that the Athena guide had at first.
_ALIASES = {
    "account": "account_id",
    "sourceaddress": "srcaddr",
    "destinationaddress": "dstaddr",
    "sourceport": "srcport",
    "destinationport": "dstport",
    "numpackets": "packets",
    "numbytes": "bytes",
    "starttime": "start",
    "endtime": "end",
}
_SQUASHED = {name.replace("_", ""): name for name in KNOWN} | _ALIASES
#: Names of addresses as only these logs spell them; routers' exports have `src_addr` and `SrcAddr`.
_SPELLED = frozenset(
    spelled
    for name in ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "pkt-srcaddr", "pkt-dstaddr")
    for spelled in (name, name.upper())
) | {"srcAddr", "dstAddr", "pktSrcAddr", "pktDstAddr", "pktSrcaddr", "pktDstaddr"}

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Names that only these logs have; `start`, `bytes` and others stand in other logs too.
_TELLING = frozenset({"interface_id", "log_status", "tgw_id", "tgw_attachment_id"})


@dataclass(frozen=True)
class Layout:
    """The columns of one flow log, in order, named with underscores.

    Attributes:
        columns: every column; the second of two with one name, and those of unknown name, are never read.
    """

    columns: tuple[str, ...]

    @cached_property
    def read(self) -> list[str]:
        """The columns that are read."""
        return [name for name in self.columns if name in READ]

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """Arrow type of each column that is read."""
        return {name: _TYPES.get(name, pa.string()) for name in self.read}

    @cached_property
    def as_text(self) -> dict[str, pa.DataType]:
        """As `types`, but text for all: for rows in which a number is none."""
        return dict.fromkeys(self.read, pa.string())

    @cached_property
    def missing(self) -> list[str]:
        """Fields, in the spelling of text logs, without which these columns make no flow."""
        return [group[0].replace("_", "-") for group in _NEEDED if not any(name in self.columns for name in group)]


def header_layout(names: Sequence[str]) -> Layout | None:
    """The layout that a header's names give; None where the names are not those of a flow log.

    Args:
        names: as written: with hyphens, underscores, or as the placeholders of a format string (`${srcaddr}`).
    """
    if not is_flow_log(names):
        return None
    layout = table_layout(names)
    return layout if all(_FIELD_NAME.fullmatch(name.partition("#")[0]) for name in layout.columns) else None


def table_layout(names: Sequence[str]) -> Layout:
    """The layout of a table with these columns; of several columns for one field, the first is read.

    >>> table_layout(["@timestamp", "srcAddr", "destinationaddress", "log-status", "srcaddr"]).columns
    ('@timestamp', 'srcaddr', 'dstaddr', 'log_status', 'srcaddr#2')
    """
    seen: Counter[str] = Counter()
    columns = []
    for name in map(field_of, names):
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return Layout(tuple(columns))


def field_of(name: str) -> str:
    """The field that a column of this name holds, whatever its case and its signs between words; else the name."""
    plain = name.removeprefix("${").removesuffix("}").replace("-", "_")
    return _SQUASHED.get(plain.replace("_", "").lower(), plain)


def is_flow_log(names: Iterable[str]) -> bool:
    """Whether column names are those of a flow log: several that the guides know, one telling."""
    spelled = {name.removeprefix("${").removesuffix("}") for name in names}
    fields = set(map(field_of, spelled))
    return len(KNOWN & fields) > 1 and not (_TELLING.isdisjoint(fields) and _SPELLED.isdisjoint(spelled))
