"""The option `--tz`, shared by the verbs that read or show times."""

import functools
from collections.abc import Callable
from datetime import tzinfo
from itertools import chain
from zoneinfo import available_timezones

import click
from click.shell_completion import CompletionItem

from attribution.errors import BadValueError
from attribution.query.lake.zones import find_zone, in_zone


class _Zone(click.ParamType):  # type: ignore[type-arg] # a class without parameters in older versions
    """A zone by its name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tzinfo:
        """The zone; `find_zone` says which names there are."""
        if isinstance(value, tzinfo):
            return value
        try:
            return find_zone(str(value))
        except BadValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names that begin so."""
        known = sorted(chain(("UTC", "local"), available_timezones() - {"UTC"}))
        return [CompletionItem(name) for name in known if name.lower().startswith(incomplete.lower())]


def timezone_option(function: Callable[..., None]) -> Callable[..., None]:
    """The option `--tz`: times without a zone are read in the zone, and tables show times in it."""

    @click.option(
        "--tz",
        "zone",
        type=_Zone(),
        metavar="ZONE",
        default="UTC",
        show_default=True,
        help="Read times without a zone, and show times in tables, in this zone: Europe/Berlin, local, UTC.",
    )
    @functools.wraps(function)
    def wrapped(*args: object, zone: tzinfo, **given: object) -> None:
        with in_zone(zone):
            function(*args, **given)

    return wrapped
