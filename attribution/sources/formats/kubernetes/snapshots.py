"""The objects of Kubernetes documents, each with the moment at which the request began that was answered with it.

The API's answers do not say when they were asked for. So the command that asks writes the time into the document, as
its first key, or a person gives it for the file:

    {"seenAt": "2026-03-02T10:00:00Z", "apiVersion": "v1", "kind": "List", "items": [...]}

An answer from a cache may be old, whenever it was asked for. Then the time counts for nothing. The API's own answer
does not tell that it is from the API's cache. So the command writes that, too: `"fromCache": true`. A `PodList` without
a version is not the API's answer, but a dump of what a client or a kubelet remembers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from attribution.sources.records.json_values import Json, JsonObject, object_at
from attribution.sources.records.timestamps import instant

SEEN_AT, FROM_CACHE = "seenAt", "fromCache"


@dataclass(frozen=True)
class Found:
    """One object of a document.

    Attributes:
        content: the object, or what stands in its place.
        seen_at: when the request began, microseconds; None if nobody says, or the answer is from a cache.
        bad_time: what stands in the place of that time and is none; None if there is nothing wrong.
    """

    content: Json
    seen_at: int | None = None
    bad_time: Json = None


def objects_of(document: Json, given: int | None) -> Iterator[Found]:
    """The objects of a document: of an array, of a list's `items`, or itself.

    Args:
        document: a JSON value.
        given: when the request began, microseconds, for documents that do not say so.

    >>> pods = {"kind": "List", "seenAt": "1970-01-01T00:00:01Z", "items": ["a", "b"]}
    >>> [(found.content, found.seen_at) for found in objects_of([pods, {"items": ["c"]}], 5)]
    [('a', 1000000), ('b', 1000000), ('c', 5)]
    """
    if isinstance(document, list):
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
    for item in items if isinstance(items, list) else [answer]:
        yield Found(item, seen_at, bad_time)


def _time_of(answer: JsonObject, given: int | None) -> tuple[int | None, Json]:
    said = answer.get(SEEN_AT)
    at = instant(said, zone_needed=True) if isinstance(said, str) else None
    if said is not None and at is None:
        return None, said
    return (None if _is_from_cache(answer) else given if said is None else at), None


def _is_from_cache(answer: JsonObject) -> bool:
    if answer.get(FROM_CACHE) not in (None, False):
        return True
    # `kubectl` writes a `List` of its own, always without a version.
    version = object_at(answer, "metadata").get("resourceVersion")
    return answer.get("kind") == "PodList" and version in (None, "", "0")
