"""CloudTrail: which network interface, instance, NAT gateway or public address was given what, and until when.

| event | says |
|---|---|
| `CreateNetworkInterface` | the interface holds its private addresses |
| `AssignPrivateIpAddresses`, `AssignIpv6Addresses` and their opposites | the interface holds more, or fewer |
| `DeleteNetworkInterface` | it holds none any more |
| `RunInstances`, `TerminateInstances` | the instance holds the addresses it was launched with; none any more |
| `AllocateAddress`, `AssociateAddress`, `DisassociateAddress` | who holds a public address |
| `CreateNatGateway`, `DeleteNatGateway` | the gateway holds its public addresses, and its private ones where named |

All other events are skipped, and so are requests with an `errorCode`, which changed nothing (a dry run is one). The
load balancer, NAT gateway or service behind an interface is told by the interface's description. Every event is read,
kept for others, skipped or rejected, and counted.

Events of one minute are spread over files, so what is half known waits for its other half over the whole run, see
`sources.formats.cloudtrail.history`. What no event of the run tells stays open. An interface made before the
first file has a deletion but no addresses (`unknown_interface`). Public addresses that AWS itself hands to instances
and load balancers are in no event at all. Times are whole seconds by the control plane's clock.

The network of a private address is the VPC (`vpcId`) of its interface, instance or gateway; a public address has none.

Sources: "CloudTrail record contents" in the AWS CloudTrail User Guide; published logs for the shapes of requests and
responses. These are those of the EC2 interface, with lists wrapped in `items`, `item` or a type's name.
"""

import json
import re
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pyarrow as pa

from attribution.schema import ASSIGNMENT
from attribution.sources.formats.cloudtrail.events import Call, IncompleteError, LeftOutError, Trail, unwrapped
from attribution.sources.formats.cloudtrail.history import Assignment, Origin
from attribution.sources.json.documents import whole
from attribution.sources.json.entries import decoded_value, end_of_value
from attribution.sources.json.lines import first_object
from attribution.sources.json.objects import begins_json, begins_with
from attribution.sources.records.json_values import Json, JsonObject, text_at, typed_column
from attribution.sources.records.model import Account, Block, Format, Input, Reject
from attribution.sources.records.timestamps import instant

_BLOCK_BYTES = 4 << 20
_BLOCK_ROWS = 1 << 14
_SHOWN = 200

#: Where a document keeps its events: a file of a trail, the answer of `lookup-events`, or a plain list.
_OPENING = re.compile(r'(?:\{\s*"(?:Records|Events)"\s*:\s*)?\[')
_CLOSING = re.compile(r'\](?:\s*,\s*"\w+"\s*:\s*(?:"[^"]*"|null))*\s*\}?')
_EMPTY = re.compile(r'\s*\{\s*"Records"\s*:\s*\[\s*\]\s*\}\s*')
_BETWEEN = re.compile(r"[\s,]*")
_TEXTS = ("network", "address", "owner", "service", "kind", "action")
_TYPES = {name: pa.string() for name in _TEXTS} | {"time": pa.int64()}


#: Why a sound row carries no record.
_SKIPS = {
    "other_event": "An event that says nothing about addresses.",
    "request_failed": "A request with an error code, which changed nothing; a dry run is one.",
    "left_out": "An event whose request or response CloudTrail left out (`null`, or `omitted` as too large).",
    "no_address": "An event that gives or takes no address by itself; what it says is kept for those that need it.",
    "wide_prefix": "A prefix delegated to an interface with too many addresses to list: those of IPv6 have 2^48.",
    "unknown_interface": "An event about an interface that no event of the run made.",
    "unknown_instance": "An event about an instance that no event of the run launched.",
    "unknown_gateway": "A deleted NAT gateway that no event of the run made.",
    "unknown_allocation": "An association of a public address that no event of the run allocated.",
    "unknown_association": "A disassociation of what no event of the run associated.",
}


#: Keys of what is read; in an object without any, it stands in a wrapping.
_TELLING = ("Records", "Events", "CloudTrailEvent", "eventName", "detail")


