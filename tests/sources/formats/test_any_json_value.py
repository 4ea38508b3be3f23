"""Whatever JSON value stands in whatever field of a log, the other lines are read and every line is accounted for."""

import json
from contextlib import suppress
from copy import deepcopy

import pytest

from attribution.errors import SourceError
from attribution.sources import Ledger, read

T0 = "2026-01-01T00:00:00Z"
MS = 1_767_225_600_000
PODS = {
    "source": {"ID": 1, "namespace": "shop", "pod_name": "cart-0", "workloads": [{"name": "cart"}]},
    "destination": {"ID": 2},
}
CONN = {
    "_path": "conn", "ts": MS / 1000, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2",
    "id.resp_p": 2, "proto": "tcp", "duration": 1.0, "local_orig": True, "local_resp": False, "orig_bytes": 1,
    "resp_bytes": 1, "orig_ip_bytes": 1, "resp_ip_bytes": 1, "orig_pkts": 1, "resp_pkts": 1, "_system_name": "s",
}  # fmt: skip
ANSWER = """;; opcode: QUERY, status: NOERROR, id: 1

;; QUESTION SECTION:
;a.example.\tIN\t A

;; ANSWER SECTION:
a.example.\t60\tIN\tA\t192.0.2.1
"""
#: (format, one line of it).
LINES = [
    (
        "hubble",
        {
            "flow": {
                "time": T0, "verdict": "FORWARDED", "Type": "L3_L4", "node_name": "n", "is_reply": False, **PODS,
                "IP": {"source": "10.0.0.1", "destination": "10.0.0.2"}, "traffic_direction": "EGRESS",
                "l4": {"TCP": {"source_port": 1, "destination_port": 2, "flags": {"SYN": True}}},
                "source_names": ["a.example"],
                "l7": {"type": "RESPONSE", "dns": {"query": "a.example.", "ips": ["192.0.2.1"], "ttl": 3, "rcode": 0}},
            },
            "node_name": "n",
            "time": T0,
        },
    ),
    (
        "goflow2",
        {
            "type": "IPFIX", "time_received_ns": MS * 10**6, "time_flow_start_ns": MS * 10**6,
            "time_flow_end_ns": MS * 10**6, "sampling_rate": 1, "sampler_address": "192.0.2.1",
            "src_addr": "10.0.0.1", "dst_addr": "10.0.0.2", "src_port": 1, "dst_port": 2, "proto": "TCP",
            "etype": "IPv4", "bytes": 1, "packets": 1, "tcp_flags": 1,
        },
    ),
    (
        "netobserv",
        {
            "SrcAddr": "10.0.0.1", "DstAddr": "10.0.0.2", "SrcPort": 1, "DstPort": 2, "Proto": 6, "Etype": 2048,
            "TimeFlowStartMs": MS, "TimeFlowEndMs": MS, "Bytes": 1, "Packets": 1, "Sampling": 1, "Flags": ["SYN"],
            "AgentIP": "192.0.2.1", "Interface": "e", "IfDirection": 0, "SrcK8S_Name": "a", "SrcK8S_Namespace": "b",
            "SrcK8S_OwnerName": "c", "SrcK8S_Type": "Pod", "SrcK8S_HostIP": "192.0.2.1", "_RecordType": "flowLog",
            "Duplicate": False,
        },
    ),
    ("zeek", CONN),
    (
        "zeek",
        {
            "_path": "dns", "ts": MS / 1000, "rtt": 0.1, "id.orig_h": "10.0.0.1", "query": "a.example", "qtype": 1,
            "rcode": 0, "answers": ["192.0.2.1"], "TTLs": [3.0], "rejected": False,
        },
    ),
    (
        "zeek",
        {
            "_path": "dhcp", "ts": MS / 1000, "duration": 1.0, "mac": "m", "assigned_addr": "10.0.0.1",
            "host_name": "h", "msg_types": ["ACK"], "_system_name": "s",
        },
    ),
    ("zeek", {"_path": "ssl", "ts": MS / 1000, "uid": "C1", "server_name": "a.example"}),
    (
        "dnstap",
        {
            "type": "MESSAGE",
            "message": {
                "type": "CLIENT_RESPONSE", "query_time": T0, "response_time": T0, "socket_protocol": "UDP",
                "query_address": "10.0.0.1",
                "response_message": ANSWER,
            },
        },
    ),
    (
        "route53_resolver",
        {
            "query_name": "a.example.", "query_type": "A", "query_timestamp": T0, "srcaddr": "10.0.0.1",
            "rcode": "NOERROR", "answers": [{"Rdata": "192.0.2.1", "Type": "A"}],
        },
    ),
    (
        "kubernetes",
        {
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"uid": "u-1", "name": "cart-0", "namespace": "shop", "labels": {"pod-template-hash": "h"}},
            "spec": {"nodeName": "n", "hostNetwork": False, "containers": [{"ports": [{"containerPort": 80}]}]},
            "status": {
                "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "192.0.2.1",
                "containerStatuses": [{"state": {"running": {"startedAt": T0}}}],
            },
        },
    ),
    (
        "kubernetes",
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "patch",
            "objectRef": {"resource": "pods", "subresource": "status", "uid": "u-1", "name": "cart-0"},
            "responseStatus": {"code": 200}, "user": {"username": "system:node:n"}, "requestReceivedTimestamp": T0,
            "requestObject": {"status": {"podIP": "10.0.0.1", "hostIP": "192.0.2.1"}},
        },
    ),
    (
        "cloudtrail",
        {
            "eventName": "CreateNetworkInterface", "eventSource": "ec2.amazonaws.com", "eventTime": T0,
            "requestParameters": {"subnetId": "s"},
            "responseElements": {
                "networkInterface": {
                    "networkInterfaceId": "eni-1", "vpcId": "vpc-1", "description": "", "interfaceType": "interface",
                    "privateIpAddress": "10.0.0.1", "tagSet": {"items": [{"key": "Name", "value": "web"}]},
                    "privateIpAddressesSet": {"item": [{"privateIpAddress": "10.0.0.1"}]},
                }
            },
        },
    ),
    (
        "native",
        {
            "start": T0, "end": T0, "local_address": "10.0.0.1", "local_port": 1, "remote_address": "10.0.0.2",
            "remote_port": 2, "protocol": 6, "direction": "egress", "bytes_sent": 1, "tcp_flags": 1,
            "local_workload": "w", "hostname": "a.example", "observer": "o", "basis": "connection",
        },
    ),
]  # fmt: skip
VALUES = [
    None,
    True,
    3,
    1.5,
    float("nan"),
    10**30,
    "text",
    "\ud800",
    "",
    [],
    [None],
    ["a", 1],
    [{"x": [1]}],
    {},
    {"a": {}},
]


