"""How a person points at one flow of a lake, in words that fit it, and how the lake says which flow it means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from attribution.errors import BadValueError
from attribution.query.explain.address_evidence import parse_address
from attribution.query.lake.times import from_microseconds, is_relative, parse_time
from attribution.query.lake.window import OPEN, Window

_ENDPOINT = re.compile(
    r"\[(?P<bracketed>[^\]]+)\](?::(?P<its_port>\d+))?|(?P<ipv4>[^:\[\]]+)(?::(?P<port>\d+))?|(?P<ipv6>.+)"
)
_FRACTION = re.compile(r"[.,](\d+)")


@dataclass(frozen=True, kw_only=True)
class FlowSelector:
    """What a person knows of a flow; None where they do not say.

    Attributes:
        local, remote: address and port of the endpoints.
        network: the network that the flow was seen in; `-` is none.
        starts: the flow starts in it.
    """

    local_address: str | None = None
    local_port: int | None = None
    remote_address: str | None = None
    remote_port: int | None = None
    network: str | None = None
    starts: Window = OPEN

    def __str__(self) -> str:
        ends = (
            ("local", _endpoint(self.local_address, self.local_port)),
            ("remote", _endpoint(self.remote_address, self.remote_port)),
            ("network", self.network),
            ("start", str(self.starts) if self.starts.start else None),
        )
        return ", ".join(f"{name} {text}" for name, text in ends if text)


def flow_key(row: Mapping[str, Any]) -> str:
    """A flow of the lake in the words that `parse_flow` takes; start is a time or microseconds."""
    start = row["start"] if isinstance(row["start"], datetime) else from_microseconds(row["start"])
    ends = (_endpoint(row[f"{side}_address"], row[f"{side}_port"]) for side in ("local", "remote"))
    return f"{','.join(str(end) for end in ends)},{start.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_flow(text: str, *, last: datetime | None) -> FlowSelector:
    """The selector that `LOCAL[:PORT],REMOTE[:PORT][,START]` means.

    Raises:
        QueryError: the text has another form, or a part of it cannot be read.
    """
    parts = text.split(",")
    if len(parts) not in (2, 3):
        raise BadValueError(
            f"cannot read the flow {text!r}: write LOCAL:PORT,REMOTE:PORT,START; ports and start may be left out"
        )
    return selector(local=parts[0], remote=parts[1], start=parts[2] if len(parts) == 3 else None, last=last)


def selector(
    *, local: str | None = None, remote: str | None = None, start: str | None = None, last: datetime | None
) -> FlowSelector:
    """A selector of text: endpoints `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`, the start as exact as it is written.

    Args:
        local: the endpoint on the observer's side.
        remote: the other one.
        start: ISO 8601, or a duration back from `last`. `10:00:05` fits every flow that starts in that second.
        last: start of the last flow.

    Raises:
        QueryError: an endpoint or the start cannot be read.
    """
    local_address, local_port = (None, None) if local is None else _parse_endpoint(local)
    remote_address, remote_port = (None, None) if remote is None else _parse_endpoint(remote)
    starts = OPEN
    if start is not None:
        first = parse_time(start, last=last)
        starts = Window(first, first + _precision(start))
    return FlowSelector(
        local_address=local_address,
        local_port=local_port,
        remote_address=remote_address,
        remote_port=remote_port,
        starts=starts,
    )


def _endpoint(address: str | None, port: int | None) -> str | None:
    if address is None or port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _parse_endpoint(text: str) -> tuple[str, int | None]:
    match = _ENDPOINT.fullmatch(text.strip())
    if match is None:
        raise BadValueError(f"cannot read the endpoint {text!r}: write ADDRESS, ADDRESS:PORT or [IPV6]:PORT")
    address = parse_address(match["bracketed"] or match["ipv4"] or match["ipv6"])
    port = match["its_port"] or match["port"]
    if port is not None and int(port) > 65535:
        raise BadValueError(f"cannot read the endpoint {text!r}: ports are 0 to 65535")
    return address, None if port is None else int(port)


def _precision(text: str) -> timedelta:
    """How long a stretch of time the text of a time stands for: `10:00` a minute, `10:00:00.5` a tenth of a second."""
    if is_relative(text):
        return timedelta(microseconds=1)
    fraction = _FRACTION.search(text)
    if fraction:
        return timedelta(microseconds=max(10 ** (6 - len(fraction[1])), 1))
    clock = re.split(r"[Tt ]", text.strip(), maxsplit=1)
    if len(clock) == 1:
        return timedelta(days=1)
    time = re.split(r"[Zz+-]", clock[1], maxsplit=1)[0]
    digits = len(time.replace(":", ""))
    return timedelta(hours=1) if digits <= 2 else timedelta(minutes=1) if digits <= 4 else timedelta(seconds=1)
