"""NetObserv: each flow once, every node's own side a heartbeat."""

import json

import pyarrow as pa
import pytest
from reading import DATA, Read, counts

from attribution.errors import SourceError
from attribution.sources import Ledger, registry
from attribution.sources.formats.netobserv.format import FORMATS, claims
from attribution.sources.input.opening import OpenInput
from attribution.sources.wrapping.recognise import unwrapped

(NETOBSERV,) = FORMATS
SAMPLES = DATA / "netobserv"
START = 1_708_011_866_459


def record(**fields):
    """A record of a pod on node 10.0.1.7 that talks to one on 10.0.1.137, as the former node reports it."""
    base = {
        "SrcAddr": "10.128.0.29",
        "SrcPort": 55984,
        "DstAddr": "10.129.0.28",
        "DstPort": 8443,
        "Proto": 6,
        "Etype": 2048,
        "Bytes": 171,
        "Packets": 2,
        "Flags": 16,
        "TimeFlowStartMs": START,
        "TimeFlowEndMs": START + 3,
        "TimeReceived": 1708011867,
        "AgentIP": "10.0.1.7",
        "Interface": "eth0",
        "IfDirection": 1,
        "FlowDirection": "1",
        "SrcK8S_Type": "Pod",
        "SrcK8S_Name": "prometheus-k8s-1",
        "SrcK8S_Namespace": "openshift-monitoring",
        "SrcK8S_OwnerName": "prometheus-k8s",
        "SrcK8S_HostIP": "10.0.1.7",
        "DstK8S_Type": "Pod",
        "DstK8S_Name": "telemeter-client-69d7c57bb9-b7j4m",
        "DstK8S_Namespace": "openshift-monitoring",
        "DstK8S_OwnerName": "telemeter-client",
        "DstK8S_HostIP": "10.0.1.137",
    }
    return {name: value for name, value in (base | fields).items() if value is not None}


def on_the_other_node(**fields):
    return record(AgentIP="10.0.1.137", FlowDirection="0", IfDirection=0, **fields)


def lines(*records):
    return "".join(json.dumps(r) + "\n" for r in records)


def loki(*records, labels=("FlowDirection", "SrcK8S_Namespace", "DstK8S_Namespace", "SrcK8S_Type", "_RecordType")):
    streams = [
        {
            "stream": {"app": "netobserv-flowcollector", **{k: str(r[k]) for k in labels if k in r}},
            "values": [["1708011867120999936", json.dumps({k: v for k, v in r.items() if k not in labels})]],
        }
        for r in records
    ]
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}}, indent=2)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("flow_records", {"rows": {"flow": 34, "heartbeat": 8}, "skipped": {"duplicate": 16}, "rejected": {}}),
        ("flow_records_has_dropped", {"rows": {"flow": 50, "heartbeat": 12}, "skipped": {}, "rejected": {}}),
        (
            "flow_records_sent",
            {"rows": {"flow": 31, "heartbeat": 2}, "skipped": {"duplicate": 15, "not_ip": 4}, "rejected": {}},
        ),
    ],
)
def test_real_answers_are_accounted_for(sample, expected):
    assert counts(Read(NETOBSERV, SAMPLES / f"{sample}.json")) == expected


def test_a_flow_that_two_answers_of_a_run_hold_is_counted_once():
    read = Read(NETOBSERV, *sorted(SAMPLES.glob("*.json")), SAMPLES / "flow_records.json")
    assert counts(read) == {
        "rows": {"flow": 34 + 49 + 31, "heartbeat": 22},
        "skipped": {"duplicate": 16 + 1 + 15 + 50, "not_ip": 4},
        "rejected": {},
    }


def test_a_record_says_one_way_of_a_flow_seen_on_the_agents_node():
    (flow,) = Read(NETOBSERV, lines(record())).flows
    assert flow == {
        "start": START * 1000,
        "end": START * 1000 + 3000,
        "local_address": "10.128.0.29",
        "local_port": 55984,
        "remote_address": "10.129.0.28",
        "remote_port": 8443,
        "protocol": 6,
        "direction": "egress",
        "bytes_sent": 171,
        "packets_sent": 2,
        "sampling_rate": 0,
        "tcp_flags": 16,
        "local_workload": "openshift-monitoring/prometheus-k8s-1",
        "local_service": "openshift-monitoring/prometheus-k8s",
        "observer": "10.0.1.7",
        "basis": "connection",
        "line": 1,
    }


