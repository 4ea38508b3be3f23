"""What a Kubernetes pod object proves about its address: who held it, and from when to when at the least.

A pod object has no time of its own; a list least of all. What is certain is inside: while a container runs, its pod
has the address that the same status reports. A new address takes a new sandbox, and that takes new containers. So
the interval goes from the start of a container that still runs to the last moment at which the status is known to be
true. In a terminal phase the address is free, whenever the object may be deleted: the interval ends with the last
container.

A quiet pod's status is not written for days. Then the last moment is the one at which somebody asked the API for it.
The answer is from then or from later, so a container that started before, and runs in the answer, ran then. This holds
as far as the API's word about the pod is the present, see `_runs_now`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from attribution.sources.records.json_values import Json, JsonObject, object_at, objects_at, text_at
from attribution.sources.records.timestamps import instant

#: Kubernetes writes whole seconds, rounded down: what began at a second may have begun at its end.
_SECOND = 1_000_000
_TERMINAL = ("Succeeded", "Failed")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
#: Conditions that the kubelet sets to true when it sees containers run.
_PROVING = ("Ready", "ContainersReady", "Initialized")
_RUN_OF_CRON_JOB = re.compile(r"-\d{8,}$")


class Port(NamedTuple):
    """A port that a container declares, with its transport protocol; on all addresses, if `address` is null."""

    number: int
    protocol: str
    container: str | None
    address: str | None


@dataclass(frozen=True)
class Facts:
    """What is fixed for a pod's life, which a patch of its status does not repeat.

    Attributes:
        service: `namespace/owner`; null where not known.
        host_network: whether it shares the node's address; None where not known.
        ports: that its containers declare, each once, in order.
        node: where it runs.
    """

    service: str | None = None
    host_network: bool | None = None
    ports: tuple[Port, ...] = ()
    node: str | None = None


@dataclass(frozen=True)
class Known:
    """When a status was known to be true, by what brought it; microseconds, None where nothing says so.

    Attributes:
        written_at: when the pod's own kubelet wrote the status.
        seen_at: when the request began that the API answered with the status. The answer is from then or from later.
        by_lease: whether the pod's kubelet is known to have been there then.
    """

    written_at: int | None = None
    seen_at: int | None = None
    by_lease: bool = False


@dataclass(frozen=True)
class Held:
    """An address, or one port of it, that a pod held from `start` to `end` at the least; microseconds."""

    address: str
    port: int | None
    protocol: str | None
    start: int
    end: int


def facts(pod: JsonObject) -> Facts:
    """The facts of a pod object that has its `spec`."""
    spec, metadata = object_at(pod, "spec"), object_at(pod, "metadata")
    ports = {
        Port(number, text_at(port, "protocol") or "TCP", text_at(container, "name"), _bound_to(port))
        for container in [*objects_at(spec, "containers"), *objects_at(spec, "initContainers")]
        for port in objects_at(container, "ports")
        if (number := _number(port.get("hostPort") or port.get("containerPort"))) is not None
    }
    return Facts(
        service=_service(metadata, spec),
        host_network=spec.get("hostNetwork") is True,
        ports=tuple(sorted(ports, key=_in_order)),
        node=text_at(spec, "nodeName"),
    )


def _in_order(port: Port) -> tuple[int, str, str, str]:
    return port.number, port.protocol, port.container or "", port.address or ""


def held(pod: JsonObject, fixed: Facts, known: Known) -> list[Held] | str:
    """What the pod held, or the reason why that cannot be said.

    A host-network pod has the node's address in common with others. It holds the ports that its containers declare,
    each while its container runs, and nothing else of the address. Other pods hold nothing of the node's address:
    whether anything listens on their `hostPort` depends on the network plugin.

    Args:
        pod: a pod object, or the part of it that a patch has.
        fixed: its facts.
        known: when this status was known to be true.
    """
    status, metadata = object_at(pod, "status"), object_at(pod, "metadata")
    addresses = _addresses(status)
    if not addresses:
        return "no_address"
    host_network = fixed.host_network
    if host_network is None:
        hosts = {text_at(status, "hostIP"), *(text_at(entry, "ip") for entry in objects_at(status, "hostIPs"))} - {None}
        if not hosts:
            return "host_network_unknown"
        host_network = not hosts.isdisjoint(addresses)
    if host_network:
        own = [(a, port) for a in addresses for port in fixed.ports if port.address in (None, a)]
        return _held_ports(own, status, metadata, known) if own else "host_network"
    interval = _interval(status, metadata, known) or _when_written(status, metadata, known)
    return [Held(address, None, None, *interval) for address in addresses] if interval else "no_proof"


def _held_ports(
    own: list[tuple[str, Port]], status: JsonObject, metadata: JsonObject, known: Known
) -> list[Held] | str:
    found = [
        Held(address, port.number, port.protocol, *interval)
        for address, port in own
        if (interval := _interval(_of_container(status, port.container), metadata, known))
    ]
    return found or "no_proof"


def _of_container(status: JsonObject, name: str | None) -> JsonObject:
    """The status with one container alone."""
    alone: JsonObject = {key: [c for c in objects_at(status, key) if text_at(c, "name") == name] for key in _STATUSES}
    return status | alone


def _addresses(status: JsonObject) -> list[str]:
    """All addresses of a dual-stack pod; entries of a patch that take one away are none."""
    entries = [entry for entry in objects_at(status, "podIPs") if "$patch" not in entry]
    found = [address for entry in entries if (address := text_at(entry, "ip"))]
    single = text_at(status, "podIP")
    return found or ([single] if single else [])


def _interval(status: JsonObject, metadata: JsonObject, known: Known) -> tuple[int, int] | None:
    """From when to when a container of the status ran, on the address that it has; None if none runs or ran."""
    states = [object_at(container, "state") for name in _STATUSES for container in objects_at(status, name)]
    started = [at for state in states if (at := _instant(object_at(state, "running"), "startedAt")) is not None]
    ended = [
        (last, first)
        for state in states
        if (last := _instant(object_at(state, "terminated"), "finishedAt")) is not None
        and (first := _instant(object_at(state, "terminated"), "startedAt")) is not None
    ]
    if status.get("phase") in _TERMINAL or (ended and not started):
        # Of the last container only: one that ended before may have run in a sandbox, and on an address, before.
        return _rounded(max(ended)[1], max(ended)[0]) if ended else None
    if not started:
        return None
    proofs = [*started, *_true_since(status), *_written(metadata, known)]
    # What began after the request stands in a slow answer, too: it was not there when the request began.
    if known.seen_at is not None and known.seen_at >= min(started) + _SECOND and _runs_now(status, metadata, known):
        proofs.append(known.seen_at)
    return _rounded(min(started), max(proofs))


def _runs_now(status: JsonObject, metadata: JsonObject, known: Known) -> bool:
    """Whether the API's word is that the pod runs now.

    The API says what the kubelet wrote last. If a node dies, that stays as it was, and the address may be another
    pod's. If nothing tells until when the kubelet was there, the condition `Ready` does: after a while the control
    plane takes it back, and nothing else of the status. Of a pod that is being deleted the containers may have ended,
    and the kubelet has not said so yet.
    """
    if status.get("phase") != "Running" or metadata.get("deletionTimestamp") is not None:
        return False
    ready = (c.get("status") == "True" for c in objects_at(status, "conditions") if c.get("type") == "Ready")
    return known.by_lease or any(ready)


def _when_written(status: JsonObject, metadata: JsonObject, known: Known) -> tuple[int, int] | None:
    """When the kubelet last wrote of a pod whose containers all wait."""
    written = _written(metadata, known) if status.get("phase") not in _TERMINAL else []
    return (max(written), max(written)) if written else None


def _rounded(start: int, end: int) -> tuple[int, int]:
    return min(start + _SECOND, max(start, end)), max(start, end)


def _true_since(status: JsonObject) -> Iterator[int]:
    for condition in objects_at(status, "conditions"):
        if condition.get("type") in _PROVING and condition.get("status") == "True":
            at = _instant(condition, "lastTransitionTime")
            if at is not None:
                yield at


def _written(metadata: JsonObject, known: Known) -> list[int]:
    """When the pod's kubelet changed the status, which is then what it saw."""
    found = [
        _instant(entry, "time")
        for entry in objects_at(metadata, "managedFields")
        if entry.get("manager") == "kubelet" and entry.get("subresource", "status") == "status"
    ]
    return [at for at in (*found, known.written_at) if at is not None]


