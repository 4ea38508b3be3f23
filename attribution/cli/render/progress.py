"""A line on the terminal that says how far a run is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from attribution.replay import Report


class _Done(ProgressColumn):
    """The share that is done and the time left, where these are known."""

    def render(self, task: Task) -> Text:
        """As `40 %, 0:01:10 left`."""
        if task.total is None:
            return Text("")
        left = task.time_remaining
        return Text(f"{task.percentage:.0f} %" + ("" if left is None else f", {timedelta(seconds=int(left))} left"))


@contextmanager
def progress_line() -> Iterator[Report | None]:
    """A line on the terminal that says how far the run is; None where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _Done(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}
        shown = 0.0

        def report(phase: str, rows: int, share: float | None) -> None:
            nonlocal shown
            if phase not in tasks:
                for before in tasks.values():
                    bar.update(before, total=1, completed=1)
                tasks[phase] = bar.add_task(phase, total=None, rows=rows)
            if time.monotonic() - shown > 0.1:  # a terminal is not read faster
                shown = time.monotonic()
                bar.update(tasks[phase], total=None if share is None else 1, completed=share or 0, rows=rows)

        yield report
