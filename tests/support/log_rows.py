"""Sound rows of every format, and how rows stand in a source of it.

A row is what a format counts: a line, an event, an item of a list, an entry of a document.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from json_log_lines import LINES, MS, T0

from attribution.schema import FLOW

#: What of a row tells it from others.
_IDENTITIES = (
    *("10.0.0.1", "192.0.2.0", '"C1"', "u-1", "eni-1", "i-1", "cart-0", "eipalloc-1", "a-1", "nat-1", "arn:t"),
)


@dataclass(frozen=True)
class Log:
    """Rows of one format in one kind of source.

    Attributes:
        format: its name.
        where: what holds the rows.
        rows: sound ones, as JSON values, or as lines of text where there is a `separator`.
        source: the content of a source with these rows, each as text.
        separator: between the cells of a row of text.
        lines: whether a row is a line of its own, which may be anything.
        is_none: whether a text among the rows is no row, but would hold some: an empty array, a stream without entries.
        lead: the kind of record that each row is counted by; None if rows are of several kinds.
        single: whether each row is counted once; else it may be several records, each of which is counted.
        refuses: whether one row that is not understood refuses the whole source, as configuration does.
    """

    format: str
    where: str
    rows: tuple[object, ...]
    source: Callable[[list[str]], str] = field(default="\n".join)
    separator: str | None = None
    lines: bool = True
    is_none: Callable[[str], bool] = lambda _: False
    lead: str | None = None
    single: bool = False
    refuses: bool = False

    def __str__(self):
        return f"{self.format}, {self.where}"

    def neighbour(self, row, number):
        """The text of a row that is another one's than that of `row`, for each number from 2 to 9."""
        text = row if self.separator else json.dumps(row)
        for one in _IDENTITIES:
            text = text.replace(one, _changed(one, number))
        return text


def _changed(identity, number):
    return {"10.0.0.1": f"10.0.{number}.1", "192.0.2.0": f"192.0.{number}.0", '"C1"': f'"C{number}"'}.get(
        identity, f"{identity}{number}"
    )


def _is_empty(row):
    """Whether the row is nothing but brackets, which stand between objects."""
    return not row.strip("[]")


def _json_array(rows):
    return f"[{', '.join(rows)}]"


def _inside(before, after):
    return lambda rows: f"{before}{', '.join(rows)}{after}"


def _below(header):
    return lambda rows: "\n".join([header, *rows])


def _of(name):
    return tuple(line for known, line in LINES if known == name)


def _event(name, request, response=None, **more):
    event = {"eventName": name, "eventSource": "ec2.amazonaws.com", "eventTime": T0, "requestParameters": request}
    return {**event, "responseElements": response, **more}


_SET = {"items": [{"privateIpAddress": "10.0.0.1"}]}
_INTERFACE = {"networkInterfaceId": "eni-1", "privateIpAddress": "10.0.0.1", "vpcId": "vpc-1", "description": "d"}
_INSTANCE = {"instanceId": "i-1", "vpcId": "vpc-1", "networkInterfaceSet": {"items": [_INTERFACE]}}
_GATEWAY = {"natGatewayId": "nat-1", "vpcId": "vpc-1", "natGatewayAddressSet": {"items": [{"publicIp": "192.0.2.0"}]}}
_EVENTS = (
    *_of("cloudtrail"),
    _event("RunInstances", {}, {"instancesSet": {"items": [_INSTANCE]}}),
    _event("TerminateInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}]}}),
    _event("AssignPrivateIpAddresses", {"networkInterfaceId": "eni-1", "privateIpAddressesSet": _SET}, {}),
    _event("UnassignPrivateIpAddresses", {"networkInterfaceId": "eni-1", "privateIpAddressesSet": _SET}, {}),
    _event("DeleteNetworkInterface", {"networkInterfaceId": "eni-1"}),
    _event("AllocateAddress", {}, {"allocationId": "eipalloc-1", "publicIp": "192.0.2.0"}),
    _event("AssociateAddress", {"instanceId": "i-1", "publicIp": "192.0.2.0"}, {"associationId": "eipassoc-1"}),
    _event("AssociateAddress", {"networkInterfaceId": "eni-1", "allocationId": "eipalloc-1"}, {"associationId": "a-1"}),
    _event("DisassociateAddress", {"associationId": "a-1"}),
    _event("CreateNatGateway", {}, {"natGateway": _GATEWAY}),
    _event("DeleteNatGateway", {"natGatewayId": "nat-1"}),
    _event("CreateNetworkInterface", {}, errorCode="Client.DryRunOperation"),
    {"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com", "eventTime": T0},
)  # fmt: skip
_NATIVE = (
    *_of("native"),
    {"start": T0, "address": "10.0.0.1", "workload": "w", "service": "s", "port": 1, "protocol": 6, "observer": "o"},
    {"address": "10.0.0.1", "owner": "w", "service": "s", "kind": "k", "action": "assign", "time": T0, "network": "n"},
    {"client_address": "10.0.0.1", "server_address": "10.0.0.2", "hostname": "a.example", "time": T0, "ttl": 3},
    {"prefix": "192.0.2.0/24", "service": "s", "kind": "k", "region": "r"},
    {"policy": "p", "pool": "b", "prefix": "192.0.2.0/24", "match": "a=b", "priority": 1, "ttl": 30.0, "start": T0},
    {"rule": "r", "prefix": "192.0.2.0/24", "port": 80, "last_port": 90, "protocol": 6, "service": "s", "end": T0},
)  # fmt: skip
_POD = _of("kubernetes")[0]
_CONN = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tlocal_orig\tlocal_resp"
)
_DNS = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    "#fields\tts\tid.orig_h\tproto\tquery\tqtype\tqtype_name\trcode\trcode_name\tanswers\tTTLs\trejected"
)
_VPC = "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
_ECS = "interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol start end flow-direction vpc-id"
_ECS += " tcp-flags ecs-cluster-name ecs-service-name ecs-task-arn ecs-task-id"
_S = MS // 1000
_FLOW = _of("netobserv")[0]
_RULES = {
    "name": "web", "pool": "edge", "ports": [443, "80-90"], "protocol": "tcp", "service": "s", "end": T0, "priority": 1,
    "data_centre": "ams",
}  # fmt: skip
_POLICY = {"name": "free", "pool": "edge", "match": {"a": ["b", "c"]}, "priority": 1, "ttl": "30s", "start": T0}

