"""`attribution agility load`: the load per address of each pool."""

from pathlib import Path

import click

from attribution.cli.options.selection import counted_back, lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.measures import format_count
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.query.lake.flows import Measure
from attribution.query.lake.session import LakeSession
from attribution.query.pools.load import PoolLoad, load
from attribution.query.pools.selection import PoolSelection

_LOADS = (
    Column(name="pool"),
    Column(name="policy", rank=3),
    Column(name="addresses", kind="count", rank=1),
    Column(name="used", kind="count"),
    Column(name="unused", kind="count", rank=1),
    Column(name="flows", kind="count"),
    Column(name="connections", kind="count", rank=4),
    Column(name="bytes", kind="bytes", rank=2),
    Column(name="busiest", kind="count"),
    Column(name="least", title="least busy", kind="count"),
    Column(name="mean_shown", title="mean", kind="number"),
    Column(name="ratio", title="busiest / least", kind="factor"),
    Column(name="variation_shown", title="variation", kind="number"),
    Column(name="by_chance_shown", title="by chance", kind="number", rank=5),
)
_ADDRESSES = (
    Column(name="place", kind="number"),
    Column(name="address"),
    Column(name="flows", kind="count"),
    Column(name="connections", kind="count", rank=1),
    Column(name="bytes", kind="bytes"),
    Column(name="packets", kind="count", rank=2),
    Column(name="first_seen", kind="time", rank=4),
    Column(name="last_seen", kind="time", rank=3),
)


@click.command(name="load")
@lake_argument
@selection_options(PoolSelection)
@click.option(
    "--by", "measure", type=click.Choice(["flows", "bytes", "packets"]), default="flows", show_default=True,
    help="The measure of load.",
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
    help="How many of the busiest and of the least busy addresses of each pool to show; 0 for all.",
)  # fmt: skip
@timezone_option
@output_options(columns=(*_LOADS, *_ADDRESSES))
def command(
    *,
    lake: Path,
    selection: PoolSelection,
    measure: Measure,
    limit: int,
    output: Output,
) -> None:
    r"""Show the load per address of each pool, and how evenly it is spread.

    Load is counted for addresses that a policy in force hands out. The variation is the standard deviation over the
    mean, of all addresses of the pool, unused addresses too. The variation by chance is what the variation would be if
    each flow had taken an address at random. CSV has a row for each address.

    \b
    Examples:
      attribution agility load lake
      attribution agility load lake --pool 'shared-*' --by bytes --window -1h..
      attribution agility load lake --limit 0 --format csv
    """
    with LakeSession(lake) as session:
        found = load(session, selection, measure=measure, limit=limit or None)
        say_unknown_names(session, selection, empty=not found.pools)
        asked = [text] if (text := counted_back(session, selection.window)) else []
    if output.format == "json":
        output.json(found.to_dict())
        return
    if output.format == "csv":
        rows = [{"pool": pool.pool, "policy": pool.policy, **vars(one)} for pool in found.pools for one in pool.loads]
        output.csv(["pool", "policy", *(column.name for column in _ADDRESSES)], rows)
        return
    left = ", ".join(f"{state} {format_count(flows)}" for state, flows in found.left_out.items())
    note = f"not in force, so not counted: {left} (agility astray and agility stale tell more)" if left else ""
    if not found.pools:
        output.document(
            [*asked, "No flows to addresses in force in this window that pass the filters.", *([note] if note else [])]
        )
        return
    parts: list[Section | str] = [
        *asked,
        Section(columns=_LOADS, rows=[_load_cells(one) for one in found.pools], note=note),
    ]
    for pool in found.pools:
        rest = pool.used - len(pool.loads)
        more = f"and {format_count(rest)} between them: --limit 0 shows all" if rest else ""
        title = f"Addresses of {pool.pool}, by {pool.policy}"
        parts.append(Section(columns=_ADDRESSES, rows=[vars(one) for one in pool.loads], title=title, note=more))
    output.document(parts)


def _load_cells(pool: PoolLoad) -> dict[str, object]:
    shown = {
        f"{name}_shown": None if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
        for name, value in (("mean", pool.mean), ("variation", pool.variation), ("by_chance", pool.by_chance))
    }
    return vars(pool) | {"unused": pool.unused} | shown
