"""goflow2 records of both major versions."""

import pytest
from reading import DATA, Read, counts

from attribution.sources.formats.goflow2 import FORMATS

(GOFLOW2,) = FORMATS
V1, V2 = DATA / "goflow2" / "version_1.jsonl", DATA / "goflow2" / "version_2.jsonl"


def test_a_sampled_packet_is_an_instant_scaled_by_its_rate():
    sflow = Read(GOFLOW2, V2).flows[0]
    assert sflow == {
        "start": 1_681_583_295_157_626,
        "end": 1_681_583_295_157_626,
        "local_address": "fd01::1",
        "local_port": 443,
        "remote_address": "fd01::2",
        "remote_port": 50001,
        "protocol": "TCP",
        "bytes_sent": 150_000,
        "packets_sent": 100,
        "observer": "192.168.0.1",
        "sampling_rate": 100,
        "received": 1_681_583_295_157_626,
        "basis": "window",
        "line": 1,
    }


def test_a_router_record_is_a_window_and_a_rate_of_zero_scales_nothing():
    netflow = Read(GOFLOW2, V2).flows[1]
    assert (netflow["start"], netflow["end"]) == (1_681_583_296_100_000, 1_681_583_355_900_000)
    assert (netflow["bytes_sent"], netflow["packets_sent"], netflow["basis"]) == (5200, 13, "window")
    assert "direction" not in netflow


def test_protocols_without_ports_have_none():
    icmp, unnamed = Read(GOFLOW2, V2).flows[2:4]
    assert icmp["protocol"] == "ICMP"
    assert not {"local_port", "remote_port"} & (set(icmp) | set(unnamed))
    assert "protocol" not in unnamed
    assert unnamed["bytes_sent"] == 512_000


def test_the_whole_file_is_accounted_for():
    assert counts(Read(GOFLOW2, V2)) == {"rows": {"flow": 5}, "skipped": {"not_ip": 1}, "rejected": {}}


def test_version_1_has_seconds_and_late_ones_milliseconds():
    sflow, netflow = Read(GOFLOW2, V1).flows
    assert (sflow["start"], sflow["end"]) == (1_701_333_929_000_000, 1_701_333_929_000_000)
    assert (sflow["protocol"], sflow["bytes_sent"]) == (1, 6528)
    assert "local_port" not in sflow
    assert (netflow["start"], netflow["end"]) == (1_701_333_930_250_000, 1_701_333_988_750_000)
    assert (netflow["local_address"], netflow["remote_port"], netflow["tcp_flags"]) == ("2001:db8::1", 443, 27)


def test_times_written_as_text_are_read():
    line = V2.read_text().splitlines()[1].replace("1681583356000000000", '"2023-04-15T18:29:16.25Z"')
    line = line.replace("1681583296100000000", '"2023-04-15T18:28:16.100000999Z"')
    (flow,) = Read(GOFLOW2, line).flows
    assert flow["start"] == 1_681_583_296_100_000


@pytest.mark.parametrize("block_bytes", [1, 400, 1 << 20])
def test_block_size_does_not_matter(block_bytes):
    cut = Read(GOFLOW2, V2, block_bytes=block_bytes)
    whole = Read(GOFLOW2, V2)
    assert cut.flows == whole.flows
    assert counts(cut) == counts(whole)


def test_bad_lines_are_rejected_by_number_and_good_ones_kept():
    lines = V2.read_text().splitlines()
    lines[1] = lines[1][:100]
    lines[3] = lines[3].replace("1681583296100000999", '"soon"')
    read = Read(GOFLOW2, "\n".join(lines))
    assert [flow["line"] for flow in read.flows] == [1, 3, 6]
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [(2, "malformed"), (4, "not_a_time")]
    assert "soon" in read.rejects[1][3]


@pytest.mark.parametrize("head", [b"", b"{}", b"[]", b'{"src_addr":"10.0.0.1"}', b"\xff\xfe", b'{"time_received_ns":1'])
def test_other_content_is_not_taken(head):
    assert not GOFLOW2.matches(head)
