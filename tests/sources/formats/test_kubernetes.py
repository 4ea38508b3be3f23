"""Kubernetes pods: what a pod proves about its address, in lists, watches and audit events."""

import json

import pytest
from pods import DAY, at, listed, pod, running, terminated
from reading import DATA, Read, counts

from attribution.errors import SourceError
from attribution.sources.formats.kubernetes.format import FORMATS

(KUBERNETES,) = FORMATS


def beat(read):
    (only,) = read.heartbeats
    return only


def span(read):
    return beat(read)["start"], beat(read)["end"]


def test_a_running_pod_held_its_address_from_its_containers_start_to_the_last_proof():
    assert Read(KUBERNETES, listed(pod())).heartbeats == [
        {
            "address": "10.1.0.7",
            "workload": "uid-1",
            "service": "shop/web",
            "start": at("10:00:01"),
            "end": at("10:00:20"),
            "observer": "node-1",
            "line": 1,
        }
    ]


def test_the_kubelets_last_write_of_the_status_is_a_proof_and_nobody_elses():
    fields = [
        {"manager": "kubelet", "subresource": "status", "time": f"{DAY}11:00:00Z"},
        {"manager": "kube-controller-manager", "time": f"{DAY}12:00:00Z"},
    ]
    assert span(Read(KUBERNETES, listed(pod(managedFields=fields)))) == (at("10:00:01"), at("11:00:00"))


def test_a_condition_that_is_false_is_no_proof():
    lost = [{"type": "Ready", "status": "False", "lastTransitionTime": f"{DAY}12:00:00Z"}]
    assert span(Read(KUBERNETES, listed(pod(conditions=lost)))) == (at("10:00:00"), at("10:00:00"))


def test_the_address_is_free_at_the_terminal_phase_not_at_deletion():
    done = pod(phase="Succeeded", containerStatuses=[terminated()], deletionTimestamp=f"{DAY}18:00:00Z")
    assert span(Read(KUBERNETES, listed(done))) == (at("10:00:01"), at("10:30:00"))


def test_of_a_finished_pod_only_the_last_container_counts():
    init, main = terminated("init", "09:00:00", "09:10:00"), terminated("web", "10:00:00", "10:30:00")
    done = pod(phase="Failed", initContainerStatuses=[init], containerStatuses=[main])
    assert span(Read(KUBERNETES, listed(done))) == (at("10:00:01"), at("10:30:00"))


def test_a_pod_whose_containers_have_all_ended_is_over_whatever_its_phase_says():
    ended = pod(containerStatuses=[terminated()])
    assert span(Read(KUBERNETES, listed(ended))) == (at("10:00:01"), at("10:30:00"))


def test_containers_that_ran_before_the_sandbox_say_nothing_of_its_address():
    restarted = running(started="15:00:00")
    restarted["lastState"] = terminated(started="10:00:00", finished="14:59:00")["state"]
    assert span(Read(KUBERNETES, listed(pod(containerStatuses=[restarted])))) == (at("15:00:00"), at("15:00:00"))


