"""`attribution agility plan` and `attack`: which name an attack is after, by dividing the names among addresses."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from attribution.cli.output import Column, Output, Section, output_options
from attribution.cli.selection import duration, lake_argument, selection_options
from attribution.config import SECOND
from attribution.query.attack.attack import Attack, StepRead, attack
from attribution.query.attack.kary_search import Search, count
from attribution.query.attack.loads import Measure
from attribution.query.attack.plan import AttackPlan, NameFile, plan_addresses, read_plan, write_assignment
from attribution.query.lake.measures import format_count, format_span
from attribution.query.lake.selection import Selection
from attribution.query.lake.window import parse_time

_PARTS = (
    Column(name="address"),
    Column(name="names", kind="count"),
    Column(name="first", title="from line", kind="number"),
    Column(name="last", title="to line", kind="number"),
)
_STEPS = (
    Column(name="number", title="step", kind="number"),
    Column(name="start", title="answers from", kind="time"),
    Column(name="observed_from", title="looked from", kind="time", rank=1),
    Column(name="observed_to", title="to", kind="time", rank=1),
    Column(name="parts", title="addresses", kind="count"),
    Column(name="hit", title="attack came to"),
    Column(name="rate", title="a second there", kind="number"),
    Column(name="others", title="a second elsewhere", kind="number", rank=2),
    Column(name="suspects", title="names left", kind="count"),
)


_assignment_option = click.option(
    "--assignment", "assignment_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the step's names with their addresses to this file, a line each.",
)  # fmt: skip
_at_option = click.option(
    "--at", metavar="TIME", help="When the step's answers begin to be given: ISO 8601 (UTC).  [default: now]"
)


@click.command(name="plan")
@click.option(
    "--names", "names_path", required=True, type=click.Path(path_type=Path), help="File of the names, one a line."
)
@click.option(
    "--address", "addresses", required=True, multiple=True, metavar="ADDRESS|CIDR",
    help="What the names may be put on while one searches; repeatable. Nothing else should be served there.",
)  # fmt: skip
@click.option(
    "--attacked", required=True, multiple=True, metavar="ADDRESS|CIDR", help="What the attack comes to now; repeatable."
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
    help="How long to look at the addresses in each step, once the answers of before have expired.",
)  # fmt: skip
@click.option(
    "--out", "plan_path", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan to this file, as JSON.",
)  # fmt: skip
@_at_option
@_assignment_option
@output_options()
def plan_command(
    *,
    names_path: Path,
    addresses: tuple[str, ...],
    attacked: tuple[str, ...],
    ttl_before: int,
    ttl: int,
    observe: int,
    plan_path: Path,
    at: str | None,
    assignment_path: Path | None,
    output: Output,
) -> None:
    r"""Plan the search for the name that an attack is after: write the first step.

    The step divides the names among the addresses that are not attacked. Serve them so from the time that it says; the
    attacked addresses serve none of them. Once the TTL is over, `agility attack` says where the attack went and, with
    --next, writes the next step.

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
    grown = _grown(plan, plan.start, at, plan_path, names, assignment_path)
    if output.format == "table":
        output.document([_plan_head(grown), Section(columns=_PARTS, rows=_part_rows(grown))])
    else:
        output.table(_PARTS, _part_rows(grown))


@click.command(name="attack")
@lake_argument
@click.option(
    "--plan", "plan_path", required=True, type=click.Path(path_type=Path), help="The plan, as JSON; see agility plan."
)
@click.option(
    "--names", "names_path", type=click.Path(path_type=Path), help="File of the names.  [default: as the plan says]"
)
@click.option(
    "--by", "measure", type=click.Choice(["flows", "bytes", "packets"]), default="flows", show_default=True,
    help="What is counted.",
)  # fmt: skip
@click.option("--quiet", metavar="FROM..TO", help="A time before the attack, to know what else the addresses carry.")
@click.option(
    "--background", metavar="N", type=click.FloatRange(min=0),
    help="What else they carry a second, all together, at most.  [default: half of what came before the first step]",
)  # fmt: skip
@click.option(
    "--next", "next_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Where the search goes on: write the plan with its next step to this file.",
)  # fmt: skip
@_at_option
@_assignment_option
@selection_options()
@output_options()
def attack_command(
    *,
    lake: Path,
    plan_path: Path,
    names_path: Path | None,
    measure: Measure,
    quiet: str | None,
    background: float | None,
    next_path: Path | None,
    at: str | None,
    assignment_path: Path | None,
    selection: Selection,
    output: Output,
) -> None:
    r"""Say which name an attack is after, from the flows in each step of a plan.

    An address carries the attack if it carries more than everything else together could. A name is said only where the
    attack followed it in every step. An attack that stays at an address which serves no suspect is after that address.
    Filters that leave out what is not the attack make the answer surer.

    \b
    Examples:
      attribution agility attack lake --plan plan.json
      attribution agility attack lake --plan plan.json --quiet -3h..-2h --port 443 --by packets
      attribution agility attack lake --plan plan.json --next plan.json --assignment step.txt
    """
    if selection.window is not None:
        raise click.UsageError("The plan says which times to look at: leave out --window.")
    plan = read_plan(plan_path)
    names = NameFile.of(names_path or plan.names_file)
    found = attack(lake, plan, names, selection, measure=measure, background=background, quiet=quiet)
    if next_path is not None and found.outcome == "searching":
        _grown(plan, found.search, at, next_path, names, assignment_path)
    rows = [_step_row(step) for step in found.steps]
    if output.format == "json":
        output.json(found.to_dict())
    elif output.format == "csv":
        output.csv([column.name for column in _STEPS], rows)
    else:
        output.document([_headline(found), Section(columns=_STEPS, rows=rows), _advice(found, next_path)])


