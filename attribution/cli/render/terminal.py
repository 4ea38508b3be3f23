"""Text to standard output and standard error: what does not print is shown as its escape, and nothing fails twice.

Names of files, and values of logs, stand in what is said. A terminal would obey control characters in them.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import click

from attribution.cli.render.measures import visible
from attribution.errors import AttributionError

#: What click raises for a group without a verb, with the help as its message; before 8.2 click wrote the help itself.
_NO_VERB: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class OutputError(AttributionError):
    """The answer cannot be written where it was to go."""


def answer(text: str) -> None:
    """Write text to standard output as it is. If its reader has left, as `head` does, nothing more is written.

    Raises:
        OutputError: it cannot be written.
    """
    if sys.stdout is None:
        raise OutputError("cannot write to standard output: it is closed; open it, or name a file with --output")
    try:
        # Bytes that are no UTF-8, as in names of files, are lone surrogates here.
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
    except OSError as error:
        _give_up(sys.stdout)
        if error.errno != errno.EPIPE:
            raise OutputError(f"cannot write to standard output: {error.strerror or error}; make room") from error


def tell(*lines: str) -> None:
    """Write lines to standard output about work that is done; if that cannot be, standard error says so."""
    with work_is_done():
        answer("".join(f"{visible(line)}\n" for line in lines))


def say(text: str) -> None:
    """Write a line to standard error, if anybody listens there."""
    with suppress(OSError):
        click.echo(visible(text).encode("utf-8", "backslashreplace"), err=True)
        return
    _give_up(sys.stderr)


def complain(error: AttributionError) -> None:
    """Say on standard error what is wrong."""
    first, *others = str(error).split("\n") if error.in_lines else [str(error)]
    for line in (f"attribution: {first}", *others):
        say(line)


def complain_of_usage(error: click.ClickException) -> None:
    """Say on standard error what is wrong with a command, with its usage; of a group without a verb, its help."""
    if isinstance(error, _NO_VERB):
        for line in error.format_message().split("\n"):
            say(line)
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        for line in error.ctx.get_usage().split("\n"):
            say(line)
        if error.ctx.command.get_help_option(error.ctx) is not None:
            say(f"Try '{error.ctx.command_path} {max(error.ctx.help_option_names, key=len)}' for help.")
            say("")
    say(f"Error: {error.format_message()}")


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Inside of it help is written: a reader that has left, as `head` does, has all that it wants.

    Raises:
        click.exceptions.Exit: the reader has left.
    """
    try:
        yield
    except BrokenPipeError:
        _give_up(sys.stdout)
        raise click.exceptions.Exit(0) from None


def keep_descriptors() -> None:
    """If a standard stream is closed, keep its descriptor from a file that is opened later."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number == 0 else os.O_RDONLY)


@contextmanager
def work_is_done() -> Iterator[None]:
    """Inside of it only words about the work are written: if they cannot be, the work is done all the same."""
    try:
        yield
    except OutputError as error:
        say(f"attribution: the work is done, but {error}")


def _give_up(stream: IO[str]) -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
