"""Zeek logs: what each row says, in both of Zeek's ways to write it."""

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import DATA, Read, counts

from attribution.errors import SourceError
from attribution.replay import Inputs, replay
from attribution.sources.formats.zeek.format import Zeek, _folder
from attribution.sources.formats.zeek.hostnames import Hostnames

ZEEK = Zeek()
LOGS = DATA / "zeek"


def tsv(path, fields, *rows):
    """A tab-separated log with the usual header; rows without tabs have spaces in their place."""
    lines = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{path}"]
    lines += [
        "#fields\t" + "\t".join(fields.split()),
        *(row if "\t" in row else row.replace(" ", "\t") for row in rows),
    ]
    return "\n".join(lines) + "\n"


CONN = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto duration orig_bytes resp_bytes local_orig local_resp"
CONN_ROW = "1379288667.706265 C1 192.168.33.10 1032 54.245.228.191 80 tcp 0.447460 601 38393 - -"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("conn.log", {"rows": {"flow": 360}, "skipped": {}, "rejected": {}}),
        ("conn.json.log", {"rows": {"flow": 50}, "skipped": {}, "rejected": {}}),
        ("dns.log", {"rows": {"name_binding": 141}, "skipped": {"no_address_query": 3}, "rejected": {}}),
        (
            "dns.json.log",
            {
                "rows": {"name_binding": 93},
                "skipped": {"dns_error": 2, "no_address_query": 3, "no_answer": 3},
                "rejected": {},
            },
        ),
        ("ssl.log", {"rows": {}, "skipped": {"no_name": 37}, "rejected": {}}),
        ("ssl.json.log", {"rows": {}, "skipped": {"name_of_connection": 50}, "rejected": {}}),
        ("dhcp.log", {"rows": {"heartbeat": 2}, "skipped": {}, "rejected": {}}),
        ("dhcp.json.log", {"rows": {}, "skipped": {"no_lease": 1}, "rejected": {}}),
    ],
)
@pytest.mark.parametrize("block_bytes", [700, None])
def test_real_logs_are_accounted_for_whatever_the_block_size(log, expected, block_bytes):
    assert counts(Read(ZEEK, LOGS / log, block_bytes=block_bytes)) == expected


def test_block_size_changes_no_row():
    assert Read(ZEEK, LOGS / "conn.log", block_bytes=700).flows == Read(ZEEK, LOGS / "conn.log").flows
    assert Read(ZEEK, LOGS / "dns.json.log", block_bytes=700).names == Read(ZEEK, LOGS / "dns.json.log").names


def test_a_connection_of_the_real_log():
    assert Read(ZEEK, LOGS / "conn.log").flows[0] == {
        "start": 1_379_288_667_706_265,
        "end": 1_379_288_668_153_725,
        "local_address": "192.168.33.10",
        "local_port": 1032,
        "remote_address": "54.245.228.191",
        "remote_port": 80,
        "protocol": "tcp",
        "direction": "egress",
        "bytes_sent": 1489,
        "bytes_received": 39641,
        "packets_sent": 22,
        "packets_received": 31,
        "basis": "connection",
        "record_id": "CoyZrY2g74UvMMgp4a",
        "line": 9,
    }


def test_times_are_exact_to_the_microsecond():
    lines = [line.split("\t") for line in (LOGS / "conn.log").read_text().splitlines() if not line.startswith("#")]
    written = [int(row[0].replace(".", "")) for row in lines]
    assert [flow["start"] for flow in Read(ZEEK, LOGS / "conn.log").flows] == written


def test_the_fields_line_decides_and_a_site_may_put_its_own_first():
    site = tsv("conn", f"site {CONN} extra", f"berlin {CONN_ROW} x")
    (flow,) = Read(ZEEK, site).flows
    plain = Read(ZEEK, tsv("conn", CONN, CONN_ROW)).flows[0]
    assert flow == plain
    assert (flow["bytes_sent"], flow["local_port"]) == (601, 1032)


