"""What CloudTrail's EC2 events say of addresses: each kind of event as gifts to and ends of owners.

Requests and responses are those of the EC2 interface as JSON. All of these shapes occur in logs:

- lists are wrapped in `items`, `item` or a type's name,
- one element may stand without its list,
- some calls are wrapped in `...Request` and `...Response`, and their requests write names with a capital.

A prefix that is delegated to an interface is its addresses, one by one. Of prefixes with more addresses than an
assignment can list (IPv6) nothing is said but that they were left out.
"""

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from attribution.sources.formats.cloudtrail.history import Assignment, Held, History, Origin, Owner
from attribution.sources.records.json_values import Json
from attribution.sources.records.model import Account

#: (kind of thing, its id): what an event must know before it says anything.
Key = tuple[str, str]

#: What an interface's description says it belongs to: pattern, kind, and the service, where group 1 names one.
#: A Lambda interface is shared by functions, and named after the first of them only: it names no service.
_DESCRIPTIONS = (
    (re.compile(r"ELB (?:(?:app|net|gwy)/)?([^/]+)"), "load_balancer"),
    (re.compile(r"Interface for NAT Gateway (nat-\w+)"), "nat_gateway"),
    (re.compile(r"VPC Endpoint Interface (vpce-\w+)"), "vpc_endpoint"),
    (re.compile(r"EFS mount target for (fs-\w+)"), "managed_service"),
    (re.compile(r"(RDS)NetworkInterface"), "managed_service"),
    (re.compile(r"(ElastiCache \S+)"), "managed_service"),
    (re.compile(r"Amazon (EKS \S+)"), "managed_service"),
    (re.compile(r"AWS Lambda VPC ENI"), "lambda"),
    (re.compile(r"aws-K8S-(i-\w+)"), "kubernetes_node"),
)
_TYPES = {"network_load_balancer": "load_balancer", "gateway_load_balancer": "load_balancer"}
_WRAPPED_LIST = re.compile(r"items?|\w+SetType")
#: Delegated prefixes: `ipv4PrefixSet`, `assignedIpv6PrefixSet`, `ipv4Prefixes`.
_PREFIXES = re.compile(r"(?:(?:un)?assigned)?ipv[46]Prefix(?:Set|es)", re.IGNORECASE)
#: The addresses of the largest prefix that is listed: one for IPv4 has 16.
_LISTED = 256
_WRAPPED_CALL = re.compile(r"\w+(Request|Response)")


class IncompleteError(Exception):
    """An event lacks what every event of its kind has."""


class LeftOutError(Exception):
    """CloudTrail has left out the request or the response that says what an event is about."""


@dataclass(frozen=True)
class Call:
    """One successful call: what was asked, what was answered, when (microseconds), and where it stands."""

    request: Json
    response: Json
    time: int
    origin: Origin

    @property
    def asked(self) -> Json:
        """The request; raises LeftOutError if it is not in the event."""
        return _left(self.request)

    @property
    def answered(self) -> Json:
        """The response; raises LeftOutError if it is not in the event."""
        return _left(self.response)