def test_a_pod_that_only_waits_is_known_when_its_kubelet_wrote():
    waiting = [{"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    fields = [{"manager": "kubelet", "time": f"{DAY}11:00:00Z"}]
    assert span(Read(KUBERNETES, listed(pod(containerStatuses=waiting, managedFields=fields)))) == (
        at("11:00:00"),
        at("11:00:00"),
    )
    assert counts(Read(KUBERNETES, listed(pod(containerStatuses=waiting))))["skipped"] == {"no_proof": 1}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_of_no_container_had_its_address_nobody_knows_when(phase):
    fields = [{"manager": "kubelet", "time": f"{DAY}11:00:00Z"}]
    evicted = pod(phase=phase, containerStatuses=[], managedFields=fields)
    assert counts(Read(KUBERNETES, listed(evicted)))["skipped"] == {"no_proof": 1}


def test_both_addresses_of_a_dual_stack_pod():
    dual = pod(podIPs=[{"ip": "10.1.0.7"}, {"ip": "fd00:10::7"}])
    assert [b["address"] for b in Read(KUBERNETES, listed(dual)).heartbeats] == ["10.1.0.7", "fd00:10::7"]


def test_a_host_network_pod_holds_its_declared_ports_of_the_nodes_address():
    declared = [
        {"containerPort": 53, "protocol": "UDP"},
        {"containerPort": 53, "protocol": "TCP"},
        {"containerPort": 1, "hostPort": 9101},
        {"containerPort": 9100},
    ]
    ports = [{"name": "web", "ports": declared}]
    host = pod(hostNetwork=True, containers=ports, podIP="10.0.0.5", podIPs=[{"ip": "10.0.0.5"}])
    found = Read(KUBERNETES, listed(host)).heartbeats
    assert [b["last_port"] for b in found] == [b["port"] for b in found]
    assert [(b["address"], b["port"], b["protocol"], b["workload"]) for b in found] == [
        ("10.0.0.5", 53, "TCP", "uid-1"),
        ("10.0.0.5", 53, "UDP", "uid-1"),
        ("10.0.0.5", 9100, "TCP", "uid-1"),
        ("10.0.0.5", 9101, "TCP", "uid-1"),
    ]
    silent = pod(hostNetwork=True, containers=[{"name": "web"}], podIP="10.0.0.5", podIPs=[{"ip": "10.0.0.5"}])
    assert counts(Read(KUBERNETES, listed(silent))) == {"rows": {}, "skipped": {"host_network": 1}, "rejected": {}}


@pytest.mark.parametrize(
    ("owner", "changes", "service"),
    [
        ({"kind": "ReplicaSet", "name": "web-5f6d8c7b9d"}, {}, "shop/web"),
        ({"kind": "ReplicaSet", "name": "web-5f6d8c7b9d"}, {"labels": {}}, "shop/web-5f6d8c7b9d"),
        ({"kind": "StatefulSet", "name": "db"}, {"name": "db-0"}, "shop/db"),
        ({"kind": "DaemonSet", "name": "agent"}, {}, "shop/agent"),
        ({"kind": "Job", "name": "report-28571040"}, {}, "shop/report"),
        ({"kind": "Job", "name": "migrate-2"}, {}, "shop/migrate-2"),
        ({"kind": "Node", "name": "node-1"}, {"name": "kube-proxy-node-1"}, "shop/kube-proxy"),
        (None, {"name": "debug"}, "shop/debug"),
    ],
)
def test_the_service_is_what_made_the_pod(owner, changes, service):
    owners = [{"kind": "Other", "name": "x"}, owner | {"controller": True}] if owner else []
    assert beat(Read(KUBERNETES, listed(pod(ownerReferences=owners, **changes))))["service"] == service


def test_pods_without_an_address_are_skipped():
    pending = pod(phase="Pending", containerStatuses=[])
    del pending["status"]["podIP"], pending["status"]["podIPs"]
    assert counts(Read(KUBERNETES, listed(pending, pod("uid-2")))) == {
        "rows": {"heartbeat": 1},
        "skipped": {"no_address": 1},
        "rejected": {},
    }


def test_every_way_to_print_pods_says_the_same():
    pods = [pod("uid-1"), pod("uid-2", podIP="10.1.0.8", podIPs=[{"ip": "10.1.0.8"}])]
    expected = [(b["workload"], b["address"]) for b in Read(KUBERNETES, listed(*pods)).heartbeats]
    assert expected == [("uid-1", "10.1.0.7"), ("uid-2", "10.1.0.8")]
    watched = [{"type": kind, "object": p} for kind, p in zip(("ADDED", "DELETED"), pods, strict=True)]
    for content in (
        listed(*pods, kind="PodList"),
        json.dumps({"kind": "PodList", "apiVersion": "v1", "items": pods}),
        "".join(json.dumps(p, indent=4) + "\n" for p in pods),
        "".join(json.dumps(p) + "\n" for p in pods),
        "".join(json.dumps(event) + "\n" for event in watched),
        "".join(json.dumps(event, indent=2) for event in watched),
    ):
        read = Read(KUBERNETES, content)
        assert [(b["workload"], b["address"]) for b in read.heartbeats] == expected
        assert read.skipped == {}


def test_other_objects_of_a_watch_or_list_are_skipped():
    bookmark = {"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}}}
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web", "uid": "s1"}, "spec": {}}
    read = Read(KUBERNETES, "".join(json.dumps(item) + "\n" for item in (bookmark, pod(), service)))
    assert counts(read) == {"rows": {"heartbeat": 1}, "skipped": {"no_pod": 2}, "rejected": {}}


def audit(verb="patch", *, user="system:node:node-1", **changes):
    """The kubelet's patch of a status, as an API server logs it with the answer."""
    answer = pod()
    answer["metadata"]["managedFields"] = []
    base = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-5f6d8c7b9d-x2x4q", "subresource": "status"},
        "responseStatus": {"code": 200},
        "requestObject": {"metadata": {"uid": "uid-1"}, "status": {"podIP": "10.1.0.7"}},
        "responseObject": answer,
        "requestReceivedTimestamp": f"{DAY}10:05:00.250000Z",
        "stageTimestamp": f"{DAY}10:05:00.260000Z",
    }
    return {name: value for name, value in (base | changes).items() if value is not None}


def as_lines(*items):
    return "".join(json.dumps(item) + "\n" for item in items)


def test_a_kubelets_patch_is_a_proof_of_its_moment():
    assert span(Read(KUBERNETES, as_lines(audit()))) == (at("10:00:01"), at("10:05:00") + 250_000)


def test_a_patch_of_somebody_else_is_none():
    assert span(Read(KUBERNETES, as_lines(audit(user="system:kube-controller-manager")))) == (
        at("10:00:01"),
        at("10:00:20"),
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"level": "Metadata", "requestObject": None, "responseObject": None}, "metadata_level"),
        ({"stage": "RequestReceived"}, "other_stage"),
        ({"responseStatus": {"code": 409}}, "failed_request"),
        ({"verb": "delete"}, "delete"),
        ({"objectRef": {"resource": "services"}}, "other_resource"),
        ({"objectRef": {"resource": "pods", "subresource": "exec"}}, "other_resource"),
    ],
)
def test_events_that_say_nothing_of_an_address_are_skipped(changes, reason):
    assert counts(Read(KUBERNETES, as_lines(audit(**changes)))) == {"rows": {}, "skipped": {reason: 1}, "rejected": {}}


