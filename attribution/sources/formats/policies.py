"""Policies, pools and socket rules as one document, TOML or JSON.

```toml
[pools]
edge = ["192.0.2.0/24", "2001:db8:0:1::/64"]
static = [{ prefix = "198.51.100.0/24", end = 2026-03-01T00:00:00Z }]

[[policies]]
name = "free accounts"
pool = "edge"
match = { account_type = "free", data_centre = ["ams", "fra"] }
ttl = "30s"
start = 2026-03-02T00:00:00Z

[[socket_rules]]
name = "web"
pool = "edge"
ports = [80, 443, "8000-8099"]
protocol = "tcp"
service = "frontend"
```

A pool is a list of prefixes, or of tables that say when each belongs to it. A policy names a pool, or has `prefixes` of
its own for a pool that no other shares; where `match` gives an attribute several values, any of them will do. A socket
rule has `prefixes` or the name of a pool, `ports` (all by default), one `protocol` or several (all by default), and may
say `data_centre`. Both may say `network`, `priority`, `start` and `end`.

It is configuration, so an entry that cannot be understood refuses the whole document: without one rule, the next one
would name another service.
"""

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from attribution.config import SECOND, parse_duration
from attribution.errors import ConfigError, SourceError
from attribution.schema import POLICY, SOCKET_RULE
from attribution.sources.json.documents import whole
from attribution.sources.records.json_values import typed_column
from attribution.sources.records.model import Account, Block, Format, Input
from attribution.sources.records.timestamps import instant

