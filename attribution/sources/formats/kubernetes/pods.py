"""What a Kubernetes pod object proves about its address: who held it, and from when to when at the least.

A pod object has no time of its own; a list least of all. What is certain is inside: while a container runs, its pod
has the address that the same status reports. A new address takes a new sandbox, and that takes new containers. So
the interval goes from the start of a container that still runs to the last moment at which the status is known to be
true. In a terminal phase the address is free, whenever the object may be deleted: the interval ends with the last
container.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from attribution.sources.records.json_values import Json, JsonObject, object_at, objects_at, text_at
from attribution.sources.records.timestamps import instant

#: Kubernetes writes whole seconds, rounded down: what began at a second may have begun at its end.
_SECOND = 1_000_000
_TERMINAL = ("Succeeded", "Failed")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
#: Conditions that the kubelet sets to true when it sees containers run.
_PROVING = ("Ready", "ContainersReady", "Initialized")
_RUN_OF_CRON_JOB = re.compile(r"-\d{8,}$")


@dataclass(frozen=True)
class Facts:
    """What is fixed for a pod's life, which a patch of its status does not repeat.

    Attributes:
        service: `namespace/owner`; null where not known.
        host_network: whether it shares the node's address; None where not known.
        ports: that its containers declare, each with its transport protocol.
        node: where it runs.
    """

    service: str | None = None
    host_network: bool | None = None
    ports: tuple[tuple[int, str], ...] = ()
    node: str | None = None


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
        (number, text_at(port, "protocol") or "TCP")
        for container in [*objects_at(spec, "containers"), *objects_at(spec, "initContainers")]
        for port in objects_at(container, "ports")
        if (number := _number(port.get("hostPort") or port.get("containerPort"))) is not None
    }
    return Facts(
        service=_service(metadata, spec),
        host_network=spec.get("hostNetwork") is True,
        ports=tuple(sorted(ports)),
        node=text_at(spec, "nodeName"),
    )


def held(pod: JsonObject, known: Facts, seen_at: int | None) -> list[Held] | str:
    """What the pod held, or the reason why that cannot be said.

    A host-network pod has the node's address in common with others: it holds the ports that it declares, and nothing
    else of it.

    Args:
        pod: a pod object, or the part of it that a patch has.
        known: its facts.
        seen_at: a moment at which its kubelet wrote this status; None where the object came otherwise.
    """
    status = object_at(pod, "status")
    addresses = _addresses(status)
    if not addresses:
        return "no_address"
    host_network = known.host_network
    if host_network is None:
        hosts = {text_at(status, "hostIP"), *(text_at(entry, "ip") for entry in objects_at(status, "hostIPs"))} - {None}
        if not hosts:
            return "host_network_unknown"
        host_network = not hosts.isdisjoint(addresses)
    interval = _interval(status, object_at(pod, "metadata"), seen_at)
    if interval is None:
        return "no_proof"
    if host_network and not known.ports:
        return "host_network"
    ports: tuple[tuple[int, str] | tuple[None, None], ...] = known.ports if host_network else ((None, None),)
    return [Held(address, port, protocol, *interval) for address in addresses for port, protocol in ports]


def _addresses(status: JsonObject) -> list[str]:
    """All addresses of a dual-stack pod; entries of a patch that take one away are none."""
    entries = [entry for entry in objects_at(status, "podIPs") if "$patch" not in entry]
    found = [address for entry in entries if (address := text_at(entry, "ip"))]
    single = text_at(status, "podIP")
    return found or ([single] if single else [])


def _interval(status: JsonObject, metadata: JsonObject, seen_at: int | None) -> tuple[int, int] | None:
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
    reported = [at for at in (*_written_by_kubelet(metadata), seen_at) if at is not None]
    if started:
        return _rounded(min(started), max([*started, *_true_since(status), *reported]))
    return (max(reported), max(reported)) if reported else None


def _rounded(start: int, end: int) -> tuple[int, int]:
    return min(start + _SECOND, max(start, end)), max(start, end)


def _true_since(status: JsonObject) -> Iterator[int]:
    for condition in objects_at(status, "conditions"):
        if condition.get("type") in _PROVING and condition.get("status") == "True":
            at = _instant(condition, "lastTransitionTime")
            if at is not None:
                yield at


def _written_by_kubelet(metadata: JsonObject) -> Iterator[int | None]:
    """When the pod's kubelet last changed the status, which is then what it saw."""
    for entry in objects_at(metadata, "managedFields"):
        if entry.get("manager") == "kubelet" and entry.get("subresource", "status") == "status":
            yield _instant(entry, "time")


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


def _number(value: Json) -> int | None:
    """The value if it is a whole number of at most 32 bits; validation tells whether it is a port."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31 else None


def _instant(value: JsonObject, key: str) -> int | None:
    """The time under a key, microseconds; None if there is none."""
    found = text_at(value, key)
    return None if found is None else instant(found)
