"""Each log through a replay, with one address in two networks: the owner of the same network, or nobody."""

import json

import pyarrow.dataset as ds
import pytest

from attribution.config import Settings
from attribution.replay import Inputs, replay

#: Moments of evidence, and of the flow between them.
SECONDS = range(0, 60, 10)
CLIENT, SERVER = "10.0.0.5", "10.0.0.9"


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def at(second):
    return 1_772_445_600 + second


def hubble(cluster, source, destination, second, *, is_server):
    """An event at the node of one end: a pod of its cluster; the other end is looked up, and not found."""
    ends = {"source": {}, "destination": {}}
    ends["destination" if is_server else "source"] = {
        "ID": 7,
        "namespace": "shop",
        "pod_name": "db-0" if is_server else "web-0",
    }
    flow = {"time": f"2026-03-02T10:00:{second:02}Z", "verdict": "FORWARDED", "Type": "L3_L4", "is_reply": False}
    flow |= {"IP": {"source": source, "destination": destination}, "node_name": f"{cluster}/n1", **ends}
    flow |= {"l4": {"TCP": {"source_port": 40000, "destination_port": 443}}}
    return {"flow": flow | {"traffic_direction": "INGRESS" if is_server else "EGRESS"}}


def netobserv(cluster, source, destination, second, *, is_server):
    node = {"web": "10.1.0.1", "db": "10.1.0.2"}
    row = {"K8S_ClusterName": cluster, "AgentIP": node["db" if is_server else "web"], "Etype": 2048, "Proto": 6}
    row |= {"SrcAddr": source, "SrcPort": 40000, "DstAddr": destination, "DstPort": 443, "Bytes": 1, "Packets": 1}
    row |= {
        "TimeFlowStartMs": 1000 * at(second),
        "TimeFlowEndMs": 1000 * at(second),
        "FlowDirection": 0 if is_server else 1,
    }
    for side, name in (("Src", "web"), ("Dst", "db")):
        pod = {"Name": f"{name}-0", "Namespace": "shop", "Type": "Pod", "OwnerName": name, "HostIP": node[name]}
        row |= {f"{side}K8S_{field}": value for field, value in pod.items()}
    return row


def udn(network, source, destination, second, *, is_server):
    row = netobserv("east", source, destination, second, is_server=is_server)
    return row | {"Udns": [network, ""], "DstK8S_Name": f"db-{network}"}


def zeek(vlan, source, destination, second, *, is_server):
    """A lease of the server's, or a connection to it; the workload is the MAC address, of the VLAN's number."""
    base = {"ts": float(at(second)), "_system_name": "tap", "vlan": vlan}
    if is_server:
        mac = f"00:00:5e:00:53:{vlan:02}"
        return base | {"uids": [], "mac": mac, "assigned_addr": destination, "msg_types": ["ACK"], "_path": "dhcp"}
    ends = {"id.orig_h": source, "id.orig_p": 40000, "id.resp_h": destination, "id.resp_p": 443, "proto": "tcp"}
    return base | {"uid": "C", "conn_state": "SF", "_path": "conn"} | ends


def through_replay(folder, *rows, heartbeats=()):
    (folder / "flows").write_text(rows[0] if isinstance(rows[0], str) else lines(*rows))
    given = {}
    if heartbeats:
        (folder / "heartbeats").write_text(lines(*heartbeats))
        given["heartbeats"] = [folder / "heartbeats"]
    replay(Inputs(flows=[folder / "flows"], **given), folder / "lake", settings=Settings())
    return ds.dataset(folder / "lake" / "attributed_flows", partitioning="hive").to_table().to_pylist()


@pytest.mark.parametrize(
    ("log", "one", "other", "owner"),
    [
        (hubble, "east", "west", "{}/shop/db-0"),
        (netobserv, "east", "west", "{}/shop/db-0"),
        (udn, "red", "blue", "east/shop/db-{}"),
        (zeek, 10, 20, "mac:00:00:5e:00:53:{}"),
    ],
)
@pytest.mark.parametrize("both", [True, False])
def test_a_remote_is_the_one_of_its_own_network_or_nobody(tmp_path, log, one, other, owner, both):
    rows = [log(one, CLIENT, SERVER, 25, is_server=False)]
    for network in (one, other) if both else (other,):
        rows += [log(network, "10.0.0.77", SERVER, second, is_server=True) for second in SECONDS]
    (found,) = [row for row in through_replay(tmp_path, *rows) if row["local_address"] == CLIENT]
    expected = (owner.format(one), "heartbeat") if both else (None, "none")
    assert (found["remote_workload"], found["remote_method"]) == expected
    assert both or found["remote_reason"] == "other_network"


HEADER = "vpc-id srcaddr dstaddr srcport dstport protocol start end log-status action flow-direction ecs-task-arn"


@pytest.mark.parametrize("vpcs", [("vpc-0a", "vpc-0b"), ("vpc-0b",)])
def test_a_task_of_another_vpc_is_no_remote(tmp_path, vpcs):
    rows = [f"vpc-0a {CLIENT} {SERVER} 40000 443 6 {at(0)} {at(60)} OK ACCEPT egress -"]
    for vpc in vpcs:
        start, end = at(-600), at(600)
        rows.append(f"{vpc} 10.0.0.77 {SERVER} 40001 443 6 {start} {end} OK ACCEPT ingress arn:task/{vpc}")
    attributed = through_replay(tmp_path, "\n".join([HEADER, *rows]) + "\n")
    (found,) = [row for row in attributed if row["local_address"] == CLIENT]
    expected = ("arn:task/vpc-0a", "covered") if len(vpcs) == 2 else (None, "other_network")
    assert (found["remote_workload"], found["remote_reason"]) == expected


@pytest.mark.parametrize(
    ("egress", "owner", "reason"),
    [(7, "red", "covered"), (8, "blue", "covered"), (9, None, "other_network"), (0, None, "other_network")],
)
def test_a_router_s_traffic_ends_in_the_vrf_that_it_left_by(tmp_path, egress, owner, reason):
    row = {"type": "IPFIX", "sampler_address": "192.0.2.1", "src_addr": CLIENT, "dst_addr": SERVER, "proto": "TCP"}
    row |= {
        "time_received_ns": at(30) * 10**9,
        "time_flow_start_ns": at(20) * 10**9,
        "time_flow_end_ns": at(30) * 10**9,
    }
    row |= {"etype": "IPv4", "bytes": 1, "packets": 1, "ingress_vrf_id": 7, "egress_vrf_id": egress}
    beat = {"address": SERVER, "start": at(0) * 10**6, "end": at(60) * 10**6}
    beats = [
        beat | {"workload": workload, "network": f"192.0.2.1/vrf-{vrf}"} for vrf, workload in ((7, "red"), (8, "blue"))
    ]
    (found,) = through_replay(tmp_path, row, heartbeats=beats)
    assert (found["remote_workload"], found["remote_reason"]) == (owner, reason)
    assert (found["local_network"], found["remote_network"]) == ("192.0.2.1/vrf-7", f"192.0.2.1/vrf-{egress}")
