"""The summary of a run says of how many flows the sampling rate is not known."""

import json

import pytest
from verbs import ok

from attribution.lake.lake import read_manifest


def record(rate, second):
    start = 1_772_445_600 + second
    times = {"time_received_ns": start + 20, "time_flow_start_ns": start, "time_flow_end_ns": start + 2}
    return {
        "type": "IPFIX", "sampling_rate": rate, "sampler_address": "192.0.2.1", "etype": "IPv4", "proto": "TCP",
        "src_addr": "10.0.0.1", "dst_addr": "10.0.0.2", "src_port": 4000, "dst_port": 443, "bytes": 900, "packets": 3,
    } | {name: seconds * 1_000_000_000 for name, seconds in times.items()}  # fmt: skip


@pytest.mark.parametrize(("rates", "unknown"), [((0, 0, 100, 1), 2), ((100, 1), 0)])
def test_the_summary_says_how_many_flows_do_not_say_their_sampling_rate(rates, unknown, tmp_path):
    logs, lake = tmp_path / "flows.jsonl", tmp_path / "lake"
    logs.write_text("\n".join(json.dumps(record(rate, second)) for second, rate in enumerate(rates)))
    shown = ok("replay", "--flows", logs, "--out", lake)
    assert read_manifest(lake)["summary"]["sampling_rate_unknown"] == unknown
    assert ("sampling rate of 2 flows is not known" in " ".join(shown.split())) == (unknown == 2)