class CloudTrail(Format):
    """CloudTrail logs: files of a trail, answers of `lookup-events`, and events as JSON lines."""

    name = "cloudtrail"
    how_to = "cloudtrail"
    skips = _SKIPS

    def matches(self, head: bytes) -> bool:
        """Whether this is JSON with CloudTrail's events, or a file of a trail that holds none."""
        text = head.decode("utf-8", "replace")
        if _EMPTY.fullmatch(text):
            return True
        if not begins_json(head):
            return False
        if '"CloudTrailEvent"' not in text and ('"eventName"' not in text or '"eventSource"' not in text):
            return False
        return begins_with(head, _TELLING)

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """The assignments that the events of this source complete; each with the place of the event that it is from."""
        trail = account.kept(lambda: Trail(account))
        found: list[Assignment] = []
        for number, event in _numbered_events(data, account):
            found += self._assignments(event, Origin(data.name, number), trail, account)
            if len(found) >= _BLOCK_ROWS:
                yield from _blocks(found)
                found = []
        yield from _blocks(found)

    def _assignments(self, event: Json, origin: Origin, trail: Trail, account: Account) -> list[Assignment]:
        event = _inner(event)
        name = event.get("eventName") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(name, str):
            self._reject(account, origin, "malformed", "no event of CloudTrail", event)
        elif not trail.reads(name) or event.get("eventSource") != "ec2.amazonaws.com":
            account.skip("other_event")
        elif event.get("errorCode"):
            account.skip("request_failed")
        elif (time := instant(str(event.get("eventTime")))) is None:
            self._reject(account, origin, "malformed", "no eventTime", event)
        else:
            request, answer = unwrapped(event.get("requestParameters")), unwrapped(event.get("responseElements"))
            try:
                return trail.read(name, Call(request, answer, time, origin))
            except LeftOutError:
                account.skip("left_out")
            except IncompleteError as error:
                self._reject(account, origin, "malformed", str(error), event)
        return []

    def _reject(self, account: Account, origin: Origin, reason: str, what: str, event: Json) -> None:
        try:
            found = f"{what}: {json.dumps(event)[:_SHOWN]}"
        except RecursionError:
            found = what
        account.reject(Reject(origin.source, origin.line, reason, found, ASSIGNMENT))


def _numbered_events(data: Input, account: Account) -> Iterator[tuple[int, Json]]:
    """The events of a source with their place: the line in JSON lines, else the position among all events."""
    first = first_object(data.head())
    if first is not None and b"\n" in data.head().strip() and _is_event(first):
        for first_line, block in data.lines(_BLOCK_BYTES):
            for number, line in enumerate(block.split(b"\n"), first_line):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:
                    found = f"{error}: {line.decode('utf-8', 'replace')[:_SHOWN]}"
                    account.reject(Reject(data.name, number, "malformed", found, ASSIGNMENT))
        return
    number = 0
    try:
        for number, event in enumerate(_listed_events(whole(data).decode("utf-8-sig", "replace")), 1):
            yield number, event
    except (ValueError, RecursionError) as error:
        found = f"broken JSON, left out from here on: {error}"
        account.reject(Reject(data.name, number + 1, "malformed", found, ASSIGNMENT))


def _listed_events(text: str) -> Iterator[Json]:
    """The events of documents that stand one after the other, one by one; one that cannot be read is its text."""
    at = _after(_BETWEEN, text, 0)
    while at < len(text):
        if (end := _after(_OPENING, text, at)) > at or (end := _after(_CLOSING, text, at)) > at:
            at = end
        else:
            event, at = _event(text, at)
            yield event
        at = _after(_BETWEEN, text, at)


def _event(text: str, at: int) -> tuple[Json, int]:
    try:
        return decoded_value(text, at)
    except (ValueError, RecursionError):
        end = end_of_value(text, at)
        if end == at:
            raise
        return text[at:end], end


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the pattern ends, if it stands at a position; else the position."""
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _is_event(line: JsonObject) -> bool:
    """Whether a line is one event, so that the source is JSON lines."""
    event = _inner(line)
    return isinstance(event, dict) and "eventName" in event


def _inner(event: Json) -> Json:
    """The event itself, without the envelope of EventBridge or of `lookup-events`."""
    if not isinstance(event, dict) or "eventName" in event:
        return event
    text = text_at(event, "CloudTrailEvent")
    if text is None:
        return event.get("detail", event)
    try:
        inner: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return inner


def _blocks(assignments: list[Assignment]) -> Iterator[Block]:
    """Assignments as blocks, one for each run from one source: what waited comes from an earlier one."""
    for source, run in groupby(assignments, key=lambda assignment: assignment.origin.source):
        rows = list(run)
        columns = {name: typed_column([getattr(row, name) for row in rows], _TYPES[name]) for name in _TYPES}
        yield Block(ASSIGNMENT, columns, source, np.array([row.origin.line for row in rows], np.int64))


FORMATS: tuple[Format, ...] = (CloudTrail(),)
