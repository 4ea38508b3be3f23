"""When a goflow2 record was: by the router's clock, by the collector's, and where it has no time of its own."""

import json

import pytest
from reading import Read

from attribution.sources.formats.goflow2 import FORMATS

(GOFLOW2,) = FORMATS
SECOND = 1_000_000
#: When the records were received, in microseconds: a quarter of a second after the export of `EXPORT`.
EXPORT = 1_700_000_000 * SECOND
RECEIVED = EXPORT + 250_000


def version_2(start, end, *, kind="IPFIX", packets=12, received=RECEIVED, **more):
    times = {"time_flow_start_ns": start * 1000, "time_flow_end_ns": end * 1000, "time_received_ns": received * 1000}
    return {"type": kind, "sampler_address": "192.0.2.1", **_ENDS_2, "packets": packets, **times, **more}


def version_1(start, end, *, kind="IPFIX", milliseconds=True, **more):
    times = {"TimeFlowStart": start // SECOND, "TimeFlowEnd": end // SECOND, "TimeReceived": RECEIVED // SECOND}
    if milliseconds:
        times |= {"TimeFlowStartMs": start // 1000, "TimeFlowEndMs": end // 1000}
    return {"Type": kind, "SamplerAddress": "192.0.2.1", **_ENDS_1, "Packets": 12, **times, **more}


_ENDS_2 = {"src_addr": "10.0.0.1", "dst_addr": "10.0.0.2", "etype": "IPv4", "proto": "TCP", "bytes": 900}
_ENDS_1 = {"SrcAddr": "10.0.0.1", "DstAddr": "10.0.0.2", "Etype": 2048, "Proto": 6, "Bytes": 900}


def read(*records):
    return Read(GOFLOW2, "\n".join(map(json.dumps, records)))


def flow(record):
    (found,) = read(record).flows
    return found


def times(record):
    found = flow(record)
    return found["start"] - EXPORT, found["end"] - EXPORT, found["basis"]


@pytest.mark.parametrize("kind", ["IPFIX", "NETFLOW_V9", None])
@pytest.mark.parametrize("packets", [1, 12, 0])
def test_the_second_of_an_export_is_no_time_of_a_flow(kind, packets):
    assert times(version_2(EXPORT, EXPORT, kind=kind, packets=packets)) == (0, 250_000, "export")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (EXPORT - 60 * SECOND, EXPORT - 45 * SECOND),
        (EXPORT - 60 * SECOND, EXPORT - 59 * SECOND),
        (EXPORT - 400_000, EXPORT - 100_000),
        (EXPORT - 123_000, EXPORT - 123_000),
        (EXPORT - 1_000, EXPORT),
    ],
    ids=["seconds", "one second", "within a second", "one packet", "ends at a whole second"],
)
def test_a_flow_with_times_of_its_own_is_a_window(start, end):
    found = flow(version_2(start, end))
    assert (found["start"], found["basis"]) == (start, "window")
    assert end <= found["end"] < end + SECOND


def test_a_record_that_tells_its_end_alone_begins_with_the_second_of_its_export():
    assert times(version_2(EXPORT, EXPORT + 200_000)) == (0, 200_000, "export")
    assert times(version_2(EXPORT, EXPORT - 15_500_000)) == (-15_500_000, -15_500_000, "export")


def test_a_record_that_tells_its_start_alone_ends_with_its_export():
    assert times(version_2(EXPORT - 90_250_000, EXPORT)) == (-90_250_000, 250_000, "window")
    assert times(version_2(EXPORT + 100_000, EXPORT)) == (100_000, 250_000, "window")


def test_netflow_5_and_samples_have_times_always():
    assert times(version_2(EXPORT, EXPORT, kind="NETFLOW_V5"))[2] == "window"
    assert times(version_2(EXPORT, EXPORT, kind="SFLOW_5")) == (250_000, 250_000, "window")


def test_the_end_of_a_whole_second_lasts_as_long_as_the_second_unless_it_was_received_before():
    start, end = EXPORT - 60 * SECOND, EXPORT - 15 * SECOND
    assert times(version_2(start, end)) == (-60 * SECOND, -15 * SECOND + 999_999, "window")
    assert times(version_2(start, EXPORT)) == (-60 * SECOND, 250_000, "window")
    assert times(version_2(start, EXPORT, received=EXPORT - 3 * SECOND)) == (-60 * SECOND, 0, "window")


@pytest.mark.parametrize("kind", ["IPFIX", "NETFLOW_V9"])
def test_records_without_times_were_exported_when_they_were_received(kind):
    assert times(version_2(0, 0, kind=kind)) == (250_000, 250_000, "export")
    assert times(version_1(0, 0, kind=kind)) == (0, 999_999, "export")
    absent = {name: value for name, value in version_2(0, 0, kind=kind).items() if "_flow_" not in name}
    assert times(absent) == (250_000, 250_000, "export")


def test_version_1_leaves_0_what_is_missing_and_puts_no_export_there():
    assert times(version_1(EXPORT, EXPORT, milliseconds=False)) == (0, 999_999, "window")
    assert times(version_1(EXPORT, EXPORT)) == (0, 999_999, "window")
    assert times(version_1(EXPORT - 300_000, EXPORT - 100_000)) == (-300_000, -100_000, "window")
    assert times(version_1(0, EXPORT - 100_000)) == (-100_000, -100_000, "export")
    assert times(version_1(EXPORT - 90 * SECOND, 0)) == (-90 * SECOND, 999_999, "window")


def test_when_a_record_was_received_is_shown():
    assert flow(version_2(EXPORT - 9 * SECOND, EXPORT - 2 * SECOND))["received"] == RECEIVED
    assert flow(version_1(EXPORT - 9 * SECOND, EXPORT - 2 * SECOND))["received"] == EXPORT + 999_999
    late = version_2(EXPORT - 30_000 * SECOND, EXPORT - 30_000 * SECOND, kind="NETFLOW_V9")
    assert flow(late)["received"] - flow(late)["end"] > 29_000 * SECOND


def test_what_is_no_time_is_rejected_and_never_taken_for_a_missing_one():
    good = version_2(EXPORT - 60 * SECOND, EXPORT)
    bad = [good | {name: "soon"} for name in ("time_flow_start_ns", "time_flow_end_ns", "time_received_ns")]
    found = read(good, *bad, {**good, "type": "SFLOW_5", "time_flow_start_ns": "soon"})
    assert [one["line"] for one in found.flows] == [1, 5]
    assert [(line, reason) for _, line, reason, _ in found.rejects] == [(n, "not_a_time") for n in (2, 3, 4)]


def test_a_record_without_any_time_is_rejected():
    nothing = version_2(0, 0) | {"time_received_ns": None}
    assert [reason for _, _, reason, _ in read(nothing).rejects] == ["not_a_time"]


@pytest.mark.parametrize(("rate", "factor", "said"), [(1000, 1000, 1000), (1, 1, 1), (0, 1, 0), (None, 1, 0)])
def test_a_sampling_rate_of_0_or_none_says_that_the_rate_is_not_known(rate, factor, said):
    found = flow(version_2(EXPORT - 60 * SECOND, EXPORT, sampling_rate=rate))
    assert (found["bytes_sent"], found["packets_sent"]) == (900 * factor, 12 * factor)
    assert found["sampling_rate"] == said
