"""The next step of a search: when it begins, and the files that it is written to."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from attribution.cli.options.paths import LocalPath
from attribution.cli.render.output import Output
from attribution.query.attack.kary_search import Search
from attribution.query.attack.name_file import NameFile, write_assignment
from attribution.query.attack.plan import AttackPlan
from attribution.query.lake.times import parse_time


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """How a step is given out; made by `next_step_options`.

    Attributes:
        at: when its answers begin to be given, as a person writes it; None for now.
        assignment: a file for its names with their addresses; None for none.
    """

    at: str | None
    assignment: Path | None

    def write(self, plan: AttackPlan, search: Search, names: NameFile, path: Path) -> AttackPlan:
        """The plan with the search's next step, written to its file, and the names of that step to theirs."""
        start = datetime.now(UTC) if self.at is None else parse_time(self.at, last=None)
        grown = plan.with_step(search.step(), start)
        Output(format="json", path=path).json(grown.to_dict(names))
        if self.assignment is not None:
            write_assignment(grown.steps[-1].step, names, self.assignment)
        return grown


def next_step_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options `--at` and `--assignment`, as one argument `next_step` of the decorated command function."""

    @click.option(
        "--at", metavar="TIME", help="When the answers of the step begin to be given: ISO 8601.  [default: now]"
    )
    @click.option(
        "--assignment",
        type=LocalPath(dir_okay=False),
        help="Write the names of the step with their addresses to this file, a line each.",
    )
    @functools.wraps(function)
    def wrapped(*args: object, at: str | None, assignment: Path | None, **given: object) -> None:
        function(*args, next_step=NextStep(at=at, assignment=assignment), **given)

    return wrapped