def test_a_new_header_in_the_middle_holds_from_there():
    turned = "id.orig_h ts uid id.orig_p id.resp_h id.resp_p proto"
    log = tsv("conn", CONN, CONN_ROW) + "#close\t2013-09-16-01-00-00\n"
    log += tsv("conn", turned, "10.0.0.1 1379292000.000001 C2 1 10.0.0.2 2 udp") + tsv("x509", "ts", "1379292000.0")
    read = Read(ZEEK, log)
    assert [(f["start"], f["local_address"], f["line"]) for f in read.flows] == [
        (1_379_288_667_706_265, "192.168.33.10", 7),
        (1_379_292_000_000_001, "10.0.0.1", 15),
    ]
    assert read.skipped == {"other_log": 1}


def test_iso_times_epoch_floats_and_unset_values():
    iso = CONN_ROW.replace("1379288667.706265", "2013-09-15T23:44:27.706265Z").replace("0.447460", "-")
    (flow,) = Read(ZEEK, tsv("conn", CONN, iso)).flows
    assert (flow["start"], flow["end"]) == (1_379_288_667_706_265, 1_379_288_667_706_265)
    both = Read(ZEEK, tsv("conn", CONN, iso, CONN_ROW))
    assert [f["end"] for f in both.flows] == [1_379_288_667_706_265, 1_379_288_668_153_725]


def test_times_relative_to_the_capture_are_left_to_validation():
    (flow,) = Read(ZEEK, tsv("conn", CONN, CONN_ROW.replace("1379288667.706265", "3.250000"))).flows
    assert flow["start"] == 3_250_000


@pytest.mark.parametrize(
    ("orig", "resp", "local_orig", "local_resp", "local"),
    [
        ("192.168.1.1", "8.8.8.8", "-", "-", "orig"),
        ("8.8.8.8", "192.168.1.1", "-", "-", "resp"),
        ("8.8.8.8", "172.31.255.1", "-", "-", "resp"),
        ("8.8.8.8", "172.32.0.1", "-", "-", "orig"),
        ("2001:db8::1", "fd12:3456::1", "-", "-", "resp"),
        ("10.0.0.1", "10.0.0.2", "-", "-", "orig"),
        ("10.0.0.1", "8.8.8.8", "F", "T", "resp"),
        ("8.8.8.8", "10.0.0.1", "T", "T", "resp"),
        ("8.8.8.8", "9.9.9.9", "F", "T", "resp"),
    ],
)
def test_the_local_side(orig, resp, local_orig, local_resp, local):
    row = f"1379288667.706265 C1 {orig} 1032 {resp} 80 tcp 1.0 10 20 {local_orig} {local_resp}"
    (flow,) = Read(ZEEK, tsv("conn", CONN, row)).flows
    if local == "orig":
        expected = (orig, 1032, resp, 80, "egress", 10, 20)
    else:
        expected = (resp, 80, orig, 1032, "ingress", 20, 10)
    fields = ("local_address", "local_port", "remote_address", "remote_port", "direction", "bytes_sent")
    assert tuple(flow[f] for f in (*fields, "bytes_received")) == expected


def test_icmp_has_types_where_ports_would_be_and_is_another_protocol_over_ipv6():
    over4 = "1379288667.706265 C1 10.0.0.1 8 10.0.0.2 0 icmp 1.0 10 20 - -"
    over6 = "1379288667.706265 C2 fd00::1 128 fd00::2 129 icmp 1.0 10 20 - -"
    other = "1379288667.706265 C3 10.0.0.1 0 10.0.0.2 0 unknown_transport 1.0 10 20 - -"
    flows = Read(ZEEK, tsv("conn", CONN, over4, over6, other)).flows
    assert [flow.get("protocol") for flow in flows] == ["icmp", "58", None]
    assert not {"local_port", "remote_port"} & (set(flows[0]) | set(flows[1]))


