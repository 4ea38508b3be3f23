"""`attribution simulate`: a fleet, or names on a pool of addresses, with logs, evidence and the truth, as files."""

from collections.abc import Mapping
from pathlib import Path

import click

from attribution.cli.options.paths import LocalPath
from attribution.cli.render.next_commands import evaluation_of, lake_beside, next_commands, replay_of
from attribution.cli.render.terminal import answer, tell
from attribution.testbed.fleet.scenarios import PRESETS, Scenario, scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import FLOW_FILES, TRUTH_FILE, FlowFormat, write
from attribution.testbed.pools.scenario import AGILITY, AgilityScenario, agility_scenario
from attribution.testbed.pools.simulation import simulate_agility
from attribution.testbed.pools.write import write_agility

#: What VPC flow logs can say: windows, and no workload. Said first, so that `--set` still has the last word.
_VPC = ("window_share=1", "capture_share=0")
#: What routers report needs routers.
_GOFLOW2 = ("routers=2",)


@click.command(name="simulate")
@click.option(
    "--scenario", "name", type=click.Choice([*PRESETS, AGILITY]), default="small", show_default=True,
    help="small: seconds of work. day: a day of a larger fleet. hostile: everything that goes wrong. "
    "lossless: nothing is lost. gateway: one busy service while everything is redeployed. "
    "agility: names served from pools of addresses by policy, with DNS answers.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same files.")
@click.option("--out", type=LocalPath(file_okay=False), help="Folder to write; a simulation there is replaced.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Change a parameter; repeatable.")
@click.option(
    "--flow-format", type=click.Choice(list(FLOW_FILES)), default="parquet", show_default=True,
    help="How to write the flows. vpc: VPC flow log text; all hosts then log windows without workloads. "
    "goflow2: what the routers report, as goflow2's JSON lines.",
)  # fmt: skip
@click.option("--parameters", is_flag=True, help="Print the scenario's parameters and stop.")
def command(
    *, name: str, seed: int, out: Path | None, overrides: tuple[str, ...], flow_format: FlowFormat, parameters: bool
) -> None:
    r"""Make a fleet with flows, heartbeats and the truth; or names on pools of addresses, with DNS answers.

    \b
    Examples:
      attribution simulate --scenario gateway --seed 7 --out fleet
      attribution simulate --scenario hostile --set heartbeat_loss=0.4 --set duration=2h --out fleet
      attribution simulate --scenario hostile --set networks=3 --set overlap=0.8 --out fleet
      attribution simulate --set routers=2 --set second_log_share=0.5 --set window_share=1 --out fleet
      attribution replay --flows fleet/flows.parquet --heartbeats fleet/heartbeats.parquet --out lake
      attribution evaluate --attributed lake --truth fleet/truth.parquet
      attribution simulate --scenario agility --set ttl=2m --out names
    """
    chosen = _scenario(name, overrides, flow_format)
    if parameters:
        for key, value in chosen.to_dict().items():
            answer(f"{key}={value}\n")
        return
    if out is None:
        raise click.UsageError("Missing option '--out': name the folder to write.")
    rows = _written(chosen, out, seed=seed, flow_format=flow_format)
    width = max(map(len, rows))
    commands = [replay_of(out, rows), evaluation_of(out, TRUTH_FILE)]
    if name == AGILITY:
        commands.append(["attribution", "agility", "load", str(lake_beside(out))])
    tell(
        *(f"{file:<{width}}  {count:>12,} rows" for file, count in rows.items()),
        f"Written to {out}: scenario {name}, seed {seed}.",
        *next_commands(commands).split("\n"),
    )


def _scenario(name: str, overrides: tuple[str, ...], flow_format: FlowFormat) -> AgilityScenario | Scenario:
    if name == AGILITY:
        return agility_scenario(overrides)
    first = {"vpc": _VPC, "goflow2": _GOFLOW2}.get(flow_format, ())
    return scenario(name, (*first, *overrides))


def _written(chosen: AgilityScenario | Scenario, out: Path, *, seed: int, flow_format: FlowFormat) -> Mapping[str, int]:
    if isinstance(chosen, AgilityScenario):
        return write_agility(simulate_agility(chosen, seed=seed), out, flow_format=flow_format)
    return write(simulate(chosen, seed=seed), out, flow_format=flow_format)
