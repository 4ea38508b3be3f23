"""`explain` of flows that were received late, of exports, and of ends that the wire shows elsewhere."""

import json

import pytest
from ends_world import connection, heartbeat, lake_of
from tiny_lake import flow, held, write_lake
from verbs import ok

from attribution.config import MINUTE, Settings
from attribution.query.explain.flow import explain_flow
from attribution.query.explain.flow_selector import selector
from attribution.query.lake.session import LakeSession

API, WEB, BALANCER = "10.0.9.1", "10.0.1.5", "10.96.0.1"


def flows():
    ends = {port: (f"{API}:443", f"{WEB}:{port}", "api") for port in range(5000, 5010)}
    return [
        connection("10:00", "10:10", *ends[5000], received="10:50"),
        connection("10:00", "10:10", *ends[5001], received="31:50"),
        connection("10:00", "10:10", *ends[5002], received="10:00"),
        connection("10:00", "10:00", *ends[5003], basis="export"),
        connection("10:00", "10:00", *ends[5004], basis="export", received="10:00.5"),
        connection("10:00", "10:00", *ends[5005], basis="export", received="31:00"),
        connection("10:00", "10:10", *ends[5006], received="10:11"),
        connection("10:00", "10:10", f"{WEB}:5007", f"{BALANCER}:80", "web", remote_wire=f"{API}:8080"),
        connection("10:00", "10:10", f"{WEB}:5008", f"{BALANCER}:80", "web"),
    ]


SEEN = [heartbeat(WEB, "web", "00:00", "20:00"), heartbeat(API, "api", "00:00", "20:00")]


@pytest.fixture(scope="module", params=[0, 4 * MINUTE], ids=["timeout unknown", "timeout known"])
def session(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("late")
    with LakeSession(lake_of(folder, flows(), SEEN, settings=Settings(active_timeout=request.param))) as opened:
        yield opened


def explained(session, port):
    at = {"remote": f"{WEB}:{port}"} if port < 5007 else {"local": f"{WEB}:{port}"}
    return explain_flow(session, selector(**at, last=None))


def asked(side):
    return f"{side.verdict.asked_from:%M:%S}", f"{side.verdict.asked_to:%M:%S}"


def test_every_answer_is_what_the_lake_says(session):
    for port in range(5000, 5009):
        remote = explained(session, port).remote
        workload, service, reason = remote.recomputed
        assert (workload, service) == (remote.workload, remote.service)
        # A heartbeat of 20 minutes has no gap, so the ranges say as much as the heartbeats.
        assert reason == remote.reason


@pytest.mark.parametrize(
    ("port", "causes", "untimed"),
    [(5000, ["lag"], False), (5001, ["late"], True), (5002, ["ahead"], True), (5006, [], False)],
)
def test_what_a_record_says_of_its_clock(session, port, causes, untimed):
    found = explained(session, port)
    assert ([one.cause for one in found.timing.findings], found.timing.untimed) == (causes, untimed)
    assert (found.remote.reason == "untimed") == untimed
    assert all(bool(one.advice) == one.untimed for one in found.timing.findings)


def test_a_late_flow_is_asked_until_it_was_received(session):
    found = explained(session, 5000)
    assert (asked(found.remote), found.timing.connection, found.timing.lag) == (("09:59", "10:51"), False, 40_000_000)
    assert asked(explained(session, 5006).remote) == ("09:59", "10:01")


def test_an_export_says_what_is_missing_or_from_when_it_is_asked(session):
    known = session.settings.active_timeout > 0
    for port in (5003, 5004):
        found = explained(session, port)
        assert [(one.cause, one.untimed) for one in found.timing.findings] == [("export", not known)]
        assert found.remote.reason == ("covered" if known else "untimed")
        assert not known or asked(found.remote) == ("05:59", "10:01")
    assert [(one.cause, one.untimed) for one in explained(session, 5005).timing.findings] == [
        ("export", not known), ("late", True),
    ]  # fmt: skip


def test_the_remote_end_is_asked_where_the_wire_shows_it(session):
    shown, recorded = explained(session, 5007).remote, explained(session, 5008).remote
    assert (shown.address, shown.port, shown.wire_address, shown.wire_port) == (BALANCER, 80, API, 8080)
    assert (shown.workload, shown.reason) == ("api-1", "covered")
    assert [one.workload for one in shown.witnesses] == ["api-1"]
    assert (recorded.wire_address, recorded.reason) == (None, "unknown")
    text = ok("explain", session.folder, "--local", f"{WEB}:5007")
    assert f"on the wire its remote end is {API} port 8080/tcp" in text
    assert f"asked where the wire shows it: {API} port 8080" in text


def test_the_command_says_what_to_set(session):
    late = ok("explain", session.folder, "--remote", f"{WEB}:5001")
    assert "time: The record was received 21m 40s after its end, which is more than max_lag (5m)." in late
    assert "replay with a larger --max-lag" in late
    assert "its clock is ahead" in ok("explain", session.folder, "--remote", f"{WEB}:5002")
    found = json.loads(ok("explain", session.folder, "--remote", f"{WEB}:5003", "--format", "json"))
    (finding,) = found["timing"]["findings"]
    assert (finding["cause"], "--active-timeout" in finding["advice"]) == ("export", finding["untimed"])


def test_a_lake_of_before_is_explained_as_before(tmp_path):
    one = flow("12:00:00", "10.0.0.1:40000", "10.0.0.11:80")
    lake = write_lake(
        tmp_path / "lake", flows=[one], ranges=[held("10.0.0.11", "api-1", "api", "11:00:00", "14:00:00")]
    )
    found = explain_flow(lake, selector(local="10.0.0.1", last=None))
    assert (found.timing.findings, found.timing.connection, found.remote.far_end) == ((), True, None)
