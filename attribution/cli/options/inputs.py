"""The input as options of the command line: one option a kind of record."""

import functools
from collections.abc import Callable
from typing import Any

import click

from attribution.cli.options.group import did_you_mean
from attribution.cli.options.paths import refuse_urls
from attribution.records import BY_NAME
from attribution.sources import networks, registry, request_times
from attribution.sources.inputs import Inputs
from attribution.sources.mapping import given


def input_options(*kinds: str, required: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options for the paths of these kinds, their format, networks and times, as one argument `inputs` of the function.

    Args:
        kinds: names of record kinds, in the order of the help text.
        required: the kind whose option must be given.
    """
    known = [BY_NAME[kind] for kind in kinds]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(
            *args: object,
            input_format: str | None,
            network: tuple[str, ...],
            seen_at: tuple[str, ...],
            mapping: tuple[str, ...],
            **kwargs: object,
        ) -> None:
            paths: dict[str, Any] = {kind.plural: kwargs.pop(kind.plural) for kind in known}
            refuse_urls(path for given in paths.values() for path in given)
            _check_format(input_format)
            inputs = Inputs(format=input_format, networks=network, seen_at=seen_at, mappings=mapping, **paths)
            return function(*args, inputs=inputs, **kwargs)

        decorated = _source_options(wrapped)
        for kind in reversed(known):
            decorated = click.option(
                kind.option,
                kind.plural,
                multiple=True,
                required=kind.name == required,
                metavar="PATH",
                help=kind.given,
            )(decorated)
        return decorated

    return decorate


def paths_argument(function: Callable[..., None]) -> Callable[..., None]:
    """Paths of any kind, with format, networks and times, as one argument `inputs` that has them as flows."""

    @functools.wraps(function)
    def wrapped(
        *args: object,
        paths: tuple[str, ...],
        input_format: str | None,
        network: tuple[str, ...],
        seen_at: tuple[str, ...],
        mapping: tuple[str, ...],
        **kwargs: object,
    ) -> None:
        refuse_urls(paths)
        _check_format(input_format)
        inputs = Inputs(flows=paths, format=input_format, networks=network, seen_at=seen_at, mappings=mapping)
        return function(*args, inputs=inputs, **kwargs)

    return click.argument("paths", metavar="PATH...", nargs=-1, required=True)(_source_options(wrapped))


def _source_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say what sources do not say themselves."""
    text = "Read everything as this format; recognised by content otherwise."
    decorated = click.option("--input-format", metavar="NAME", help=text)(function)
    text = "Mapping file (TOML) of a table or of JSON that no format describes: its columns as fields. Repeatable."
    decorated = click.option("--mapping", multiple=True, metavar=given.SYNTAX, help=text)(decorated)
    text = "Network of what names none: of all inputs, of a kind (heartbeats=NAME), or of a path. Repeatable."
    decorated = click.option("--network", multiple=True, metavar=networks.SYNTAX, help=text)(decorated)
    text = "When the first request began whose answer is read, for lists of pods that do not say so. Repeatable."
    return click.option("--seen-at", multiple=True, metavar=request_times.SYNTAX, help=text)(decorated)


def _check_format(name: str | None) -> None:
    """Raise a usage error if there is no such format."""
    if name is not None and name not in registry.names():
        raise click.UsageError(f"there is no format {name!r}: {did_you_mean(name, registry.names())} (--input-format)")