def test_json_says_the_same_as_tabs():
    row = (
        '{"ts":1379288667.706265,"uid":"C1","id.orig_h":"192.168.33.10","id.orig_p":1032,"id.resp_h":"54.245.228.191",'
        '"id.resp_p":80,"proto":"tcp","duration":0.447460,"orig_bytes":601,"resp_bytes":38393,"conn_state":"SF"}\n'
    )
    (tabs,) = Read(ZEEK, tsv("conn", CONN, CONN_ROW)).flows
    for json_row in (
        row,
        row.replace("1379288667.706265", '"2013-09-15T23:44:27.706265Z"'),
        row.replace('"conn_state":"SF"', '"_path":"conn"'),
    ):
        (flow,) = Read(ZEEK, json_row).flows
        assert flow | {"line": 0} == tabs | {"line": 0}


def test_milliseconds_of_json():
    row = '{"_path":"dhcp","ts":1575414483749,"uids":["C1"],"mac":"00:01:24:56:9B:CF","assigned_addr":"10.0.0.9",'
    (beat,) = Read(ZEEK, row + '"msg_types":["REQUEST","ACK"]}').heartbeats
    assert (beat["start"], beat["workload"]) == (1_575_414_483_749_000, "mac:00:01:24:56:9b:cf")


def test_a_tls_or_http_name_goes_with_its_connection():
    read = Read(ZEEK, *sorted(LOGS.glob("*.json.log"), key=lambda path: ZEEK.read_order(str(path))))
    named = {flow["remote_port"]: flow["hostname"] for flow in read.flows if "hostname" in flow}
    assert named == {443: "aa.agkn.com"}
    assert sorted(flow["hostname"] for flow in read.flows if "hostname" in flow) == [
        "aa.agkn.com",
        "api.login.aol.com",
        "login.aol.com",
        "oidc.mail.aol.com",
    ]


def test_a_name_names_the_server_so_it_is_not_the_remotes_when_the_server_is_local():
    http = tsv("http", "ts uid host", "1379288667.8 C1 WWW.Example.com.:8080", "1379288667.8 C2 intranet")
    incoming = "1379288667.706265 C2 8.8.8.8 1032 10.0.0.1 80 tcp 1.0 10 20 - -"
    out, into = Read(ZEEK, http + tsv("conn", CONN, CONN_ROW, incoming)).flows
    assert out["hostname"] == "www.example.com"
    assert into["direction"] == "ingress"
    assert "hostname" not in into


@pytest.mark.parametrize("host", ["10.0.0.1", "10.0.0.1:8080", "[::1]:80", "not a name", "-", ""])
def test_an_address_or_no_name_is_no_hostname(host):
    http = tsv("http", "ts uid host", "1379288667.8\tC1\t" + host)
    (flow,) = Read(ZEEK, http + tsv("conn", CONN, CONN_ROW)).flows
    assert "hostname" not in flow


def test_a_connection_with_two_names_has_none():
    http = tsv(
        "http", "ts uid host", "1379288667.8 C1 a.example", "1379288667.9 C1 b.example", "1379288668 C1 a.example"
    )
    assert "hostname" not in Read(ZEEK, http + tsv("conn", CONN, CONN_ROW)).flows[0]


def conn(uid, **changes):
    return {
        "_path": "conn", "ts": 1_772_445_600.1, "uid": uid, "id.orig_h": "10.0.1.10", "id.orig_p": int(uid[1:]),
        "id.resp_h": "203.0.113.9", "id.resp_p": 443, "proto": "tcp", "duration": 0.5, "local_orig": True,
        "local_resp": False,
    } | changes  # fmt: skip


def ssl(uid, name):
    return {"_path": "ssl", "ts": 1_772_445_600.2, "uid": uid, "server_name": name, "established": True}