class Trail:
    """The events of one run, read in any order; keeps what later events need."""

    def __init__(self, account: Account) -> None:
        """Count in `account` the events that wait for what they need, for as long as they wait."""
        self._account = account
        self._history = History()
        self._waiting: defaultdict[Key, list[tuple[Origin, Callable[[], list[Assignment]]]]] = defaultdict(list)
        self._owners: dict[Key, Owner] = {}
        self._public: dict[Key, str] = {}
        self._associated: dict[Key, tuple[Held, Owner]] = {}
        self._interfaces_of: defaultdict[str, list[str]] = defaultdict(list)
        self._waits = 0
        # Events from which nothing follows yet, and those that still wait with a part from which something follows.
        self._silent: set[Origin] = set()
        self._spoken: set[Origin] = set()
        self._readers = {
            "CreateNetworkInterface": self._create_interface,
            "DeleteNetworkInterface": self._delete_interface,
            "AssignPrivateIpAddresses": self._add,
            "AssignIpv6Addresses": self._add,
            "UnassignPrivateIpAddresses": self._remove,
            "UnassignIpv6Addresses": self._remove,
            "RunInstances": self._run,
            "TerminateInstances": self._terminate,
            "AllocateAddress": self._allocate,
            "AssociateAddress": self._associate,
            "DisassociateAddress": self._disassociate,
            "CreateNatGateway": self._create_gateway,
            "DeleteNatGateway": self._delete_gateway,
        }

    def reads(self, event_name: str) -> bool:
        """Whether events of that name say anything of addresses."""
        return event_name in self._readers

    def read(self, event_name: str, call: Call) -> list[Assignment]:
        """The assignment events that follow from this event and those before it.

        An event from which nothing follows, and which waits for nothing, is counted as `no_address`, until something
        does follow from it.

        Raises:
            IncompleteError: the event does not say what it is about.
            LeftOutError: that was left out of the event.
        """
        waits = self._waits
        events = self._readers[event_name](call)
        told = {event.origin for event in events}
        if self._waits == waits and call.origin not in told:
            self._fall_silent(call.origin)
        elif self._waits != waits and call.origin in told:
            self._spoken.add(call.origin)
        self._account.skip("no_address", -len(told & self._silent))
        self._silent -= told
        return events

    def _create_interface(self, call: Call) -> list[Assignment]:
        interface = _member(call.answered, "networkInterface")
        name = _required(interface, "networkInterfaceId")
        owner = _interface_owner(interface, name)
        events = self._give(self._addresses(interface), owner, call)
        return events + self._learn_owner(("interface", name), owner)

    def _delete_interface(self, call: Call) -> list[Assignment]:
        return self._end(("interface", _required(call.asked, "networkInterfaceId")), call)

    def _add(self, call: Call) -> list[Assignment]:
        key = ("interface", _required(call.asked, "networkInterfaceId"))
        stated = _stated(call.request)
        addresses = self._addresses(call.response if stated else call.answered) or stated
        return self._when(key, call.origin, lambda: self._give(addresses, self._owners[key], call))

    def _remove(self, call: Call) -> list[Assignment]:
        key = ("interface", _required(call.asked, "networkInterfaceId"))
        addresses = list(dict.fromkeys([*self._addresses(call.request), *self._addresses(call.response)]))
        return self._when(
            key,
            call.origin,
            lambda: [
                event
                for held in _inside(addresses, self._owners[key])
                for event in self._history.take(held, self._owners[key], call.time, call.origin)
            ],
        )

    def _run(self, call: Call) -> list[Assignment]:
        events = []
        for name, instance in _named(call.answered, "instancesSet", "instanceId"):
            owner = Owner(name, "instance", _name_tag(instance), _text(instance, "vpcId"))
            addresses = self._addresses(instance)
            for interface in _items(_member(instance, "networkInterfaceSet")):
                addresses += self._addresses(interface)
                interface_name = _text(interface, "networkInterfaceId")
                if interface_name is None:
                    continue
                if _text(interface, "attachment", "deleteOnTermination") != "false":
                    self._interfaces_of[name].append(interface_name)
                events += self._learn_owner(("interface", interface_name), _interface_owner(interface, interface_name))
            events += self._give(list(dict.fromkeys(addresses)), owner, call)
            events += self._learn_owner(("instance", name), owner)
        return events

    def _terminate(self, call: Call) -> list[Assignment]:
        events = []
        for name, _ in _named(call.asked, "instancesSet", "instanceId"):
            events += self._end(("instance", name), call)
        return events

    def _allocate(self, call: Call) -> list[Assignment]:
        key = ("allocation", _required(call.answered, "allocationId"))
        self._public[key] = _required(call.answered, "publicIp")
        return self._learn(key)

    def _associate(self, call: Call) -> list[Assignment]:
        interface = _text(call.asked, "networkInterfaceId")
        key = ("interface", interface) if interface else ("instance", _required(call.asked, "instanceId"))
        owner = self._owners.get(key, Owner(key[1], "network_interface" if interface else "instance"))
        return self._give_public(call.request, _text(call.response, "associationId"), owner, call)

    def _disassociate(self, call: Call) -> list[Assignment]:
        key = ("association", _required(call.asked, "associationId"))
        return self._when(key, call.origin, lambda: self._history.take(*self._associated[key], call.time, call.origin))

    def _create_gateway(self, call: Call) -> list[Assignment]:
        gateway = _member(call.answered, "natGateway")
        name = _required(gateway, "natGatewayId")
        owner = Owner(name, "nat_gateway", _name_tag(gateway), _text(gateway, "vpcId"))
        events = self._learn_owner(("gateway", name), owner)
        for part in _items(_member(gateway, "natGatewayAddressSet")):
            private = _text(part, "privateIp")
            events += self._give([private] if private else [], owner, call)
            events += self._give_public(part, _text(part, "associationId"), owner, call)
        return events

    def _delete_gateway(self, call: Call) -> list[Assignment]:
        return self._end(("gateway", _required(call.asked, "natGatewayId")), call)

    def _give(self, addresses: list[str], owner: Owner, call: Call) -> list[Assignment]:
        held = _inside(addresses, owner)
        return [event for one in held for event in self._history.give(one, owner, call.time, call.origin)]

    def _give_public(self, named: Json, association: str | None, owner: Owner, call: Call) -> list[Assignment]:
        """Give the public address that `named` states, or that its allocation is known to have; none where neither."""
        stated, allocation = _text(named, "publicIp"), ("allocation", _text(named, "allocationId") or "")

        def give() -> list[Assignment]:
            held = Held(None, stated or self._public[allocation])
            events = self._history.give(held, owner, call.time, call.origin)
            if association is None:
                return events
            self._associated["association", association] = held, owner
            return events + self._learn(("association", association))

        if stated:
            return give()
        return self._when(allocation, call.origin, give) if allocation[1] else []

    def _end(self, key: Key, call: Call) -> list[Assignment]:
        def end() -> list[Assignment]:
            ended = [key[1], *self._interfaces_of.get(key[1], [])]
            return [e for owner in ended for e in self._history.end(owner, call.time, call.origin)]

        return self._when(key, call.origin, end)

    def _when(self, key: Key, origin: Origin, part: Callable[[], list[Assignment]]) -> list[Assignment]:
        """What `part` says, now or as soon as `key` is known."""
        if key in self._owners or key in self._public or key in self._associated:
            return part()
        self._waiting[key].append((origin, part))
        self._waits += 1
        self._account.skip(f"unknown_{key[0]}")
        return []

    def _learn_owner(self, key: Key, owner: Owner) -> list[Assignment]:
        self._owners.setdefault(key, owner)
        return self._learn(key)

    def _learn(self, key: Key) -> list[Assignment]:
        waiting = self._waiting.pop(key, [])
        self._account.skip(f"unknown_{key[0]}", -len(waiting))
        found = []
        for origin, part in waiting:
            events = part()
            if origin not in self._spoken and not any(event.origin == origin for event in events):
                self._fall_silent(origin)
            found += events
        return found

    def _fall_silent(self, origin: Origin) -> None:
        """Count an event from which nothing follows, once."""
        if origin not in self._silent:
            self._silent.add(origin)
            self._account.skip("no_address")

    def _addresses(self, holder: Json) -> list[str]:
        """Every address that an interface, an instance or an answer about one states, once each."""
        found = _stated(holder)
        for prefix in _prefixes(holder):
            addresses = _inside_of(prefix)
            if addresses is None:
                self._account.skip("wide_prefix")
            else:
                found += addresses
        return list(dict.fromkeys(found))