def _service(metadata: JsonObject, spec: JsonObject) -> str | None:
    """`namespace/name` of what made the pod: the Deployment above a ReplicaSet, the CronJob above a Job."""
    space = text_at(metadata, "namespace")
    name = text_at(metadata, "name")
    owner = next((o for o in objects_at(metadata, "ownerReferences") if o.get("controller") is True), {})
    kind, owner_name = owner.get("kind"), text_at(owner, "name")
    if kind == "Node":
        # A static pod is named for its node: kube-proxy-node1.
        name = name.removesuffix(f"-{spec.get('nodeName') or owner_name}") if name else None
    elif owner_name:
        name = owner_name
    template = text_at(object_at(metadata, "labels"), "pod-template-hash")
    if name and kind == "ReplicaSet" and template:
        name = name.removesuffix(f"-{template}")
    elif name and kind == "Job":
        name = _RUN_OF_CRON_JOB.sub("", name)
    return f"{space}/{name}" if space and name else None


def _bound_to(port: JsonObject) -> str | None:
    """The one address of the node that a port is on; None if it is on all."""
    address = text_at(port, "hostIP")
    return None if address in ("0.0.0.0", "::") else address  # noqa: S104 - read, not bound


def _number(value: Json) -> int | None:
    """The value if it is a whole number of at most 32 bits; validation tells whether it is a port."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31 else None


def _instant(value: JsonObject, key: str) -> int | None:
    """The time under a key, microseconds; None if there is none."""
    found = text_at(value, key)
    return None if found is None else instant(found)