def http(uid, name):
    return {"_path": "http", "ts": 1_772_445_600.2, "uid": uid, "host": name, "trans_depth": 1}


INCOMING = {"local_orig": False, "local_resp": True}
#: One name, another one, none, two, and one that is the local side's.
ROWS = [
    *(conn(f"C{number}") for number in range(1, 5)),
    conn("C5", **INCOMING),
    ssl("C1", "a.example"),
    http("C2", "B.example:8080"),
    http("C2", "b.example"),
    ssl("C4", "c.example"),
    http("C4", "d.example"),
    ssl("C5", "intranet.example"),
]
NAMES = {1: "a.example", 2: "b.example", 3: None, 4: None, 5: None}
FILES = [
    "conn.log",
    "ssl.log",
    "a/conn.log",
    "a/ssl.log",
    "b/http.log",
    "b/x.json",
    "json_streaming_conn.1.log",
    "0.log",
]


@settings(max_examples=40, deadline=None)
@given(rows=st.permutations(ROWS), files=st.lists(st.sampled_from(FILES), min_size=len(ROWS), max_size=len(ROWS)))
def test_names_are_on_the_flows_whatever_the_order_of_rows_and_files(rows, files):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row, file in zip(rows, files, strict=True):
            path = folder / "logs" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as log:
                log.write(json.dumps(row) + "\n")
        replay(Inputs(flows=[folder / "logs"]), folder / "lake")
        found = ds.dataset(folder / "lake" / "attributed_flows", format="parquet").to_table()
    ports, names = found.column("local_port").to_pylist(), found.column("remote_hostname").to_pylist()
    assert {port: name for port, name in zip(ports, names, strict=True) if port != 443} == {
        port: name for port, name in NAMES.items() if port != 5
    }
    assert not [name for port, name in zip(ports, names, strict=True) if port == 443 and name]


@pytest.mark.parametrize(
    ("files", "late"),
    [
        (["a/ssl.00.log", "a/conn.00.log", "a/ssl.01.log", "a/conn.01.log"], False),
        (["a/ssl.log", "a/conn.log", "b/ssl.log", "b/conn.log"], False),
        (["a/conn.log", "b/ssl.log"], True),
        (["a/json_streaming_conn.log", "a/json_streaming_ssl.log"], True),
        (["a/conn.log", "a/x.log"], True),
        (["a/x_conn.log", "a/ssl.log"], True),
    ],
)
def test_flows_are_asked_again_only_if_names_may_have_come_after_them(files, late):
    names = Hostnames()
    for number, file in enumerate(files):
        uids = pa.array([f"C{number}"])
        if "conn" in file:
            names.of(uids, folder=_folder(file, "conn"))
        else:
            names.note(uids, pa.array(["a.example"]), folder=_folder(file, "ssl", "http"))
    assert names.late == late


@pytest.mark.parametrize("copies", [1, 300])
def test_objects_that_a_shipper_puts_into_fields_of_text_are_none(copies):
    shipped = {"@timestamp": "2026-03-02T10:00:00.000Z", "host": {"name": "sensor1"}, "agent": {"type": "filebeat"}}
    rows = [shipped | {k: v for k, v in conn("C1").items() if k != "_path"} | {"conn_state": "SF"}]
    rows += [shipped | {"ts": 1_772_445_600.1, "uid": "C1", "trans_depth": 1, "uri": "/"}] * copies
    rows += [
        http("C1", "a.example"),
        http("C1", ["a"]),
        ssl("C1", {"a": 1}),
        conn("C2", peer={"a": 1}) | {"uid": {"a": 1}},
    ]
    read = Read(ZEEK, "\n".join(map(json.dumps, rows)))
    assert counts(read) == {
        "rows": {"flow": 2},
        "skipped": {"no_name": copies + 2, "name_of_connection": 1},
        "rejected": {},
    }
    assert not {"record_id", "observer"} & set(read.flows[1])


