"""What the questions about stray and stale traffic share: networks of clients, and lists that are cut short."""

from collections.abc import Sequence

import click

from attribution.cli.render.measures import format_count

clients_option = click.option(
    "--clients", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
    help="How many networks of clients to show for each.",
)  # fmt: skip


def first_names(names: Sequence[str], whole: int | None = None) -> str | None:
    """The first names, and how many more there are."""
    more = (len(names) if whole is None else whole) - len(names[:2])
    return ", ".join(names[:2]) + (f" +{format_count(more)}" if more else "") or None
