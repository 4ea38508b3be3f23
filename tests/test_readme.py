"""The README's picture and numbers are those of the demo's fleet, whose commands are run again here."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from attribution.cli import cli

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
KINDS = ("flows", "heartbeats", "assignments", "name-bindings", "labels")
LABELS = {"flows whose other end is named wrongly": "misattributed", "flows left unattributed": "unattributed"}


def run(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module", name="demo")
def _demo(tmp_path_factory):
    """The folder of the demo's fleet and lake."""
    folder = tmp_path_factory.mktemp("demo")
    run("simulate", "--scenario", "gateway", "--out", folder / "fleet")
    inputs = [part for kind in KINDS for part in (f"--{kind}", folder / "fleet" / f"{kind.replace('-', '_')}.parquet")]
    run("replay", *inputs, "--out", folder / "lake")
    return folder


def test_the_picture_is_what_the_command_below_it_draws(demo):
    picture = re.search(r"^```mermaid\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[1]
    (command,) = re.findall(r"^attribution (graph demo/lake .*--format mermaid)$", README, re.MULTILINE)
    assert run(*command.replace("demo/lake", str(demo / "lake")).split()) == picture


def rounded(share):
    """As the README has it: two significant digits below one percent."""
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"


def test_the_numbers_beside_event_based_attribution_are_those_of_the_evaluation(demo):
    found = json.loads(
        run("evaluate", "--attributed", demo / "lake", "--truth", demo / "fleet/truth.parquet", "--format", "json")
    )
    (gateway,) = [row for row in found["clients"] if row["client"] == "gateway"]
    systems = list(gateway["systems"].values())
    lines = {}
    for label, name in LABELS.items():
        lines[label] = [rounded(counts[name] / gateway["flows"]).replace("%", " %") for counts in systems]
    lines["edges that do not exist"] = [f"{counts['edges_false']} of {counts['edges_claimed']}" for counts in systems]
    for label, cells in lines.items():
        assert f"| {label} | {' | '.join(cells)} |" in README
