"""The settings of the rules as options of the command line, over those of a file."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from attribution.config import Settings, format_duration

_DEFAULT = Settings()
#: Setting -> what the option's help says.
_DURATIONS = {
    "clock_tolerance": "Largest sum of two clocks' errors.",
    "max_gap": "Longest silence between two heartbeats that a workload is trusted to survive.",
    "hold": "How long after its end a flow waits for evidence.",
    "retention": "How long evidence counts.",
    "assignment_holdback": "How long a flow that only assignment events can answer waits for them.",
    "name_stretch": "How long after its TTL a DNS answer may still be in use.",
}


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the rules, as one argument `settings` of the decorated command function."""

    @functools.wraps(function)
    def wrapped(*args: Any, config: Path | None, workload_prefixes: tuple[str, ...], **kwargs: Any) -> Any:
        given = {name: value for name in _DURATIONS if (value := kwargs.pop(name)) is not None}
        if workload_prefixes:
            given["workload_prefixes"] = workload_prefixes
        base = Settings.from_toml(config) if config else _DEFAULT
        settings = Settings.from_dict(base.to_dict() | given, where="options")
        return function(*args, settings=settings, **kwargs)

    decorated: Callable[..., Any] = wrapped
    for name, text in reversed(_DURATIONS.items()):
        default = format_duration(getattr(_DEFAULT, name))
        option = "--" + name.replace("_", "-")
        decorated = click.option(option, name, metavar="DURATION", help=f"{text}  [default: {default}]")(decorated)
    decorated = click.option(
        "--workload-prefix",
        "workload_prefixes",
        multiple=True,
        metavar="CIDR",
        help="Addresses that are workloads even without a heartbeat; repeatable.",
    )(decorated)
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="TOML file with a table [attribution] of settings; options win over it.",
    )(decorated)
