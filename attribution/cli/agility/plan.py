"""`attribution agility plan`: the first step of a search for the name that an attack is after."""

from datetime import timedelta
from pathlib import Path

import click

from attribution.cli.agility.next_step import NextStep, next_step_options
from attribution.cli.options.paths import LocalPath
from attribution.cli.options.selection import duration
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.measures import format_count
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.config import SECOND
from attribution.query.attack.kary_search import count
from attribution.query.attack.name_file import NameFile
from attribution.query.attack.plan import AttackPlan, plan_addresses
from attribution.query.lake.times import format_moment, format_span
from attribution.query.lake.zones import zone_name

_PARTS = (
    Column(name="address"),
    Column(name="names", kind="count"),
    Column(name="first", title="from line", kind="number"),
    Column(name="last", title="to line", kind="number"),
)


@click.command(name="plan")
@click.option("--names", "names_path", required=True, type=LocalPath(), help="File of the names, one name a line.")
@click.option(
    "--address", "addresses", required=True, multiple=True, metavar="ADDRESS|CIDR",
    help="An address for the names during the search; repeatable. Serve nothing else there.",
)  # fmt: skip
@click.option(
    "--attacked",
    required=True,
    multiple=True,
    metavar="ADDRESS|CIDR",
    help="An address to which the attack comes now; repeatable.",
)
@click.option(
    "--ttl-before", metavar="DURATION", default="5m", show_default=True, callback=duration,
    help="TTL of the answers that clients have now.",
)  # fmt: skip
@click.option(
    "--ttl", metavar="DURATION", default="30s", show_default=True, callback=duration,
    help="TTL of the answers that the steps give.",
)  # fmt: skip
@click.option(
    "--observe", metavar="DURATION", default="1m", show_default=True, callback=duration,
    help="How long to look at the addresses in each step, once the earlier answers have expired.",
)  # fmt: skip
@click.option(
    "--out", "plan_path", required=True, type=LocalPath(dir_okay=False),
    help="Write the plan to this file, as JSON.",
)  # fmt: skip
@next_step_options
@timezone_option
@output_options(columns=_PARTS)
def command(
    *,
    names_path: Path,
    addresses: tuple[str, ...],
    attacked: tuple[str, ...],
    ttl_before: int,
    ttl: int,
    observe: int,
    plan_path: Path,
    next_step: NextStep,
    output: Output,
) -> None:
    r"""Plan the search for the name that an attack is after: write the first step.

    The step divides the names among the addresses that are not attacked. Serve the names so from the time that the step
    says, and serve none of them at the attacked addresses. Once the TTL is over, `agility attack` says where the attack
    went. With --next, `agility attack` also writes the next step.

    \b
    Examples:
      attribution agility plan --names names.txt --attacked 192.0.2.1 --address 192.0.2.64/28 --out plan.json
      attribution agility plan --names names.txt --attacked 192.0.2.1 --address 2001:db8::/122 --ttl 20s --out plan.json
    """
    names = NameFile.of(names_path)
    busy = plan_addresses(attacked)
    plan = AttackPlan(
        names=names.names,
        names_file=names_path,
        digest=names.digest,
        addresses=tuple(dict.fromkeys((*plan_addresses(addresses), *busy))),
        attacked=busy,
        ttl_before=ttl_before,
        ttl=ttl,
        observe=observe,
    )
    grown = next_step.write(plan, plan.start, names, plan_path)
    if output.format == "table":
        output.document([_plan_head(grown), Section(columns=_PARTS, rows=_part_rows(grown))])
    else:
        output.table(_PARTS, _part_rows(grown))


def _plan_head(plan: AttackPlan) -> str:
    planned = plan.steps[-1]
    looked = (plan.expires(len(plan.steps) - 1) + plan.observe) / SECOND
    return (
        f"{format_count(plan.names)} names on {len(planned.step.parts)} addresses "
        f"from {format_moment(planned.start)} {zone_name()}\n"
        f"predicted: {plan.predicted_steps} steps, {format_span(plan.predicted_time)}\n"
        "ask where the attack went once the lake has flows up to "
        f"{format_moment(planned.start + timedelta(seconds=looked), '%H:%M:%S')}"
    )


def _part_rows(plan: AttackPlan) -> list[dict[str, object]]:
    parts = plan.steps[-1].step.parts
    return [
        {"address": part.address, "names": count(part.names), "first": part.names[0][0] + 1, "last": part.names[-1][1]}
        for part in parts
    ]
