"""Kubernetes pods as heartbeats: pod lists, watched pods and audit events, all as JSON.

| content | from |
|---|---|
| a pod list, one pod, or several documents in a row | `kubectl get pods -A -o json`, with `-w` too |
| watch events, `{"type": "MODIFIED", "object": {…}}` a line | `--output-watch-events`, the watch API |
| audit events, raw or as Google Cloud Logging has them, by line or in an array | the API server's log, an export |

The workload is the pod's UID, its service `cluster/namespace/owner`. The cluster is also the network. Of these contents
only the entries of Google Cloud Logging tell it; without it a service is `namespace/owner`. What a pod proves about its
address stands in `sources.formats.kubernetes.pods`. Audit events of a status have not the whole pod: what is fixed for
its life (owner, host network, ports) is remembered from other events of the run.

A list of the API does not tell when it was asked for. Its key `seenAt` says it, or `--seen-at`. Its key `fromCache`
says that it may be old (`sources.formats.kubernetes.snapshots`).
"""

import json
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from attribution.schema import HEARTBEAT
from attribution.sources.formats.kubernetes.audit import is_audit_event, pod_event
from attribution.sources.formats.kubernetes.pods import Facts, Held, Known, facts, held
from attribution.sources.formats.kubernetes.snapshots import SEEN_AT, Found, is_lease, objects_of
from attribution.sources.json.documents import documents
from attribution.sources.json.objects import begins_json, begins_with, is_json_lines
from attribution.sources.records.deduplication import Recent
from attribution.sources.records.json_values import Json, JsonObject, object_at, text_at, typed_column
from attribution.sources.records.model import Account, Block, Format, Input, Wanted
from attribution.sources.records.set_aside import OnBad, bad_lines

_BLOCK_BYTES = 4 << 20
_ROWS = 50_000
_KEPT_PODS = 200_000

_POD = re.compile(rb'"kind"\s*:\s*"(?:Pod|PodList|List)"')
_VERSION = re.compile(rb'"apiVersion"\s*:\s*"v1"')
#: A quotation mark behind a backslash stands in the text of another document.
_AUDIT = re.compile(rb'(?<!\\)"audit\.k8s\.io/|(?<!\\)"methodName"\s*:\s*"io\.k8s\.')

#: Keys of what is read; in an object without any, it stands in a wrapping.
_TELLING = ("kind", "items", "object", "protoPayload", "auditID")

_COLUMNS = {
    "network": pa.string(),
    "address": pa.string(),
    "port": pa.int64(),
    "last_port": pa.int64(),
    "protocol": pa.string(),
    "workload": pa.string(),
    "service": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "observer": pa.string(),
}


#: Why a sound row carries no record.
_SKIPS = {
    "no_pod": "An object that is no pod, or a list without any.",
    "lease": "A lease: that of a node tells until when the kubelet was there to say that its pods run.",
    "no_address": "A pod without an address, as yet or any more.",
    "no_proof": "A pod of which nothing says when it had its address: no container runs or ran.",
    "host_network": "A host-network pod that declares no port: nothing of the node's address is its own.",
    "host_network_unknown": "A patch that does not say whether the address is the pod's or the node's.",
    "other_resource": "An audit event about something else than pods.",
    "other_stage": "An audit event before the response is complete; another one of the same request follows.",
    "failed_request": "An audit event of a request that failed.",
    "delete": "A deletion: the pod gave its address back before, nobody says when.",
    "metadata_level": "An audit event of level Metadata: it has no pod in it. Log pods' status at level Request.",
}


#: What attribution wants of pods.
_WANTS = (
    Wanted(
        name="status of pods",
        told_by=(HEARTBEAT,),
        among="metadata_level",
        without="no audit event has the address of a pod",
        get="Log the status of pods at level `Request` or higher in the audit policy.",
        needed=True,
    ),
    Wanted(
        name="seenAt",
        told_by=("seen",),
        among="listed",
        without="a pod that reports nothing for days is not proved to have run when a list was made",
        get="Let the command that lists pods write when it asked, or give the time with `--seen-at`.",
        needed=True,
    ),
    Wanted(
        name="answers that are not from a cache",
        told_by=("fresh",),
        among="listed",
        without="a list may be older than its request, so that `seenAt` counts for nothing",
        get="Let the command ask the API itself: `kubectl get` does, and lists with `resourceVersion=0` do not.",
        needed=True,
    ),
)


