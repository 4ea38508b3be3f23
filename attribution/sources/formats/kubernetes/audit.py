"""Audit events of the Kubernetes API about pods, as the API server logs them or Google Cloud Logging wraps them."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from attribution.sources.formats.kubernetes.pods import Known
from attribution.sources.records.json_values import Json, JsonObject, object_at, objects_at, text_at
from attribution.sources.records.timestamps import instant

_KUBELET = "system:node:"
_POD_METHOD = "io.k8s.core.v1.pods."


@dataclass(frozen=True)
class PodEvent:
    """One event that has a pod, or a part of one, in it.

    Attributes:
        pods: what it has of pods: the answer where that is a pod or a list of pods, else what was asked for.
        known: when this was known to be true.
        cluster: in which it was; None where the event does not say.
    """

    pods: list[JsonObject]
    known: Known
    cluster: str | None = None


@dataclass(frozen=True)
class _Event:
    """An event of either shape.

    Attributes:
        is_of_pods: whether it is about pods, or their status.
        stage: of the request; None where the shape knows none.
        failed: whether the request failed.
        verb: what was asked for.
        request: the body of the request.
        response: the body of the answer.
        user: who asked.
        time: the first moment of the request: what it says was so by then.
        about: uid, name and namespace of the pod, those that are known.
        reads_the_present: whether it asked what is there now; false where the shape does not say.
        cluster: in which it was; None where the shape does not say.
    """

    is_of_pods: bool
    stage: Json
    failed: bool
    verb: str | None
    request: JsonObject
    response: JsonObject
    user: str | None
    time: str | None
    about: JsonObject
    reads_the_present: bool = False
    cluster: str | None = None


def is_audit_event(item: JsonObject) -> bool:
    """Whether the object is an audit event of either shape."""
    if isinstance(item.get("protoPayload"), dict):
        return True
    return item.get("kind") == "Event" and str(item.get("apiVersion", "")).startswith("audit.k8s.io/")


def pod_event(item: JsonObject) -> PodEvent | str:
    """The pods of an audit event, or the reason why there are none."""
    event = _of_cloud_logging(item) if "protoPayload" in item else _of_api_server(item)
    if not event.is_of_pods:
        return "other_resource"
    if event.stage not in (None, "ResponseComplete"):
        return "other_stage"
    if event.failed:
        return "failed_request"
    if event.verb in {"delete", "deletecollection"}:
        return "delete"
    if not event.request and not event.response:
        return "metadata_level"
    pods = _pods(event)
    return PodEvent(pods, _known(event), event.cluster) if pods else "no_pod"


def _known(event: _Event) -> Known:
    at = None if event.time is None else instant(event.time)
    if event.verb in {"patch", "update"} and event.user is not None and event.user.startswith(_KUBELET):
        return Known(written_at=at)
    return Known(seen_at=at) if event.reads_the_present else Known()


def _of_api_server(item: JsonObject) -> _Event:
    reference = object_at(item, "objectRef")
    code = object_at(item, "responseStatus").get("code")
    return _Event(
        is_of_pods=reference.get("resource") == "pods" and reference.get("subresource") in (None, "", "status"),
        stage=item.get("stage"),
        failed=isinstance(code, int) and code >= 400,
        verb=text_at(item, "verb"),
        request=object_at(item, "requestObject"),
        response=object_at(item, "responseObject"),
        user=text_at(object_at(item, "user"), "username"),
        time=text_at(item, "requestReceivedTimestamp"),
        about={name: reference[name] for name in ("uid", "name", "namespace") if reference.get(name)},
        reads_the_present=item.get("verb") in ("get", "list") and _asks_for_the_present(text_at(item, "requestURI")),
    )


def _asks_for_the_present(uri: str | None) -> bool:
    """Whether the request lets the API answer neither from its cache nor with what it was before.

    A `resourceVersion` asks for what is not older than it, or for that itself. A `continue` asks for the next page of a
    list that was taken when its first page was asked for.
    """
    if uri is None:
        return False
    try:
        asked = parse_qs(urlsplit(uri).query)
    except ValueError:
        return False
    return not asked.keys() & {"resourceVersion", "resourceVersionMatch", "continue"}


def _of_cloud_logging(item: JsonObject) -> _Event:
    payload = object_at(item, "protoPayload")
    method = text_at(payload, "methodName") or ""
    verbs = method.removeprefix(_POD_METHOD).split(".") if method.startswith(_POD_METHOD) else ["", ""]
    place = (text_at(payload, "resourceName") or "").split("/")
    names = dict(zip(place[::2], place[1::2], strict=False))
    found = {"name": names.get("pods"), "namespace": names.get("namespaces")}
    return _Event(
        is_of_pods=len(verbs) == 1 or verbs[0] == "status",
        stage=None,
        failed=object_at(payload, "status").get("code", 0) != 0,
        verb=verbs[-1],
        request=object_at(payload, "request"),
        response=object_at(payload, "response"),
        user=text_at(object_at(payload, "authenticationInfo"), "principalEmail"),
        time=text_at(item, "timestamp"),
        about={name: value for name, value in found.items() if value},
        cluster=_google_cluster(object_at(object_at(item, "resource"), "labels")),
    )


def _google_cluster(labels: JsonObject) -> str | None:
    """`project/location/cluster`: a cluster's name is unique in its project and location only."""
    parts = [text_at(labels, name) for name in ("project_id", "location", "cluster_name")]
    return "/".join(part for part in parts if part) if parts[-1] else None


def _pods(event: _Event) -> list[JsonObject]:
    if isinstance(event.response.get("items"), list):
        return objects_at(event.response, "items")
    if object_at(event.response, "metadata").get("uid"):
        return [event.response]
    # A patch has little more than the status: what it is about stands in the event.
    metadata = event.about | object_at(event.request, "metadata")
    return [event.request | {"metadata": metadata}] if metadata.get("uid") else []
