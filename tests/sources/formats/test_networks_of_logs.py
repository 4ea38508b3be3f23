"""The network that each log tells, on networks with the same addresses, and names that need a cluster to be unique."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_input import MemoryInput, rows_of

from attribution.sources.formats.goflow2 import Goflow2
from attribution.sources.formats.hubble.format import Hubble
from attribution.sources.formats.kubernetes.format import Kubernetes
from attribution.sources.formats.labels import PrefixFile
from attribution.sources.formats.native.format import Native
from attribution.sources.formats.netobserv.format import NetObserv
from attribution.sources.formats.policies import Policies
from attribution.sources.formats.vpc.parquet import VpcParquet
from attribution.sources.formats.vpc.text import VpcText
from attribution.sources.formats.zeek.format import Zeek


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def networks(rows):
    """Local and remote network of each flow."""
    return [(row.get("local_network"), row.get("remote_network")) for row in rows.get("flow", [])]


def evidence(rows, kind="heartbeat"):
    """Network of each row of evidence."""
    return [row.get("network") for row in rows.get(kind, [])]


# AWS.

HEADER = "vpc-id srcaddr dstaddr srcport dstport protocol start end log-status action flow-direction"


def vpc_row(vpc="vpc-0a", direction="egress", start=1700000000):
    return f"{vpc} 10.0.1.10 10.0.2.20 40000 443 6 {start} {start + 300} OK ACCEPT {direction}"


def test_a_vpc_is_the_view_of_its_interfaces_whatever_the_direction():
    rows, _ = rows_of(VpcText(), "\n".join([HEADER, vpc_row(), vpc_row("vpc-0b", "ingress"), vpc_row("-")]) + "\n")
    assert networks(rows) == [("vpc-0a", None), ("vpc-0b", None), (None, None)]


def test_a_vpc_log_in_parquet_says_the_same(tmp_path):
    values = zip(*(row.split() for row in (vpc_row(), vpc_row("vpc-0b", "ingress"))), strict=True)
    names = [name.replace("-", "_") for name in HEADER.split()]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(dict(zip(names, values, strict=True))), path)
    rows, _ = rows_of(VpcParquet(), path.read_bytes())
    assert networks(rows) == [("vpc-0a", None), ("vpc-0b", None)]


def test_a_transit_gateway_tells_the_vpcs_of_both_sides():
    header = "tgw-id tgw-attachment-id tgw-src-vpc-id tgw-dst-vpc-id srcaddr dstaddr start end log-status"
    row = "tgw-0a tgw-attach-0a {} {} 10.0.1.10 10.0.1.10 1700000000 1700000060 OK"
    content = "\n".join([header, row.format("vpc-0a", "vpc-0b"), row.format("-", "vpc-0b")]) + "\n"
    rows, _ = rows_of(VpcText(), content)
    assert networks(rows) == [("vpc-0a", "vpc-0b"), (None, "vpc-0b")]


def test_tasks_of_two_vpcs_with_one_address_are_evidence_of_their_own_network_each():
    header = HEADER + " ecs-cluster-name ecs-service-name ecs-task-arn"
    rows = [f"{vpc_row(vpc)} prod checkout arn:task/{vpc}" for vpc in ("vpc-0a", "vpc-0b")]
    found, _ = rows_of(VpcText(), "\n".join([header, *rows]) + "\n")
    assert [(b["network"], b["address"], b["workload"]) for b in found["heartbeat"]] == [
        ("vpc-0a", "10.0.1.10", "arn:task/vpc-0a"),
        ("vpc-0b", "10.0.1.10", "arn:task/vpc-0b"),
    ]


# NetObserv.


def record(cluster=None, **more):
    """A record of a pod's node, from the pod to one on another node."""
    row = {"SrcAddr": "10.0.0.5", "DstAddr": "10.0.0.9", "SrcPort": 40000, "DstPort": 443, "Proto": 6, "Etype": 2048}
    row |= {"TimeFlowStartMs": 1700000000000, "TimeFlowEndMs": 1700000001000, "Bytes": 1, "Packets": 1}
    row |= {"AgentIP": "10.1.0.1", "Interfaces": ["veth", "genev"], "IfDirections": [0, 1], "FlowDirection": 1}
    row |= {"SrcK8S_Name": "db-0", "SrcK8S_Namespace": "shop", "SrcK8S_Type": "Pod", "SrcK8S_OwnerName": "db"}
    row |= {"SrcK8S_HostIP": "10.1.0.1", "DstK8S_Name": "web-1", "DstK8S_Namespace": "shop", "DstK8S_Type": "Pod"}
    row |= {"DstK8S_OwnerName": "web", "DstK8S_HostIP": "10.1.0.2", "K8S_ClusterName": cluster}
    return {name: value for name, value in (row | more).items() if value is not None}


