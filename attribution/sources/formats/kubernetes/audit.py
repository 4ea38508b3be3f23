"""Audit events of the Kubernetes API about pods, as the API server logs them or Google Cloud Logging wraps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution.sources.records.timestamps import instant

_KUBELET = "system:node:"
_POD_METHOD = "io.k8s.core.v1.pods."


@dataclass(frozen=True)
class PodEvent:
    """One event that has a pod, or a part of one, in it.

    Attributes:
        pods: what it has of pods: the answer where that is a pod or a list of pods, else what was asked for.
        seen_at: when the pod's own kubelet wrote this, microseconds; None where somebody else did.
    """

    pods: list[Mapping[str, Any]]
    seen_at: int | None


def is_audit_event(item: Mapping[str, Any]) -> bool:
    """Whether the object is an audit event of either shape."""
    if isinstance(item.get("protoPayload"), Mapping):
        return True
    return item.get("kind") == "Event" and str(item.get("apiVersion", "")).startswith("audit.k8s.io/")


def pod_event(item: Mapping[str, Any]) -> PodEvent | str:
    """The pods of an audit event, or the reason why there are none."""
    event = _of_cloud_logging(item) if "protoPayload" in item else _of_api_server(item)
    if event["resource"] != "pods":
        return "other_resource"
    if event["stage"] not in {None, "ResponseComplete"}:
        return "other_stage"
    if event["failed"]:
        return "failed_request"
    if event["verb"] in {"delete", "deletecollection"}:
        return "delete"
    if not event["request"] and not event["response"]:
        return "metadata_level"
    pods = _pods(event)
    written = event["verb"] in {"patch", "update"} and str(event["user"]).startswith(_KUBELET)
    at = instant(event["time"]) if written and isinstance(event["time"], str) else None
    return PodEvent(pods, at) if pods else "no_pod"


def _of_api_server(item: Mapping[str, Any]) -> dict[str, Any]:
    reference = _of(item, "objectRef")
    code = _of(item, "responseStatus").get("code")
    subresource = reference.get("subresource")
    return {
        "resource": reference.get("resource") if subresource in {None, "", "status"} else "other",
        "stage": item.get("stage"),
        "failed": isinstance(code, int) and code >= 400,
        "verb": item.get("verb"),
        "request": _of(item, "requestObject"),
        "response": _of(item, "responseObject"),
        "user": _of(item, "user").get("username"),
        # The first moment of the request: what it says was so by then.
        "time": item.get("requestReceivedTimestamp") or item.get("stageTimestamp"),
        "uid": reference.get("uid"),
        "name": reference.get("name"),
        "namespace": reference.get("namespace"),
    }


def _of_cloud_logging(item: Mapping[str, Any]) -> dict[str, Any]:
    payload = _of(item, "protoPayload")
    method = str(payload.get("methodName", ""))
    verbs = method.removeprefix(_POD_METHOD).split(".") if method.startswith(_POD_METHOD) else ["", ""]
    about_pod = len(verbs) == 1 or verbs[0] == "status"
    place = str(payload.get("resourceName", "")).split("/")
    names = dict(zip(place[::2], place[1::2], strict=False))
    return {
        "resource": "pods" if about_pod else "other",
        "stage": None,
        "failed": _of(payload, "status").get("code", 0) != 0,
        "verb": verbs[-1],
        "request": _of(payload, "request"),
        "response": _of(payload, "response"),
        "user": _of(payload, "authenticationInfo").get("principalEmail"),
        "time": item.get("timestamp"),
        "uid": None,
        "name": names.get("pods"),
        "namespace": names.get("namespaces"),
    }


def _pods(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    response = event["response"]
    if isinstance(response.get("items"), list):
        return [pod for pod in response["items"] if isinstance(pod, Mapping)]
    if _of(response, "metadata").get("uid"):
        return [response]
    # A patch has little more than the status: what it is about stands in the event.
    about = {name: event[name] for name in ("uid", "name", "namespace") if event[name]}
    pod = {**event["request"], "metadata": {**about, **_of(event["request"], "metadata")}}
    return [pod] if pod["metadata"].get("uid") else []


def _of(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}