def test_a_patch_alone_is_read_with_what_is_known_of_its_pod():
    status = {"podIP": "10.1.0.7", "podIPs": [{"ip": "10.1.0.7"}], "containerStatuses": [running()]}
    patch = audit(requestObject={"metadata": {"uid": "uid-1"}, "status": status}, responseObject=None)
    unknown = Read(KUBERNETES, as_lines(patch))
    assert counts(unknown) == {"rows": {}, "skipped": {"host_network_unknown": 1}, "rejected": {}}
    create = audit("create", user="system:serviceaccount", objectRef={"resource": "pods", "namespace": "shop"})
    del create["responseObject"]["status"]
    known = Read(KUBERNETES, as_lines(create, patch))
    assert known.skipped == {"no_address": 1}
    assert beat(known)["service"] == "shop/web"
    assert span(known) == (at("10:00:01"), at("10:05:00") + 250_000)


def test_a_patch_with_the_nodes_address_tells_by_itself_whether_it_is_shared():
    status = {"podIP": "10.1.0.7", "hostIP": "10.0.0.5", "containerStatuses": [running()]}
    own = audit(requestObject={"metadata": {"uid": "uid-1"}, "status": status}, responseObject=None)
    shared = audit(
        requestObject={"metadata": {"uid": "uid-2"}, "status": {**status, "podIP": "10.0.0.5"}}, responseObject=None
    )
    read = Read(KUBERNETES, as_lines(own, shared))
    assert counts(read) == {"rows": {"heartbeat": 1}, "skipped": {"host_network": 1}, "rejected": {}}
    assert "service" not in beat(read)


