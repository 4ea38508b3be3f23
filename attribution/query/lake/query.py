"""Questions in SQL, each a file of its own beside the module that asks it."""

import re
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

_COMMENT = re.compile(r"--.*")
_PARAMETER = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True)
class Query:
    """The SQL of a file, with the queries that it reads put before it.

    Attributes:
        package: the package of the module that asks, its `__package__`: the file lies in the folder `sql` there.
        name: of the file, without `.sql`; queries that stand on this one read it as a table of this name.
        standing_on: the queries that the file reads as tables. What these stand on is found through them.
    """

    package: str
    name: str
    standing_on: tuple["Query", ...] = ()

    @cached_property
    def sql(self) -> str:
        """One statement without comments, with every query that it stands on as a table of its name."""
        below = self._below()
        if not below:
            return self._text
        # Never materialised: DuckDB then reads only the columns and the files that the question as a whole needs.
        parts = [f"{query.name} AS NOT MATERIALIZED (\n{query._text}\n)" for query in below]  # noqa: SLF001 - its own
        return f"WITH {', '.join(parts)}\nSELECT * FROM (\n{self._text}\n)"

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names that the statement binds, without their dollar sign."""
        return frozenset(_PARAMETER.findall(self.sql))

    @cached_property
    def _text(self) -> str:
        # Without comments, a name after a dollar sign is a parameter that must be bound.
        text = resources.files(self.package).joinpath("sql", f"{self.name}.sql").read_text(encoding="utf-8")
        return _COMMENT.sub("", text).strip()

    def _below(self) -> tuple["Query", ...]:
        """All that it stands on, the lowest first, each once."""
        found: dict[Query, None] = {}
        for query in self.standing_on:
            found |= dict.fromkeys((*query._below(), query))  # noqa: SLF001 - its own
        return tuple(found)
