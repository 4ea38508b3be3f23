"""Settings of attribution: one frozen object, checked when made, read from TOML, unknown keys refused."""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from attribution.errors import ConfigError, unknown_name

#: A time or a duration in whole microseconds; a time counts from 1970-01-01 UTC.
Microseconds = int

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_UNITS = {"us": 1, "ms": 1000, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": 24 * HOUR}
#: Settings that are lists of prefixes, and those of other forms; all others are durations.
_PREFIXES = ("workload_prefixes", "shared_prefixes", "translated_prefixes", "pool_prefixes", "named_prefixes")
_RESOLVERS, _PORTS, _ROUTES, _ONE_SPACE = "shared_resolvers", "ephemeral_ports", "routes", "one_space"
#: In a route, the network of evidence that names none.
NO_NETWORK = "-"
#: Tables of a settings file: of the rules, of the streaming job, of Kafka's clients. One file may hold all of them.
TABLES = ("attribution", "stream", "kafka")
_PORT_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d)\s*")


def parse_duration(text: str | int) -> Microseconds:
    """Microseconds of `"90s"`, `"3m"`, `"1.5h"`, `"2d"`, `"500ms"`; an integer is taken as microseconds.

    Raises:
        ConfigError: the text is no duration.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _DURATION.fullmatch(str(text))
    if not match:
        raise ConfigError(f"cannot read the duration {text!r}: write a number and a unit, like 90s, 3m, 1.5h or 2d")
    return round(float(match[1]) * _UNITS[match[2]])


def format_duration(microseconds: Microseconds) -> str:
    """The shortest exact text that `parse_duration` reads back: `180000000` is `3m`."""
    for unit in ("d", "h", "m", "s", "ms"):
        if microseconds and microseconds % _UNITS[unit] == 0:
            return f"{microseconds // _UNITS[unit]}{unit}"
    return f"{microseconds}us"


@dataclass(frozen=True)
class Route:
    """Two networks whose addresses reach each other; None is the network of evidence without one.

    Attributes:
        networks: the two, in any order.
        prefix: the addresses for which that holds, canonical text; None for all.
    """

    networks: tuple[str | None, str | None]
    prefix: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the rules of attribution leave open.

    Attributes:
        clock_tolerance: largest sum of two clocks' errors; a time is known to plus or minus this.
        max_gap: longest time between two heartbeats of a workload in which it is still trusted to hold the address.
        hold: how long after its end a flow waits for evidence that is still under way.
        retention: how long evidence counts; it bounds the state.
        workload_memory: how long after its last heartbeat an address still counts as a workload's, so that no event and
            no label may name it; no longer than `retention`.
        assignment_hold: how long after its end a flow waits, in a stream, for assignment events where no heartbeat
            answers; no shorter than `hold`.
        record_memory: how long, in a stream, a flow with a `record_id` is remembered after it has gone out, so that it
            does not go out again.
        max_lag: how long after its end a record may be received and still be judged, where the record shows that.
        active_timeout: longest time from a packet to the record that counts it, where a record shows only when it was
            exported. 0 if that is not known: such records are not judged.
        name_stretch: how long after its TTL a DNS answer may still be used by the client.
        connection_lifetime: how long a connection lasts at the most; a window may hold one opened so long before.
        workload_prefixes: addresses that are workloads even without a heartbeat; events and labels never name them.
        shared_prefixes: addresses that several workloads hold by port (nodes with host-network pods): there a flow is
            a heartbeat of its own port and protocol only.
        translated_prefixes: addresses behind which a translator has many workloads: shared, workload space, never
            answering as a whole, and every single port of them is one that connections are given.
        pool_prefixes: addresses that policies hand out, to any name: no heartbeat, event or label answers for them.
        named_prefixes: clients all of whose DNS answers are among the name bindings; only theirs name an address of
            `pool_prefixes`, which may be handed out for any other name as well.
        shared_resolvers: resolvers that ask for others, as `resolver=prefix`: what they are told, the clients in that
            prefix may be told.
        ephemeral_ports: ports that are given out per connection, and so to another workload within moments, as
            `first-last`; empty where there are none. Evidence of such a port is never joined over a gap.
        routes: pairs of networks whose addresses reach each other, as `network,network` or `network,network,prefix`;
            the network `-` is that of evidence without one.
        one_space: whether all networks are one address space, so that no rule asks for an address's network.
    """

    clock_tolerance: Microseconds = SECOND
    max_gap: Microseconds = 3 * MINUTE
    hold: Microseconds = 4 * MINUTE
    retention: Microseconds = 24 * HOUR
    workload_memory: Microseconds = 24 * HOUR
    assignment_hold: Microseconds = 4 * MINUTE
    record_memory: Microseconds = 15 * MINUTE
    max_lag: Microseconds = 5 * MINUTE
    active_timeout: Microseconds = 0
    name_stretch: Microseconds = MINUTE
    connection_lifetime: Microseconds = 24 * HOUR
    workload_prefixes: tuple[str, ...] = ()
    shared_prefixes: tuple[str, ...] = ()
    translated_prefixes: tuple[str, ...] = ()
    pool_prefixes: tuple[str, ...] = ()
    named_prefixes: tuple[str, ...] = ()
    shared_resolvers: tuple[str, ...] = ()
    ephemeral_ports: str = "32768-65535"
    routes: tuple[str, ...] = ()
    one_space: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in DURATIONS and (not isinstance(value, int) or value < 0):
                raise ConfigError(f"{field.name} must be a duration of zero or more, found {value!r}")
        if self.retention <= self.max_gap + 2 * self.clock_tolerance:
            raise ConfigError(
                f"retention ({format_duration(self.retention)}) must be longer than max_gap "
                f"({format_duration(self.max_gap)}) and twice clock_tolerance, or ranges are forgotten while they "
                "last; raise --retention, or lower --max-gap"
            )
        if self.max_gap < self.clock_tolerance:
            raise ConfigError(
                f"max_gap ({format_duration(self.max_gap)}) must be at least clock_tolerance "
                f"({format_duration(self.clock_tolerance)}): moments that close cannot be told apart; "
                "raise --max-gap, or lower --clock-tolerance"
            )
        if self.hold < self.max_gap + self.clock_tolerance:
            raise ConfigError(
                f"hold ({format_duration(self.hold)}) must be at least max_gap and clock_tolerance together "
                f"({format_duration(self.max_gap + self.clock_tolerance)}): a flow that is released earlier cannot "
                "know the heartbeat that bridges to it; raise --hold, or lower --max-gap"
            )
        for name in _PREFIXES:
            for prefix in getattr(self, name):
                try:
                    ipaddress.ip_network(prefix)
                except ValueError as error:
                    raise ConfigError(f"{name}: {prefix!r} is no prefix: {error}") from None
        _resolvers(self.shared_resolvers)
        _ports(self.ephemeral_ports)
        _routes(self.routes)
        if not isinstance(self.one_space, bool):
            raise ConfigError(f"one_space must be true or false, found {self.one_space!r}")

    @property
    def ports_of_connections(self) -> range:
        """The ports of `ephemeral_ports`."""
        return _ports(self.ephemeral_ports)

    @property
    def clients_of_resolvers(self) -> tuple[tuple[str, str], ...]:
        """(resolver, prefix of its clients) for each of `shared_resolvers`, canonical text."""
        return _resolvers(self.shared_resolvers)

    @property
    def network_routes(self) -> tuple["Route", ...]:
        """The routes, read."""
        return _routes(self.routes)

    @property
    def prefixes_held_by_port(self) -> tuple[str, ...]:
        """The prefixes of addresses that several workloads hold at once: shared and translated ones."""
        return self.shared_prefixes + self.translated_prefixes

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON-ready values, durations in microseconds."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, where: str = "settings") -> "Settings":
        """Settings of a mapping; durations may be text.

        Raises:
            ConfigError: a key is unknown or a value does not fit; the message names `where` it stood.
        """
        known = sorted(f.name for f in fields(cls))
        for name in sorted(set(values) - set(known)):
            raise ConfigError(unknown_name(where, "setting", name, known))
        return cls(**{name: read_setting(name, value, where=where) for name, value in values.items()})

    @classmethod
    def from_toml(cls, path: Path) -> "Settings":
        """Settings of a TOML file, which stand in its table `[attribution]`.

        Raises:
            ConfigError: the file cannot be read, is no TOML, or holds unknown or unfit settings.
        """
        return cls.from_dict(read_tables(path).get("attribution", {}), where=f"{path}, [attribution]")