def test_incoming_traffic_is_received_by_the_destination():
    (flow,) = Read(NETOBSERV, lines(on_the_other_node())).flows
    assert (flow["local_address"], flow["local_port"], flow["direction"]) == ("10.129.0.28", 8443, "ingress")
    assert flow["local_workload"] == "openshift-monitoring/telemeter-client-69d7c57bb9-b7j4m"
    assert (flow["bytes_received"], flow["packets_received"]) == (171, 2)
    assert "bytes_sent" not in flow


def test_other_interfaces_of_a_node_are_repeats_even_some_milliseconds_apart():
    veth = record(Interface="2bcb16027405d16", IfDirection=0, TimeFlowStartMs=START + 1)
    read = Read(NETOBSERV, lines(record(), veth))
    assert counts(read) == {"rows": {"flow": 1}, "skipped": {"duplicate": 1}, "rejected": {}}


def test_the_other_nodes_report_is_a_repeat_but_its_own_side_a_heartbeat():
    read = Read(NETOBSERV, lines(record(), on_the_other_node(TimeFlowStartMs=START + 2)))
    assert counts(read) == {"rows": {"flow": 1, "heartbeat": 1}, "skipped": {"duplicate": 1}, "rejected": {}}
    assert read.heartbeats == [
        {
            "address": "10.129.0.28",
            "workload": "openshift-monitoring/telemeter-client-69d7c57bb9-b7j4m",
            "service": "openshift-monitoring/telemeter-client",
            "start": START * 1000 + 2000,
            "end": START * 1000 + 3000,
            "observer": "10.0.1.137",
            "line": 2,
        }
    ]


def test_what_follows_of_a_flow_and_its_way_back_are_no_repeats():
    later = record(TimeFlowStartMs=START + 5000, TimeFlowEndMs=START + 9000)
    back = record(
        SrcAddr="10.129.0.28", SrcPort=8443, DstAddr="10.128.0.29", DstPort=55984, FlowDirection="0", Interface="x"
    )
    assert counts(Read(NETOBSERV, lines(record(), later, back)))["rows"]["flow"] == 3


def test_the_same_report_twice_is_one():
    assert counts(Read(NETOBSERV, lines(record(), record())))["skipped"] == {"duplicate": 1}


def test_reports_that_the_agent_marked_as_duplicates_are_skipped():
    assert counts(Read(NETOBSERV, lines(record(Duplicate=True), record(Duplicate=False)))) == {
        "rows": {"flow": 1},
        "skipped": {"duplicate": 1},
        "rejected": {},
    }


def test_agents_that_merge_interfaces_report_windows_that_follow_each_other():
    merged = [
        record(Interface=None, IfDirection=None, Interfaces=names, TimeFlowStartMs=START + n * 500)
        for n, names in enumerate((["eth0", "br-ex"], ["br-ex"], ["eth0"]))
    ]
    assert counts(Read(NETOBSERV, lines(*merged)))["rows"]["flow"] == 3


def test_both_sides_of_traffic_inside_a_node_were_seen():
    inner = record(FlowDirection="2", DstK8S_HostIP="10.0.1.7")
    read = Read(NETOBSERV, lines(inner))
    assert read.flows[0]["local_workload"] == "openshift-monitoring/prometheus-k8s-1"
    assert [(b["address"], b["workload"]) for b in read.heartbeats] == [
        ("10.129.0.28", "openshift-monitoring/telemeter-client-69d7c57bb9-b7j4m")
    ]


def test_the_direction_of_an_interface_does_not_make_the_other_nodes_pod_local():
    veth_of_an_old_version = record(FlowDirection="0", IfDirection=None)
    (flow,) = Read(NETOBSERV, lines(veth_of_an_old_version)).flows
    assert (flow["local_address"], flow["direction"]) == ("10.128.0.29", "egress")


def test_an_identity_from_another_node_is_no_observation():
    read = Read(NETOBSERV, lines(record(SrcK8S_HostIP="10.0.1.99")))
    assert not {"local_workload", "local_service"} & set(read.flows[0])
    assert read.heartbeats == []


