"""Pod lists as the only evidence of a replay: quiet pods are named, and each counterexample names nobody wrongly."""

import json

import pyarrow.dataset as ds
import pytest
from pods import DAY, at, listed, pod, running, terminated

from attribution.config import SECOND
from attribution.replay import Inputs, replay

WEB, OTHER = "10.1.0.7", "10.1.0.8"
READY = {"type": "Ready", "status": "True", "lastTransitionTime": f"{DAY}10:00:20Z"}


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def to(address, clock, port=8080):
    """A connection of a second to an address."""
    flow = {"start": at(clock), "end": at(clock) + SECOND, "local_address": "10.9.0.1", "local_port": 40000}
    return flow | {"remote_address": address, "remote_port": port, "protocol": 6, "basis": "connection"}


def answers(folder, flows, **inputs):
    """Workload and reason of each flow's remote side, in order of time."""
    (folder / "flows.jsonl").write_text("".join(json.dumps(flow) + "\n" for flow in flows))
    lake = folder / f"lake-{len(list(folder.glob('lake-*')))}"
    summary = replay(Inputs(flows=["flows.jsonl"], heartbeats=["pods-*.json"], **inputs), lake)
    rows = ds.dataset(summary.lake / "attributed_flows", partitioning="hive").to_table().to_pylist()
    return [(row["remote_workload"], row["remote_reason"]) for row in sorted(rows, key=lambda row: row["start"])]


def with_address(uid, address, **changes):
    return pod(uid, podIP=address, podIPs=[{"ip": address}], **changes)


def minutes():
    return [f"15:{minute:02}:00" for minute in range(11)]


def test_lists_a_minute_apart_name_a_pod_that_has_been_quiet_for_hours(folder):
    flows = [to(WEB, f"15:{minute:02}:30") for minute in range(10)] + [to(WEB, "15:10:30")]
    for clock in minutes():
        (folder / f"pods-{clock[:5]}.json").write_text(listed(pod()))
    nobody = answers(folder, flows)
    assert nobody == [(None, "gap")] * 11, "the lists are alike, and nothing in them says when they were made"
    given = [f"pods-{clock[:5]}.json={DAY}{clock}Z" for clock in minutes()]
    by_option = answers(folder, flows, seen_at=given)
    for clock in minutes():
        (folder / f"pods-{clock[:5]}.json").write_text(listed(pod(), seenAt=f"{DAY}{clock}Z"))
    # After the last list nothing is known.
    assert answers(folder, flows) == by_option == [("uid-1", "covered")] * 10 + [(None, "gap")]


def test_lists_that_are_hours_apart_name_what_both_of_them_saw(folder):
    for clock in ("12:00:00", "18:00:00"):
        (folder / f"pods-{clock[:2]}.json").write_text(listed(pod(), seenAt=f"{DAY}{clock}Z"))
    assert answers(folder, [to(WEB, "11:00:00"), to(WEB, "15:00:00")]) == [("uid-1", "covered")] * 2


def test_the_end_of_a_slow_fetch_would_name_a_pod_that_is_gone(folder):
    # Asked for at 15:00:00, answered at once, written at 15:00:40. The pod ended at 15:00:05, and another one, which no
    # list saw, had its address from 15:00:10 on.
    (folder / "pods-1.json").write_text(listed(pod(), seenAt=f"{DAY}15:00:00Z"))
    flows = [to(WEB, "14:59:50"), to(WEB, "15:00:30")]
    assert answers(folder, flows) == [("uid-1", "covered"), (None, "gap")]
    (folder / "pods-1.json").write_text(listed(pod(), seenAt=f"{DAY}15:00:40Z"))
    assert answers(folder, flows)[1] == ("uid-1", "covered"), "so a wrong time does name the pod"


def test_a_pod_that_started_while_a_slow_request_ran_is_not_named_for_the_time_before(folder):
    # The API answered at 15:00:40 only. Until 15:00:10 another pod, which no list saw, had the address.
    ready = [READY | {"lastTransitionTime": f"{DAY}15:00:22Z"}]
    young = pod(containerStatuses=[running(started="15:00:20")], conditions=ready)
    for name, clock in (("1", "15:00:00"), ("2", "15:01:00")):
        (folder / f"pods-{name}.json").write_text(listed(young, seenAt=f"{DAY}{clock}Z"))
    flows = [to(WEB, "15:00:00"), to(WEB, "15:00:05"), to(WEB, "15:00:30")]
    assert answers(folder, flows) == [(None, "gap"), (None, "gap"), ("uid-1", "covered")]