def paths(value, path=()):
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from paths(inner, (*path, key))


def with_value(line, path, value):
    changed = deepcopy(line)
    *outer, last = path
    inside = changed
    for key in outer:
        inside = inside[key]
    inside[last] = value
    return changed


FORMATS = pytest.mark.parametrize(("name", "line"), LINES, ids=lambda value: value if isinstance(value, str) else "")


def rejected_lines(name, lines, path):
    """The numbers of the lines that are rejected; all are accounted for."""
    path.write_text("\n".join(map(json.dumps, lines)))
    rejects = []
    ledger = Ledger(sink=rejects.append, max_rejected_share=1)
    for found in read([path], ledger=ledger, format=name):
        found.batch.validate(full=True)
    assert ledger.rows.total() + ledger.skipped.total() + ledger.rejected.total() >= len(lines)
    return {reject.line for reject in rejects}


@FORMATS
def test_a_log_in_which_a_field_is_a_list_or_an_object_is_read(name, line, tmp_path):
    for place in paths(line):
        for value in ([1], [{"x": [1]}], {"a": 1}):
            rejected_lines(name, [with_value(line, place, value)] * 2, tmp_path / "log.json")


@FORMATS
def test_whatever_the_value_of_a_field_the_lines_beside_it_are_read(name, line, tmp_path):
    for place in paths(line):
        odd = [with_value(line, place, value) for value in VALUES]
        lines = [one for pair in zip(odd, [line] * len(odd), strict=True) for one in pair]
        assert {number % 2 for number in rejected_lines(name, lines, tmp_path / "log.json")} <= {1}, place


RANGES = {"prefixes": [{"ip_prefix": "192.0.2.0/24", "service": "S3", "region": "eu"}], "ipv6_prefixes": []}
RULES = {
    "pools": {"edge": ["192.0.2.0/24"]},
    "policies": [{"name": "free", "pool": "edge", "match": {"a": "b"}, "priority": 1, "ttl": 30, "start": T0}],
    "socket_rules": [{"name": "web", "pool": "edge", "ports": [443], "protocol": "tcp", "service": "s", "end": T0}],
}
LOKI = {"data": {"resultType": "streams", "result": [{"stream": {"AgentIP": "a"}, "values": [["1", "{}"]]}]}}


def places(value, path=()):
    """Every place in a document, in lists too."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


@pytest.mark.parametrize(
    ("name", "document"),
    [("aws_ip_ranges", RANGES), ("policies", RULES), ("netobserv", LOKI)],
    ids=["aws_ip_ranges", "policies", "netobserv"],
)
def test_a_document_with_any_value_at_any_place_is_read_or_refused(name, document, tmp_path):
    path = tmp_path / "document.json"
    for place in places(document):
        for value in VALUES:
            path.write_text(json.dumps(with_value(document, place, value)))
            with suppress(SourceError):
                for found in read([path], ledger=Ledger(max_rejected_share=1), format=name):
                    found.batch.validate(full=True)
