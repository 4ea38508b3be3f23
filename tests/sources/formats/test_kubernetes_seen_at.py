"""What a list of pods proves by when it was asked for: of which pods, until when, and which lists prove nothing so."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pods import DAY, at, listed, pod, running, terminated
from reading import Read, counts

from attribution.sources import Ledger, read
from attribution.sources.formats.kubernetes.format import FORMATS
from attribution.sources.formats.kubernetes.snapshots import objects_of

(KUBERNETES,) = FORMATS
HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "kubernetes.md"
ASKED = "15:00:00"
#: What the pod says of itself.
OWN = (at("10:00:01"), at("10:00:20"))
SEEN = (at("10:00:01"), at(ASKED))
HOURS = st.integers(0, 22)
READY = {"type": "Ready", "status": "True", "lastTransitionTime": f"{DAY}10:00:20Z"}


def spans(read):
    return [(beat["start"], beat["end"]) for beat in read.heartbeats]


def seen(*pods, asked=ASKED, **more):
    """What is read of a list that says when it was asked for."""
    return Read(KUBERNETES, listed(*pods, seenAt=f"{DAY}{asked}Z", **more))


def test_a_list_is_evidence_until_its_request_began():
    assert spans(Read(KUBERNETES, listed(pod()))) == [OWN]
    assert spans(seen(pod())) == [SEEN]
    assert spans(seen(pod(), kind="PodList", version="8123")) == [SEEN]


def test_the_time_may_be_given_from_outside_and_what_the_list_says_comes_first():
    assert spans(Read(KUBERNETES, listed(pod()), seen_at=at(ASKED))) == [SEEN]
    own = listed(pod(), seenAt=f"{DAY}11:00:00Z")
    assert spans(Read(KUBERNETES, own, seen_at=at(ASKED))) == [(at("10:00:01"), at("11:00:00"))]


def test_each_of_several_lists_in_a_file_has_its_own_time():
    lists = [listed(pod("uid-1"), seenAt=f"{DAY}11:00:00Z"), listed(pod("uid-2"), seenAt=f"{DAY}12:00:00+01:00")]
    lists += [listed(pod("uid-3"), seenAt=f"{DAY}12:00:00Z"), listed(pod("uid-4"))]
    ends = [at("11:00:00"), at("11:00:00"), at("12:00:00"), at("10:00:20")]
    one_by_one = "".join(json.dumps(json.loads(content)) + "\n" for content in lists)
    for content in ("\n".join(lists), one_by_one, f"[{','.join(lists)}]"):
        assert [end for _, end in spans(Read(KUBERNETES, content))] == ends


def test_what_started_while_a_slow_request_ran_is_not_claimed_at_its_beginning():
    # The list took 40 seconds: a pod of 15:00:20 stands in it, and another one had its address at 15:00:00.
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": f"{DAY}15:00:22Z"}]
    young = pod(containerStatuses=[running(started="15:00:20")], conditions=ready)
    assert spans(seen(young)) == [(at("15:00:21"), at("15:00:22"))]


@pytest.mark.parametrize(
    ("started", "expected"),
    [("14:59:58", ("14:59:59", ASKED)), ("14:59:59", (ASKED, ASKED)), (ASKED, (ASKED, ASKED)), ("15:00:01",) * 2],
)
def test_a_start_is_rounded_down_so_a_request_of_the_same_second_came_before_it(started, expected):
    young = pod(containerStatuses=[running(started=started)], conditions=[READY])
    (span,) = spans(seen(young))
    assert span == tuple(map(at, expected if isinstance(expected, tuple) else (expected, expected)))


def test_a_request_of_the_very_second_in_which_a_container_started_proves_nothing_of_it():
    # It may have started at 15:00:00.9.
    young = pod(containerStatuses=[running(started=ASKED)], conditions=[READY])
    assert spans(seen(young, asked="15:00:00.250000")) == [(at(ASKED), at(ASKED))]
    assert spans(seen(young, asked="15:00:01.250000")) == [(at("15:00:01"), at("15:00:01") + 250_000)]


@pytest.mark.parametrize(
    "changes",
    [
        {"conditions": [READY | {"status": "False"}]},
        {"conditions": [READY | {"status": "Unknown"}]},
        {"conditions": [{"type": "ContainersReady", "status": "True", "lastTransitionTime": f"{DAY}10:00:20Z"}]},
        {"conditions": []},
        {"conditions": [READY], "deletionTimestamp": f"{DAY}15:30:00Z"},
        {"conditions": [READY], "phase": "Unknown"},
        {"conditions": [READY], "phase": "Pending"},
    ],
)
def test_a_pod_of_which_the_api_does_not_say_that_it_runs_now_is_not_seen(changes):
    (_, end) = spans(seen(pod(**changes)))[0]
    assert end == spans(Read(KUBERNETES, listed(pod(**changes))))[0][1] < at(ASKED)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_keeps_its_address_in_the_list_and_nowhere_else(phase):
    done = pod(phase=phase, containerStatuses=[terminated()], conditions=[READY])
    assert spans(seen(done)) == [(at("10:00:01"), at("10:30:00"))]
    # The phase counts, even if a status still has a container that runs.
    assert counts(seen(pod(phase=phase)))["skipped"] == {"no_proof": 1}


def test_a_pod_whose_container_was_restarted_is_seen_from_the_restart_on():
    assert spans(seen(pod(containerStatuses=[running(started="14:00:00")]))) == [(at("14:00:01"), at(ASKED))]
    waiting = [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    assert counts(seen(pod(containerStatuses=waiting)))["skipped"] == {"no_proof": 1}


def on_host(*ports, statuses, **changes):
    containers = [{"name": name, "ports": [port]} for name, port in ports]
    return pod(
        hostNetwork=True,
        containers=containers,
        containerStatuses=statuses,
        podIP="10.0.0.5",
        podIPs=[{"ip": "10.0.0.5"}],
        **changes,
    )


def test_a_host_network_pod_is_seen_on_the_ports_of_containers_that_run():
    ports = [("dns", {"containerPort": 53, "protocol": "UDP"}), ("web", {"containerPort": 8080})]
    ports += [("down", {"containerPort": 9090}), ("once", {"containerPort": 7070})]
    statuses = [running("dns"), running("web", "14:00:00"), {"name": "down", "state": {"waiting": {}}}]
    statuses += [terminated("once")]
    found = seen(on_host(*ports, statuses=statuses)).heartbeats
    assert [(beat["port"], beat["last_port"], beat["protocol"], beat["start"], beat["end"]) for beat in found] == [
        (53, 53, "UDP", at("10:00:01"), at(ASKED)),
        (7070, 7070, "TCP", at("10:00:01"), at("10:30:00")),
        (8080, 8080, "TCP", at("14:00:01"), at(ASKED)),
    ]
    assert {beat["address"] for beat in found} == {"10.0.0.5"}


def test_a_port_of_the_node_that_is_bound_to_one_address_is_claimed_there_only():
    ports = [("a", {"containerPort": 1, "hostIP": "127.0.0.1"}), ("a", {"containerPort": 2, "hostIP": "0.0.0.0"})]  # noqa: S104
    ports += [("a", {"containerPort": 3, "hostIP": "10.0.0.5"}), ("a", {"containerPort": 4, "hostIP": ""})]
    found = seen(on_host(*ports, statuses=[running("a")])).heartbeats
    assert [beat["port"] for beat in found] == [2, 3, 4]
    assert counts(seen(on_host(ports[0], statuses=[running("a")])))["skipped"] == {"host_network": 1}


def test_a_host_port_of_another_pod_claims_nothing_of_the_nodes_address():
    mapped = [{"name": "web", "ports": [{"containerPort": 8080, "hostPort": 80, "hostIP": "10.0.0.5"}]}]
    found = seen(pod(containers=mapped)).heartbeats
    assert [(beat["address"], beat.get("port")) for beat in found] == [("10.1.0.7", None)]


def test_two_pods_of_one_name_are_two():
    first, second = pod("uid-1"), pod("uid-2", containerStatuses=[running(started="14:00:00")])
    assert [(beat["workload"], beat["start"]) for beat in seen(first, second).heartbeats] == [
        ("uid-1", at("10:00:01")),
        ("uid-2", at("14:00:01")),
    ]


@pytest.mark.parametrize(
    "cached",
    [
        {"fromCache": True},
        {"fromCache": "resourceVersion=0"},
        {"kind": "PodList"},
        {"kind": "PodList", "version": "0"},
        {"kind": "PodList", "version": None},
    ],
)
def test_a_list_from_a_cache_is_not_taken_for_the_present(cached):
    assert spans(seen(pod(), **cached)) == [OWN]
    assert spans(Read(KUBERNETES, listed(pod(), **cached), seen_at=at(ASKED))) == [OWN]


def test_a_list_that_says_that_it_is_from_no_cache_is_from_none():
    assert spans(seen(pod(), fromCache=False)) == spans(seen(pod(), fromCache=None)) == [SEEN]


@pytest.mark.parametrize("bad", ["", "now", "1714575600", f"{DAY}15:00:00", 1714575600, True, [], {"at": 1}])
def test_the_pods_of_a_list_whose_time_is_none_are_rejected(bad):
    read = Read(KUBERNETES, listed(pod("uid-1"), pod("uid-2"), seenAt=bad), seen_at=at(ASKED))
    assert counts(read) == {"rows": {}, "skipped": {}, "rejected": {"not_a_time": 2}}
    assert [(line, found) for _, line, _, found in read.rejects] == [(n, f"seenAt={json.dumps(bad)}") for n in (1, 2)]


def test_watch_events_take_no_time():
    events = [{"type": kind, "object": pod()} for kind in ("ADDED", "MODIFIED", "DELETED")]
    for content in ("".join(json.dumps(event) + "\n" for event in events), json.dumps(events, indent=2)):
        assert spans(Read(KUBERNETES, content, seen_at=at(ASKED))) == [OWN] * 3


def test_one_pod_may_say_when_it_was_asked_for():
    assert spans(Read(KUBERNETES, json.dumps({"seenAt": f"{DAY}{ASKED}Z"} | pod(), indent=4))) == [SEEN]
    assert spans(Read(KUBERNETES, json.dumps(pod()), seen_at=at(ASKED))) == [SEEN]


@given(
    lists=st.lists(
        st.tuples(HOURS, st.lists(st.tuples(HOURS, st.booleans(), st.booleans()), max_size=4)),
        max_size=4,
    )
)
def test_a_time_never_claims_a_moment_after_it_or_before_a_start(lists):
    """A list with a time proves what it proves without, and of pods that run more: up to the time, and not beyond."""
    for asked, pods in lists:
        made = [
            pod(
                f"uid-{number}",
                phase="Running" if runs else "Succeeded",
                containerStatuses=[running(started=f"{hour:02}:00:00")],
                conditions=[READY | {"status": str(ready), "lastTransitionTime": f"{DAY}{hour:02}:00:09Z"}],
            )
            for number, (hour, runs, ready) in enumerate(pods)
        ]
        with_time = {beat["workload"]: beat for beat in seen(*made, asked=f"{asked:02}:00:00").heartbeats}
        without = {beat["workload"]: beat for beat in Read(KUBERNETES, listed(*made)).heartbeats}
        assert with_time.keys() == without.keys()
        for uid, beat in with_time.items():
            hour, _, ready = pods[int(uid.removeprefix("uid-"))]
            later = ready and asked > hour
            assert beat["start"] == without[uid]["start"] or later
            assert beat["end"] == (at(f"{asked:02}:00:00") if later else without[uid]["end"])
            assert beat["start"] <= beat["end"]


# Leases of nodes


def lease(node="node-1", renewed="14:59:55.250000", space="kube-node-lease"):
    spec = {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": renewed and f"{DAY}{renewed}Z"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node, "namespace": space}} | {
        "spec": spec
    }


def test_a_list_with_leases_is_evidence_until_the_kubelet_was_there_at_the_latest():
    assert spans(seen(pod(), lease())) == [(at("10:00:01"), at("14:59:55") + 250_000)]
    assert spans(seen(lease(renewed="15:00:20.000000"), pod())) == [SEEN]
    assert counts(seen(pod(), lease(), lease("node-2")))["skipped"] == {"lease": 2}
    # Whoever does not say when it was asked for says no more with leases.
    assert spans(Read(KUBERNETES, listed(pod(), lease()))) == [OWN]
    assert spans(seen(pod(), lease(), fromCache=True)) == [OWN]


def test_a_pod_of_a_dead_node_ends_with_the_lease_whatever_its_status_says():
    # The control plane leaves `Ready` as it was for 50 seconds, and sometimes for good.
    assert spans(seen(pod(), lease(renewed="11:00:00.000000"))) == [(at("10:00:01"), at("11:00:00"))]


def test_a_kubelet_that_is_there_vouches_for_pods_that_are_not_ready():
    lost = pod(conditions=[READY | {"status": "False"}])
    assert spans(seen(lost, lease(renewed="15:00:05.000000"))) == [SEEN]
    deleted = pod(deletionTimestamp=f"{DAY}15:30:00Z")
    assert spans(seen(deleted, lease(renewed="15:00:05.000000"))) == [OWN]


@pytest.mark.parametrize(
    "leases", [[lease("node-2")], [lease("node-2"), lease(renewed=None)], [lease("node-2"), lease(space="kube-system")]]
)
def test_a_pod_whose_node_has_no_lease_among_leases_is_not_seen(leases):
    assert spans(seen(pod(), *leases)) == [OWN]


@pytest.mark.parametrize("leases", [[lease(space="kube-system")], [lease(renewed=None)]])
def test_leases_of_no_node_change_nothing(leases):
    assert spans(seen(pod(), *leases)) == [SEEN]


@pytest.mark.parametrize("renewed", [3, "soon", {"a": 1}, [], True])
def test_a_lease_without_a_time_does_not_say_that_the_kubelet_was_there(renewed):
    assert spans(seen(pod(), lease() | {"spec": {"renewTime": renewed}})) == [OWN]


def test_an_object_that_cannot_be_read_may_be_the_lease_and_costs_only_itself():
    text = json.dumps(json.loads(listed(pod("uid-1"), lease(), pod("uid-2"), seenAt=f"{DAY}{ASKED}Z")))
    assert spans(Read(KUBERNETES, text)) == [(at("10:00:01"), at("14:59:55") + 250_000)] * 2
    read = Read(KUBERNETES, text.replace('"kind": "Lease"', '"kind": "Lease" 1'))
    assert [beat["workload"] for beat in read.heartbeats] == ["uid-1", "uid-2"]
    assert spans(read) == [OWN] * 2
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [(2, "malformed")]


# The golden case

GOLDEN = Path(__file__).parents[2] / "golden" / "pod_lists_of_quiet_pods"


def test_the_heartbeats_of_the_golden_case_are_what_is_read_of_its_lists():
    told, lists = (
        sorted(str(row) for batch in read([GOLDEN / name], ledger=Ledger()) for row in batch.batch.to_pylist())
        for name in ("heartbeats.jsonl", "pods.json")
    )
    assert lists == told


# Audit events


def answer(verb="list", uri="/api/v1/pods?limit=500", **changes):
    """A request for pods, as an API server logs it with its answer."""
    items = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "8123"}, "items": [pod()]}
    base = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": {"username": "admin"},
        "objectRef": {"resource": "pods", "namespace": "shop"},
        "responseStatus": {"code": 200},
        "responseObject": items if verb == "list" else pod(),
        "requestReceivedTimestamp": f"{DAY}15:00:00.250000Z",
        "stageTimestamp": f"{DAY}15:00:40.250000Z",
    }
    return json.dumps({name: value for name, value in (base | changes).items() if value is not None}) + "\n"


@pytest.mark.parametrize("verb", ["get", "list"])
@pytest.mark.parametrize("uri", ["/api/v1/pods", "/api/v1/pods?limit=500", "/api/v1/pods?resourceVersion=&limit=5"])
def test_an_answer_in_the_audit_log_is_evidence_until_its_request_was_received(verb, uri):
    assert spans(Read(KUBERNETES, answer(verb, uri))) == [(at("10:00:01"), at(ASKED) + 250_000)]


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "/api/v1/pods?resourceVersion=0"},
        {"uri": "/api/v1/pods?limit=5&resourceVersion=8000&resourceVersionMatch=NotOlderThan"},
        # The second page of a list is as old as its first page.
        {"uri": "/api/v1/pods?limit=5&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEi"},
        {"uri": "http://[/api/v1/pods"},
        {"uri": None},
        {"requestReceivedTimestamp": None},
        {"verb": "watch", "responseObject": pod()},
    ],
)
def test_an_answer_that_need_not_be_the_present_is_not(changes):
    assert spans(Read(KUBERNETES, answer(**changes))) == [OWN]


def test_a_time_from_outside_is_nothing_to_audit_events():
    assert spans(Read(KUBERNETES, answer(uri=None), seen_at=at("18:00:00"))) == [OWN]
    assert spans(Read(KUBERNETES, answer(), seen_at=at("18:00:00"))) == [(at("10:00:01"), at(ASKED) + 250_000)]


def test_a_list_without_pods_is_counted():
    assert counts(Read(KUBERNETES, listed()))["skipped"] == {"no_pod": 1}
    lines = json.dumps(pod()) + "\n" + json.dumps(json.loads(listed())) + "\n[]\n"
    assert counts(Read(KUBERNETES, lines)) == {
        "rows": {"heartbeat": 1},
        "skipped": {"no_pod": 1},
        "rejected": {"malformed": 1},
    }


# The command of the documentation


def run_documented(folder, kubectl):
    """Run the first commands of the how-to, with a `kubectl` of the test's own, and give what they wrote."""
    commands = re.search(r"```sh\n(seen=.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)[1]
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{kubectl}\n")
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", commands], check=True, cwd=folder, env=os.environ | {"PATH": path})
    (written,) = folder.glob("pods-*.json")
    return written


@pytest.mark.parametrize("printed", [listed(pod()), json.dumps(json.loads(listed(pod(), kind="PodList", version="7")))])
def test_the_documented_command_writes_when_it_asked(tmp_path, printed):
    (tmp_path / "list").write_text(printed)
    # The test's kubectl notes when it runs: in whole seconds, and later than the command looked at the clock.
    written = run_documented(tmp_path, f"date -u +%Y-%m-%dT%H:%M:%SZ > {tmp_path}/began; cat {tmp_path}/list")
    found = json.loads(written.read_text())
    assert found.pop("seenAt") <= (tmp_path / "began").read_text().strip()
    assert found == json.loads(printed)
    (beat,) = Read(KUBERNETES, written).heartbeats
    assert (beat["start"], beat["end"] > at("23:59:59")) == (OWN[0], True)


def test_the_documented_command_claims_nothing_if_kubectl_fails(tmp_path):
    assert not run_documented(tmp_path, "exit 1").read_text()


def test_a_time_that_is_still_to_come_is_no_time_of_a_request():
    (found,) = objects_of({"kind": "List", "seenAt": "2999-01-01T00:00:00Z", "items": [{"kind": "Pod"}]}, None)
    assert (found.seen_at, found.bad_time) == (None, "2999-01-01T00:00:00Z")
