"""What a Kubernetes pod object proves about its address: who held it, and from when to when at the least.

A pod object has no time of its own; a list least of all. What is certain is inside: while a container runs, its pod
has the address that the same status reports, for a new address takes a new sandbox and that takes new containers. So
the interval goes from the start of a container that still runs to the last moment at which the status is known to be
true. In a terminal phase the address is free, whenever the object may be deleted: the interval ends with the last
container.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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


def facts(pod: Mapping[str, Any]) -> Facts:
    """The facts of a pod object that has its `spec`."""
    spec, metadata = _of(pod, "spec"), _of(pod, "metadata")
    ports = {
        (number, _text(port.get("protocol")) or "TCP")
        for container in [*_list(spec, "containers"), *_list(spec, "initContainers")]
        for port in _list(container, "ports")
        if isinstance(number := port.get("hostPort") or port.get("containerPort"), int)
    }
    return Facts(
        service=_service(metadata, spec),
        host_network=spec.get("hostNetwork") is True,
        ports=tuple(sorted(ports)),
        node=_text(spec.get("nodeName")),
    )


def held(pod: Mapping[str, Any], known: Facts, seen_at: int | None) -> list[Held] | str:
    """What the pod held, or the reason why that cannot be said.

    A host-network pod has the node's address in common with others: it holds the ports that it declares, and nothing
    else of it.

    Args:
        pod: a pod object, or the part of it that a patch has.
        known: its facts.
        seen_at: a moment at which its kubelet wrote this status; None where the object came otherwise.
    """
    status = _of(pod, "status")
    addresses = _addresses(status)
    if not addresses:
        return "no_address"
    host_network = known.host_network
    if host_network is None:
        hosts = {status.get("hostIP"), *(entry.get("ip") for entry in _list(status, "hostIPs"))} - {None}
        if not hosts:
            return "host_network_unknown"
        host_network = not hosts.isdisjoint(addresses)
    interval = _interval(status, _of(pod, "metadata"), seen_at)
    if interval is None:
        return "no_proof"
    if host_network and not known.ports:
        return "host_network"
    ports: tuple[tuple[int, str] | tuple[None, None], ...] = known.ports if host_network else ((None, None),)
    return [Held(address, port, protocol, *interval) for address in addresses for port, protocol in ports]


def _addresses(status: Mapping[str, Any]) -> list[str]:
    """All addresses of a dual-stack pod; entries of a patch that take one away are none."""
    entries = [entry for entry in _list(status, "podIPs") if "$patch" not in entry]
    found = [address for entry in entries if (address := _text(entry.get("ip")))]
    single = _text(status.get("podIP"))
    return found or ([single] if single else [])


def _interval(status: Mapping[str, Any], metadata: Mapping[str, Any], seen_at: int | None) -> tuple[int, int] | None:
    states = [_of(container, "state") for name in _STATUSES for container in _list(status, name)]
    started = [at for state in states if (at := _instant(_of(state, "running").get("startedAt"))) is not None]
    ended = [
        (last, first)
        for state in states
        if (last := _instant(_of(state, "terminated").get("finishedAt"))) is not None
        and (first := _instant(_of(state, "terminated").get("startedAt"))) is not None
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


def _true_since(status: Mapping[str, Any]) -> Iterator[int]:
    for condition in _list(status, "conditions"):
        if condition.get("type") in _PROVING and condition.get("status") == "True":
            at = _instant(condition.get("lastTransitionTime"))
            if at is not None:
                yield at


def _written_by_kubelet(metadata: Mapping[str, Any]) -> Iterator[int | None]:
    """When the pod's kubelet last changed the status, which is then what it saw."""
    for entry in _list(metadata, "managedFields"):
        if entry.get("manager") == "kubelet" and entry.get("subresource", "status") == "status":
            yield _instant(entry.get("time"))


def _service(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str | None:
    """`namespace/name` of what made the pod: the Deployment above a ReplicaSet, the CronJob above a Job."""
    space = _text(metadata.get("namespace"))
    name = _text(metadata.get("name"))
    owner = next((o for o in _list(metadata, "ownerReferences") if o.get("controller") is True), {})
    kind, owner_name = owner.get("kind"), _text(owner.get("name"))
    if kind == "Node":
        # A static pod is named for its node: kube-proxy-node1.
        name = name.removesuffix(f"-{spec.get('nodeName') or owner_name}") if name else None
    elif owner_name:
        name = owner_name
    template = _text(_of(metadata, "labels").get("pod-template-hash"))
    if name and kind == "ReplicaSet" and template:
        name = name.removesuffix(f"-{template}")
    elif name and kind == "Job":
        name = _RUN_OF_CRON_JOB.sub("", name)
    return f"{space}/{name}" if space and name else None


def _of(mapping: Any, key: str) -> Mapping[str, Any]:
    value = mapping.get(key) if isinstance(mapping, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _list(mapping: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = mapping.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(value: Any) -> int | None:
    return instant(value) if isinstance(value, str) else None