def _grown(
    plan: AttackPlan, search: Search, at: str | None, path: Path, names: NameFile, assignment_path: Path | None
) -> AttackPlan:
    """The plan with the search's next step, written to its file, and the names of that step to theirs."""
    start = datetime.now(UTC) if at is None else parse_time(at, last=None)
    grown = plan.with_step(search.step(), start)
    Output(format="json", path=path).json(grown.to_dict(names))
    if assignment_path is not None:
        write_assignment(grown.steps[-1].step, names, assignment_path)
    return grown


def _plan_head(plan: AttackPlan) -> str:
    planned = plan.steps[-1]
    looked = (plan.expires(len(plan.steps) - 1) + plan.observe) / SECOND
    return (
        f"{format_count(plan.names)} names on {len(planned.step.parts)} addresses "
        f"from {planned.start:%Y-%m-%d %H:%M:%S} UTC\n"
        f"predicted: {plan.predicted_steps} steps, {format_span(plan.predicted_time)}\n"
        f"ask where the attack went once the lake has flows up to {planned.start + timedelta(seconds=looked):%H:%M:%S}"
    )


def _part_rows(plan: AttackPlan) -> list[dict[str, Any]]:
    parts = plan.steps[-1].step.parts
    return [
        {"address": part.address, "names": count(part.names), "first": part.names[0][0] + 1, "last": part.names[-1][1]}
        for part in parts
    ]


def _headline(found: Attack) -> str:
    if found.outcome == "found":
        line = f"The attack is after {', '.join(found.names)}"
    elif found.outcome in ("searching", "waiting"):
        line = f"The attack is after one of {format_count(found.suspects)} names"
    else:
        line = "Not found"
    took = "" if found.time is None else f" in {format_span(found.time)}"
    steps = f"{len(found.steps)} step{'' if len(found.steps) == 1 else 's'}{took}"
    rates = f"attack {found.size:.4g} {found.measure} a second before the first step"
    lines = [
        f"{line}.",
        f"{found.outcome}: {found.meaning}" + (f" Found: {found.doubt}." if found.doubt else ""),
        f"{steps}; predicted for one name: {found.predicted_steps} in {format_span(found.predicted_time)}",
        f"{rates}, all else at most {found.background:.4g}",
    ]
    if found.stayed:
        lines.append(f"some of it stays at {', '.join(found.stayed)}, whatever is served there")
    return "\n".join(lines)


def _step_row(step: StepRead) -> dict[str, Any]:
    there = sum(step.rates.get(address, 0.0) for address in step.hit)
    return {
        "number": step.number,
        "start": step.start,
        "observed_from": step.observed.start,
        "observed_to": step.observed.end,
        "parts": step.parts,
        "hit": ", ".join(step.hit) or None,
        "rate": f"{there:.4g}",
        "others": f"{sum(step.rates.values()) - there:.4g}",
        "suspects": step.suspects,
    }


def _advice(found: Attack, next_path: Path | None) -> str:
    match found.outcome:
        case "searching" if next_path is None:
            return "\nGo on with --next PLAN, which writes the next step."
        case "searching":
            return f"\nThe next step is in {next_path}: serve the names as it says, then ask again."
        case "waiting":
            return "\nAsk again when the lake has flows up to the end of the last step."
        case _:
            return ""