LOGS = (
    *(Log(name, "lines", _of(name)) for name in ("hubble", "dnstap", "route53_resolver")),
    *(Log(name, "lines", _of(name), lead=FLOW, single=True) for name in ("goflow2", "netobserv")),
    Log("hubble", "bare lines", tuple(line["flow"] for line in _of("hubble"))),
    Log("zeek", "lines", _of("zeek")),
    Log(
        "zeek", "conn.log", (f"{_S}.5\tC1\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\t1.5\t10\tT\tF",), _below(_CONN), "\t",
        lead=FLOW, single=True,
    ),
    Log(
        "zeek", "dns.log",
        (f"{_S}.5\t10.0.0.1\tudp\ta.example\t1\tA\t0\tNOERROR\t192.0.2.0,192.0.2.9\t3.0,4.0\tF",), _below(_DNS), "\t",
    ),
    Log("kubernetes", "lines", _of("kubernetes"), is_none="[]".__eq__),
    Log("kubernetes", "list", (_POD,), _inside('{"apiVersion": "v1", "kind": "List", "items": [', "]}"), lines=False),
    Log("kubernetes", "array", _of("kubernetes"), _json_array, lines=False),
    Log("kubernetes", "documents", (_POD,), "\n ".join, lines=False, is_none="[]".__eq__),
    Log("cloudtrail", "lines", _EVENTS),
    Log("cloudtrail", "file of a trail", _EVENTS, _inside('{"Records": [', "]}"), lines=False, is_none="[]".__eq__),
    Log(
        "netobserv", "answer of Loki", (_FLOW,), lines=False,
        source=lambda rows: json.dumps(
            {"data": {"resultType": "streams", "result": [
                {"stream": {"SrcK8S_Type": "Pod"}, "values": [[str(number), row] for number, row in enumerate(rows)]}
            ]}}
        ),
    ),
    Log(
        "netobserv", "entries of Loki", (["1", json.dumps(_FLOW)],), lines=False,
        source=_inside('{"data": {"resultType": "streams", "result": [{"stream": {}, "values": [', "]}]}}"),
    ),
    Log(
        "netobserv", "streams of Loki", ({"stream": {"SrcK8S_Type": "Pod"}, "values": [["1", json.dumps(_FLOW)]]},),
        lines=False, is_none=lambda row: '"values": []' in row,
        source=_inside('{"data": {"resultType": "streams", "result": [', "]}}"),
    ),
    Log(
        "aws_ip_ranges", "file", ({"ip_prefix": "192.0.2.0/24", "service": "S3", "region": "eu"},), lines=False,
        source=_inside('{"syncToken": "1", "prefixes": [', '], "ipv6_prefixes": []}'), single=True,
    ),
    Log("prefixes", "lines", ("192.0.2.0/24 office Berlin",), separator=" ", single=True),
    Log(
        "prefixes", "CSV", ("192.0.2.0/24,office,site,eu,n",), _below("prefix,name,kind,region,network"), ",",
        single=True,
    ),
    Log(
        "policies", "policies", (_POLICY,), lines=False, refuses=True,
        source=_inside('{"pools": {"edge": ["192.0.2.0/24"]}, "policies": [', "]}"),
    ),
    Log(
        "policies", "socket rules", (_RULES,), lines=False, refuses=True,
        source=_inside('{"pools": {"edge": ["192.0.2.0/24"]}, "socket_rules": [', "]}"),
    ),
    Log(
        "vpc", "version 2",
        (f"2 eni-1 10.0.0.1 10.0.0.2 1 2 6 3 4 {_S} {_S} ACCEPT OK", f"2 eni-1 - - - - - - - {_S} {_S} - NODATA"),
        _below(_VPC), " ", lead=FLOW, single=True,
    ),
    Log(
        "vpc", "ECS", (f"eni-1 10.0.0.1 10.0.0.2 10.0.0.1 10.0.0.2 1 2 6 {_S} {_S + 300} egress vpc-1 3 c s arn:t t",),
        _below(_ECS), " ", lead=FLOW, single=True,
    ),
    Log(
        "vpc", "without a header",
        (f"2 123 eni-1 10.0.0.1 10.0.0.2 1 2 6 3 4 {_S} {_S} ACCEPT OK",),
        separator=" ", lead=FLOW, single=True,
    ),
    Log("native", "lines", _NATIVE, single=True),
    Log("native", "array", _NATIVE, _json_array, lines=False, is_none=_is_empty),
    Log("native", "documents", _NATIVE, "\n\n".join, lines=False, is_none=_is_empty),
)  # fmt: skip
