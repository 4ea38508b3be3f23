"""`attribution agility attack`: which name an attack is after, by where it went in each step of a plan."""

from pathlib import Path

import click

from attribution.cli.agility.next_step import NextStep, next_step_options
from attribution.cli.options.paths import LocalPath
from attribution.cli.options.selection import lake_argument, say_unknown_names, selection_options
from attribution.cli.options.timezone import timezone_option
from attribution.cli.render.measures import format_count
from attribution.cli.render.output import Column, Output, Section, output_options
from attribution.query.attack.attack import Attack, StepRead, attack
from attribution.query.attack.name_file import NameFile
from attribution.query.attack.plan import read_plan
from attribution.query.lake.flows import Measure
from attribution.query.lake.selection import Selection
from attribution.query.lake.session import LakeSession
from attribution.query.lake.times import format_span

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


@click.command(name="attack")
@lake_argument
@click.option("--plan", "plan_path", required=True, type=LocalPath(), help="The plan, as JSON; see agility plan.")
@click.option("--names", "names_path", type=LocalPath(), help="File of the names.  [default: as the plan says]")
@click.option(
    "--by", "measure", type=click.Choice(["flows", "bytes", "packets"]), default="flows", show_default=True,
    help="The measure of the attack.",
)  # fmt: skip
@click.option(
    "--quiet", metavar="FROM..TO", help="A window before the attack, which shows what else the addresses carry."
)
@click.option(
    "--background", metavar="N", type=click.FloatRange(min=0),
    help="What else the addresses carry a second, all together, at most.  "
    "[default: half of what came before the first step]",
)  # fmt: skip
@click.option(
    "--next", "next_path", type=LocalPath(dir_okay=False),
    help="If the search goes on, write the plan with the next step to this file.",
)  # fmt: skip
@next_step_options
@selection_options()
@timezone_option
@output_options(columns=_STEPS)
def command(
    *,
    lake: Path,
    plan_path: Path,
    names_path: Path | None,
    measure: Measure,
    quiet: str | None,
    background: float | None,
    next_path: Path | None,
    next_step: NextStep,
    selection: Selection,
    output: Output,
) -> None:
    r"""Say which name an attack is after, from the flows in each step of a plan.

    An address carries the attack if it carries more than everything else together could. A name is said only if the
    attack followed the name in every step. If the attack stays at an address that serves no suspect, the attack is
    after that address. Filters that leave out other traffic make the answer surer.

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
    with LakeSession(lake) as session:
        say_unknown_names(session, selection, empty=True)
        found = attack(session, plan, names, selection, measure=measure, background=background, quiet=quiet)
    if next_path is not None and found.outcome == "searching":
        next_step.write(plan, found.search, names, next_path)
    rows = [_step_row(step) for step in found.steps]
    if output.format == "json":
        output.json(found.to_dict())
    elif output.format == "csv":
        output.csv([column.name for column in _STEPS], rows)
    else:
        output.document([_headline(found), Section(columns=_STEPS, rows=rows), _advice(found, next_path)])


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


def _step_row(step: StepRead) -> dict[str, object]:
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