class Kubernetes(Format):
    """Pod lists, watched pods and audit events."""

    name = "kubernetes"
    how_to = "kubernetes"
    skips = _SKIPS
    wants = _WANTS

    def matches(self, head: bytes) -> bool:
        """Whether the content begins with a pod, a list of objects or an audit event."""
        if not begins_json(head):
            return False
        if not _AUDIT.search(head) and not (_POD.search(head) and _VERSION.search(head)):
            return False
        return begins_with(head, _TELLING)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Heartbeats; a "line" is the line of JSON lines, and the number of the object in documents that span lines."""
        known: Recent[Facts] = account.kept(lambda: Recent(_KEPT_PODS))
        lines: list[int] = []
        rows: dict[str, list[Json]] = {name: [] for name in _COLUMNS}
        for line, item, true_at in self._items(data, account):
            for pod, claim, cluster in self._claims(item, true_at, known, account):
                lines.append(line)
                for name, value in _row(pod, claim, known, cluster or data.network).items():
                    rows[name].append(value)
            if len(lines) >= _ROWS:
                yield _block(rows, lines, data.name)
                lines, rows = [], {name: [] for name in _COLUMNS}
        if lines:
            yield _block(rows, lines, data.name)

    def _items(self, data: Input, account: Account) -> Iterator[tuple[int, JsonObject, Known]]:
        """Pods and events, one by one, each with its number, and when it was true by what it stands in."""
        set_aside = bad_lines(account, data.name, HEARTBEAT)
        numbered = _by_line(data, set_aside) if is_json_lines(data.head()) else _by_document(data)
        for number, found in numbered:
            if not isinstance(found.content, dict):
                set_aside(number, json.dumps(found.content).encode(), "malformed")
            elif found.bad_time is not None:
                set_aside(number, f"{SEEN_AT}={json.dumps(found.bad_time)}".encode(), "not_a_time")
            else:
                if found.listed:
                    known = found.seen_at is not None or found.cached
                    account.shows({"listed": 1, "seen": known, "fresh": not found.cached})
                yield number, found.content, Known(seen_at=found.seen_at, by_lease=found.by_lease)

    def _claims(
        self, item: JsonObject, true_at: Known, known: Recent[Facts], account: Account
    ) -> Iterator[tuple[JsonObject, Held, str | None]]:
        """What one object says of pods, with its cluster; why it says nothing goes to the ledger."""
        cluster = None
        if is_audit_event(item):
            event = pod_event(item)
            if isinstance(event, str):
                account.skip(event)
                return
            pods, true_at, cluster = event.pods, event.known, event.cluster
        elif watched := object_at(item, "object"):
            # Watches are left open for hours: when they began says nothing of an event.
            pods, true_at = [watched], Known()
        elif is_lease(item):
            account.skip("lease")
            return
        else:
            pods = [item]
        for pod in pods:
            uid = _uid(pod)
            if not uid or (pod.get("kind", "Pod") != "Pod" and not pod.get("@type") and "status" not in pod):
                account.skip("no_pod")
                continue
            if isinstance(pod.get("spec"), dict):
                known.put(uid, facts(pod))
            claims = held(pod, known.get(uid) or Facts(), true_at)
            if isinstance(claims, str):
                account.skip(claims)
                continue
            for claim in claims:
                yield pod, claim, cluster


def _by_document(data: Input) -> Iterator[tuple[int, Found]]:
    number = 0
    for document in documents(data, ("items",)):
        for found in objects_of(document, data.seen_at):
            number += 1
            yield number, found


def _by_line(data: Input, set_aside: OnBad) -> Iterator[tuple[int, Found]]:
    for first_line, block in data.lines(_BLOCK_BYTES):
        for line, content in enumerate(block.split(b"\n"), first_line):
            if not content.strip():
                continue
            try:
                document = json.loads(content)
            except (ValueError, RecursionError) as error:
                set_aside(line, content, "not_text" if isinstance(error, UnicodeDecodeError) else "malformed")
                continue
            for found in objects_of(document, data.seen_at):
                yield line, found


def _uid(pod: JsonObject) -> str | None:
    return text_at(object_at(pod, "metadata"), "uid")


def _row(pod: JsonObject, claim: Held, known: Recent[Facts], cluster: str | None) -> JsonObject:
    uid = _uid(pod)
    fixed = known.get(uid) or Facts()
    return {
        "network": cluster,
        "address": claim.address,
        "port": claim.port,
        # A range of one: the pod listens there, however high the port; it was not given out for a connection.
        "last_port": claim.port,
        "protocol": claim.protocol,
        "workload": uid,
        "service": f"{cluster}/{fixed.service}" if cluster and fixed.service else fixed.service,
        "start": claim.start,
        "end": claim.end,
        "observer": fixed.node,
    }


def _block(rows: dict[str, list[Json]], lines: list[int], source: str) -> Block:
    columns = {name: typed_column(rows[name], kind) for name, kind in _COLUMNS.items()}
    return Block(HEARTBEAT, columns, source, np.array(lines, np.int64))


FORMATS: tuple[Format, ...] = (Kubernetes(),)