def test_an_id_that_a_shipper_has_put_into_an_object_is_read():
    flat = conn("C1", **{"id.ctx.vlan": 7})
    nested = {k: v for k, v in flat.items() if not k.startswith("id.")}
    nested["id"] = {"orig_h": "10.0.1.10", "orig_p": 1, "resp_h": "203.0.113.9", "resp_p": 443, "ctx": {"vlan": 7}}
    read = Read(ZEEK, "\n".join(map(json.dumps, (nested, flat))))
    one, other = ({k: v for k, v in flow.items() if k != "line"} for flow in read.flows)
    assert one == other
    assert one["local_network"] == "vlan-7"


def test_names_are_forgotten_in_the_order_in_which_they_came_and_that_is_counted():
    names = Hostnames(limit=4)
    uids = pa.array([f"C{n}" for n in range(6)])
    assert names.note(uids, pa.array([f"h{n}.example" for n in range(6)])) == 4
    assert names.of(uids).to_pylist() == [None, None, None, None, "h4.example", "h5.example"]


def test_logs_of_one_rotation_are_read_names_first():
    files = ["a/conn.00.log.gz", "a/conn.01.log.gz", "a/dns.00.log.gz", "a/http.01.log.gz", "a/ssl.00.log.gz"]
    assert sorted(files, key=ZEEK.read_order) == [
        "a/ssl.00.log.gz",
        "a/conn.00.log.gz",
        "a/dns.00.log.gz",
        "a/http.01.log.gz",
        "a/conn.01.log.gz",
    ]


DNS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p query qtype rcode answers TTLs rejected rtt"
ASKED = "1379288667.000000 C1 10.0.0.1 1030 4.2.2.3 53 www.example.com 1"


def test_an_answers_ttl_is_the_smallest_on_the_way_to_it():
    chain = f"{ASKED} 0 cdn.example.net,edge.example.net,192.0.2.1,192.0.2.2 5000.0,20.0,300.0,10.0 F 0.25"
    names = Read(ZEEK, tsv("dns", DNS, chain)).names
    assert [(n["server_address"], n["ttl"]) for n in names] == [("192.0.2.1", 20.0), ("192.0.2.2", 10.0)]
    assert {(n["client_address"], n["hostname"], n["time"], n["line"]) for n in names} == {
        ("10.0.0.1", "www.example.com", 1_379_288_667_250_000, 7)
    }


def test_ttls_that_do_not_fit_the_answers_are_unknown():
    names = Read(ZEEK, tsv("dns", DNS, f"{ASKED} 0 192.0.2.1,192.0.2.2 20.0 F -", f"{ASKED} 0 192.0.2.3 7 F -")).names
    assert [n.get("ttl") for n in names] == [None, None, 7.0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{ASKED} 3 - - F -", "dns_error"),
        (f"{ASKED} 0 192.0.2.1 20.0 T -", "dns_error"),
        (f"{ASKED} 0 - - F -", "no_answer"),
        (f"{ASKED} 0 (empty) (empty) F -", "no_answer"),
        (f"{ASKED} - - - F -", "no_answer"),
        (f"{ASKED} 0 cdn.example.net 20.0 F -", "no_answer"),
        (f"{ASKED[:-1]}16 0 TXT_15_ip4:192.0.2.1 20.0 F -", "no_address_query"),
        (f"{ASKED[:-1]}- 0 192.0.2.1 20.0 F -", "no_address_query"),
    ],
)
def test_what_names_no_address_is_skipped(row, reason):
    assert counts(Read(ZEEK, tsv("dns", DNS, row))) == {"rows": {}, "skipped": {reason: 1}, "rejected": {}}


def test_escapes_are_undone():
    row = "1379288667.000000 C1 10.0.0.1 1030 4.2.2.3 53 b\\xc3\\xbccher\\x09.example 1 0 192.0.2.1 20.0 F -"
    assert Read(ZEEK, tsv("dns", DNS, row)).names[0]["hostname"] == "bücher\t.example"