def test_nodes_are_workloads_and_services_are_not():
    node = record(SrcK8S_Type="Node", SrcK8S_Name="ip-10-0-1-7", SrcK8S_Namespace=None, SrcK8S_OwnerName="ip-10-0-1-7")
    service = record(SrcK8S_Type="Service", SrcPort=1)
    flows = Read(NETOBSERV, lines(node, service)).flows
    assert (flows[0]["local_workload"], flows[0]["local_service"]) == ("ip-10-0-1-7", "ip-10-0-1-7")
    assert "local_workload" not in flows[1]


TRACKED = {"_HashId": "a1", "Bytes_AB": 500, "Bytes_BA": 900, "Packets_AB": 5, "Packets_BA": 9, "Interface": None}


def test_a_host_network_pod_does_not_hold_its_nodes_address():
    (flow,) = Read(NETOBSERV, lines(record(SrcAddr="10.0.1.7"))).flows
    assert "local_workload" not in flow
    assert "local_service" not in flow


def test_a_connection_is_counted_once_by_its_summary():
    updates = [record(_RecordType=kind, **TRACKED) for kind in ("newConnection", "heartbeat")]
    end = record(_RecordType="endConnection", TimeFlowEndMs=START + 60_000, **TRACKED)
    read = Read(NETOBSERV, lines(*updates, end, record(_RecordType="flowLog", SrcPort=7)))
    assert counts(read) == {
        "rows": {"flow": 2, "heartbeat": 3},
        "skipped": {"connection_update": 2},
        "rejected": {},
    }
    flow = next(row for row in read.flows if row["line"] == 3)
    assert (flow["bytes_sent"], flow["bytes_received"], flow["packets_sent"], flow["packets_received"]) == (
        500,
        900,
        5,
        9,
    )


def test_a_summary_is_looked_up_after_its_connection_so_it_names_nobody_at_its_start():
    inner = {"DstK8S_HostIP": "10.0.1.7", "FlowDirection": "2"}
    new = record(_RecordType="newConnection", **TRACKED, **inner)
    # The pod is gone when the summary is written, and its address is another's.
    end = record(_RecordType="endConnection", TimeFlowEndMs=START + 60_000, SrcK8S_Name="next", **TRACKED, **inner)
    read = Read(NETOBSERV, lines(new, end))
    assert "local_workload" not in read.flows[0]
    last_packet = {
        "openshift-monitoring/prometheus-k8s-1": START + 3,
        "openshift-monitoring/next": START + 60_000,
    }
    beats = [beat for beat in read.heartbeats if beat["address"] == "10.128.0.29"]
    assert {beat["workload"]: beat["start"] for beat in beats} == {w: ms * 1000 for w, ms in last_packet.items()}
    assert all(beat["start"] == beat["end"] for beat in beats)


@pytest.mark.parametrize(("protocol", "basis"), [(6, "connection"), (17, "window"), (132, "window")])
def test_a_summary_of_packets_without_a_connection_is_a_window(protocol, basis):
    end = record(_RecordType="endConnection", TimeFlowEndMs=START + 60_000, Proto=protocol, **TRACKED)
    plain = record(Proto=protocol, SrcPort=7)
    assert [flow["basis"] for flow in Read(NETOBSERV, lines(end, plain)).flows] == [basis, "connection"]


def test_frames_that_are_not_ip_are_skipped():
    arp = record(Etype=2054, SrcAddr=None, DstAddr=None, SrcPort=None, DstPort=None, Proto=None)
    assert counts(Read(NETOBSERV, lines(arp, record())))["skipped"] == {"not_ip": 1}


def test_flags_by_name_and_by_number():
    numbers = record(Flags=788, SrcPort=1)
    names = record(Flags=["SYN", "SYN_ACK", "RST"], SrcPort=2)
    udp = record(Flags=0, Proto=17, SrcPort=3)
    read = [Read(NETOBSERV, lines(r)).flows[0].get("tcp_flags") for r in (numbers, names, udp)]
    assert read == [20, 22, None]