def test_an_address_that_a_patch_takes_away_is_none():
    status = {"podIPs": [{"$patch": "delete", "ip": "10.1.0.9"}], "podIP": "10.1.0.7", "hostIP": "10.0.0.5"}
    patch = audit(requestObject={"metadata": {"uid": "uid-1"}, "status": status}, responseObject=None)
    assert beat(Read(KUBERNETES, as_lines(patch)))["address"] == "10.1.0.7"


def wrapped(method="status.patch", **payload):
    """The same event as Google Cloud Logging exports it."""
    raw = audit()
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": "system:node:node-1"},
            "methodName": f"io.k8s.core.v1.pods.{method}",
            "request": {"@type": "k8s.io/Patch", **raw["requestObject"]},
            "response": {"@type": "core.k8s.io/v1.Pod", **raw["responseObject"]},
            "resourceName": "core/v1/namespaces/shop/pods/web-5f6d8c7b9d-x2x4q/status",
            "status": {"code": 0},
            **payload,
        },
        "timestamp": f"{DAY}10:05:00.250000Z",
    }


def test_cloud_loggings_events_say_the_same_by_line_and_in_an_array():
    (raw,) = Read(KUBERNETES, as_lines(audit())).heartbeats
    for content in (as_lines(wrapped()), json.dumps([wrapped()], indent=2)):
        assert Read(KUBERNETES, content).heartbeats == [raw]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (wrapped("delete"), "delete"),
        (wrapped(status={"code": 5}), "failed_request"),
        (wrapped("binding.create"), "other_resource"),
        (wrapped(methodName="io.k8s.core.v1.services.update"), "other_resource"),
        (wrapped(request={}, response={}), "metadata_level"),
    ],
)
def test_cloud_loggings_events_that_say_nothing_are_skipped(event, reason):
    assert counts(Read(KUBERNETES, as_lines(event)))["skipped"] == {reason: 1}


def test_the_real_events_are_from_before_the_pod_had_an_address():
    assert counts(Read(KUBERNETES, DATA / "kubernetes_audit" / "pod_events.jsonl")) == {
        "rows": {},
        "skipped": {"no_address": 3},
        "rejected": {},
    }


def test_the_real_pod_is_recognised_when_its_address_comes():
    create, _, patch = (DATA / "kubernetes_audit" / "pod_events.jsonl").read_text().splitlines()
    event = json.loads(patch)
    event["protoPayload"]["request"]["status"] |= {"podIP": "10.8.0.12", "podIPs": [{"ip": "10.8.0.12"}]}
    (found,) = Read(KUBERNETES, f"{create}\n{json.dumps(event)}\n").heartbeats
    assert found == {
        "network": "sample-project/us-central1-a/sample-cluster",
        "address": "10.8.0.12",
        "workload": "c0b4e00d-da76-4255-9a02-670d5b74aa3a",
        "service": "sample-project/us-central1-a/sample-cluster/1-2-deployment-update/nginx-deployment-surge",
        "start": 1_704_070_800_000_000,
        "end": 1_704_070_800_000_000,
        "line": 2,
    }


def test_bad_lines_are_rejected_by_number_and_good_ones_kept():
    read = Read(KUBERNETES, as_lines(pod()) + "{\n\n[7]\n" + as_lines(pod("uid-2")), block_bytes=700)
    assert [b["line"] for b in read.heartbeats] == [1, 5]
    assert [(line, reason) for _, line, reason, _ in read.rejects] == [(2, "malformed"), (4, "malformed")]


def test_a_list_that_breaks_off_is_an_error_that_says_where():
    with pytest.raises(SourceError, match=r"broken JSON at line \d+"):
        Read(KUBERNETES, listed(pod())[:-40])


@pytest.mark.parametrize(
    "head", [b"", b"{}", b'{"kind":"Deployment","apiVersion":"apps/v1"}', b'kind: Pod\napiVersion: "v1"', b"\xff\xfe"]
)
def test_other_content_is_not_taken(head):
    assert not KUBERNETES.matches(head)
