"""Parameters of simulations: their kinds, their bounds, and how `--set name=value` changes them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, TypeVar

from attribution.config import MINUTE, SECOND, format_duration, parse_duration
from attribution.errors import ConfigError, near_words

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Parameters = TypeVar("Parameters", bound=DataclassInstance)


def a_duration(default: int) -> int:
    """A field whose value is a duration: microseconds, written as text on the command line."""
    return field(default=default, metadata={"duration": True})


def a_share(default: float) -> float:
    """A field whose value is a share between 0 and 1."""
    return field(default=default, metadata={"share": True})


@dataclass(frozen=True, kw_only=True)
class SocketParameters:
    """What happens to the sockets of connections, and what reports say of it.

    Attributes:
        linger_share: share of the connections to owners of ports that go on after their server's tenure, if the server
            still has them when its tenure ends. The old process keeps them; the port is soon a successor's.
        linger: mean time for which these go on.
        linger_windows_share: share of those of which a log writes windows that go on as well. No attribution by
            heartbeats is sound then: see `docs/simulation.md`.
        node_port_reuse: share of the connections from owners of ports that leave from a port which the node gives out
            per connection, from 1024 on, and gives out again after `nat_reuse_pause`.
        nat_share: share of services whose connections leave through a translator; the far side sees its address.
        nat_gateways: translators of each region, each with one address.
        nat_reuse_pause: mean time after a connection until its translated port is given to the next one.
        nat_first_port: the first port that translators give out.
        node_port_share: share of services that clients reach at a port of any node. A balancer passes the port on.
        service_address_share: share of services that clients know by a virtual address. Logs that know their local
            workload show both that address and the server's.
        equal_counters_share: share of connections that carry the same bytes both ways, as health checks do.
        undirected_share: share of hosts whose logs do not say who opened a connection.
        flow_loss: share of flows that are never reported.
        port_heartbeat_loss: share of the heartbeats of ports that are lost, besides `heartbeat_loss`. The first one of
            each node is never lost then: an address of which no port is heard is taken for a single workload's.
    """

    linger_share: float = a_share(0.0)
    linger: int = a_duration(5 * MINUTE)
    linger_windows_share: float = a_share(0.0)
    node_port_reuse: float = a_share(0.0)
    nat_share: float = a_share(0.0)
    nat_gateways: int = 2
    nat_reuse_pause: int = a_duration(2 * SECOND)
    nat_first_port: int = 32_768
    node_port_share: float = a_share(0.0)
    service_address_share: float = a_share(0.0)
    equal_counters_share: float = a_share(0.0)
    undirected_share: float = a_share(0.0)
    flow_loss: float = a_share(0.0)
    port_heartbeat_loss: float = a_share(0.0)


def check(parameters: "DataclassInstance", never_zero: Iterable[str]) -> None:
    """Hold parameters to their bounds: none is negative, no share above 1, `never_zero` not zero.

    Raises:
        ConfigError: one is out of its bounds.
    """
    for item in fields(parameters):
        value = getattr(parameters, item.name)
        if value < 0 or (item.metadata.get("share") and value > 1):
            bounds = "between 0 and 1" if item.metadata.get("share") else "zero or more"
            raise ConfigError(f"scenario: {item.name} must be {bounds}, found {value!r}")
    for name in never_zero:
        if not getattr(parameters, name):
            raise ConfigError(f"scenario: {name} must be more than zero")


def check_skew(max_skew: int, clock_tolerance: int) -> None:
    """Hold the clocks' largest error to what two of them may differ by.

    Raises:
        ConfigError: two clocks could differ by more than the tolerance.
    """
    if 2 * max_skew > clock_tolerance:
        raise ConfigError(
            f"scenario: max_skew ({format_duration(max_skew)}) must be at most half of clock_tolerance "
            f"({format_duration(clock_tolerance)}): two clocks may be off in opposite directions"
        )


def as_dict(parameters: "DataclassInstance") -> dict[str, object]:
    """Every parameter, durations as text that `--set` reads back."""
    texts = {item.name for item in fields(parameters) if item.metadata.get("duration")}
    return {k: format_duration(v) if k in texts else v for k, v in asdict(parameters).items()}


def overridden(preset: "Parameters", overrides: tuple[str, ...]) -> "Parameters":
    """The preset, changed by overrides such as `"heartbeat_loss=0.3"` or `"duration=2h"`.

    Raises:
        ConfigError: there is no such parameter, or a value does not fit.
    """
    kinds = {item.name: item for item in fields(preset)}
    values: dict[str, object] = {}
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or key not in kinds:
            near = near_words(key, kinds)
            rather = f"; did you mean {' or '.join(near)}?" if near else ""
            known = ", ".join(sorted(kinds))
            raise ConfigError(f"cannot set {override!r}: write NAME=VALUE with one of the parameters {known}{rather}")
        values[key] = _read(key, text.strip(), kind=kinds[key].type, is_duration="duration" in kinds[key].metadata)
    return replace(preset, **values)


def _read(name: str, text: str, *, kind: object, is_duration: bool) -> int | float:
    if is_duration:
        return 0 if text == "0" else parse_duration(text)
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise ConfigError(f"cannot set {name}={text!r}: {name} is {what}") from None
