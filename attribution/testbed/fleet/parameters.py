"""Parameters of simulations: their kinds, their bounds, and how `--set name=value` changes them."""

from collections.abc import Iterable
from dataclasses import asdict, field, fields, replace
from typing import TYPE_CHECKING, TypeVar

from attribution.config import format_duration, parse_duration
from attribution.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Parameters = TypeVar("Parameters", bound=DataclassInstance)


def a_duration(default: int) -> int:
    """A field whose value is a duration: microseconds, written as text on the command line."""
    return field(default=default, metadata={"duration": True})


def a_share(default: float) -> float:
    """A field whose value is a share between 0 and 1."""
    return field(default=default, metadata={"share": True})


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
            raise ConfigError(
                f"cannot set {override!r}: write NAME=VALUE with one of the parameters {', '.join(sorted(kinds))}"
            )
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