def test_pods_of_one_name_in_two_clusters_are_two_and_their_traffic_is_no_repeat():
    rows, ledger = rows_of(NetObserv(), lines(record("east"), record("west"), record("default"), record()))
    assert networks(rows) == [("east", None), ("west", None), (None, None)]
    assert [(f["local_workload"], f["local_service"]) for f in rows["flow"]] == [
        ("east/shop/db-0", "east/shop/db"),
        ("west/shop/db-0", "west/shop/db"),
        ("shop/db-0", "shop/db"),
    ]
    # A cluster that is called `default` and one without a name are not told apart.
    assert ledger.skipped == {("netobserv", "duplicate"): 1}


def test_the_other_side_s_heartbeat_is_of_its_own_network_too():
    rows, _ = rows_of(NetObserv(), lines(record("east", DstK8S_HostIP="10.1.0.1")))
    assert [(b["network"], b["workload"]) for b in rows["heartbeat"]] == [("east", "east/shop/web-1")]


@pytest.mark.parametrize(
    ("fields", "local", "remote"),
    [
        ({"Udns": ["", ""]}, "east", None),
        ({"Udns": ["default", ""]}, "east", None),
        ({"Udns": ["shop/red", "default"]}, "east/shop/red", None),
        ({"Udns": ["shop/red", "blue"]}, "east/blue+shop/red", None),
        ({"SrcK8S_NetworkName": "primary", "DstK8S_NetworkName": "primary"}, "east", None),
        ({"SrcK8S_NetworkName": "shop/red", "DstK8S_NetworkName": "shop/red"}, "east/shop/red", "east/shop/red"),
        ({"SrcK8S_NetworkName": "shop/red", "DstK8S_NetworkName": "primary"}, "east/shop/red", None),
        ({"Udns": "shop/red"}, "east", None),
        ({"Udns": [{}, 1]}, "east", None),
    ],
)
def test_a_network_that_a_user_defined_is_one_of_its_own(fields, local, remote):
    rows, _ = rows_of(NetObserv(), lines(record("east", **fields)))
    assert networks(rows) == [(local, remote)]
    assert rows["flow"][0]["local_workload"] == "east/shop/db-0"


def test_without_a_cluster_a_user_defined_network_stands_alone():
    rows, _ = rows_of(NetObserv(), lines(record(Udns=["shop/red"])))
    assert networks(rows) == [("shop/red", None)]
    assert rows["flow"][0]["local_workload"] == "shop/db-0"


def test_a_pod_that_was_found_in_another_network_than_the_packets_passed_is_not_believed():
    rows, _ = rows_of(NetObserv(), lines(record("east", Udns=["shop/red"], SrcK8S_NetworkName="primary")))
    assert networks(rows) == [("east/shop/red", None)]
    assert "local_workload" not in rows["flow"][0]
    assert "heartbeat" not in rows


def test_a_stream_s_labels_in_loki_tell_the_cluster_too():
    row = record()
    stream = {"stream": {"K8S_ClusterName": "east", "app": "netobserv"}, "values": [["1", json.dumps(row)]]}
    rows, _ = rows_of(NetObserv(), json.dumps({"data": {"resultType": "streams", "result": [stream]}}))
    assert networks(rows) == [("east", None)]
    assert rows["flow"][0]["local_workload"] == "east/shop/db-0"


# Hubble.