def test_a_lease_is_proof_of_the_moment_of_its_ack_only():
    assert Read(ZEEK, LOGS / "dhcp.log").heartbeats[0] == {
        "address": "192.168.33.10",
        "workload": "mac:00:20:18:eb:ca:21",
        "start": 1_379_288_650_691_137,
        "end": 1_379_288_650_691_137,
        "line": 9,
    }
    row = (
        '{"ts":1575414483.749103,"uids":["C1"],"assigned_addr":"10.18.20.97","mac":"00:01:24:56:9B:CF",'
        '"host_name":"Juanita-Work-PC","msg_types":["REQUEST","ACK"],"duration":0.00035}'
    )
    assert Read(ZEEK, row).heartbeats == [
        {
            "address": "10.18.20.97",
            "workload": "mac:00:01:24:56:9b:cf",
            "service": "Juanita-Work-PC",
            "start": 1_575_414_483_749_453,
            "end": 1_575_414_483_749_453,
            "line": 1,
        }
    ]


@pytest.mark.parametrize(
    "messages",
    # A second server's late offer has another address; a request after the ACK, another time.
    ["DISCOVER,OFFER", "REQUEST,NAK", "REQUEST,ACK,DECLINE", "RELEASE", "REQUEST,ACK,OFFER", "ACK,REQUEST", "(empty)"],
)
def test_an_exchange_that_does_not_end_in_an_ack_is_none(messages):
    log = tsv("dhcp", "ts uids mac assigned_addr msg_types", f"1379288650.0 C1 00:20:18:eb:ca:21 10.0.0.9 {messages}")
    expected = {"rows": {}, "skipped": {"no_lease": 1}, "rejected": {}}
    if messages == "(empty)":  # no message types at all: a log of before 2.6, which has a row for each ACK
        expected = {"rows": {"heartbeat": 1}, "skipped": {}, "rejected": {}}
    assert counts(Read(ZEEK, log)) == expected


def test_the_address_that_a_relay_speaks_from_is_not_the_clients():
    fields = "ts uids mac client_addr assigned_addr msg_types"
    inform = "1379288650.0 C1 00:20:18:eb:ca:21 10.0.0.1 - INFORM,ACK"
    assert counts(Read(ZEEK, tsv("dhcp", fields, inform)))["skipped"] == {"no_lease": 1}


@pytest.mark.parametrize(("protocol", "basis"), [("tcp", "connection"), ("udp", "window"), ("icmp", "window")])
def test_only_tcp_has_connections(protocol, basis):
    (flow,) = Read(ZEEK, tsv("conn", CONN, CONN_ROW.replace(" tcp ", f" {protocol} "))).flows
    assert flow["basis"] == basis


def test_bad_lines_are_rejected_by_number_and_good_ones_kept():
    log = tsv("conn", CONN, CONN_ROW, CONN_ROW + " more", "", CONN_ROW.replace("1379288667.706265", "noon"), CONN_ROW)
    read = Read(ZEEK, log.encode() + b"\xff\xfe" + CONN_ROW.replace(" ", "\t").encode() + b"\n")
    assert [flow["line"] for flow in read.flows] == [7, 11]
    assert sorted((line, reason) for _, line, reason, _ in read.rejects) == [
        (8, "wrong_columns"),
        (10, "not_a_time"),
        (12, "not_text"),
    ]


def test_rows_before_any_fields_line_are_rejected():
    read = Read(ZEEK, "#separator \\x09\n1379288667.7\tC1\n" + tsv("conn", CONN, CONN_ROW))
    assert counts(read) == {"rows": {"flow": 1}, "skipped": {}, "rejected": {"unusable_header": 1}}


