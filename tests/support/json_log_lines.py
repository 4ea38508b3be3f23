"""One sound line of each kind of each log of JSON lines, with every field that is read."""

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
        "kubernetes",
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "list",
            "objectRef": {"resource": "pods"}, "responseStatus": {"code": 200}, "requestURI": "/api/v1/pods?limit=500",
            "requestReceivedTimestamp": T0, "responseObject": {"items": [{"metadata": {"uid": "u-1"}, "status": {}}]},
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
