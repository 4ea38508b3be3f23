"""Groups of commands that suggest what a mistyped command may mean, and commands whose bad values are usage errors."""

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from attribution.errors import BadValueError, ConfigError, near_words

_Command = TypeVar("_Command", bound=click.Command)


def did_you_mean(given: str, known: Iterable[str], *, every: bool = False) -> str:
    """The end of a message about an unknown word: the nearest known words, or all of them where none is near.

    Args:
        given: the unknown word.
        known: the words that there are.
        every: list all words in their order, behind those that are near.
    """
    names = list(known) if every else sorted(known)
    near = near_words(given.lower(), names)
    near += [name for name in names if name.startswith(given.lower()) and name not in near]
    hint = f"did you mean {' or '.join(near)}?" if near else ""
    listed = f"choose {', '.join(names)}" if every or not near else ""
    return "; ".join(filter(None, (hint, listed)))


class SuggestingGroup(click.Group):
    """A group that answers an unknown command with the nearest commands that there are; the exit status is 2."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names.

        Raises:
            click.UsageError: there is no such command.
        """
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise click.UsageError(f"no such command {name!r}: {did_you_mean(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def prepared(command: _Command) -> _Command:
    r"""A copy of the command as the command line runs it, with all its parts.

    - Paragraphs of help that start with `\b` keep their line ends: raw docstrings spell the mark that click looks for.
    - A value or setting that cannot be read, or does not fit, is a usage error, with usage and a hint to `--help`. The
      exit status is 2.
    """
    made = copy.copy(command)
    # Click keeps the help option that a command was first asked for, whoever asked: that of the group has -h as well.
    made._help_option = None  # noqa: SLF001
    made.help = (command.help or "").replace("\\b\n", "\b\n")
    if isinstance(made, click.Group):
        made.commands = {name: prepared(part) for name, part in made.commands.items()}
    elif made.callback is not None:
        made.callback = _with_usage_errors(made.callback)
    return made


def _with_usage_errors(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def wrapped(*args: object, **given: object) -> object:
        try:
            return callback(*args, **given)
        except (BadValueError, ConfigError) as error:
            raise click.UsageError(str(error)) from error

    return wrapped
