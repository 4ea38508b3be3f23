"""`explain` of flows that both ends report: why the far end names the remote workload, or which condition failed."""

import json
import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from ends_world import NAT, connection, counted, heartbeat, lake_of
from verbs import ok

from attribution.query.explain.flow import explain_flow
from attribution.query.explain.flow_selector import selector
from attribution.query.lake.session import LakeSession

WEB, API = "10.0.1.5", "10.0.9.1"
#: A translator of which the network `east` has evidence of its own.
ELSEWHERE = "203.0.113.10"


def ours(port, start, end, to=443, **more):
    return connection(start, end, f"{WEB}:{port}", f"{NAT}:{to}", "web", **{"direction": "egress"} | more)


def theirs(port, start, end, workload="api", to=443, **more):
    more = {"direction": "ingress"} | more
    return connection(start, end, f"{API}:{to}", f"{WEB}:{port}", workload, wire=f"{NAT}:{to}", **more)


SHORT = "overlaps by 300ms only, not more than clock_tolerance (1s), and its counters"
#: port -> (the flows, what the lake says, the outcome, words of the findings)
CASES = {
    51000: (
        [ours(51000, "02:00", "02:08"), theirs(51000, "02:00.2", "02:08.1")],
        ("api-1", "both_ends"), "named", ["overlaps this flow by 7.8s"],
    ),
    51001: (
        [ours(51001, "03:00", "03:00.4", **counted(10, 20)), theirs(51001, "03:00.05", "03:00.4", **counted(20, 10))],
        ("api-1", "both_ends"), "named", ["overlaps this flow by 350ms, and its counters are equal"],
    ),
    51002: (
        [ours(51002, "04:00", "04:08"), theirs(51002, "04:00", "04:08"), theirs(51002, "04:00", "04:07", "search")],
        (None, "shared"), "third", ["overlaps this flow by 7s", "overlaps this flow by 8s"],
    ),
    51003: (
        [ours(51003, "05:00", "05:07"), ours(51003, "05:00", "05:08"), theirs(51003, "05:00", "05:08")],
        (None, "shared"), "third",
        ["overlaps this flow by 7s", "has the ends of this flow, and fits the report of the far end, too"],
    ),
    51004: (
        [ours(51004, "06:00", "06:20"), theirs(51004, "06:05", "06:20")],
        (None, "shared"), "unfit", ["began 5s apart, which is more than clock_tolerance (1s)"],
    ),
    51005: (
        [ours(51005, "07:00", "07:20"), theirs(51005, "07:00", "10:20")],
        (None, "shared"), "unfit", ["ended 3m apart, which is more than half of hold (2m)"],
    ),
    51006: (
        [ours(51006, "08:00", "08:00.4", **counted(10, 20)), theirs(51006, "08:00.1", "08:00.4", **counted(21, 10))],
        (None, "shared"), "unfit",
        [f"{SHORT} differ: bytes received here 20, sent there 21"],
    ),
    51007: (
        [ours(51007, "09:00", "09:00.4"), theirs(51007, "09:00.1", "09:00.4")],
        (None, "shared"), "unfit",
        [f"{SHORT} are not all known"],
    ),
    51008: (
        [ours(51008, "10:00", "10:00.3", **counted(1, 2)), theirs(51008, "10:00.8", "10:01.1", **counted(2, 1))],
        (None, "shared"), "unfit", ["was at another time: 500ms lie between the two"],
    ),
    51009: (
        [ours(51009, "11:00", "11:08", 445), theirs(51009, "11:00", "11:08", to=445, direction="egress")],
        (None, "shared"), "unfit", ["both ends say that they opened it, so these are two connections"],
    ),
    51010: (
        [ours(51010, "12:00", "12:08"), theirs(51010, "12:00", "12:08", basis="window")],
        (None, "shared"), "unfit", ["is no connection but of basis window"],
    ),
    51011: (
        [ours(51011, "13:00", "13:08"), connection("13:00", "13:08", f"{NAT}:443", f"{WEB}:51011", None)],
        (None, "shared"), "unfit", ["its own workload was not captured, so it can name nobody"],
    ),
    51012: (
        [ours(51012, "14:00", "14:08"), theirs(51012, "14:00", "14:08", received="14:30")],
        (None, "shared"), "unfit", ["was received late, so its clock may be wrong"],
    ),
    51013: ([ours(51013, "15:00", "15:08")], (None, "shared"), "absent", []),
    51014: (
        [ours(51014, "16:00", "16:08", basis="window"), theirs(51014, "16:00", "16:08")],
        (None, "shared"), "no_report", ["is a report, but the explained flow is none"],
    ),
    51015: (
        [ours(51015, "17:00", "17:08", 444), theirs(51015, "17:00", "17:08", to=444)],
        (None, "conflict"), "conflict", ["overlaps this flow by 8s"],
    ),
    51016: (
        [ours(51016, "18:00", "18:08", direction="ingress"), theirs(51016, "18:00", "18:08")],
        (None, "shared"), "unfit", ["both ends say that they accepted it, so these are two connections"],
    ),
    51017: (
        [
            connection("19:00", "19:08", f"{WEB}:51017", f"{ELSEWHERE}:443", "web", local_network="east"),
            connection("19:00", "19:08", f"{API}:443", f"{WEB}:51017", "api", wire=f"{ELSEWHERE}:443"),
        ],
        (None, "shared"), "unfit", ["is of another network"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    flows = [flow for flows, *_ in CASES.values() for flow in flows]
    # That the address is held by port is known all the time; of port 444 somebody else was seen once.
    seen = [
        heartbeat(NAT, "gate", "00:00", "30:00", port=9, protocol=6),
        heartbeat(NAT, "other", "17:00", port=444, protocol=6),
        heartbeat(ELSEWHERE, "gate", "00:00", "30:00", port=9, protocol=6, network="east"),
    ]
    return lake_of(tmp_path_factory.mktemp("ends"), flows, seen)


@pytest.fixture(scope="module")
def session(lake):
    with LakeSession(lake) as opened:
        yield opened


@pytest.mark.parametrize("port", CASES)
def test_what_the_far_end_reported_and_why_it_is_the_same_connection_or_not(session, port):
    flows, answer, outcome, findings = CASES[port]
    found = explain_flow(session, selector(local=f"{WEB}:{port}", start=flows[0]["start"], last=None))
    side = found.remote
    assert (side.workload, side.reason) == answer
    assert side.recomputed == (side.workload, side.service, side.reason)
    assert (side.far_end and side.far_end.outcome) == outcome
    assert [one.finding for one in (side.far_end.reports if side.far_end else ())] == findings


def test_both_pieces_of_evidence_of_a_conflict_are_shown(lake):
    text = ok("explain", lake, "--local", f"{WEB}:51015")
    (step,) = (line.split() for line in text.splitlines() if line.startswith("reports of both ends"))
    assert step[4:8] == ["conflict", "The", "far", "end"]
    others = text[text.index("Others who held the address") :]
    assert "other-1" in others
    assert "last seen 1s before the end of the time asked about" in others
    (far,) = json.loads(ok("explain", lake, "--local", f"{WEB}:51015", "--format", "json"))["remote"]["far_end"][
        "reports"
    ]
    assert (far["end"], far["workload"], far["fits"]) == ("far", "api-1", True)
    assert explained_far_end(lake, 51015)["against"] == ["other-1"]


def explained_far_end(lake, port):
    return json.loads(ok("explain", lake, "--local", f"{WEB}:{port}", "--format", "json"))["remote"]["far_end"]


def test_the_far_report_is_shown_with_times_and_counters(lake):
    text = ok("explain", lake, "--local", f"{WEB}:51001")
    assert f"Remote end {NAT} port 443/tcp: api (api-1)" in text
    assert "peer, both_ends: The far end reported this connection" in text
    (row,) = (line for line in text.splitlines() if line.startswith("far end"))
    assert row.split()[2:6] == ["api-1", "11:03:00.050", "to", "11:03:00.400"]
    far = explained_far_end(lake, 51001)
    assert (far["outcome"], far["workload"], far["reports"][0]["bytes_sent"]) == ("named", "api-1", 20)
    # What is shown of the far report finds it.
    assert ok("explain", lake, "--flow", far["reports"][0]["flow"]).startswith(f"Flow {far['reports'][0]['flow']}")


def test_a_lake_of_a_version_that_compared_no_reports_says_so(lake, tmp_path):
    newer = ["received", "remote_wire_address", "remote_wire_port", "sampling_rate"]
    for number, file in enumerate((lake / "attributed_flows").rglob("*.parquet")):
        target = tmp_path / "attributed_flows" / file.relative_to(lake).parts[1] / "hour=11" / f"{number}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = pq.read_table(file, partitioning=None).drop_columns(newer)
        named = pc.fill_null(pc.equal(rows.column("remote_reason"), "both_ends"), False)
        for name, before in (("reason", "shared"), ("method", "none"), ("workload", None), ("service", None)):
            place = rows.schema.get_field_index(f"remote_{name}")
            column = pc.if_else(named, pa.scalar(before, pa.string()), rows.column(place).cast(pa.string()))
            rows = rows.set_column(place, f"remote_{name}", column)
        pq.write_table(rows, target)
    shutil.copytree(lake / "ownership_ranges", tmp_path / "ownership_ranges")
    (tmp_path / "lake.json").write_text((lake / "lake.json").read_text())
    found = explain_flow(tmp_path, selector(local=f"{WEB}:51000", last=None))
    assert (found.timing.findings, found.remote.reason, found.remote.far_end.outcome) == ((), "shared", "missed")
    assert found.remote.recomputed == (None, None, "shared")
    assert "Replay the logs." in ok("explain", tmp_path, "--local", f"{WEB}:51000")
