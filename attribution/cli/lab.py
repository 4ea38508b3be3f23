"""`attribution lab`: addressing by policy, played with real DNS, TLS and HTTP on loopback."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from attribution.lab import LabError
from attribution.lab.scenarios import PRESETS, preset

_OUT = click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write.")
_SEED = click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="What is drawn by.")


@click.group(name="lab")
def command() -> None:
    r"""Play addressing by policy with real DNS, TLS and HTTP on loopback.

    Needs the extra `lab`. As root on Linux, connections come to services by a sk_lookup program in a network
    namespace of the lab's own; elsewhere by wildcard sockets. Nothing leaves the machine, and everything ends by
    itself.

    \b
    Examples:
      attribution lab run --scenario policy-change --seconds 20 --out lab
    """


def _part(name: str) -> Any:
    """A module of the lab.

    Raises:
        LabError: The extra is not installed.
    """
    try:
        return importlib.import_module(f"attribution.lab.{name}")
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
    for file, count in rows.items():
        click.echo(f"{file:<{width}}  {count:>12,} rows")
    click.echo(
        f"Written to {out}: scenario {name}, {said['connections']:,} connections, {said['requests']:,} requests, "
        f"{said['requests_per_connection']} a connection, {sum(said['failures'].values()):,} failed."
    )
    click.echo(f"Connections came to services by {said['dispatch']}.")
    if said["busiest_lag_seconds"] > 0.5:
        click.echo(f"This machine was busy: times are up to {said['busiest_lag_seconds']} s late. Try fewer clients.")