_TABLES = ("pools", "policies", "socket_rules")
_JSON = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"(?:pools|policies|socket_rules)"\s*:')
_TOML = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s*(?:#[^\n]*)?\n)*\s*\[{1,2}\s*(?:pools|policies|socket_rules)\b[^\n]*\]")
#: Whole numbers from here on do not fit a column.
_BEYOND = 1 << 63
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
#: First and last port of a range; the last of a single port is None.
_Ports: TypeAlias = tuple[int | None, int | None]
_ANY_PORT: _Ports = (None, None)
_VALIDITY = ("start", "end")
_POLICY_KEYS = ("name", "pool", "prefixes", "match", "network", "priority", "ttl", *_VALIDITY)
_RULE_KEYS = (
    *("name", "pool", "prefixes", "ports", "protocol", "service", "network", "priority", "data_centre"), *_VALIDITY,
)  # fmt: skip
#: Fields of a policy or a rule by name.
_Row: TypeAlias = dict[str, str | int | float | None]
_TYPES = {
    POLICY: {
        "policy": pa.string(),
        "pool": pa.string(),
        "network": pa.string(),
        "prefix": pa.string(),
        "match": pa.string(),
        "priority": pa.int64(),
        "ttl": pa.float64(),
        "start": pa.int64(),
        "end": pa.int64(),
    },
    SOCKET_RULE: {
        "rule": pa.string(),
        "network": pa.string(),
        "prefix": pa.string(),
        "port": pa.int64(),
        "last_port": pa.int64(),
        "protocol": pa.string(),
        "service": pa.string(),
        "priority": pa.int64(),
        "data_centre": pa.string(),
        "start": pa.int64(),
        "end": pa.int64(),
    },
}


#: Why a sound row carries no record.
_SKIPS = {
    "never_in_force": "A prefix that is of its pool at no time at which the policy or rule is in force.",
}


class Policies(Format):
    """Documents of policies, pools and socket rules, TOML or JSON."""

    name = "policies"
    how_to = "policies"
    shipped = False
    skips = _SKIPS

    def matches(self, head: bytes) -> bool:
        """Whether the content begins with one of the tables of such a document."""
        return bool(_JSON.match(head) or _TOML.match(head))

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """A policy for each prefix of its pool, a socket rule for each prefix, range of ports and protocol.

        The line is the number of the entry among those of its table.

        Raises:
            SourceError: it is neither TOML nor JSON, or an entry of it is not understood; the message says which.
        """
        document = _Document(data.name, _parsed(data))
        for kind, rows in ((POLICY, document.policies()), (SOCKET_RULE, document.socket_rules())):
            found = list(rows)
            kept = [(line, row) for line, row in found if _ever(row)]
            account.skip("never_in_force", len(found) - len(kept))
            if kept:
                values = {name: [row.get(name) for _, row in kept] for name in _TYPES[kind]}
                columns = {name: typed_column(values[name], of) for name, of in _TYPES[kind].items()}
                yield Block(kind, columns, data.name, np.array([line for line, _ in kept], np.int64))


def _parsed(data: Input) -> object:
    head = data.head().removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        text = whole(data).decode("utf-8-sig")
        return json.loads(text) if head.startswith(b"{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"cannot read the policies of {data.name}: {error}") from None


@dataclass(frozen=True)
class _Member:
    """A prefix of a pool, and when it is one (µs); None for always."""

    prefix: str
    start: int | None
    end: int | None


class _Entry:
    """One table of a document; says where it stands when something about it is wrong."""

    def __init__(self, where: str, values: object, keys: Sequence[str] | None) -> None:
        """Take the values of a table; `keys` are those that it may have, None for any."""
        self.where = where
        if not isinstance(values, dict):
            raise self.wrong(f"it must be a table, found {values!r}")
        self.values: dict[str, object] = values
        unknown = [] if keys is None else sorted(set(values) - set(keys))
        if keys is not None and unknown:
            raise self.wrong(f"unknown key {unknown[0]!r}; the keys are {', '.join(keys)}")

    def wrong(self, what: str) -> SourceError:
        """The error that says what is wrong with the entry."""
        return SourceError(f"cannot read {self.where}: {what}")

    def text(self, key: str, *, needed: bool = False) -> str | None:
        """The text under a key."""
        value = self.values.get(key)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not value:
            raise self.wrong(f"{key} must be a text, found {value!r}")
        return value

    def integer(self, key: str) -> int | None:
        """The whole number under a key."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _BEYOND:
            raise self.wrong(f"{key} must be a whole number, found {value!r}")
        return value

    def moment(self, key: str) -> int | None:
        """The time (µs) under a key: TOML's own, or ISO 8601 text; UTC where it has no zone."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        found = instant(value) if isinstance(value, str) else None
        if found is None:
            raise self.wrong(f"{key} must be a time like 2026-03-02T00:00:00Z, found {value!r}")
        return found

    def listed(self, key: str) -> list[object]:
        """The values under a key, of which there may be one without a list."""
        value = self.values.get(key)
        if value is None:
            return []
        found = value if isinstance(value, list) else [value]
        if not found:
            raise self.wrong(f"{key} is empty; leave it out where anything will do")
        return found


class _Document:
    """A document, taken apart."""

    def __init__(self, name: str, values: object) -> None:
        self._name = name
        self._tables = _Entry(name, values, _TABLES)
        pools = _Entry(f"{name}, pools", self._tables.values.get("pools", {}), None)
        self._pools = {pool: list(_members(pools, pool)) for pool in pools.values}

    def policies(self) -> Iterator[tuple[int, _Row]]:
        """The number of the entry and the fields of each policy."""
        for number, entry in self._entries("policies", _POLICY_KEYS):
            name = entry.text("name", needed=True)
            fields: _Row = {
                "policy": name,
                "pool": entry.text("pool") or name,
                "network": entry.text("network"),
                "priority": entry.integer("priority"),
                "ttl": _seconds(entry),
            }
            for member, match in itertools.product(self._prefixes(entry), _matches(entry)):
                yield number, fields | {"match": match} | _when(entry, member)

    def socket_rules(self) -> Iterator[tuple[int, _Row]]:
        """The number of the entry and the fields of each socket rule."""
        for number, entry in self._entries("socket_rules", _RULE_KEYS):
            fields: _Row = {
                "rule": entry.text("name", needed=True),
                "service": entry.text("service", needed=True),
                "network": entry.text("network"),
                "priority": entry.integer("priority"),
                "data_centre": entry.text("data_centre"),
            }
            ports = [_ports(entry, one) for one in entry.listed("ports")] or [_ANY_PORT]
            protocols: list[str | None] = [str(one) for one in entry.listed("protocol")]
            for member, (port, last), protocol in itertools.product(self._prefixes(entry), ports, protocols or [None]):
                yield number, fields | {"port": port, "last_port": last, "protocol": protocol} | _when(entry, member)

    def _entries(self, table: str, keys: tuple[str, ...]) -> Iterator[tuple[int, _Entry]]:
        found = self._tables.values.get(table, [])
        if not isinstance(found, list):
            raise self._tables.wrong(f"{table} must be a list of tables ([[{table}]]), found {found!r}")
        for number, values in enumerate(found, 1):
            yield number, _Entry(f"{self._name}, entry {number} of {table}", values, keys)

    def _prefixes(self, entry: _Entry) -> list[_Member]:
        pool = entry.text("pool")
        if "prefixes" in entry.values:
            if pool in self._pools:
                raise entry.wrong(f"it has prefixes of its own and those of the pool {pool!r}; give one of them")
            return list(_members(entry, "prefixes"))
        if pool not in self._pools:
            raise entry.wrong(f"there is no pool {pool!r}; the pools are {', '.join(self._pools) or 'none'}")
        return self._pools[pool]


def _members(entry: _Entry, key: str) -> Iterator[_Member]:
    for number, value in enumerate(entry.listed(key), 1):
        part = {"prefix": value} if isinstance(value, str) else value
        one = _Entry(f"{entry.where}, {key}, prefix {number}", part, ("prefix", *_VALIDITY))
        yield _Member(one.text("prefix", needed=True) or "", one.moment("start"), one.moment("end"))


def _when(entry: _Entry, member: _Member) -> _Row:
    """The prefix, and when both it is of the pool and the entry is in force."""
    start = [moment for moment in (entry.moment("start"), member.start) if moment is not None]
    end = [moment for moment in (entry.moment("end"), member.end) if moment is not None]
    return {"prefix": member.prefix, "start": max(start, default=None), "end": min(end, default=None)}


def _ever(row: _Row) -> bool:
    """Whether there is a moment at which the row is in force."""
    start, end = row["start"], row["end"]
    return not (isinstance(start, int) and isinstance(end, int)) or start <= end


def _matches(entry: _Entry) -> list[str | None]:
    """The `match` of each record that the entry makes: one for each choice of an attribute's values."""
    match = entry.values.get("match")
    if match is None or match == {}:
        return [None]
    if isinstance(match, str):
        return [match]
    if not isinstance(match, dict):
        raise entry.wrong(f"match must be a table of attributes, found {match!r}")
    choices = []
    for name, value in match.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, str | int) and "," not in str(one) for one in values):
            raise entry.wrong(f"match, {name}: a text without commas, or a list of them, found {value!r}")
        choices.append([f"{name}={one}" for one in values])
    return [",".join(chosen) for chosen in itertools.product(*choices)]


def _seconds(entry: _Entry) -> float | None:
    value = entry.values.get("ttl")
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        return parse_duration(value if isinstance(value, str | int) else str(value)) / SECOND
    except (ConfigError, OverflowError) as error:
        raise entry.wrong(f"ttl: {error}") from None


def _ports(entry: _Entry, value: object) -> _Ports:
    """First and last port of `443` or `8000-8099`."""
    found = _PORTS.fullmatch(str(value))
    if found is None or isinstance(value, bool):
        raise entry.wrong(f"ports must be numbers or ranges like 8000-8099, found {value!r}")
    return int(found[1]), None if found[2] is None else int(found[2])


FORMATS: tuple[Format, ...] = (Policies(),)