def event(source="east", destination="east", node="east/n1", *, uid=None, seconds=0, reply=False, **more):
    ends = {"source": {"ID": 11, "pod_name": "postgres-0"}, "destination": {"pod_name": "web-0"}}
    for end, cluster in (("source", source), ("destination", destination)):
        ends[end] |= {"namespace": "db", "workloads": [{"name": ends[end]["pod_name"][:-2]}]}
        ends[end] |= {} if cluster is None else {"cluster_name": cluster}
    ends["source"] |= {} if uid is None else {"pod_uid": uid}
    flow = {"time": f"2026-03-02T10:00:{seconds:02}Z", "verdict": "FORWARDED", "Type": "L3_L4", "is_reply": reply}
    flow |= {"IP": {"source": "10.1.0.5", "destination": "10.1.0.9"}, "traffic_direction": "EGRESS"}
    flow |= {"l4": {"TCP": {"source_port": 41000, "destination_port": 80}}, "node_name": node}
    return {"flow": flow | ends | more, "node_name": node}


@pytest.mark.parametrize(
    ("source", "destination", "node", "local", "remote"),
    [
        ("east", "west", "east/n1", "east", "west"),
        ("east", None, "east/n1", "east", None),
        (None, None, "east/n1", "east", None),
        (None, None, "n1", None, None),
        ("default", "default", "default/n1", None, None),
        ("", "", "", None, None),
    ],
)
def test_both_ends_of_an_event_are_in_their_clusters(source, destination, node, local, remote):
    rows, _ = rows_of(Hubble(), lines(event(source, destination, node)))
    assert networks(rows) == [(local, remote)]


def test_pods_and_services_of_one_name_in_two_clusters_are_two():
    rows, _ = rows_of(Hubble(), lines(event("east", "east"), event("west", "west", "west/n1"), event(None, None, "n1")))
    assert [(f["local_workload"], f["local_service"]) for f in rows["flow"]] == [
        ("east/db/postgres-0", "east/db/postgres"),
        ("west/db/postgres-0", "west/db/postgres"),
        ("db/postgres-0", "db/postgres"),
    ]


def test_a_pod_with_a_uid_goes_by_it_and_its_service_by_its_names():
    uid = "8e8c6a0e-0000-4000-8000-00000000000a"
    first, second = event(uid=uid), event(uid="b", seconds=9)
    # At the other end no pod of the node was seen, whatever a cache says of its UID.
    first["flow"]["destination"]["pod_uid"] = "c"
    rows, _ = rows_of(Hubble(), lines(first, second, event(uid=uid, reply=True)))
    assert [(f["local_workload"], f["local_service"]) for f in rows["flow"]] == [
        (uid, "east/db/postgres"),
        ("b", "east/db/postgres"),
    ]
    assert [(b["network"], b["workload"]) for b in rows["heartbeat"]] == [("east", uid)]


def test_a_pod_s_uid_is_the_same_workload_in_kubernetes():
    uid = "8e8c6a0e-0000-4000-8000-00000000000a"
    (flow,) = rows_of(Hubble(), lines(event(uid=uid)))[0]["flow"]
    (beat,) = rows_of(Kubernetes(), MemoryInput(json.dumps(pod(uid)), network="east"))[0]["heartbeat"]
    shared = ("workload", "service", "network")
    assert [flow[f"local_{name}"] for name in shared] == [beat[name] for name in shared]


def test_a_dns_answer_is_told_in_its_client_s_cluster():
    l7 = {"type": "RESPONSE", "dns": {"query": "a.example.", "ips": ["192.0.2.1"], "ttl": 5}}
    answered = event("east", "east", Type="L7", reply=True, l7=l7)
    rows, _ = rows_of(Hubble(), lines(answered, event(None, None, "west/n1", Type="L7", reply=True, l7=l7)))
    assert evidence(rows, "name_binding") == ["east", "west"]


# Kubernetes.


def pod(uid):
    running = {"state": {"running": {"startedAt": "2026-03-02T09:00:00Z"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "postgres-0",
            "namespace": "db",
            "uid": uid,
            "ownerReferences": [{"kind": "StatefulSet", "name": "postgres", "controller": True}],
        },
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "10.1.0.5", "hostIP": "10.9.0.1", "containerStatuses": [running]},
    }