def test_a_completed_job_keeps_its_address_in_the_list_while_another_pod_has_it(folder):
    owner = [{"kind": "Job", "name": "report-28571040", "controller": True}]
    job = pod("job", phase="Succeeded", containerStatuses=[terminated(finished="10:30:00")], ownerReferences=owner)
    heir = pod("heir", containerStatuses=[running(started="10:40:00")], conditions=[READY])
    (folder / "pods-1.json").write_text(listed(job, heir, seenAt=f"{DAY}15:00:00Z"))
    flows = [to(WEB, "10:20:00"), to(WEB, "10:35:00"), to(WEB, "10:50:00"), to(WEB, "14:50:00")]
    assert answers(folder, flows) == [("job", "covered"), (None, "gap"), ("heir", "covered"), ("heir", "covered")]
    # The list alone does not prove the job, whoever else is in it.
    (folder / "pods-1.json").write_text(listed(job, seenAt=f"{DAY}15:00:00Z"))
    assert answers(folder, flows)[2:] == [(None, "gap")] * 2


def test_a_dead_nodes_pod_is_listed_as_running_while_another_pod_has_its_address(folder):
    # The heir came and went between two lists.
    dead = pod("dead", conditions=[READY | {"status": "False", "lastTransitionTime": f"{DAY}14:00:50Z"}])
    (folder / "pods-1.json").write_text(listed(pod("dead"), seenAt=f"{DAY}13:00:00Z"))
    (folder / "pods-2.json").write_text(listed(dead, seenAt=f"{DAY}15:00:00Z"))
    assert answers(folder, [to(WEB, "12:59:00"), to(WEB, "14:30:00")]) == [("dead", "covered"), (None, "gap")]


def test_a_lease_tells_when_a_node_died_that_still_has_ready_pods(folder):
    # The node died at 14:10, and its pod was ready in the list for good. The heir came and went between two lists.
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"namespace": "kube-node-lease"}}
    lease["metadata"]["name"], lease["spec"] = "node-1", {"renewTime": f"{DAY}14:09:58.000000Z"}
    flows = [to(WEB, "14:09:30"), to(WEB, "14:30:00")]
    (folder / "pods-1.json").write_text(listed(pod("dead"), lease, seenAt=f"{DAY}15:00:00Z"))
    assert answers(folder, flows) == [("dead", "covered"), (None, "gap")]
    (folder / "pods-1.json").write_text(listed(pod("dead"), seenAt=f"{DAY}15:00:00Z"))
    assert answers(folder, flows)[1] == ("dead", "covered"), "so a list without leases does name the dead pod"


def test_a_list_from_a_cache_would_name_a_pod_that_is_gone(folder):
    (folder / "pods-1.json").write_text(listed(pod("gone"), seenAt=f"{DAY}14:00:00Z"))
    (folder / "pods-2.json").write_text(listed(pod("gone"), seenAt=f"{DAY}15:00:00Z", fromCache=True))
    assert answers(folder, [to(WEB, "13:59:00"), to(WEB, "14:59:00")]) == [("gone", "covered"), (None, "gap")]


def test_of_a_host_network_pod_the_ports_of_its_containers_are_known_and_nothing_else(folder):
    ports = [{"name": "web", "ports": [{"containerPort": 8080}]}]
    host = with_address("host", "10.0.0.5", hostNetwork=True, containers=ports)
    (folder / "pods-1.json").write_text(listed(host, seenAt=f"{DAY}15:00:00Z"))
    udp = to("10.0.0.5", "14:02:00") | {"protocol": 17}
    flows = [to("10.0.0.5", "14:00:00"), to("10.0.0.5", "14:01:00", 9090), udp]
    assert answers(folder, flows) == [("host", "covered"), (None, "shared"), (None, "shared")]


def test_a_pod_that_comes_back_under_its_name_is_another_one(folder):
    first = with_address("db-1", WEB, name="db-0")
    second = with_address("db-2", OTHER, name="db-0", containerStatuses=[running(started="14:30:00")])
    (folder / "pods-1.json").write_text(listed(first, seenAt=f"{DAY}14:00:00Z"))
    (folder / "pods-2.json").write_text(listed(second, seenAt=f"{DAY}15:00:00Z"))
    flows = [to(WEB, "13:59:00"), to(OTHER, "14:28:00"), to(WEB, "14:40:00"), to(OTHER, "14:41:00")]
    assert answers(folder, flows) == [("db-1", "covered"), (None, "gap"), (None, "gap"), ("db-2", "covered")]
