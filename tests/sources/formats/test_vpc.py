"""AWS flow logs as text: every version, the traps of real files, and rows that are broken."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_input import MemoryInput, rows_of

from attribution import sources
from attribution.errors import SourceError
from attribution.sources.formats.vpc.text import VpcText
from attribution.sources.input.opening import open_inputs

DATA = Path(__file__).parents[1] / "data" / "aws"
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes "
    "start end action log-status\n"
)
ROW = "2 123456789010 eni-0a 10.0.0.1 10.0.0.2 40000 443 6 3 300 1700000000 1700000059 ACCEPT OK\n"
MINUTE = 60_000_000


def read(content, **options):
    return rows_of(VpcText(), content, **options)


def flows(content, **options):
    return read(content, **options)[0].get("flow", [])


def file(name):
    return (DATA / name).read_bytes()


def row(**changed):
    """The default row with other values."""
    values = dict(zip(HEADER.split(), ROW.split(), strict=True)) | {k.replace("_", "-"): v for k, v in changed.items()}
    return " ".join(values.values()) + "\n"


def test_default_rows_become_flows_and_the_rest_is_counted():
    rows, ledger = read(file("vpc_v2.log"))
    assert rows == {
        "flow": [
            {
                "start": 1418530010_000000 - MINUTE,
                "end": 1418530070_999999,
                "local_address": "172.31.16.139",
                "local_port": 20641,
                "remote_address": "172.31.16.21",
                "remote_port": 22,
                "protocol": 6,
                "bytes_sent": 4249,
                "packets_sent": 20,
                "observer": "eni-1235b8ca123456789",
                "basis": "window",
                "line": 2,
            },
            {
                "start": 1432917027_000000 - MINUTE,
                "end": 1432917142_999999,
                "local_address": "203.0.113.12",
                "remote_address": "172.31.16.139",
                "protocol": 1,
                "bytes_sent": 336,
                "packets_sent": 4,
                "observer": "eni-1235b8ca123456789",
                "basis": "window",
                "line": 6,
            },
            {
                "start": 1477913708_000000 - MINUTE,
                "end": 1477913820_999999,
                "local_address": "2001:db8:1234:a100:8d6e:3477:df66:f105",
                "local_port": 34892,
                "remote_address": "2001:db8:1234:a102:3304:8879:34cf:4071",
                "remote_port": 22,
                "protocol": 6,
                "bytes_sent": 8855,
                "packets_sent": 54,
                "observer": "eni-1235b8ca123456789",
                "basis": "window",
                "line": 7,
            },
        ]
    }
    assert ledger.skipped == {("vpc", "refused_traffic"): 1, ("vpc", "no_data"): 1, ("vpc", "skip_data"): 1}
    assert ledger.rejected == {}
    assert ledger.rows == {("flow", "vpc"): 3}


def test_the_header_decides_the_columns_and_their_order():
    found = flows(file("vpc_v3_tcp_flags.log"))
    assert [(f["local_address"], f["remote_address"], f["bytes_sent"], f["packets_sent"]) for f in found] == [
        ("52.213.180.42", "10.0.0.62", 568, 8),
        ("10.0.0.62", "52.213.180.42", 376, 7),
    ]
    assert [f["tcp_flags"] for f in found] == [2, 18]
    assert all("direction" not in f for f in found)


def test_columns_that_a_custom_format_leaves_out_are_null():
    assert flows(file("vpc_v4.log")) == [
        {
            "start": 1616729292_000000 - MINUTE,
            "end": 1616729349_999999,
            "local_address": local,
            "remote_address": "10.0.1.5",
            "region": "us-west-2",
            "basis": "window",
            "line": line,
        }
        for line, local in ((2, "10.0.0.62"), (3, "10.0.2.7"))
    ]


def test_behind_a_nat_gateway_the_packet_names_both_sides():
    found = flows(file("vpc_v5_nat_gateway.log"))
    sides = [(f["direction"], f["local_address"], f["remote_address"]) for f in found]
    assert sides == [
        ("ingress", "203.0.113.5", "10.0.1.5"),
        ("egress", "10.0.0.220", "203.0.113.5"),
        ("ingress", "10.0.0.220", "203.0.113.5"),
        ("egress", "203.0.113.5", "10.0.1.5"),
    ]


@pytest.mark.parametrize("direction", [True, False])
def test_an_interface_that_shows_its_own_address_is_a_relay_on_its_own_side(direction):
    header = "srcaddr dstaddr srcport dstport protocol bytes start end pkt-srcaddr pkt-dstaddr flow-direction"
    rows = [
        # Through a NAT gateway, in and out again; then the gateway's own address, of no other packet.
        "10.0.1.10 10.0.0.20 40001 443 6 7 1700000000 1700000001 10.0.1.10 203.0.113.50 ingress",
        "10.0.0.20 10.0.1.10 443 40001 6 7 1700000000 1700000001 203.0.113.50 10.0.1.10 egress",
        "10.0.0.20 203.0.113.50 1055 443 6 7 1700000000 1700000001 10.0.0.20 203.0.113.50 egress",
        # A pod behind its node's address.
        "203.0.113.50 10.0.1.5 443 40001 6 7 1700000000 1700000001 203.0.113.50 10.0.1.77 ingress",
    ]
    text = [header, *rows] if direction else [line.rsplit(" ", 1)[0] for line in (header, *rows)]
    found = flows("\n".join(text) + "\n")
    assert [(one["local_address"], one["remote_address"], one.get("relay_address")) for one in found] == [
        ("203.0.113.50", "10.0.1.10", "10.0.0.20"),
        ("203.0.113.50", "10.0.1.10", "10.0.0.20"),
        ("10.0.0.20", "203.0.113.50", None),
        ("10.0.1.77", "203.0.113.50", "10.0.1.5"),
    ]
    assert [(one.get("bytes_sent"), one.get("bytes_received")) for one in found] == [
        (None, 7),
        (7, None),
        (7, None),
        (None, 7),
    ]
    assert [one.get("direction") for one in found] == [line.rsplit(" ", 1)[1] if direction else None for line in rows]


def test_what_comes_in_is_received_and_what_goes_out_is_sent():
    incoming, outgoing = flows(file("vpc_v5_nat_gateway.log"))[:2]
    assert (incoming["local_port"], incoming["remote_port"]) == (80, 39812)
    assert (incoming["bytes_received"], incoming["packets_received"]) == (400, 5)
    assert "bytes_sent" not in incoming
    assert (outgoing["local_port"], outgoing["remote_port"]) == (1024, 80)
    assert (outgoing["bytes_sent"], outgoing["packets_sent"]) == (400, 5)
    assert "bytes_received" not in outgoing


def test_the_version_in_a_row_means_nothing():
    found = flows(file("vpc_v7_ecs.log"))
    assert [f["direction"] for f in found] == ["egress", "ingress", "ingress", "egress"]


def test_all_fields_up_to_version_10():
    rows, ledger = read(file("vpc_v10.log"))
    (flow,) = rows["flow"]
    assert flow["observer"] == "nat-0a"
    assert (flow["tcp_flags"], flow["region"], flow["direction"]) == (3, "eu-west-1", "egress")
    assert ledger.skipped == {("vpc", "refused_traffic"): 1}


def test_a_transit_gateway_is_no_side_of_a_flow():
    rows, ledger = read(file("tgw_v6.log"))
    entering, leaving = rows["flow"]
    assert (entering["local_address"], entering["remote_address"]) == ("10.20.33.164", "10.40.2.236")
    assert (leaving["local_address"], leaving["remote_address"]) == ("10.20.33.164", "10.40.2.236")
    assert (entering["observer"], leaving["observer"]) == ("tgw-attach-0a", "tgw-attach-0b")
    assert (entering["bytes_sent"], entering["region"]) == (208, "us-east-1")
    assert "direction" not in entering
    assert ledger.skipped == {("vpc", "no_data"): 1}


def test_times_say_when_the_service_saw_packets_up_to_a_minute_late():
    (flow,) = flows(HEADER + row(start="1700000100", end="1700000100"))
    assert (flow["start"], flow["end"]) == (1700000040_000000, 1700000100_999999)


def test_default_rows_need_no_header():
    assert flows(ROW)[0]["local_address"] == "10.0.0.1"


def test_rows_may_start_with_the_timestamp_that_cloudwatch_exports():
    found = flows("2023-11-14T22:13:20.000Z " + ROW + "2023-11-14T22:13:20.000Z " + ROW)
    assert [(f["local_address"], f["line"]) for f in found] == [("10.0.0.1", 1), ("10.0.0.1", 2)]


def test_rows_of_a_custom_format_need_one():
    with pytest.raises(SourceError, match=r"line 1 is no header but a row of 3 columns.*first line"):
        read("eni-0a ACCEPT OK\n")


def test_a_header_without_what_a_flow_needs_is_refused():
    with pytest.raises(SourceError, match=r"cannot read here .*header on line 1 lacks dstaddr, start; create"):
        read("version interface-id srcaddr end\n2 eni-0a 10.0.0.1 1700000000\n", name="here")


def test_a_header_may_use_underscores_or_placeholders():
    content = "${srcaddr} ${dstaddr} ${start} ${end} ${log_status}\n10.0.0.1 10.0.0.2 1700000000 1700000001 OK\n"
    assert len(flows(content)) == 1


def test_a_repeated_header_of_joined_files_is_no_row():
    rows, ledger = read((HEADER + ROW) * 3)
    assert [f["line"] for f in rows["flow"]] == [2, 4, 6]
    assert ledger.rejected == {}


def test_a_different_header_in_the_middle_switches_the_columns():
    rows, ledger = read(
        HEADER + ROW + "end start dstaddr srcaddr\n1700000009 1700000000 10.0.0.9 10.0.0.8\n" + HEADER + ROW
    )
    assert [(f["local_address"], f["end"], f["line"]) for f in rows["flow"]] == [
        ("10.0.0.1", 1700000059_999999, 2),
        ("10.0.0.8", 1700000009_999999, 4),
        ("10.0.0.1", 1700000059_999999, 6),
    ]
    assert ledger.rejected == {}


def test_rows_below_a_useless_header_in_the_middle_are_rejected():
    rows, ledger = read(HEADER + ROW + "interface-id srcaddr\neni-0a 10.0.0.1\n" + HEADER + ROW)
    assert [f["line"] for f in rows["flow"]] == [2, 6]
    assert [(r.line, r.reason) for r in ledger.rejects] == [(4, "unusable_header")]


@pytest.mark.parametrize(
    ("broken", "reason", "found"),
    [
        ("2 123456789010 eni-0a 10.0.0.1\n", "wrong_columns", "4 columns, expected 14: 2 123456789010 eni-0a 10.0.0.1"),
        (ROW.strip() + " 7\n", "wrong_columns", f"15 columns, expected 14: {ROW.strip()} 7"),
        (row(srcport="http"), "not_a_number", "local_port='http'"),
        (row(srcport="70000"), "impossible_port", "local_port=70000"),
        (row(dstport="99999999999"), "impossible_port", "remote_port='99999999999'"),
        (row(protocol="300"), "impossible_protocol", "protocol=300"),
        (row(bytes="-1"), "impossible_count", "bytes_sent=-1"),
        (row(srcaddr="10.0.0.256"), "not_an_address", "local_address='10.0.0.256'"),
        (row(dstaddr="-"), "missing_field", "remote_address=null"),
        (row(start="-"), "missing_field", "start=null"),
        (row(start="yesterday"), "not_a_time", "start='yesterday s'"),
        (row(start="1700000000000000"), "not_a_time", "start='1700000000000000 s'"),
        (row(start="99"), "impossible_time", "start=39000000"),
        (row(end="1699999999"), "end_before_start", "start=1700000000000000, end=1699999999000000"),
    ],
)
def test_only_the_broken_row_is_rejected(broken, reason, found):
    rows, ledger = read(HEADER + ROW + broken + ROW)
    assert [f["line"] for f in rows["flow"]] == [2, 4]
    (reject,) = ledger.rejects
    assert (reject.source, reject.line, reject.reason, reject.found) == ("memory", 3, reason, found)
    assert ledger.rejected == {("vpc", reason): 1}
    assert ledger.skipped == {}


def test_a_line_that_is_no_text_is_rejected():
    rows, ledger = read((HEADER + ROW).encode() + ROW.encode().replace(b"eni-0a", b"eni-\xff") + ROW.encode())
    assert [f["line"] for f in rows["flow"]] == [2, 4]
    assert [(r.line, r.reason) for r in ledger.rejects] == [(3, "not_text")]


def test_blank_lines_carriage_returns_and_spaces_at_the_end_do_no_harm():
    content = f"\n{HEADER.strip()}\r\n{ROW.strip()}\r\n\r\n\n{ROW.strip()} \t\n{ROW.strip()}"
    rows, ledger = read(content)
    assert [f["line"] for f in rows["flow"]] == [3, 6, 7]
    assert ledger.rejected == {}


def test_a_file_with_a_header_only_has_no_flows():
    rows, ledger = read(HEADER)
    assert rows == {}
    assert (ledger.skipped, ledger.rejected) == ({}, {})


def test_rows_without_status_and_addresses_carry_no_data():
    rows, ledger = read(
        "srcaddr dstaddr start end\n- - 1700000000 1700000001\n10.0.0.1 10.0.0.2 1700000000 1700000001\n"
    )
    assert [f["line"] for f in rows["flow"]] == [3]
    assert ledger.skipped == {("vpc", "no_data"): 1}


def test_an_address_of_the_packet_that_is_missing_is_that_of_the_interface():
    found = flows("srcaddr pkt-srcaddr pkt-dstaddr start end\n10.0.0.1 - 10.0.0.2 1700000000 1700000001\n")
    assert [(f["local_address"], f["remote_address"]) for f in found] == [("10.0.0.1", "10.0.0.2")]


def test_a_column_that_is_named_twice_is_read_once():
    (flow,) = flows("srcaddr dstaddr start end srcaddr\n10.0.0.1 10.0.0.2 1700000000 1700000001 10.9.9.9\n")
    assert flow["local_address"] == "10.0.0.1"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_are_read_as_they_are_stored(tmp_path, pack):
    path = tmp_path / "123456789010_vpcflowlogs_eu-west-1_fl-0a_20231114T2215Z_0a.log"
    path.write_bytes(pack((HEADER + ROW).encode()))
    for opened in open_inputs([path]):
        assert VpcText().matches(opened.head())
        assert [f["line"] for f in flows(opened)] == [2]


TRICKY = [ROW, row(log_status="NODATA", srcaddr="-", dstaddr="-"), row(action="REJECT"), row(srcport="x"), "nonsense\n"]
TRICKY += [HEADER, "end start dstaddr srcaddr\n", "1700000009 1700000000 10.0.0.9 10.0.0.8\n", "\n", row(start="-1")]


@given(st.lists(st.sampled_from(TRICKY), max_size=30), st.integers(1, 400))
def test_the_size_of_blocks_changes_nothing(lines, block_bytes):
    content = HEADER + "".join(lines)
    rows, ledger = read(content)
    cut_rows, cut_ledger = read(content, block_bytes=block_bytes)
    assert cut_rows.get("flow", []) == rows.get("flow", [])
    assert (cut_ledger.skipped, cut_ledger.rejected) == (ledger.skipped, ledger.rejected)
    assert {(r.line, r.reason) for r in cut_ledger.rejects} == {(r.line, r.reason) for r in ledger.rejects}


@pytest.mark.parametrize(
    "head",
    [HEADER, ROW, "\n" + HEADER, "\ufeff" + HEADER, "2023-11-14T22:13:20.000Z " + ROW],
)
def test_flow_logs_are_recognised(head):
    assert VpcText().matches(head.encode())


def test_a_row_in_an_unknown_order_is_told_to_be_a_flow_log(tmp_path):
    assert not VpcText().matches(b"eni-0a ACCEPT OK\n")
    (tmp_path / "custom.log").write_text("eni-0a ACCEPT OK\n")
    with pytest.raises(SourceError, match="put the log's format as the first line"):
        list(sources.read([tmp_path / "custom.log"], ledger=sources.Ledger()))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "\n\n",
        '{"start": 1, "end": 2, "local_address": "10.0.0.1"}\n',
        "#separator \\x09\n#fields\tts\tuid\n",
        "10.8.0.0/16 office Berlin\n",
        "prefix,name\n",
        "PAR1\x15\x04",
        "start end protocol\n",
    ],
)
def test_other_content_is_not_taken_for_a_flow_log(head):
    assert not VpcText().matches(head.encode())


def test_the_head_may_end_anywhere():
    assert VpcText().matches(MemoryInput(file("vpc_v10.log")).head())
    assert not VpcText().matches(b"\xff\xfe\x00")


def test_a_carriage_return_inside_of_a_line_costs_that_line_and_shifts_no_number():
    rows = [f"2 eni-1 10.0.{n}.1 10.0.0.2 1 2 6 3 4 1767225600 1767225600 ACCEPT OK" for n in range(5)]
    rows[1] += "\r" + rows[1]
    rows[2] += "\r"
    rows[3] = rows[3].replace("6", "-1", 1)
    header = "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    rows, ledger = rows_of(VpcText(), "\n".join([header, *rows]))
    assert [(row["local_address"], row["line"]) for row in rows["flow"]] == [
        ("10.0.0.1", 2), ("10.0.2.1", 4), ("10.0.4.1", 6),
    ]  # fmt: skip
    assert sorted((one.line, one.reason) for one in ledger.rejects) == [
        (3, "wrong_columns"),
        (5, "impossible_protocol"),
    ]
