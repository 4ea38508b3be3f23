"""The objects of Kubernetes documents, each with the moment at which the request began that was answered with it.

The API's answers do not say when they were asked for. So the command that asks writes the time into the document, as
its first key, or a person gives it for the file:

    {"seenAt": "2026-03-02T10:00:00Z", "apiVersion": "v1", "kind": "List", "items": [...]}

An answer from a cache may be old, whenever it was asked for. Then the time counts for nothing. The API's own answer
does not tell that it is from the API's cache. So the command writes that, too: `"fromCache": true`. A `PodList` without
a version is not the API's answer, but a dump of what a client or a kubelet remembers.

The API says of a pod what its kubelet wrote last. A list that also holds the leases of nodes tells until when each
kubelet was there to write: it renews its lease every ten seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from attribution.sources.records.json_values import Json, JsonObject, object_at, text_at
from attribution.sources.records.timestamps import instant
from attribution.sources.request_times import is_to_come

SEEN_AT, FROM_CACHE = "seenAt", "fromCache"
#: The namespace in which every node has a lease of its own name.
_NODE_LEASES = "kube-node-lease"


@dataclass(frozen=True)
class Found:
    """One object of a document.

    Attributes:
        content: the object, or what stands in its place.
        seen_at: when the request began, microseconds; None if nobody says, or the answer is from a cache.
            If the answer holds leases, no later than the last renewal by the kubelet of the object's node.
        by_lease: whether the answer holds leases.
        listed: whether it stands in a list.
        cached: whether the answer is from a cache.
        bad_time: what stands in the place of that time and is none; None if there is nothing wrong.
    """

    content: Json
    seen_at: int | None = None
    by_lease: bool = False
    listed: bool = False
    cached: bool = False
    bad_time: Json = None


def objects_of(document: Json, given: int | None) -> Iterator[Found]:
    """The objects of a document: of an array, of a list's `items`, or itself if there are none.

    Args:
        document: a JSON value.
        given: when the request began, microseconds, for documents that do not say so.

    >>> pods = {"kind": "List", "seenAt": "1970-01-01T00:00:01Z", "items": ["a", "b"]}
    >>> [(found.content, found.seen_at) for found in objects_of([pods, {"items": ["c"]}], 5)]
    [('a', 1000000), ('b', 1000000), ('c', 5)]
    """
    if isinstance(document, list) and document:
        for part in document:
            yield from _of_answer(part, given)
    else:
        yield from _of_answer(document, given)


def _of_answer(answer: Json, given: int | None) -> Iterator[Found]:
    if not isinstance(answer, dict):
        yield Found(answer)
        return
    seen_at, bad_time = _time_of(answer, given)
    items = answer.get("items")
    if not isinstance(items, list) or not items:
        yield Found(answer, seen_at, bad_time=bad_time)
        return
    renewed = _renewals(items) if seen_at is not None else {}
    for item in items:
        at = _bounded(seen_at, item, renewed) if renewed else seen_at
        yield Found(item, at, by_lease=bool(renewed), listed=True, cached=_is_from_cache(answer), bad_time=bad_time)


def is_lease(item: Json) -> bool:
    """Whether the object is a lease, of a node or of anything else."""
    return isinstance(item, dict) and item.get("kind") == "Lease"


def _renewals(objects: Iterable[Json]) -> dict[str | None, int | None]:
    """Name of each node that has a lease among the objects -> when its kubelet renewed it, microseconds.

    The time is null where something else than a time stands: then nobody knows until when the kubelet was there. An
    object that could not be read, and stands there as text, may be the lease of any node.
    """
    found: dict[str | None, int | None] = {}
    for item in objects:
        if isinstance(item, str) and _NODE_LEASES in item:
            found.setdefault(None, None)
        if not is_lease(item):
            continue
        metadata, at = object_at(item, "metadata"), object_at(item, "spec").get("renewTime")
        if metadata.get("namespace") == _NODE_LEASES and at is not None:
            found[text_at(metadata, "name")] = instant(at) if isinstance(at, str) else None
    return found


def _bounded(seen_at: int | None, item: Json, renewed: Mapping[str | None, int | None]) -> int | None:
    """The time up to which the object's kubelet was there; None if its node has no lease."""
    last = renewed.get(text_at(object_at(item, "spec"), "nodeName"))
    return None if seen_at is None or last is None else min(seen_at, last)


def _time_of(answer: JsonObject, given: int | None) -> tuple[int | None, Json]:
    said = answer.get(SEEN_AT)
    at = instant(said, zone_needed=True) if isinstance(said, str) else None
    if said is not None and (at is None or is_to_come(at)):
        return None, said
    return (None if _is_from_cache(answer) else given if said is None else at), None


def _is_from_cache(answer: JsonObject) -> bool:
    if answer.get(FROM_CACHE) not in (None, False):
        return True
    # `kubectl` writes a `List` of its own, always without a version.
    version = object_at(answer, "metadata").get("resourceVersion")
    return answer.get("kind") == "PodList" and version in (None, "", "0")