def test_values_that_are_no_numbers_are_left_to_validation():
    good, bad = CONN_ROW, CONN_ROW.replace(" 1032 ", " http ")
    flows = Read(ZEEK, tsv("conn", CONN, good, bad)).flows
    assert [flow["local_port"] for flow in flows] == ["1032", "http"]


@pytest.mark.parametrize(
    "head",
    [b"", b"{}", b"# a comment\n1 2 3", b'{"ts":1}', b'{"uid":"C1"}', b"\xff\xfe", b'{"ts":1575413096.0,"uid":"C'],
)
def test_other_content_is_not_taken(head):
    assert not ZEEK.matches(head)


# Unusual and hostile headers

ANSWER = "ts id.orig_h query qtype rcode answers TTLs"
ANSWER_ROW = "1379288667.5 192.168.33.10 a.example 1 0 192.0.2.1,192.0.2.2 60.0,30.0"


def without_lines(rows):
    return [{name: value for name, value in row.items() if name != "line"} for row in rows]


@pytest.mark.parametrize(
    ("written", "separator"), [("\\x20", " "), ("\\x2c", ","), ("\\x7c", "|"), ("\\x3B", ";"), ("|", "|")]
)
@pytest.mark.parametrize(("set_written", "set_separator"), [("\\x3a\\x3a", "::"), ("&", "&"), ("\\x26", "&")])
def test_any_character_separates_columns_and_any_text_the_items_of_sets(written, separator, set_written, set_separator):
    for path, fields, row in (("conn", CONN, CONN_ROW), ("dns", ANSWER, ANSWER_ROW)):
        plain = Read(ZEEK, tsv(path, fields, row))
        log = tsv(path, fields, row.replace(",", set_separator))
        log = log.replace("#set_separator\t,", f"#set_separator\t{set_written}")
        log = log.replace("\t", separator).replace("#separator \\x09", f"#separator {written}")
        read = Read(ZEEK, log)
        assert counts(read) == counts(plain)
        assert (read.flows, read.names) == (plain.flows, plain.names)


@pytest.mark.parametrize("written", ["\\x09\\x09", "||", "\\xc3\\xa9", "\\x0a", "\\x0d"])
def test_a_separator_that_is_not_one_character_is_refused_with_what_stands_there(written):
    log = tsv("conn", CONN, CONN_ROW).replace("#separator \\x09", f"#separator {written}")
    with pytest.raises(SourceError, match="names no separator of one character"):
        Read(ZEEK, log)


def test_a_header_in_the_middle_that_cannot_be_used_costs_its_own_rows():
    good = tsv("conn", CONN, CONN_ROW)
    bad = good.replace("#separator \\x09", "#separator \\x09\\x09")
    read = Read(ZEEK, good + bad + good)
    assert [flow["line"] for flow in read.flows] == [7, 21]
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [(14, "unusable_header")]


@pytest.mark.parametrize("directive", ["#set_separator", "#set_separator\t", "#empty_field", "#unset_field"])
def test_a_directive_without_a_value_leaves_what_zeek_writes_by_default(directive):
    log = tsv("dns", ANSWER, ANSWER_ROW)
    said = next(line for line in log.splitlines() if line.startswith(directive.strip()))
    assert Read(ZEEK, log.replace(said, directive)).names == Read(ZEEK, log).names
    assert without_lines(Read(ZEEK, log.replace(f"{said}\n", "")).names) == without_lines(Read(ZEEK, log).names)


@pytest.mark.parametrize("separator", ["#separator", "#separator "])
def test_an_empty_separator_is_the_tab(separator):
    log = tsv("conn", CONN, CONN_ROW)
    assert Read(ZEEK, log.replace("#separator \\x09", separator)).flows == Read(ZEEK, log).flows


def test_directives_that_are_repeated_in_the_middle_hold_from_there():
    log = (
        tsv("dns", ANSWER, ANSWER_ROW) + "#set_separator\t;\n" + ANSWER_ROW.replace(",", ";").replace(" ", "\t") + "\n"
    )
    names = without_lines(Read(ZEEK, log).names)
    assert len(names) == 4
    assert names[:2] == names[2:]


