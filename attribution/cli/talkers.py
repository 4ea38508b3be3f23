"""`attribution talkers`: who talks most."""

from pathlib import Path

import click

from attribution.cli.options.selection import counted_back, lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.output import Column, Output, output_options
from attribution.query.graph.selection import GraphSelection
from attribution.query.graph.talkers import ListedBy, Order, talkers
from attribution.query.lake.session import LakeSession

_KEYS: dict[ListedBy, tuple[Column, ...]] = {
    "service": (Column(name="service"), Column(name="kind", rank=4)),
    "workload": (Column(name="workload"), Column(name="service"), Column(name="kind", rank=4)),
    "address": (Column(name="address"), Column(name="service"), Column(name="kind", rank=4)),
    "port": (Column(name="port", kind="number"), Column(name="protocol")),
    "edge": (Column(name="source"), Column(name="arrow", title=" "), Column(name="target")),
}
_NUMBERS = (
    Column(name="flows", kind="count"),
    Column(name="bytes", kind="bytes"),
    Column(name="bytes_sent", title="sent", kind="bytes", rank=2),
    Column(name="bytes_received", title="received", kind="bytes", rank=2),
    Column(name="packets", kind="count", rank=3),
    Column(name="unattributed", kind="share", rank=1),
    Column(name="first_seen", kind="time", rank=6),
    Column(name="last_seen", kind="time", rank=5),
)


@click.command(name="talkers")
@lake_argument
@selection_options(GraphSelection)
@click.option("--by", type=click.Choice(list(_KEYS)), default="service", show_default=True, help="What to list.")
@click.option(
    "--order",
    type=click.Choice(["bytes", "flows", "packets"]),
    default="bytes",
    show_default=True,
    help="The measure by which the largest come first.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many to list; 0 for all.",
)
@timezone_option
@output_options()
def command(
    *,
    lake: Path,
    selection: GraphSelection,
    by: ListedBy,
    order: Order,
    limit: int,
    output: Output,
) -> None:
    r"""Show who talks most: services, workloads, addresses, server ports or edges.

    Traffic that several observers report is counted once. For a port, "sent" is what clients send. For an edge, "sent"
    is what the source sends.

    \b
    Examples:
      attribution talkers lake
      attribution talkers lake --by edge --order flows --window -1h.. --limit 50
      attribution talkers lake --by address --reason gap
      attribution talkers lake --by port --service 'checkout*' --format csv
    """
    with LakeSession(lake) as session:
        found = talkers(session, selection, by=by, order=order, limit=limit or None)
        say_unknown_names(session, selection, empty=not found.rows)
        asked = counted_back(session, selection.window)
    rows = [talker.to_dict() for talker in found.rows]
    if output.format == "table":
        shares = (talker.unattributed_flows / talker.flows for talker in found.rows)
        rows = [
            row | {"unattributed": share, "arrow": "→" if row.get("directed") else "-"}
            for row, share in zip(rows, shares, strict=True)
        ]
    rest = found.total - len(rows)
    note = f"and {rest:,} more: --limit 0 shows all" if rest else ""
    columns = (*_KEYS[by], *_NUMBERS)
    output.table(columns, rows, title=asked, note=note if rows else "No flows in this window that pass the filters.")
