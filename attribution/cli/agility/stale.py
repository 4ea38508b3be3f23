"""`attribution agility stale`: traffic to addresses after the policies that handed them out have ended."""

from collections.abc import Sequence
from pathlib import Path

import click

from attribution.cli.agility.clients import clients_option, first_names
from attribution.cli.options.selection import (
    counted_back,
    duration,
    lake_argument,
    say_unknown_names,
    selection_options,
)
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.query.lake.session import LakeSession
from attribution.query.pools.selection import PoolSelection
from attribution.query.pools.stale import Stale, stale

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


@click.command(name="stale")
@lake_argument
@selection_options(PoolSelection)
@click.option(
    "--bucket", metavar="DURATION", callback=duration,
    help="Length of the buckets of time since the end of the policy.  "
    "[default: the ttl, then each as long as all before it]",
)  # fmt: skip
@clients_option
@timezone_option
@output_options(columns=(*_STALE, *_DECAY, *_CLIENTS))
def command(
    *,
    lake: Path,
    selection: PoolSelection,
    bucket: int | None,
    clients: int,
    output: Output,
) -> None:
    r"""Show traffic that comes to addresses after the policies that handed them out have ended.

    A client may use an answer until its ttl and name_stretch are over. The client may use a connection for
    connection_lifetime, if the connection began in time. Traffic beyond that bound comes from clients that do not keep
    to the ttl. A connection is judged by when it began.

    \b
    Examples:
      attribution agility stale lake
      attribution agility stale lake --pool old --bucket 5m
      attribution agility stale lake --data-centre ams --format json
    """
    with LakeSession(lake) as session:
        found = stale(session, selection, bucket=bucket, clients=clients)
        say_unknown_names(session, selection, empty=not found)
        asked = [text] if (text := counted_back(session, selection.window)) else []
    if output.format == "json":
        output.json_rows([one.to_dict() for one in found])
    elif output.format == "csv":
        output.csv(list(Stale.__dataclass_fields__), [one.to_dict() for one in found])
    elif not found:
        output.document([*asked, "Nothing stale: no flow came to an address after its policy had ended."])
    else:
        lists = ("prefixes", "data_centres")
        rows = [vars(one) | {f"{name}_shown": first_names(vars(one)[name]) for name in lists} for one in found]
        output.document([*asked, Section(columns=_STALE, rows=rows), *_stale_parts(found)])


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
