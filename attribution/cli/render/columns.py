"""Which columns of an answer are written, if a person chooses them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import click
from click.shell_completion import CompletionItem

from attribution.cli.options.group import did_you_mean
from attribution.cli.render.tables import Column, Section


@dataclass(frozen=True)
class ChosenColumns:
    """The names of `--columns`.

    Attributes:
        names: in the order in which they are written; empty for the columns as they are.
        known: what else may be named: columns that not every answer of the verb has.
    """

    names: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None, known: Iterable[Column] = ()) -> "ChosenColumns":
        """The names in a list with commas.

        Raises:
            click.BadParameter: the list has no name.
        """
        names = tuple(dict.fromkeys(filter(None, map(str.strip, (text or "").split(",")))))
        if text is not None and not names:
            raise click.BadParameter("name columns, with commas between the names", param_hint="--columns")
        return cls(names, tuple(dict.fromkeys(column.name for column in known)))

    def rows(self, names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
        """Rows with the chosen columns alone.

        Raises:
            click.UsageError: no row can have one of the columns.
        """
        # What no row has could be a column of another answer of the verb: that is not known if there are no rows.
        self._check(names if rows else (*names, *self.known))
        chosen = self.names or tuple(names)
        return [{name: row.get(name) for name in chosen} for row in rows]

    def parts(self, parts: Sequence[Section | str]) -> list[Section | str]:
        """A document with the chosen columns alone.

        If a table has all of them, only such tables are left, else those that have any.

        Raises:
            click.UsageError: no table can have one of the columns.
        """
        if not self.names:
            return list(parts)
        sections = [part for part in parts if isinstance(part, Section)]
        self._check([*self.known, *(column.name for section in sections for column in section.columns)])
        shown = [part if isinstance(part, str) else self._of(part) for part in parts]
        most = max((len(part.columns) for part in shown if isinstance(part, Section)), default=0)
        whole = most == len(self.names)
        return [
            part
            for part in shown
            if isinstance(part, str) or (part.columns and (not whole or len(part.columns) == most))
        ]

    def _of(self, section: Section) -> Section:
        by_name = {column.name: column for column in section.columns}
        return replace(section, columns=[by_name[name] for name in self.names if name in by_name])

    def _check(self, names: Iterable[str]) -> None:
        known = dict.fromkeys(names)
        for name in self.names:
            if name not in known:
                raise click.UsageError(f"no such column {name!r}: {did_you_mean(name, known, every=True)}")


def complete_columns(known: Iterable[Column]) -> Callable[..., list[CompletionItem]]:
    """What completes the last name of a list with commas, for a shell."""
    names = tuple(dict.fromkeys(column.name for column in known))

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        head, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{head}{comma}{name}") for name in names if name.startswith(last)]

    return complete
