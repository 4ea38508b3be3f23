"""The settings of the rules as options of the command line, over those of a file."""

import functools
from collections.abc import Callable
from pathlib import Path

import click

from attribution.cli.options.paths import LocalPath
from attribution.config import Settings, format_duration
from attribution.origins import CONFIG_VARIABLE, PREFIX, Given, given_settings, settings_file, settings_of

_DEFAULT = Settings()
#: Setting -> what the option's help says.
_DURATIONS = {
    "clock_tolerance": "Largest sum of two clocks' errors.",
    "max_gap": "Longest silence between two heartbeats that a workload is trusted to survive.",
    "hold": "How long after its end a flow waits for evidence.",
    "retention": "How long evidence counts.",
    "workload_memory": "How long after its last heartbeat an address is a workload's, so that no event may name it.",
    "assignment_hold": "How long after its end a flow waits, in a stream, for assignment events.",
    "record_memory": "How long a stream remembers a flow that has gone out, by its `record_id`.",
    "max_lag": "How long after its end a record may be received and still be judged.",
    "active_timeout": "Active timeout of exporters whose records show the time of export only; 0s: not known.",
    "name_stretch": "How long after its TTL a DNS answer may still be in use.",
    "connection_lifetime": "Longest connection: a window may hold one that was opened so long before.",
}
_PREFIXES = {
    "shared_prefixes": "Addresses that workloads share: there a flow is a heartbeat of its own port and protocol.",
    "translated_prefixes": "Addresses behind which a translator has many workloads; every port of them is ephemeral.",
    "workload_prefixes": "Addresses that are workloads even without a heartbeat.",
    "pool_prefixes": "Addresses that policies hand out; no heartbeat, event or label answers for them.",
    "named_prefixes": "Clients all of whose DNS answers are among the name bindings.",
}

_RESOLVERS, _PORTS, _ROUTES, _ONE_SPACE = "shared_resolvers", "ephemeral_ports", "routes", "one_space"


def option_of(name: str) -> str:
    """The option of a setting; that of a list is called by one of its values."""
    for several, one in (("_prefixes", "_prefix"), ("_resolvers", "_resolver"), ("routes", "route")):
        name = name.removesuffix(several) + one if name.endswith(several) else name
    return "--" + name.replace("_", "-")


def settings_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the rules, as one argument `settings` of the decorated command function."""

    @functools.wraps(function)
    def wrapped(*args: object, given: dict[str, Given], config: Path | None, **more: object) -> None:  # noqa: ARG001
        function(*args, settings=settings_of(given), **more)

    return given_options(wrapped)


def given_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of the rules, as two arguments: `given`, what is given anywhere, and `config`, the settings file."""

    @functools.wraps(function)
    def wrapped(*args: object, config: Path | None, **given: object) -> None:
        names = (*_DURATIONS, *_PREFIXES, _RESOLVERS, _ROUTES, _ONE_SPACE)
        said = {name: value for name in names if (value := given.pop(name))}
        if (ports := given.pop(_PORTS)) is not None:
            said[_PORTS] = ports
        file = settings_file(config)
        found = given_settings(file, {name: Given(value, option_of(name)) for name, value in said.items()})
        function(*args, given=found, config=file, **given)

    decorated: Callable[..., None] = wrapped
    for name, text in reversed(_DURATIONS.items()):
        default = format_duration(getattr(_DEFAULT, name))
        decorated = click.option(option_of(name), name, metavar="DURATION", help=f"{text}  [default: {default}]")(
            decorated
        )
    for name, text in _PREFIXES.items():
        decorated = click.option(option_of(name), name, multiple=True, metavar="CIDR", help=f"{text} Repeatable.")(
            decorated
        )
    text = "A resolver that asks for all clients in a prefix. Repeatable."
    decorated = click.option(option_of(_RESOLVERS), _RESOLVERS, multiple=True, metavar="ADDRESS=CIDR", help=text)(
        decorated
    )
    text = "Two networks whose addresses reach each other, perhaps in a prefix only. Repeatable."
    decorated = click.option(option_of(_ROUTES), _ROUTES, multiple=True, metavar="NETWORK,NETWORK[,CIDR]", help=text)(
        decorated
    )
    text = "All networks are one address space: no rule asks for an address's network."
    decorated = click.option(option_of(_ONE_SPACE), _ONE_SPACE, is_flag=True, help=text)(decorated)
    text = "Ports that are given out per connection; '' for none."
    shown = f"{text}  [default: {_DEFAULT.ephemeral_ports}]"
    decorated = click.option(option_of(_PORTS), _PORTS, metavar="FIRST-LAST", help=shown)(decorated)
    return click.option(
        "--config",
        type=LocalPath(exists=True, dir_okay=False),
        help=f"TOML file with a table [attribution] of settings. Options win over variables {PREFIX}…, and these over "
        f"the file.  [default: {CONFIG_VARIABLE}]",
    )(decorated)
