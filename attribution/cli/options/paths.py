"""Paths as options: files and folders of this machine, and no URLs."""

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import click

#: The scheme of a URL has two letters at least; one is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def refuse_urls(paths: Iterable[str]) -> None:
    """Raise a usage error if one of the paths is a URL, or empty.

    Raises:
        click.UsageError: one is.
    """
    for path in paths:
        if _URL.match(path):
            raise click.UsageError(
                f"{path!r} is a URL, and only files and folders of this machine are read and written: "
                f"copy what is there to a folder, and name that. If it is a folder, name it {'./' + path!r}."
            )
        if not path:
            raise click.UsageError("a path is empty: name a file or a folder")


class LocalPath(click.Path):
    """A path as an option or argument, which becomes a `pathlib.Path`."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - what click.Path takes
        super().__init__(path_type=Path, **given)

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | PathLike[str]:
        """The path.

        Raises:
            click.UsageError: it is a URL, is empty, or is not what the option takes.
        """
        if isinstance(value, str):
            refuse_urls([value])
        return super().convert(value, param, ctx)