def unwrapped(call: Json) -> Json:
    """A request or response without the `...Request` or `...Response` around it."""
    if isinstance(call, dict):
        for name, inner in call.items():
            if _WRAPPED_CALL.fullmatch(name):
                return inner
    return call


def _inside(addresses: list[str], owner: Owner) -> list[Held]:
    """Addresses that the owner has inside of its network."""
    return [Held(owner.network, address) for address in addresses]


def _interface_owner(interface: Json, name: str) -> Owner:
    network, description = _text(interface, "vpcId"), _text(interface, "description") or ""
    for pattern, kind in _DESCRIPTIONS:
        if found := pattern.match(description):
            return Owner(name, kind, found[1] if pattern.groups else None, network)
    stated = _text(interface, "interfaceType") or "interface"
    kind = "network_interface" if stated == "interface" else _TYPES.get(stated, stated)
    return Owner(name, kind, _name_tag(interface), network)


def _left(part: Json) -> Json:
    """A request or a response that is in the event: CloudTrail leaves out what it finds too large."""
    if part is None or _text(part, "omitted") == "true":
        raise LeftOutError
    return part


def _stated(holder: Json) -> list[str]:
    """Every single address that an interface, an instance or an answer about one states, once each."""
    found = [_text(holder, "privateIpAddress"), _text(holder, "ipv6Address")]
    for name in ("privateIpAddressesSet", "assignedPrivateIpAddressesSet"):
        found += [_text(item, "privateIpAddress") for item in _items(_member(holder, name))]
    for name in ("ipv6AddressesSet", "assignedIpv6Addresses", "unassignedIpv6Addresses", "ipv6Addresses"):
        for item in _items(_member(holder, name)):
            found.append(item if isinstance(item, str) else _text(item, "ipv6Address"))
    return list(dict.fromkeys(address for address in found if address))


