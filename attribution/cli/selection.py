"""The options that choose flows, shared by the verbs that ask about many of them."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from attribution.config import parse_duration
from attribution.core.reasons import METHODS, REASONS
from attribution.query.lake.filters import Filters

#: The lake, as the first argument of a verb. Whether it is one is for the library to say, which says it better.
lake_argument = click.argument("lake", type=click.Path(path_type=Path))

_OPTIONS = (
    click.option(
        "-w",
        "--window",
        metavar="FROM..TO",
        help="Only flows that start in it: ISO 8601 (UTC), or back from the last flow, like -1h..",
    ),
    click.option(
        "--service",
        "services",
        multiple=True,
        metavar="GLOB",
        help="Either end's service, with * and ?; repeatable, any of them.",
    ),
    click.option("--port", "ports", multiple=True, type=int, help="The server's port; repeatable."),
    click.option(
        "--protocol", "protocols", multiple=True, metavar="NAME|NUMBER", help="Like tcp, udp or 47; repeatable."
    ),
    click.option("--region", "regions", multiple=True, metavar="GLOB", help="Where the flow was logged; repeatable."),
    click.option(
        "--data-centre", "data_centres", multiple=True, metavar="GLOB", help="Where the flow was logged; repeatable."
    ),
    click.option(
        "--method",
        "methods",
        multiple=True,
        type=click.Choice(list(METHODS)),
        metavar="METHOD",
        help="Where either end's answer came from: " + ", ".join(METHODS) + "; repeatable.",
    ),
    click.option(
        "--reason",
        "reasons",
        multiple=True,
        type=click.Choice(list(REASONS)),
        metavar="REASON",
        help="Why either end was attributed so, or not: " + ", ".join(REASONS) + "; repeatable.",
    ),
    click.option(
        "--clients-by-port",
        is_flag=True,
        help="Where no log says who opened a flow, guess: the lower port is the server's.",
    ),
)


hostnames_option = click.option(
    "--hostnames",
    is_flag=True,
    help="Show unattributed ends, and those at addresses of pools, under the hostname that clients used, if known.",
)


def duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A duration as an option's callback reads it, in microseconds; None stays None."""
    return None if value is None else parse_duration(value)


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a selection, as the arguments `window`, `filters` and `clients_by_port`."""

    @functools.wraps(function)
    def wrapped(
        *args: Any,
        services: tuple[str, ...],
        ports: tuple[int, ...],
        protocols: tuple[str, ...],
        regions: tuple[str, ...],
        data_centres: tuple[str, ...],
        methods: tuple[str, ...],
        reasons: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        filters = Filters(
            services=services,
            ports=ports,
            protocols=protocols,
            regions=regions,
            data_centres=data_centres,
            methods=methods,
            reasons=reasons,
        )
        return function(*args, filters=filters, **kwargs)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