def test_icmp_has_no_ports_and_sampled_counts_are_scaled():
    (flow,) = Read(NETOBSERV, lines(record(Proto=1, SrcPort=0, DstPort=0, Sampling=50))).flows
    assert flow["sampling_rate"] == 50
    assert Read(NETOBSERV, lines(record(Sampling=None))).flows[0]["sampling_rate"] == 0
    assert not {"local_port", "remote_port"} & set(flow)
    assert (flow["bytes_sent"], flow["packets_sent"]) == (8550, 100)


def test_the_labels_of_a_stream_are_fields_of_its_entries():
    records = [record(), on_the_other_node(SrcPort=1), record(SrcPort=2, _RecordType="heartbeat")]
    plain, enveloped = Read(NETOBSERV, lines(*records)), Read(NETOBSERV, loki(*records))
    assert enveloped.flows == plain.flows
    assert counts(enveloped) == counts(plain)


@pytest.mark.parametrize("block_bytes", [1, 3000, None])
def test_block_size_does_not_matter(block_bytes):
    records = [
        record(SrcPort=port, Interface=interface, TimeFlowStartMs=START + port)
        for port in range(20)
        for interface in ("eth0", "br-ex")
    ]
    cut, whole = Read(NETOBSERV, lines(*records), block_bytes=block_bytes), Read(NETOBSERV, lines(*records))
    assert cut.flows == whole.flows
    assert counts(cut) == {"rows": {"flow": 20}, "skipped": {"duplicate": 20}, "rejected": {}}


def test_bad_lines_are_rejected_by_number_and_good_ones_kept():
    content = lines(record()) + '{"SrcAddr": \n' + lines(record(SrcPort=1, TimeFlowEndMs="later"), record(SrcPort=2))
    read = Read(NETOBSERV, content)
    assert [flow["line"] for flow in read.flows] == [1, 4]
    assert sorted((line, reason) for _, line, reason, _ in read.rejects) == [(2, "malformed"), (3, "not_a_time")]


def test_an_entry_that_is_no_flow_is_left_out_and_counted():
    answer = json.loads(loki(record(), record(SrcPort=1)))
    answer["data"]["result"][1]["values"].insert(0, ["1708011867120999936", '{"SrcAddr": "10.0'])
    answer["data"]["result"][1]["values"].insert(0, ["1708011867120999936", "level=info msg=hello"])
    read = Read(NETOBSERV, json.dumps(answer))
    assert [flow["line"] for flow in read.flows] == [1, 4]
    assert read.skipped == {"other_program": 1}
    [(_, line, reason, found)] = read.rejects
    assert (line, reason) == (3, "malformed")
    assert found.endswith('"SrcAddr": "10.0')


def test_an_answer_that_breaks_off_or_has_no_streams_is_an_error_that_says_so():
    with pytest.raises(SourceError, match=r"broken JSON at line \d+"):
        Read(NETOBSERV, loki(record())[:-20])
    without = loki(record()).replace('"stream"', '"metric"')
    with pytest.raises(SourceError, match="save the answer to a log query"):
        Read(NETOBSERV, without)


def test_claims_are_what_netobserv_says_of_the_remote_side():
    with OpenInput(SAMPLES / "flow_records.json") as data:
        inside = unwrapped(data, registry.detect(data), Ledger().of(NETOBSERV))
        table = pa.concat_tables(claims(inside))
    assert table.num_rows == 34
    by_type = {kind: table["remote_type"].to_pylist().count(kind) for kind in ("Pod", "Node", "Service", None)}
    assert by_type == {"Pod": 12, "Node": 4, "Service": 10, None: 8}
    rows = [row for row in table.to_pylist() if row["remote_type"] == "Pod"]
    assert rows[0]["remote_address"] == "10.129.0.28"
    assert rows[0]["remote_workload"] == "openshift-monitoring/telemeter-client-69d7c57bb9-b7j4m"
    assert rows[0]["remote_service"] == "openshift-monitoring/telemeter-client"
    service = next(row for row in table.to_pylist() if row["remote_type"] == "Service")
    assert (service["remote_workload"], service["remote_service"]) == (None, "default/kubernetes")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b'{"SrcAddr":"10.0.0.1"}',
        b'{"data":{"resultType":"streams","result":[]}}',
        b'{"TimeFlowEndMs":0,"SamplerAddress":"10.0.0.1","Etype":2048}',
        b"\xff",
    ],
)
def test_other_content_is_not_taken(head):
    assert not NETOBSERV.matches(head)
