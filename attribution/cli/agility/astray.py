"""`attribution agility astray`: traffic on addresses that a data centre's policies never hand out there."""

from pathlib import Path

import click

from attribution.cli.agility.clients import clients_option, first_names
from attribution.cli.options.selection import counted_back, lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.query.lake.session import LakeSession
from attribution.query.pools.astray import KINDS, Astray, astray
from attribution.query.pools.selection import PoolSelection

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


@click.command(name="astray")
@lake_argument
@selection_options(PoolSelection)
@clients_option
@timezone_option
@output_options(columns=_ASTRAY)
def command(
    *,
    lake: Path,
    selection: PoolSelection,
    clients: int,
    output: Output,
) -> None:
    r"""Show traffic on addresses that the data centre's policies never hand out there.

    Such traffic comes of a route leak, or of clients that were sent to the wrong place. A share is of everything that
    the data centre logged at addresses of pools. A server logs what comes in to an address, and a client logs what goes
    out to an address.

    \b
    Examples:
      attribution agility astray lake
      attribution agility astray lake --data-centre 'ams*' --window -1h.. --clients 20
      attribution agility astray lake --format json
    """
    with LakeSession(lake) as session:
        found = astray(session, selection, clients=clients)
        say_unknown_names(session, selection, empty=not found)
        asked = [text] if (text := counted_back(session, selection.window)) else []
    if output.format == "json":
        output.json_rows([one.to_dict() for one in found])
    elif output.format == "csv":
        output.csv(list(Astray.__dataclass_fields__), [one.to_dict() for one in found])
    elif not found:
        output.document([*asked, "Nothing astray: every flow came to an address that policies hand out there, or did."])
    else:
        rows = [
            vars(one) | {"clients": first_names([client.network for client in one.clients], one.networks)}
            for one in found
        ]
        kinds = "\n".join(f"{kind}: {KINDS[kind]}" for kind in dict.fromkeys(one.kind for one in found))
        output.document([*asked, Section(columns=_ASTRAY, rows=rows), kinds])