def test_rows_of_another_width_or_no_text_are_rejected_by_line_and_the_rest_kept():
    row = CONN_ROW.replace(" ", "\t").encode()
    odd = [b"x", row + b"\tmore", row.rpartition(b"\t")[0], b"\xff\xff bad", row.replace(b"C1", b"C\xff"), b"\r"]
    odd += [row.replace(b"C1", b"C\r1"), b"", b"   ", b"\r\r"]
    log = tsv("conn", CONN, CONN_ROW).encode() + b"".join(line + b"\n" + row + b"\r\n" for line in odd)
    read = Read(ZEEK, log)
    assert [flow["line"] for flow in read.flows] == [7, *range(9, 29, 2)]
    assert without_lines(read.flows) == without_lines(read.flows[:1]) * 11
    wide = [(8, "wrong_columns"), (10, "wrong_columns"), (12, "wrong_columns")]
    other = [(14, "not_text"), (16, "not_text"), (20, "malformed"), (26, "malformed")]
    assert sorted((line, reason) for _, line, reason, _ in read.rejects) == wide + other


def test_a_header_that_is_cut_off_rejects_the_rows():
    log = tsv("conn", CONN, CONN_ROW)
    cut = log.replace("\tlocal_orig\tlocal_resp\n", "\n")
    assert cut != log
    assert counts(Read(ZEEK, cut)) == {"rows": {}, "skipped": {}, "rejected": {"wrong_columns": 1}}


def test_a_header_without_a_path_is_of_the_log_that_its_fields_tell():
    conn = tsv("conn", f"{CONN} conn_state", f"{CONN_ROW} SF").replace("#path\tconn\n", "")
    assert without_lines(Read(ZEEK, conn).flows) == without_lines(Read(ZEEK, tsv("conn", CONN, CONN_ROW)).flows)
    # A path does not outlive its header.
    assert counts(Read(ZEEK, tsv("dns", ANSWER, ANSWER_ROW) + conn))["rows"] == {"name_binding": 2, "flow": 1}


def test_columns_of_packages_stand_anywhere_and_may_have_names_twice():
    plain = Read(ZEEK, tsv("conn", CONN, CONN_ROW)).flows
    names, values = CONN.split(), CONN_ROW.split()
    for at in range(len(names) + 1):
        fields = " ".join([*names[:at], "pkg.a", "pkg.a", "id.orig_h.", *names[at:]])
        row = " ".join([*values[:at], "x", "y", "10.9.9.9", *values[at:]])
        assert Read(ZEEK, tsv("conn", fields, row)).flows == plain


def test_names_that_a_site_joins_by_another_character_are_read():
    joined = CONN.replace("id.", "id_")
    assert Read(ZEEK, tsv("conn", joined, CONN_ROW)).flows == Read(ZEEK, tsv("conn", CONN, CONN_ROW)).flows
    row = json.loads((LOGS / "conn.json.log").read_text().splitlines()[0])
    other = {name.replace("id.", "id_"): value for name, value in row.items()}
    assert set(other) != set(row)
    read = Read(ZEEK, f"{json.dumps(other)}\n{json.dumps(row)}\n")
    assert without_lines(read.flows) == without_lines(Read(ZEEK, json.dumps(row)).flows) * 2


def test_a_time_in_milliseconds_does_not_change_those_in_seconds():
    row = json.loads((LOGS / "conn.json.log").read_text().splitlines()[0]) | {"duration": 1}
    read = Read(ZEEK, "".join(json.dumps(row | {"ts": ts}) + "\n" for ts in (1_379_288_667, 1_379_288_667_000)))
    assert [flow["start"] for flow in read.flows] == [1_379_288_667_000_000] * 2
