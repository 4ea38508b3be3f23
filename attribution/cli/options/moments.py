"""Times as options of verbs that have no lake to count back from."""

import click

from attribution.sources.records.timestamps import instant


def time_given(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """The callback of an option that takes a time: microseconds UTC; None stays None."""
    if value is None:
        return None
    moment_us = instant(value)
    if moment_us is None:
        raise click.BadParameter(f"{value!r} is no time; write ISO 8601, like 2026-03-02T10:00:00Z or 2026-03-02")
    return moment_us
