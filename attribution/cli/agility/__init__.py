"""`attribution agility`: what addressing by policy does: load, stray and stale traffic, attacked names."""

import click

from attribution.cli.agility import astray, attack, load, plan, stale
from attribution.cli.options.group import SuggestingGroup


@click.group(name="agility", cls=SuggestingGroup)
def command() -> None:
    r"""Show what addressing by policy does: load, stray and stale traffic, attacked names.

    If names are served from any address of a pool, an address says little by itself. These questions are about pools
    and policies, and the lake must have been made with policies.

    \b
    Examples:
      attribution agility load lake
      attribution agility astray lake --window -1h..
      attribution agility stale lake --data-centre ams
      attribution agility attack lake --plan plan.json
    """


for part in (load, astray, stale, plan, attack):
    command.add_command(part.command)