def test_a_pod_list_says_no_cluster_so_a_given_network_serves_as_one():
    content = json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod("a")]})
    (plain,) = rows_of(Kubernetes(), content)[0]["heartbeat"]
    (given,) = rows_of(Kubernetes(), content, network="east")[0]["heartbeat"]
    assert (plain.get("network"), plain["workload"], plain["service"]) == (None, "a", "db/postgres")
    assert (given["network"], given["workload"], given["service"]) == ("east", "a", "east/db/postgres")


@pytest.mark.parametrize(
    ("source_format", "unnamed", "named"),
    [
        (NetObserv(), record("default"), record("west", SrcAddr="10.0.0.6")),
        (Hubble(), event(None, None, "n1"), event("west", "west", "west/n1")),
    ],
)
def test_a_given_network_is_the_name_of_a_cluster_that_has_none(source_format, unnamed, named):
    rows, _ = rows_of(source_format, lines(unnamed, named), network="east")
    assert [network for network, _ in networks(rows)] == ["east", "west"]
    assert [flow["local_workload"].split("/")[0] for flow in rows["flow"]] == ["east", "west"]


# Routers and sensors.


def exported(version=2, **more):
    row = {"type": "IPFIX", "time_received_ns": 1700000000 * 10**9, "time_flow_start_ns": 1699999999 * 10**9}
    row |= {"time_flow_end_ns": 1700000000 * 10**9, "sampler_address": "192.0.2.1", "src_addr": "10.0.0.5"}
    row |= {"dst_addr": "10.0.0.9", "proto": "TCP", "etype": "IPv4", "bytes": 1, "packets": 1, **more}
    if version == 2:
        return row
    names = {"time_received_ns": "TimeReceived", "time_flow_start_ns": "TimeFlowStart"}
    names |= {"time_flow_end_ns": "TimeFlowEnd", "ingress_vrf_id": "IngressVrfID", "egress_vrf_id": "EgressVrfID"}
    plain = {names.get(n, n.title().replace("_", "")): v for n, v in row.items()}
    return plain | {n: v // 10**9 for n, v in plain.items() if n.startswith("Time")}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("fields", "local", "remote"),
    [
        ({}, None, None),
        ({"ingress_vrf_id": 0, "egress_vrf_id": 0, "src_vlan": 0, "dst_vlan": 0, "vlan_id": 0}, None, None),
        ({"ingress_vrf_id": 7, "egress_vrf_id": 8}, "192.0.2.1/vrf-7", "192.0.2.1/vrf-8"),
        ({"ingress_vrf_id": 7, "egress_vrf_id": 0}, "192.0.2.1/vrf-7", "192.0.2.1/vrf-0"),
        ({"ingress_vrf_id": 7}, "192.0.2.1/vrf-7", None),
        ({"ingress_vrf_id": 7, "egress_vrf_id": 7, "src_vlan": 10}, "192.0.2.1/vrf-7", "192.0.2.1/vrf-7"),
        ({"src_vlan": 10, "dst_vlan": 20, "vlan_id": 10}, "192.0.2.1/vlan-10", "192.0.2.1/vlan-20"),
        ({"src_vlan": 0, "dst_vlan": 0, "vlan_id": 10}, "192.0.2.1/vlan-10", None),
        ({"vlan_id": 10, "sampler_address": "192.0.2.2"}, "192.0.2.2/vlan-10", None),
    ],
)
def test_a_router_s_vrf_or_else_vlan_is_a_network_of_that_router(version, fields, local, remote):
    rows, ledger = rows_of(Goflow2(), lines(exported(version, **fields)))
    assert networks(rows) == [(local, remote)]
    assert not ledger.rejected


