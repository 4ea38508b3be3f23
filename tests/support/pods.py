"""Pods as Kubernetes writes them, in the lists that `kubectl` prints."""

import copy
import json
from datetime import UTC, datetime

DAY = "2024-05-01T"


def at(clock):
    return int(datetime.fromisoformat(f"{DAY}{clock}+00:00").astimezone(UTC).timestamp()) * 1_000_000


def running(name="web", started="10:00:00"):
    return {"name": name, "state": {"running": {"startedAt": f"{DAY}{started}Z"}}}


def terminated(name="web", started="10:00:00", finished="10:30:00"):
    state = {"startedAt": f"{DAY}{started}Z", "finishedAt": f"{DAY}{finished}Z", "exitCode": 0}
    return {"name": name, "state": {"terminated": state}}


def pod(uid="uid-1", **changes):
    """A running pod of a Deployment; `changes` replace parts of its metadata, spec or status by their names."""
    base = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-5f6d8c7b9d-x2x4q",
            "namespace": "shop",
            "uid": uid,
            "creationTimestamp": f"{DAY}09:59:50Z",
            "labels": {"pod-template-hash": "5f6d8c7b9d"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5f6d8c7b9d", "controller": True}],
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "web", "ports": [{"containerPort": 8080}]}]},
        "status": {
            "phase": "Running",
            "hostIP": "10.0.0.5",
            "podIP": "10.1.0.7",
            "podIPs": [{"ip": "10.1.0.7"}],
            "startTime": f"{DAY}09:59:51Z",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": f"{DAY}10:00:20Z"}],
            "containerStatuses": [running()],
        },
    }
    made = copy.deepcopy(base)
    for name, value in changes.items():
        part = next(p for p in ("status", "metadata", "spec") if p == "spec" or name in made[p] or name in KNOWN[p])
        made[part][name] = value
    return made


KNOWN = {"status": {"initContainerStatuses", "hostIPs"}, "metadata": {"managedFields", "deletionTimestamp"}}


def listed(*pods, kind="List", version="", **more):
    """A list as `kubectl` prints it, or as the API answers (`kind="PodList"`, with a version); `more` stands first."""
    whole = {"apiVersion": "v1", "items": pods, "kind": kind, "metadata": {"resourceVersion": version}}
    return json.dumps(more | whole, indent=4)
