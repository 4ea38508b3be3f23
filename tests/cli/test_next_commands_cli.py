"""The commands that a verb ends with work when they are pasted."""

import pytest
from click.testing import CliRunner
from pasted import run_pasted

from attribution.cli import cli

FEW = ("--set", "duration=1m", "--set", "connections=20", "--set", "hosts=3", "--set", "services=3")


def given(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    "options",
    [
        FEW,
        ("--flow-format", "jsonl", *FEW),
        ("--flow-format", "vpc", *FEW),
        ("--flow-format", "goflow2", *FEW),
        ("--scenario", "hostile", "--set", "networks=2", *FEW),
    ],
    ids=" ".join,
)
def test_what_follows_a_simulation(tmp_path, options):
    result = given("simulate", "--out", tmp_path / "the fleet", *options)
    verbs, evaluated = run_pasted(result.output)
    assert verbs == ["replay", "evaluate"]
    assert "misattributed sides: 0;" in evaluated
    verbs, listed = run_pasted(evaluated)
    assert verbs in (["talkers"], ["graph"])
    assert listed


def test_what_follows_a_simulation_of_pools(tmp_path):
    few = ("--set", "duration=2m", "--set", "clients=20")
    result = given("simulate", "--scenario", "agility", "--out", tmp_path / "pools", *few)
    verbs, loads = run_pasted(result.output)
    assert verbs == ["replay", "evaluate", "agility"]
    assert "Addresses of " in loads
