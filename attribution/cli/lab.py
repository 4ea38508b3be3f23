"""`attribution lab`: addressing by policy, played with real DNS, TLS and HTTP on loopback."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import click

from attribution.cli.options.group import SuggestingGroup
from attribution.cli.options.paths import LocalPath
from attribution.cli.render.next_commands import evaluation_of, lake_beside, next_commands, replay_of
from attribution.cli.render.output import Column, Output, output_options
from attribution.cli.render.terminal import tell, work_is_done
from attribution.testbed.lab import LabError
from attribution.testbed.lab.scenarios import PRESETS, preset

_LOADS = (
    Column(name="scenario"),
    Column(name="by"),
    Column(name="addresses", kind="count"),
    Column(name="requests", kind="count"),
    Column(name="busiest", kind="count"),
    Column(name="least_busy", title="least busy", kind="count"),
    Column(name="idle_addresses", title="idle", kind="count", rank=1),
    Column(name="ratio", kind="factor"),
    Column(name="variation", rank=1),
    Column(name="by_chance", title="by chance", rank=1),
    Column(name="requests_per_connection", title="a connection", kind="factor"),
)

_OUT = click.option("--out", required=True, type=LocalPath(file_okay=False), help="Folder to write.")
_SEED = click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="What is drawn by.")


@click.group(name="lab", cls=SuggestingGroup)
def command() -> None:
    r"""Play addressing by policy with real DNS, TLS and HTTP on loopback.

    The lab needs the extra `lab`. As root on Linux, a sk_lookup program in a network namespace of the lab hands
    connections to services. Elsewhere wildcard sockets do, which get what comes over loopback only. Nothing leaves
    the machine, and everything ends by itself.

    \b
    Examples:
      attribution lab run --scenario policy-change --seconds 20 --out lab
      attribution lab load-figure --out figure
    """


def _part(name: str) -> ModuleType:
    """A module of the lab.

    Raises:
        LabError: The extra is not installed.
    """
    try:
        return importlib.import_module(f"attribution.testbed.lab.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("attribution"):
            raise
        raise LabError(
            f"cannot run the lab: {error.name} is not installed; install the extra: pip install 'flow-attribution[lab]'"
        ) from error


def _scenarios() -> str:
    return " ".join(f"{name}: {about}." for name, (about, _) in PRESETS.items())


@command.command()
@click.option(
    "--scenario", "name", type=click.Choice(list(PRESETS)), default="pool-24", show_default=True, help=_scenarios()
)
@click.option("--clients", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=20, show_default=True, help="How long clients come.")
@click.option("--names", type=click.IntRange(1, 100_000), default=400, show_default=True, help="Names that are served.")
@click.option("--ttl", type=click.FloatRange(1, 3600), default=3, show_default=True, help="Of answers, in seconds.")
@click.option(
    "--record-sni", type=click.FloatRange(0, 1), default=0, show_default=True,
    help="Share of the flows whose record carries the name; of the others DNS alone can tell.",
)  # fmt: skip
@click.option("--client-view", is_flag=True, help="Log each connection by its client as well.")
@click.option(
    "--dispatch", type=click.Choice(["auto", "sk_lookup", "wildcard"]), default="auto", show_default=True,
    help="How connections come to services; auto takes the program where it can be had.",
)  # fmt: skip
@_SEED
@_OUT
def run(
    *, name: str, clients: int, seconds: float, names: int, ttl: float, record_sni: float, client_view: bool,
    dispatch: str, seed: int, out: Path,
) -> None:  # fmt: skip
    r"""Play a scenario, and write flows, name bindings, policies, socket rules and the truth.

    \b
    Examples:
      attribution lab run --scenario pool-24 --clients 200 --seconds 20 --out lab
      attribution lab run --scenario route-leak --record-sni 0.2 --client-view --out lab
    """
    scenario = replace(preset(name), clients=clients, seconds=seconds, names=names, ttl=ttl, record_sni=record_sni)
    outcome = _part("run").play(scenario, seed=seed, dispatch=dispatch)
    record = _part("record")
    rows = record.write(outcome, out, client_view=client_view)
    said = record.summary(outcome)
    width = max(map(len, rows))
    lines = [
        *(f"{file:<{width}}  {count:>12,} rows" for file, count in rows.items()),
        (
            f"Written to {out}: scenario {name}, {said['connections']:,} connections, {said['requests']:,} requests, "
            f"{said['requests_per_connection']} a connection, {sum(said['failures'].values()):,} failed."
        ),
        f"Connections came to services by {said['dispatch']}.",
    ]
    if said["lateness_seconds"] > 0.5:
        lines.append(
            f"This machine was busy: times are up to {said['lateness_seconds']} s late, and clock_tolerance in "
            f"{record.SETTINGS_FILE} allows for it. Try fewer clients."
        )
    lake = str(lake_beside(out))
    asked = (["attribution", "agility", question, lake] for question in ("load", "stale"))
    commands = next_commands([replay_of(out, rows), evaluation_of(out, record.TRUTH_FILE), *asked])
    tell(*lines, *commands.split("\n"))


@command.command(name="load-figure")
@click.option("--clients", type=click.IntRange(1, 10_000), default=40, show_default=True, help="On real sockets.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=20, show_default=True,
    help="How long each of four scenarios is played on real sockets.",
)  # fmt: skip
@click.option(
    "--model-requests", type=click.IntRange(1000, 100_000_000), default=1_000_000, show_default=True,
    help="Requests of each scenario without sockets, by the same policies, names and caches.",
)  # fmt: skip
@click.option("--model-names", type=click.IntRange(2, 100_000), default=4000, show_default=True)
@_SEED
@_OUT
@output_options()
def load_figure(
    *, clients: int, seconds: float, model_requests: int, model_names: int, seed: int, out: Path, output: Output
) -> None:
    r"""Draw how evenly addresses are loaded, and how many requests a connection carries.

    Four ways of giving addresses to names are played on real sockets and, with more requests, in a model. The folder
    gets load.png, load.svg and load.json.

    \b
    Examples:
      attribution lab load-figure --out figure
      attribution lab load-figure --seconds 120 --out figure
    """
    loads, paths = _part("comparison").compare(
        out, clients=clients, seconds=seconds, model_requests=model_requests, model_names=model_names, seed=seed
    )
    rows = [one.to_dict() for one in loads]
    shown = [row | {name: f"{row[name]:.3g}" for name in ("variation", "by_chance")} for row in rows]
    with work_is_done():
        output.table(
            _LOADS, shown if output.format == "table" else rows, note=f"Written to {', '.join(map(str, paths))}."
        )
