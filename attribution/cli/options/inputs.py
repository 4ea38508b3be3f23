"""The input as options of the command line: one option a kind of record."""

import functools
from collections.abc import Callable

import click

from attribution.records import BY_NAME
from attribution.sources.inputs import Inputs


def input_options(*kinds: str, required: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options for the paths of these kinds and for the format, as one argument `inputs` of the command function.

    Args:
        kinds: names of record kinds, in the order of the help text.
        required: the kind whose option must be given.
    """
    known = [BY_NAME[kind] for kind in kinds]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapped(*args: object, input_format: str | None, **kwargs: object) -> None:
            paths = {kind.plural: kwargs.pop(kind.plural) for kind in known}
            return function(*args, inputs=Inputs(format=input_format, **paths), **kwargs)  # type: ignore[arg-type]

        text = "Read everything as this format; recognised by content otherwise."
        decorated = click.option("--input-format", metavar="NAME", help=text)(wrapped)
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