def _prefixes(holder: Json) -> list[str]:
    """Every prefix that is delegated to an interface."""
    lists = [inner for name, inner in holder.items() if _PREFIXES.fullmatch(name)] if isinstance(holder, dict) else []
    items = [item for inner in lists for item in _items(inner)]
    found = [
        item if isinstance(item, str) else _text(item, "ipv4Prefix") or _text(item, "ipv6Prefix") for item in items
    ]
    return [prefix for prefix in found if prefix]


def _inside_of(prefix: str) -> list[str] | None:
    """The addresses of a prefix, None if they are too many; what is no prefix stays, for validation to judge.

    >>> _inside_of("10.0.7.0/30"), _inside_of("2001:db8::/80"), _inside_of("prefix")
    (['10.0.7.0', '10.0.7.1', '10.0.7.2', '10.0.7.3'], None, ['prefix'])
    """
    try:
        network = ipaddress.ip_network(prefix)
    except ValueError:
        return [prefix]
    return None if network.num_addresses > _LISTED else [str(address) for address in network]


def _named(call: Json, listed: str, key: str) -> list[tuple[str, Json]]:
    """The things in a list of a call, each with its id.

    Raises:
        IncompleteError: there is none, or one has no id.
    """
    found = [(_required(one, key), one) for one in _items(_member(call, listed))]
    if not found:
        raise IncompleteError(f"no {key}")
    return found


def _name_tag(tagged: Json) -> str | None:
    """The `Name` tag; for instances of a group without one, the group's name."""
    tags = {_text(tag, "key"): _text(tag, "value") for tag in _items(_member(tagged, "tagSet"))}
    return tags.get("Name") or tags.get("aws:autoscaling:groupName")


def _items(value: Json) -> list[Json]:
    """The elements of a list in any of the wrappings of EC2's calls."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value:
        return []
    for name, inner in value.items():
        if _WRAPPED_LIST.fullmatch(name):
            return inner if isinstance(inner, list) else [inner]
    return [value]


def _required(value: Json, name: str) -> str:
    found = _text(value, name)
    if found is None:
        raise IncompleteError(f"no {name}")
    return found


def _member(value: Json, name: str) -> Json:
    if not isinstance(value, dict):
        return None
    return value.get(name, value.get(name[0].upper() + name[1:]))


def _text(value: Json, *path: str) -> str | None:
    """The text at a path, with booleans and numbers as JSON writes them; None where there is none."""
    for name in path:
        value = _member(value, name)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) and value != "" else None
