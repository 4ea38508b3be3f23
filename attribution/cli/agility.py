"""`attribution agility`: what addressing by policy does: load, stray and stale traffic, attacked names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from attribution.cli.agility_attack import attack_command, plan_command
from attribution.cli.output import Column, Output, Section, output_options
from attribution.cli.selection import duration, lake_argument, selection_options
from attribution.query.lake.measures import format_count
from attribution.query.pools.astray import KINDS, Astray, astray
from attribution.query.pools.load import Measure, PoolLoad, load
from attribution.query.pools.selection import PoolSelection
from attribution.query.pools.stale import Stale, stale

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
_ASTRAY = (
    Column(name="data_centre"),
    Column(name="logged_by", rank=1),
    Column(name="kind"),
    Column(name="pool"),
    Column(name="policy", rank=4),
    Column(name="flows", kind="count"),
    Column(name="share", kind="share"),
    Column(name="bytes", kind="bytes", rank=3),
    Column(name="addresses", kind="count", rank=5),
    Column(name="first_seen", kind="time"),
    Column(name="last_seen", kind="time"),
    Column(name="clients", title="most from", rank=2),
)
_STALE = (
    Column(name="pool"),
    Column(name="policy", rank=4),
    Column(name="logged_by"),
    Column(name="prefixes_shown", title="prefixes", rank=7),
    Column(name="data_centres_shown", title="data centres", rank=8),
    Column(name="ended", kind="time"),
    Column(name="ttl", kind="span", rank=3),
    Column(name="answers_until", kind="time", rank=2),
    Column(name="bound", kind="time", rank=1),
    Column(name="flows", kind="count"),
    Column(name="within_answer", title="by the ttl", kind="count"),
    Column(name="within_connection", title="by the bound", kind="count"),
    Column(name="beyond", kind="count"),
    Column(name="last_seen", kind="time", rank=6),
)
_DECAY = (
    Column(name="begin", title="from", kind="span"),
    Column(name="until", title="to", kind="span"),
    Column(name="flows", kind="count"),
    Column(name="left", kind="share"),
    Column(name="bytes", kind="bytes", rank=1),
    Column(name="networks", title="client networks", kind="count"),
)
_CLIENTS = (
    Column(name="network"),
    Column(name="flows", kind="count"),
    Column(name="bytes", kind="bytes", rank=1),
    Column(name="first_seen", kind="time", rank=2),
    Column(name="last_seen", kind="time"),
)

_clients_option = click.option(
    "--clients", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
    help="So many networks of clients for each.",
)  # fmt: skip


@click.group(name="agility")
def command() -> None:
    r"""Show what addressing by policy does: load, stray and stale traffic, attacked names.

    Where names are served from any address of a pool, an address says little by itself: these questions are about
    pools and policies. The lake must have been made with them.

    \b
    Examples:
      attribution agility load lake
      attribution agility astray lake --window -1h..
      attribution agility stale lake --data-centre ams
      attribution agility attack lake --plan plan.json
    """


@command.command(name="load")
@lake_argument
@selection_options(PoolSelection)
@click.option(
    "--by", "measure", type=click.Choice(["flows", "bytes", "packets"]), default="flows", show_default=True,
    help="What load is.",
)  # fmt: skip
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
    help="So many of the busiest and of the least busy addresses of each pool; 0 for all.",
)  # fmt: skip
@output_options()
def _load(
    *,
    lake: Path,
    selection: PoolSelection,
    measure: Measure,
    limit: int,
    output: Output,
) -> None:
    r"""Show the load per address of each pool, and how evenly it is spread.

    Of the flows to addresses that a policy in force hands out. The variation is the standard deviation over the mean,
    of all addresses of the pool, unused ones too. The variation by chance is what it would be if each flow had taken an
    address at random. CSV has a row an address.

    \b
    Examples:
      attribution agility load lake
      attribution agility load lake --pool 'shared-*' --by bytes --window -1h..
      attribution agility load lake --limit 0 --format csv
    """
    found = load(lake, selection, measure=measure, limit=limit or None)
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
            ["No flows to addresses in force in this window that pass the filters.", *([note] if note else [])]
        )
        return
    parts: list[Section | str] = [Section(columns=_LOADS, rows=[_load_cells(one) for one in found.pools], note=note)]
    for pool in found.pools:
        rest = pool.used - len(pool.loads)
        more = f"and {format_count(rest)} between them: --limit 0 shows all" if rest else ""
        title = f"Addresses of {pool.pool}, by {pool.policy}"
        parts.append(Section(columns=_ADDRESSES, rows=[vars(one) for one in pool.loads], title=title, note=more))
    output.document(parts)


def _load_cells(pool: PoolLoad) -> dict[str, Any]:
    shown = {
        f"{name}_shown": None if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
        for name, value in (("mean", pool.mean), ("variation", pool.variation), ("by_chance", pool.by_chance))
    }
    return vars(pool) | {"unused": pool.unused} | shown


@command.command(name="astray")
@lake_argument
@selection_options(PoolSelection)
@_clients_option
@output_options()
def _astray(
    *,
    lake: Path,
    selection: PoolSelection,
    clients: int,
    output: Output,
) -> None:
    r"""Show traffic on addresses that the data centre's policies never hand out there.

    A route leak, or clients that were sent to the wrong place. Shares are of what the data centre logged at all
    addresses of the pools. Logged by the server is what came in to an address; by the client, what went out to one.

    \b
    Examples:
      attribution agility astray lake
      attribution agility astray lake --data-centre 'ams*' --window -1h.. --clients 20
      attribution agility astray lake --format json
    """
    found = astray(lake, selection, clients=clients)
    if output.format == "json":
        output.json([one.to_dict() for one in found])
    elif output.format == "csv":
        output.csv(list(Astray.__dataclass_fields__), [one.to_dict() for one in found])
    elif not found:
        output.document(["Nothing astray: every flow came to an address that policies hand out there, or did."])
    else:
        rows = [
            vars(one) | {"clients": _some([client.network for client in one.clients], one.networks)} for one in found
        ]
        kinds = "\n".join(f"{kind}: {KINDS[kind]}" for kind in dict.fromkeys(one.kind for one in found))
        output.document([Section(columns=_ASTRAY, rows=rows), kinds])


def _some(names: Sequence[str], whole: int | None = None) -> str | None:
    """The first names, and how many more there are."""
    more = (len(names) if whole is None else whole) - len(names[:2])
    return ", ".join(names[:2]) + (f" +{format_count(more)}" if more else "") or None


@command.command(name="stale")
@lake_argument
@selection_options(PoolSelection)
@click.option(
    "--bucket", metavar="DURATION", callback=duration,
    help="Length of the buckets of time since the end.  [default: the ttl, then each as long as all before it]",
)  # fmt: skip
@_clients_option
@output_options()
def _stale(
    *,
    lake: Path,
    selection: PoolSelection,
    bucket: int | None,
    clients: int,
    output: Output,
) -> None:
    r"""Show traffic that comes to addresses after the policies that handed them out have ended.

    A client may use an answer for its ttl and name_stretch, and a connection that it opened in time for
    connection_lifetime. Traffic beyond that bound comes from clients that do not keep to the ttl. A connection is
    judged by when it began.

    \b
    Examples:
      attribution agility stale lake
      attribution agility stale lake --pool old --bucket 5m
      attribution agility stale lake --data-centre ams --format json
    """
    found = stale(lake, selection, bucket=bucket, clients=clients)
    if output.format == "json":
        output.json([one.to_dict() for one in found])
    elif output.format == "csv":
        output.csv(list(Stale.__dataclass_fields__), [one.to_dict() for one in found])
    elif not found:
        output.document(["Nothing stale: no flow came to an address after its policy had ended."])
    else:
        lists = ("prefixes", "data_centres")
        rows = [vars(one) | {f"{name}_shown": _some(vars(one)[name]) for name in lists} for one in found]
        output.document([Section(columns=_STALE, rows=rows), *_stale_parts(found)])


def _stale_parts(found: Sequence[Stale]) -> list[Section | str]:
    parts: list[Section | str] = []
    for one in found:
        where = f"{one.pool}, by {one.policy}, logged by the {one.logged_by}"
        if one.ended is None:
            parts.append(f"\n{where}: the lake does not have the policy, so nothing is known of its end")
        elif one.bound is None:
            parts.append(f"\n{where}: the policy says no ttl, so there is no bound")
        if one.decay:
            title = f"Since the end of {where}"
            parts.append(Section(columns=_DECAY, rows=[vars(bucket) for bucket in one.decay], title=title))
        if one.clients:
            title = f"Who still comes to {where}" + (", beyond the bound" if one.bound else "")
            parts.append(Section(columns=_CLIENTS, rows=[vars(client) for client in one.clients], title=title))
    return parts


command.add_command(plan_command)
command.add_command(attack_command)