CONNECTION = {"ts": 1700000000.0, "uid": "C1", "id.orig_h": "10.0.0.5", "id.orig_p": 40000, "id.resp_h": "10.0.0.9"}
CONNECTION |= {"id.resp_p": 443, "proto": "tcp", "conn_state": "SF", "_path": "conn"}
ANSWER = {"ts": 1700000000.0, "uid": "C2", "id.orig_h": "10.0.0.5", "query": "a.example", "qtype": 1, "rcode": 0}
ANSWER |= {"answers": ["192.0.2.1"], "TTLs": [60.0], "rejected": False, "_path": "dns"}
LEASE = {"ts": 1700000000.0, "uids": ["C3"], "mac": "00:00:5e:00:53:01", "assigned_addr": "10.0.0.5", "_path": "dhcp"}
LEASE |= {"msg_types": ["REQUEST", "ACK"]}


@pytest.mark.parametrize(
    ("fields", "network"),
    [
        ({}, None),
        ({"_system_name": "tap-1"}, None),
        ({"vlan": 10, "_system_name": "tap-1"}, "tap-1/vlan-10"),
        ({"vlan": 10, "peer": "worker-3"}, "worker-3/vlan-10"),
        ({"vlan": 10, "inner_vlan": 20, "_system_name": "tap-1"}, "tap-1/vlan-10.20"),
        ({"id.ctx.vlan": 10, "id.ctx.inner_vlan": 20, "_system_name": "tap-1"}, "tap-1/vlan-10.20"),
        ({"vlan": 0, "_system_name": "tap-1"}, None),
        ({"vlan": 0, "inner_vlan": 20, "_system_name": "tap-1"}, "tap-1/vlan-0.20"),
        ({"vlan": 10}, "vlan-10"),
    ],
)
def test_a_vlan_that_zeek_saw_is_a_network_of_the_sensor(fields, network):
    rows, ledger = rows_of(Zeek(), lines(*(row | fields for row in (CONNECTION, ANSWER, LEASE))))
    assert networks(rows) == [(network, None)]
    assert evidence(rows) == evidence(rows, "name_binding") == [network]
    assert not ledger.rejected


def test_zeek_s_tables_say_the_same_vlan():
    names = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "vlan", "inner_vlan"]
    rows = [["1700000000.0", "C1", "10.0.0.5", "40000", "10.0.0.9", "443", "tcp", *vlans] for vlans in ("12", "1-")]
    table = "\n".join(["#separator \\x09", "#unset_field\t-", "#path\tconn", "\t".join(["#fields", *names])])
    found, _ = rows_of(Zeek(), table + "\n" + "".join("\t".join(row) + "\n" for row in rows))
    assert networks(found) == [("vlan-1.2", None), ("vlan-1", None)]


# Configuration.


def test_a_label_holds_in_one_network_if_its_column_says_so():
    rows, _ = rows_of(PrefixFile(), "prefix,name,network\n10.0.0.0/8,office,east\n10.0.0.0/8,shop,\n")
    assert [(r["service"], r.get("network")) for r in rows["label"]] == [("office", "east"), ("shop", None)]


def test_policies_and_rules_hold_in_one_network_if_they_say_so():
    document = {"pools": {"edge": ["192.0.2.0/24"]}, "policies": [], "socket_rules": []}
    for network in ({"network": "east"}, {}):
        document["policies"].append({"name": "free", "pool": "edge", **network})
        document["socket_rules"].append({"name": "web", "pool": "edge", "service": "s", **network})
    rows, _ = rows_of(Policies(), json.dumps(document))
    assert evidence(rows, "policy") == evidence(rows, "socket_rule") == ["east", None]


# Native records.


def test_native_networks_pass_and_an_empty_text_is_none():
    flow = {"start": 1700000000000000, "end": 1700000000000000, "local_address": "10.0.0.5"}
    flow |= {"remote_address": "10.0.0.9"}
    beat = {"address": "10.0.0.5", "workload": "w", "start": 1700000000000000}
    label = {"prefix": "10.0.0.0/8", "service": "s"}
    content = lines(
        flow | {"local_network": "east", "remote_network": "west"},
        flow | {"local_network": "", "remote_network": None},
        *(row | {"network": network} for row in (beat, label) for network in ("east", "")),
    )
    rows, ledger = rows_of(Native(), content)
    assert networks(rows) == [("east", "west"), (None, None)]
    assert evidence(rows) == evidence(rows, "label") == ["east", None]
    assert not ledger.rejected
