"""`whois` of an address that workloads hold by port: what it says of a moment is what a replay says of a flow then."""

import json

import pyarrow.parquet as pq
import pytest
from ends_world import NAT, NODE, connection, heartbeat, lake_of
from verbs import ok

from attribution.query.explain.whois import whois
from attribution.query.lake.session import LakeSession

CLIENT = "10.0.1.77"
#: What the ports of the node are, and of a translator.
LISTENED, ACCEPTED, OPENED, BALANCED, NOTHING = 8000, 8001, 30_000, 443, 9999
ASKED = [(NODE, port) for port in (LISTENED, ACCEPTED, OPENED, NOTHING)]
ASKED += [(NAT, port) for port in (40_001, BALANCED, NOTHING)]
MOMENTS = ("01:00", "02:00", "02:05", "02:30", "04:00", "06:30", "12:00")


def flows():
    yield connection("02:00", "02:10", f"{NODE}:{ACCEPTED}", "10.0.1.5:1", "api", direction="ingress")
    yield connection("04:00", "04:10", f"{NODE}:{ACCEPTED}", "10.0.1.5:2", "api", direction="ingress")
    yield connection("02:00", "02:30", f"{NODE}:{OPENED}", "10.0.1.5:80", "web", direction="egress")
    yield connection("02:02", "02:20", "10.0.2.1:5000", "10.0.1.5:80", "cart", direction="egress", wire=f"{NAT}:40001")
    yield connection("02:00", "02:20", "10.0.2.2:80", "10.0.1.5:3", "gate", direction="ingress", wire=f"{NAT}:443")
    # Who asks: connections that begin and end at each moment.
    for number, moment in enumerate(MOMENTS):
        for place, (address, port) in enumerate(ASKED):
            yield connection(moment, moment, f"{CLIENT}:{2000 + 100 * number + place}", f"{address}:{port}", None)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    seen = [heartbeat(NODE, "db", f"{minute:02}:00", port=LISTENED, protocol=6) for minute in range(8)]
    return lake_of(tmp_path_factory.mktemp("ports"), [*flows()], seen)


def test_whois_answers_as_a_replay_does_for_a_connection_at_that_moment(lake):
    named, reasons = set(), set()
    with LakeSession(lake) as session:
        rows = session.table("attributed_flows", "attributed_flow").to_pylist()
        for row in (row for row in rows if row["local_address"] == CLIENT):
            found = whois(session, row["remote_address"], at=row["start"], port=row["remote_port"]).verdict
            assert (found.workload, found.service) == (row["remote_workload"], row["remote_service"])
            assert found.reason == row["remote_reason"] or (row["remote_reason"], found.reason) == (
                "covered",
                "bridged",
            )
            named.add(found.workload)
            reasons.add(found.reason)
    # Of a port that was opened or translated, the piece itself answers; of one that listens, the silence is bridged.
    assert named == {None, "db-1", "api-1", "web-1", "cart-1"}
    assert reasons == {"bridged", "covered", "gap", "shared"}


def test_what_was_asked_of_a_port_is_said_key_by_key(lake):
    path = whois(lake, NODE, at="2026-03-12T11:02:05Z", port=OPENED).to_dict()["answer"]["path"]
    assert [(step["asked"], step["result"]) for step in path][:2] == [
        (f"heartbeats of port {OPENED}/tcp", "unknown"),
        (f"connections opened from port {OPENED}/tcp", "covered"),
    ]
    text = ok("whois", lake, NAT)
    assert "Connections that were opened from its ports" in text
    assert "Ports with a balancer: who was seen behind them" in text
    shared = ok("whois", lake, NAT, "--at", "2026-03-12T11:02:05Z", "--port", NOTHING)
    assert "40001/tcp (opened)" in shared


def test_a_lake_without_claims_is_still_read(lake, tmp_path):
    for file in (lake / "ownership_ranges").rglob("*.parquet"):
        target = tmp_path / "old" / file.relative_to(lake)
        target.parent.mkdir(parents=True)
        table = pq.read_table(file, partitioning=None)
        pq.write_table(table.filter(table.column("claim").is_null()).drop_columns(["claim"]), target)
    manifest = json.loads((lake / "lake.json").read_text())
    (tmp_path / "old" / "lake.json").write_text(json.dumps(manifest | {"summary": {"flows": 0}}))
    found = whois(tmp_path / "old", NODE, at="2026-03-12T11:02:30Z", port=LISTENED)
    assert (found.verdict.workload, {one.claim for one in found.evidence.ranges}) == ("db-1", {None})