#: The settings that are durations.
DURATIONS = frozenset(f.name for f in fields(Settings)) - {*_PREFIXES, _RESOLVERS, _PORTS, _ROUTES, _ONE_SPACE}


def read_setting(name: str, value: Any, *, where: str) -> Any:  # noqa: ANN401 - whatever a file holds
    """The value of a setting as `Settings` takes it; durations may be text.

    Raises:
        ConfigError: it is of another type; the message names `where` it stood.
    """
    if name in (_PORTS, _ONE_SPACE):
        return value
    if name in DURATIONS:
        try:
            return parse_duration(value)
        except ConfigError as error:
            raise ConfigError(f"{where}: {name}: {error}") from None
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ConfigError(f"{where}: {name} must be a list of texts, found {value!r}")


def _resolvers(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Resolver and prefix of each `resolver=prefix`.

    Raises:
        ConfigError: a text is none.
    """
    found = []
    for text in texts:
        resolver, _, prefix = text.partition("=")
        try:
            found.append((str(ipaddress.ip_address(resolver)), str(ipaddress.ip_network(prefix))))
        except ValueError as error:
            raise ConfigError(
                f"{_RESOLVERS}: write a resolver and the prefix of its clients, like 10.0.0.53=10.0.0.0/16; found "
                f"{text!r}: {error}"
            ) from None
    return tuple(found)


def _routes(texts: tuple[str, ...]) -> tuple[Route, ...]:
    """The route of each `network,network` or `network,network,prefix`.

    Raises:
        ConfigError: a text is none.
    """
    found = []
    for text in texts:
        parts = [part.strip() for part in text.split(",")]
        one, other = (None if part == NO_NETWORK else part for part in (*parts[:2], "", "")[:2])
        fault = None
        if len(parts) not in (2, 3) or not all(parts):
            fault = "there must be two networks, and at the most a prefix"
        elif one == other:
            fault = "the two networks must differ"
        try:
            prefix = str(ipaddress.ip_network(parts[2])) if not fault and len(parts) > 2 else None
        except ValueError as error:
            fault = str(error)
        if fault:
            raise ConfigError(
                f"{_ROUTES}: write two networks, and perhaps a prefix, like vpc-a,vpc-b,10.2.0.0/16; found {text!r}: "
                f"{fault}"
            )
        found.append(Route((one, other), prefix))
    return tuple(found)


def _ports(text: object) -> range:
    """The ports of `first-last`; none where the text is empty.

    Raises:
        ConfigError: it is neither.
    """
    if text == "":
        return range(0)
    match = _PORT_RANGE.fullmatch(text) if isinstance(text, str) else None
    if match is None or not int(match[1]) <= int(match[2]) <= 65535:
        raise ConfigError(f"{_PORTS} must be two ports like 32768-65535, or empty where there are none; found {text!r}")
    return range(int(match[1]), int(match[2]) + 1)


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of a TOML file of settings, by name.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or holds something else.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration {path} is no TOML: {error}") from None
    for name, table in document.items():
        if name not in TABLES or not isinstance(table, dict):
            known = ", ".join(f"[{one}]" for one in TABLES)
            raise ConfigError(f"{path}: unknown table or key {name!r}; settings stand in the tables {known}")
    return document


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
