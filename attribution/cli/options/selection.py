"""The options that choose flows, shared by the verbs that ask about many of them."""

import functools
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import click

from attribution.cli.options.paths import LocalPath
from attribution.cli.render.terminal import say
from attribution.config import parse_duration
from attribution.errors import ConfigError
from attribution.query.lake.names import unknown_filters
from attribution.query.lake.selection import Option, Selection, options_of
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_moment, is_relative
from attribution.query.lake.window import Window
from attribution.query.lake.zones import zone_name

#: The lake, as the first argument of a verb. Whether it is one is for the library to say, which says it better.
lake_argument = click.argument("lake", type=LocalPath())

_SINCE = click.option(
    "--since", metavar="TIME", help="Only flows that start at this time or later: as in --window, or now-1h."
)
_UNTIL = click.option("--until", metavar="TIME", help="Only flows that start before this time.")

_Command = Callable[..., None]


def duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """The callback of an option that takes a duration: microseconds; None stays None.

    Raises:
        click.BadParameter: the text is no duration.
    """
    try:
        return None if value is None else parse_duration(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


def selection_options(kind: type[Selection] = Selection) -> Callable[[_Command], _Command]:
    """The options of a selection, as one argument `selection` of the decorated command function.

    Args:
        kind: which selection; each of its fields that has an `Option` becomes an option.
    """
    options = options_of(kind)
    types = get_type_hints(kind)

    def decorate(function: _Command) -> _Command:
        @functools.wraps(function)
        def wrapped(*args: object, **given: object) -> None:
            chosen: dict[str, Any] = {name: given.pop(name) for name in options}
            since, until = given.pop("since"), given.pop("until")
            if since is not None or until is not None:
                if chosen["window"] is not None:
                    raise click.UsageError("--window says from when to when: leave out --since and --until.")
                chosen["window"] = f"{since or ''}..{until or ''}"
            function(*args, selection=kind(**chosen), **given)

        decorated: _Command = wrapped
        for name, option in reversed(options.items()):
            decorated = _click_option(name, option, types[name])(decorated)
            if name == "services":
                # They stand behind the window.
                decorated = _SINCE(_UNTIL(decorated))
        return decorated

    return decorate


def _click_option(name: str, option: Option, kind: object) -> Callable[[_Command], _Command]:
    """The option as click makes it: a flag for a bool, a repeatable option for a tuple."""
    flags = [flag for flag in (option.short, option.flag, name) if flag]
    if kind is bool:
        return click.option(*flags, is_flag=True, help=option.help)
    of = click.Choice(option.choices) if option.choices else int if get_args(kind)[:1] == (int,) else str
    many = getattr(kind, "__origin__", None) is tuple
    return click.option(*flags, multiple=many, type=of, metavar=option.metavar, help=option.help)


def counted_back(session: LakeSession, window: Window | str | None) -> str:
    """What a window that counts back means on the lake, for a person; empty for others.

    Raises:
        QueryError: the window cannot be read.
    """
    if not isinstance(window, str) or not any(map(is_relative, window.split(".."))):
        return ""
    found = session.window(window)
    start, end = (None if moment is None else format_moment(moment) for moment in (found.start, found.end))
    last = session.last_start()
    until = f"to {end}" if end else "on"
    from_last = f" (the last flow starts at {format_moment(last)})" if last else ""
    return f"window {window}: from {start or 'the first flow'} {until} {zone_name()}{from_last}"


def say_unknown_names(session: LakeSession, selection: Selection, *, empty: bool) -> None:
    """Refuse a filter by a name that the lake does not have; say on standard error if the window has no flow of it.

    If the window lies outside of the lake's flows, standard error says so.

    Args:
        session: the lake.
        selection: what was asked.
        empty: whether nothing was found.

    Raises:
        QueryError: a name is nowhere in the lake; the message says which names are near.
    """
    for elsewhen in unknown_filters(session, selection, empty=empty):
        say(f"attribution: {elsewhen}")
    extent, window = session.extent(), session.window(selection.window)
    if empty and extent.start and extent.end and not window.meets(extent):
        say(f"attribution: the flows of the lake start in {extent}, and none in {window}")
